/**
 * The interface of the log in terms of Kafka: topics with the settings that a
 * stream in event time needs, reading anywhere, commits, and transactions.
 */
import { type Clock, rest } from "../../base/clock.ts";
import { counted } from "../../base/counted.ts";
import { ConfigError, LogError } from "../../base/error.ts";
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import { consume } from "./kafka_consumer.ts";
import { CODES, isAbortable, isFenced, KafkaError } from "./kafka_error.ts";
import { fetchPartitions } from "./kafka_fetch.ts";
import {
  describeGroupRequest,
  type GroupState,
  offsetFetchRequest,
} from "./kafka_group_requests.ts";
import { KafkaAppender } from "./kafka_appender.ts";
import { BATCH_BYTES } from "./kafka_produce.ts";
import { KafkaProducer } from "./kafka_producer.ts";
import {
  apiVersionsRequest,
  type BrokerNode,
  createTopicsRequest,
  deleteRecordsRequest,
  describeTopicRequest,
  EARLIEST,
  featuresRequest,
  knowsTopicIds,
  LATEST,
  listOffsetsRequest,
  losesMarkers,
  topicIdsRequest,
} from "./kafka_requests.ts";
import type { KafkaSettings } from "./kafka_settings.ts";
import type {
  Append,
  Commit,
  ConsumeOptions,
  Log,
  LogPlace,
  LogProducer,
  LogReport,
  OffsetRun,
  ReadLimit,
  Step,
  TopicSpec,
  TopicState,
} from "../log.ts";
import { READ_LIMIT } from "../log.ts";
import { emptyBatch, type RecordBatch } from "../record_batch.ts";

/** The most that brokers allow by default: no reader waits for the only writer of an id. */
const PRODUCER_TRANSACTION_MS = 600_000;
/** How long the current step may take after a stop signal, in milliseconds. */
const PATIENCE_MS = 5000;
const RENEWALS_MAX = 5;
const CREATED_MS = 30_000;
/** Kafka does not announce new records, so waiting means looking this often, in milliseconds. */
const LOOK_MS = 50;
/** How long a broker may wait for the next record of a tail, milliseconds. */
const TAIL_WAIT_MS = 500;
const FOREVER = "9223372036854775807";
/** What a broker accepts by default in one batch. */
const BATCH_DEFAULT = 1_048_588;

/** What a log is made from. */
export interface KafkaLogOptions {
  /** How the cluster is used. */
  readonly settings: KafkaSettings;
  /** The cluster, reached already. */
  readonly cluster: KafkaCluster;
  /** Gets reports of outages, rebalances and refusals. */
  readonly report: LogReport;
  /** Aborted when the log is closed. */
  readonly closed: AbortController;
}

/** A log in a Kafka cluster. */
export class KafkaLog implements Log {
  readonly #options: KafkaLogOptions;
  readonly #cluster: KafkaCluster;
  readonly #lane: Lane;

  /** Uses the cluster, and closes it in the end. */
  constructor(options: KafkaLogOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#lane = options.cluster.lane();
  }

  /** See Log. Settings of existing topics are checked, never altered. */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#translate(async () => {
      await this.#tellOfFaults();
      const found = await this.#checkTopics(specs);
      const missing = specs.filter(({ name }) => !found.has(name));
      if (missing.length === 0) return;
      await this.#create(missing);
      // Another process may have created them differently.
      await this.#checkTopics(missing);
    });
  }

  /** See Log. */
  async checkTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#translate(() => this.#checkTopics(specs));
  }

  /** See Log. */
  async checkPartitions(
    specs: readonly TopicSpec[],
    isPatient = false,
  ): Promise<void> {
    const ask = () => this.#partitions(specs);
    const counts = await this.#translate(() =>
      isPatient ? this.#cluster.retry(ask) : ask()
    );
    for (const { name, partitions } of specs) {
      const count = counts.get(name) ?? partitions;
      if (count === partitions) continue;
      throw new ConfigError(
        `topic ${name} has ${counted(count, "partition")}, but this stream ` +
          `was created with ${partitions}: keys are in other partitions than their ` +
          `windows, so it cannot continue; create a new stream with another ` +
          `--topic-prefix`,
      );
    }
  }

  /** How many partitions the existing topics have now. */
  async #partitions(
    specs: readonly TopicSpec[],
  ): Promise<Map<string, number>> {
    const names = specs.map(({ name }) => name);
    const { topics } = await this.#cluster.metadata(names);
    const counts = new Map<string, number>();
    for (const { code, name, leaders } of topics) {
      if (code === 0) counts.set(name, leaders.length);
    }
    return counts;
  }

  /** Throws ConfigError for a topic with other settings; returns the names of the existing topics. */
  async #checkTopics(specs: readonly TopicSpec[]): Promise<Set<string>> {
    const counts = await this.#cluster.retry(() => this.#partitions(specs));
    const found = specs.filter(({ name }) => counts.has(name));
    for (const spec of found) {
      const count = counts.get(spec.name) ?? spec.partitions;
      if (count === spec.partitions) continue;
      // If all existing topics have this number, the stream may have it too.
      const alike = found.every(({ name, partitions }) =>
        counts.get(name) === (partitions === 1 ? 1 : count)
      );
      throw new ConfigError(
        `topic ${spec.name} has ${counted(count, "partition")}, not ` +
          `${spec.partitions}: ` +
          (alike ? `give --partitions=${count} or ` : "") +
          `choose another --topic-prefix`,
      );
    }
    for (const spec of found) await this.#checkSettings(spec);
    return new Set(found.map(({ name }) => name));
  }

  /** Warns of Kafka versions that can break exactly-once. */
  async #tellOfFaults(): Promise<void> {
    const levels = await this.#cluster.retry(() =>
      this.#cluster.toAny(featuresRequest())
    );
    if (!losesMarkers(levels)) return;
    this.#options.report(
      "warning",
      "Kafka 4.3.0 and 4.3.1 may lose the end of a transaction, and with it " +
        "exactly once, when a broker restarts",
      {
        error: "KAFKA-20734",
        then: "continuing; use 4.2, or a later release with the fix",
      },
    );
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    const { replication } = this.#options.settings;
    const request = createTopicsRequest(specs.map((spec) => ({
      name: spec.name,
      partitions: spec.partitions,
      replication,
      settings: settingsOf(spec),
    })));
    const results = await this.#cluster.retry(async () =>
      await this.#lane.send(await this.#cluster.controller(), request)
    );
    for (const { name, code, detail } of results) {
      if (code === 0 || code === CODES.topicAlreadyExists) continue;
      throw new KafkaError(code, `creating topic ${name}`, detail);
    }
    // They exist once every broker that leads one knows it.
    for (const { name } of specs) {
      await this.#cluster.retry(async () => {
        if (await this.#cluster.leaders(name)) return;
        throw new KafkaError(CODES.unknownTopicOrPartition, `topic ${name}`);
      }, { deadlineMs: CREATED_MS });
    }
  }

  async #checkSettings(spec: TopicSpec): Promise<void> {
    const { name } = spec;
    const settings = await this.#settings(name);
    const refuse = (why: string) => {
      throw new ConfigError(`topic ${name} ${why}`);
    };
    if (isCompacted(settings) !== spec.compacted) {
      refuse(
        `is ${spec.compacted ? "not " : ""}compacted (cleanup.policy): ` +
          `choose another --topic-prefix`,
      );
    }
    const [problem] = problemsOf(settings);
    if (problem) refuse(`${problem}, or choose another --topic-prefix`);
  }

  async #settings(topic: string): Promise<Map<string, string>> {
    const request = describeTopicRequest(topic);
    return await this.#cluster.retry(() => this.#cluster.toAny(request));
  }

  /** See Log. */
  async topics(names: readonly string[]): Promise<TopicState[]> {
    return await this.#translate(async () => {
      const states: TopicState[] = [];
      const ids = await this.#ids(names);
      for (const name of names) {
        const leaders = await this.#findLeaders(name);
        if (!leaders) continue;
        const settings = await this.#settings(name);
        states.push({
          name,
          id: ids.get(name),
          partitions: leaders.length,
          compacted: isCompacted(settings),
          startOffsets: await this.#offsets(name, leaders, EARLIEST),
          endOffsets: await this.#offsets(name, leaders, LATEST),
          settings: Object.fromEntries(
            SHOWN_SETTINGS.map((key) => [key, settings.get(key) ?? ""]),
          ),
          problems: problemsOf(settings),
        });
      }
      return states;
    });
  }

  /** Ids of the existing topics; none from brokers without topic ids. */
  async #ids(names: readonly string[]): Promise<Map<string, string>> {
    return await this.#cluster.retry(async () => {
      const versions = await this.#cluster.toAny(apiVersionsRequest());
      if (!knowsTopicIds(versions)) return new Map();
      const request = topicIdsRequest(names);
      return await this.#cluster.toAny(request);
    });
  }

  /** See Log. What is not committed yet counts, and so does what Kafka keeps between records: a reader's `next` reaches it. */
  async endOffsets(topic: string): Promise<number[] | undefined> {
    return await this.#translate(async () => {
      const leaders = await this.#findLeaders(topic);
      return leaders && await this.#offsets(topic, leaders, LATEST);
    });
  }

  async #offset(
    topic: string,
    partition: number,
    time: number,
  ): Promise<number> {
    const request = listOffsetsRequest(topic, [partition], time);
    const offsets = await this.#cluster.retry(async () => {
      const node = await this.#cluster.leader({ topic, partition });
      return await this.#lane.send(node, request);
    });
    return offsets.get(partition) ?? -1;
  }

  /** Offsets of all partitions, from each leader in one request. */
  async #offsets(
    topic: string,
    leaders: readonly BrokerNode[],
    time: number,
  ): Promise<number[]> {
    const offsets: number[] = [];
    await this.#cluster.retry(async () => {
      const now = await this.#cluster.leaders(topic) ?? leaders;
      const nodes = Map.groupBy(now.keys(), (p) => now[p].nodeId);
      for (const led of nodes.values()) {
        const request = listOffsetsRequest(topic, led, time);
        const found = await this.#lane.send(now[led[0]], request);
        for (const [partition, offset] of found) offsets[partition] = offset;
      }
    });
    return offsets;
  }

  async #findLeaders(
    topic: string,
  ): Promise<readonly BrokerNode[] | undefined> {
    return await this.#cluster.retry(() => this.#cluster.leaders(topic));
  }

  /** See Log. */
  async read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    return await this.#translate(async () => {
      let at = offset;
      for (;;) {
        const batch = await this.#fetch(topic, partition, at, limit);
        if (!batch) {
          const start = await this.#offset(topic, partition, EARLIEST);
          if (at >= start) return emptyBatch(at); // behind the end
          at = start;
        } else if (batch.count > 0 || batch.next === at) {
          return batch;
        } else at = batch.next;
      }
    });
  }

  async #fetch(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch | undefined> {
    let found: RecordBatch | undefined;
    await fetchPartitions({
      cluster: this.#cluster,
      lane: this.#lane,
      wanted: [{ topic, partition, offset }],
      waitMs: 0,
      bytesMax: limit.bytes,
      signal: this.#options.closed.signal,
      take: (_, batch) => found = batch,
    });
    return found;
  }

  /** See Log. */
  async readAll(
    places: readonly LogPlace[],
    limit: ReadLimit,
  ): Promise<RecordBatch[]> {
    const found = new Map<LogPlace, RecordBatch>();
    await this.#translate(() =>
      fetchPartitions({
        cluster: this.#cluster,
        lane: this.#lane,
        wanted: places,
        waitMs: 0,
        bytesMax: limit.bytes,
        signal: this.#options.closed.signal,
        take: (place, batch) => {
          if (batch) found.set(place, batch);
        },
      })
    );
    return await Promise.all(places.map((place) => {
      const { topic, partition, offset } = place;
      // An offset that does not exist is read()'s business.
      return found.get(place) ?? this.read(topic, partition, offset, limit);
    }));
  }

  /** See Log. The broker holds the request until there are records, so it has a separate connection. */
  async *tail(
    { topic, partition, offset }: LogPlace,
    signal: AbortSignal,
  ): AsyncGenerator<RecordBatch> {
    const lane = this.#cluster.lane();
    const either = AbortSignal.any([signal, this.#options.closed.signal]);
    let at = offset;
    let isWaiting = false;
    try {
      while (!either.aborted) {
        let found: RecordBatch | undefined;
        await this.#translate(() =>
          fetchPartitions({
            cluster: this.#cluster,
            lane,
            wanted: [{ topic, partition, offset: at }],
            waitMs: isWaiting ? TAIL_WAIT_MS : 0,
            bytesMax: READ_LIMIT.bytes,
            signal: either,
            take: (_, batch) => found = batch,
          })
        );
        const batch = found ??
          await this.read(topic, partition, at, READ_LIMIT);
        isWaiting = batch.next === at;
        at = batch.next;
        yield batch;
      }
    } catch (error) {
      if (!either.aborted || error !== either.reason) throw error;
    } finally {
      lane.close();
    }
  }

  /** See Log. */
  async committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]> {
    return await this.#translate(async () => {
      const leaders = await this.#findLeaders(topic);
      if (!leaders) return [];
      const partitions = [...leaders.keys()];
      const request = offsetFetchRequest(group, topic, partitions, false);
      const commits = await this.#cluster.retry(async () => {
        const node = await this.#cluster.coordinator("group", group);
        return await this.#lane.send(node, request);
      });
      return partitions.map((partition) => commits.get(partition));
    });
  }

  /** See Log. */
  async members(group: string): Promise<number> {
    return (await this.#describe(group)).members;
  }

  /** See Log. */
  async isAttended(group: string): Promise<boolean> {
    const { members, isStable } = await this.#describe(group);
    return members > 0 && isStable;
  }

  async #describe(group: string): Promise<GroupState> {
    return await this.#translate(async () => {
      const request = describeGroupRequest(group);
      return await this.#cluster.retry(async () => {
        const node = await this.#cluster.coordinator("group", group);
        return await this.#lane.send(node, request);
      });
    });
  }

  /** See Log. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    await this.#translate(async () => {
      const place = { topic, partition };
      const request = deleteRecordsRequest(place, before);
      await this.#cluster.retry(async () => {
        await this.#lane.send(await this.#cluster.leader(place), request);
      });
    });
  }

  /** See Log. */
  async producer(id: string, signal?: AbortSignal): Promise<LogProducer> {
    const patience = patienceOf(
      signal,
      this.#options.closed.signal,
      this.#cluster.clock,
    );
    const lane = this.#cluster.lane();
    const producer = await this.#translate(() =>
      KafkaProducer.open({
        cluster: this.#cluster,
        lane,
        transactionalId: id,
        timeoutMs: PRODUCER_TRANSACTION_MS,
        signal: patience,
      })
    );
    return {
      append: (appends) => this.#translate(() => append(producer, appends)),
    };
  }

  /** See Log. */
  async appender(signal?: AbortSignal): Promise<LogProducer> {
    const { closed } = this.#options;
    const appender = await this.#translate(() =>
      KafkaAppender.open({
        cluster: this.#cluster,
        lane: this.#cluster.lane(),
        signal: patienceOf(signal, closed.signal, this.#cluster.clock),
      })
    );
    return {
      append: (appends) => this.#translate(() => appender.append(appends)),
    };
  }

  /** See Log; an append or a commit ends when all replicas that are in sync have it, and Kafka relies on them, not on the disk. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** See Log; Kafka does not announce records. */
  news(): number {
    return 0;
  }

  /** See Log. */
  async consume<S extends Step>(options: ConsumeOptions<S>): Promise<void> {
    const { sessionTimeoutMs } = this.#options.settings;
    const { closed, report } = this.#options;
    const signal = AbortSignal.any([options.signal, closed.signal]);
    await this.#translate(() =>
      consume({
        cluster: this.#cluster,
        consume: options,
        sessionTimeoutMs,
        report,
        signal,
        patience: patienceOf(
          options.signal,
          closed.signal,
          this.#cluster.clock,
        ),
      })
    );
  }

  /** See Log; Kafka does not announce records, so this polls. */
  async changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#options.closed.signal]);
    await rest(Math.min(timeoutMs, LOOK_MS), either, this.#cluster.clock);
  }

  /** A broker's refusal as an error that says what to do. */
  async #translate<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      throw new LogError(`Kafka refuses: ${error.message}${adviceOf(error)}`, {
        cause: error,
        isFenced: isFenced(error),
      });
    }
  }

  /** Closes all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#options.closed.abort(new LogError("the log has been closed"));
    this.#cluster.close();
    return Promise.resolve();
  }
}

function settingsOf({ compacted }: TopicSpec): Record<string, string> {
  if (compacted) return { "cleanup.policy": "compact" };
  return {
    "cleanup.policy": "delete",
    // Records carry the time of their payment: Kafka compares it with the clock
    // when it deletes old records and refuses future ones.
    "retention.ms": "-1",
    "message.timestamp.after.max.ms": FOREVER,
  };
}

function isCompacted(settings: ReadonlyMap<string, string>): boolean {
  return settings.get("cleanup.policy")?.split(",").includes("compact") ??
    false;
}

/** The settings of a topic that are shown to the user. */
const SHOWN_SETTINGS = ["retention.ms", "min.insync.replicas"];

/** Settings that would delete records before they are read, or refuse them, as phrases after the topic's name. */
function problemsOf(settings: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const most = settings.get("max.message.bytes");
  if (most !== undefined && Number(most) < BATCH_BYTES) {
    problems.push(
      `has max.message.bytes=${most}: batches have up to ${BATCH_BYTES} ` +
        `bytes, so Kafka would refuse some; set it to ${BATCH_DEFAULT} or more`,
    );
  }
  const age = settings.get("message.timestamp.before.max.ms") ?? FOREVER;
  if (age !== FOREVER) {
    problems.push(
      `has message.timestamp.before.max.ms=${age}: records carry the time of ` +
        `their payment, so Kafka would refuse older ones; set it to ${FOREVER}`,
    );
  }
  if (isCompacted(settings)) return problems;
  const limits = [
    ["retention.ms", "records carry the time of their payment"],
    ["retention.bytes", "records may wait for long"],
  ] as const;
  for (const [key, why] of limits) {
    const value = settings.get(key) ?? "-1";
    if (value === "-1") continue;
    problems.push(
      `has ${key}=${value}: ${why}, so Kafka would delete some before they ` +
        `are taken; set it to -1`,
    );
  }
  return problems;
}

/** Appends until it has succeeded or the producer has been replaced. */
async function append(
  producer: KafkaProducer,
  appends: readonly Append[],
): Promise<OffsetRun[][]> {
  for (let renewals = 0;; renewals++) {
    try {
      return await producer.commit(appends);
    } catch (error) {
      if (!isAbortable(error) || renewals === RENEWALS_MAX) throw error;
      await producer.renew();
    }
  }
}

/** Aborts a while after the first signal, or with the second, with its reason. */
function patienceOf(
  signal: AbortSignal | undefined,
  closed: AbortSignal,
  clock: Clock,
): AbortSignal {
  if (!signal) return closed;
  const late = new AbortController();
  const start = async () => {
    await rest(PATIENCE_MS, closed, clock);
    late.abort(signal.reason);
  };
  if (signal.aborted) start();
  else signal.addEventListener("abort", start, { once: true });
  return AbortSignal.any([late.signal, closed]);
}

const AUTHORIZATION_CODES = [29, 30, 31, 53];
const TOO_LARGE_CODES = [10, 18];
const TIMESTAMP_CODE = 32;

function adviceOf(error: KafkaError): string {
  if (isFenced(error)) {
    return ": it has been replaced by a newer one; stop one of the two";
  }
  if (AUTHORIZATION_CODES.includes(error.code)) {
    return ": give the user that right, see docs/SECURED_CLUSTERS.md";
  }
  if (error.code === TIMESTAMP_CODE) {
    return ": raise message.timestamp.after.max.ms of the topic for payments " +
      "dated ahead of the clock, message.timestamp.before.max.ms for older ones";
  }
  if (TOO_LARGE_CODES.includes(error.code)) {
    return ": raise max.message.bytes of the topic";
  }
  return "";
}
