/**
 * One partition while this consumer owns it: it is opened and then processed in
 * steps, each step one transaction. kafka_consumer.ts explains the order.
 */
import { LogError } from "../../base/error.ts";
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import {
  KafkaConnectionError,
  KafkaError,
  KafkaUncertainError,
} from "./kafka_error.ts";
import {
  type Membership,
  offsetCommitRequest,
  offsetFetchRequest,
} from "./kafka_group_requests.ts";
import { fetchPartitions } from "./kafka_fetch.ts";
import { KafkaProducer } from "./kafka_producer.ts";
import {
  type BrokerNode,
  EARLIEST,
  type KafkaRequest,
  listOffsetsRequest,
} from "./kafka_requests.ts";
import type { Commit, ConsumeOptions, PartitionTask, Step } from "../log.ts";
import { batchHead, batchTail, type RecordBatch } from "../record_batch.ts";

/** Kafka aborts a step's transaction that takes longer. */
const TRANSACTION_MS = 60_000;

/** A step is small if its fetch returned less than this share of the most that it could. */
const SMALL_SHARE = 1 / 16;

/** What the work on a partition needs. */
export interface PartitionOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Group, topic, and what is done with the records. */
  readonly consume: ConsumeOptions;
  /** The partition. */
  readonly partition: number;
  /** Ends all waiting in an outage. */
  readonly patience: AbortSignal;
}

/** The outcome of trying a step. */
export type StepOutcome =
  /** Records were taken. */
  | "moved"
  /** The current records wait for other partitions. */
  | "waiting"
  /** There are no records. */
  | "empty";

/** The state of a partition and its offset. */
export class OwnedPartition {
  /** Resolves when the state is restored and steps may begin. */
  readonly opened: Promise<void>;
  readonly #options: PartitionOptions;
  readonly #lane: Lane;
  readonly #fetchLane: Lane;
  readonly #closed = new AbortController();
  #producer: KafkaProducer | undefined;
  #task: PartitionTask | undefined;
  #move: Commit | undefined;
  #offset = 0;
  #metadata: string | undefined;
  #position = 0;
  #pending: RecordBatch | undefined;
  #fetched: RecordBatch | undefined;
  #isOpen = false;
  #atEnd = false;
  #waiting = false;
  #isHeld = false;

  /** Begins to open it. */
  constructor(options: PartitionOptions) {
    const { patience } = options;
    const either = AbortSignal.any([patience, this.#closed.signal]);
    this.#options = { ...options, patience: either };
    this.#lane = options.cluster.lane();
    this.#fetchLane = options.cluster.lane();
    this.opened = this.#open();
    this.opened.catch(() => {}); // the waiting task gets the error
  }

  /** Number of the partition. */
  get partition(): number {
    return this.#options.partition;
  }

  /** Offset from which records are wanted; undefined while there are enough. */
  get wanted(): number | undefined {
    const isWanting = this.#isOpen && !this.#fetched && !this.#isHeld;
    return isWanting ? this.#position : undefined;
  }

  /** Whether no records are wanted since the last were few: until release(). */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Records are wanted again. */
  release(): void {
    this.#isHeld = false;
  }

  /** Fetches records from an offset on; they are dropped if they are no longer wanted. "gone" if the offset does not exist. */
  async fetch(
    from: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<"new" | "none" | "gone"> {
    const { cluster, consume: { topic, limit }, partition } = this.#options;
    let batch: RecordBatch | undefined;
    await fetchPartitions({
      cluster,
      lane: this.#fetchLane,
      wanted: [{ topic, partition, offset: from }],
      waitMs,
      bytesMax: limit.bytes,
      signal,
      take: (_, taken) => batch = taken,
    });
    if (!batch) return "gone";
    if (this.wanted !== from) return "none";
    this.#atEnd = batch.next === from;
    if (this.#atEnd) return "none";
    this.#position = batch.next;
    this.#fetched = batch;
    return "new";
  }

  /** Whether nothing can be taken: there are no records, or they have to wait. */
  get isQuiet(): boolean {
    if (!this.#isOpen) return false;
    return this.#pending ? this.#waiting : !this.#fetched && this.#atEnd;
  }

  async #open(): Promise<void> {
    const { cluster, consume, partition, patience } = this.#options;
    const signal = patience;
    this.#producer = await KafkaProducer.open({
      cluster,
      lane: this.#lane,
      transactionalId: `${consume.group}-${partition}`,
      timeoutMs: TRANSACTION_MS,
      signal,
    });
    await this.#restore();
  }

  /** Drops the state, settles the pending transaction, and restores the state, after an error that left a transaction incomplete. */
  async recover(): Promise<void> {
    this.#isOpen = false;
    this.#task = undefined;
    await this.#producer?.renew();
    await this.#restore();
  }

  async #restore(): Promise<void> {
    const { consume, partition } = this.#options;
    const commit = await this.#fetchCommit();
    this.#task = await consume.open(partition, commit);
    this.#metadata = commit?.metadata;
    // Without a commit, the work begins with the first existing record. With
    // one, deleted records were never read: see KafkaFetcher.
    this.#move = this.#task.start;
    this.#position = (this.#move ?? commit)?.offset ??
      await this.#startOffset();
    this.#offset = commit?.offset ?? 0;
    this.#pending = undefined;
    this.#fetched = undefined;
    this.#isHeld = false;
    this.#atEnd = false;
    this.#isOpen = true;
  }

  async #fetchCommit(): Promise<Commit | undefined> {
    const { cluster, consume, partition, patience } = this.#options;
    const signal = patience;
    const { group, topic } = consume;
    const request = offsetFetchRequest(group, topic, [partition], true);
    const commits = await cluster.retry(async () => {
      const node = await cluster.coordinator("group", group);
      return await this.#lane.send(node, request);
    }, { signal });
    return commits.get(partition);
  }

  async #startOffset(): Promise<number> {
    const { cluster, consume, partition, patience } = this.#options;
    const signal = patience;
    const { topic } = consume;
    const request = listOffsetsRequest(topic, [partition], EARLIEST);
    const offsets = await cluster.retry(async () => {
      const node = await cluster.leader({ topic, partition });
      return await this.#lane.send(node, request);
    }, { signal });
    return offsets.get(partition) ?? 0;
  }

  /** Makes one step and commits it as that member of the group. */
  async step(member: Membership): Promise<StepOutcome> {
    if (this.#move) return await this.#makeMove(this.#move, member);
    this.#pending ??= this.#takeFetched();
    const pending = this.#pending;
    if (!pending) return "empty";
    if (!this.#task || !this.#producer) {
      throw new LogError(`partition ${this.partition} is not open`);
    }
    const { consume } = this.#options;
    const { records } = consume.limit;
    const step = await this.#task.step(batchHead(pending, records));
    const moved = step.next !== this.#offset;
    if (moved || step.metadata !== this.#metadata) {
      await consume.prepare?.([step]);
      await this.#commit(this.#producer, member, step);
      this.#offset = step.next;
      this.#metadata = step.metadata;
      this.#task.committed?.(step);
    }
    this.#pending = rest(pending, step.next);
    this.#waiting = !moved && this.#pending !== undefined;
    return this.#waiting ? "waiting" : "moved";
  }

  /** Commits where the task begins instead of at the group's commit. */
  async #makeMove(
    { offset, metadata }: Commit,
    member: Membership,
  ): Promise<StepOutcome> {
    if (!this.#producer) {
      throw new LogError(`partition ${this.partition} is not open`);
    }
    const step = { next: offset, metadata, appends: [] };
    await this.#commit(this.#producer, member, step);
    this.#move = undefined;
    this.#offset = offset;
    this.#metadata = metadata;
    return "moved";
  }

  #takeFetched(): RecordBatch | undefined {
    const { bytes } = this.#options.consume.limit;
    const fetched = this.#fetched;
    this.#fetched = undefined;
    if (fetched) this.#isHeld = fetched.bytes.length < bytes * SMALL_SHARE;
    return fetched;
  }

  async #commit(
    producer: KafkaProducer,
    member: Membership,
    step: Step,
  ): Promise<void> {
    const { cluster, consume, partition, patience } = this.#options;
    const signal = patience;
    const commit = {
      topic: consume.topic,
      partition,
      offset: step.next,
      metadata: step.metadata,
    };
    if (step.appends.some(({ records }) => records.count > 0)) {
      await producer.commit(step.appends, { member, commit });
      return;
    }
    // Nothing to append: the coordinator fences by the group's generation.
    const request = offsetCommitRequest(member, commit);
    await cluster.retry(async () => {
      const node = await cluster.coordinator("group", member.group);
      await cluster.about([commit], this.#sendOnce(node, request));
    }, { signal });
  }

  /** Sends a request that must not be sent twice: the first could arrive after a later commit and undo it. */
  async #sendOnce<T>(node: BrokerNode, request: KafkaRequest<T>): Promise<T> {
    try {
      return await this.#lane.send(node, request);
    } catch (error) {
      if (!(error instanceof KafkaConnectionError)) throw error;
      throw new KafkaUncertainError(error.message, { cause: error });
    }
  }

  /** Aborts a pending transaction, if Kafka answers, so that readers do not wait for its timeout. */
  async abandon(): Promise<void> {
    try {
      await this.#producer?.abort();
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
    }
  }

  /** Ends pending work, above all the opening, which would become the producer and fence the present owner of the partition. */
  close(): void {
    this.#closed.abort();
    this.#lane.close();
    this.#fetchLane.close();
    this.#task?.close?.();
    this.#task = undefined;
  }
}

/** The rest of a batch after a step; undefined if there is none. */
function rest(batch: RecordBatch, next: number): RecordBatch | undefined {
  let taken = 0;
  while (taken < batch.count && batch.offsets[taken] < next) taken++;
  if (taken < batch.count) return batchTail(batch, taken);
  return undefined;
}
