/**
 * The requests to Kafka about topics, records and offsets: each function
 * returns its bytes and how to read the answer. Source: Kafka's protocol guide;
 * all versions are supported by Kafka 2.5 to 4.x.
 */
import { check, CODES, KafkaError } from "./kafka_error.ts";
import type { FetchedRecords } from "./kafka_records.ts";
import { type WireReader, WireWriter } from "./kafka_wire.ts";

/** A request ready to be sent. */
export interface KafkaRequest<T> {
  /** Its name in the protocol guide. */
  readonly name: string;
  /** Its number there. */
  readonly apiKey: number;
  /** Which form of it. */
  readonly apiVersion: number;
  /** The body after the request's header. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** How much longer than usual the broker may take to answer, in milliseconds. */
  readonly extraMs?: number;
  /** Reads the answer; throws KafkaError if it is a refusal. */
  decode(reader: WireReader): T;
}

/** A partition of a topic. */
export interface TopicPartition {
  /** Topic name. */
  readonly topic: string;
  /** Partition number. */
  readonly partition: number;
}

/** The topics of some partitions, each with its own. */
export function byTopic<T extends TopicPartition>(
  partitions: readonly T[],
): [topic: string, partitions: T[]][] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)];
}

/** A partition in words. */
export function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic} partition ${partition}`;
}

/** A broker of the cluster. */
export interface BrokerNode {
  /** Its number. */
  readonly nodeId: number;
  /** Host name or address. */
  readonly host: string;
  /** Port. */
  readonly port: number;
}

/** A topic in the cluster's metadata. */
export interface TopicMetadata {
  /** 0, or the error code. */
  readonly code: number;
  /** Its name. */
  readonly name: string;
  /** Leader of each partition; -1 where there is none now. */
  readonly leaders: readonly number[];
}

/** What the cluster consists of. */
export interface Metadata {
  /** Brokers that are up. */
  readonly brokers: readonly BrokerNode[];
  /** Number of the controller. */
  readonly controller: number;
  /** The requested topics. */
  readonly topics: readonly TopicMetadata[];
}

/** Asks for the brokers and the leaders of topics' partitions. */
export function metadataRequest(
  topics: readonly string[],
): KafkaRequest<Metadata> {
  const w = new WireWriter();
  w.array(topics, (name) => w.string(name)).boolean(false);
  return {
    name: "Metadata",
    apiKey: 3,
    apiVersion: 4,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const brokers = r.array(() => {
        const broker = {
          nodeId: r.int32(),
          host: r.string() ?? "",
          port: r.int32(),
        };
        r.string(); // rack
        return broker;
      });
      r.string(); // cluster id
      const controller = r.int32();
      return { brokers, controller, topics: r.array(() => readTopic(r)) };
    },
  };
}

function readTopic(r: WireReader): TopicMetadata {
  const code = r.int16();
  const name = r.string() ?? "";
  r.boolean(); // internal
  const leaders: number[] = [];
  r.array(() => {
    r.int16(); // the error code of a missing leader, which -1 shows as well
    const partition = r.int32();
    leaders[partition] = r.int32();
    r.array(() => r.int32()); // replicas
    r.array(() => r.int32()); // in-sync replicas
  });
  return { code, name, leaders };
}

/** The form of topicIdsRequest(); brokers before Kafka 3.1 do not support it. */
const TOPIC_IDS_VERSION = 12;

/** Whether a broker supports topicIdsRequest(). */
export function knowsTopicIds(versions: readonly ApiVersion[]): boolean {
  return versions.some(({ apiKey, maxVersion }) =>
    apiKey === 3 && maxVersion >= TOPIC_IDS_VERSION
  );
}

/** Asks for the ids of topics, which a topic of the same name that is created later does not have; a missing topic has none. */
export function topicIdsRequest(
  topics: readonly string[],
): KafkaRequest<Map<string, string>> {
  const w = new WireWriter().noTags(); // the end of the request's header
  w.compactArray(topics, (name) => {
    w.raw(new Uint8Array(16)).compactString(name).noTags();
  });
  w.boolean(false).boolean(false).noTags();
  return {
    name: "Metadata",
    apiKey: 3,
    apiVersion: TOPIC_IDS_VERSION,
    body: w.bytes(),
    decode: (r) => {
      r.tags(); // the end of the answer's header
      r.int32(); // throttle
      r.compactArray(() => {
        r.int32(); // number of a broker
        r.compactString(); // host
        r.int32(); // port
        r.compactString(); // rack
        r.tags();
      });
      r.compactString(); // cluster id
      r.int32(); // controller
      const ids = new Map<string, string>();
      r.compactArray(() => {
        const code = r.int16();
        const name = r.compactString() ?? "";
        const id = Array.from(
          r.raw(16),
          (byte) => byte.toString(16).padStart(2, "0"),
        ).join("");
        if (code === 0) ids.set(name, id);
        r.boolean(); // internal
        r.compactArray(() => skipPartition(r));
        r.int32(); // operations that are allowed
        r.tags();
      });
      r.tags();
      return ids;
    },
  };
}

/** Skips a partition of a flexible Metadata answer. */
function skipPartition(r: WireReader): void {
  r.int16(); // why there is no leader
  r.int32(); // partition
  r.int32(); // leader
  r.int32(); // its epoch
  for (let list = 0; list < 3; list++) r.compactArray(() => r.int32());
  r.tags();
}

/** What a coordinator can be of. */
export type CoordinatorOf = "group" | "transaction";

/** Asks which broker is the coordinator of a group or transactional id. */
export function findCoordinatorRequest(
  of: CoordinatorOf,
  id: string,
): KafkaRequest<BrokerNode> {
  return {
    name: "FindCoordinator",
    apiKey: 10,
    apiVersion: 2,
    body: new WireWriter().string(id).int8(of === "group" ? 0 : 1).bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const code = r.int16();
      const detail = r.string();
      if (code !== 0) {
        throw new KafkaError(code, `coordinator of ${of} ${id}`, detail);
      }
      return { nodeId: r.int32(), host: r.string() ?? "", port: r.int32() };
    },
  };
}

/** The versions of a request that a broker supports. */
export interface ApiVersion {
  /** The request's number. */
  readonly apiKey: number;
  /** Oldest form. */
  readonly minVersion: number;
  /** Newest form. */
  readonly maxVersion: number;
}

/** Asks which requests a broker supports; the first request on every connection. */
export function apiVersionsRequest(): KafkaRequest<ApiVersion[]> {
  return {
    name: "ApiVersions",
    apiKey: 18,
    apiVersion: 0,
    body: new Uint8Array(0),
    decode: (r) => {
      check(r.int16(), "versions of the broker");
      return r.array(() => ({
        apiKey: r.int16(),
        minVersion: r.int16(),
        maxVersion: r.int16(),
      }));
    },
  };
}

/** Asks for the newest level of each feature that a broker has: that of metadata.version identifies its release. Empty if it has none. */
export function featuresRequest(): KafkaRequest<Map<string, number>> {
  const w = new WireWriter().noTags(); // the end of the request's header
  w.compactString("fraudstream").compactString("1").noTags();
  return {
    name: "ApiVersions",
    apiKey: 18,
    apiVersion: 3,
    body: w.bytes(),
    decode: (r) => {
      const code = r.int16();
      if (code === CODES.unsupportedVersion) return new Map();
      check(code, "features of the broker");
      r.compactArray(() => {
        r.int16(); // number of a request
        r.int16(); // oldest form
        r.int16(); // newest form
        r.tags();
      });
      r.int32(); // throttle
      const levels = new Map<string, number>();
      r.tags((tag, field) => {
        if (tag !== SUPPORTED_FEATURES_TAG) return;
        field.compactArray(() => {
          const name = field.compactString() ?? "";
          field.int16(); // lowest level
          levels.set(name, field.int16());
          field.tags();
        });
      });
      return levels;
    },
  };
}

const SUPPORTED_FEATURES_TAG = 0;

/** Level of metadata.version that Kafka 4.3 introduced. */
const KAFKA_4_3 = 30;

/**
 * Whether brokers fail to write the markers that end a transaction in
 * partitions without a leader at that moment, such as all partitions while the
 * only broker starts. These are Kafka 4.3.0 and 4.3.1 (KAFKA-20734), recognised
 * by the newest levels of their features.
 */
export function losesMarkers(levels: ReadonlyMap<string, number>): boolean {
  return levels.get("metadata.version") === KAFKA_4_3;
}

/** A topic to be created. */
export interface NewTopic {
  /** Its name. */
  readonly name: string;
  /** Number of partitions. */
  readonly partitions: number;
  /** Replicas of each; undefined for the brokers' default. */
  readonly replication: number | undefined;
  /** Settings that differ from the brokers'. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Creates topics; answers with a code and the broker's sentence for each. */
export function createTopicsRequest(
  topics: readonly NewTopic[],
): KafkaRequest<{ name: string; code: number; detail: string | null }[]> {
  const w = new WireWriter();
  w.array(topics, ({ name, partitions, replication, settings }) => {
    w.string(name).int32(partitions).int16(replication ?? -1).array(
      [],
      () => {},
    );
    w.array(
      Object.entries(settings),
      ([key, value]) => w.string(key).string(value),
    );
  }).int32(TIMEOUT_MS).boolean(false);
  return {
    name: "CreateTopics",
    apiKey: 19,
    apiVersion: 4,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      return r.array(() => ({
        name: r.string() ?? "",
        code: r.int16(),
        detail: r.string(),
      }));
    },
  };
}

/** The settings of a topic, by name. */
export function describeTopicRequest(
  topic: string,
): KafkaRequest<Map<string, string>> {
  const w = new WireWriter();
  w.array([topic], () => {
    w.int8(2).string(topic).int32(-1); // a topic, all of its settings
  }).boolean(false);
  return {
    name: "DescribeConfigs",
    apiKey: 32,
    apiVersion: 1,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const settings = new Map<string, string>();
      r.array(() => {
        const code = r.int16();
        const detail = r.string();
        if (code !== 0) throw new KafkaError(code, `topic ${topic}`, detail);
        r.int8(); // a topic
        r.string(); // its name
        r.array(() => {
          const name = r.string() ?? "";
          settings.set(name, r.string() ?? "");
          r.boolean(); // read only
          r.int8(); // where it comes from
          r.boolean(); // secret
          r.array(() => [r.string(), r.string(), r.int8()]);
        });
      });
      return settings;
    },
  };
}

/** Removes the records of a partition below an offset. */
export function deleteRecordsRequest(
  place: TopicPartition,
  before: number,
): KafkaRequest<void> {
  const w = new WireWriter();
  w.array([place], ({ topic, partition }) => {
    w.string(topic).array([partition], () => w.int32(partition).int64(before));
  }).int32(TIMEOUT_MS);
  return {
    name: "DeleteRecords",
    apiKey: 21,
    apiVersion: 1,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      r.array(() => {
        r.string();
        r.array(() => {
          r.int32();
          r.int64(); // new start
          check(r.int16(), `trimming of ${placeOf(place)}`);
        });
      });
    },
  };
}

/** Instead of a time: the start or the end of a partition. */
export const EARLIEST: number = -2;
/** The end of a partition: behind the last record, committed or not. */
export const LATEST: number = -1;

/** Asks for the first offset at or after a time, EARLIEST or LATEST. */
export function listOffsetsRequest(
  topic: string,
  partitions: readonly number[],
  time: number,
): KafkaRequest<Map<number, number>> {
  const w = new WireWriter();
  w.int32(-1).int8(0); // from a consumer; uncommitted records count as well
  w.array([topic], () => {
    w.string(topic)
      .array(partitions, (partition) => w.int32(partition).int64(time));
  });
  return {
    name: "ListOffsets",
    apiKey: 2,
    apiVersion: 2,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const offsets = new Map<number, number>();
      r.array(() => {
        r.string();
        r.array(() => {
          const partition = r.int32();
          check(r.int16(), `offsets of ${placeOf({ topic, partition })}`);
          r.int64(); // time of that record
          offsets.set(partition, r.int64());
        });
      });
      return offsets;
    },
  };
}

/** How much a fetch waits for and takes. */
export interface FetchLimit {
  /** How long the broker may wait for records, milliseconds. */
  readonly waitMs: number;
  /** Bytes of all partitions at most; one batch always comes. */
  readonly bytesMax: number;
  /** Bytes of one partition at most. */
  readonly partitionBytesMax: number;
}

/** A partition to be read from an offset on. */
export interface FetchFrom extends TopicPartition {
  /** Offset of the first record wanted. */
  readonly offset: number;
}

/** The result for one partition. */
export interface FetchedPartition extends TopicPartition {
  /** 0, or the error code. */
  readonly code: number;
  /** Offset behind the last record for readers of committed records. */
  readonly stableOffset: number;
  /** Offset of the first record that still exists. */
  readonly startOffset: number;
  /** The record batches. */
  readonly records: FetchedRecords;
}

/** Reads committed records of partitions that one broker leads. */
export function fetchRequest(
  from: readonly FetchFrom[],
  limit: FetchLimit,
): KafkaRequest<FetchedPartition[]> {
  const w = new WireWriter();
  w.int32(-1).int32(limit.waitMs).int32(1).int32(limit.bytesMax);
  w.int8(1).int32(0).int32(-1); // read committed; no session
  w.array(byTopic(from), ([topic, partitions]) => {
    w.string(topic).array(partitions, ({ partition, offset }) => {
      w.int32(partition).int32(-1).int64(offset).int64(-1)
        .int32(limit.partitionBytesMax);
    });
  }).array([], () => {});
  return {
    name: "Fetch",
    apiKey: 1,
    apiVersion: 10,
    body: w.bytes(),
    extraMs: limit.waitMs,
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), "fetch");
      r.int32(); // session
      return r.array(() => {
        const topic = r.string() ?? "";
        return r.array(() => readFetched(r, topic));
      }).flat();
    },
  };
}

function readFetched(r: WireReader, topic: string): FetchedPartition {
  const partition = r.int32();
  const code = r.int16();
  r.int64(); // high watermark
  const stableOffset = r.int64();
  const startOffset = r.int64();
  const aborted = r.array(() => ({
    producerId: r.bigint(),
    firstOffset: r.int64(),
  }));
  const bytes = r.data();
  const records = { bytes, aborted };
  return { topic, partition, code, stableOffset, startOffset, records };
}

/** A batch for the end of a partition. */
export interface ProduceBatch extends TopicPartition {
  /** The encoded batch. */
  readonly bytes: Uint8Array;
}

/** Appends batches, one for each partition at most; answers with the offset of each one's first record. */
export function produceRequest(
  transactionalId: string | null,
  batches: readonly ProduceBatch[],
): KafkaRequest<(number | KafkaError)[]> {
  const size = batches.reduce((sum, { bytes }) => sum + bytes.length + 64, 256);
  const w = new WireWriter(size);
  w.string(transactionalId).int16(-1).int32(TIMEOUT_MS);
  w.array(byTopic(batches), ([topic, partitions]) => {
    w.string(topic).array(
      partitions,
      ({ partition, bytes }) => w.int32(partition).data(bytes),
    );
  });
  return {
    name: "Produce",
    apiKey: 0,
    apiVersion: 7,
    body: w.bytes(),
    decode: (r) => {
      const answers = new Map<string, number | KafkaError>();
      r.array(() => {
        const topic = r.string() ?? "";
        r.array(() => {
          const place = placeOf({ topic, partition: r.int32() });
          const code = r.int16();
          const offset = r.int64();
          // A repetition so late that its offset is forgotten; a transaction
          // that meets it is done again.
          const isThere = code === 0 ||
            code === CODES.duplicateSequence && transactionalId === null;
          answers.set(
            place,
            isThere ? offset : new KafkaError(code, `appending to ${place}`),
          );
          r.int64(); // time of appending
          r.int64(); // start of the partition
        });
      });
      return batches.map((batch) => {
        const place = placeOf(batch);
        // Without an answer it counts as unanswered, and is sent again.
        return answers.get(place) ??
          new KafkaError(CODES.networkException, `appending to ${place}`);
      });
    },
  };
}

/** How long a broker may take for work with other brokers, in milliseconds. */
const TIMEOUT_MS = 15_000;
