/**
 * A Kafka of a few brokers in memory, for the code that talks to one: it reads
 * the bytes of requests and answers with bytes, by the rules of Kafka 4.2 as
 * far as that code relies on them, on a clock of its own. A script says what
 * goes wrong, and with which of all exchanges.
 */
import type { Clock } from "../../../../src/base/clock.ts";
import type { KafkaConnection } from "../../../../src/log/kafka/kafka_cluster.ts";
import { KafkaConnectionError } from "../../../../src/log/kafka/kafka_error.ts";
import {
  type BrokerNode,
  type KafkaRequest,
  placeOf,
} from "../../../../src/log/kafka/kafka_requests.ts";
import {
  WireReader,
  WireWriter,
} from "../../../../src/log/kafka/kafka_wire.ts";
import { ScriptedGroup } from "./scripted_group.ts";
import { ScriptedPartition } from "./scripted_partition.ts";
import { ScriptedTransactions } from "./scripted_transactions.ts";

const CODES = {
  unknownTopic: 3,
  notLeader: 6,
  loading: 14,
  notCoordinator: 16,
  notEnoughReplicas: 19,
  topicExists: 36,
  notController: 41,
  concurrentTransactions: 51,
  notAttempted: 55,
} as const;

/** What goes wrong with an exchange. */
export type Fault =
  /** The connection breaks before the request is read. */
  | "request lost"
  /** The connection breaks before the answer is sent. */
  | "answer lost"
  /** The connection stays open, and no answer comes: the client gives up after a while. */
  | "silence"
  /** It is refused with an error code, unread (where the answer is no more than a code). */
  | { readonly code: number }
  /** The connection breaks, and the request is read so many milliseconds later. */
  | { readonly lateMs: number }
  /** The answer takes longer than a session. */
  | "slow"
  /** The request is read twice; the second answer is sent. */
  | "repeated"
  /** Other brokers lead and coordinate from now on. */
  | "moved"
  /** Coordinators are loading: whoever asks one has to ask again. */
  | "loading"
  /** Somebody becomes the producer of every transactional id. */
  | "fenced";

/** A request and its answer. */
export interface Exchange {
  /** Which of all since the script was set, from 1. */
  readonly number: number;
  /** Name of the request. */
  readonly name: string;
}

/** Says what goes wrong with an exchange, if anything. */
export type Script = (exchange: Exchange) => Fault | undefined;

/** A request takes so long to a broker, and up to as much more. */
const WAY_MS = 1;
const SLOW_MS = 4000;
/** How long a client waits for an answer. */
const REQUEST_MS = 30_000;

interface Topic {
  readonly partitions: readonly ScriptedPartition[];
  readonly settings: ReadonlyMap<string, string>;
  readonly id: number;
}

/** A request as it comes to a broker. */
interface Incoming {
  readonly name: string;
  readonly apiVersion: number;
  readonly r: WireReader;
  readonly node: BrokerNode;
  /** Coordinators are loading. */
  readonly isLoading: boolean;
}

/** The cluster. */
export class ScriptedKafka {
  /** Requests since the script was set, by name. */
  readonly asked = new Map<string, number>();
  readonly #clock: Clock;
  readonly #nodes: readonly BrokerNode[];
  readonly #topics = new Map<string, Topic>();
  readonly #groups = new Map<string, ScriptedGroup>();
  readonly #transactions: ScriptedTransactions;
  readonly #transactionalIds = new Set<string>();
  #script: Script = () => undefined;
  #exchanges = 0;
  #moves = 0;
  #topicIds = 0;

  /** A cluster of so many brokers, with no topics. */
  constructor(clock: Clock, brokers = 2) {
    this.#clock = clock;
    this.#nodes = Array.from({ length: brokers }, (_, i) => ({
      nodeId: i + 1,
      host: "scripted",
      port: i + 1,
    }));
    this.#transactions = new ScriptedTransactions(
      clock,
      (place, producerId, epoch, outcome) => {
        const partition = this.#partitionAt(place);
        if (partition) partition.mark(producerId, epoch, outcome);
        else this.#groups.get(place)?.mark(producerId, outcome);
      },
    );
  }

  /** The address of a broker. */
  get address(): string {
    return "scripted:1";
  }

  /** Number of exchanges since the script was set. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /** From now on this goes wrong. */
  play(script: Script): void {
    this.#script = script;
    this.#exchanges = 0;
    this.asked.clear();
  }

  /** The release, as the newest level of its features tells: 29 is that of Kafka 4.2. */
  metadataVersion = 29;

  /** Changes settings of a topic, as an operator would. */
  configure(name: string, settings: Readonly<Record<string, string>>): void {
    const topic = this.#topics.get(name);
    if (!topic) throw new Error(`no topic ${name}`);
    const all = new Map([...topic.settings, ...Object.entries(settings)]);
    this.#topics.set(name, { ...topic, settings: all });
  }

  /** Adds a partition to a topic, as an operator would. */
  addPartition(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic) throw new Error(`no topic ${name}`);
    const partitions = [...topic.partitions, new ScriptedPartition()];
    this.#topics.set(name, { ...topic, partitions });
  }

  /** Deletes a topic, as an operator would. */
  deleteTopic(name: string): void {
    this.#topics.delete(name);
  }

  /** Brokers forget all producers, as after a long time without their batches. */
  forgetProducers(): void {
    for (const { partitions } of this.#topics.values()) {
      for (const partition of partitions) partition.forget();
    }
  }

  /** Other brokers lead and coordinate from now on. */
  move(): void {
    this.#moves++;
    for (const group of this.#groups.values()) group.move();
  }

  /** Somebody becomes the producer of every transactional id. */
  fence(): void {
    for (const id of this.#transactionalIds) {
      this.#transactions.init(id, 60_000, undefined);
    }
  }

  /** Connects to a broker. */
  connect(node: BrokerNode): KafkaConnection {
    const broker = this.#nodes.find(({ port }) => port === node.port);
    if (!broker) throw new KafkaConnectionError("nobody answers");
    const closed = Promise.withResolvers<never>();
    closed.promise.catch(() => {});
    let turn: Promise<unknown> = Promise.resolve();
    return {
      send: async (request) => {
        const fault = this.#meet(request.name);
        // A broker answers the requests of one connection in turn.
        const answer = turn.then(() => this.#exchange(request, broker, fault));
        turn = answer.catch(() => {});
        const over = new AbortController();
        const bytes = await Promise.race([
          answer,
          closed.promise,
          this.#timeout(request, over.signal),
        ]).finally(() => over.abort());
        return request.decode(new WireReader(bytes));
      },
      close: () => closed.reject(new KafkaConnectionError("closed")),
    };
  }

  /** Throws once a client no longer waits for an answer. */
  async #timeout(
    { extraMs = 0 }: KafkaRequest<unknown>,
    signal: AbortSignal,
  ): Promise<never> {
    await this.#clock.sleep(REQUEST_MS + extraMs, signal);
    throw new KafkaConnectionError("no answer");
  }

  #meet(name: string): Fault | undefined {
    const number = ++this.#exchanges;
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    return this.#script({ number, name });
  }

  async #exchange(
    request: KafkaRequest<unknown>,
    node: BrokerNode,
    fault: Fault | undefined,
  ): Promise<Uint8Array> {
    const clock = this.#clock;
    const read = (isLoading = false) => this.#read(request, node, isLoading);
    await clock.sleep(WAY_MS * (1 + clock.random()));
    if (typeof fault === "object" && "code" in fault) {
      return new WireWriter().int32(0).int16(fault.code).bytes();
    }
    if (typeof fault === "object") {
      clock.sleep(fault.lateMs).then(() => read());
      throw new KafkaConnectionError("request late");
    }
    switch (fault) {
      case "request lost":
        throw new KafkaConnectionError(fault);
      case "answer lost":
        await read();
        throw new KafkaConnectionError(fault);
      case "silence":
        await read();
        return await new Promise(() => {});
      case "slow":
        await clock.sleep(SLOW_MS);
        return await read();
      case "repeated":
        await read();
        return await read();
      case "moved":
        this.move();
        return await read();
      case "loading":
        return await read(true);
      case "fenced":
        this.fence();
        return await read();
      default:
        return await read();
    }
  }

  /** Reads a request and gives the answer. */
  async #read(
    { name, apiVersion, body }: KafkaRequest<unknown>,
    node: BrokerNode,
    isLoading: boolean,
  ): Promise<Uint8Array> {
    this.#transactions.expire();
    const handle = this.#handlers[name];
    if (!handle) throw new Error(`the scripted Kafka knows no ${name}`);
    const r = new WireReader(body);
    const w = await handle({ name, apiVersion, r, node, isLoading });
    return w.bytes();
  }

  readonly #handlers: Readonly<
    Record<string, (incoming: Incoming) => WireWriter | Promise<WireWriter>>
  > = {
    ApiVersions: (incoming) => this.#versions(incoming),
    Metadata: (incoming) => this.#metadata(incoming),
    FindCoordinator: (incoming) => this.#findCoordinator(incoming),
    CreateTopics: (incoming) => this.#createTopics(incoming),
    DescribeConfigs: (incoming) => this.#describe(incoming),
    DeleteRecords: (incoming) => this.#deleteRecords(incoming),
    ListOffsets: (incoming) => this.#listOffsets(incoming),
    Fetch: (incoming) => this.#fetch(incoming),
    Produce: (incoming) => this.#produce(incoming),
    InitProducerId: (incoming) => this.#initProducer(incoming),
    AddPartitionsToTxn: (incoming) => this.#addPartitions(incoming),
    AddOffsetsToTxn: (incoming) => this.#addOffsets(incoming),
    TxnOffsetCommit: (incoming) => this.#commitLater(incoming),
    EndTxn: (incoming) => this.#endTransaction(incoming),
    JoinGroup: (incoming) => this.#join(incoming),
    SyncGroup: (incoming) => this.#sync(incoming),
    Heartbeat: (incoming) => this.#heartbeat(incoming),
    LeaveGroup: (incoming) => this.#leave(incoming),
    DescribeGroups: (incoming) => this.#describeGroup(incoming),
    OffsetFetch: (incoming) => this.#committed(incoming),
    OffsetCommit: (incoming) => this.#commit(incoming),
  };

  #node(key: string): BrokerNode {
    const sum = [...key].reduce((all, c) => all + c.charCodeAt(0), this.#moves);
    return this.#nodes[sum % this.#nodes.length];
  }

  #leader(topic: string, partition: number): BrokerNode {
    return this.#node(placeOf({ topic, partition }));
  }

  /** 0, or why a broker does not answer for a group or a transactional id. */
  #coordinatorCode(
    { node, isLoading }: Incoming,
    of: "group" | "transaction",
    id: string,
  ): number {
    if (this.#node(`${of} ${id}`) !== node) return CODES.notCoordinator;
    return isLoading ? CODES.loading : 0;
  }

  #partition(topic: string, partition: number): ScriptedPartition | undefined {
    return this.#topics.get(topic)?.partitions[partition];
  }

  #partitionAt(place: string): ScriptedPartition | undefined {
    const [, topic, partition] = place.match(/^(.*) partition (\d+)$/) ?? [];
    return topic === undefined
      ? undefined
      : this.#partition(topic, Number(partition));
  }

  /** A partition that a broker leads, or the code of its refusal. */
  #led(
    { node }: Incoming,
    topic: string,
    partition: number,
  ): ScriptedPartition | number {
    const found = this.#partition(topic, partition);
    if (!found) return CODES.unknownTopic;
    return this.#leader(topic, partition) === node ? found : CODES.notLeader;
  }

  #group(name: string): ScriptedGroup {
    const known = this.#groups.get(name) ?? new ScriptedGroup(this.#clock);
    this.#groups.set(name, known);
    return known;
  }

  #versions({ apiVersion }: Incoming): WireWriter {
    const w = new WireWriter();
    if (apiVersion === 0) {
      return w.int16(0).array([[3, 0, 12]], (numbers) => {
        for (const number of numbers) w.int16(number);
      });
    }
    const levels = new WireWriter();
    levels.compactArray([this.metadataVersion], (level) => {
      levels.compactString("metadata.version").int16(1).int16(level).noTags();
    });
    w.int16(0).compactArray([], () => {}).int32(0);
    const bytes = levels.bytes();
    return w.varuint(1).varuint(0).varuint(bytes.length).raw(bytes);
  }

  #metadata(incoming: Incoming): WireWriter {
    if (incoming.apiVersion === 12) return this.#topicIdsOf(incoming);
    const { r } = incoming;
    const names = r.array(() => r.string() ?? "");
    const w = new WireWriter().int32(0);
    w.array(this.#nodes, ({ nodeId, host, port }) => {
      w.int32(nodeId).string(host).int32(port).string(null);
    });
    w.string("scripted").int32(1);
    return w.array(names, (name) => {
      const { partitions = [] } = this.#topics.get(name) ?? {};
      w.int16(partitions.length > 0 ? 0 : CODES.unknownTopic).string(name)
        .boolean(false);
      w.array([...partitions.keys()], (partition) => {
        const { nodeId } = this.#leader(name, partition);
        w.int16(0).int32(partition).int32(nodeId);
        w.array([nodeId], (id) => w.int32(id));
        w.array([nodeId], (id) => w.int32(id));
      });
    });
  }

  #topicIdsOf({ r }: Incoming): WireWriter {
    r.tags();
    const names = r.compactArray(() => {
      r.raw(16);
      const name = r.compactString() ?? "";
      r.tags();
      return name;
    });
    const w = new WireWriter().noTags().int32(0);
    w.compactArray([], () => {}).compactString("scripted").int32(1);
    w.compactArray(names, (name) => {
      const topic = this.#topics.get(name);
      const id = new Uint8Array(16);
      id[15] = topic?.id ?? 0;
      w.int16(topic ? 0 : CODES.unknownTopic).compactString(name).raw(id);
      w.boolean(false).compactArray([], () => {}).int32(0).noTags();
    });
    return w.noTags();
  }

  #findCoordinator({ r, isLoading }: Incoming): WireWriter {
    const id = r.string() ?? "";
    const of = r.int8() === 0 ? "group" : "transaction";
    const { nodeId, host, port } = this.#node(`${of} ${id}`);
    return new WireWriter().int32(0).int16(isLoading ? 15 : 0).string(null)
      .int32(nodeId).string(host).int32(port);
  }

  #createTopics({ r, node }: Incoming): WireWriter {
    const results = r.array(() => {
      const name = r.string() ?? "";
      const count = r.int32();
      r.int16(); // replicas
      r.array(() => {});
      const settings = new Map(
        r.array(() => [r.string() ?? "", r.string() ?? ""] as const),
      );
      if (node.nodeId !== 1) return { name, code: CODES.notController };
      if (this.#topics.has(name)) return { name, code: CODES.topicExists };
      const partitions = Array.from(
        { length: count },
        () => new ScriptedPartition(),
      );
      this.#topics.set(name, { partitions, settings, id: ++this.#topicIds });
      return { name, code: 0 };
    });
    const w = new WireWriter().int32(0);
    return w.array(results, ({ name, code }) => {
      w.string(name).int16(code).string(null);
    });
  }

  #describe({ r }: Incoming): WireWriter {
    const [name] = r.array(() => {
      r.int8();
      const name = r.string() ?? "";
      r.int32();
      return name;
    });
    const topic = this.#topics.get(name);
    const w = new WireWriter().int32(0);
    return w.array([topic], () => {
      w.int16(topic ? 0 : CODES.unknownTopic).string(null).int8(2).string(name);
      w.array([...topic?.settings ?? []], ([key, value]) => {
        w.string(key).string(value).boolean(false).int8(1).boolean(false)
          .array([], () => {});
      });
    });
  }

  /** Reads what is asked of partitions by topic, and writes an answer for each. */
  #eachPartition(
    { r }: Incoming,
    w: WireWriter,
    read: (topic: string) => () => void,
  ): WireWriter {
    const answers = r.array(() => {
      const topic = r.string() ?? "";
      return { topic, writers: r.array(() => read(topic)) };
    });
    return w.array(answers, ({ topic, writers }) => {
      w.string(topic).array(writers, (write) => write());
    });
  }

  #deleteRecords(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const w = new WireWriter().int32(0);
    return this.#eachPartition(incoming, w, (topic) => {
      const partition = r.int32();
      const before = r.int64();
      const led = this.#led(incoming, topic, partition);
      const code = typeof led === "number" ? led : led.trim(before);
      return () => w.int32(partition).int64(before).int16(code);
    });
  }

  #listOffsets(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const w = new WireWriter().int32(0);
    r.int32();
    r.int8();
    return this.#eachPartition(incoming, w, (topic) => {
      const partition = r.int32();
      const isStart = r.int64() === -2;
      const led = this.#led(incoming, topic, partition);
      const code = typeof led === "number" ? led : 0;
      const offset = typeof led === "number"
        ? -1
        : isStart
        ? led.startOffset
        : led.endOffset;
      return () => w.int32(partition).int16(code).int64(-1).int64(offset);
    });
  }

  async #fetch(incoming: Incoming): Promise<WireWriter> {
    const { r } = incoming;
    r.int32();
    const waitMs = r.int32();
    r.int32();
    r.int32();
    r.int8(); // committed records only
    r.int32();
    r.int32();
    const wanted = r.array(() => {
      const topic = r.string() ?? "";
      return r.array(() => {
        const partition = r.int32();
        r.int32();
        const offset = r.int64();
        r.int64();
        return { topic, partition, offset, bytesMax: r.int32() };
      });
    }).flat();
    const readAll = () =>
      wanted.map((want) => {
        const led = this.#led(incoming, want.topic, want.partition);
        return {
          ...want,
          ...typeof led === "number"
            ? { code: led, bytes: new Uint8Array(0), aborted: [], stable: -1 }
            : {
              ...led.read(want.offset, want.bytesMax),
              stable: led.stableOffset,
            },
        };
      });
    let found = readAll();
    if (
      waitMs > 0 && found.every((f) => f.code === 0 && f.bytes.length === 0)
    ) {
      await this.#clock.sleep(waitMs);
      found = readAll();
    }
    const w = new WireWriter(1024).int32(0).int16(0).int32(0);
    return w.array(found, (one) => {
      w.string(one.topic).array([one], ({ partition, code, stable }) => {
        w.int32(partition).int16(code).int64(-1).int64(stable).int64(0);
        w.array([...one.aborted], ({ producerId, firstOffset }) => {
          w.bigint(producerId).int64(firstOffset);
        }).data(one.bytes);
      });
    });
  }

  #produce(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const w = new WireWriter();
    r.string();
    r.int16();
    r.int32();
    this.#eachPartition(incoming, w, (topic) => {
      const partition = r.int32();
      const bytes = r.data();
      const led = this.#led(incoming, topic, partition);
      const place = placeOf({ topic, partition });
      const { code, offset } = typeof led === "number"
        ? { code: led, offset: -1 }
        : led.append(bytes, (producerId, epoch) => {
          const code = this.#transactions.verify(place, producerId, epoch);
          return code === CODES.concurrentTransactions
            ? CODES.notEnoughReplicas
            : code;
        });
      return () =>
        w.int32(partition).int16(code).int64(offset).int64(-1).int64(0);
    });
    return w.int32(0);
  }

  #initProducer(incoming: Incoming): WireWriter {
    const { r } = incoming;
    r.tags();
    const id = r.compactString();
    const timeoutMs = r.int32();
    const from = { producerId: r.bigint(), epoch: r.int16() };
    if (id !== null) this.#transactionalIds.add(id);
    const refusal = id === null
      ? 0
      : this.#coordinatorCode(incoming, "transaction", id);
    const { code, producerId, epoch } = refusal !== 0
      ? { code: refusal, producerId: -1n, epoch: -1 }
      : this.#transactions.init(
        id,
        timeoutMs,
        from.producerId < 0n ? undefined : from,
      );
    return new WireWriter().noTags().int32(0).int16(code).bigint(producerId)
      .int16(epoch).noTags();
  }

  /** Reads who asks. */
  #producer(
    { r }: Incoming,
  ): { id: string; producerId: bigint; epoch: number } {
    return { id: r.string() ?? "", producerId: r.bigint(), epoch: r.int16() };
  }

  #addPartitions(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const { id, producerId, epoch } = this.#producer(incoming);
    const topics = r.array(() => ({
      topic: r.string() ?? "",
      partitions: r.array(() => r.int32()),
    }));
    const places = topics.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => placeOf({ topic, partition }))
    );
    const isKnown = (place: string) => this.#partitionAt(place) !== undefined;
    let code = this.#coordinatorCode(incoming, "transaction", id);
    const areKnown = places.every(isKnown);
    if (code === 0 && areKnown) {
      code = this.#transactions.add(id, producerId, epoch, places);
    }
    const codeOf = (place: string) => {
      if (areKnown || code !== 0) return code;
      return isKnown(place) ? CODES.notAttempted : CODES.unknownTopic;
    };
    const w = new WireWriter().int32(0);
    return w.array(topics, ({ topic, partitions }) => {
      w.string(topic).array(partitions, (partition) => {
        w.int32(partition).int16(codeOf(placeOf({ topic, partition })));
      });
    });
  }

  #addOffsets(incoming: Incoming): WireWriter {
    const { id, producerId, epoch } = this.#producer(incoming);
    const group = incoming.r.string() ?? "";
    const refusal = this.#coordinatorCode(incoming, "transaction", id);
    const code = refusal ||
      this.#transactions.add(id, producerId, epoch, [group]);
    return new WireWriter().int32(0).int16(code);
  }

  #endTransaction(incoming: Incoming): WireWriter {
    const { id, producerId, epoch } = this.#producer(incoming);
    const outcome = incoming.r.boolean() ? "commit" : "abort";
    const refusal = this.#coordinatorCode(incoming, "transaction", id);
    const code = refusal ||
      this.#transactions.end(id, producerId, epoch, outcome);
    return new WireWriter().int32(0).int16(code);
  }

  #commitLater(incoming: Incoming): WireWriter {
    const { r } = incoming;
    r.tags();
    r.compactString(); // transactional id
    const name = r.compactString() ?? "";
    const producerId = r.bigint();
    const epoch = r.int16();
    const generation = r.int32();
    const memberId = r.compactString() ?? "";
    r.compactString();
    const commits = this.#readCommits(r);
    const w = new WireWriter().noTags().int32(0);
    w.compactArray(commits, ({ topic, partitions }) => {
      w.compactString(topic).compactArray(
        partitions,
        ({ partition, commit }) => {
          const place = placeOf({ topic, partition });
          let code = this.#coordinatorCode(incoming, "group", name);
          if (!this.#partition(topic, partition)) code ||= CODES.unknownTopic;
          code ||= this.#transactions.verify(name, producerId, epoch);
          code ||= this.#group(name)
            .commitLater(producerId, memberId, generation, place, commit);
          w.int32(partition).int16(code).noTags();
        },
      ).noTags();
    });
    return w.noTags();
  }

  #readCommits(r: WireReader) {
    return r.compactArray(() => {
      const topic = r.compactString() ?? "";
      const partitions = r.compactArray(() => {
        const partition = r.int32();
        const offset = r.int64();
        r.int32();
        const commit = { offset, metadata: r.compactString() ?? "" };
        r.tags();
        return { partition, commit };
      });
      r.tags();
      return { topic, partitions };
    });
  }

  #commit(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const { name, generation, memberId } = this.#member(incoming);
    const w = new WireWriter().int32(0);
    return this.#eachPartition(incoming, w, (topic) => {
      const partition = r.int32();
      const offset = r.int64();
      r.int32();
      const commit = { offset, metadata: r.string() ?? "" };
      const place = placeOf({ topic, partition });
      let code = this.#coordinatorCode(incoming, "group", name);
      if (!this.#partition(topic, partition)) code ||= CODES.unknownTopic;
      code ||= this.#group(name).commit(memberId, generation, place, commit);
      return () => w.int32(partition).int16(code);
    });
  }

  #committed(incoming: Incoming): WireWriter {
    const { r } = incoming;
    r.tags();
    const name = r.compactString() ?? "";
    const topics = r.compactArray(() => {
      const topic = r.compactString() ?? "";
      const partitions = r.compactArray(() => r.int32());
      r.tags();
      return { topic, partitions };
    });
    const stable = r.boolean();
    const refusal = this.#coordinatorCode(incoming, "group", name);
    const w = new WireWriter().noTags().int32(0);
    w.compactArray(topics, ({ topic, partitions }) => {
      w.compactString(topic).compactArray(partitions, (partition) => {
        const place = placeOf({ topic, partition });
        const { code, commit } = refusal !== 0
          ? { code: 0, commit: undefined }
          : this.#group(name).committed(place, stable);
        w.int32(partition).int64(commit?.offset ?? -1).int32(-1)
          .compactString(commit?.metadata ?? "").int16(code).noTags();
      }).noTags();
    });
    return w.int16(refusal).noTags();
  }

  async #join(incoming: Incoming): Promise<WireWriter> {
    const { r } = incoming;
    const name = r.string() ?? "";
    const sessionMs = r.int32();
    const rebalanceMs = r.int32();
    const memberId = r.string() ?? "";
    r.string();
    r.string();
    const [subscription] = r.array(() => {
      r.string();
      return r.data();
    });
    const code = this.#coordinatorCode(incoming, "group", name);
    const answer = code !== 0
      ? { code, memberId, generation: -1, leader: "", members: [] }
      : await this.#group(name)
        .join({ memberId, sessionMs, rebalanceMs, subscription });
    const w = new WireWriter().int32(0).int16(answer.code);
    w.int32(answer.generation).string("protocol").string(answer.leader)
      .string(answer.memberId);
    return w.array(answer.members, ({ id, subscription }) => {
      w.string(id).string(null).data(subscription);
    });
  }

  /** Reads which member asks. */
  #member(
    { r }: Incoming,
  ): { name: string; generation: number; memberId: string } {
    const name = r.string() ?? "";
    const generation = r.int32();
    const memberId = r.string() ?? "";
    r.string();
    return { name, generation, memberId };
  }

  async #sync(incoming: Incoming): Promise<WireWriter> {
    const { r } = incoming;
    const { name, generation, memberId } = this.#member(incoming);
    const shares = new Map(
      r.array(() => [r.string() ?? "", r.data()] as const),
    );
    const code = this.#coordinatorCode(incoming, "group", name);
    const answer = code !== 0
      ? { code, assignment: new Uint8Array(0) }
      : await this.#group(name).sync(memberId, generation, shares);
    return new WireWriter().int32(0).int16(answer.code).data(answer.assignment);
  }

  #heartbeat(incoming: Incoming): WireWriter {
    const { name, generation, memberId } = this.#member(incoming);
    const code = this.#coordinatorCode(incoming, "group", name) ||
      this.#group(name).heartbeat(memberId, generation);
    return new WireWriter().int32(0).int16(code);
  }

  #leave(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const name = r.string() ?? "";
    const memberId = r.string() ?? "";
    const code = this.#coordinatorCode(incoming, "group", name) ||
      this.#group(name).leave(memberId);
    return new WireWriter().int32(0).int16(code);
  }

  #describeGroup(incoming: Incoming): WireWriter {
    const { r } = incoming;
    const w = new WireWriter().int32(0);
    return w.array(r.array(() => r.string() ?? ""), (name) => {
      w.int16(this.#coordinatorCode(incoming, "group", name));
      for (const text of [name, "Stable", "consumer", ""]) w.string(text);
      w.array(Array.from({ length: this.#group(name).size }), () => {
        for (const text of ["member", "", ""]) w.string(text);
        w.data(new Uint8Array(0)).data(new Uint8Array(0));
      });
    });
  }
}
