/**
 * The scorer: from the sink topic to the prediction topic, exactly once, a
 * partition's predictions in the same partition and order. The model and the
 * rules may change between two batches; every prediction carries their
 * versions.
 */
import { SipHash, SIPHASH_KEY_BYTES } from "../base/siphash.ts";
import { FeatureJsonReader } from "../features/feature_row.ts";
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
import {
  emptyPredictions,
  NO_MODEL,
  PREDICTION_CELL,
} from "../payment/prediction.ts";
import { ShadowModels } from "../scoring/shadow_models.ts";
import type { AppliedChange } from "../stream/decision_changes.ts";
import {
  DecisionSource,
  type DecisionStretch,
} from "../scoring/decision_source.ts";
import {
  type ModelSource,
  openModelSource,
  type Stretch,
} from "../scoring/model_source.ts";
import {
  PredictionJsonReader,
  PredictionJsonWriter,
  readShadowScores,
} from "../payment/prediction_json.ts";
import { implausible, Progress, type Verdict } from "../stream/checks.ts";
import {
  countShadow,
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

/** Alerts of shadow models where a scorer that tries none finds their scores. */
const SHADOW_THRESHOLD = 0.5;

/** How often the control topic is read for a new threshold and for new rules. */
const CONTROL_LOOK_MS = 500;

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
  const { model, rules, policy, shadows } = options.scoring;
  const features = featuresOf(context);
  const { control, logger, parameters } = context;
  const models = model && await openModelSource(model, features, logger);
  const tried = shadows &&
    await ShadowModels.open(shadows.paths, features, logger);
  const decisions = await DecisionSource.open({
    control,
    features,
    shape: shapeOfStream(parameters),
    place: rules,
    policy,
    isScored: model !== undefined,
    logger,
  });
  return {
    stage: STAGE,
    open: (partition, commit) =>
      openStage({
        context,
        stage: STAGE,
        partition,
        commit,
        work: (state, commit) =>
          new ScorerWork(
            context,
            options,
            { models, decisions, shadows: tried },
            state,
            commit,
          ),
      }),
  };
}

/** Where what scores and what decides come from. */
interface ScorerSources {
  /** Undefined where rules alone decide. */
  readonly models: ModelSource | undefined;
  readonly decisions: DecisionSource;
  /** Undefined where no model is tried. */
  readonly shadows: ShadowModels | undefined;
}

/** What a stream without a model has in its place. */
const UNSCORED: Stretch = {
  model: undefined,
  from: -Infinity,
  until: Infinity,
};

/** What the scorer needs of a prediction that it has written. */
interface WrittenPrediction {
  /** Its offset. */
  readonly offset: number;
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  /** NaN without a model. */
  readonly score: number;
  readonly alert: boolean;
  /** What rules decided; undefined where there were none. */
  readonly decision: string | undefined;
  /** Scores of shadow models by their versions. */
  readonly shadows: ReadonlyMap<string, number>;
}

class ScorerWork implements RecoverableWork<WrittenPrediction> {
  readonly taken = { rows: 1, emitted: 0, frauds: 0 };
  readonly outputs: readonly number[];
  readonly #context: StreamContext;
  readonly #options: ScorerOptions;
  readonly #models: ModelSource | undefined;
  readonly #decisions: DecisionSource;
  readonly #shadows: ShadowModels | undefined;
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
  #decision: DecisionStretch | undefined;
  /** What was applied since the partition was opened: the view of the control topic may be older. */
  readonly #applied: AppliedChange[] = [];
  /** Rows of the step that are to be scored. */
  #rows = 0;
  /** Where the row just judged is. */
  #at = 0;
  /** Its offset. */
  #offset = 0;
  /** Whether the commit or what was written says where the scorer continues. */
  #isKnown: boolean;
  /** The offset below which payments may have been decided about before; undefined until it is needed. */
  #decided: number | undefined;
  // The role has just read the control topic, to declare itself.
  #lookedMs = performance.now();

  constructor(
    context: StreamContext,
    options: ScorerOptions,
    { models, decisions, shadows }: ScorerSources,
    state: StageState,
    commit: StageCommit,
  ) {
    const { scoring, judged }: ScoringCommit = scoringCommit(commit);
    const { partition, progress } = state;
    this.outputs = [partition];
    this.#context = context;
    this.#options = options;
    this.#models = models;
    this.#decisions = decisions;
    this.#shadows = shadows;
    this.#state = state;
    this.#isKnown = state.counters.read > 0;
    this.#progress = progress;
    this.#scoring = structuredClone(scoring);
    this.#judged = judged;
    const shape = shapeOfStream(context.parameters);
    this.#shape = shape;
    this.#json = new PredictionJsonWriter(shape);
    this.#reader = new FeatureJsonReader(featuresOf(context), shape);
    this.#width = decisions.rows.width;
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
    this.#decision = undefined;
    if (this.#cells.length >= count * this.#width) return;
    this.#cells = new Float64Array(count * this.#width);
  }

  async refresh(): Promise<void> {
    await this.#models?.refresh();
    await this.#shadows?.refresh();
    if (performance.now() - this.#lookedMs >= CONTROL_LOOK_MS) {
      await this.#context.control.refresh();
      this.#lookedMs = performance.now();
      this.#useApplied();
    }
    await this.#decisions.refresh();
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
    const offset = this.#offset = batch.offsets[index];
    const stretch = this.#stretch;
    return stretch && time >= stretch.from && time < stretch.until &&
        this.#decision && offset < this.#decision.until
      ? "accept"
      : "look";
  }

  /** Ends the step where another model or other rules begin, or where no model may score the payment yet. */
  async look(): Promise<Hold | undefined> {
    if (this.#rows > 0) return { head: null };
    const time = this.#cells[this.#at + CELL.time];
    this.#stretch = this.#models ? await this.#models.at(time) : UNSCORED;
    if (!this.#stretch) return { head: null };
    const { partition } = this.#state;
    this.#decided ??= await this.#lostBelow();
    const decision = await this.#decisions.at(
      partition,
      this.#offset,
      this.#applied,
      this.#decided,
    );
    this.#decision = decision;
    const threshold = decision.rules?.threshold ?? undefined;
    if (threshold !== undefined) this.#alerts.useThreshold(threshold);
    return undefined;
  }

  /**
   * Where commit and predictions are gone, although a scorer has been here: the
   * end of the input, which none has passed. Otherwise 0, since a commit or the
   * predictions say where it continues.
   */
  async #lostBelow(): Promise<number> {
    const { control, log, logger } = this.#context;
    const { partition } = this.#state;
    if (this.#isKnown) return 0;
    await control.refresh();
    if (control.appliedChanges(partition).length === 0) return 0;
    const ends = await log.endOffsets(SINK_TOPIC);
    const toOffset = ends?.[partition] ?? 0;
    logger.warn("the predictions are gone; payments are scored again", {
      partition,
      fromOffset: this.#offset,
      toOffset,
      model: this.#stretch?.model?.version ?? NO_MODEL,
      then: "rules decide as they did; scores are those of this model, and " +
        "differ if its file was another one then",
    });
    return toOffset;
  }

  take(
    offset: number,
    output: Output | undefined,
    written?: WrittenPrediction,
  ): void {
    if (written) this.#isKnown = true;
    const cells = this.#cells;
    const at = this.#at;
    this.#progress.advance(cells[at + CELL.time], offset);
    const isPredicted = output
      ? this.#stretch?.model ?? this.#decision?.rules
      : written;
    this.taken.emitted = isPredicted ? 1 : 0;
    this.taken.frauds = isPredicted && cells[at + CELL.fraud] === 1 ? 1 : 0;
    if (!isPredicted) this.#scoring.unscored++;
    else if (!written) this.#rows++;
    else {
      this.#alert(at, written.score, written.offset);
      if (written.alert) this.#scoring.alerts++;
      if (written.decision !== undefined) this.#count(written.decision);
      for (const [version, score] of written.shadows) {
        this.#countShadow(version, score, written.alert);
      }
    }
  }

  async finish(output: Output): Promise<void> {
    if (this.#rows === 0) return;
    const begins = this.#decision?.begins;
    if (begins) {
      output.control().putApplied(begins);
      this.#applied.push(begins);
    }
    await this.#predict(this.#rows, output.to(this.#state.partition));
  }

  /** Scores the rows of the step, decides about them and writes their predictions. */
  async #predict(rows: number, records: RecordBatchBuilder): Promise<void> {
    const model = this.#stretch?.model;
    const rules = this.#decision?.rules;
    const { scoreCell } = this.#decisions.rows;
    const cells = this.#cells;
    const scores = model && await this.#scorer.score(model, cells, rows);
    const offset = model ? await this.#predictionEnd(rows) : 0;
    const shadows = await this.#shadows?.score(cells, rows, this.#width) ?? [];
    const explainsAll = this.#options.scoring.explain === "all";
    const prediction = {
      score: NaN,
      alert: false,
      version: model?.version ?? NO_MODEL,
      inputs: model?.scorer.inputs ?? [],
      contributions: undefined as Float64Array | undefined,
      decision: undefined as Uint8Array | undefined,
      shadows,
    };
    const emitted = this.#state.counters.emitted - rows;
    const texts = this.#texts;
    const isTextKey = this.#shape.transactionId === "text";
    for (let row = 0; row < rows; row++) {
      const at = row * this.#width;
      const score = scores ? scores[row] : NaN;
      const alert = this.#alert(at, score, offset, emitted + row);
      prediction.score = score;
      prediction.alert = alert;
      prediction.contributions = model && (alert || explainsAll)
        ? this.#scorer.explain(row)
        : undefined;
      if (rules) {
        cells[at + scoreCell] = score;
        const { decision, json } = rules.decide(cells, at, texts, alert);
        prediction.decision = json;
        this.#count(decision);
      }
      const id = cells[at + CELL.id];
      if (isTextKey) records.writer.bytes(texts.view(id));
      else records.writer.whole(id);
      records.endKey();
      this.#json.write(records.writer, cells, at, prediction, texts, row);
      for (const { version, scores } of shadows) {
        this.#countShadow(version, scores[row], alert);
      }
      records.endRecord(cells[at + CELL.datetime] * 1000);
      if (alert) this.#scoring.alerts++;
    }
  }

  /** Counts what rules decided. */
  #count(decision: string): void {
    const scoring = this.#scoring;
    scoring.reviews = (scoring.reviews ?? 0) + (decision === "review" ? 1 : 0);
    scoring.declines = (scoring.declines ?? 0) +
      (decision === "decline" ? 1 : 0);
  }

  /** Counts what a shadow model would have done about a payment. */
  #countShadow(version: string, score: number, live: boolean): void {
    const { threshold = SHADOW_THRESHOLD } = this.#options.scoring.shadows ??
      {};
    countShadow(this.#scoring, version, { own: score >= threshold, live });
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
  #alert(
    at: number,
    score: number,
    offset: number,
    emitted = this.#state.counters.emitted,
  ): boolean {
    if (Number.isNaN(score)) return false;
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
          decision: rows.decisions[0]?.decision,
          shadows: readShadowScores(rows.shadowScores[0]),
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
    if (Number.isNaN(cells[PREDICTION_CELL.score])) return;
    const cell = cells[PREDICTION_CELL.customer];
    this.#alerts.decide(
      this.#shape.customerId === "text" ? texts.text(cell) ?? "" : cell,
      cells[PREDICTION_CELL.time],
      cells[PREDICTION_CELL.score],
    );
  }
}
