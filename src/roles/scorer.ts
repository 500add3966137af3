/**
 * The scorer: from the sink topic to the prediction topic, exactly once, a
 * partition's predictions in the same partition and order. The model may
 * change between two batches; every prediction carries its version.
 */
import { FeatureJsonReader } from "../features/feature_row.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { featureCount } from "../features/parameters.ts";
import { ModelError } from "../base/error.ts";
import { AlertJudge } from "../scoring/alert_policy.ts";
import {
  type Commit,
  type PartitionTask,
  type ReadLimit,
  readRange,
  type Step,
} from "../log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  type RecordMark,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { emptyPredictions } from "../payment/prediction.ts";
import { markEnd } from "../stream/end_mark.ts";
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
import { type ScoringSettings } from "./role.ts";
import {
  featuresOf,
  isDone,
  type StreamContext,
} from "../stream/stream_context.ts";
import {
  GapCheck,
  Recovery,
  stageMark,
  type StageStart,
  stageStart,
  tellRecovered,
  WrittenRows,
} from "../stream/recovery.ts";
import {
  type JudgedDay,
  parseScoringCommit,
  readScoringCommit,
  type ScoringCommit,
  type ScoringCounters,
} from "../stream/scoring_commit.ts";
import { type StageCounters, statelessCommit } from "../stream/stage_commit.ts";
import {
  PREDICTION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
} from "../stream/topics.ts";

const LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };

/** How the scorer is run. */
export interface ScorerOptions {
  /** Model, policy, explanations. */
  readonly scoring: ScoringSettings;
  /** Midnight of the first day for a stream of others. */
  readonly startSeconds: number | undefined;
}

/** The control topic is looked at this often for a threshold that was applied. */
const THRESHOLD_LOOK_MS = 500;

/** Scores until the sink topic is complete and scored, or the context's signal. */
export async function runScorer(
  context: StreamContext,
  options: ScorerOptions,
): Promise<void> {
  const { log, control, logger, signal } = context;
  const { model } = options.scoring;
  await control.declareScored();
  const models = await openModelSource(model, featuresOf(context), logger);
  await log.consume({
    group: SCORER_GROUP,
    topic: SINK_TOPIC,
    limit: LIMIT,
    signal,
    open: async (partition, commit) => {
      await control.agreeTopics([SINK_TOPIC, PREDICTION_TOPIC]);
      const place = { log, group: SCORER_GROUP, topic: SINK_TOPIC, partition };
      const isOwn = readScoringCommit(commit) !== undefined;
      const start = await stageStart(
        place,
        commit && !isOwn ? { ...commit, metadata: "" } : commit,
      );
      const own = parseScoringCommit(commit);
      const task = new ScorerTask(context, options, models, place, own, start);
      await task.restore();
      if (task.start !== undefined) {
        tellRecovered(logger, place, start, task.start.offset);
      }
      return task;
    },
    idle: async () => {
      if (!await isDone(context, SCORER_GROUP, SINK_TOPIC)) return false;
      await markEnd(context, SCORER_GROUP, SINK_TOPIC, PREDICTION_TOPIC);
      return true;
    },
  });
}

class ScorerTask implements PartitionTask {
  /** See PartitionTask; known after restore(). */
  start: Commit | undefined;
  readonly #context: StreamContext;
  readonly #options: ScorerOptions;
  readonly #models: ModelSource;
  readonly #partition: number;
  readonly #start: StageStart;
  readonly #counters: StageCounters;
  readonly #scoring: ScoringCounters;
  readonly #reader: FeatureJsonReader;
  readonly #width: number;
  readonly #json = new PredictionJsonWriter();
  readonly #records = new RecordBatchBuilder();
  readonly #judge: AlertJudge;
  #judged: readonly JudgedDay[];
  #cells = new Float64Array(0);
  #values = new Float64Array(0);
  #scores = new Float64Array(0);
  #progress: number;
  #last: RecordMark | null;
  // Declaring itself, the role has just read the control topic.
  #lookedMs = performance.now();

  constructor(
    context: StreamContext,
    options: ScorerOptions,
    models: ModelSource,
    { partition }: { readonly partition: number },
    commit: ScoringCommit,
    start: StageStart,
  ) {
    const { progress, counters, scoring, judged, last = null } = commit;
    this.#context = context;
    this.#options = options;
    this.#models = models;
    this.#partition = partition;
    this.#start = start;
    this.#counters = { ...counters };
    this.#scoring = { ...scoring };
    this.#last = last;
    this.#judged = judged;
    this.#progress = progress;
    this.#reader = new FeatureJsonReader(featuresOf(context));
    this.#width = PAYMENT_CELLS + featureCount(featuresOf(context));
    this.#judge = new AlertJudge(options.scoring.policy, {
      partition,
      partitions: context.parameters.partitions,
      // Partitions of the source drift by up to the delay against each other.
      lateDays: featuresOf(context).delayDays,
      days: judged.map(([day, cut]) => ({ day, cut })),
    });
    this.#useApplied();
  }

  /** Judges what was predicted since the oldest open day began once more, to know of it what the judge knew. */
  async restore(): Promise<void> {
    if (!this.#start.isKnown) return await this.#recover();
    const [first] = this.#judged.toSorted((a, b) => a[4] - b[4]);
    if (first === undefined) return;
    const [, , offset, firstId, emitted] = first;
    const { log, logger } = this.#context;
    const partition = this.#partition;
    const end = (await log.endOffsets(PREDICTION_TOPIC))?.[partition] ?? 0;
    const reader = new PredictionJsonReader();
    const rows = emptyPredictions(1);
    let found = 0;
    const batches = readRange(log, PREDICTION_TOPIC, partition, offset, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        if (reader.read(batch.bytes, from, to, rows, 0)) continue;
        const [id, , customer, , , time, score] = rows.cells;
        if (found === 0 && id !== firstId) continue;
        found++;
        this.#judge.decide(customer, time, score);
      }
    }
    const expected = this.#counters.emitted - emitted;
    if (found === expected) return;
    logger.warn("not all alerts of the open days are known any more", {
      partition,
      found,
      expected,
      then: "a day may get more or fewer alerts than its quota",
    });
  }

  /** Finds the position and its state by the predictions that are there. */
  async #recover(): Promise<void> {
    const { log, control, signal } = this.#context;
    const partition = this.#partition;
    const startSeconds = await control.startSeconds(this.#options.startSeconds);
    const recovery = await Recovery.open({
      log,
      group: SCORER_GROUP,
      topic: SINK_TOPIC,
      partition,
      start: this.#start,
      outputs: [PREDICTION_TOPIC],
      writesLetters: false,
      // A scorer that comes later begins with the payments that are kept.
      mayBeginLater: true,
      signal,
    });
    const written = new WrittenRows(
      log,
      PREDICTION_TOPIC,
      partition,
      predictions(this.#context.parameters.maxGapSeconds, startSeconds),
    );
    this.#reserve(1);
    const { offset, last } = await recovery.run(
      [written],
      this.#counters,
      async (batch, i) => {
        const prediction = await written.head();
        if (!prediction) return "missing";
        if (!this.#read(batch, i, startSeconds, 0)) return "silent";
        const [id, , customer, , , time, fraud] = this.#cells;
        if (time > this.#progress) this.#progress = time;
        this.#counters.read++;
        if (prediction.id !== id) {
          this.#scoring.unscored++;
          return "silent";
        }
        written.advance();
        if (this.#judge.begins(time)) {
          this.#beginDay(time, prediction.offset, id);
        }
        this.#judge.decide(customer, time, prediction.score);
        this.#counters.emitted++;
        this.#counters.frauds += fraud;
        if (prediction.alert) this.#scoring.alerts++;
        return "written";
      },
    );
    this.#last = last;
    if (offset !== undefined) {
      this.start = { offset, metadata: this.#metadata(offset) };
    }
  }

  /** Takes records up to the first that another model scores, or that has to wait. */
  async step(batch: RecordBatch): Promise<Step> {
    await this.#models.refresh();
    if (performance.now() - this.#lookedMs >= THRESHOLD_LOOK_MS) {
      await this.#context.control.refresh();
      this.#lookedMs = performance.now();
      this.#useApplied();
    }
    this.#reserve(batch.count);
    this.#records.clear();
    const { control } = this.#context;
    const start = await control.startSeconds(this.#options.startSeconds);
    let stretch: Stretch | undefined;
    let rows = 0;
    let taken = 0;
    for (; taken < batch.count; taken++) {
      const at = rows * this.#width;
      if (!this.#read(batch, taken, start, at)) continue;
      const time = this.#cells[at + 5];
      if (!stretch || time < stretch.from || time >= stretch.until) {
        if (rows > 0) break;
        stretch = await this.#models.at(time);
        if (!stretch) break;
      }
      if (time > this.#progress) this.#progress = time;
      this.#counters.read++;
      rows++;
    }
    const model = stretch?.model;
    if (model) await this.#predict(model, rows);
    else this.#scoring.unscored += rows;
    const next = taken < batch.count ? batch.offsets[taken] : batch.next;
    if (taken > 0) this.#last = stageMark(batch, taken - 1);
    return {
      next,
      metadata: this.#metadata(next),
      appends: this.#records.count === 0 ? [] : [{
        topic: PREDICTION_TOPIC,
        partition: this.#partition,
        records: this.#records,
      }],
    };
  }

  #metadata(offset: number): string {
    const commit: ScoringCommit = {
      ...statelessCommit(offset, this.#progress, this.#counters, this.#last),
      scoring: this.#scoring,
      judged: this.#judged,
    };
    return JSON.stringify(commit);
  }

  /** Takes the threshold that somebody may have applied. */
  #useApplied(): void {
    const { alertThreshold } = this.#context.control;
    if (alertThreshold !== undefined) this.#judge.useThreshold(alertThreshold);
  }

  #reserve(rows: number): void {
    if (this.#scores.length >= rows) return;
    this.#cells = new Float64Array(rows * this.#width);
    this.#scores = new Float64Array(rows);
  }

  /**
   * Reads record `index` into cells `at` …; false if it is a dead letter. The
   * letter itself is the writer's, which reads the same topic by the same
   * rules: two of one record would be one too many.
   */
  #read(
    batch: RecordBatch,
    index: number,
    startSeconds: number | undefined,
    at: number,
  ): boolean {
    const { maxGapSeconds } = this.#context.parameters;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      startSeconds,
      this.#cells,
      at,
    );
    const time = this.#cells[at + 5];
    if (!defect && time <= this.#progress + maxGapSeconds) return true;
    this.#counters.read++;
    this.#counters.deadLettered++;
    return false;
  }

  /** Scores the rows read and writes their predictions. */
  async #predict(model: ModelInUse, rows: number): Promise<void> {
    const { scorer, cells: places, version } = model;
    const { inputs } = scorer;
    const cells = this.#cells;
    const width = places.length;
    if (this.#values.length < rows * width) {
      this.#values = new Float64Array(this.#scores.length * width);
    }
    const values = this.#values;
    for (let row = 0; row < rows; row++) {
      const at = row * this.#width;
      const to = row * width;
      for (let i = 0; i < width; i++) values[to + i] = cells[at + places[i]];
    }
    const scores = this.#scores.subarray(0, rows);
    // A scorer within this program answers at once.
    const pending = scorer.score(values, rows, scores);
    if (pending) await pending;
    const offset = await this.#predictionEnd(rows);
    const explainsAll = this.#options.scoring.explain === "all";
    const into = new Float64Array(width);
    const { writer } = this.#records;
    const prediction = {
      score: 0,
      alert: false,
      version,
      inputs,
      contributions: undefined as Float64Array | undefined,
    };
    for (let row = 0; row < rows; row++) {
      const at = row * this.#width;
      const score = scores[row];
      if (!(score >= 0 && score <= 1)) {
        throw new ModelError(
          `the model ${version} gives payment ${cells[at]} the score ` +
            `${score}, which is not in 0…1; take another model`,
        );
      }
      const time = cells[at + 5];
      if (this.#judge.begins(time)) this.#beginDay(time, offset, cells[at]);
      const alert = this.#judge.decide(cells[at + 2], time, score);
      prediction.score = score;
      prediction.alert = alert;
      prediction.contributions = undefined;
      if (scorer.explain && (alert || explainsAll)) {
        scorer.explain(values, row * width, into);
        prediction.contributions = into;
      }
      writer.whole(cells[at]);
      this.#records.endKey();
      this.#json.write(writer, cells, at, prediction);
      this.#records.endRecord(cells[at + 1] * 1000);
      this.#counters.emitted++;
      this.#counters.frauds += cells[at + 6];
      if (alert) this.#scoring.alerts++;
    }
  }

  /** Where predictions stand before this step, if a day of alerts begins in it. */
  async #predictionEnd(rows: number): Promise<number> {
    for (let row = 0; row < rows; row++) {
      if (!this.#judge.begins(this.#cells[row * this.#width + 5])) continue;
      const ends = await this.#context.log.endOffsets(PREDICTION_TOPIC);
      return ends?.[this.#partition] ?? 0;
    }
    return 0; // it is not needed
  }

  #beginDay(timeSeconds: number, offset: number, firstId: number): void {
    const { day, cut } = this.#judge.begin(timeSeconds);
    const { emitted } = this.#counters;
    this.#judged = [
      ...this.#judged.filter(([day]) => this.#judge.isOpen(day)),
      [day, cut, offset, firstId, emitted],
    ];
  }
}

/** What the recovery of a scorer needs of a prediction. */
interface WrittenPrediction {
  /** Its offset. */
  readonly offset: number;
  /** TRANSACTION_ID. */
  readonly id: number;
  readonly score: number;
  readonly alert: boolean;
}

/** Reads the predictions in a topic, batch by batch, without what is none. */
function predictions(
  maxGapSeconds: number,
  startSeconds: number | undefined,
): (batch: RecordBatch) => WrittenPrediction[] {
  const reader = new PredictionJsonReader();
  const gap = new GapCheck(maxGapSeconds);
  const rows = emptyPredictions(1);
  return (batch) => {
    const found: WrittenPrediction[] = [];
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      if (reader.read(batch.bytes, from, to, rows, 0)) continue;
      const [id, datetime, , , , time, score, alert] = rows.cells;
      if (datetime - time !== (startSeconds ?? datetime - time)) continue;
      if (!gap.passes(time)) continue;
      const offset = batch.offsets[i];
      found.push({ offset, id, score, alert: alert === 1 });
    }
    return found;
  };
}
