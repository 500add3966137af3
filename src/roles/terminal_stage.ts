/**
 * The processor's second stage: adds the terminal features and writes the sink
 * topic. It takes rows in log order and never waits: the first stage has
 * aligned them. A record is a pack of rows, taken as a whole. Labels among them
 * go into the windows and lead to nothing else.
 */
import {
  FeatureJsonReader,
  FeatureJsonWriter,
  featureRowCells,
} from "../features/feature_row.ts";
import { type DeclaredPart, declaredPart } from "../features/declared_part.ts";
import { IdDigests } from "../features/id_digest.ts";
import type { ArrivedLabel } from "../features/label_windows.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { CELL, fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import {
  TerminalOperator,
  writeCalendarFlags,
} from "../features/feature_operator.ts";
import {
  customerPlaces,
  featureCount,
  type FeatureParameters,
  hasHandbook,
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
  keptPlace,
  packedLabel,
  packTexts,
  packWidth,
  readPack,
} from "../stream/pack.ts";
import { type RecoverableWork } from "../stream/recovery.ts";
import { openStage } from "../stream/opening.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
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

/** How far payments of the second stage may be out of order: partitions of the source drift by up to the delay against each other. */
export function terminalSlackSeconds(
  { delayDays }: Pick<FeatureParameters, "delayDays">,
): number {
  return Math.max(7, delayDays) * DAY_SECONDS;
}

/** The same for windows that a definition declares: on one partition the log is in the order of the first stage. */
export function declaredSlackSeconds(
  { partitions, features, latenessSeconds }: StreamParameters,
): number {
  return partitions === 1 ? latenessSeconds : terminalSlackSeconds(features);
}

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
  readonly memory: StageMemory = {
    save: (sink) => {
      this.#digests?.save(sink);
      this.#operator?.save(sink);
      this.#declared?.save(sink);
    },
    load: (source) => {
      this.#digests?.load(source);
      this.#operator?.load(source);
      this.#declared?.load(source);
    },
  };
  readonly outputs: readonly number[];
  readonly #parameters: StreamParameters;
  readonly #shape: PaymentShape;
  // Of streams whose payments are not the handbook's.
  readonly #digests: IdDigests | undefined;
  readonly #partition: number;
  // Undefined in a stream without the handbook's features.
  readonly #operator: TerminalOperator | undefined;
  // Undefined where nothing is declared.
  readonly #declared: DeclaredPart | undefined;
  readonly #progress: Progress;
  readonly #row = emptyPayment();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #layout: TotalsLayout;
  readonly #values: Float64Array;
  readonly #width: number;
  readonly #json: FeatureJsonWriter;
  #pack: Float64Array = new Float64Array(0);
  readonly #texts = new TextHeap();

  constructor(
    parameters: StreamParameters,
    { partition, progress }: StageState,
  ) {
    const { features } = parameters;
    const slackSeconds = terminalSlackSeconds(features);
    this.outputs = [partition];
    this.#parameters = parameters;
    this.#partition = partition;
    const shape = shapeOfStream(parameters);
    this.#shape = shape;
    this.#digests = shape === HANDBOOK_SHAPE ? undefined : new IdDigests(shape);
    this.#operator = hasHandbook(features)
      ? new TerminalOperator(features, slackSeconds, this.#digests)
      : undefined;
    this.#declared = declaredPart(features, {
      part: "later",
      shape,
      keptFrom: keptPlace(features),
      slackSeconds: declaredSlackSeconds(parameters),
    });
    this.#progress = progress;
    progress.remember(Math.max(
      this.#operator?.windows.keepSeconds ?? 0,
      this.#declared?.keepSeconds ?? 0,
    ));
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#layout = totalsLayout(features);
    this.#values = new Float64Array(featureCount(features));
    this.#width = packWidth(features, shape);
    this.#json = new FeatureJsonWriter(features, shape, keptPlace(features));
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const parameters = this.#parameters;
    const bytes = recordValue(batch, index);
    const pack = readPack(bytes, parameters.features, this.#shape);
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
    if (this.#digests) this.#texts.wrap(packTexts(bytes));
    return "accept";
  }

  take(offset: number, output: Output | undefined): void {
    const pack = this.#pack;
    const { taken } = this;
    taken.rows = pack.length / this.#width;
    taken.frauds = taken.labels = 0;
    const records = output?.to(this.#partition);
    const isTextKey = this.#shape.terminalId === "text";
    for (let at = 0; at < pack.length; at += this.#width) {
      if (this.#isLabel(pack, at)) {
        this.#takeLabel(pack, at);
        continue;
      }
      this.#takeRow(pack, at, offset);
      if (this.#row.fraud === 1) taken.frauds++;
      if (!records) continue;
      totalsToValues(this.#totals, this.#layout, this.#values);
      const { writer } = records;
      if (isTextKey) writer.bytes(this.#texts.view(this.#row.terminalId));
      else writer.whole(this.#row.terminalId);
      records.endKey();
      this.#json.writeCells(writer, pack, at, this.#values, this.#texts);
      records.endRecord(this.#row.datetimeSeconds * 1000);
    }
    taken.emitted = taken.rows - taken.labels;
  }

  /** Whether the row of a pack is a label. */
  #isLabel(pack: Float64Array, at: number): boolean {
    return this.#shape.hasLabels && packedLabel(pack, at, this.#width) >= 0;
  }

  /** Takes a label into the windows. */
  #takeLabel(pack: Float64Array, at: number): void {
    this.taken.labels++;
    this.#digests?.takeId(pack[at + CELL.id], this.#texts);
    this.#digests?.takeTerminal(pack[at + CELL.terminal], this.#texts);
    const label: ArrivedLabel = {
      timeSeconds: pack[at + CELL.time],
      knownSeconds: packedLabel(pack, at, this.#width),
      fraud: pack[at + CELL.fraud] === 1 ? 1 : 0,
    };
    const { seconds } = this.#progress;
    this.#operator?.takeLabel(label, seconds);
    if (!this.#declared || !this.#digests) return;
    const { words } = this.#digests;
    this.#declared.takeLabel(pack, at, this.#texts, words, label, seconds);
  }

  /** Takes a row into the state and writes its totals. */
  #takeRow(pack: Float64Array, at: number, offset: number): void {
    const row = this.#row;
    fromCells(pack, at, row);
    const progress = this.#progress;
    progress.advance(row.timeSeconds, offset);
    this.#addCustomerHalf(pack, at);
    if (this.#operator) {
      this.#digests?.takeTerminal(row.terminalId, this.#texts);
      this.#operator.process(row, progress.seconds, this.#totals);
    }
    if (!this.#declared) return;
    const { seconds } = progress;
    this.#declared.process(pack, at, this.#texts, seconds, this.#totals);
  }

  /** The first stage's result, and the calendar flags. */
  #addCustomerHalf(pack: Float64Array, at: number): void {
    const totals = this.#totals;
    if (this.#operator) {
      writeCalendarFlags(this.#row.datetimeSeconds, totals, 0);
    }
    const places = this.#places;
    for (let i = 0; i < places.length; i++) {
      totals[places[i]] = pack[at + PAYMENT_CELLS + i];
    }
  }

  rows(): { id: number | string; partition: number }[] {
    const pack = this.#pack;
    const rows: { id: number | string; partition: number }[] = [];
    for (let at = 0; at < pack.length; at += this.#width) {
      if (this.#isLabel(pack, at)) continue;
      const id = this.#idOf(pack[at + CELL.id], this.#texts);
      rows.push({ id, partition: this.#partition });
    }
    return rows;
  }

  #idOf(cell: number, texts: TextHeap): number | string {
    return this.#shape.transactionId === "text" ? texts.text(cell) ?? "" : cell;
  }

  reader(): (batch: RecordBatch) => { id: number | string }[] {
    const { features } = this.#parameters;
    const reader = new FeatureJsonReader(features, this.#shape);
    const progress = new Progress(this.#parameters);
    const cells = new Float64Array(featureRowCells(features, this.#shape));
    const texts = new TextHeap();
    return (batch) => {
      const rows: { id: number | string }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        const { bytes } = batch;
        texts.clear();
        const defect = reader.read(bytes, from, to, undefined, cells, 0, texts);
        if (defect || !progress.passes(cells[CELL.time])) continue;
        rows.push({ id: this.#idOf(cells[CELL.id], texts) });
      }
      return rows;
    };
  }
}
