/**
 * What a report says of payments, gathered in one pass and in bounded memory:
 * totals, days, scenarios, and for each feature how genuine and fraudulent
 * payments differ. Rows may come in any order of days.
 */
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { amountCents } from "../payment/validation.ts";
import { Histogram } from "./histogram.ts";
import { labelCorrelation, Moments } from "./moments.ts";

/** Days that the histograms of amounts and times of day look at, as the handbook's do. */
export const FIRST_DAYS = 10;

/** Bins of a day in the histogram of times: quarters of an hour. */
export const TIME_BINS = 96;

/** Scenarios that are counted apart; the others are counted together. */
const SCENARIOS_MAX = 16;

/** Rows that are shown as they are. */
const ROWS_SHOWN = 5;

/** One day's counts. */
export interface DayCounts {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Number of payments. */
  readonly payments: number;
  /** How many of them are frauds. */
  readonly frauds: number;
  /** How many cards have a fraud that day. */
  readonly fraudCards: number;
  /** Number of frauds of each scenario, in the order of `scenarios`. */
  readonly byScenario: readonly number[];
  /** Seconds from midnight to its first and to its last payment; NaN without payments. */
  readonly seconds: readonly [first: number, last: number];
}

/** One scenario's counts. */
export interface ScenarioCounts {
  /** TX_FRAUD_SCENARIO; 0 for frauds without a scenario, Infinity for all beyond those counted apart. */
  readonly scenario: number;
  /** Number of frauds. */
  readonly frauds: number;
  /** Sum of their amounts, in cents. */
  readonly cents: number;
  /** Greatest amount. */
  readonly amountMax: number;
  /** Number of cards with such a fraud. */
  readonly cards: number;
  /** Number of terminals with such a fraud. */
  readonly terminals: number;
}

/** One input's numbers, for genuine payments and for frauds. */
export interface FeatureStatistics {
  /** Name: TX_AMOUNT or a feature's. */
  readonly name: string;
  /** How the values of genuine payments and of frauds lie. */
  readonly values: readonly [genuine: Histogram, fraud: Histogram];
  /** Mean and deviation of both. */
  readonly moments: readonly [genuine: Moments, fraud: Moments];
  /** Pearson's correlation with TX_FRAUD; NaN where one of them is constant. */
  readonly correlation: number;
  /** Probability that a fraud's value is greater than a genuine payment's, ties by half (the AUC of the value alone); NaN without both classes. */
  readonly auc: number;
}

/** All that is known of the payments. */
export interface DataStatistics {
  /** Number of payments. */
  readonly payments: number;
  /** Number of frauds. */
  readonly frauds: number;
  /** Sum of all amounts, and of the frauds' amounts, in cents. */
  readonly cents: { readonly all: number; readonly frauds: number };
  /** Midnight of day 0, seconds since 1970; undefined without payments. */
  readonly startSeconds: number | undefined;
  /** Number of cards and of terminals that have a payment. */
  readonly active: { readonly customers: number; readonly terminals: number };
  /** Every day from the first to the last that has a payment. */
  readonly days: readonly DayCounts[];
  /** The scenarios, ascending. */
  readonly scenarios: readonly ScenarioCounts[];
  /** Amounts of the payments of the first days. */
  readonly firstAmounts: Histogram;
  /** Payments of the first days in each quarter of an hour of the day. */
  readonly firstTimes: Float64Array;
  /** The inputs. */
  readonly features: readonly FeatureStatistics[];
  /** The first payments. */
  readonly firstRows: readonly Payment[];
}

/** Counts of a day in the making. */
interface OpenDay {
  payments: number;
  frauds: number;
  first: number;
  last: number;
  readonly cards: Set<number>;
  readonly byScenario: Map<number, number>;
}

interface OpenScenario {
  frauds: number;
  cents: number;
  amountMax: number;
  readonly cards: Set<number>;
  readonly terminals: Set<number>;
}

/** Gathers statistics, payment after payment. */
export class StatisticsCollector {
  readonly #names: readonly string[];
  readonly #values: readonly [Histogram, Histogram][];
  readonly #moments: readonly [Moments, Moments][];
  readonly #days = new Map<number, OpenDay>();
  readonly #scenarios = new Map<number, OpenScenario>();
  readonly #customers = new Set<number>();
  readonly #terminals = new Set<number>();
  readonly #firstAmounts = new Histogram();
  readonly #firstTimes = new Float64Array(TIME_BINS);
  readonly #firstRows: Payment[] = [];
  #firstDay: number | undefined;
  #startSeconds: number | undefined;
  #payments = 0;
  #frauds = 0;
  #cents = 0;
  #centsOfFrauds = 0;
  #today: OpenDay | undefined;
  #todayNumber = -1;

  /** Makes a collector for features of these names; TX_AMOUNT is added to them. */
  constructor(featureNames: readonly string[]) {
    this.#names = ["TX_AMOUNT", ...featureNames];
    this.#values = this.#names.map(() => [new Histogram(), new Histogram()]);
    this.#moments = this.#names.map(() => [new Moments(), new Moments()]);
  }

  /** Adds a payment, whose features stand in `values` from `at` on. */
  add(row: Payment, values: Float64Array, at: number): void {
    if (this.#firstRows.length < ROWS_SHOWN) this.#firstRows.push({ ...row });
    this.#payments++;
    this.#cents += amountCents(row.amount);
    this.#customers.add(row.customerId);
    this.#terminals.add(row.terminalId);
    const day = Math.floor(row.timeSeconds / DAY_SECONDS);
    this.#startSeconds ??= row.datetimeSeconds - row.timeSeconds;
    this.#addFirstDays(row, day);
    const open = this.#openDay(day);
    open.payments++;
    const second = row.timeSeconds - day * DAY_SECONDS;
    if (second < open.first) open.first = second;
    if (second > open.last) open.last = second;
    if (row.fraud === 1) this.#addFraud(row, open);
    this.#addValue(0, row.fraud, row.amount);
    for (let input = 1; input < this.#names.length; input++) {
      this.#addValue(input, row.fraud, values[at + input - 1]);
    }
  }

  #addValue(input: number, fraud: number, value: number): void {
    this.#values[input][fraud].add(value);
    this.#moments[input][fraud].add(value);
  }

  #addFirstDays(row: Payment, day: number): void {
    this.#firstDay ??= day;
    if (day >= this.#firstDay + FIRST_DAYS) return;
    this.#firstAmounts.add(row.amount);
    const second = row.timeSeconds - day * DAY_SECONDS;
    this.#firstTimes[Math.floor(second * TIME_BINS / DAY_SECONDS)]++;
  }

  #openDay(day: number): OpenDay {
    if (this.#today && day === this.#todayNumber) return this.#today;
    let open = this.#days.get(day);
    if (!open) {
      open = {
        payments: 0,
        frauds: 0,
        first: DAY_SECONDS,
        last: -1,
        cards: new Set(),
        byScenario: new Map(),
      };
      this.#days.set(day, open);
    }
    this.#today = open;
    this.#todayNumber = day;
    return open;
  }

  #addFraud(row: Payment, day: OpenDay): void {
    this.#frauds++;
    const cents = amountCents(row.amount);
    this.#centsOfFrauds += cents;
    day.frauds++;
    day.cards.add(row.customerId);
    const known = this.#scenarios.has(row.scenario) ||
      this.#scenarios.size < SCENARIOS_MAX;
    const number = known ? row.scenario : Infinity;
    day.byScenario.set(number, (day.byScenario.get(number) ?? 0) + 1);
    let scenario = this.#scenarios.get(number);
    if (!scenario) {
      const cards = new Set<number>();
      const terminals = new Set<number>();
      scenario = { frauds: 0, cents: 0, amountMax: 0, cards, terminals };
      this.#scenarios.set(number, scenario);
    }
    scenario.frauds++;
    scenario.cents += cents;
    scenario.amountMax = Math.max(scenario.amountMax, row.amount);
    scenario.cards.add(row.customerId);
    scenario.terminals.add(row.terminalId);
  }

  /** What has come out. */
  finish(): DataStatistics {
    const scenarios = [...this.#scenarios.keys()].sort((a, b) => a - b);
    return {
      payments: this.#payments,
      frauds: this.#frauds,
      cents: { all: this.#cents, frauds: this.#centsOfFrauds },
      startSeconds: this.#startSeconds,
      active: {
        customers: this.#customers.size,
        terminals: this.#terminals.size,
      },
      days: this.#finishDays(scenarios),
      scenarios: scenarios.map((scenario) => this.#finishScenario(scenario)),
      firstAmounts: this.#firstAmounts,
      firstTimes: this.#firstTimes,
      features: this.#names.map((name, input) => {
        const values = this.#values[input];
        const moments = this.#moments[input];
        const correlation = labelCorrelation(...moments);
        return { name, values, moments, correlation, auc: aucOf(...values) };
      }),
      firstRows: this.#firstRows,
    };
  }

  #finishDays(scenarios: readonly number[]): DayCounts[] {
    const numbers = [...this.#days.keys()].sort((a, b) => a - b);
    if (numbers.length === 0) return [];
    const first = numbers[0];
    const length = numbers[numbers.length - 1] - first + 1;
    return Array.from({ length }, (_, at) => {
      const day = first + at;
      const open = this.#days.get(day);
      return {
        day,
        payments: open?.payments ?? 0,
        frauds: open?.frauds ?? 0,
        fraudCards: open?.cards.size ?? 0,
        byScenario: scenarios.map((n) => open?.byScenario.get(n) ?? 0),
        seconds: [open?.first ?? NaN, open?.last ?? NaN],
      };
    });
  }

  #finishScenario(scenario: number): ScenarioCounts {
    const open = this.#scenarios.get(scenario);
    return {
      scenario,
      frauds: open?.frauds ?? 0,
      cents: open?.cents ?? 0,
      amountMax: open?.amountMax ?? 0,
      cards: open?.cards.size ?? 0,
      terminals: open?.terminals.size ?? 0,
    };
  }
}

/** Payments per day, on average, from which on a quiet hour says something. */
const BUSY_DAY = 24;
const HOUR = 3600;

/**
 * The first and the last day, where the data seem to begin or end within them:
 * their first payment comes more than an hour later than on any other day, or
 * their last one more than an hour earlier.
 */
export function partialDays(days: readonly DayCounts[]): number[] {
  const others = days.slice(1, -1).filter(({ payments }) => payments > 0);
  const payments = others.reduce((sum, day) => sum + day.payments, 0);
  if (others.length < 2 || payments < BUSY_DAY * others.length) return [];
  const latestStart = Math.max(...others.map(({ seconds }) => seconds[0]));
  const earliestEnd = Math.min(...others.map(({ seconds }) => seconds[1]));
  const [first, last] = [days[0], days[days.length - 1]];
  return [
    ...first.seconds[0] > latestStart + HOUR ? [first.day] : [],
    ...last.seconds[1] < earliestEnd - HOUR ? [last.day] : [],
  ];
}

/** The AUC of a value by itself, by the Mann-Whitney statistic over the histograms' bins. */
export function aucOf(genuine: Histogram, fraud: Histogram): number {
  const pairs = genuine.count * fraud.count;
  if (pairs === 0) return NaN;
  const frauds = [...fraud.bins()];
  let at = 0;
  let fraudsBelow = 0;
  let wins = 0;
  for (const { value, count } of genuine.bins()) {
    while (at < frauds.length && frauds[at].value < value) {
      fraudsBelow += frauds[at++].count;
    }
    const ties = at < frauds.length && frauds[at].value === value
      ? frauds[at].count
      : 0;
    wins += count * (fraud.count - fraudsBelow - ties / 2);
  }
  return wins / pairs;
}
