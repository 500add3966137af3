/**
 * Decides about payments while their senders wait. A payment is answered only
 * by its committed prediction: it is appended to the log, goes through the
 * same stages as every other payment, and its prediction comes back by
 * prediction_topic, or a rejection by the dead letters. An answer leaves
 * the program after a sync of the log (see syncedApi).
 *
 * A client that asks twice gets the same answer. It is in memory or in the
 * store (see KnownAnswers), or the payment is under way and both wait for one
 * prediction.
 * A payment whose sender got "unknown" stays under way; if that is forgotten,
 * as at a restart, it is appended again, and the first stage drops it.
 *
 * Requests that come while a group is under way are taken together when it is
 * decided about, or a moment later, so under load they share one look-up, one
 * append and one commit per stage.
 */
import { REAL_CLOCK } from "../base/clock.ts";
import { counted } from "../base/counted.ts";
import type { MappedPayment } from "../definition/payment_mapper.ts";
import { isInStream } from "../definition/mapped_row.ts";
import { type LogProducer, offsetIn } from "../log/log.ts";
import {
  formatDate,
  formatDatetime,
  formatDuration,
} from "../payment/calendar.ts";
import type { TransactionId } from "../payment/payment.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { PredictionStore } from "../store/predictions.ts";
import type { Refusal } from "../stream/checks.ts";
import { MappedRecords } from "../stream/mapped_records.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { SINK_TOPIC } from "../stream/topics.ts";
import { type Answer, answerOf, coreOf } from "./answer.ts";
import { KnownAnswers } from "./known_answers.ts";
import { Problem, unknownOutcome } from "./problem.ts";

/** Payments of one group at most. */
const GROUP_MAX = 512;
/** How long the next group waits for the one before, milliseconds: on an embedded log that is decided about sooner, on Kafka groups overlap. */
const HOLD_MS = 5;
/** How long requests gather at least, from the group before on, milliseconds: many small groups take more time than they save. */
const GATHER_MS = 3;
/** How often it checks whether a deadline has passed, milliseconds. */
const SWEEP_MS = 20;
/** Payments in mind that are not decided about and for which nobody waits, at most. */
const ALONE_MAX = 100_000;
/** Rejections that came before the append was known to have succeeded, at most. */
const EARLY_MAX = 4096;

/** How the desk works. */
export interface DeskOptions {
  /** The stream. */
  readonly context: Pick<StreamContext, "log" | "parameters">;
  /** Midnight of the stream's first day, seconds since 1970. */
  readonly startSeconds: number;
  /** Where predictions are stored. */
  readonly predictions: Pick<PredictionStore, "findAll">;
  /** How long a request waits for a decision, milliseconds. */
  readonly deadlineMs: number;
  /** Requests that may wait at the same time. */
  readonly pendingMax: number;
  /** How far ahead of the clock a payment may be, seconds. */
  readonly aheadSeconds: number;
  /** The time of day in seconds since 1970. */
  readonly timeOfDay?: () => number;
}

/** A payment on its way in. */
export interface Incoming {
  /** The payment; it must not change any more. */
  readonly payment: MappedPayment;
  /** Further members of its JSON object, without braces. */
  readonly rest: string;
}

/** A decision about a payment. */
export interface Decided {
  /** The answer. */
  readonly answer: Answer;
  /** Ends of the sink's partitions before the payment was appended, if they were asked for and it was just decided. */
  readonly sinkFrom: readonly number[] | undefined;
  /** Milliseconds from the request to the append; 0 where the answer was known. */
  readonly waitedMs: number;
  /** Milliseconds from the append to the answer. */
  readonly decidedMs: number;
}

/** What the desk has done. */
export interface DeskCounters {
  /** Requests that were answered with a prediction just made. */
  decided: number;
  /** Requests that were answered from memory or the store. */
  repeated: number;
  /** Requests whose payment was rejected. */
  rejected: number;
  /** Requests that got no decision in time. */
  late: number;
  /** Requests that were turned away because too many waited. */
  turnedAway: number;
  /** Appends. */
  groups: number;
}

/** A request that waits. */
interface Waiter extends Incoming {
  readonly id: TransactionId;
  readonly core: string;
  readonly wantsFeatures: boolean;
  readonly askedAt: number;
  readonly resolve: (decided: Decided) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
  entry: Entry | undefined;
}

/** A payment that was appended, or is about to be. */
interface Entry {
  readonly id: TransactionId;
  readonly core: string;
  readonly waiters: Set<Waiter>;
  /** Place of its record, once the append has succeeded. */
  place: string | undefined;
  sinkFrom: readonly number[] | undefined;
  appendedAt: number;
  /** Called when it is decided about, or nobody waits any more. */
  over: () => void;
}

/** Decides about payments. */
export class AnswerDesk {
  /** What it has done. */
  readonly counters: DeskCounters = {
    decided: 0,
    repeated: 0,
    rejected: 0,
    late: 0,
    turnedAway: 0,
    groups: 0,
  };
  readonly #options: DeskOptions;
  readonly #shape: PaymentShape;
  readonly #records: MappedRecords;
  readonly #known: KnownAnswers;
  /** In the order of their deadlines. */
  readonly #waiters = new Set<Waiter>();
  readonly #entries = new Map<TransactionId, Entry>();
  readonly #places = new Map<string, Entry>();
  /** Payments that are not decided about and for which nobody waits, in the order of their last deadlines. */
  readonly #alone = new Set<Entry>();
  /** Rejections of records whose append has not returned yet, by place. */
  readonly #early = new Map<string, Refusal>();
  #queue: Waiter[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** Makes a desk that keeps its newest answers in `known`. */
  constructor(options: DeskOptions, known: KnownAnswers) {
    const { parameters } = options.context;
    this.#options = options;
    this.#shape = shapeOfStream(parameters);
    this.#records = new MappedRecords(parameters);
    this.#known = known;
  }

  /** Requests that wait. */
  get pending(): number {
    return this.#waiters.size;
  }

  /** Decides about a payment. Throws Problem if it is rejected, unknown at the deadline, or turned away. */
  async ask(incoming: Incoming, wantsFeatures: boolean): Promise<Decided> {
    const { payment } = incoming;
    const id = payment.transactionId;
    const core = coreOf(payment, this.#shape);
    if (this.#isClosed) throw stopping();
    const isKnown = this.#known.get(id) !== undefined;
    if (!isKnown && this.#known.isFull) {
      this.counters.turnedAway++;
      throw new Problem(
        "unavailable",
        "the store is behind: it has to catch up before more payments can be " +
          "decided about; ask again later",
        { retryAfter: 5 },
      );
    }
    if (this.pending >= this.#options.pendingMax) {
      this.counters.turnedAway++;
      throw new Problem(
        "unavailable",
        `${counted(this.pending, "request")} wait for a decision; ask again ` +
          "in a second",
        { retryAfter: 1 },
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Decided>();
    const waiter: Waiter = {
      ...incoming,
      id,
      core,
      wantsFeatures,
      askedAt: performance.now(),
      resolve,
      reject,
      isOver: false,
      entry: undefined,
    };
    this.#waiters.add(waiter);
    this.#queue.push(waiter);
    this.#wake?.();
    return await promise;
  }

  /** Takes requests until the signal. */
  async run(producer: LogProducer, signal: AbortSignal): Promise<void> {
    const sweeping = setInterval(() => this.#sweep(), SWEEP_MS);
    const stop = () => this.#wake?.();
    signal.addEventListener("abort", stop);
    try {
      while (!signal.aborted) {
        if (this.#queue.length === 0) {
          await new Promise<void>((resolve) => this.#wake = resolve);
          this.#wake = undefined;
          continue;
        }
        await this.#take(this.#queue.splice(0, GROUP_MAX), producer);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      clearInterval(sweeping);
      this.#isClosed = true;
      for (const waiter of this.#waiters) this.#fail(waiter, stopping());
    }
  }

  /** Takes a prediction that was read from the log. */
  decided(id: TransactionId, answer: Answer): void {
    this.#known.add(id, answer);
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#forget(entry);
    const { sinkFrom, appendedAt } = entry;
    for (const waiter of entry.waiters) {
      if (answer.core !== entry.core) {
        this.#fail(waiter, conflict(id));
        continue;
      }
      const now = performance.now();
      const appended = Math.max(appendedAt, waiter.askedAt);
      this.counters.decided++;
      this.#answer(waiter, {
        answer,
        sinkFrom,
        waitedMs: appended - waiter.askedAt,
        decidedMs: now - appended,
      });
    }
  }

  /** Takes the rejection of a record of transaction_topic. */
  refused(partition: number, offset: number, refusal: Refusal): void {
    const place = placeText(partition, offset);
    const entry = this.#places.get(place);
    if (entry) return this.#refuse(entry, refusal);
    // Another process may be faster than the answer to this one's append.
    if (this.#early.size >= EARLY_MAX) this.#early.clear();
    this.#early.set(place, refusal);
  }

  /** Looks up what a group asks, and appends the payments that nobody has decided about. */
  async #take(
    group: readonly Waiter[],
    producer: LogProducer,
  ): Promise<void> {
    const stored = await this.#stored(group).catch((error) => {
      const message = error instanceof Error ? error.message : String(error);
      for (const waiter of group) {
        this.#fail(
          waiter,
          new Problem(
            "unavailable",
            `the store does not answer (${message}); ask again later`,
            { retryAfter: 1 },
          ),
        );
      }
      return undefined;
    });
    if (!stored) return;
    const sinkFrom = group.some(({ wantsFeatures }) => wantsFeatures)
      ? await this.#sinkEnds()
      : undefined;
    // No waiting between here and the append: what is not known now has not
    // been decided about.
    const fresh: Entry[] = [];
    const partitions: number[] = [];
    this.#records.clear();
    for (const waiter of group) {
      if (waiter.isOver) continue;
      const entry = this.#join(waiter, stored);
      if (!entry) continue;
      entry.sinkFrom = sinkFrom;
      fresh.push(entry);
      partitions.push(
        this.#records.add(
          waiter.payment,
          this.#options.startSeconds,
          waiter.rest,
        ),
      );
    }
    if (fresh.length === 0) return;
    const gathering = REAL_CLOCK.sleep(GATHER_MS);
    const over = allOver(fresh);
    await this.#append(fresh, partitions, producer);
    await Promise.race([over, REAL_CLOCK.sleep(HOLD_MS)]);
    await gathering;
  }

  /** What the store says about the payments of a group. */
  async #stored(
    group: readonly Waiter[],
  ): Promise<ReadonlyMap<TransactionId, Answer>> {
    const ids = new Set(
      group.filter(({ id }) => !this.#known.get(id) && !this.#entries.has(id))
        .map(({ id }) => id),
    );
    if (ids.size === 0) return new Map();
    const rows = await this.#options.predictions.findAll([...ids]);
    return new Map(
      Array.from({ length: rows.count }, (_, index) => {
        const place = {
          partition: rows.partitions[index],
          offset: rows.offsets[index],
        };
        const answer = answerOf(rows, index, place, this.#shape);
        return [answer.id, answer] as const;
      }),
    );
  }

  /** Answers a request if it can be, or lets it wait; returns the payment if it has to be appended. */
  #join(
    waiter: Waiter,
    stored: ReadonlyMap<TransactionId, Answer>,
  ): Entry | undefined {
    const { id, core } = waiter;
    const answer = this.#known.get(id) ?? stored.get(id);
    const found = answer ?? this.#entries.get(id);
    if (found && found.core !== core) {
      this.counters.rejected++;
      this.#fail(waiter, conflict(id));
      return undefined;
    }
    if (answer) {
      this.counters.repeated++;
      const nothing = { sinkFrom: undefined, waitedMs: 0, decidedMs: 0 };
      this.#answer(waiter, { answer, ...nothing });
      return undefined;
    }
    const known = this.#entries.get(id);
    if (known) {
      this.#alone.delete(known);
      known.waiters.add(waiter);
      waiter.entry = known;
      return undefined;
    }
    const refusal = this.untimely(waiter.payment);
    if (refusal) {
      this.counters.rejected++;
      this.#fail(waiter, rejected(refusal));
      return undefined;
    }
    const entry: Entry = {
      id,
      core,
      waiters: new Set([waiter]),
      place: undefined,
      sinkFrom: undefined,
      appendedAt: performance.now(),
      over: () => {},
    };
    waiter.entry = entry;
    this.#entries.set(id, entry);
    return entry;
  }

  async #append(
    fresh: readonly Entry[],
    partitions: readonly number[],
    producer: LogProducer,
  ): Promise<void> {
    const appends = this.#records.appends();
    const offsets = await producer.append(appends);
    this.counters.groups++;
    const now = performance.now();
    const taken = new Map<number, number>();
    const places = new Map(
      appends.map(({ partition }, i) => [partition, offsets[i]]),
    );
    for (const [i, entry] of fresh.entries()) {
      entry.appendedAt = now;
      const partition = partitions[i];
      const index = taken.get(partition) ?? 0;
      taken.set(partition, index + 1);
      const offset = offsetIn(places.get(partition) ?? [], index);
      // It may have been decided meanwhile, or its sender is gone.
      if (offset === undefined || this.#entries.get(entry.id) !== entry) {
        continue;
      }
      const place = placeText(partition, offset);
      const early = this.#early.get(place);
      if (early) {
        this.#early.delete(place);
        this.#refuse(entry, early);
        continue;
      }
      entry.place = place;
      this.#places.set(place, entry);
    }
  }

  async #sinkEnds(): Promise<readonly number[]> {
    const { log } = this.#options.context;
    return await log.endOffsets(SINK_TOPIC) ?? [];
  }

  /** Why a payment of that time is not appended; undefined if it is. */
  untimely({ datetimeSeconds }: MappedPayment): Refusal | undefined {
    const { context, startSeconds, aheadSeconds } = this.#options;
    const { latenessSeconds } = context.parameters;
    const { timeOfDay = secondsOfDay } = this.#options;
    const subject = `TX_DATETIME ${formatDatetime(datetimeSeconds)} is`;
    const now = timeOfDay();
    if (datetimeSeconds > now + aheadSeconds) {
      return {
        reason: "implausible",
        message: `${subject} more than ${formatDuration(aheadSeconds)} ` +
          "(--ahead) ahead of the clock; check the zone in the definition",
      };
    }
    if (datetimeSeconds < now - latenessSeconds) {
      return {
        reason: "late",
        message: `${subject} more than ${formatDuration(latenessSeconds)} ` +
          "(--lateness) behind the clock",
      };
    }
    if (isInStream(datetimeSeconds, startSeconds)) return undefined;
    return {
      reason: "out of range",
      message: `${subject} not within 68 years after the stream's first day, ` +
        formatDate(startSeconds),
    };
  }

  #refuse(entry: Entry, refusal: Refusal): void {
    this.#forget(entry);
    for (const waiter of entry.waiters) {
      this.counters.rejected++;
      this.#fail(
        waiter,
        refusal.reason === "conflicting id"
          ? conflict(entry.id)
          : rejected(refusal),
      );
    }
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
    if (entry.place !== undefined) this.#places.delete(entry.place);
    this.#alone.delete(entry);
    entry.over();
  }

  #fail(waiter: Waiter, error: unknown): void {
    if (waiter.isOver) return;
    waiter.isOver = true;
    this.#waiters.delete(waiter);
    waiter.reject(error);
  }

  #answer(waiter: Waiter, decided: Decided): void {
    if (waiter.isOver) return;
    waiter.isOver = true;
    this.#waiters.delete(waiter);
    waiter.resolve(decided);
  }

  /** Tells those whose deadline has passed. */
  #sweep(): void {
    const latest = performance.now() - this.#options.deadlineMs;
    for (const waiter of this.#waiters) {
      if (waiter.askedAt > latest) return;
      this.counters.late++;
      const { entry } = waiter;
      this.#fail(waiter, unknownOutcome());
      entry?.waiters.delete(waiter);
      if (entry?.waiters.size === 0) this.#leaveAlone(entry);
    }
  }

  /** Keeps in mind a payment for which nobody waits any more: it is in the log, and so another one with its id is refused. */
  #leaveAlone(entry: Entry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    // Without a place its rejection would not be noticed.
    if (entry.place === undefined) return this.#forget(entry);
    entry.over();
    entry.sinkFrom = undefined;
    this.#alone.add(entry);
    const [oldest] = this.#alone;
    if (this.#alone.size > ALONE_MAX) this.#forget(oldest);
  }
}

/** Resolves when all of some payments are over. */
function allOver(entries: readonly Entry[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = entries.length;
  for (const entry of entries) {
    entry.over = () => {
      if (--left === 0) resolve();
    };
  }
  return promise;
}

function placeText(partition: number, offset: number): string {
  return `${partition}/${offset}`;
}

function conflict(id: TransactionId): Problem {
  return new Problem(
    "conflicting-id",
    `TRANSACTION_ID ${id} is that of another payment; a new payment needs a ` +
      "new TRANSACTION_ID",
  );
}

/** The problem of a payment that the stream refuses. */
export function rejected({ reason, message }: Refusal): Problem {
  return new Problem("rejected", message, { members: { REASON: reason } });
}

function stopping(): Problem {
  return new Problem(
    "unavailable",
    "the program is stopping; ask again in a moment",
    { retryAfter: 1 },
  );
}

function secondsOfDay(): number {
  return Date.now() / 1000;
}
