/**
 * Measures the models: joins the predictions of a day with its labels once they
 * are known, and stores the metrics. The metrics are a function of the log, and
 * a restart writes the same values again.
 */
import { monitorDay } from "../learning/judge/monitoring.ts";
import type { LabelledPayments } from "../learning/data/payments.ts";
import type { TrainingWindow } from "../learning/data/training_window.ts";
import { offsetAt, READ_LIMIT } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { type PredictionStore } from "../store/predictions.ts";
import { type ModelMetric } from "../store/tables.ts";
import { emptyPredictions, PREDICTION_CELL } from "../payment/prediction.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import {
  featuresOf,
  isComplete,
  type StreamContext,
} from "../stream/stream_context.ts";
import { parseScoringCommit, takenOffset } from "../stream/commit.ts";
import { isPlausible } from "../stream/checks.ts";
import {
  PREDICTION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
} from "../stream/topics.ts";

/** Days before a day that its distributions are compared with. */
const PAST_DAYS = 7;

/** Days that are read ahead of the one that is measured next. */
const AHEAD_DAYS = 7;

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
}

/** Predictions of one day, CELLS each. */
interface PredictedDay {
  readonly cells: number[];
}

const CELLS = 4;
/** Place of each cell; a version is its index. */
const SCORED = { id: 0, score: 1, alert: 2, version: 3 } as const;

/** Measures day after day. */
export class ModelMonitor {
  readonly #options: ModelMonitorOptions;
  readonly #reader = new PredictionJsonReader();
  readonly #row = emptyPredictions(1);
  readonly #days = new Map<number, PredictedDay>();
  readonly #versions: string[] = [];
  #offsets: number[] | undefined;
  readonly #progress: number[];
  #next: number;

  /** Begins with the first day. */
  constructor(options: ModelMonitorOptions) {
    this.#options = options;
    this.#next = options.firstDay;
    const { partitions } = options.context.parameters;
    this.#progress = Array(partitions).fill(0);
  }

  /** The first day whose payments are still needed. */
  get needsFrom(): number {
    return this.#next - PAST_DAYS;
  }

  get #delayDays(): number {
    return featuresOf(this.#options.context).delayDays;
  }

  /** Reads new predictions, not far ahead of the next day; returns whether there were any. */
  async read(): Promise<boolean> {
    const { context: { log, control } } = this.#options;
    if (!control.isScored) await control.refresh();
    if (!control.isScored) return false;
    const start = await control.startSeconds(undefined);
    const offsets = this.#offsets ??= await this.#beginnings(start);
    const far = (this.#next + this.#delayDays + AHEAD_DAYS) * DAY_SECONDS;
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
    const day = this.#next - PAST_DAYS - this.#delayDays - 1;
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
      if (day < this.#next - PAST_DAYS) continue;
      const predicted = this.#days.get(day) ?? { cells: [] };
      this.#days.set(day, predicted);
      predicted.cells.push(
        cells[PREDICTION_CELL.id],
        cells[PREDICTION_CELL.score],
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
   * `reachedSeconds` have been read (Infinity at the end of the stream);
   * returns whether nothing more can come. Call read() again if not.
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
    while ((this.#next + 1 + this.#delayDays) * DAY_SECONDS <= reached) {
      if (this.#options.context.signal.aborted) return false;
      await this.#measureDay(this.#next, start);
      this.#next++;
      for (const day of this.#days.keys()) {
        if (day < this.#next - PAST_DAYS) this.#days.delete(day);
      }
    }
    return ended && this.#next === before;
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

  async #measureDay(day: number, start: number): Promise<void> {
    const { window, store, context: { logger, signal } } = this.#options;
    const cells = this.#days.get(day)?.cells;
    if (!cells) return;
    const payments = window.payments(day, day + 1, start);
    const past = window.payments(day - PAST_DAYS, day, start);
    const rowOf = rowsById(payments);
    const versions = new Set<number>();
    for (let at = 0; at < cells.length; at += CELLS) {
      versions.add(cells[at + SCORED.version]);
    }
    for (const index of versions) {
      const scored = this.#joined(cells, index, rowOf);
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
      const shown = [...metrics].filter(([metric]) => !DETAIL.test(metric));
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
    cells: readonly number[],
    version: number,
    rowOf: ReadonlyMap<number, number>,
  ) {
    const found = new Map<number, number>();
    for (let at = 0; at < cells.length; at += CELLS) {
      const row = rowOf.get(cells[at + SCORED.id]);
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

function rowsById(payments: LabelledPayments): Map<number, number> {
  const rows = new Map<number, number>();
  for (let row = 0; row < payments.rows; row++) {
    rows.set(payments.transactionId[row], row);
  }
  return rows;
}
