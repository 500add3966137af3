/**
 * The processor's second stage: adds the terminal features and writes the sink
 * topic. It takes rows in log order and never waits: the first stage has
 * aligned them. A record is a pack of rows, taken as a whole. Labels among them
 * go into the windows and lead to nothing else.
 */
import {
  FeatureJsonReader,
  FeatureJsonWriter,
} from "../features/feature_row.ts";
import { CELL, fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import {
  TerminalOperator,
  writeCalendarFlags,
} from "../features/feature_operator.ts";
import {
  customerPlaces,
  featureCount,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../features/parameters.ts";
import {
  type RecordBatch,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { DAY_SECONDS, emptyPayment } from "../payment/payment.ts";
import {
  implausible,
  isPlausible,
  Progress,
  type Verdict,
} from "../stream/checks.ts";
import type { StreamParameters } from "../stream/control.ts";
import {
  hasLabelRows,
  packedLabel,
  packWidth,
  readPack,
} from "../stream/pack.ts";
import { type RecoverableWork } from "../stream/recovery.ts";
import { openStage } from "../stream/opening.ts";
import type {
  Output,
  Stage,
  StageMemory,
  StageRun,
  StageState,
} from "../stream/stage.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import {
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
} from "../stream/topics.ts";

/** The second stage: about 4,000 payments per step. */
const STAGE: Stage = {
  group: TERMINAL_GROUP,
  input: REPARTITION_TOPIC,
  output: SINK_TOPIC,
  limit: { records: 4096, bytes: 1 << 19 },
  writesLetters: true,
  markedBytes: 1024,
};

/** The second stage of a stream. */
export function terminalStage(context: StreamContext): StageRun<void> {
  return {
    stage: STAGE,
    open: (partition, commit) =>
      openStage({
        context,
        stage: STAGE,
        partition,
        commit,
        work: (state) => new TerminalWork(context.parameters, state),
      }),
  };
}

class TerminalWork implements RecoverableWork {
  readonly taken = { rows: 0, emitted: 0, frauds: 0, labels: 0 };
  readonly memory: StageMemory;
  readonly outputs: readonly number[];
  readonly #parameters: StreamParameters;
  readonly #partition: number;
  readonly #operator: TerminalOperator;
  readonly #progress: Progress;
  readonly #row = emptyPayment();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #layout: TotalsLayout;
  readonly #values: Float64Array;
  readonly #width: number;
  readonly #hasLabels: boolean;
  readonly #json: FeatureJsonWriter;
  #pack: Float64Array = new Float64Array(0);

  constructor(
    parameters: StreamParameters,
    { partition, progress }: StageState,
  ) {
    const { features } = parameters;
    // Partitions of the source drift by up to the delay against each other.
    const slackSeconds = Math.max(7, features.delayDays) * DAY_SECONDS;
    this.outputs = [partition];
    this.#parameters = parameters;
    this.#partition = partition;
    this.#operator = new TerminalOperator(features, slackSeconds);
    this.#progress = progress;
    this.memory = this.#operator;
    progress.remember(this.#operator.windows.keepSeconds);
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#layout = totalsLayout(features);
    this.#values = new Float64Array(featureCount(features));
    this.#width = packWidth(features);
    this.#hasLabels = hasLabelRows(features);
    this.#json = new FeatureJsonWriter(features);
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const parameters = this.#parameters;
    const pack = readPack(recordValue(batch, index), parameters.features);
    if (typeof pack === "string") {
      return { reason: "unreadable pack", message: pack };
    }
    let progress = this.#progress.seconds;
    for (let at = 0; at < pack.length; at += this.#width) {
      if (this.#isLabel(pack, at)) continue;
      const time = pack[at + CELL.time];
      if (!isPlausible(time, progress, parameters)) {
        const subject = `a pack with TX_TIME_SECONDS ${time},`;
        return implausible(subject, parameters);
      }
      if (time > progress) progress = time;
    }
    this.#pack = pack;
    return "accept";
  }

  take(offset: number, output: Output | undefined): void {
    const pack = this.#pack;
    const { taken } = this;
    taken.rows = pack.length / this.#width;
    taken.frauds = taken.labels = 0;
    const records = output?.to(this.#partition);
    for (let at = 0; at < pack.length; at += this.#width) {
      if (this.#isLabel(pack, at)) {
        this.#takeLabel(pack, at);
        continue;
      }
      this.#takeRow(pack, at, offset);
      taken.frauds += this.#row.fraud;
      if (!records) continue;
      totalsToValues(this.#totals, this.#layout, this.#values);
      records.writer.whole(this.#row.terminalId);
      records.endKey();
      this.#json.write(records.writer, this.#row, this.#values);
      records.endRecord(this.#row.datetimeSeconds * 1000);
    }
    taken.emitted = taken.rows - taken.labels;
  }

  /** Whether the row of a pack is a label. */
  #isLabel(pack: Float64Array, at: number): boolean {
    return this.#hasLabels && packedLabel(pack, at, this.#width) >= 0;
  }

  /** Takes a label into the windows. */
  #takeLabel(pack: Float64Array, at: number): void {
    this.taken.labels++;
    this.#operator.takeLabel(pack[at + CELL.terminal], {
      transactionId: pack[at + CELL.id],
      timeSeconds: pack[at + CELL.time],
      knownSeconds: packedLabel(pack, at, this.#width),
      fraud: pack[at + CELL.fraud] === 1 ? 1 : 0,
    }, this.#progress.seconds);
  }

  /** Takes a row into the state and writes its totals. */
  #takeRow(pack: Float64Array, at: number, offset: number): void {
    const row = this.#row;
    fromCells(pack, at, row);
    const progress = this.#progress;
    progress.advance(row.timeSeconds, offset);
    this.#addCustomerHalf(pack, at);
    this.#operator.process(row, progress.seconds, this.#totals);
  }

  /** The first stage's result, and the calendar flags. */
  #addCustomerHalf(pack: Float64Array, at: number): void {
    const totals = this.#totals;
    writeCalendarFlags(this.#row.datetimeSeconds, totals, 0);
    const places = this.#places;
    for (let i = 0; i < places.length; i++) {
      totals[places[i]] = pack[at + PAYMENT_CELLS + i];
    }
  }

  rows(): { id: number; partition: number }[] {
    const pack = this.#pack;
    const rows: { id: number; partition: number }[] = [];
    for (let at = 0; at < pack.length; at += this.#width) {
      if (this.#isLabel(pack, at)) continue;
      rows.push({ id: pack[at + CELL.id], partition: this.#partition });
    }
    return rows;
  }

  reader(): (batch: RecordBatch) => { id: number }[] {
    const reader = new FeatureJsonReader(this.#parameters.features);
    const progress = new Progress(this.#parameters);
    const cells = new Float64Array(PAYMENT_CELLS + this.#values.length);
    return (batch) => {
      const rows: { id: number }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        const defect = reader.read(batch.bytes, from, to, undefined, cells, 0);
        if (defect || !progress.passes(cells[CELL.time])) continue;
        rows.push({ id: cells[CELL.id] });
      }
      return rows;
    };
  }
}
