/**
 * Measures the models: joins the predictions of a day with its labels once they
 * are known, and stores the metrics. Where labels arrive later than payments, a
 * day stays open for a while after that: labels that change it replace its
 * metrics. What stands in the end is a function of the log, and a restart
 * writes the same values again.
 */
import { monitorDay } from "../learning/judge/monitoring.ts";
import {
  type LabelledPayments,
  transactionIds,
} from "../learning/data/payments.ts";
import type { TrainingWindow } from "../learning/data/training_window.ts";
import { offsetAt, READ_LIMIT } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { type PredictionStore } from "../store/predictions.ts";
import { type ModelMetric } from "../store/tables.ts";
import { emptyPredictions, PREDICTION_CELL } from "../payment/prediction.ts";
import { DAY_SECONDS, type TransactionId } from "../payment/payment.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import { TextHeap } from "../payment/text_heap.ts";
import {
  featuresOf,
  isComplete,
  type StreamContext,
} from "../stream/stream_context.ts";
import { parseScoringCommit, takenOffset } from "../stream/commit.ts";
import { isPlausible } from "../stream/checks.ts";
import { labelDays } from "../stream/control.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  PREDICTION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
} from "../stream/topics.ts";

/** Days before a day that its distributions are compared with. */
const PAST_DAYS = 7;

/** Days that are read ahead of the one that is measured next. */
const AHEAD_DAYS = 7;

/** Time between two looks at the open days, in milliseconds: labels come in numbers, and each may change a day. */
const AGAIN_MS = 5000;

/** Measured, but shown only in the store. */
const DETAIL = /^psi:|^payments$/;

/** How models are measured. */
export interface ModelMonitorOptions {
  /** The log, and where results are logged. */
  readonly context: StreamContext;
  /** Where the metrics go. */
  readonly store: PredictionStore;
  /** The labelled payments; the trainer fills it. */
  readonly window: TrainingWindow;
  /** The first day that is measured. */
  readonly firstDay: number;
  /** Where labels arrive later: for how many days after its labels are known a day is measured again if some change. */
  readonly openDays: number;
}

/** Predictions of one day, CELLS each. */
interface PredictedDay {
  readonly cells: number[];
  /** Where ids are text. */
  readonly texts: TextHeap;
}

const CELLS = 4;
/** Place of each cell; a version is its index. */
const SCORED = { id: 0, score: 1, alert: 2, version: 3 } as const;

/** Measures day after day. */
export class ModelMonitor {
  readonly #options: ModelMonitorOptions;
  readonly #shape: PaymentShape;
  readonly #labelDays: number;
  readonly #reader: PredictionJsonReader;
  readonly #row = emptyPredictions(1);
  readonly #days = new Map<number, PredictedDay>();
  readonly #versions: string[] = [];
  #offsets: number[] | undefined;
  readonly #progress: number[];
  /** The first day that has not been measured. */
  #next: number;
  /** The first day whose metrics may still change. */
  #open: number;
  /** Of each open day that has been measured, up to which time its labels were used, as TX_TIME_SECONDS. */
  readonly #measured = new Map<number, number>();
  /** When open days are looked at again, by the clock. */
  #againMs = 0;

  /** Begins with the first day. */
  constructor(options: ModelMonitorOptions) {
    const { context: { parameters }, firstDay } = options;
    this.#options = options;
    this.#next = firstDay;
    this.#open = firstDay;
    this.#shape = shapeOfStream(parameters);
    this.#labelDays = labelDays(parameters);
    this.#reader = new PredictionJsonReader(this.#shape);
    this.#progress = Array(parameters.partitions).fill(0);
  }

  /** The first day whose metrics may still change. */
  get openDay(): number {
    return this.#open;
  }

  /** The first day whose payments are still needed. */
  get needsFrom(): number {
    return this.#open - PAST_DAYS;
  }

  get #isText(): boolean {
    return this.#shape.transactionId === "text";
  }

  /** Reads new predictions, not far ahead of the next day; returns whether there were any. */
  async read(): Promise<boolean> {
    const { context: { log, control } } = this.#options;
    if (!control.isScored) await control.refresh();
    if (!control.isScored) return false;
    const start = await control.startSeconds(undefined);
    const offsets = this.#offsets ??= await this.#beginnings(start);
    const far = (this.#next + this.#labelDays + AHEAD_DAYS) * DAY_SECONDS;
    let moved = false;
    for (let partition = 0; partition < offsets.length; partition++) {
      if (this.#progress[partition] >= far) continue;
      const batch = await log.read(
        PREDICTION_TOPIC,
        partition,
        offsets[partition],
        READ_LIMIT,
      );
      if (batch.next === offsets[partition]) continue;
      this.#take(batch, partition);
      offsets[partition] = batch.next;
      moved = true;
    }
    return moved;
  }

  async #beginnings(start: number | undefined): Promise<number[]> {
    const { context: { log, parameters } } = this.#options;
    const { delayDays } = featuresOf(this.#options.context);
    const day = this.#next - PAST_DAYS - delayDays - 1;
    const timeMs = ((start ?? 0) + day * DAY_SECONDS) * 1000;
    const partitions = [...Array(parameters.partitions).keys()];
    return await Promise.all(
      partitions.map((p) =>
        day < 0 || start === undefined
          ? 0
          : offsetAt(log, PREDICTION_TOPIC, p, timeMs)
      ),
    );
  }

  #take(batch: RecordBatch, partition: number): void {
    const { parameters } = this.#options.context;
    const row = this.#row;
    const first = this.#options.firstDay * DAY_SECONDS;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      if (this.#reader.read(batch.bytes, from, to, row, 0)) continue;
      const { cells } = row;
      const time = cells[PREDICTION_CELL.time];
      const progress = this.#progress[partition];
      const reached = Math.max(first, progress);
      if (!isPlausible(time, reached, parameters)) continue;
      if (time > progress) this.#progress[partition] = time;
      const day = Math.floor(time / DAY_SECONDS);
      if (day < this.needsFrom) continue;
      const score = cells[PREDICTION_CELL.score];
      if (Number.isNaN(score)) continue; // decided by rules alone
      const predicted = this.#days.get(day) ??
        { cells: [], texts: new TextHeap() };
      this.#days.set(day, predicted);
      const id = cells[PREDICTION_CELL.id];
      predicted.cells.push(
        this.#isText ? predicted.texts.copy(id, row.texts) : id,
        score,
        cells[PREDICTION_CELL.alert],
        this.#indexOf(row.versions[0]),
      );
    }
  }

  #indexOf(version: string): number {
    const known = this.#versions.indexOf(version);
    return known >= 0 ? known : this.#versions.push(version) - 1;
  }

  /**
   * Measures the days whose labels are known when all payments before
   * `reachedSeconds`, and all labels that could be learned from by then, have
   * been read (Infinity at the end of the stream); returns whether nothing more
   * can come. Call read() again if not.
   */
  async measure(
    reachedSeconds: number,
    start: number | undefined,
  ): Promise<boolean> {
    if (start === undefined) return false;
    const ended = reachedSeconds === Infinity && await this.#isComplete();
    // At the end the newest days stay without labels, as in live operation.
    const newest = Math.max(-1, ...this.#days.keys());
    const reached = ended
      ? (newest + 1) * DAY_SECONDS
      : Math.min(reachedSeconds, await this.#predictedSeconds());
    const before = this.#next;
    const { signal } = this.#options.context;
    while (this.#knownSeconds(this.#next) <= reached) {
      if (signal.aborted) return false;
      await this.#measureUpTo(this.#next, reached, start);
      this.#next++;
      this.#close(reached);
    }
    await this.#measureAgain(reached, ended, start);
    return ended && this.#next === before && !signal.aborted;
  }

  /** When the labels of a day are known, as TX_TIME_SECONDS. */
  #knownSeconds(day: number): number {
    return (day + 1 + this.#labelDays) * DAY_SECONDS;
  }

  /** The time from which on no label changes the metrics of a day, as TX_TIME_SECONDS. */
  #finalSeconds(day: number): number {
    const openDays = this.#shape.hasLabels ? this.#options.openDays : 0;
    return this.#knownSeconds(day) + openDays * DAY_SECONDS;
  }

  async #measureUpTo(
    day: number,
    reached: number,
    start: number,
  ): Promise<void> {
    const asOf = Math.min(reached, this.#finalSeconds(day));
    await this.#measureDay(day, { startSeconds: start, asOf });
    this.#measured.set(day, asOf);
  }

  /** Lets days go whose metrics can no longer change. */
  #close(reached: number): void {
    for (; this.#open < this.#next; this.#open++) {
      const final = this.#finalSeconds(this.#open);
      if (reached < final || this.#isChanged(this.#open, reached)) break;
      this.#measured.delete(this.#open);
    }
    for (const day of this.#days.keys()) {
      if (day < this.needsFrom) this.#days.delete(day);
    }
  }

  /** Whether a day that has been measured has labels that were not known then. */
  #isChanged(day: number, reached: number): boolean {
    const { window } = this.#options;
    const until = Math.min(reached, this.#finalSeconds(day));
    const measured = this.#measured.get(day) ?? until;
    // Memory may have been too small for all of its payments.
    const isKept = Math.max(0, day - PAST_DAYS) >= window.firstDay;
    return isKept && window.hasNewLabel(day, measured, until);
  }

  /** Measures the open days that labels have changed, now and then and when their time is over. */
  async #measureAgain(
    reached: number,
    ended: boolean,
    start: number,
  ): Promise<void> {
    if (!this.#shape.hasLabels) return;
    const { signal } = this.#options.context;
    const isDue = ended || performance.now() >= this.#againMs;
    if (isDue) this.#againMs = performance.now() + AGAIN_MS;
    for (let day = this.#open; day < this.#next; day++) {
      if (signal.aborted) return;
      if (!isDue && reached < this.#finalSeconds(day)) break;
      if (!this.#isChanged(day, reached)) continue;
      await this.#measureUpTo(day, reached, start);
    }
    this.#close(reached);
  }

  async #isComplete(): Promise<boolean> {
    const { context } = this.#options;
    if (!await isComplete(context, PREDICTION_TOPIC)) return false;
    const ends = await context.log.endOffsets(PREDICTION_TOPIC) ?? [];
    return ends.every((end, p) => (this.#offsets?.[p] ?? 0) >= end);
  }

  /** All predictions about payments before this time have been read. */
  async #predictedSeconds(): Promise<number> {
    const { context: { log } } = this.#options;
    const sink = await log.endOffsets(SINK_TOPIC) ?? [];
    const commits = await log.committed(SCORER_GROUP, SINK_TOPIC);
    const ends = await log.endOffsets(PREDICTION_TOPIC) ?? [];
    const newest = (Math.max(-1, ...this.#days.keys()) + 1) * DAY_SECONDS;
    const reached = this.#progress.map((progress, p) => {
      // How far the scorer has come and how far its output was read.
      const readAll = (this.#offsets?.[p] ?? 0) >= ends[p];
      const isIdle = takenOffset(commits[p]) >= sink[p];
      if (!readAll) return progress;
      return isIdle ? newest : parseScoringCommit(commits[p]).progress;
    });
    return Math.min(...reached);
  }

  async #measureDay(
    day: number,
    known: { readonly startSeconds: number; readonly asOf: number },
  ): Promise<void> {
    const { window, store, context: { logger, signal } } = this.#options;
    const predicted = this.#days.get(day);
    if (!predicted) return;
    const { cells } = predicted;
    const payments = window.payments(day, day + 1, known);
    const past = window.payments(day - PAST_DAYS, day, known);
    const rowOf = rowsById(payments);
    const versions = new Set<number>();
    for (let at = 0; at < cells.length; at += CELLS) {
      versions.add(cells[at + SCORED.version]);
    }
    for (const index of versions) {
      const scored = this.#joined(predicted, index, rowOf);
      if (scored.rows.length === 0) continue;
      const version = this.#versions[index];
      const metrics = monitorDay({ payments, ...scored }, {
        payments: past,
        scores: this.#scoresBefore(day, index),
      });
      const rows: ModelMetric[] = [...metrics].map(([metric, value]) => {
        return { day, version, metric, value };
      });
      await store.writeMetrics(rows, signal);
      const shown = [...metrics].filter(([metric, value]) =>
        !DETAIL.test(metric) && !Number.isNaN(value)
      );
      logger.info("model measured", {
        day,
        version,
        ...Object.fromEntries(shown.map(([metric, value]) => {
          return [metric, Number(value.toPrecision(4))];
        })),
      });
    }
  }

  /** The predictions of one version about payments that are known, in the order of the rows. */
  #joined(
    { cells, texts }: PredictedDay,
    version: number,
    rowOf: ReadonlyMap<TransactionId, number>,
  ) {
    const found = new Map<number, number>();
    for (let at = 0; at < cells.length; at += CELLS) {
      const id = cells[at + SCORED.id];
      const row = rowOf.get(this.#isText ? texts.text(id) ?? "" : id);
      const isOfVersion = cells[at + SCORED.version] === version;
      if (row !== undefined && isOfVersion) found.set(row, at);
    }
    const rows = Int32Array.from(found.keys()).sort();
    const cellOf = (row: number, cell: number) =>
      cells[(found.get(row) ?? 0) + cell];
    return {
      rows,
      scores: Float64Array.from(rows, (row) => cellOf(row, SCORED.score)),
      alerts: Uint8Array.from(rows, (row) => cellOf(row, SCORED.alert)),
    };
  }

  #scoresBefore(day: number, version: number): Float64Array {
    const scores: number[] = [];
    for (let past = day - PAST_DAYS; past < day; past++) {
      const cells = this.#days.get(past)?.cells ?? [];
      for (let at = 0; at < cells.length; at += CELLS) {
        const isOfVersion = cells[at + SCORED.version] === version;
        if (isOfVersion) scores.push(cells[at + SCORED.score]);
      }
    }
    return Float64Array.from(scores);
  }
}

function rowsById(payments: LabelledPayments): Map<TransactionId, number> {
  const rows = new Map<TransactionId, number>();
  const idOf = transactionIds(payments);
  for (let row = 0; row < payments.rows; row++) rows.set(idOf(row), row);
  return rows;
}
