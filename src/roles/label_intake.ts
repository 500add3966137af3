/**
 * The label intake: takes what people and programs say about payments from the
 * label topic, looks the payments up in the store, and appends label records to
 * their cards' partitions of the payments' topic. A payment that is not stored
 * yet is waited for until the writer has stored everything that was published
 * when its label was read; what is still missing then is a dead letter.
 *
 * Labels and position are one commit. Where the commit is lost, all labels of
 * the topic are appended again: repeated labels change nothing, and what comes
 * without KNOWN_AT keeps its order.
 */
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { formatDatetime } from "../payment/calendar.ts";
import {
  DAY_SECONDS,
  INT_MAX,
  type TransactionId,
} from "../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { parseObject } from "../payment/payment_json.ts";
import { paymentFields, type PaymentShape } from "../payment/payment_shape.ts";
import type { Field } from "../payment/record_field.ts";
import {
  checkedText,
  checkedValue,
  type Defect,
} from "../payment/validation.ts";
import type { LookUp, StoredCase } from "../store/look_up.ts";
import type { Verdict } from "../stream/checks.ts";
import { openStateless } from "../stream/opening.ts";
import { newestPayment, untilStored } from "../stream/pipeline_progress.ts";
import {
  type Output,
  runStage,
  type Stage,
  type StageRun,
  type StageWork,
} from "../stream/stage.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  LABEL_INTAKE_GROUP,
  LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

const STAGE: Stage = {
  group: LABEL_INTAKE_GROUP,
  input: LABEL_TOPIC,
  output: TRANSACTION_TOPIC,
  limit: { records: 1024, bytes: 1 << 20 },
  writesLetters: true,
  markedBytes: 1024,
};

/** Payments looked up side by side. */
const LOOK_UPS = 32;

/** How the intake is run. */
export interface LabelIntakeOptions {
  /** Where the payments are looked up; a store that does not answer is waited for there. */
  readonly store: Pick<LookUp, "payment">;
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
}

/** Takes what is said about payments until the context's signal: more may always come. */
export async function runLabelIntake(
  context: StreamContext,
  options: LabelIntakeOptions,
): Promise<void> {
  await runStage(context, labelIntake(context, options));
}

/** The label intake of a stream. */
export function labelIntake(
  context: StreamContext,
  options: LabelIntakeOptions,
): StageRun<void> {
  return {
    stage: STAGE,
    open: (partition, commit) => {
      const work = new IntakeWork(context, options);
      const task = openStateless(context, STAGE, partition, commit, work);
      return Promise.resolve(task);
    },
  };
}

/** What a record of the label topic says. */
export interface Said {
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** TX_FRAUD, 0 or 1; null withdraws the labels before. */
  readonly fraud: number | null;
  /** KNOWN_AT, seconds since 1970; undefined where it is not said. */
  readonly knownAt: number | undefined;
}

class IntakeWork implements StageWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #context: StreamContext;
  readonly #options: LabelIntakeOptions;
  readonly #shape: PaymentShape;
  readonly #partitioner: IdPartitioner;
  // Of the batch: what its records say, and their payments.
  #said: (Said | Defect)[] = [];
  #found = new Map<TransactionId, StoredCase>();
  #now = 0;
  #index = 0;

  constructor(context: StreamContext, options: LabelIntakeOptions) {
    const { partitions, partitioner } = context.parameters;
    this.#context = context;
    this.#options = options;
    this.#shape = shapeOfStream(context.parameters);
    this.#partitioner = new IdPartitioner(partitions, partitioner);
  }

  async begin(batch: RecordBatch): Promise<void> {
    this.#said = Array.from(
      { length: batch.count },
      (_, i) => saidBy(batch, i, this.#shape),
    );
    this.#found = new Map();
    const wanted = new Set(
      this.#said.flatMap((said) => "reason" in said ? [] : said.transactionId),
    );
    const { parameters: { partitions }, log } = this.#context;
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ??
      Array(partitions).fill(0);
    const missing = await this.#lookUp(wanted);
    if (missing.size > 0) {
      await untilStored(this.#context, ends);
      await this.#lookUp(missing);
    }
    this.#now = await this.#newest();
  }

  /** Looks payments up; returns those that are not stored. */
  async #lookUp(ids: Iterable<TransactionId>): Promise<Set<TransactionId>> {
    const missing = new Set<TransactionId>();
    const left = ids[Symbol.iterator]();
    const lane = async () => {
      for (let next = left.next(); !next.done; next = left.next()) {
        const found = await this.#options.store.payment(next.value);
        if (found) this.#found.set(next.value, found);
        else missing.add(next.value);
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS }, lane));
    return missing;
  }

  /** The stream's greatest payment time, seconds since 1970. */
  async #newest(): Promise<number> {
    const { log, control } = this.#context;
    const { startSeconds } = this.#options;
    const start = await control.startSeconds(startSeconds) ?? 0;
    return start + await newestPayment(log);
  }

  judge(_batch: RecordBatch, index: number): Verdict {
    this.#index = index;
    const said = this.#said[index];
    if ("reason" in said) return said;
    if (this.#found.has(said.transactionId)) return "accept";
    return {
      reason: "unknown payment",
      message: `no payment with TRANSACTION_ID ${said.transactionId} is ` +
        "stored, and all that were published before its label are",
    };
  }

  take(_offset: number, output: Output | undefined): void {
    const said = this.#said[this.#index];
    if ("reason" in said) return;
    const found = this.#found.get(said.transactionId);
    this.taken.frauds = said.fraud === 1 ? 1 : 0;
    if (!output || !found) return;
    const { customerId } = found.payment;
    const key = new TextEncoder().encode(String(customerId));
    const records = output.to(
      typeof customerId === "string"
        ? this.#partitioner.partitionOfText(key)
        : this.#partitioner.partition(customerId),
    );
    const knownAt = said.knownAt ?? this.#now;
    const label = labelOf(found, this.#shape, said.fraud, knownAt);
    records.writer.bytes(key);
    records.endKey();
    records.writer.bytes(new TextEncoder().encode(JSON.stringify(label)));
    records.endRecord(knownAt * 1000);
  }
}

/** The label record of a stored payment. */
function labelOf(
  { payment, kept }: StoredCase,
  shape: PaymentShape,
  fraud: number | null,
  knownAt: number,
): Record<string, unknown> {
  return {
    TRANSACTION_ID: payment.transactionId,
    TX_DATETIME: payment.datetime,
    CUSTOMER_ID: payment.customerId,
    TERMINAL_ID: payment.terminalId,
    TX_AMOUNT: payment.amount,
    TX_TIME_SECONDS: payment.timeSeconds,
    TX_TIME_DAYS: Math.floor(payment.timeSeconds / DAY_SECONDS),
    ...Object.fromEntries(shape.kept.map(({ name }, i) => [name, kept[i]])),
    TX_FRAUD: fraud,
    TX_FRAUD_SCENARIO: 0,
    KNOWN_AT: formatDatetime(knownAt),
  };
}

const FRAUD: Field = {
  name: "TX_FRAUD",
  kind: "label",
  max: 1,
  cell: CELL.fraud,
};
const KNOWN_AT: Field = {
  name: "KNOWN_AT",
  kind: "datetime",
  max: INT_MAX,
  cell: CELL.datetime,
};

/** What a record says; verdicts have LABEL in place of TX_FRAUD, and no KNOWN_AT. */
function saidBy(
  batch: RecordBatch,
  index: number,
  shape: PaymentShape,
): Said | Defect {
  const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
  const { object, defect } = parseObject(batch.bytes, from, to, parseExactly);
  return object ? saidIn(object, shape) : defect;
}

/** What the object of such a record says, or what is wrong with it. */
export function saidIn(
  object: Readonly<Record<string, unknown>>,
  shape: PaymentShape,
): Said | Defect {
  const [id] = paymentFields(shape);
  const raw = object.TRANSACTION_ID;
  const transactionId = id.kind === "text"
    ? checkedText(id, raw)
    : checkedValue(id, digitsOf(raw) ?? raw);
  if (typeof transactionId === "object" && transactionId !== null) {
    return transactionId;
  }
  const said = object.TX_FRAUD === undefined ? object.LABEL : object.TX_FRAUD;
  const fraud = checkedValue(
    FRAUD,
    said === null ? null : digitsOf(said) ?? said,
  );
  if (typeof fraud !== "number") return fraud;
  const known = object.KNOWN_AT ?? undefined;
  const knownAt = known === undefined
    ? undefined
    : checkedValue(KNOWN_AT, digitsOf(known) ?? known);
  if (typeof knownAt === "object") return knownAt;
  return {
    transactionId: transactionId ?? "",
    fraud: fraud === FRAUD_UNKNOWN ? null : fraud,
    knownAt,
  };
}
