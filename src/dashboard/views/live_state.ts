/**
 * What the page shows of the newest part of a stream, kept in memory and never
 * more than so much of it: the newest payments, sums by second of the clock,
 * scores by event day, and how cards and terminals stand. It is fed by one
 * reader and knows neither log nor store. Alerts, cases and money are not here:
 * they come from the index.
 */
import { Buffer } from "node:buffer";
import { DatetimeFormatter, formatDatetime } from "../../payment/calendar.ts";
import { CELL, FRAUD_UNKNOWN } from "../../payment/payment_cells.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  idOf,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { compareIds } from "../../payment/text_heap.ts";
import { isQueued, type NewLabel } from "../index/alert_index.ts";
import {
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import type { PaymentRows, ProfilePlace } from "./records.ts";
import { ScoreCounts, type ScoredPayment } from "./score_counts.ts";

/** Payments that are remembered, to meet their predictions. */
const PAYMENTS_MAX = 260_000;
/** Payments of the live stream that are shown. */
const RECENT_MAX = 40;
/** Frauds that are gathered before labels are learned that nobody has asked for. */
const LEARN_MIN = 1000;
/** Seconds of the clock that sums are kept of. */
const SECONDS_MAX = 120;
/** Cards and terminals that are kept each. */
const PLACES_MAX = 200_000;
/** A terminal whose payments of the second scenario are younger than this is compromised. */
const COMPROMISED_DAYS = 28;

/** A payment as the page shows it, without its label. */
export interface ShownPayment {
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customer: number | string;
  /** TERMINAL_ID. */
  readonly terminal: number | string;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** How suspicious the model finds it, 0 to 1; undefined where that is not known. */
  readonly score?: number;
  /** Whether the model raised an alert; undefined where that is not known. */
  readonly alert?: 0 | 1;
}

/** A payment as the page knows it. */
export interface LivePayment extends ShownPayment {
  /** TX_FRAUD; less than 0 where it is not known. */
  fraud: number;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number;
  /** How suspicious the model finds it, 0 to 1, once scored. */
  score?: number;
  /** Whether the model raised an alert, once scored. */
  alert?: 0 | 1;
  /** KNOWN_AT of the label that has arrived later, seconds since 1970. */
  knownAt?: number;
  /** What shadow models give it, as its prediction has it, once scored. */
  shadows?: string | null;
}

/** A card's or a terminal's place on the plane, and how it stands. */
export interface Place {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number | string;
  /** Where it is, 0 to 100; NaN before its profile has been read. */
  x: number;
  /** Where it is, 0 to 100. */
  y: number;
  /** Payments seen. */
  payments: number;
  /** Known frauds among them, see learnLabels() and addLabels(). */
  frauds: number;
  /** Share of frauds in its longest window, as the newest payment's features have it; 0 for cards. */
  risk: number;
  /** TX_TIME_SECONDS of the newest payment of the second scenario; -Infinity for none. */
  compromisedAt: number;
}

/** What a model says about a payment. */
interface Scored {
  readonly score: number;
  readonly alert: 0 | 1;
  readonly model: string;
  readonly shadows: string | null;
}

/** A fraud whose label is not known yet. */
interface UnknownFraud {
  readonly places: readonly (Place | undefined)[];
  readonly time: number;
}

interface Second {
  readonly at: number;
  payments: number;
  alerts: number;
}

/** The newest values by TRANSACTION_ID, at most so many. */
export class NewestById<T> {
  readonly #max: number;
  readonly #values = new Map<TransactionId, T>();
  // Goes on where it stopped. A new one would pass the places of all that were
  // deleted, which a Map keeps until it grows.
  readonly #oldest = this.#values.entries();

  /** Keeps up to `max` values. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Number of values. */
  get size(): number {
    return this.#values.size;
  }

  /** The value of an id. */
  get(id: TransactionId): T | undefined {
    return this.#values.get(id);
  }

  /** Forgets the value of an id. */
  delete(id: TransactionId): void {
    this.#values.delete(id);
  }

  /** Puts a value last; the first leaves if that is one too many, and is returned. */
  put(id: TransactionId, value: T): T | undefined {
    this.#values.delete(id);
    this.#values.set(id, value);
    if (this.#values.size <= this.#max) return undefined;
    // All that it has passed are deleted, so one is left.
    const [oldest, forgotten] = this.#oldest.next().value ?? [id, value];
    this.#values.delete(oldest);
    return forgotten;
  }
}

/** The state of one page server. */
export class LiveState {
  /** Terminals by id. */
  readonly terminals = new Map<number | string, Place>();
  /** Cards by id. */
  readonly customers = new Map<number | string, Place>();
  /** Scores by event day. */
  readonly scores: ScoreCounts = new ScoreCounts();
  /** Greatest TX_TIME_SECONDS. */
  timeSeconds = 0;
  readonly #delaySeconds: number;
  readonly #shape: PaymentShape;
  readonly #datetime = new DatetimeFormatter();
  readonly #payments = new NewestById<LivePayment>(PAYMENTS_MAX);
  /** Predictions that came before their payments. */
  readonly #early = new NewestById<Scored>(PAYMENTS_MAX);
  /** Labels that the page has read before their payments. */
  readonly #earlyLabels = new NewestById<NewLabel>(PAYMENTS_MAX);
  /** Greatest TX_TIME_SECONDS of a payment that is no longer remembered. */
  #forgottenTo = -Infinity;
  #unknownFrauds: UnknownFraud[] = [];
  #learnAbove = LEARN_MIN;
  #recent: LivePayment[] = [];
  #seconds: Second[] = [];

  /** Labels are known so long after their payments, which have this shape. */
  constructor(delaySeconds: number, shape: PaymentShape = HANDBOOK_SHAPE) {
    this.#delaySeconds = delaySeconds;
    this.#shape = shape;
  }

  /**
   * Takes payments that have left the processor, from row `first` on; the risk
   * of a terminal is in cell `riskCell`. They count for the second `now` of
   * the clock, those of the past for none.
   */
  addPayments(
    rows: PaymentRows,
    first: number,
    riskCell: number,
    now: number | undefined,
  ): void {
    const { cells, width, count, texts } = rows;
    const { transactionId, customerId, terminalId } = this.#shape;
    if (texts.length > 0) texts.prepareTexts();
    for (let at = first * width; at < count * width; at += width) {
      this.#addPayment({
        id: idOf(transactionId, cells[at + CELL.id], texts),
        datetime: this.#datetime.format(cells[at + CELL.datetime]),
        customer: idOf(customerId, cells[at + CELL.customer], texts),
        terminal: idOf(terminalId, cells[at + CELL.terminal], texts),
        amount: cells[at + CELL.amount],
        time: cells[at + CELL.time],
        fraud: cells[at + CELL.fraud],
        scenario: cells[at + CELL.scenario],
      }, cells[at + riskCell]);
    }
    if (now !== undefined) this.#second(now).payments += count - first;
    if (this.#unknownFrauds.length > this.#learnAbove) {
      this.learnLabels();
      this.#learnAbove = 2 * this.#unknownFrauds.length + LEARN_MIN;
    }
  }

  #addPayment(payment: LivePayment, risk: number): void {
    const { id, customer, terminal, time, fraud, scenario } = payment;
    this.timeSeconds = Math.max(this.timeSeconds, time);
    const at = this.#place(this.terminals, terminal);
    const card = this.#place(this.customers, customer);
    if (card) card.payments++;
    if (at) {
      at.payments++;
      at.risk = risk;
      if (scenario === 2) at.compromisedAt = time;
    }
    if (fraud === 1) this.#unknownFrauds.push({ places: [card, at], time });
    const forgotten = this.#payments.put(id, payment);
    if (forgotten) {
      this.#forgottenTo = Math.max(this.#forgottenTo, forgotten.time);
    }
    const label = this.#earlyLabels.size > 0 && this.#earlyLabels.get(id);
    if (label) {
      this.#earlyLabels.delete(id);
      this.#learn(payment, label);
    }
    const early = this.#early.get(id);
    if (early) {
      this.#early.delete(id);
      this.#join(payment, early);
    }
    this.#recent.push(payment);
    if (this.#recent.length > 4 * RECENT_MAX) {
      this.#recent = this.#recent.slice(-RECENT_MAX);
    }
  }

  /** Takes what the model says about payments, before them or after them, from row `first` on. */
  addPredictions(
    rows: PredictionRows,
    first: number,
    now: number | undefined,
  ): void {
    const { cells, versions, count, texts } = rows;
    let alerts = 0;
    for (let row = first; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      if (isQueued(rows, row)) alerts++;
      const score = cells[at + PREDICTION_CELL.score];
      if (Number.isNaN(score)) continue; // decided by rules alone
      const cell = cells[at + PREDICTION_CELL.id];
      const id = idOf(this.#shape.transactionId, cell, texts);
      const scored: Scored = {
        score,
        alert: cells[at + PREDICTION_CELL.alert] === 1 ? 1 : 0,
        model: versions[row],
        shadows: rows.shadowScores[row],
      };
      const payment = this.#payments.get(id);
      if (payment) this.#join(payment, scored);
      else this.#early.put(id, scored);
    }
    if (now !== undefined) this.#second(now).alerts += alerts;
  }

  /** Brings a payment and what the model says about it together, once. */
  #join(payment: LivePayment, scored: Scored): void {
    if (payment.score !== undefined) return;
    const { score, alert, model, shadows } = scored;
    payment.score = score;
    payment.alert = alert;
    if (shadows !== null) payment.shadows = shadows;
    this.scores.add({ ...scoredOf(payment, score, alert), version: model });
  }

  /** Takes labels that arrive later than their payments, from `first` on. */
  addLabels(labels: readonly NewLabel[], first: number): void {
    for (const label of labels.slice(first)) {
      const payment = this.#payments.get(label.id);
      if (payment) this.#learn(payment, label);
      else if (label.time > this.#forgottenTo) {
        const before = this.#earlyLabels.get(label.id);
        if (before && before.knownAt > label.knownAt) continue;
        this.#earlyLabels.put(label.id, label);
      } else if (label.fraud === 1) this.scores.miss(label.time);
    }
  }

  /** Lets a label count for a payment, unless one was known later. */
  #learn(payment: LivePayment, { fraud, knownAt }: NewLabel): void {
    if (payment.knownAt !== undefined && payment.knownAt > knownAt) return;
    const { customer, terminal, score, alert } = payment;
    const before = payment.fraud === 1 ? 1 : 0;
    const after = fraud === 1 ? 1 : 0;
    const [card, place] = [
      this.customers.get(customer),
      this.terminals.get(terminal),
    ];
    if (card) card.frauds += after - before;
    if (place) place.frauds += after - before;
    if (score !== undefined && alert !== undefined) {
      const scored = scoredOf(payment, score, alert);
      this.scores.relabel(scored, after - before);
    }
    payment.fraud = fraud ?? FRAUD_UNKNOWN;
    payment.knownAt = knownAt;
  }

  /** Takes where cards or terminals are. */
  addProfiles(
    kind: "customer" | "terminal",
    profiles: readonly ProfilePlace[],
  ): void {
    const places = kind === "customer" ? this.customers : this.terminals;
    for (const { id, x, y } of profiles) {
      const place = this.#place(places, id);
      if (place) Object.assign(place, { x, y });
    }
  }

  /** Counts the frauds whose labels have become known, for places that are about to be shown. */
  learnLabels(): void {
    const knownTo = this.timeSeconds - this.#delaySeconds;
    const unknown: UnknownFraud[] = [];
    for (const fraud of this.#unknownFrauds) {
      if (fraud.time > knownTo) {
        unknown.push(fraud);
        continue;
      }
      for (const place of fraud.places) if (place) place.frauds++;
    }
    this.#unknownFrauds = unknown;
  }

  /** A payment that was seen lately. */
  payment(id: TransactionId): LivePayment | undefined {
    return this.#payments.get(id);
  }

  /** The newest payments, newest first. */
  recent(): LivePayment[] {
    // Partitions come in turns, each some payments at a time.
    return this.#recent.slice(-RECENT_MAX).sort((a, b) =>
      b.time - a.time || compareIds(b.id, a.id)
    );
  }

  /** Sums of the last seconds of the clock, oldest first, up to the one before `now`; seconds without anything are there too. */
  seconds(
    now: number,
  ): { from: number; payments: number[]; alerts: number[] } {
    const from = Math.floor(now) - SECONDS_MAX;
    const lists = {
      payments: [] as number[],
      alerts: [] as number[],
    };
    const known = new Map(this.#seconds.map((second) => [second.at, second]));
    for (let at = from; at < Math.floor(now); at++) {
      const second = known.get(at);
      lists.payments.push(second?.payments ?? 0);
      lists.alerts.push(second?.alerts ?? 0);
    }
    return { from, ...lists };
  }

  /** Whether a terminal is in fraudsters' hands, as the simulation's labels have it. */
  isCompromised(
    { compromisedAt }: Place,
    timeSeconds: number = this.timeSeconds,
  ): boolean {
    return compromisedAt > timeSeconds - COMPROMISED_DAYS * DAY_SECONDS;
  }

  #second(now: number): Second {
    const at = Math.floor(now);
    const last = this.#seconds.at(-1);
    if (last && last.at >= at) return last;
    const second = { at, payments: 0, alerts: 0 };
    this.#seconds.push(second);
    if (this.#seconds.length > SECONDS_MAX + 1) this.#seconds.shift();
    return second;
  }

  #place(
    places: Map<number | string, Place>,
    id: number | string,
  ): Place | undefined {
    const known = places.get(id);
    if (known || places.size >= PLACES_MAX) return known;
    const place = {
      id: ownText(id),
      x: NaN,
      y: NaN,
      payments: 0,
      frauds: 0,
      risk: 0,
      compromisedAt: -Infinity,
    };
    places.set(place.id, place);
    return place;
  }
}

/** An id that may be kept for long: a text of a heap may be a part of the text of all others, which stays in memory with it. */
function ownText(id: number | string): number | string {
  return typeof id === "string" ? Buffer.from(id).toString() : id;
}

/** A scored payment as its day counts it; a label that is not known is none. */
function scoredOf(
  { fraud, amount, time, shadows }: LivePayment,
  score: number,
  alert: 0 | 1,
): ScoredPayment {
  const isFraud = fraud === 1 ? 1 : 0;
  return { timeSeconds: time, score, alert, fraud: isFraud, amount, shadows };
}

/** TX_DATETIME of a time of the stream; undefined before its start is known. */
export function datetimeOf(
  startSeconds: number | undefined,
  timeSeconds: number,
): string | undefined {
  return startSeconds === undefined
    ? undefined
    : formatDatetime(startSeconds + timeSeconds);
}
