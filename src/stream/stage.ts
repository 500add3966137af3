/**
 * The one loop of all stages: read, judge, take, append, commit. A stage says
 * what its records mean (StageWork); reading on, dead letters, counters, the
 * mark of the last record, the metadata of the commit and the end mark are the
 * loop's. It runs in three ways, by the same code:
 *
 * - appending, live: what the records lead to is appended and committed;
 * - discarding: what they lead to is thrown away and only the state is made
 *   (a restore), or only the counters (a writer that begins again);
 * - comparing: what they lead to is compared with what is there, to find the
 *   position of a commit that was lost (recovery.ts).
 */
import {
  type Append,
  type Commit,
  type PartitionTask,
  type ReadLimit,
  type Step,
} from "../log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  type RecordMark,
  recordMark,
} from "../log/record_batch.ts";
import {
  type GapBound,
  Progress,
  type Refusal,
  type Verdict,
} from "./checks.ts";
import {
  initialCommit,
  type StageCommit,
  stageCommit,
  type StageCounters,
} from "./commit.ts";
import type { StateSink, StateSource } from "../base/state_stream.ts";
import { type ControlRecords, controlRecords } from "./control.ts";
import { DeadLetterBox } from "./dead_letters.ts";
import { markEnd } from "./end_mark.ts";
import { hasTaken, isDone, type StreamContext } from "./stream_context.ts";

/** The fixed properties of a stage. */
export interface Stage {
  /** Its consumer group. */
  readonly group: string;
  /** The topic that it reads. */
  readonly input: string;
  /** The topic that it appends to, dead letters aside; undefined for a writer, which fills a table. */
  readonly output: string | undefined;
  /** How much a step reads. */
  readonly limit: ReadLimit;
  /** Whether it makes dead letters of what it refuses. (The scorer does not: the writer reads the same topic by the same rules, and one letter per record is enough.) */
  readonly writesLetters: boolean;
  /** How many bytes of a record identify it; a pack may have 256 KiB. */
  readonly markedBytes: number;
  /** Whether each step also records its commit in the control topic: where the output does not show what a record has led to, a commit that is lost is found there. */
  readonly recordsCommits?: boolean;
  /** Whether it may leave records without an outcome, and begin late where the first ones are deleted, as the scorer does. */
  readonly isOptional?: boolean;
}

/** What a partition's loop and its work share: everything that a commit holds. */
export interface StageState {
  /** The partition. */
  readonly partition: number;
  /** The progress of event time. */
  readonly progress: Progress;
  /** What has been done; the loop counts. */
  readonly counters: StageCounters;
  /** Records below this offset are in the counters and in the dead letters already. */
  readonly counted: number;
  /** Records that a writer will never get. */
  readonly missing: number;
  /** The last record taken. */
  last: RecordMark | null;
}

/** The state that a commit says, before its replay. */
export function stateOf(
  parameters: GapBound,
  partition: number,
  commit: StageCommit = initialCommit(),
): StageState {
  const { replay, counters, last = null, counted = 0, missing = 0 } = commit;
  return {
    partition,
    progress: new Progress(parameters, replay),
    counters: { ...counters },
    counted,
    missing,
    last,
  };
}

/** What a record led to, for the counters: a record may hold many rows. */
export interface Taken {
  /** Rows that it holds. */
  rows: number;
  /** Rows that are passed on. */
  emitted: number;
  /** Frauds among the latter. */
  frauds: number;
  /** Labels among the rows; undefined where a stage takes none. */
  labels?: number;
}

/** What a stage remembers of the records before its offset, besides its progress. */
export interface StageMemory {
  /** Writes it. */
  save(sink: StateSink): void;
  /** Loads what save() wrote into an empty memory. Throws if it cannot be valid. */
  load(source: StateSource): void;
}

/** A record that a step does not take. */
export interface Hold {
  /** TX_TIME_SECONDS of a record that waits for other partitions; null if the step only ends before it. */
  readonly head: number | null;
}

/**
 * A stage's work on one partition: what its records mean, and its state. What
 * it does may depend on its records alone, in their order, so that a replay
 * makes the same state. docs/EXTENDING.md shows one.
 */
export interface StageWork<Rows = void, Written = unknown> {
  /** What the record that was taken last led to. */
  readonly taken: Taken;
  /** Called before the records of a batch are judged. */
  begin?(batch: RecordBatch): Promise<void>;
  /** Called before a step: for what may have changed outside the log. */
  refresh?(): void | Promise<void>;
  /** Judges a record and remembers what it says; changes nothing else. */
  judge(batch: RecordBatch, index: number): Verdict;
  /** Whether the record just judged, "look", has to stay for another step. */
  look?(): Promise<Hold | undefined>;
  /**
   * Takes the record just judged into the state, and writes what it leads to
   * where there is an output. While comparing, `written` is what it has led to.
   */
  take(offset: number, output: Output | undefined, written?: Written): void;
  /** Ends a step: writes what was collected; returns the rows to store before the commit. */
  finish?(output: Output): Rows | Promise<Rows>;
  /** What the stage adds to its commits. */
  addition?(): Partial<StageCommit>;
  /** What it remembers, for snapshots; absent where a stage has none. */
  readonly memory?: StageMemory;
}

/** A step of a stage. */
export interface StageStep<Rows = unknown> extends Step {
  /** Its partition. */
  readonly partition: number;
  /** The last record before `next`. */
  readonly last: RecordMark | null;
  /** What is to be stored before the step is committed. */
  readonly rows: Rows;
}

/** Collects what a step appends. */
export class Output {
  readonly #topic: string | undefined;
  readonly #source: { readonly topic: string; readonly partition: number };
  readonly #records: (RecordBatchBuilder | undefined)[] = [];
  readonly #beside = new Map<string, RecordBatchBuilder>();
  readonly #letters: DeadLetterBox | undefined;
  #control: ControlRecords | undefined;

  /** Collects for a stage on a partition of its input. */
  constructor(stage: Stage, partition: number) {
    this.#topic = stage.output;
    this.#source = { topic: stage.input, partition };
    this.#letters = stage.writesLetters ? new DeadLetterBox() : undefined;
  }

  /** Where records for a partition of the stage's output go. */
  to(partition: number): RecordBatchBuilder {
    return this.#records[partition] ??= new RecordBatchBuilder();
  }

  /** Where records for another topic go, to the partition of its that the stage reads of its input. */
  beside(topic: string): RecordBatchBuilder {
    const records = this.#beside.get(topic) ?? new RecordBatchBuilder();
    this.#beside.set(topic, records);
    return records;
  }

  /** Where records of the control topic go, for what counts with the step. */
  control(): ControlRecords {
    return this.#control ??= controlRecords();
  }

  /** Makes a dead letter of a record. */
  refuse(batch: RecordBatch, index: number, refusal: Refusal): void {
    const { reason, message } = refusal;
    this.#letters?.add(this.#source, batch, index, reason, message);
  }

  /** Empties it for the next step. */
  clear(): void {
    this.#letters?.clear();
    for (const records of this.#records) records?.clear();
    for (const records of this.#beside.values()) records.clear();
    this.#control = undefined;
  }

  /** What to append. */
  appends(): Append[] {
    const appends: Append[] = [];
    for (const [partition, records] of this.#records.entries()) {
      if (!this.#topic || !records || records.count === 0) continue;
      appends.push({ topic: this.#topic, partition, records });
    }
    const { partition } = this.#source;
    for (const [topic, records] of this.#beside) {
      if (records.count > 0) appends.push({ topic, partition, records });
    }
    const control = this.#control?.appends() ?? [];
    return [...appends, ...control, ...this.#letters?.appends() ?? []];
  }
}

/** Says of each record, while comparing, whether what it leads to is there; see recovery.ts. */
export interface Comparison<Written> {
  /** What the record just judged led to, where one row says it. */
  readonly written: Written | undefined;
  /** What became of the record, or "missing" if it has not been taken. */
  outcome(offset: number, verdict: Verdict): Promise<Verdict | "missing">;
  /** Called when the record is in the state and in the counters. */
  settle(batch: RecordBatch, index: number): void;
}

/** The loop on one partition. */
export class StageTask<Rows = void, Written = unknown>
  implements PartitionTask<StageStep<Rows>> {
  /** See PartitionTask: where the commit does not say so. */
  start: Commit | undefined;
  readonly #stage: Stage;
  readonly #state: StageState;
  readonly #work: StageWork<Rows, Written>;
  readonly #output: Output;
  #head: number | null = null;
  // Offset of the state; undefined while the step that led to it is not committed.
  #offset: number | undefined;
  #keep: ((offset: number) => void) | undefined;

  /** Continues from a state. */
  constructor(
    stage: Stage,
    state: StageState,
    work: StageWork<Rows, Written>,
  ) {
    this.#stage = stage;
    this.#state = state;
    this.#work = work;
    this.#output = new Output(stage, state.partition);
  }

  /** Takes records up to the first that must wait. */
  async step(batch: RecordBatch): Promise<StageStep<Rows>> {
    const state = this.#state;
    const output = this.#output;
    const before = this.#offset;
    this.#offset = undefined;
    output.clear();
    await this.#work.refresh?.();
    const taken = await this.#pass(batch, output);
    if (taken === 0) this.#offset = before;
    const rows = await this.#work.finish?.(output) as Rows;
    const next = taken < batch.count ? batch.offsets[taken] : batch.next;
    if (taken > 0) {
      state.last = recordMark(batch, taken - 1, this.#stage.markedBytes);
    }
    const metadata = this.metadata(next);
    const appends = output.appends();
    if (taken > 0 && this.#stage.recordsCommits) {
      const records = controlRecords();
      const commit = { offset: next, metadata };
      records.putTaken(this.#stage.group, state.partition, commit);
      appends.push(...records.appends());
    }
    return {
      next,
      metadata,
      appends,
      partition: state.partition,
      last: state.last,
      rows,
    };
  }

  /** See PartitionTask. */
  committed({ next }: StageStep<Rows>): void {
    this.#offset = next;
  }

  /** Calls `keep` with the committed offset of the state when the partition is closed. */
  keepAtClose(offset: number, keep: (offset: number) => void): void {
    this.#offset = offset;
    this.#keep = keep;
  }

  /** See PartitionTask. */
  close(): void {
    if (this.#offset !== undefined) this.#keep?.(this.#offset);
  }

  /** Takes records and discards their output; their state and their counts stay. */
  async discard(batches: AsyncIterable<RecordBatch>): Promise<void> {
    for await (const batch of batches) await this.#pass(batch, undefined);
  }

  /** Takes records as long as their output exists. */
  async compare(
    batches: AsyncIterable<RecordBatch>,
    comparison: Comparison<Written>,
  ): Promise<void> {
    for await (const batch of batches) {
      const taken = await this.#pass(batch, undefined, comparison);
      if (taken < batch.count) return;
    }
  }

  /** The metadata of a commit at an offset. */
  metadata(next: number): string {
    const { last, progress, counters, counted, missing } = this.#state;
    return JSON.stringify(stageCommit(next, {
      last,
      progress: progress.seconds,
      head: this.#head,
      replay: progress.checkpoint(next),
      counters,
      ...next < counted ? { counted } : {},
      ...missing > 0 ? { missing } : {},
      ...this.#work.addition?.(),
    }));
  }

  /** Takes the records of a batch up to the first that must wait; returns their number. */
  async #pass(
    batch: RecordBatch,
    output: Output | undefined,
    comparison?: Comparison<Written>,
  ): Promise<number> {
    const work = this.#work;
    const { counters, counted, progress } = this.#state;
    await work.begin?.(batch);
    this.#head = null;
    for (let i = 0; i < batch.count; i++) {
      const offset = batch.offsets[i];
      let verdict: Verdict | "missing" = work.judge(batch, i);
      if (comparison) verdict = await comparison.outcome(offset, verdict);
      if (verdict === "missing") return i;
      if (verdict === "look" && output) {
        const hold = await work.look?.();
        if (hold) {
          this.#head = hold.head;
          return i;
        }
      }
      const isCounted = offset < counted;
      if (typeof verdict === "object") {
        const { because } = verdict;
        if (because !== undefined) progress.bridge(because, offset);
        if (!isCounted) {
          counters.read++;
          counters.deadLettered++;
          output?.refuse(batch, i, verdict);
        }
      } else if (verdict === "duplicate") {
        counters.read++;
        counters.duplicates++;
      } else {
        work.take(offset, output, comparison?.written);
        if (!isCounted) {
          const { taken } = work;
          counters.read += taken.rows;
          counters.emitted += taken.emitted;
          counters.frauds += taken.frauds;
          if (taken.labels) {
            counters.labels = (counters.labels ?? 0) + taken.labels;
          }
        }
      }
      comparison?.settle(batch, i);
    }
    return batch.count;
  }
}

/** How a stage is run. */
export interface StageRun<Rows = unknown> {
  /** The stage. */
  readonly stage: Stage;
  /** Opens a partition at the group's commit. */
  open(
    partition: number,
    commit: Commit | undefined,
  ): Promise<PartitionTask<StageStep<Rows>>>;
  /** Stores what steps lead to, before they are committed. */
  store?(steps: readonly StageStep<Rows>[]): Promise<void>;
  /** See ConsumeOptions. */
  readonly restMs?: number | undefined;
  /** Whether it ends when all existing records are taken, although more may come. */
  readonly onlyPresent?: boolean;
}

/**
 * Runs a stage until its input is complete and taken, and then marks the end of
 * its output; the context's signal ends it earlier. Returns whether it reached
 * the end.
 */
export async function runStage<Rows>(
  context: StreamContext,
  run: StageRun<Rows>,
): Promise<boolean> {
  const { log, signal } = context;
  const { group, input, output, limit } = run.stage;
  let isComplete = false;
  await log.consume<StageStep<Rows>>({
    group,
    topic: input,
    limit,
    restMs: run.restMs,
    signal,
    open: (partition, commit) => run.open(partition, commit),
    prepare: async (steps) => await run.store?.(steps),
    idle: async () => {
      isComplete = run.onlyPresent
        ? await hasTaken(log, group, input)
        : await isDone(context, group, input);
      const hasEnded = isComplete && !run.onlyPresent;
      if (hasEnded && output) await markEnd(context, group, input, output);
      return isComplete;
    },
  });
  return isComplete;
}
