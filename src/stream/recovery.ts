/**
 * Where a stage goes on in a partition. Its commit says so. Where there is none
 * that it has made itself (Kafka drops those of an idle group, tools reset or
 * delete them), the stage looks at what it has written: all that it does is a
 * function of its input, and a step writes and commits at once. So the stage
 * replays its input from the first record, compares what it would write with
 * what is there, and goes on at the first record whose outcome is missing.
 */
import { LogError } from "../base/error.ts";
import { type Commit, type Log, READ_LIMIT, readRange } from "../log/log.ts";
import {
  type RecordBatch,
  type RecordMark,
  recordMark,
} from "../log/record_batch.ts";
import type { Logger } from "../base/logger.ts";
import type { Control } from "./control.ts";
import { readDeadLetters } from "./dead_letters.ts";
import {
  initialCommit,
  readCommit,
  type StageCommit,
  type StageCounters,
} from "./stage_commit.ts";
import { DEAD_LETTER_TOPIC, PIPELINE } from "./topics.ts";

/** A partition of a stage's input. */
export interface StagePlace {
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
export interface StageStart {
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
export async function stageStart(
  place: StagePlace,
  commit: Commit | undefined,
  first = 0,
): Promise<StageStart> {
  const read = readCommit(commit);
  if (!commit || !read) {
    const initial = initialCommit(first);
    return { isKnown: false, offset: first, commit: initial, ignored: commit };
  }
  await requireSameTopic(place, commit.offset, read.last ?? null);
  const { offset } = commit;
  return { isKnown: true, offset, commit: read, ignored: undefined };
}

/** So much of a record tells it from others: a pack may have 256 KiB. */
const MARKED_BYTES = 1024;

/** The mark that a stage commits of the last record before an offset. */
export function stageMark(batch: RecordBatch, index: number): RecordMark {
  return recordMark(batch, index, MARKED_BYTES);
}

/** Throws LogError if the record before a stage's offset is not the one that it has read. */
async function requireSameTopic(
  { log, group, topic, partition }: StagePlace,
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
        `has lost records; begin a new stream (another --data folder, on ` +
        `Kafka another --topic-prefix)`,
    );
  if (offset > end) {
    throw remade(`it ends at offset ${end}, and ${offset} were read`);
  }
  if (!last || last.offset < start) return; // deleted since
  const limit = { records: 1, bytes: 1 };
  const batch = await log.read(topic, partition, last.offset, limit);
  const isSame = batch.count > 0 && batch.offsets[0] === last.offset &&
    stageMark(batch, 0).check === last.check;
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

/**
 * Tells rows that a stage can have written from what others have put among
 * them: as every reader of the topic does, by the gap that is plausible.
 */
export class GapCheck {
  readonly #maxGapSeconds: number;
  #progress = 0;

  /** Begins at the start of the stream. */
  constructor(maxGapSeconds: number) {
    this.#maxGapSeconds = maxGapSeconds;
  }

  /** Whether a row with that TX_TIME_SECONDS may follow those before it. */
  passes(timeSeconds: number): boolean {
    if (timeSeconds > this.#progress + this.#maxGapSeconds) return false;
    this.#progress = Math.max(this.#progress, timeSeconds);
    return true;
  }
}

/** Rows that a stage has written to one partition of an output, in order. */
export class WrittenRows<Row> {
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

/** What is there of the outcome of a record. */
export type Outcome =
  /** All of it. */
  | "written"
  /** Nothing, and there is nothing to be. */
  | "silent"
  /** Nothing: the stage has not taken the record. */
  | "missing";

/** How a position is recovered. */
export interface RecoveryOptions extends StagePlace {
  /** Where the stage begins. */
  readonly start: StageStart;
  /** The topics that the stage writes to, dead letters aside. */
  readonly outputs: readonly string[];
  /** Whether the stage makes dead letters of records that it cannot take. */
  readonly writesLetters: boolean;
  /** Whether a stage that has written nothing begins with what is left where the beginning of its input was deleted. */
  readonly mayBeginLater: boolean;
  /** Ends the waiting for transactions that are under way. */
  readonly signal: AbortSignal;
}

/** A position that was recovered. */
export interface Recovered {
  /** Offset to go on from; undefined where the stage has not begun and the log says so as well. */
  readonly offset: number | undefined;
  /** The last record before it. */
  readonly last: RecordMark | null;
  /** Records looked at. */
  readonly records: number;
}

/** The search for a position. */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #start: number;
  readonly #end: number;
  /** Offsets of the stage's dead letters that have not been met yet. */
  readonly letters: Set<number>;

  private constructor(
    options: RecoveryOptions,
    input: { readonly start: number; readonly end: number },
    letters: Set<number>,
  ) {
    this.#options = options;
    this.#start = input.start;
    this.#end = input.end;
    this.letters = letters;
  }

  /** Reads the dead letters. Throws LogError if some of what the stage has written is deleted. */
  static async open(options: RecoveryOptions): Promise<Recovery> {
    const { log, topic, partition, outputs, writesLetters, signal } = options;
    const written = [...outputs, ...writesLetters ? [DEAD_LETTER_TOPIC] : []];
    for (const name of written) await allReadable(log, name, signal);
    const states = await log.topics([topic, ...written]);
    for (const { name, startOffsets } of states) {
      if (!written.includes(name)) continue;
      if (startOffsets.every((offset) => offset === 0)) continue;
      throw refused(options, `the beginning of ${name} has been deleted`);
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
   * Goes through the input as long as its outcome is there. `take` gives each
   * record to the stage and counts it; the counters are in the end those of the
   * position. Throws LogError if what is written does not fit the input.
   */
  async run(
    written: readonly WrittenRows<unknown>[],
    counters: StageCounters,
    take: (batch: RecordBatch, index: number) => Promise<Outcome>,
  ): Promise<Recovered> {
    const { log, topic, partition, start } = this.#options;
    const isLeft = async () => {
      for (const rows of written) {
        if (await rows.head() !== undefined) return true;
      }
      return this.letters.size > 0;
    };
    const first = start.offset;
    const hasWritten = await isLeft();
    this.#checkStart(hasWritten);
    if (!hasWritten) {
      const isPlain = first === 0 && !start.ignored;
      return { offset: isPlain ? undefined : first, last: null, records: 0 };
    }
    let found: { offset: number; last: RecordMark | null; records: number } = {
      offset: first,
      last: null,
      records: 0,
    };
    let settled = { ...counters };
    let records = 0;
    const batches = readRange(log, topic, partition, first, this.#end);
    search: for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const outcome = await take(batch, i);
        if (outcome === "missing") break search;
        records++;
        if (outcome === "silent") continue;
        settled = { ...counters };
        const last = stageMark(batch, i);
        found = { offset: last.offset + 1, last, records };
      }
    }
    if (await isLeft()) throw this.misfit(found.offset);
    Object.assign(counters, settled);
    return found;
  }

  /** The error where what is written from an offset of the input on is not what the stage makes of it. */
  misfit(offset: number): LogError {
    const { group, topic } = this.#options;
    return refused(
      this.#options,
      `what ${group} has written does not follow from ${topic} as it is now, ` +
        `from offset ${offset} on`,
    );
  }

  #checkStart(isWritten: boolean): void {
    const { topic, partition, start, mayBeginLater } = this.#options;
    const first = start.offset;
    if (this.#start <= first) return;
    if (isWritten) {
      throw refused(
        this.#options,
        `the records from offset ${first} to ${this.#start} have been deleted`,
      );
    }
    if (mayBeginLater) return;
    throw new LogError(
      `the records of ${topic} partition ${partition} from offset ${first} ` +
        `to ${this.#start} were deleted before anyone had read them: set the ` +
        `topic's retention.ms to -1, and begin with what is left by ` +
        `--accept-missing-start, or publish them again to a new stream`,
    );
  }
}

/** Tells that a stage goes on at an offset that its commit did not say. */
export function tellRecovered(
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
      then: "going on where its output ends",
    },
  );
}

function refused(
  { group, topic, partition }: StagePlace,
  why: string,
): LogError {
  return new LogError(
    `${group} has lost its position in ${topic} partition ${partition}, and ` +
      `it cannot be recovered: ${why}. Begin a new stream (another --data ` +
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
