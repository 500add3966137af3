/**
 * The log: topics of partitions of records, consumer groups, and one deep
 * operation, the atomic step: the output of a batch of input is appended and
 * the input's offset committed, all or nothing. Exactly-once processing depends
 * on it. embedded.ts keeps a log in a folder.
 */
import { LogError } from "../base/error.ts";
import { UNSTOPPED } from "../base/unless_stopped.ts";
import {
  batchBelow,
  type RecordBatch,
  type RecordBatchBuilder,
  type RecordMark,
  recordMark,
} from "./record_batch.ts";

/** Gets reports of an outage, a rebalance, a refused commit. */
export type LogReport = (
  level: "info" | "warning",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** What a topic is to be. */
export interface TopicSpec {
  /** Its name. */
  readonly name: string;
  /** Number of partitions, at least 1. */
  readonly partitions: number;
  /** Whether only the newest record of each key is kept. */
  readonly compacted: boolean;
}

/** A topic as it stands. */
export interface TopicState extends TopicSpec {
  /** An id that distinguishes it from another topic that has or had the same name, where the log knows one. */
  readonly id?: string | undefined;
  /** Offset of the first record of each partition that still exists. */
  readonly startOffsets: readonly number[];
  /** Offset behind the last record of each partition. */
  readonly endOffsets: readonly number[];
  /** Other settings of the log for it, by name: retention.ms, replicas. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Settings that would lose or refuse records, in sentences. */
  readonly problems?: readonly string[];
}

/** The position of a consumer group in a partition. */
export interface Commit {
  /** Offset of the next record to take. */
  readonly offset: number;
  /** What the group stored with the offset, in the same atomic step. */
  readonly metadata: string;
}

/** Records for the end of one partition. */
export interface Append {
  /** Topic name. */
  readonly topic: string;
  /** Partition number. */
  readonly partition: number;
  /** The records; at least one. */
  readonly records: RecordBatchBuilder;
  /**
   * Headers of all these records, for other programs' consumers. A log that
   * only this program reads keeps none.
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The output of a batch of input: appended and committed together or not at all. */
export interface Step {
  /** Offset of the next record to take: the batch's `next` if all was taken, its first if nothing was. */
  readonly next: number;
  /** To be stored with the offset. */
  readonly metadata: string;
  /** Records to append; they must stay untouched until the step is committed. */
  readonly appends: readonly Append[];
}

/** The work on one partition while this consumer owns it. */
export interface PartitionTask<S extends Step = Step> {
  /**
   * Where to begin, if not at the group's commit: further back to take records
   * again, further ahead to skip some. The group is moved there first.
   */
  readonly start?: Commit | undefined;
  /**
   * Takes records in order, some, all or none of them; the batch may be empty
   * where only its `next` is to be committed. An error ends the consumer: its state is then newer than the commit and must be dropped.
   */
  step(batch: RecordBatch): S | Promise<S>;
  /** Called when the step is committed. */
  committed?(step: S): void;
  /** Called once when this consumer is done with the partition, if no error has ended it, and nothing afterwards. */
  close?(): void;
}

/** How much is read at once; at least one stored batch is. */
export interface ReadLimit {
  /** About how many records. */
  readonly records: number;
  /** About how many bytes of keys and values. */
  readonly bytes: number;
}

/** A limit for reading through a topic. */
export const READ_LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };

/** A place in the log. */
export interface LogPlace {
  /** Topic name. */
  readonly topic: string;
  /** Partition number. */
  readonly partition: number;
  /** Offset of the next record. */
  readonly offset: number;
}

/** How a group's work on a topic is run. */
export interface ConsumeOptions<S extends Step = Step> {
  /** Consumer group. */
  readonly group: string;
  /** Topic to read. */
  readonly topic: string;
  /** How much one step gets. */
  readonly limit: ReadLimit;
  /** How long it rests after a step that got little, milliseconds: records that come one by one are then taken together. A log whose steps are large by themselves ignores it. */
  readonly restMs?: number | undefined;
  /** Stops the work after the current step. */
  readonly signal: AbortSignal;
  /** Opens a partition at the group's commit, restoring its state first. */
  open(
    partition: number,
    commit: Commit | undefined,
  ): Promise<PartitionTask<S>>;
  /**
   * Called with steps of different partitions that are about to be committed
   * together: data that must be stored elsewhere first is stored now.
   */
  prepare?(steps: readonly S[]): Promise<void>;
  /** Called when no partition could make a step; true ends the work. */
  idle(): Promise<boolean>;
}

/** Consecutive records of an append that are at consecutive offsets. */
export interface OffsetRun {
  /** Offset of the first; undefined where the log says only that they are there, as Kafka may after a lost answer. */
  readonly first: number | undefined;
  /** How many they are. */
  readonly count: number;
}

/** The offset of a record of an append, by its place in it; undefined where the log does not say it. */
export function offsetIn(
  runs: readonly OffsetRun[],
  index: number,
): number | undefined {
  let left = index;
  for (const { first, count } of runs) {
    if (left < count) return first === undefined ? undefined : first + left;
    left -= count;
  }
  return undefined;
}

/** Appends records: as the only writer of an id (producer()) or as one of many (appender()). */
export interface LogProducer {
  /**
   * Appends all or nothing, an appender of Kafka partition by partition;
   * resolves with the offsets of each append's records. An appender may be
   * called again before; then the order of the two is open. Throws LogError, with
   * isFenced when a newer producer of its id has fenced it.
   */
  append(
    appends: readonly Append[],
  ): Promise<readonly (readonly OffsetRun[])[]>;
}

/** Syncs a log that other connections write to. */
export interface LogSync extends AsyncDisposable {
  /** How often it has synced, and how long that took in all. */
  readonly syncs: { readonly count: number; readonly milliseconds: number };
  /** See Log. */
  sync(): Promise<void>;
}

/** Topics, offsets, atomic steps. */
export interface Log extends AsyncDisposable {
  /** Creates missing topics; throws as checkTopics() does if one exists with other settings. */
  createTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** Throws ConfigError if one of the topics exists with other settings. */
  checkTopics(specs: readonly TopicSpec[]): Promise<void>;
  /**
   * Throws ConfigError if a topic has another number of partitions than the
   * stream was created with. Asks the log, ignoring anything cached; `isPatient`
   * waits for a log that does not answer.
   */
  checkPartitions(
    specs: readonly TopicSpec[],
    isPatient?: boolean,
  ): Promise<void>;
  /** The named topics that exist. */
  topics(names: readonly string[]): Promise<TopicState[]>;
  /** End offsets of a topic's partitions; undefined if there is no such topic. */
  endOffsets(topic: string): Promise<number[] | undefined>;
  /** Records from `offset` on, about as many as the limit allows; at the end none, with `next` equal to `offset`. */
  read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch>;
  /** The same at several places, in their order; a batch may have no records and only a greater `next`. */
  readAll(
    places: readonly LogPlace[],
    limit: ReadLimit,
  ): Promise<RecordBatch[]>;
  /**
   * Follows a partition from a place on, until the signal: batches as read()
   * gives them, the next one as soon as there is one. Before it waits for
   * records, it gives a batch without any and with `next` where it waits.
   */
  tail(place: LogPlace, signal: AbortSignal): AsyncGenerator<RecordBatch>;
  /** A group's commits on a topic, one per partition; none if there is no such topic. */
  committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]>;
  /** How many processes work for a group by consume(); 0 where locks guarantee that there is at most one. */
  members(group: string): Promise<number>;
  /** Whether processes work for a group by consume() and have shared the partitions out; true where locks take the place of members. */
  isAttended(group: string): Promise<boolean>;
  /** Removes the records below an offset; reading from a lower offset begins at the first remaining record. */
  trim(topic: string, partition: number, before: number): Promise<void>;
  /** Becomes the only writer of that id; a while after the signal it stops waiting for a server that does not answer. */
  producer(id: string, signal?: AbortSignal): Promise<LogProducer>;
  /**
   * Appends beside other processes, which it does not fence; it leaves nothing
   * open when the process dies. An append that fails may be there in part, and
   * where the log has forgotten the appender while an answer was lost, records
   * may be there twice: readers drop repeated payments.
   */
  appender(signal?: AbortSignal): Promise<LogProducer>;
  /** Works on a topic for a group until stopped or done. */
  consume<S extends Step>(options: ConsumeOptions<S>): Promise<void>;
  /** Resolves once everything that anyone has appended or committed before the call survives a power cut. */
  sync(): Promise<void>;
  /** A number to give to changed(): another one once something new was appended to one of some topics (or anything appended or committed), where the log knows that. */
  news(topics?: readonly string[]): number;
  /**
   * Resolves when any process may have appended or committed something, or after
   * about `timeoutMs`: since news() of these topics was `seen`, otherwise since
   * any task of this connection has last waited. A task that asks news() before
   * it reads misses nothing.
   */
  changed(
    timeoutMs: number,
    signal: AbortSignal,
    seen?: { readonly news: number; readonly topics?: readonly string[] },
  ): Promise<void>;
}

/**
 * The first offset of a partition whose record's time is at or after
 * `timestampMs`, its end if there is none. Found by bisection, so it is as
 * inexact as the order of the records. (Kafka's own search takes the ends of
 * transactions for records, which carry the time of the clock.)
 */
export async function offsetAt(
  log: Log,
  topic: string,
  partition: number,
  timestampMs: number,
): Promise<number> {
  const [state] = await log.topics([topic]);
  let from = state?.startOffsets[partition] ?? 0;
  let to = state?.endOffsets[partition] ?? 0;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const limit = { records: 1, bytes: 1 };
    const batch = await log.read(topic, partition, middle, limit);
    const found = batch.timestamps.findIndex((time) => time >= timestampMs);
    if (found > 0) return batch.offsets[found];
    if (found === 0 || batch.next === middle) to = middle;
    else from = batch.next;
  }
  return from;
}

/**
 * Throws LogError unless a partition still has everything from an offset on:
 * before a state is restored from it.
 */
export async function requireKept(
  log: Log,
  topic: string,
  partition: number,
  offset: number,
): Promise<void> {
  const [state] = await log.topics([topic]);
  const start = state?.startOffsets[partition] ?? 0;
  if (start <= offset) return;
  throw new LogError(
    `the records of ${topic} partition ${partition} from offset ${offset} to ` +
      `${start} are needed to restore the windows and were deleted; check ` +
      `the topic's retention, and start a new stream`,
  );
}

/** Whether a partition holds the record of a mark that was made of its first `markedBytes` bytes. */
export async function holdsRecord(
  log: Log,
  topic: string,
  partition: number,
  mark: RecordMark,
  markedBytes?: number,
): Promise<boolean> {
  const limit = { records: 1, bytes: 1 };
  const batch = await log.read(topic, partition, mark.offset, limit);
  return batch.count > 0 && batch.offsets[0] === mark.offset &&
    recordMark(batch, 0, markedBytes).check === mark.check;
}

/** What readAll() gives, read one after the other: for a log in which that costs nothing. */
export async function readEach(
  log: Pick<Log, "read">,
  places: readonly LogPlace[],
  limit: ReadLimit,
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for (const { topic, partition, offset } of places) {
    batches.push(await log.read(topic, partition, offset, limit));
  }
  return batches;
}

/** How long tailByNews() waits before it looks again, in milliseconds. */
const TAIL_MS = 1000;

/** What tail() gives, for a log that announces its records. */
export async function* tailByNews(
  log: Pick<Log, "read" | "news" | "changed">,
  { topic, partition, offset }: LogPlace,
  signal: AbortSignal,
): AsyncGenerator<RecordBatch> {
  const topics = [topic];
  let at = offset;
  while (!signal.aborted) {
    const news = log.news(topics);
    const batch = await log.read(topic, partition, at, READ_LIMIT);
    const isAtEnd = batch.next === at;
    at = batch.next;
    yield batch;
    if (isAtEnd) await log.changed(TAIL_MS, signal, { news, topics });
  }
}

/** How long a reader waits between two looks at records that cannot be read yet, in milliseconds. */
const LOOK_MS = 50;

/**
 * Reads the records of a partition with offsets from `from` to below `to`, or
 * its end, batch by batch. Kafka counts records behind an open transaction, but
 * gives them to readers only once that has ended, so it waits for its end.
 */
export async function* readRange(
  log: Pick<Log, "read" | "endOffsets" | "changed">,
  topic: string,
  partition: number,
  from: number,
  to: number,
): AsyncGenerator<RecordBatch> {
  let offset = from;
  while (offset < to) {
    const batch = await log.read(topic, partition, offset, READ_LIMIT);
    if (batch.next === offset) {
      const end = (await log.endOffsets(topic))?.[partition] ?? 0;
      if (end <= offset) return;
      await log.changed(LOOK_MS, UNSTOPPED);
      continue;
    }
    offset = batch.next;
    yield batchBelow(batch, to);
  }
}
