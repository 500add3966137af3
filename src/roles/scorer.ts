/**
 * The scorer: from the sink topic to the prediction topic, exactly once, a
 * partition's predictions in the same partition and order. The model may
 * change between two batches; every prediction carries its version.
 */
import { SipHash, SIPHASH_KEY_BYTES } from "../base/siphash.ts";
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import type { TransactionId } from "../payment/payment.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { AlertJudge } from "../scoring/alert_policy.ts";
import { CellScorer } from "../scoring/cell_scorer.ts";
import {
  type RecordBatch,
  type RecordBatchBuilder,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { emptyPredictions, PREDICTION_CELL } from "../payment/prediction.ts";
import type { ModelInUse } from "../scoring/open_model.ts";
import {
  type ModelSource,
  openModelSource,
  type Stretch,
} from "../scoring/model_source.ts";
import {
  PredictionJsonReader,
  PredictionJsonWriter,
} from "../payment/prediction_json.ts";
import { implausible, Progress, type Verdict } from "../stream/checks.ts";
import {
  type JudgedDay,
  type ScoringCommit,
  scoringCommit,
  type ScoringCounters,
  type StageCommit,
} from "../stream/commit.ts";
import { type RecoverableWork, type Replay } from "../stream/recovery.ts";
import { openStage } from "../stream/opening.ts";
import {
  type Hold,
  type Output,
  runStage,
  type Stage,
  type StageRun,
  type StageState,
  type StageWork,
} from "../stream/stage.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import { featuresOf, type StreamContext } from "../stream/stream_context.ts";
import {
  PREDICTION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
} from "../stream/topics.ts";
import { type ScoringSettings } from "./role.ts";

const STAGE: Stage = {
  group: SCORER_GROUP,
  input: SINK_TOPIC,
  output: PREDICTION_TOPIC,
  limit: { records: 4096, bytes: 4 << 20 },
  writesLetters: false,
  markedBytes: 1024,
  // A scorer that joins later begins with the payments that are kept.
  isOptional: true,
};

/** How the scorer is run. */
export interface ScorerOptions {
  /** Model, policy, explanations. */
  readonly scoring: ScoringSettings;
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
}

/** How often the control topic is read for a new threshold. */
const THRESHOLD_LOOK_MS = 500;

/** Scores until the sink topic is complete and scored, or the context's signal. */
export async function runScorer(
  context: StreamContext,
  options: ScorerOptions,
): Promise<void> {
  await context.control.declareScored();
  await runStage(context, await scorerStage(context, options));
}

/** The scorer of a stream, with its model open. */
export async function scorerStage(
  context: StreamContext,
  options: ScorerOptions,
): Promise<StageRun<void>> {
  const { model } = options.scoring;
  const features = featuresOf(context);
  const models = await openModelSource(model, features, context.logger);
  return {
    stage: STAGE,
    open: (partition, commit) =>
      openStage({
        context,
        stage: STAGE,
        partition,
        commit,
        work: (state, commit) =>
          new ScorerWork(context, options, models, state, commit),
      }),
  };
}

/** What the scorer needs of a prediction that it has written. */
interface WrittenPrediction {
  /** Its offset. */
  readonly offset: number;
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  readonly score: number;
  readonly alert: boolean;
}

class ScorerWork implements RecoverableWork<WrittenPrediction> {
  readonly taken = { rows: 1, emitted: 0, frauds: 0 };
  readonly outputs: readonly number[];
  readonly #context: StreamContext;
  readonly #options: ScorerOptions;
  readonly #models: ModelSource;
  readonly #state: StageState;
  readonly #progress: Progress;
  readonly #scoring: ScoringCounters;
  readonly #reader: FeatureJsonReader;
  readonly #width: number;
  readonly #json: PredictionJsonWriter;
  readonly #shape: PaymentShape;
  readonly #texts = new TextHeap();
  readonly #alerts: AlertJudge;
  #judged: readonly JudgedDay[];
  readonly #scorer: CellScorer;
  #cells = new Float64Array(0);
  #startSeconds: number | undefined;
  #stretch: Stretch | undefined;
  /** Rows of the step that are to be scored. */
  #rows = 0;
  /** Where the row just judged is. */
  #at = 0;
  // The role has just read the control topic, to declare itself.
  #lookedMs = performance.now();

  constructor(
    context: StreamContext,
    options: ScorerOptions,
    models: ModelSource,
    state: StageState,
    commit: StageCommit,
  ) {
    const { scoring, judged }: ScoringCommit = scoringCommit(commit);
    const { partition, progress } = state;
    this.outputs = [partition];
    this.#context = context;
    this.#options = options;
    this.#models = models;
    this.#state = state;
    this.#progress = progress;
    this.#scoring = { ...scoring };
    this.#judged = judged;
    const shape = shapeOfStream(context.parameters);
    this.#shape = shape;
    this.#json = new PredictionJsonWriter(shape);
    this.#reader = new FeatureJsonReader(featuresOf(context), shape);
    this.#width = featureRowCells(featuresOf(context), shape);
    this.#scorer = new CellScorer(this.#width);
    this.#alerts = new AlertJudge(options.scoring.policy, {
      partition,
      partitions: context.parameters.partitions,
      // Partitions of the source drift by up to the delay against each other.
      lateDays: featuresOf(context).delayDays,
      days: judged.map(([day, cut]) => ({ day, cut })),
    });
    this.#useApplied();
  }

  async begin({ count }: RecordBatch): Promise<void> {
    const { control } = this.#context;
    this.#startSeconds = await control.startSeconds(this.#options.startSeconds);
    this.#rows = 0;
    this.#texts.clear();
    this.#stretch = undefined;
    if (this.#cells.length >= count * this.#width) return;
    this.#cells = new Float64Array(count * this.#width);
  }

  async refresh(): Promise<void> {
    await this.#models.refresh();
    if (performance.now() - this.#lookedMs < THRESHOLD_LOOK_MS) return;
    await this.#context.control.refresh();
    this.#lookedMs = performance.now();
    this.#useApplied();
  }

  /** Takes a new threshold of the stream. */
  #useApplied(): void {
    const { alertThreshold } = this.#context.control;
    if (alertThreshold !== undefined) this.#alerts.useThreshold(alertThreshold);
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const at = this.#at = this.#rows * this.#width;
    const cells = this.#cells;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      this.#startSeconds,
      cells,
      at,
      this.#texts,
    );
    if (defect) return defect;
    const time = cells[at + CELL.time];
    if (!this.#progress.isPlausible(time)) {
      const subject = `TX_TIME_SECONDS ${time} is`;
      return implausible(subject, this.#progress);
    }
    const stretch = this.#stretch;
    return stretch && time >= stretch.from && time < stretch.until
      ? "accept"
      : "look";
  }

  /** Ends the step where another model begins, or where none may score the payment yet. */
  async look(): Promise<Hold | undefined> {
    if (this.#rows > 0) return { head: null };
    const time = this.#cells[this.#at + CELL.time];
    this.#stretch = await this.#models.at(time);
    return this.#stretch ? undefined : { head: null };
  }

  take(
    offset: number,
    output: Output | undefined,
    written?: WrittenPrediction,
  ): void {
    const cells = this.#cells;
    const at = this.#at;
    this.#progress.advance(cells[at + CELL.time], offset);
    const isScored = output ? this.#stretch?.model : written;
    this.taken.emitted = isScored ? 1 : 0;
    this.taken.frauds = isScored && cells[at + CELL.fraud] === 1 ? 1 : 0;
    if (!isScored) this.#scoring.unscored++;
    else if (!written) this.#rows++;
    else {
      this.#decide(at, written.score, written.offset);
      if (written.alert) this.#scoring.alerts++;
    }
  }

  async finish(output: Output): Promise<void> {
    const model = this.#stretch?.model;
    if (!model || this.#rows === 0) return;
    await this.#predict(model, this.#rows, output.to(this.#state.partition));
  }

  /** Scores the rows of the step and writes their predictions. */
  async #predict(
    model: ModelInUse,
    rows: number,
    records: RecordBatchBuilder,
  ): Promise<void> {
    const { scorer: { inputs }, version } = model;
    const cells = this.#cells;
    const scores = await this.#scorer.score(model, cells, rows);
    const offset = await this.#predictionEnd(rows);
    const explainsAll = this.#options.scoring.explain === "all";
    const prediction = {
      score: 0,
      alert: false,
      version,
      inputs,
      contributions: undefined as Float64Array | undefined,
    };
    const emitted = this.#state.counters.emitted - rows;
    const texts = this.#texts;
    const isTextKey = this.#shape.transactionId === "text";
    for (let row = 0; row < rows; row++) {
      const at = row * this.#width;
      const score = scores[row];
      const alert = this.#decide(at, score, offset, emitted + row);
      prediction.score = score;
      prediction.alert = alert;
      prediction.contributions = alert || explainsAll
        ? this.#scorer.explain(row)
        : undefined;
      const id = cells[at + CELL.id];
      if (isTextKey) records.writer.bytes(texts.view(id));
      else records.writer.whole(id);
      records.endKey();
      this.#json.write(records.writer, cells, at, prediction, texts);
      records.endRecord(cells[at + CELL.datetime] * 1000);
      if (alert) this.#scoring.alerts++;
    }
  }

  /** Where predictions stand before this step, if a day of alerts begins in it. */
  async #predictionEnd(rows: number): Promise<number> {
    for (let row = 0; row < rows; row++) {
      const time = this.#cells[row * this.#width + CELL.time];
      if (!this.#alerts.begins(time)) continue;
      const ends = await this.#context.log.endOffsets(PREDICTION_TOPIC);
      return ends?.[this.#state.partition] ?? 0;
    }
    return 0; // it is not needed
  }

  /** Whether the row is an alert by its score; `offset` is one before or at its prediction, `emitted` the number of those before. */
  #decide(
    at: number,
    score: number,
    offset: number,
    emitted = this.#state.counters.emitted,
  ): boolean {
    const alerts = this.#alerts;
    const time = this.#cells[at + CELL.time];
    if (alerts.begins(time)) {
      const { day, cut } = alerts.begin(time);
      this.#judged = [
        ...this.#judged.filter(([day]) => alerts.isOpen(day)),
        [day, cut, offset, idNumber(this.#id(at)), emitted],
      ];
    }
    return alerts.decide(this.#customer(at), time, score);
  }

  addition(): Partial<StageCommit> {
    return { scoring: this.#scoring, judged: this.#judged };
  }

  #id(at: number): TransactionId {
    const cell = this.#cells[at + CELL.id];
    return this.#shape.transactionId === "text"
      ? this.#texts.text(cell) ?? ""
      : cell;
  }

  #customer(at: number): number | string {
    const cell = this.#cells[at + CELL.customer];
    return this.#shape.customerId === "text"
      ? this.#texts.text(cell) ?? ""
      : cell;
  }

  rows(): { id: TransactionId; partition: number }[] {
    return [{ id: this.#id(this.#at), partition: this.#state.partition }];
  }

  /** Reads the predictions in a topic, and skips other records. */
  reader(): (batch: RecordBatch) => WrittenPrediction[] {
    const reader = new PredictionJsonReader(this.#shape);
    const isText = this.#shape.transactionId === "text";
    const progress = new Progress(this.#context.parameters);
    const rows = emptyPredictions(1);
    const { cells, texts } = rows;
    return (batch) => {
      const found: WrittenPrediction[] = [];
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        if (reader.read(batch.bytes, from, to, rows, 0)) continue;
        const time = cells[PREDICTION_CELL.time];
        const start = cells[PREDICTION_CELL.datetime] - time;
        if (start !== (this.#startSeconds ?? start)) continue;
        if (!progress.passes(time)) continue;
        found.push({
          offset: batch.offsets[i],
          id: isText
            ? texts.text(cells[PREDICTION_CELL.id]) ?? ""
            : cells[PREDICTION_CELL.id],
          score: cells[PREDICTION_CELL.score],
          alert: cells[PREDICTION_CELL.alert] === 1,
        });
      }
      return found;
    };
  }

  /** Judges the predictions since the oldest open day began again, to restore what the judge knew. */
  async replay(): Promise<Replay | undefined> {
    const [first] = this.#judged.toSorted((a, b) => a[4] - b[4]);
    if (first === undefined) return undefined;
    const [, , from, firstId, emitted] = first;
    const { log, logger } = this.#context;
    const { partition, counters } = this.#state;
    const ends = await log.endOffsets(PREDICTION_TOPIC);
    const expected = counters.emitted - emitted;
    return {
      topic: PREDICTION_TOPIC,
      from,
      to: ends?.[partition] ?? 0,
      work: new AlertMemory(this.#alerts, firstId, this.#shape),
      done: (found) => {
        if (found === expected) return;
        logger.warn("some alerts of the open days are no longer in the log", {
          partition,
          found,
          expected,
          then: "a day may get more or fewer alerts than its quota",
        });
      },
    };
  }
}

const ENCODER = new TextEncoder();
const ID_HASH = new SipHash(new Uint8Array(SIPHASH_KEY_BYTES));

/** A TRANSACTION_ID as a number of a commit: itself, or 52 bits of a text's hash, since a commit must stay short. */
function idNumber(id: TransactionId): number {
  if (typeof id === "number") return id;
  const bytes = ENCODER.encode(id);
  const words = new Int32Array(4);
  ID_HASH.hash(bytes, 0, bytes.length, words, 0);
  return (words[0] >>> 0) + (words[1] & 0xf_ffff) * 2 ** 32;
}

/** Makes a judge know the predictions of its open days again. */
class AlertMemory implements StageWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #alerts: AlertJudge;
  readonly #firstId: number;
  readonly #shape: PaymentShape;
  readonly #reader: PredictionJsonReader;
  readonly #rows = emptyPredictions(1);
  #hasBegun = false;

  /** Begins with the prediction whose TRANSACTION_ID has that idNumber(). */
  constructor(
    alerts: AlertJudge,
    firstId: number,
    shape: PaymentShape,
  ) {
    this.#alerts = alerts;
    this.#firstId = firstId;
    this.#shape = shape;
    this.#reader = new PredictionJsonReader(shape);
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
    const defect = this.#reader.read(batch.bytes, from, to, this.#rows, 0);
    if (defect) return defect;
    const { cells, texts } = this.#rows;
    const cell = cells[PREDICTION_CELL.id];
    const isText = this.#shape.transactionId === "text";
    const id = idNumber(isText ? texts.text(cell) ?? "" : cell);
    this.#hasBegun ||= id === this.#firstId;
    return this.#hasBegun ? "accept" : "duplicate";
  }

  take(): void {
    const { cells, texts } = this.#rows;
    const cell = cells[PREDICTION_CELL.customer];
    this.#alerts.decide(
      this.#shape.customerId === "text" ? texts.text(cell) ?? "" : cell,
      cells[PREDICTION_CELL.time],
      cells[PREDICTION_CELL.score],
    );
  }
}
