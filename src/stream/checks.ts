/**
 * The checks that a stage makes of a record, each written once, with the
 * message for its dead letter. Readers of a topic (the trainer, the monitor, a
 * recovery) skip what the stages refuse, by the same rules. The place of a
 * record is checked in placement.ts, its form where it is parsed.
 */
import { counted } from "../base/counted.ts";
import { formatDatetime } from "../payment/calendar.ts";
import {
  DAY_SECONDS,
  type Payment,
  type TransactionId,
} from "../payment/payment.ts";
import type { TextHeap } from "../payment/text_heap.ts";
import type { StreamParameters } from "./control.ts";
import type { DeadLetterReason } from "./dead_letters.ts";
import type { Ledger } from "./ledger.ts";
import { type Checkpoint, ReplayMarks } from "./replay_marks.ts";

/** Why a record is a dead letter. */
export interface Refusal {
  /** Stable word for the kind of defect. */
  readonly reason: DeadLetterReason;
  /** One line for messages. */
  readonly message: string;
  /** Offset of the accepted record because of which it is refused: a replay that begins after that one would accept it. */
  readonly because?: number;
}

/** A stage's verdict on a record; "look" is "accept" for one that may have to wait. */
export type Verdict = "accept" | "look" | "duplicate" | Refusal;

/** How far ahead a payment may be, see StreamParameters. */
export type GapBound = Pick<StreamParameters, "maxGapSeconds">;

/** How late a payment may be, see StreamParameters. */
export type LatenessBound = Pick<StreamParameters, "latenessSeconds">;

/** Whether a payment of that time is not too far ahead of those before it. */
export function isPlausible(
  timeSeconds: number,
  progressSeconds: number,
  { maxGapSeconds }: GapBound,
): boolean {
  return timeSeconds <= progressSeconds + maxGapSeconds;
}

/** The refusal of a record too far ahead; `subject` names the record and its time, `newest` what it is ahead of. */
export function implausible(
  subject: string,
  { maxGapSeconds }: GapBound,
  newest = "the partition's newest payment",
): Refusal {
  return {
    reason: "implausible",
    message: `${subject} more than ` +
      `${counted(maxGapSeconds / DAY_SECONDS, "day")} ` +
      `(--max-gap) ahead of ${newest}`,
  };
}

/** Whether a payment of that time comes too late. */
export function isLate(
  timeSeconds: number,
  progressSeconds: number,
  { latenessSeconds }: LatenessBound,
): boolean {
  return timeSeconds < progressSeconds - latenessSeconds;
}

/** The refusal of a payment that comes too late; `newest` names what it is behind. */
export function late(
  timeSeconds: number,
  { latenessSeconds }: LatenessBound,
  newest: string,
): Refusal {
  return {
    reason: "late",
    message: `TX_TIME_SECONDS ${timeSeconds} is more than ` +
      `${latenessSeconds} s (--lateness) behind ${newest}`,
  };
}

/** What a ledger knows about a payment: "duplicate", a refusal, or undefined if the payment is new. A text id lies in `texts`. */
export function whatIsKnown(
  ledger: Ledger,
  payment: Payment,
  progressSeconds: number,
  texts?: TextHeap,
): "duplicate" | Refusal | undefined {
  const known = ledger.compare(payment, progressSeconds);
  if (known === "new") return undefined;
  if (known === "duplicate") return "duplicate";
  const { transactionId } = payment;
  const id = texts?.text(transactionId) ?? transactionId;
  return {
    reason: "conflicting id",
    message: `TRANSACTION_ID ${id} was accepted before with other fields`,
    because: ledger.knownOffset,
  };
}

/**
 * Why a label is refused; undefined if it is taken. Its payment must have come
 * before it, and it must not be known too far ahead; both times in seconds.
 */
export function whyNotTaken(
  { transactionId, timeSeconds }: {
    readonly transactionId: TransactionId;
    readonly timeSeconds: number;
  },
  knownSeconds: number,
  progressSeconds: number,
  parameters: GapBound,
): Refusal | undefined {
  if (timeSeconds > progressSeconds) {
    return {
      reason: "implausible",
      message: `a label of TRANSACTION_ID ${transactionId}, whose ` +
        `TX_TIME_SECONDS ${timeSeconds} is later than the partition's newest ` +
        `payment at ${progressSeconds}`,
    };
  }
  if (isPlausible(knownSeconds, progressSeconds, parameters)) return undefined;
  const subject = `a label of TRANSACTION_ID ${transactionId} with a KNOWN_AT`;
  return implausible(subject, parameters);
}

/** The refusal of an id that the store cannot take; undefined if it can. */
export function idTooLarge(id: number, idMax: number): Refusal | undefined {
  if (id <= idMax) return undefined;
  return {
    reason: "id too large",
    message: `TRANSACTION_ID ${id} is too large for the store, where ` +
      `transaction_id is an int (up to ${idMax}); to store it, run the writer ` +
      "with a new --keyspace, whose tables take ids up to 2^53 - 1",
  };
}

/** The refusal of two times that do not agree; undefined if they do. Without a start the time of day must agree. */
export function timeMismatch(
  timeSeconds: number,
  datetimeSeconds: number,
  startSeconds: number | undefined,
): Refusal | undefined {
  const start = datetimeSeconds - timeSeconds;
  const agrees = startSeconds === undefined
    ? start % DAY_SECONDS === 0
    : start === startSeconds;
  if (agrees) return undefined;
  return {
    reason: "time mismatch",
    message: `TX_TIME_SECONDS ${timeSeconds} after the start is not ` +
      `TX_DATETIME ${formatDatetime(datetimeSeconds)}`,
  };
}

/**
 * The progress of event time in a partition, and where a replay that restores
 * the state begins. Only accepted records move it.
 */
export class Progress {
  /** How far ahead of it a payment may be. */
  readonly maxGapSeconds: number;
  readonly #from: Checkpoint;
  #seconds: number;
  #marks: ReplayMarks | undefined;

  /** Continues from the start of a replay. */
  constructor(
    { maxGapSeconds }: GapBound,
    from: Checkpoint = { offset: 0, progress: 0 },
  ) {
    this.maxGapSeconds = maxGapSeconds;
    this.#from = from;
    this.#seconds = from.progress;
  }

  /** Remembers from here on where a replay must begin to see all rows of the last `replaySeconds`. */
  remember(replaySeconds: number): void {
    this.#marks = new ReplayMarks(replaySeconds, this.#from);
  }

  /** Greatest TX_TIME_SECONDS accepted; 0 before the first. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Whether a payment of that time may follow those before it. */
  isPlausible(timeSeconds: number): boolean {
    return timeSeconds <= this.#seconds + this.maxGapSeconds;
  }

  /** Takes the time of a record that is accepted. */
  advance(timeSeconds: number, offset: number): void {
    if (timeSeconds <= this.#seconds) return;
    this.#marks?.advance(offset, this.#seconds, timeSeconds);
    this.#seconds = timeSeconds;
  }

  /** Whether another program's row is plausible; takes its time if it is. */
  passes(timeSeconds: number): boolean {
    if (!this.isPlausible(timeSeconds)) return false;
    this.advance(timeSeconds, 0);
    return true;
  }

  /** Remembers that the record at `offset` was refused because of the one at `because`: no replay may begin in between. */
  bridge(because: number, offset: number): void {
    this.#marks?.bridge(because, offset);
  }

  /** From where replays may begin, now and later; empty where none is remembered. */
  get marks(): readonly Checkpoint[] {
    return this.#marks?.all ?? [];
  }

  /** Continues from saved progress and marks. */
  load(seconds: number, marks: readonly Checkpoint[]): void {
    this.#seconds = seconds;
    this.#marks?.load(marks);
  }

  /** Where a replay begins for a stage at `offset`. */
  checkpoint(offset: number): Checkpoint {
    return this.#marks?.checkpoint ?? { offset, progress: this.#seconds };
  }
}
