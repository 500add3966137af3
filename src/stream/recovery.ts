/**
 * The position of a stage whose commit is missing (Kafka drops those of an idle
 * group, tools reset or delete them). A stage's output is a function of its
 * input, and a step writes and commits at once. So the loop reads the input
 * from the first record, compares what it would write with the existing output,
 * and continues at the first record whose outcome is missing.
 */
import { LogError } from "../base/error.ts";
import { type Commit, type Log, READ_LIMIT, readRange } from "../log/log.ts";
import {
  emptyBatch,
  type RecordBatch,
  type RecordMark,
  recordMark,
} from "../log/record_batch.ts";
import type { Refusal, Verdict } from "./checks.ts";
import type { StageCounters } from "./commit.ts";
import { readDeadLetters } from "./dead_letters.ts";
import type {
  Comparison,
  Stage,
  StageState,
  StageTask,
  StageWork,
} from "./stage.ts";
import type { StreamContext } from "./stream_context.ts";
import { DEAD_LETTER_TOPIC } from "./topics.ts";

/** A row that a stage has written. */
export interface WrittenRow {
  /** TRANSACTION_ID. */
  readonly id: number | string;
}

/** A row that a record leads to. */
export interface OutputRow {
  /** TRANSACTION_ID. */
  readonly id: number | string;
  /** Partition of the output that it goes to. */
  readonly partition: number;
}

/** What is read again to restore a stage's state, if not its own input. */
export interface Replay {
  /** The topic. */
  readonly topic: string;
  /** Offset of the first record. */
  readonly from: number;
  /** Offset behind the last one. */
  readonly to: number;
  /** Makes the state of these records. */
  readonly work: StageWork<unknown>;
  /** Called with the number of their rows that it has taken. */
  readonly done: (rows: number) => void;
}

/** The work of a stage whose position can be recovered from what it has written. */
export interface RecoverableWork<Written extends WrittenRow = WrittenRow>
  extends StageWork<void, Written> {
  /** The partitions of the output that it writes to. */
  readonly outputs: readonly number[];
  /** The rows that the record just judged leads to. */
  rows(): readonly OutputRow[];
  /** A reader of one partition of the output: it gives this stage's rows of each batch. */
  reader(): (batch: RecordBatch) => readonly Written[];
  /** Whether the outcome of the record just judged could exist without being recognizable. */
  isUncertain?(): boolean;
  /** What makes its state, if that is not its own input from the commit's replay on; undefined where there is none to make. */
  replay?(): Promise<Replay | undefined>;
}

/** A position that is lost. */
export interface LostPosition {
  /** What every stage works with. */
  readonly context: StreamContext;
  /** The stage. */
  readonly stage: Stage;
  /** Offset of the first record of its input that it takes. */
  readonly first: number;
  /** The group's commit that is not the stage's own: another program has set it, or it is damaged. */
  readonly ignored: Commit | undefined;
}

/** A stage's partition in memory: nothing of its input has been taken. */
export interface EmptyStage<Written extends WrittenRow> {
  /** What its commits hold. */
  readonly state: StageState;
  /** What its records mean. */
  readonly work: RecoverableWork<Written>;
  /** The loop. */
  readonly task: StageTask<void, Written>;
}

/**
 * Runs the loop over the input as long as its outcome exists, and returns the
 * commit of the place reached; undefined if the stage has not begun and the log
 * agrees. Throws LogError if what is written does not fit the input, or some of
 * it is deleted.
 */
export async function recover<Written extends WrittenRow>(
  lost: LostPosition,
  { state, work, task }: EmptyStage<Written>,
): Promise<Commit | undefined> {
  const { context: { log }, stage: { input }, first, ignored } = lost;
  const { partition } = state;
  const letters = await lettersOf(lost, partition);
  const written = new WrittenOutcome(lost, { state, work }, letters);
  await work.begin?.(emptyBatch(first));
  const hasWritten = await written.isLeft();
  const end = await requireStart(lost, partition, hasWritten);
  if (!hasWritten && first === 0 && !ignored) return undefined;
  if (hasWritten) {
    await task.compare(readRange(log, input, partition, first, end), written);
  }
  const { last, counters } = written.settled;
  const offset = last ? last.offset + 1 : first;
  if (await written.isLeft()) throw misfit(lost, partition, offset);
  Object.assign(state.counters, counters);
  state.last = last;
  report(lost, partition, offset);
  return { offset, metadata: task.metadata(offset) };
}

/** Offsets of the dead letters that a stage has made of a partition. Throws LogError unless all that it has written can be read. */
async function lettersOf(
  lost: LostPosition,
  partition: number,
): Promise<Set<number>> {
  const { context: { log, signal }, stage } = lost;
  const written = [
    ...stage.output ? [stage.output] : [],
    ...stage.writesLetters ? [DEAD_LETTER_TOPIC] : [],
  ];
  for (const name of written) await allReadable(log, name, signal);
  for (const { name, startOffsets } of await log.topics(written)) {
    if (startOffsets.every((offset) => offset === 0)) continue;
    throw refused(lost, partition, `the beginning of ${name} has been deleted`);
  }
  const letters = new Set<number>();
  if (!stage.writesLetters) return letters;
  for await (const letter of readDeadLetters(log)) {
    const isOwn = letter.topic === stage.input &&
      letter.partition === partition;
    if (isOwn) letters.add(letter.offset);
  }
  return letters;
}

/** The end of the input. Throws LogError if its first records are deleted and the stage needs them. */
async function requireStart(
  lost: LostPosition,
  partition: number,
  hasWritten: boolean,
): Promise<number> {
  const { context: { log }, stage: { input, isOptional }, first } = lost;
  const [state] = await log.topics([input]);
  const start = state?.startOffsets[partition] ?? 0;
  const end = state?.endOffsets[partition] ?? 0;
  if (start <= first) return end;
  if (hasWritten) {
    const deleted = `the records from offset ${first} to ${start} have been ` +
      `deleted`;
    throw refused(lost, partition, deleted);
  }
  if (isOptional) return end;
  throw new LogError(
    `the records of ${input} partition ${partition} from offset ${first} to ` +
      `${start} were deleted before the processor read them: set the topic's ` +
      `retention.ms to -1, and start with the rest by ` +
      `--accept-missing-start, or publish them again to a new stream`,
  );
}

/** Represents the reason in the dead letter of a record that would now be accepted. */
const LETTERED: Refusal = { reason: "implausible", message: "" };

/** Tracks what a stage has written, and how far the loop's records account for it. */
class WrittenOutcome<Written extends WrittenRow>
  implements Comparison<Written> {
  /** See Comparison. */
  written: Written | undefined;
  /** The last record whose outcome exists, and the counters at it. */
  settled: {
    readonly last: RecordMark | null;
    readonly counters: StageCounters;
  };
  readonly #lost: LostPosition;
  readonly #state: StageState;
  readonly #work: RecoverableWork<Written>;
  readonly #letters: Set<number>;
  readonly #rows = new Map<number, WrittenRows<Written>>();
  #isThere = false;

  constructor(
    lost: LostPosition,
    { state, work }: Omit<EmptyStage<Written>, "task">,
    letters: Set<number>,
  ) {
    const { context: { log }, stage: { output } } = lost;
    this.#lost = lost;
    this.#state = state;
    this.#work = work;
    this.#letters = letters;
    this.settled = { last: null, counters: { ...state.counters } };
    for (const partition of work.outputs) {
      if (output === undefined) break;
      const rows = work.reader();
      this.#rows.set(partition, new WrittenRows(log, output, partition, rows));
    }
  }

  /** Whether some of the output has not been accounted for yet. */
  async isLeft(): Promise<boolean> {
    for (const rows of this.#rows.values()) {
      if (await rows.head() !== undefined) return true;
    }
    return this.#letters.size > 0;
  }

  /** See Comparison. */
  async outcome(
    offset: number,
    verdict: Verdict,
  ): Promise<Verdict | "missing"> {
    this.written = undefined;
    this.#isThere = this.#letters.delete(offset);
    const isRefused = typeof verdict === "object";
    if (this.#isThere) return isRefused ? verdict : LETTERED;
    if (verdict === "duplicate") return verdict;
    // A stage that is optional leaves records without an outcome, but not the last.
    const mayPass = !!this.#lost.stage.isOptional && await this.isLeft();
    if (isRefused) return mayPass ? verdict : "missing";
    for (const [n, { id, partition }] of this.#work.rows().entries()) {
      const rows = this.#rows.get(partition);
      const head = await rows?.head();
      if (!rows || head?.id !== id) {
        // A step takes whole records.
        if (n > 0 || this.#work.isUncertain?.()) {
          throw misfit(this.#lost, this.#state.partition, offset);
        }
        return mayPass ? verdict : "missing";
      }
      rows.advance();
      this.written = head;
    }
    this.#isThere = true;
    return verdict;
  }

  /** See Comparison. */
  settle(batch: RecordBatch, index: number): void {
    if (!this.#isThere) return;
    const last = recordMark(batch, index, this.#lost.stage.markedBytes);
    this.settled = { last, counters: { ...this.#state.counters } };
  }
}

/** Rows that a stage has written to one partition of an output, in order. */
class WrittenRows<Row> {
  readonly #blocks: AsyncIterator<readonly Row[]>;
  #block: readonly Row[] = [];
  #at = 0;

  /** Reads the partition up to its end; `rows` gives those of the stage in a batch. */
  constructor(
    log: Log,
    topic: string,
    partition: number,
    rows: (batch: RecordBatch) => readonly Row[],
  ) {
    this.#blocks = async function* () {
      const end = (await log.endOffsets(topic))?.[partition] ?? 0;
      const batches = readRange(log, topic, partition, 0, end);
      for await (const batch of batches) yield rows(batch);
    }();
  }

  /** The first row that has not been taken; undefined after the last. */
  async head(): Promise<Row | undefined> {
    while (this.#at === this.#block.length) {
      const { value, done } = await this.#blocks.next();
      if (done) return undefined;
      this.#block = value;
      this.#at = 0;
    }
    return this.#block[this.#at];
  }

  /** Takes the head. */
  advance(): void {
    this.#at++;
  }
}

/** The error if the output from an input offset on is not what the stage makes of it. */
function misfit(
  lost: LostPosition,
  partition: number,
  offset: number,
): LogError {
  const { group, input } = lost.stage;
  return refused(
    lost,
    partition,
    `what ${group} has written from offset ${offset} on does not follow ` +
      `from the present records of ${input}`,
  );
}

function refused(
  { stage: { group, input } }: LostPosition,
  partition: number,
  why: string,
): LogError {
  return new LogError(
    `${group} has lost its position in ${input} partition ${partition}, and ` +
      `it cannot be recovered: ${why}. Start a new stream (another --data ` +
      `folder, on Kafka another --topic-prefix)`,
  );
}

/** Reports that a stage continues at an offset that its commit did not give. */
function report(
  { context: { logger }, stage: { group, input }, ignored }: LostPosition,
  partition: number,
  offset: number,
): void {
  logger.warn(
    ignored
      ? "another program has set the stage's offset; it is ignored, since the " +
        "stage's state is a function of what it has written"
      : "the stage's commit was missing",
    {
      group,
      topic: input,
      partition,
      ...ignored ? { ignoredOffset: ignored.offset } : {},
      offset,
      then: "continuing where its output ends",
    },
  );
}

/** Resolves when everything can be read that is in a topic now: the pending transactions have ended. */
export async function allReadable(
  log: Log,
  topic: string,
  signal: AbortSignal,
): Promise<void> {
  const ends = await log.endOffsets(topic) ?? [];
  for (const [partition, end] of ends.entries()) {
    if (end === 0) continue;
    for (;;) {
      signal.throwIfAborted();
      const batch = await log.read(topic, partition, end - 1, READ_LIMIT);
      if (batch.next >= end) break;
      await log.changed(WAIT_MS, signal);
    }
  }
}

const WAIT_MS = 50;
