/**
 * A Kafka cluster: which broker leads a partition or coordinates a group, how
 * to reach it, and retries. A request that fails for a while is repeated until
 * it succeeds or the run is stopped. The start and the end of an outage are
 * logged once.
 */
import { backoffMs, type Clock, REAL_CLOCK } from "../../base/clock.ts";
import { LogError } from "../../base/error.ts";
import { unlessAborted } from "../../base/unless_stopped.ts";
import {
  check,
  CODES,
  isKafkaError,
  isTransient,
  KafkaConnectionError,
} from "./kafka_error.ts";
import {
  type BrokerNode,
  type CoordinatorOf,
  findCoordinatorRequest,
  type KafkaRequest,
  type Metadata,
  metadataRequest,
  placeOf,
  type TopicPartition,
} from "./kafka_requests.ts";
import type { LogReport } from "../log.ts";

/** A connection to one broker. */
export interface KafkaConnection {
  /** Sends a request; throws KafkaConnectionError when no answer comes, KafkaError for a refusal. */
  send<T>(request: KafkaRequest<T>): Promise<T>;
  /** Ends it; pending requests fail. */
  close(): void;
}

/** How a cluster is reached. */
export interface ClusterOptions {
  /** Some brokers, each "host:port". */
  readonly brokers: readonly string[];
  /** Makes a connection; throws KafkaConnectionError if there is no answer. */
  readonly connect: (node: BrokerNode) => Promise<KafkaConnection>;
  /** Gets reports of outages. */
  readonly report: LogReport;
  /** Ends all waiting, with its reason. */
  readonly signal: AbortSignal;
  /** Time and chance; the machine's if not given. */
  readonly clock?: Clock;
}

const PAUSE_MS = { min: 20, max: 1000 };
/** Kafka is done with a transaction after a few milliseconds; kafkajs waits 300. */
const PAUSE_TRANSACTION_MS = 3;
/** A shorter outage is not reported. */
const OUTAGE_MS = 1000;
/** A request that fails for this long while others succeed is logged, and again this often. */
const STUCK_MS = 15_000;

/** The brokers of a cluster. */
export class KafkaCluster {
  /** Time and chance, for all users of this cluster. */
  readonly clock: Clock;
  readonly #options: ClusterOptions;
  readonly #lanes = new Set<Lane>();
  readonly #main: Lane;
  readonly #leaders = new Map<string, readonly BrokerNode[]>();
  readonly #coordinators = new Map<string, BrokerNode>();
  #brokers: readonly BrokerNode[];
  #outage: { told: boolean; since: number } | undefined;

  /** Connects to nobody yet. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    this.clock = options.clock ?? REAL_CLOCK;
    this.#brokers = options.brokers.map(nodeOf);
    this.#main = this.lane();
  }

  /** A separate set of connections: a broker answers the requests of one connection in turn, so a request that may wait long needs another. */
  lane(): Lane {
    const lane = new Lane(
      this.#options.connect,
      () => this.#lanes.delete(lane),
    );
    this.#lanes.add(lane);
    return lane;
  }

  /** Sends to any broker that answers. */
  async toAny<T>(request: KafkaRequest<T>): Promise<T> {
    let failure: unknown;
    const seeds = this.#options.brokers.map(nodeOf);
    for (const node of [...this.#brokers, ...seeds]) {
      try {
        return await this.#main.send(node, request);
      } catch (error) {
        if (!(error instanceof KafkaConnectionError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Looks up brokers and topics. */
  async metadata(topics: readonly string[]): Promise<Metadata> {
    const metadata = await this.toAny(metadataRequest(topics));
    this.#brokers = metadata.brokers;
    for (const { code, name, leaders } of metadata.topics) {
      const nodes = leaders.map((leader) =>
        metadata.brokers.find(({ nodeId }) => nodeId === leader)
      );
      if (code !== 0 || nodes.includes(undefined)) this.#leaders.delete(name);
      else this.#leaders.set(name, nodes as BrokerNode[]);
    }
    return metadata;
  }

  /** The controller, which creates topics. */
  async controller(): Promise<BrokerNode> {
    const { brokers, controller } = await this.metadata([]);
    return brokers.find(({ nodeId }) => nodeId === controller) ?? brokers[0];
  }

  /** Leaders of a topic's partitions; undefined if there is no such topic. */
  async leaders(topic: string): Promise<readonly BrokerNode[] | undefined> {
    const known = this.#leaders.get(topic);
    if (known) return known;
    const { topics: [found] } = await this.metadata([topic]);
    if (found?.code === CODES.unknownTopicOrPartition) return undefined;
    const leaders = this.#leaders.get(topic);
    if (leaders) return leaders;
    check(found?.code ?? 0, `topic ${topic}`); // a right that is missing, say
    throw new KafkaConnectionError(`topic ${topic} has no leader now`);
  }

  /** Leader of a partition; throws LogError if there is no such partition. */
  async leader(place: TopicPartition): Promise<BrokerNode> {
    const leaders = await this.leaders(place.topic);
    const leader = leaders?.[place.partition];
    if (leader) return leader;
    throw new LogError(`there is no ${placeOf(place)} in Kafka`);
  }

  /**
   * Waits for the answer of a coordinator about partitions. It gives the same
   * answer for a deleted topic as for one that it does not know yet; throws
   * LogError if the topic does not exist.
   */
  async about<T>(
    places: readonly TopicPartition[],
    answer: Promise<T>,
  ): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (isKafkaError(error, CODES.unknownTopicOrPartition)) {
        this.forget();
        for (const place of places) await this.leader(place);
      }
      throw error;
    }
  }

  /** Coordinator of a group or a transactional id. */
  async coordinator(of: CoordinatorOf, id: string): Promise<BrokerNode> {
    const key = `${of} ${id}`;
    const known = this.#coordinators.get(key);
    if (known) return known;
    const node = await this.toAny(findCoordinatorRequest(of, id));
    this.#coordinators.set(key, node);
    return node;
  }

  /** Forgets leaders and coordinators, for example after one of them has refused. */
  forget(): void {
    this.#leaders.clear();
    this.#coordinators.clear();
  }

  /**
   * Repeats a request after transient errors, looking up the broker each time,
   * until it succeeds, the deadline (milliseconds from now) passes or the
   * signal ends it. Throws any other error at once.
   */
  async retry<T>(
    body: () => Promise<T>,
    { signal = this.#options.signal, deadlineMs = Infinity } = {},
  ): Promise<T> {
    const began = this.clock.now();
    const deadline = began + deadlineMs;
    let tellMs = began + STUCK_MS;
    for (let attempt = 0;; attempt++) {
      signal.throwIfAborted();
      try {
        // A hanging broker must not delay a stop.
        const result = await unlessAborted(body(), signal);
        this.#answered();
        return result;
      } catch (error) {
        const now = this.clock.now();
        if (!isTransient(error) || now > deadline) throw error;
        if (now > tellMs && !this.#outage?.told) {
          tellMs = now + STUCK_MS;
          this.#options.report("warning", "a request fails again and again", {
            error: (error as Error).message,
            seconds: Math.round((now - began) / 1000),
            then: "trying again until it succeeds",
          });
        }
        await this.recover(error, attempt, signal);
      }
    }
  }

  /** After a transient error: forgets the brokers, reports an outage, pauses. */
  async recover(
    error: unknown,
    attempt: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (isKafkaError(error, CODES.concurrentTransactions)) {
      return await this.clock.sleep(PAUSE_TRANSACTION_MS, signal);
    }
    this.forget();
    this.#failed(error);
    await this.clock.sleep(backoffMs(attempt, PAUSE_MS, this.clock), signal);
  }

  #failed(error: unknown): void {
    const now = this.clock.now();
    this.#outage ??= { told: false, since: now };
    if (this.#outage.told || now - this.#outage.since < OUTAGE_MS) return;
    this.#outage.told = true;
    const { message } = error as Error;
    this.#options.report("warning", "Kafka answers with errors", {
      error: message,
      then: "trying again until it succeeds",
    });
  }

  #answered(): void {
    if (this.#outage?.told) {
      const milliseconds = Math.round(this.clock.now() - this.#outage.since);
      this.#options.report("info", "Kafka answers again", { milliseconds });
    }
    this.#outage = undefined;
  }

  /** Ends all connections. */
  close(): void {
    for (const lane of [...this.#lanes]) lane.close();
  }
}

/** Connections to brokers, one each. */
export class Lane {
  readonly #connect: ClusterOptions["connect"];
  readonly #closed: () => void;
  readonly #connections = new Map<string, Promise<KafkaConnection>>();
  #isClosed = false;

  /** Does not connect yet; close() calls `closed`. */
  constructor(connect: ClusterOptions["connect"], closed: () => void) {
    this.#connect = connect;
    this.#closed = closed;
  }

  /** Sends to a broker; a connection that failed is replaced by the next call. */
  async send<T>(node: BrokerNode, request: KafkaRequest<T>): Promise<T> {
    if (this.#isClosed) throw new KafkaConnectionError("closed");
    const key = `${node.host}:${node.port}`;
    let connection = this.#connections.get(key);
    if (!connection) {
      connection = this.#connect(node);
      this.#connections.set(key, connection);
    }
    try {
      return await (await connection).send(request);
    } catch (error) {
      if (error instanceof KafkaConnectionError) this.#drop(key, connection);
      throw error;
    }
  }

  #drop(key: string, connection: Promise<KafkaConnection>): void {
    if (this.#connections.get(key) !== connection) return;
    this.#connections.delete(key);
    closeOnceOpen(connection);
  }

  /** Ends its connections and their pending requests; the next call opens new ones. */
  hangUp(): void {
    for (const connection of this.#connections.values()) {
      closeOnceOpen(connection);
    }
    this.#connections.clear();
  }

  /** Ends its connections permanently. */
  close(): void {
    this.#isClosed = true;
    this.hangUp();
    this.#closed();
  }
}

function closeOnceOpen(connection: Promise<KafkaConnection>): void {
  connection.then((open) => open.close(), () => {}); // it never opened
}

/** A broker that is known by its address only. */
function nodeOf(address: string): BrokerNode {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon);
  return { nodeId: -1, host, port: Number(address.slice(colon + 1)) };
}
