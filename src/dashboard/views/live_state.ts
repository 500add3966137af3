/**
 * What the page shows of a stream, kept in memory and never more than so much
 * of it: the newest payments and alerts, sums by second of the clock and by
 * event day, and how cards and terminals stand. It is fed by one reader and
 * knows neither log nor store.
 */
import { formatDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { Prediction } from "./records.ts";
import { ScoreCounts } from "./score_counts.ts";
import type { Verdict } from "../../payment/label_json.ts";

/** Payments that are remembered, to meet their predictions. */
const PAYMENTS_MAX = 260_000;
/** Payments of the live stream that are shown. */
const RECENT_MAX = 40;
/** Alerts that wait or have been decided. */
const ALERTS_MAX = 5000;
/** Verdicts that are remembered. */
const VERDICTS_MAX = 50_000;
/** Seconds of the clock, and event days, that sums are kept of. */
const SECONDS_MAX = 120;
const DAYS_MAX = 60;
/** Cards and terminals that are kept each. */
const PLACES_MAX = 200_000;
/** A terminal whose payments of the second scenario are younger than this is compromised. */
const COMPROMISED_DAYS = 28;

/** A payment as the page knows it. */
export interface LivePayment {
  /** TRANSACTION_ID. */
  readonly id: number;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customer: number;
  /** TERMINAL_ID. */
  readonly terminal: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** TX_FRAUD. */
  readonly fraud: number;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number;
  /** How suspicious the model finds it, 0 to 1, once scored. */
  score?: number;
  /** Whether the model raised an alert, once scored. */
  alert?: 0 | 1;
}

/** An alert in the queue. */
export interface Alert extends Prediction {
  /** TX_FRAUD_SCENARIO, where the payment was seen too. */
  readonly scenario: number | undefined;
  /** TX_FRAUD, where the payment was seen too. */
  readonly fraud: number | undefined;
}

/** Sums of one event day. */
export interface DayTotals {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Payments. */
  payments: number;
  /** Frauds among them. */
  frauds: number;
  /** Alerts among them. */
  alerts: number;
  /** Money in all of them. */
  amount: number;
  /** Money in the frauds. */
  fraudAmount: number;
  /** Money in the frauds that an alert was raised for. */
  stoppedAmount: number;
}

/** A card's or a terminal's place on the plane, and how it stands. */
export interface Place {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** Where it is, 0 to 100; NaN before its profile has been read. */
  x: number;
  /** Where it is, 0 to 100. */
  y: number;
  /** Payments seen. */
  payments: number;
  /** Frauds among them. */
  frauds: number;
  /** Share of frauds in its longest window, as the newest payment's features have it; 0 for cards. */
  risk: number;
  /** TX_TIME_SECONDS of the newest payment of the second scenario; -Infinity for none. */
  compromisedAt: number;
}

/** Sums over all that has been read since the page's history begins. */
export interface LiveTotals {
  /** Payments. */
  payments: number;
  /** Frauds. */
  frauds: number;
  /** Scored payments. */
  scored: number;
  /** Alerts. */
  alerts: number;
  /** Money in all payments. */
  amount: number;
  /** Money in the frauds. */
  fraudAmount: number;
  /** Money in the frauds that an alert was raised for. */
  stoppedAmount: number;
}

interface Second {
  readonly at: number;
  payments: number;
  frauds: number;
  alerts: number;
}

/** The state of one page server. */
export class LiveState {
  /** Sums over everything read. */
  readonly totals: LiveTotals = {
    payments: 0,
    frauds: 0,
    scored: 0,
    alerts: 0,
    amount: 0,
    fraudAmount: 0,
    stoppedAmount: 0,
  };
  /** Terminals by id. */
  readonly terminals = new Map<number, Place>();
  /** Cards by id. */
  readonly customers = new Map<number, Place>();
  /** Alerts by id, oldest first. */
  readonly alerts = new Map<number, Alert>();
  /** The newest verdict of each payment. */
  readonly verdicts = new Map<number, Verdict>();
  /** Scores by event day. */
  readonly scores: ScoreCounts = new ScoreCounts();
  /** Greatest TX_TIME_SECONDS. */
  timeSeconds = 0;
  readonly #payments = new Map<number, LivePayment>();
  /** Predictions that came before their payments. */
  readonly #early = new Map<number, Prediction>();
  #recent: LivePayment[] = [];
  #seconds: Second[] = [];
  readonly #days = new Map<number, DayTotals>();

  /** Takes a payment that has left the processor; `now` is the clock in seconds. */
  addPayment(payment: LivePayment, risk: number, now: number): void {
    const { id, customer, terminal, amount, time, fraud, scenario } = payment;
    this.timeSeconds = Math.max(this.timeSeconds, time);
    const day = this.#day(time);
    const second = this.#second(now);
    for (const sums of [this.totals, day, second]) {
      sums.payments++;
      sums.frauds += fraud;
    }
    for (const sums of [this.totals, day]) {
      sums.amount += amount;
      sums.fraudAmount += fraud * amount;
    }
    const at = this.#place(this.terminals, terminal);
    const card = this.#place(this.customers, customer);
    for (const place of [at, card]) {
      if (!place) continue;
      place.payments++;
      place.frauds += fraud;
    }
    if (at) at.risk = risk;
    if (at && scenario === 2) at.compromisedAt = time;
    remember(this.#payments, id, payment, PAYMENTS_MAX);
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

  /** Takes what the model says about a payment, which may come before it or after it. */
  addPrediction(prediction: Prediction, now: number): void {
    const { id, alert, time } = prediction;
    this.totals.scored++;
    const payment = this.#payments.get(id);
    if (alert === 1 && !this.alerts.has(id)) {
      this.totals.alerts++;
      this.#day(time).alerts++;
      this.#second(now).alerts++;
      const unknown = { scenario: undefined, fraud: undefined };
      remember(this.alerts, id, { ...prediction, ...unknown }, ALERTS_MAX);
    }
    if (payment) this.#join(payment, prediction);
    else remember(this.#early, id, prediction, PAYMENTS_MAX);
  }

  /** Brings a payment and what the model says about it together, once. */
  #join(payment: LivePayment, prediction: Prediction): void {
    if (payment.score !== undefined) return;
    const { id, score, alert, time, model } = prediction;
    const { fraud, scenario, amount } = payment;
    payment.score = score;
    payment.alert = alert;
    const scored = { timeSeconds: time, score, alert, fraud, amount };
    this.scores.add({ ...scored, version: model });
    if (alert === 0) return;
    for (const sums of [this.totals, this.#day(time)]) {
      sums.stoppedAmount += fraud * amount;
    }
    const known = this.alerts.get(id);
    if (known) this.alerts.set(id, { ...known, fraud, scenario });
  }

  /** Takes a verdict; the newest of a payment counts. */
  addVerdict(verdict: Verdict): void {
    remember(this.verdicts, verdict.transactionId, verdict, VERDICTS_MAX);
  }

  /** Takes where a card or a terminal is. */
  addProfile(
    kind: "customer" | "terminal",
    id: number,
    x: number,
    y: number,
  ): void {
    const places = kind === "customer" ? this.customers : this.terminals;
    const place = this.#place(places, id);
    if (place) Object.assign(place, { x, y });
  }

  /** A payment that was seen lately. */
  payment(id: number): LivePayment | undefined {
    return this.#payments.get(id);
  }

  /** The newest payments, newest first. */
  recent(): LivePayment[] {
    // Partitions come in turns, each some payments at a time.
    return this.#recent.slice(-RECENT_MAX).sort((a, b) =>
      b.time - a.time || b.id - a.id
    );
  }

  /** Sums of the last seconds of the clock, oldest first, up to the one before `now`; seconds without anything are there too. */
  seconds(
    now: number,
  ): { from: number; payments: number[]; frauds: number[]; alerts: number[] } {
    const from = Math.floor(now) - SECONDS_MAX;
    const lists = {
      payments: [] as number[],
      frauds: [] as number[],
      alerts: [] as number[],
    };
    const known = new Map(this.#seconds.map((second) => [second.at, second]));
    for (let at = from; at < Math.floor(now); at++) {
      const second = known.get(at);
      lists.payments.push(second?.payments ?? 0);
      lists.frauds.push(second?.frauds ?? 0);
      lists.alerts.push(second?.alerts ?? 0);
    }
    return { from, ...lists };
  }

  /** Sums of the last event days, oldest first. */
  days(): DayTotals[] {
    return [...this.#days.values()].sort((a, b) => a.day - b.day);
  }

  /** How many alerts wait for a verdict, and the money in them. */
  open(): { alerts: number; amount: number } {
    const open = { alerts: 0, amount: 0 };
    for (const { id, amount } of this.alerts.values()) {
      if (this.verdicts.has(id)) continue;
      open.alerts++;
      open.amount += amount;
    }
    return open;
  }

  /** Whether a terminal is in fraudsters' hands, as the simulation's labels have it. */
  isCompromised({ compromisedAt }: Place): boolean {
    return compromisedAt > this.timeSeconds - COMPROMISED_DAYS * DAY_SECONDS;
  }

  #day(time: number): DayTotals {
    const day = Math.floor(time / DAY_SECONDS);
    const known = this.#days.get(day);
    if (known) return known;
    const totals = {
      day,
      payments: 0,
      frauds: 0,
      alerts: 0,
      amount: 0,
      fraudAmount: 0,
      stoppedAmount: 0,
    };
    this.#days.set(day, totals);
    if (this.#days.size > DAYS_MAX) {
      // A day that is older than all goes at once; its sums are not shown.
      this.#days.delete(Math.min(...this.#days.keys()));
    }
    return totals;
  }

  #second(now: number): Second {
    const at = Math.floor(now);
    const last = this.#seconds.at(-1);
    if (last && last.at >= at) return last;
    const second = { at, payments: 0, frauds: 0, alerts: 0 };
    this.#seconds.push(second);
    if (this.#seconds.length > SECONDS_MAX + 1) this.#seconds.shift();
    return second;
  }

  #place(places: Map<number, Place>, id: number): Place | undefined {
    const known = places.get(id);
    if (known || places.size >= PLACES_MAX) return known;
    const place = {
      id,
      x: NaN,
      y: NaN,
      payments: 0,
      frauds: 0,
      risk: 0,
      compromisedAt: -Infinity,
    };
    places.set(id, place);
    return place;
  }
}

/** Puts a value last, and forgets the first beyond so many. */
function remember<T>(
  map: Map<number, T>,
  id: number,
  value: T,
  max: number,
): void {
  map.delete(id);
  map.set(id, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
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
