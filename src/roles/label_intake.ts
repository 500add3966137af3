/**
 * The label intake: takes what people and programs say about payments from the
 * label topic, looks the payments up in the store, and appends label records to
 * their cards' partitions of the payments' topic. A payment that is not stored
 * yet is waited for until everything is stored that was published when its
 * label was read; what is still missing then is a dead letter. While the store
 * is down it waits.
 *
 * When a label is known where it does not say so depends on how far the
 * pipeline has come, so what is appended is no function of the label topic.
 * What was appended is the log. The position is appended in one step with it,
 * so that no label is appended twice, whatever becomes of the group's commits.
 */
import { unlessAborted } from "../base/unless_stopped.ts";
import { partitionOf } from "../log/partitioner.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { formatDatetime, parseDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS, type TransactionId } from "../payment/payment.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { readSaidLabel, type SaidLabel } from "../payment/said_label.ts";
import type { Defect } from "../payment/validation.ts";
import type { LookUp, StoredCase } from "../store/look_up.ts";
import type { StoredTable } from "../store/positions.ts";
import type { Verdict } from "../stream/checks.ts";
import { openRecorded } from "../stream/opening.ts";
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
  recordsCommits: true,
};

/** Payments looked up side by side. */
const LOOK_UPS = 32;

/** The store in which payments are looked up, however long it does not answer. */
export interface IntakeStore extends Pick<StoredTable, "positions"> {
  /** Its look-ups. */
  lookUp(): Pick<LookUp, "payment">;
}

/** Takes what is said about payments until the context's signal: more may always come. */
export async function runLabelIntake(
  context: StreamContext,
  store: IntakeStore,
): Promise<void> {
  await runStage(context, labelIntake(context, store));
}

/** The label intake of a stream. */
export function labelIntake(
  context: StreamContext,
  store: IntakeStore,
): StageRun<void> {
  return {
    stage: STAGE,
    open: (partition, commit) => {
      const work = new IntakeWork(context, store);
      return openRecorded({ context, stage: STAGE, partition, commit, work });
    },
  };
}

const ENCODER = new TextEncoder();

class IntakeWork implements StageWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #context: StreamContext;
  readonly #store: IntakeStore;
  readonly #lookUp: Pick<LookUp, "payment">;
  readonly #shape: PaymentShape;
  // Of the batch: what its records say, and their payments.
  #said: (SaidLabel | Defect)[] = [];
  #found = new Map<TransactionId, StoredCase>();
  #newest = 0;
  #index = 0;

  constructor(context: StreamContext, store: IntakeStore) {
    this.#context = context;
    this.#store = store;
    this.#lookUp = store.lookUp();
    this.#shape = shapeOfStream(context.parameters);
  }

  async begin(batch: RecordBatch): Promise<void> {
    this.#said = Array.from({ length: batch.count }, (_, i) => {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      return readSaidLabel(batch.bytes, from, to, this.#shape);
    });
    // A store or a log that does not answer must not keep it from stopping.
    await unlessAborted(this.#find(), this.#context.signal);
  }

  /** Finds the payments of the batch, and the stream's newest one if a label does not say when it was known. */
  async #find(): Promise<void> {
    const { log } = this.#context;
    this.#found = new Map();
    const said = this.#said.flatMap((said) => "reason" in said ? [] : [said]);
    const ids = new Set(said.map(({ transactionId }) => transactionId));
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
    const missing = await this.#lookUpAll(ids);
    if (missing.size > 0) {
      await untilStored(this.#context, this.#store, ends);
      await this.#lookUpAll(missing);
    }
    if (said.every(({ knownAt }) => knownAt !== undefined)) return;
    this.#newest = await newestPayment(this.#context);
  }

  /** Looks payments up; returns those that are not stored. */
  async #lookUpAll(ids: Iterable<TransactionId>): Promise<Set<TransactionId>> {
    const { signal } = this.#context;
    const missing = new Set<TransactionId>();
    const left = ids[Symbol.iterator]();
    const lane = async () => {
      for (let next = left.next(); !next.done; next = left.next()) {
        const found = await this.#lookUp.payment(next.value, signal);
        if (found) this.#found.set(next.value, found);
        else missing.add(next.value);
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS }, lane));
    return missing;
  }

  judge(_batch: RecordBatch, index: number): Verdict {
    this.#index = index;
    const said = this.#said[index];
    if ("reason" in said) return said;
    if (this.#found.has(said.transactionId)) return "accept";
    return {
      reason: "unknown payment",
      message: `no payment with TRANSACTION_ID ${said.transactionId} is ` +
        "stored, though everything is that was published before the label " +
        "was read; if the payment comes later, requeue this letter then",
    };
  }

  take(_offset: number, output: Output | undefined): void {
    const said = this.#said[this.#index];
    if ("reason" in said) return;
    const found = this.#found.get(said.transactionId);
    this.taken.frauds = said.fraud === 1 ? 1 : 0;
    if (!output || !found) return;
    const { payment } = found;
    const key = ENCODER.encode(String(payment.customerId));
    const { partitions, partitioner } = this.#context.parameters;
    const records = output.to(partitionOf(key, partitions, partitioner));
    const start = (parseDatetime(payment.datetime) ?? 0) - payment.timeSeconds;
    const knownAt = said.knownAt ?? start + this.#newest;
    const label = labelOf(found, this.#shape, said.fraud, knownAt);
    records.add(key, ENCODER.encode(JSON.stringify(label)), knownAt * 1000);
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
