/**
 * The processor's first stage: checks each payment (readable, in its place,
 * plausible, duplicate, late, in this order), adds the customer features, and
 * passes the rows on in packs by terminal. Where labels arrive on their own, it
 * passes them on among the payments and appends those that it accepts to a
 * separate topic; they move no progress and never wait. Its output is a
 * function of the log.
 */
import { CELL, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { CustomerOperator } from "../features/feature_operator.ts";
import { customerPlaces, featureCount } from "../features/parameters.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import {
  type RecordBatch,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { emptyPayment } from "../payment/payment.ts";
import {
  UnlabelledJsonReader,
  UnlabelledJsonWriter,
} from "../payment/label_record.ts";
import { PaymentJsonReader } from "../payment/payment_json.ts";
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
  hasLabelRows,
  PackBuilder,
  packedLabel,
  packSource,
  packWidth,
  readPack,
} from "../stream/pack.ts";
import { Placement } from "../stream/placement.ts";
import { type RecoverableWork } from "../stream/recovery.ts";
import { openStage } from "../stream/opening.ts";
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

class CustomerWork implements RecoverableWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0, labels: 0 };
  readonly memory: StageMemory = {
    save: (sink) => {
      this.#ledger.save(sink);
      this.#operator.save(sink);
    },
    load: (source) => {
      this.#ledger.load(source);
      this.#operator.load(source);
    },
  };
  readonly outputs: readonly number[];
  readonly #context: StreamContext;
  readonly #startOtherwise: number | undefined;
  readonly #partition: number;
  readonly #parameters: StreamParameters;
  readonly #operator: CustomerOperator;
  readonly #alignment: Alignment;
  readonly #ledger: Ledger;
  readonly #progress: Progress;
  // Where labels arrive on their own.
  readonly #unlabelled: UnlabelledJsonReader | undefined;
  readonly #labelJson = new UnlabelledJsonWriter();
  readonly #reader: PaymentJsonReader | UnlabelledJsonReader;
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
    this.#unlabelled = features.graceSeconds === undefined
      ? undefined
      : new UnlabelledJsonReader();
    this.#reader = this.#unlabelled ?? new PaymentJsonReader();
    this.#operator = new CustomerOperator(features, latenessSeconds);
    this.#ledger = new Ledger(rememberedSeconds(parameters));
    this.#progress = progress;
    progress.remember(customerReplaySeconds(parameters));
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#partitioner = new IdPartitioner(partitions);
    this.#placement = new Placement(parameters, partition);
    this.#packs = Array.from(
      { length: partitions },
      () => new PackBuilder(features, partition),
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
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      this.#startSeconds,
      row,
    );
    if (defect) return defect;
    const misplaced = this.#placement.check(batch, index, row.customerId);
    if (misplaced) return misplaced;
    if (this.#unlabelled?.isLabel) return this.#judgeLabel(this.#unlabelled);
    const parameters = this.#parameters;
    const { seconds } = this.#progress;
    if (!this.#progress.isPlausible(row.timeSeconds)) {
      const subject = `TX_DATETIME ${formatDatetime(row.datetimeSeconds)} is`;
      return implausible(subject, parameters);
    }
    const known = whatIsKnown(this.#ledger, row, seconds);
    if (known !== undefined) return known;
    if (isLate(row.timeSeconds, seconds, parameters)) {
      const newest = `the partition's newest payment at ${seconds}`;
      return late(row.timeSeconds, parameters, newest);
    }
    return row.timeSeconds < this.#bound ? "accept" : "look";
  }

  /** Judges the label just read. */
  #judgeLabel({ knownSeconds }: UnlabelledJsonReader): Verdict {
    const { seconds } = this.#progress;
    return whyNotTaken(this.#row, knownSeconds, seconds, this.#parameters) ??
      "accept";
  }

  /** Reads the other partitions' progress, once per step. */
  async look(): Promise<Hold | undefined> {
    const { timeSeconds } = this.#row;
    if (!this.#hasLooked) this.#bound = await this.#alignment.look();
    this.#hasLooked = true;
    return timeSeconds < this.#bound ? undefined : { head: timeSeconds };
  }

  take(offset: number, output: Output | undefined): void {
    const isLabel = this.#unlabelled?.isLabel ?? false;
    this.taken.labels = isLabel ? 1 : 0;
    this.taken.emitted = isLabel ? 0 : 1;
    if (isLabel) {
      this.taken.frauds = 0;
      if (output) this.#takeLabel(output);
      return;
    }
    const row = this.#row;
    const progress = this.#progress;
    progress.advance(row.timeSeconds, offset);
    this.#operator.process(row, progress.seconds, this.#totals);
    this.#ledger.add(row, progress.seconds, offset);
    this.taken.frauds = row.fraud;
    if (output) this.#pack(output, 0);
  }

  /** Passes the label just read on, and says from when on it can be learned from. */
  #takeLabel(output: Output): void {
    const row = this.#row;
    const knownSeconds = this.#unlabelled?.knownSeconds ?? 0;
    const knownTime = Math.max(knownSeconds, this.#progress.seconds);
    const records = output.beside(TRANSACTION_LABEL_TOPIC);
    records.writer.whole(row.transactionId);
    records.endKey();
    this.#labelJson.writeLabel(records.writer, row, knownSeconds, knownTime);
    const start = row.datetimeSeconds - row.timeSeconds;
    records.endRecord((start + knownTime) * 1000);
    // A withdrawn label counts as a genuine one.
    row.fraud = row.fraud === 1 ? 1 : 0;
    this.#totals.fill(0);
    this.#pack(output, 1 + knownSeconds);
  }

  /** Puts the row and its customer totals into the pack of its terminal; `label` is 0 for a payment. */
  #pack(output: Output, label: number): void {
    const partition = this.#partitioner.partition(this.#row.terminalId);
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
    if (this.#unlabelled) cells[at + PAYMENT_CELLS + places.length] = label;
  }

  finish(output: Output): void {
    for (const [partition, pack] of this.#packs.entries()) {
      if (pack.count > 0) endPack(pack, output, partition);
    }
  }

  rows(): { id: number; partition: number }[] {
    const { transactionId, terminalId } = this.#row;
    const isLabel = this.#unlabelled?.isLabel ?? false;
    const id = isLabel ? labelRow(transactionId) : transactionId;
    return [{ id, partition: this.#partitioner.partition(terminalId) }];
  }

  /** Old packs do not say where a misplaced payment lay. */
  isUncertain(): boolean {
    const home = this.#placement.partition(this.#row.customerId);
    return this.#hasOldPacks && home !== this.#partition;
  }

  /** Reads the rows in packs that come from this partition; of old packs those whose card belongs to it. */
  reader(): (batch: RecordBatch) => { id: number }[] {
    const { features } = this.#parameters;
    const width = packWidth(features);
    const hasLabels = hasLabelRows(features);
    const progress = new Progress(this.#parameters);
    return (batch) => {
      const rows: { id: number }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const bytes = recordValue(batch, i);
        const pack = readPack(bytes, features);
        if (!(pack instanceof Float64Array)) continue;
        const source = packSource(bytes);
        if (source === undefined) this.#hasOldPacks = true;
        for (let at = 0; at < pack.length; at += width) {
          const isLabel = hasLabels && packedLabel(pack, at, width) >= 0;
          if (!isLabel && !progress.passes(pack[at + CELL.time])) continue;
          const from = source ??
            this.#placement.partition(pack[at + CELL.customer]);
          if (from !== this.#partition) continue;
          const id = pack[at + CELL.id];
          rows.push({ id: isLabel ? labelRow(id) : id });
        }
      }
      return rows;
    };
  }
}

/** What a label is compared by, which no payment is. */
function labelRow(transactionId: number): number {
  return -1 - transactionId;
}

/** Makes a record of a pack. */
function endPack(pack: PackBuilder, output: Output, partition: number): void {
  const records = output.to(partition);
  records.endKey();
  records.writer.bytes(pack.bytes());
  records.endRecord(pack.newestMs());
  pack.clear();
}
