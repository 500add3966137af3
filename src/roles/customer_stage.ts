/**
 * The processor's first stage: checks each payment (readable, in its place,
 * plausible, duplicate, late, in this order), adds the customer features, and
 * passes the rows on in packs by terminal. Where labels arrive on their own, it
 * passes them on among the payments and appends those that it accepts to a
 * separate topic; they move no progress and never wait. Its output is a
 * function of the log.
 */
import {
  CELL,
  fromCells,
  PAYMENT_CELLS,
  toCells,
} from "../payment/payment_cells.ts";
import type { NamedValue } from "../definition/expression.ts";
import { paymentValues } from "../features/declared_features.ts";
import { type DeclaredPart, declaredPart } from "../features/declared_part.ts";
import { keysOfFeatures, MissingKeys } from "../features/missing_keys.ts";
import { CustomerOperator } from "../features/feature_operator.ts";
import type { ArrivedLabel } from "../features/label_windows.ts";
import { IdDigests } from "../features/id_digest.ts";
import {
  customerPlaces,
  featureCount,
  hasHandbook,
  routingField,
} from "../features/parameters.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import {
  type RecordBatch,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { emptyPayment, type TransactionId } from "../payment/payment.ts";
import {
  LabelJsonWriter,
  PaymentJsonReader,
  ShapedJsonReader,
} from "../payment/payment_json.ts";
import {
  HANDBOOK_SHAPE,
  labelCells,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../payment/text_heap.ts";
import type { Defect } from "../payment/validation.ts";
import { Alignment, alignmentSeconds } from "../stream/alignment.ts";
import {
  implausible,
  isLate,
  late,
  Progress,
  type Verdict,
  whatIsKnown,
  whyNotTaken,
} from "../stream/checks.ts";
import type { CommitReader } from "../stream/commit.ts";
import {
  customerReplaySeconds,
  rememberedSeconds,
  type StreamParameters,
} from "../stream/control.ts";
import { Ledger } from "../stream/ledger.ts";
import {
  keptPlace,
  PackBuilder,
  packedLabel,
  packSource,
  packTexts,
  packWidth,
  readPack,
} from "../stream/pack.ts";
import { Placement } from "../stream/placement.ts";
import { type RecoverableWork } from "../stream/recovery.ts";
import { openStage } from "../stream/opening.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type {
  Hold,
  Output,
  Stage,
  StageMemory,
  StageRun,
  StageState,
} from "../stream/stage.ts";
import { featuresOf, type StreamContext } from "../stream/stream_context.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** The first stage: about 4,000 payments per step. */
const STAGE: Stage = {
  group: CUSTOMER_GROUP,
  input: TRANSACTION_TOPIC,
  output: REPARTITION_TOPIC,
  limit: { records: 4096, bytes: 4 << 20 },
  writesLetters: true,
  markedBytes: 1024,
};

/** The first stage of a stream. `commits` reads the commits of all partitions for the alignment; `startSeconds` is midnight of the first day, for payments of another program. */
export function customerStage(
  context: StreamContext,
  commits: CommitReader,
  startSeconds: number | undefined,
): StageRun<void> {
  return {
    stage: STAGE,
    open: (partition, commit) =>
      openStage({
        context,
        stage: STAGE,
        partition,
        commit,
        work: (state) =>
          new CustomerWork(context, state, commits, startSeconds),
      }),
  };
}

/** Payments after which keys that most of them lack are reported. */
const KEYS_JUDGED = 1000;

class CustomerWork implements RecoverableWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0, labels: 0 };
  readonly memory: StageMemory = {
    save: (sink) => {
      this.#digests?.save(sink);
      this.#ledger.save(sink);
      this.#operator?.save(sink);
      this.#declared?.save(sink);
    },
    load: (source) => {
      this.#digests?.load(source);
      this.#ledger.load(source);
      this.#operator?.load(source);
      this.#declared?.load(source);
    },
  };
  readonly outputs: readonly number[];
  readonly #context: StreamContext;
  readonly #startOtherwise: number | undefined;
  readonly #partition: number;
  readonly #parameters: StreamParameters;
  // Undefined in a stream without the handbook's features.
  readonly #operator: CustomerOperator | undefined;
  // Undefined where nothing is declared.
  readonly #declared: DeclaredPart | undefined;
  // Of all keys, until the first payments have been judged by it.
  #missingKeys: MissingKeys | undefined;
  readonly #alignment: Alignment;
  readonly #ledger: Ledger;
  readonly #progress: Progress;
  readonly #reader = new PaymentJsonReader();
  readonly #shape: PaymentShape;
  readonly #labelJson: LabelJsonWriter;
  // Of streams whose payments are not the handbook's.
  readonly #ownReader: ShapedJsonReader | undefined;
  readonly #digests: IdDigests | undefined;
  // Where the text of an id lies; undefined where the id is a number.
  readonly #idTexts: TextHeap | undefined;
  readonly #customerTexts: TextHeap | undefined;
  // The field that decides where a row goes.
  readonly #route: NamedValue;
  readonly #keptPlace: number;
  readonly #row = emptyPayment();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #partitioner: IdPartitioner;
  readonly #placement: Placement;
  readonly #packs: PackBuilder[];
  #startSeconds: number | undefined;
  #bound = -Infinity;
  #hasLooked = false;
  #hasOldPacks = false;

  constructor(
    context: StreamContext,
    { partition, progress }: StageState,
    commits: CommitReader,
    startSeconds: number | undefined,
  ) {
    const { log, parameters } = context;
    const { partitions, latenessSeconds } = parameters;
    const features = featuresOf(context);
    this.#context = context;
    this.#startOtherwise = startSeconds;
    this.#partition = partition;
    this.#parameters = parameters;
    this.#alignment = new Alignment({
      log,
      group: CUSTOMER_GROUP,
      topic: TRANSACTION_TOPIC,
      partition,
      aheadSeconds: alignmentSeconds(features, latenessSeconds),
      commits,
    });
    const shape = shapeOfStream(parameters);
    this.#shape = shape;
    if (shape !== HANDBOOK_SHAPE) {
      const { texts } = this.#ownReader = new ShapedJsonReader(shape);
      this.#digests = new IdDigests(shape);
      this.#idTexts = shape.transactionId === "text" ? texts : undefined;
      this.#customerTexts = shape.customerId === "text" ? texts : undefined;
    }
    const fields = paymentValues(shape, PAYMENT_CELLS);
    const route = fields.get(routingField(features));
    if (!route) throw new Error("payments have no field to be routed by");
    this.#route = route;
    this.#labelJson = new LabelJsonWriter(shape, { isAccepted: true });
    this.#keptPlace = keptPlace(features);
    this.#operator = hasHandbook(features)
      ? new CustomerOperator(features, latenessSeconds, this.#digests)
      : undefined;
    this.#declared = declaredPart(features, {
      part: "customer",
      shape,
      keptFrom: PAYMENT_CELLS,
      slackSeconds: latenessSeconds,
    });
    this.#missingKeys = features.declared &&
      new MissingKeys(keysOfFeatures(features.declared), fields);
    this.#ledger = new Ledger(rememberedSeconds(parameters), this.#digests);
    this.#progress = progress;
    progress.remember(customerReplaySeconds(parameters));
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#partitioner = new IdPartitioner(partitions);
    this.#placement = new Placement(parameters, partition);
    this.#packs = Array.from(
      { length: partitions },
      () => new PackBuilder(features, partition, shape),
    );
    this.outputs = [...this.#packs.keys()];
  }

  async begin(): Promise<void> {
    const { control } = this.#context;
    this.#startSeconds = await control.startSeconds(this.#startOtherwise);
  }

  refresh(): void {
    this.#bound = this.#alignment.sure;
    this.#hasLooked = false;
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const row = this.#row;
    const defect = this.#read(batch, index);
    if (defect) return defect;
    const misplaced = this.#placement.check(
      batch,
      index,
      row.customerId,
      this.#customerTexts,
    );
    if (misplaced) return misplaced;
    if (this.#ownReader?.isLabel) return this.#judgeLabel(this.#ownReader);
    const parameters = this.#parameters;
    const { seconds } = this.#progress;
    if (!this.#progress.isPlausible(row.timeSeconds)) {
      const subject = `TX_DATETIME ${formatDatetime(row.datetimeSeconds)} is`;
      return implausible(subject, parameters);
    }
    const known = whatIsKnown(this.#ledger, row, seconds, this.#idTexts);
    if (known !== undefined) return known;
    if (isLate(row.timeSeconds, seconds, parameters)) {
      const newest = `the partition's newest payment at ${seconds}`;
      return late(row.timeSeconds, parameters, newest);
    }
    return row.timeSeconds < this.#bound ? "accept" : "look";
  }

  /** Judges the label just read. */
  #judgeLabel({ knownSeconds }: ShapedJsonReader): Verdict {
    const { transactionId, timeSeconds } = this.#row;
    const payment = { transactionId: this.#id(transactionId), timeSeconds };
    const { seconds } = this.#progress;
    return whyNotTaken(payment, knownSeconds, seconds, this.#parameters) ??
      "accept";
  }

  /** The TRANSACTION_ID of a cell. */
  #id(cell: number): TransactionId {
    return this.#idTexts?.text(cell) ?? cell;
  }

  /** Reads a record into the row. */
  #read(batch: RecordBatch, index: number): Defect | undefined {
    const { bytes } = batch;
    const [start, end] = [valueStart(batch, index), valueEnd(batch, index)];
    const row = this.#row;
    const reader = this.#ownReader;
    if (reader === undefined) {
      return this.#reader.read(bytes, start, end, this.#startSeconds, row);
    }
    const defect = reader.read(bytes, start, end, this.#startSeconds);
    if (defect) return defect;
    const { cells, texts } = reader;
    fromCells(cells, 0, row);
    this.#digests?.takeId(row.transactionId, texts);
    this.#digests?.takeCustomer(row.customerId, texts);
    this.#digests?.takeTerminal(row.terminalId, texts);
    return undefined;
  }

  /** Partition of the output that the row goes to: that of its terminal, or of the value by which it is routed; 0 where it has none. */
  #target(): number {
    const reader = this.#ownReader;
    if (reader === undefined) {
      return this.#partitioner.partition(this.#row.terminalId);
    }
    const { cell, type } = this.#route;
    const value = reader.cells[cell];
    if (type === "text") {
      if (value === NO_TEXT) return 0;
      return this.#partitioner.partitionOfText(reader.texts.view(value));
    }
    return Number.isNaN(value) ? 0 : this.#partitioner.partition(value);
  }

  /** Reads the other partitions' progress, once per step. */
  async look(): Promise<Hold | undefined> {
    const { timeSeconds } = this.#row;
    if (!this.#hasLooked) this.#bound = await this.#alignment.look();
    this.#hasLooked = true;
    return timeSeconds < this.#bound ? undefined : { head: timeSeconds };
  }

  take(offset: number, output: Output | undefined): void {
    const reader = this.#ownReader;
    const isLabel = reader?.isLabel ?? false;
    this.taken.labels = isLabel ? 1 : 0;
    this.taken.emitted = isLabel ? 0 : 1;
    if (reader && isLabel) {
      this.taken.frauds = 0;
      this.#takeLabel(output, reader);
      return;
    }
    const row = this.#row;
    const progress = this.#progress;
    progress.advance(row.timeSeconds, offset);
    this.#operator?.process(row, progress.seconds, this.#totals);
    if (this.#declared && reader) {
      const { cells, texts } = reader;
      this.#declared.process(cells, 0, texts, progress.seconds, this.#totals);
      if (this.#missingKeys) this.#countKeys(this.#missingKeys, cells);
    }
    this.#ledger.add(row, progress.seconds, offset);
    this.taken.frauds = row.fraud === 1 ? 1 : 0;
    if (output) this.#pack(output, 0);
  }

  /** Counts the keys of a payment, and warns of those that most of the first payments lack. */
  #countKeys(keys: MissingKeys, cells: Float64Array): void {
    keys.add(cells, 0);
    if (keys.payments < KEYS_JUDGED) return;
    this.#missingKeys = undefined;
    for (const { feature, by, missing, payments } of keys.most()) {
      const key = by.join(" + ");
      const message = "most payments have no value in the key of a feature, " +
        "which does not count them; choose another key";
      const fields = { feature, key, missing, payments };
      this.#context.logger.warn(message, fields);
    }
  }

  /** Takes the label just read into the windows, passes it on, and says from when on it can be learned from. */
  #takeLabel(output: Output | undefined, reader: ShapedJsonReader): void {
    const row = this.#row;
    const { cells, texts, knownSeconds } = reader;
    if (this.#declared && this.#digests) {
      const { timeSeconds } = row;
      const fraud = row.fraud === 1 ? 1 : 0;
      const label: ArrivedLabel = { timeSeconds, knownSeconds, fraud };
      const { words } = this.#digests;
      const { seconds } = this.#progress;
      this.#declared.takeLabel(cells, 0, texts, words, label, seconds);
    }
    if (!output) return;
    const start = row.datetimeSeconds - row.timeSeconds;
    const knownTime = start + Math.max(knownSeconds, this.#progress.seconds);
    cells[labelCells(this.#shape).knownTime] = knownTime;
    const records = output.beside(TRANSACTION_LABEL_TOPIC);
    const { writer } = records;
    if (this.#idTexts) writer.bytes(texts.view(row.transactionId));
    else writer.whole(row.transactionId);
    records.endKey();
    this.#labelJson.write(writer, cells, 0, texts);
    records.endRecord(knownTime * 1000);
    // A withdrawn label counts as a genuine one.
    row.fraud = row.fraud === 1 ? 1 : 0;
    row.scenario = 0;
    this.#totals.fill(0);
    this.#pack(output, 1 + knownSeconds);
  }

  /** Puts the row and its customer totals into the pack of its terminal; `label` is 0 for a payment. */
  #pack(output: Output, label: number): void {
    const partition = this.#target();
    const pack = this.#packs[partition];
    if (pack.isFull) endPack(pack, output, partition);
    const at = pack.next();
    const { cells } = pack;
    toCells(this.#row, cells, at);
    const totals = this.#totals;
    const places = this.#places;
    for (let i = 0; i < places.length; i++) {
      cells[at + PAYMENT_CELLS + i] = totals[places[i]];
    }
    if (this.#shape.hasLabels) {
      cells[at + this.#keptPlace + this.#shape.kept.length] = label;
    }
    if (this.#ownReader) this.#keep(this.#ownReader, pack, at);
  }

  /** Puts the kept fields and the texts into a row of a pack. */
  #keep(reader: ShapedJsonReader, pack: PackBuilder, at: number): void {
    const { cells } = pack;
    const kept = at + this.#keptPlace;
    for (let i = 0; i < this.#shape.kept.length; i++) {
      cells[kept + i] = reader.cells[PAYMENT_CELLS + i];
    }
    pack.takeTexts(at, reader.texts);
  }

  finish(output: Output): void {
    for (const [partition, pack] of this.#packs.entries()) {
      if (pack.count > 0) endPack(pack, output, partition);
    }
  }

  rows(): { id: number | string; partition: number }[] {
    const id = this.#id(this.#row.transactionId);
    const isLabel = this.#ownReader?.isLabel ?? false;
    return [{ id: isLabel ? labelRow(id) : id, partition: this.#target() }];
  }

  /** Old packs do not say where a misplaced payment lay. */
  isUncertain(): boolean {
    if (!this.#hasOldPacks) return false;
    const home = this.#placement.partition(this.#row.customerId);
    return home !== this.#partition;
  }

  /** Reads the rows in packs that come from this partition; of old packs those whose card belongs to it. */
  reader(): (batch: RecordBatch) => { id: number | string }[] {
    const { features } = this.#parameters;
    const shape = this.#shape;
    const width = packWidth(features, shape);
    const { hasLabels } = shape;
    const progress = new Progress(this.#parameters);
    const texts = new TextHeap();
    return (batch) => {
      const rows: { id: number | string }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const bytes = recordValue(batch, i);
        const pack = readPack(bytes, features, shape);
        if (!(pack instanceof Float64Array)) continue;
        texts.wrap(packTexts(bytes));
        const source = packSource(bytes);
        if (source === undefined) this.#hasOldPacks = true;
        for (let at = 0; at < pack.length; at += width) {
          const isLabel = hasLabels && packedLabel(pack, at, width) >= 0;
          if (!isLabel && !progress.passes(pack[at + CELL.time])) continue;
          // Packs with texts are younger than that.
          const from = source ??
            this.#placement.partition(pack[at + CELL.customer]);
          if (from !== this.#partition) continue;
          const cell = pack[at + CELL.id];
          const id = this.#idTexts ? texts.text(cell) ?? "" : cell;
          rows.push({ id: isLabel ? labelRow(id) : id });
        }
      }
      return rows;
    };
  }
}

/** What a label is compared by, which no payment is. */
function labelRow(id: TransactionId): TransactionId {
  return typeof id === "number" ? -1 - id : `\0${id}`;
}

/** Makes a record of a pack. */
function endPack(pack: PackBuilder, output: Output, partition: number): void {
  const records = output.to(partition);
  records.endKey();
  records.writer.bytes(pack.bytes());
  records.endRecord(pack.newestMs());
  pack.clear();
}
