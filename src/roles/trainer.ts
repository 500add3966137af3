/**
 * The trainer: reads the sink topic (and the labels that arrive later, or
 * analysts' verdicts), trains a challenger at each boundary of event days,
 * keeps the versions in the registry, and measures the models as labels become
 * known. It commits no offsets. Its state is the newest days of the log, read
 * again when it starts; its decisions are in the registry.
 */
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import { CELL } from "../payment/payment_cells.ts";
import {
  type FeatureParameters,
  nullableNames,
} from "../features/parameters.ts";
import { ModelError } from "../base/error.ts";
import {
  type Challenge,
  challenge,
  challengeDays,
  JUDGED_DAYS,
} from "../learning/judge/challenge.ts";
import { formatModelFile } from "../learning/file/model_file.ts";
import { TrainingWindow } from "../learning/data/training_window.ts";
import { offsetAt, READ_LIMIT } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import type { PredictionStore } from "../store/predictions.ts";
import { formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { readLabel } from "../payment/label_json.ts";
import {
  changeRegistry,
  keepVersion,
  openVersion,
  readRegistry,
  type Registry,
  trainingDates,
  withEntry,
} from "../scoring/model_registry.ts";
import { LateLabelReader } from "../scoring/late_label_reader.ts";
import { ModelMonitor } from "../scoring/model_monitor.ts";
import {
  BUILT_IN_MODEL,
  modelInUse,
  openModel,
  streamInputs,
} from "../scoring/open_model.ts";
import type { TrainingSettings } from "./role.ts";
import {
  featuresOf,
  isComplete,
  type StreamContext,
} from "../stream/stream_context.ts";
import { parseCommit, takenOffset } from "../stream/commit.ts";
import { isPlausible } from "../stream/checks.ts";
import { labelDays, type StreamParameters } from "../stream/control.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  CUSTOMER_GROUP,
  LABEL_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** How the trainer is run. */
export interface TrainerOptions {
  /** When and what to train, and where to keep it. */
  readonly training: TrainingSettings;
  /** Where the metrics go. */
  readonly store: PredictionStore;
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
}

/** Days before the newest payment that the trainer may still read after a restart. */
export function trainerReach(
  training: TrainingSettings,
  parameters: StreamParameters,
): number {
  const { trainDays, everyDays } = training;
  const { delayDays } = parameters.features;
  const reach = trainDays + everyDays + JUDGED_DAYS + delayDays +
    labelDays(parameters) + 2;
  // The week before the oldest day that labels may still change.
  return shapeOfStream(parameters).hasLabels ? reach + JUDGED_DAYS + 1 : reach;
}

/** Trains until the sink topic is complete and everything is measured, or the context's signal. */
export async function runTrainer(
  context: StreamContext,
  options: TrainerOptions,
): Promise<void> {
  const trainer = await Trainer.open(context, options);
  const { log, logger, signal } = context;
  while (!signal.aborted) {
    const moved = await trainer.read();
    const decided = await trainer.decide();
    if (moved || decided) continue;
    if (await trainer.isDone()) {
      logger.info("everything is learned and measured");
      return;
    }
    await log.changed(50, signal);
  }
}

class Trainer {
  readonly #context: StreamContext;
  readonly #options: TrainerOptions;
  readonly #window: TrainingWindow;
  readonly #reader: FeatureJsonReader;
  readonly #monitor: ModelMonitor;
  /** Where labels arrive later than payments. */
  readonly #lateLabels: LateLabelReader | undefined;
  readonly #cells: Float64Array;
  readonly #texts = new TextHeap();
  /** Next offset of each partition of the sink, once event time is known. */
  #offsets: number[] | undefined;
  #labelOffsets: number[] = [];
  readonly #progress: number[];
  #next: number;
  #ended = false;

  private constructor(
    context: StreamContext,
    options: TrainerOptions,
    registry: Registry,
  ) {
    const features = featuresOf(context);
    this.#context = context;
    this.#options = options;
    const shape = shapeOfStream(context.parameters);
    this.#window = new TrainingWindow(streamInputs(features), {
      shape,
      nullable: nullableNames(features),
      matureSeconds: labelDays(context.parameters) * DAY_SECONDS,
    });
    this.#reader = new FeatureJsonReader(features, shape);
    this.#cells = new Float64Array(featureRowCells(features, shape));
    this.#progress = Array(context.parameters.partitions).fill(0);
    this.#next = registry.decidedDay;
    const trainFrom = this.#firstDayOf(this.#next);
    // The first days after a later start have no week before them.
    const measured = trainFrom === 0 ? 0 : trainFrom + JUDGED_DAYS;
    const firstDay = Math.min(measured, registry.openDay ?? Infinity);
    this.#monitor = new ModelMonitor({
      context,
      store: options.store,
      window: this.#window,
      firstDay,
      openDays: options.training.trainDays + JUDGED_DAYS,
    });
    this.#window.dropBefore(Math.min(trainFrom, this.#monitor.needsFrom));
    if (shape.hasLabels) {
      this.#lateLabels = new LateLabelReader(context, this.#window);
    }
  }

  /** Creates the registry, or continues it. */
  static async open(
    context: StreamContext,
    options: TrainerOptions,
  ): Promise<Trainer> {
    const { folder, first, everyDays } = options.training;
    const { logger } = context;
    const added = first === undefined
      ? undefined
      : await readFirst(first, featuresOf(context));
    if (added) keepVersion(folder, added.version, added.text);
    const registry = await changeRegistry(folder, (before) => {
      const begun = {
        ...before,
        decidedDay: before.decidedDay || everyDays,
        ended: false,
      };
      if (!added || before.history.length > 0) return begun;
      const { version, metrics, training } = added;
      return withEntry(begun, {
        day: 0,
        action: "added",
        version,
        champion: version,
        reason: first === BUILT_IN_MODEL
          ? "the built-in model"
          : "given with --model",
        ...trainingDates(training),
        ...metrics && { metrics },
      });
    });
    if (added && registry.champion !== added.version) {
      logger.info("the registry has a champion already, which stays", {
        champion: registry.champion,
        model: added.version,
      });
    }
    return new Trainer(context, options, registry);
  }

  #firstDayOf(decision: number): number {
    const { trainDays } = this.#options.training;
    const judgeTo = decision - labelDays(this.#context.parameters);
    return Math.max(0, judgeTo - JUDGED_DAYS - trainDays);
  }

  /** Reads new payments, no further than the next decision needs; returns whether there were any. */
  async read(): Promise<boolean> {
    const { log, control } = this.#context;
    const start = await control.startSeconds(this.#options.startSeconds);
    if (start === undefined) return false;
    const offsets = this.#offsets ??= await this.#beginnings(start);
    let moved = this.#lateLabels
      ? await this.#lateLabels.read(start, this.#next * DAY_SECONDS)
      : await this.#readVerdicts();
    for (let partition = 0; partition < offsets.length; partition++) {
      if (this.#progress[partition] >= this.#next * DAY_SECONDS) continue;
      const batch = await log.read(
        SINK_TOPIC,
        partition,
        offsets[partition],
        READ_LIMIT,
      );
      if (batch.next === offsets[partition]) continue;
      this.#take(batch, partition, start);
      offsets[partition] = batch.next;
      moved = true;
    }
    return await this.#monitor.read() || moved;
  }

  /** Where reading begins: before the first payment that the window keeps. */
  async #beginnings(start: number): Promise<number[]> {
    const { log, parameters } = this.#context;
    const { delayDays } = parameters.features;
    // Partitions of the source drift by up to the delay against each other.
    const day = this.#window.firstDay - delayDays - 1;
    const timeMs = (start + day * DAY_SECONDS) * 1000;
    const partitions = [...Array(parameters.partitions).keys()];
    return await Promise.all(
      partitions.map((p) => day < 0 ? 0 : offsetAt(log, SINK_TOPIC, p, timeMs)),
    );
  }

  #take(batch: RecordBatch, partition: number, start: number): void {
    const { parameters } = this.#context;
    const { bytes } = batch;
    const [cells, texts] = [this.#cells, this.#texts];
    const first = this.#window.firstDay * DAY_SECONDS;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      texts.clear();
      const defect = this.#reader.read(bytes, from, to, start, cells, 0, texts);
      // The writer has made a dead letter of it.
      if (defect) continue;
      const progress = this.#progress[partition];
      const time = cells[CELL.time];
      const reached = Math.max(first, progress);
      if (!isPlausible(time, reached, parameters)) continue;
      if (time > progress) this.#progress[partition] = time;
      this.#window.add(cells, texts);
    }
  }

  /** Reads analysts' verdicts, where payments carry their labels. */
  async #readVerdicts(): Promise<boolean> {
    const { log } = this.#context;
    let moved = false;
    const ends = await log.endOffsets(LABEL_TOPIC) ?? [];
    for (const [partition, end] of ends.entries()) {
      const offset = this.#labelOffsets[partition] ?? 0;
      if (offset >= end) continue;
      const batch = await log.read(LABEL_TOPIC, partition, offset, READ_LIMIT);
      if (batch.next === offset) continue;
      for (let i = 0; i < batch.count; i++) {
        const record = readLabel(
          batch.bytes,
          valueStart(batch, i),
          valueEnd(batch, i),
        );
        if (record) this.#window.judge(record.transactionId, record.label);
      }
      this.#labelOffsets[partition] = batch.next;
      moved = true;
    }
    return moved;
  }

  /** Decides about the next boundary, if everything that it needs has been read; returns whether it did. */
  async decide(): Promise<boolean> {
    const start = await this.#start();
    if (start === undefined || !await this.#hasPassed()) return false;
    const { folder, everyDays } = this.#options.training;
    const { control, logger } = this.#context;
    const day = this.#next;
    const began = performance.now();
    const outcome = await this.#challenge(day, start);
    const { challenger, wins, reason } = outcome;
    if (challenger) {
      keepVersion(folder, challenger.version, formatModelFile(challenger));
    }
    const registry = await changeRegistry(folder, (before) => {
      const decided = {
        ...before,
        decidedDay: day + everyDays,
        ...control.isScored && { openDay: this.#monitor.openDay },
      };
      if (!challenger) return decided;
      const { metrics, championMetrics } = outcome;
      return withEntry(decided, {
        day,
        action: wins ? "promoted" : "kept",
        version: challenger.version,
        champion: wins ? challenger.version : before.champion ?? "",
        reason,
        date: formatDate(start + day * DAY_SECONDS),
        ...trainingDates(challenger.training),
        ...metrics && { metrics },
        ...championMetrics && { championMetrics },
      });
    });
    logger.info(wins ? "challenger promoted" : "champion stays", {
      day,
      challenger: challenger?.version,
      champion: registry.champion,
      reason,
      milliseconds: Math.round(performance.now() - began),
    });
    this.#next = day + everyDays;
    this.#window.dropBefore(
      Math.min(this.#firstDayOf(this.#next), this.#monitor.needsFrom),
    );
    return true;
  }

  async #challenge(day: number, start: number): Promise<Challenge> {
    const { training: { folder, trainDays, model } } = this.#options;
    const features = featuresOf(this.#context);
    const { champion } = readRegistry(folder);
    const delayDays = labelDays(this.#context.parameters);
    const days = challengeDays(day, {
      delayDays,
      trainDays,
      hasChampion: champion !== null,
    });
    const opened = champion === null
      ? undefined
      : await modelInUse(openVersion(folder, champion), features);
    return await challenge({
      payments: this.#window.payments(days.trainFrom, days.judgeTo, {
        startSeconds: start,
        asOf: day * DAY_SECONDS,
      }),
      days,
      delayDays,
      model,
      features,
      champion: opened?.scorer,
    });
  }

  #start(): Promise<number | undefined> {
    return this.#context.control.startSeconds(this.#options.startSeconds);
  }

  /**
   * Whether every partition has passed the next boundary: the payments up to
   * the delay before it are then complete, since the partitions of the source
   * are aligned within the delay. Labels that arrive later are complete up to
   * the boundary itself.
   */
  async #hasPassed(): Promise<boolean> {
    if (this.#offsets === undefined) return false;
    const bound = this.#next * DAY_SECONDS;
    if (this.#labelledSeconds < bound) return false;
    const late = [...this.#progress.keys()].filter((partition) =>
      this.#progress[partition] < bound
    );
    if (late.length === this.#progress.length) return false;
    for (const partition of late) {
      if (!await this.#isIdle(partition, bound)) return false;
    }
    return true;
  }

  /** TX_TIME_SECONDS up to which all labels have been read that can be learned from by then; Infinity where payments carry theirs. */
  get #labelledSeconds(): number {
    return (this.#lateLabels?.completeSeconds ?? Infinity) - 1;
  }

  /** Whether a partition without recent payments can no longer get any from before a time. */
  async #isIdle(partition: number, bound: number): Promise<boolean> {
    const { log, parameters } = this.#context;
    const source = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
    const reached = bound + parameters.latenessSeconds;
    if (source.some((commit) => parseCommit(commit).progress < reached)) {
      return false;
    }
    const repartitioned = await log.endOffsets(REPARTITION_TOPIC) ?? [];
    const taken = await log.committed(TERMINAL_GROUP, REPARTITION_TOPIC);
    const offset = takenOffset(taken[partition]);
    if (offset < repartitioned[partition]) return false;
    const ends = await log.endOffsets(SINK_TOPIC) ?? [];
    return (this.#offsets?.[partition] ?? 0) >= ends[partition];
  }

  /** Whether the stream has ended and all of it is trained on and measured. */
  async isDone(): Promise<boolean> {
    const { control } = this.#context;
    if (!this.#ended && await this.#hasEnded()) {
      this.#ended = true;
      // The payments after the last boundary need not wait for another.
      await changeRegistry(this.#options.training.folder, (registry) => {
        return { ...registry, ended: true };
      });
    }
    if (this.#ended && !control.isScored) return true;
    const reached = this.#ended
      ? Infinity
      : Math.min(...this.#progress, this.#labelledSeconds);
    return await this.#monitor.measure(reached, await this.#start());
  }

  async #hasEnded(): Promise<boolean> {
    const { log } = this.#context;
    if (this.#labelledSeconds < Infinity) return false;
    if (!await isComplete(this.#context, SINK_TOPIC)) return false;
    const ends = await log.endOffsets(SINK_TOPIC) ?? [];
    const offsets = this.#offsets ?? [];
    return ends.every((end, partition) => (offsets[partition] ?? 0) >= end);
  }
}

/** The first model of a new registry. */
async function readFirst(path: string, features: FeatureParameters) {
  const { version, trained } = await modelInUse(openModel(path), features);
  if (!trained) {
    throw new ModelError(
      `${path}: a registry keeps models that were trained here; give --model ` +
        "a file of './fraudstream train', or leave it out",
    );
  }
  const { metrics, training } = trained;
  return { version, text: formatModelFile(trained), metrics, training };
}
