/**
 * The one reader behind all open pages: follows the topics that the page
 * shows into a live state, and the status of the stream. It starts a bounded
 * way back, never writes, and goes on by itself after an outage.
 */
import { rest } from "../../base/clock.ts";
import { FeatureJsonReader } from "../../features/feature_row.ts";
import { readVerdict } from "../../payment/label_json.ts";
import { CELL, PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { type Log, READ_LIMIT } from "../../log/log.ts";
import {
  type RecordBatch,
  valueEnd,
  valueStart,
} from "../../log/record_batch.ts";
import type { Control } from "../../stream/control.ts";
import { readStatus, type StreamStatus } from "../../stream/status.ts";
import {
  CUSTOMER_TOPIC,
  LABEL_TOPIC,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TERMINAL_TOPIC,
} from "../../stream/topics.ts";
import { DatetimeFormatter } from "../../payment/calendar.ts";
import type { LiveState } from "../views/live_state.ts";
import { parsePlace, PredictionReader } from "../views/records.ts";

/** Records of payments, and of predictions, that are read back at the start: no more than the state can bring together. */
const HISTORY_RECORDS = 250_000;
/** How often the reader looks where nothing is new. */
const LOOK_MS = 100;
/** How often the status is read. */
const STATUS_MS = 250;
/** After an error the reader tries again in so long. */
const RETRY_MS = 1000;

/** What the reader follows and where it says what goes wrong. */
export interface LiveReaderOptions {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** The features, whose terminal risk is shown. */
  readonly features: FeatureParameters;
  /** Midnight of the first day for a stream of others. */
  readonly startSeconds: number | undefined;
  /** What it fills. */
  readonly state: LiveState;
  /** Told of an outage, once each. */
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
}

/** A topic that is followed. */
interface Followed {
  readonly topic: string;
  /** Records that are read back at the start. */
  readonly history: number;
  readonly take: (batch: RecordBatch) => void;
  /** Next offset of each partition; undefined before the topic is there. */
  offsets: number[] | undefined;
}

/** Follows the topics of a stream. */
export class LiveReader {
  /** The newest status; undefined before the first. */
  status: StreamStatus | undefined;
  /** Why the state is not up to date, in a sentence; undefined if it is. */
  problem: string | undefined;
  /** Whether the history has been read. */
  caughtUp = false;
  readonly #options: LiveReaderOptions;
  readonly #followed: Followed[];
  readonly #rows: FeatureJsonReader;
  readonly #scores = new PredictionReader();
  readonly #cells: Float64Array;
  readonly #riskCell: number;
  readonly #datetime = new DatetimeFormatter();
  #startSeconds: number | undefined;

  /** Reads nothing yet: call run(). */
  constructor(options: LiveReaderOptions) {
    const { features } = options;
    this.#options = options;
    this.#startSeconds = options.startSeconds;
    this.#rows = new FeatureJsonReader(features);
    this.#cells = new Float64Array(PAYMENT_CELLS + featureCount(features));
    const longest = Math.max(...features.windowDays);
    this.#riskCell = PAYMENT_CELLS +
      featureNames(features).indexOf(`TERMINAL_ID_RISK_${longest}DAY_WINDOW`);
    const follow = (
      topic: string,
      history: number,
      take: (batch: RecordBatch) => void,
    ): Followed => ({ topic, history, take, offsets: undefined });
    this.#followed = [
      follow(
        CUSTOMER_TOPIC,
        Infinity,
        (batch) => this.#places(batch, "customer"),
      ),
      follow(
        TERMINAL_TOPIC,
        Infinity,
        (batch) => this.#places(batch, "terminal"),
      ),
      follow(LABEL_TOPIC, Infinity, (batch) => this.#labels(batch)),
      follow(SINK_TOPIC, HISTORY_RECORDS, (batch) => this.#payments(batch)),
      // After the payments, so that most predictions meet theirs.
      follow(
        PREDICTION_TOPIC,
        HISTORY_RECORDS,
        (batch) => this.#predictions(batch),
      ),
    ];
  }

  /** Follows until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    let statusAt = -Infinity;
    while (!signal.aborted) {
      try {
        const now = performance.now();
        if (now - statusAt >= STATUS_MS) {
          const { log, control } = this.#options;
          this.status = await readStatus(log, control);
          this.#startSeconds = this.status.startSeconds ?? this.#startSeconds;
          statusAt = now;
        }
        const moved = await this.#step();
        this.problem = undefined;
        if (!moved) this.caughtUp = true;
        // Even where much is new, others of this thread get their turn.
        await rest(moved ? 0 : LOOK_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (this.problem === undefined) {
          this.#options.warn("the page cannot read the log", {
            error: message,
          });
        }
        this.problem = message;
        await rest(RETRY_MS, signal);
      }
    }
  }

  /** Reads some of what is new; whether there was anything. */
  async #step(): Promise<boolean> {
    const { log } = this.#options;
    let moved = false;
    for (const followed of this.#followed) {
      const { topic, take } = followed;
      followed.offsets ??= await this.#begin(followed);
      const { offsets } = followed;
      for (const [partition, offset] of offsets?.entries() ?? []) {
        const batch = await log.read(topic, partition, offset, READ_LIMIT);
        if (!offsets || batch.next === offset) continue;
        moved = true;
        take(batch);
        offsets[partition] = batch.next;
      }
    }
    return moved;
  }

  async #begin({ topic, history }: Followed): Promise<number[] | undefined> {
    const [state] = await this.#options.log.topics([topic]);
    if (!state) return undefined;
    const { startOffsets, endOffsets } = state;
    const each = Math.floor(history / endOffsets.length);
    return endOffsets.map((end, partition) =>
      Math.max(startOffsets[partition], end - each)
    );
  }

  #payments(batch: RecordBatch): void {
    const { state } = this.#options;
    const cells = this.#cells;
    const now = Date.now() / 1000;
    for (let i = 0; i < batch.count; i++) {
      const from = valueStart(batch, i);
      const to = valueEnd(batch, i);
      const start = this.#startSeconds;
      // The writer makes dead letters of what cannot be read.
      if (this.#rows.read(batch.bytes, from, to, start, cells, 0)) continue;
      state.addPayment(
        {
          id: cells[CELL.id],
          datetime: this.#datetime.format(cells[CELL.datetime]),
          customer: cells[CELL.customer],
          terminal: cells[CELL.terminal],
          amount: cells[CELL.amount],
          time: cells[CELL.time],
          fraud: cells[CELL.fraud],
          scenario: cells[CELL.scenario],
        },
        cells[this.#riskCell],
        now,
      );
    }
  }

  #predictions(batch: RecordBatch): void {
    const now = Date.now() / 1000;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const prediction = this.#scores.read(batch.bytes, from, to);
      if (prediction) this.#options.state.addPrediction(prediction, now);
    }
  }

  #labels(batch: RecordBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const verdict = readVerdict(batch.bytes, from, to);
      if (verdict) this.#options.state.addVerdict(verdict);
    }
  }

  #places(batch: RecordBatch, kind: "customer" | "terminal"): void {
    const name = kind === "customer" ? "CUSTOMER" : "TERMINAL";
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const place = parsePlace(name, batch.bytes, from, to);
      if (place) {
        this.#options.state.addProfile(kind, place.id, place.x, place.y);
      }
    }
  }
}
