/**
 * Where a stage goes on in a partition, and the state that it has there. Its
 * commit says so, and a replay makes the state. Where there is no commit that
 * it has made itself (Kafka drops those of an idle group, tools reset or delete
 * them), the stage looks at what it has written: all that it does is a function
 * of its input, and a step writes and commits at once. So the loop goes through
 * its input from the first record, compares what it would write with what is
 * there, and goes on at the first record whose outcome is missing.
 */
import { LogError } from "../base/error.ts";
import {
  type Commit,
  type Log,
  READ_LIMIT,
  readRange,
  requireKept,
} from "../log/log.ts";
import {
  emptyBatch,
  type RecordBatch,
  type RecordMark,
  recordMark,
} from "../log/record_batch.ts";
import type { Logger } from "../base/logger.ts";
import type { Refusal, Verdict } from "./checks.ts";
import {
  initialCommit,
  readCommit,
  type StageCommit,
  type StageCounters,
} from "./commit.ts";
import type { Control } from "./control.ts";
import { readDeadLetters } from "./dead_letters.ts";
import {
  type Comparison,
  type Stage,
  type StageState,
  StageTask,
  type StageWork,
  stateOf,
} from "./stage.ts";
import type { StreamContext } from "./stream_context.ts";
import { DEAD_LETTER_TOPIC, PIPELINE } from "./topics.ts";

/** A row that a stage has written. */
export interface WrittenRow {
  /** TRANSACTION_ID. */
  readonly id: number;
}

/** A row that a record leads to. */
export interface OutputRow {
  /** TRANSACTION_ID. */
  readonly id: number;
  /** Partition of the output that it goes to. */
  readonly partition: number;
}

/** What is read again to make a stage's state, where that is not its own input. */
export interface Replay {
  /** The topic. */
  readonly topic: string;
  /** Offset of the first record. */
  readonly from: number;
  /** Offset behind the last one. */
  readonly to: number;
  /** Makes the state of these records. */
  readonly work: StageWork<unknown>;
  /** Told how many rows of theirs it has taken. */
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
  /** Whether the outcome of the record just judged could be there without being known as its own. */
  isUncertain?(): boolean;
  /** What makes its state, if that is not its own input from the commit's replay on; undefined where there is none to make. */
  replay?(): Promise<Replay | undefined>;
}

/** How a stage's partition is opened. */
export interface OpenOptions<Written extends WrittenRow> {
  /** What every stage works with. */
  readonly context: StreamContext;
  /** The stage. */
  readonly stage: Stage;
  /** The partition. */
  readonly partition: number;
  /** The group's commit. */
  readonly commit: Commit | undefined;
  /** Makes the stage's work, without its state yet. */
  readonly work: (
    state: StageState,
    commit: StageCommit,
  ) => RecoverableWork<Written>;
}

/** Opens a partition of a stage where its commit says, or what it has written; its state is that of this place. */
export async function openStage<Written extends WrittenRow>(
  options: OpenOptions<Written>,
): Promise<StageTask<void, Written>> {
  const { context, stage, partition, commit } = options;
  const { log, control, logger, parameters } = context;
  const { group, input, output } = stage;
  await control.agreeTopics(output ? [input, output] : [input]);
  const place = { log, group, topic: input, partition };
  const first = control.acceptedStart(input, partition);
  const start = await stageStart(place, stage, commit, first);
  const state = stateOf(parameters, partition, start.commit);
  const work = options.work(state, start.commit);
  const task = new StageTask(stage, state, work);
  const began = performance.now();
  if (!start.isKnown) {
    const recovery = await Recovery.open({ context, stage, place, start });
    task.start = await recovery.run(task, state, work);
    if (task.start) {
      tellRecovered(logger, place, start, task.start.offset);
      context.recovered?.(group, state.counters.emitted);
    }
    return task;
  }
  const rows = await restore({
    context,
    place,
    start,
    stage,
    state,
    work,
    task,
  });
  logger.info("partition restored", {
    group,
    partition,
    fromOffset: start.commit.replay.offset,
    offset: start.offset,
    progress: start.commit.progress,
    rows,
    milliseconds: Math.round(performance.now() - began),
  });
  return task;
}

/**
 * Makes the state of a commit: the loop again over what led to it, with what it
 * writes thrown away. Gives the number of rows. A state that was saved would be
 * taken here, and the replay begin where it ends.
 */
async function restore<Written extends WrittenRow>(
  { context, place, start, stage, state, work, task }: {
    readonly context: StreamContext;
    readonly place: StagePlace;
    readonly start: StageStart;
    readonly stage: Stage;
    readonly state: StageState;
    readonly work: RecoverableWork<Written>;
    readonly task: StageTask<void, Written>;
  },
): Promise<number> {
  const { log, topic, partition } = place;
  const { counters } = state;
  if (work.replay) {
    const replay = await work.replay();
    if (!replay) return 0;
    const again = stateOf(context.parameters, partition);
    await new StageTask({ ...stage, input: replay.topic }, again, replay.work)
      .discard(
        readRange(log, replay.topic, partition, replay.from, replay.to),
      );
    replay.done(again.counters.emitted);
    return again.counters.emitted;
  }
  const from = start.commit.replay.offset;
  await requireKept(log, topic, partition, from);
  await task.discard(readRange(log, topic, partition, from, start.offset));
  const rows = counters.read - start.commit.counters.read;
  Object.assign(counters, start.commit.counters);
  return rows;
}

/** A partition of a stage's input. */
interface StagePlace {
  /** The log. */
  readonly log: Log;
  /** The stage's group. */
  readonly group: string;
  /** The stage's input. */
  readonly topic: string;
  /** Partition of the input. */
  readonly partition: number;
}

/** Where a stage begins. */
interface StageStart {
  /** Whether the stage's own commit says so; otherwise the position is to be recovered. */
  readonly isKnown: boolean;
  /** Offset to go on from; where it is not known, that of the first record. */
  readonly offset: number;
  /** The commit, or the initial state. */
  readonly commit: StageCommit;
  /** The group's commit that is not the stage's own: another program has set it, or it is damaged. */
  readonly ignored: Commit | undefined;
}

/**
 * Where a stage begins, given the group's commit and the offset of the
 * partition's first record. Throws LogError if the input is not the topic that
 * the stage has read.
 */
async function stageStart(
  place: StagePlace,
  stage: Stage,
  commit: Commit | undefined,
  first: number,
): Promise<StageStart> {
  const read = readCommit(commit);
  if (!commit || !read) {
    const initial = initialCommit(first);
    return { isKnown: false, offset: first, commit: initial, ignored: commit };
  }
  await requireSameTopic(place, stage, commit.offset, read.last ?? null);
  const { offset } = commit;
  return { isKnown: true, offset, commit: read, ignored: undefined };
}

/** Throws LogError if the record before a stage's offset is not the one that it has read. */
async function requireSameTopic(
  { log, group, topic, partition }: StagePlace,
  { markedBytes }: Stage,
  offset: number,
  last: RecordMark | null,
): Promise<void> {
  const [state] = await log.topics([topic]);
  const end = state?.endOffsets[partition] ?? 0;
  const start = state?.startOffsets[partition] ?? 0;
  const remade = (what: string) =>
    new LogError(
      `${topic} partition ${partition} is not the one that ${group} has ` +
        `read: ${what}. The topic was deleted and created again, or its log ` +
        `has lost records; start a new stream (another --data folder, on ` +
        `Kafka another --topic-prefix)`,
    );
  if (offset > end) {
    throw remade(`it ends at offset ${end}, and ${offset} were read`);
  }
  if (!last || last.offset < start) return; // deleted since
  const limit = { records: 1, bytes: 1 };
  const batch = await log.read(topic, partition, last.offset, limit);
  const isSame = batch.count > 0 && batch.offsets[0] === last.offset &&
    recordMark(batch, 0, markedBytes).check === last.check;
  if (!isSame) throw remade(`another record is at offset ${last.offset}`);
}

/**
 * Accepts that records were deleted which the processor has not taken: where
 * its stages have not begun, they will begin with what is left.
 */
export async function acceptMissingStart(
  log: Log,
  control: Control,
): Promise<void> {
  await control.refresh();
  const starts: Record<string, readonly number[]> = {};
  for (const { group, topic } of PIPELINE.slice(0, 2)) {
    const [state] = await log.topics([topic]);
    if (!state) continue;
    const commits = await log.committed(group, topic);
    starts[topic] = state.startOffsets.map((start, partition) => {
      const hasBegun = readCommit(commits[partition]) !== undefined;
      return hasBegun ? control.acceptedStart(topic, partition) : start;
    });
  }
  if (Object.values(starts).flat().every((offset) => offset === 0)) return;
  await control.acceptStarts(starts);
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

  /** The first row that has not been taken; undefined behind the last. */
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

/** Stands for what a dead letter says of a record that would be taken now. */
const LETTERED: Refusal = { reason: "implausible", message: "" };

/** How a position is recovered. */
interface RecoveryOptions {
  readonly context: StreamContext;
  readonly stage: Stage;
  readonly place: StagePlace;
  readonly start: StageStart;
}

/** The search for a position. */
class Recovery {
  readonly #options: RecoveryOptions;
  readonly #start: number;
  readonly #end: number;
  /** Offsets of the stage's dead letters that have not been met yet. */
  readonly #letters: Set<number>;

  private constructor(
    options: RecoveryOptions,
    input: { readonly start: number; readonly end: number },
    letters: Set<number>,
  ) {
    this.#options = options;
    this.#start = input.start;
    this.#end = input.end;
    this.#letters = letters;
  }

  /** Reads the dead letters. Throws LogError if some of what the stage has written is deleted. */
  static async open(options: RecoveryOptions): Promise<Recovery> {
    const { context, stage, place } = options;
    const { log, topic, partition } = place;
    const { output, writesLetters } = stage;
    const written = [
      ...output ? [output] : [],
      ...writesLetters ? [DEAD_LETTER_TOPIC] : [],
    ];
    for (const name of written) await allReadable(log, name, context.signal);
    const states = await log.topics([topic, ...written]);
    for (const { name, startOffsets } of states) {
      if (!written.includes(name)) continue;
      if (startOffsets.every((offset) => offset === 0)) continue;
      throw refused(place, `the beginning of ${name} has been deleted`);
    }
    const input = states.find(({ name }) => name === topic);
    const start = input?.startOffsets[partition] ?? 0;
    const end = input?.endOffsets[partition] ?? 0;
    const letters = new Set<number>();
    if (!writesLetters) return new Recovery(options, { start, end }, letters);
    for await (const letter of readDeadLetters(log)) {
      const isOwn = letter.topic === topic && letter.partition === partition;
      if (isOwn) letters.add(letter.offset);
    }
    return new Recovery(options, { start, end }, letters);
  }

  /**
   * Lets the loop go through the input as long as its outcome is there, and
   * gives the commit of the place that it comes to; undefined where the stage
   * has not begun and the log says so as well. Throws LogError if what is
   * written does not fit the input.
   */
  async run<Written extends WrittenRow>(
    task: StageTask<void, Written>,
    state: StageState,
    work: RecoverableWork<Written>,
  ): Promise<Commit | undefined> {
    const { stage, place, start } = this.#options;
    const { log, topic, partition } = place;
    const first = start.offset;
    const written = new WrittenOutcome({
      stage,
      place,
      state,
      work,
      letters: this.#letters,
    });
    await work.begin?.(emptyBatch(first));
    const hasWritten = await written.isLeft();
    this.#checkStart(hasWritten);
    if (!hasWritten) {
      const isPlain = first === 0 && !start.ignored;
      if (isPlain) return undefined;
      return { offset: first, metadata: task.metadata(first) };
    }
    await task.compare(
      readRange(log, topic, partition, first, this.#end),
      written,
    );
    const { settled } = written;
    const offset = settled.last ? settled.last.offset + 1 : first;
    if (await written.isLeft()) throw misfit(place, offset);
    Object.assign(state.counters, settled.counters);
    state.last = settled.last;
    return { offset, metadata: task.metadata(offset) };
  }

  #checkStart(isWritten: boolean): void {
    const { place, start, stage } = this.#options;
    const { topic, partition } = place;
    const first = start.offset;
    if (this.#start <= first) return;
    if (isWritten) {
      throw refused(
        place,
        `the records from offset ${first} to ${this.#start} have been deleted`,
      );
    }
    if (stage.isOptional) return;
    throw new LogError(
      `the records of ${topic} partition ${partition} from offset ${first} ` +
        `to ${this.#start} were deleted before anyone had read them: set the ` +
        `topic's retention.ms to -1, and begin with what is left by ` +
        `--accept-missing-start, or publish them again to a new stream`,
    );
  }
}

/** Knows what a stage has written, and how far the loop's records have led to it. */
class WrittenOutcome<Written extends WrittenRow>
  implements Comparison<Written> {
  /** See Comparison. */
  written: Written | undefined;
  /** The last record whose outcome was there, and the counters with it. */
  settled: {
    readonly last: RecordMark | null;
    readonly counters: StageCounters;
  };
  readonly #stage: Stage;
  readonly #place: StagePlace;
  readonly #state: StageState;
  readonly #work: RecoverableWork<Written>;
  readonly #letters: Set<number>;
  readonly #rows = new Map<number, WrittenRows<Written>>();
  #isThere = false;

  constructor({ stage, place, state, work, letters }: {
    readonly stage: Stage;
    readonly place: StagePlace;
    readonly state: StageState;
    readonly work: RecoverableWork<Written>;
    readonly letters: Set<number>;
  }) {
    this.#stage = stage;
    this.#place = place;
    this.#state = state;
    this.#work = work;
    this.#letters = letters;
    this.settled = { last: null, counters: { ...state.counters } };
    for (const partition of stage.output ? work.outputs : []) {
      const { log } = place;
      const rows = work.reader();
      const topic = stage.output ?? "";
      this.#rows.set(partition, new WrittenRows(log, topic, partition, rows));
    }
  }

  /** Whether something of what was written has not been met yet. */
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
    const mayPass = !!this.#stage.isOptional && await this.isLeft();
    if (isRefused) return mayPass ? verdict : "missing";
    for (const [n, { id, partition }] of this.#work.rows().entries()) {
      const rows = this.#rows.get(partition);
      const head = await rows?.head();
      if (!rows || head?.id !== id) {
        // A step takes whole records.
        if (n > 0 || this.#work.isUncertain?.()) {
          throw misfit(this.#place, offset);
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
    const last = recordMark(batch, index, this.#stage.markedBytes);
    this.settled = { last, counters: { ...this.#state.counters } };
  }
}

/** The error where what is written from an offset of the input on is not what the stage makes of it. */
function misfit(place: StagePlace, offset: number): LogError {
  const { group, topic } = place;
  return refused(
    place,
    `what ${group} has written does not follow from ${topic} as it is now, ` +
      `from offset ${offset} on`,
  );
}

/** Tells that a stage goes on at an offset that its commit did not say. */
function tellRecovered(
  logger: Logger,
  { group, topic, partition }: Omit<StagePlace, "log">,
  { ignored }: StageStart,
  offset: number,
): void {
  logger.warn(
    ignored
      ? "another program has set the stage's offset; it is ignored, since the " +
        "stage's state is a function of what it has written"
      : "the stage's commit was missing",
    {
      group,
      topic,
      partition,
      ...ignored ? { ignoredOffset: ignored.offset } : {},
      offset,
      then: "continuing where its output ends",
    },
  );
}

function refused(
  { group, topic, partition }: StagePlace,
  why: string,
): LogError {
  return new LogError(
    `${group} has lost its position in ${topic} partition ${partition}, and ` +
      `it cannot be recovered: ${why}. Start a new stream (another --data ` +
      `folder, on Kafka another --topic-prefix)`,
  );
}

/** Resolves when everything can be read that is in a topic now: the transactions that are under way have ended. */
async function allReadable(
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
