/** Records of the label topic that say what others know of payments, and their append. */
import { rest } from "../base/clock.ts";
import { LogError } from "../base/error.ts";
import type { LabelRow } from "../files/label_rows.ts";
import type { Log, LogProducer } from "../log/log.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { idAppends, type IdRecord } from "./id_records.ts";
import { LABEL_TOPIC } from "./topics.ts";

/** Most labels of one append. */
export const APPEND_LABELS = 4096;

/** The id of the process that appends labels: a newer one fences the one before. */
const PRODUCER = "fraudstream-labels";
/** The longest pause before another try, in milliseconds. */
const PAUSE_MS = 100;

/** Appends labels beside other processes that do the same, one append after the other. */
export class LabelAppender {
  readonly #log: Log;
  readonly #partitions: number;
  readonly #signal: AbortSignal;
  #producer: LogProducer | undefined;

  /** Appends to the label topic with that many partitions, until the signal. */
  constructor({ log, partitions, signal }: {
    readonly log: Log;
    readonly partitions: number;
    readonly signal: AbortSignal;
  }) {
    this.#log = log;
    this.#partitions = partitions;
    this.#signal = signal;
  }

  /** Appends all or nothing, once; `source` is that of labels that name none. Throws LogError, or the signal's reason. */
  async append(labels: readonly LabelRow[], source: string): Promise<void> {
    const records = labels.map((label) => recordOf(label, source));
    const appends = idAppends(LABEL_TOPIC, this.#partitions, records);
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        this.#producer ??= await this.#log.producer(PRODUCER, this.#signal);
        await this.#producer.append(appends);
        return;
      } catch (error) {
        this.#producer = undefined;
        // Another process appends, and this append was refused.
        if (!(error instanceof LogError && error.isFenced)) throw error;
      }
      await rest(Math.random() * PAUSE_MS, this.#signal);
    }
  }
}

/** A label as a record of the label topic. */
function recordOf(
  { transactionId, fraud, knownAt, reason, source }: LabelRow,
  otherwise: string,
): IdRecord {
  const json = JSON.stringify({
    TRANSACTION_ID: transactionId,
    TX_FRAUD: fraud,
    KNOWN_AT: knownAt === undefined ? undefined : formatDatetime(knownAt),
    REASON: reason,
    SOURCE: source ?? otherwise,
  });
  return { id: transactionId, json, timestampMs: Date.now() };
}
