/**
 * What a report says of payments, gathered in one pass and in bounded memory:
 * totals, days, scenarios, and for each input how genuine and fraudulent
 * payments differ. Rows may come in any order of days.
 */
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type IdKind,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import { NO_TEXTS, type TextHeap } from "../payment/text_heap.ts";
import { amountUnits } from "../payment/validation.ts";
import {
  type DistinctCount,
  DistinctCounter,
  ValueKeys,
} from "./distinct_counter.ts";
import {
  type FeatureStatistics,
  type Outcome,
  ValuesByOutcome,
} from "./feature_statistics.ts";
import { Histogram } from "./histogram.ts";
import {
  type KeptCollector,
  keptCollector,
  type KeptStatistics,
  TextCollector,
  type TextStatistics,
} from "./kept_statistics.ts";

/** Days that the histograms of amounts and times of day of the handbook's payments look at, as the handbook's do. */
export const FIRST_DAYS = 10;

/** Bins of a day in the histogram of times: quarters of an hour. */
export const TIME_BINS = 96;

/** Scenarios that are counted apart; the others are counted together. */
const SCENARIOS_MAX = 16;

/** Rows that are shown as they are. */
const ROWS_SHOWN = 5;

/** Up to here cards and terminals are counted exactly: all, those of a scenario, those of a day. */
const DISTINCT_MAX = { all: 2 ** 20, scenario: 2 ** 17, day: 2 ** 11 };

/** One day's counts. */
export interface DayCounts {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Number of payments. */
  readonly payments: number;
  /** How many of them have a known outcome. */
  readonly known: number;
  /** How many of those are frauds. */
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
  /** Sum of their amounts, in minor units. */
  readonly units: number;
  /** Greatest amount. */
  readonly amountMax: number;
  /** Number of cards with such a fraud. */
  readonly cards: number;
  /** Number of terminals with such a fraud. */
  readonly terminals: number;
}

/** One of the earliest payments. */
export interface ShownPayment {
  /** The payment; its ids may refer to texts that are gone. */
  readonly payment: Payment;
  /** Its ids. */
  readonly ids: {
    readonly transaction: string;
    readonly customer: string;
    readonly terminal: string;
  };
  /** Its kept fields; a time or a flag as a number, null for none. */
  readonly kept: readonly (string | number | null)[];
}

/** All that is known of the payments. */
export interface DataStatistics {
  /** Number of payments. */
  readonly payments: number;
  /** Number of payments whose outcome is known. */
  readonly known: number;
  /** Number of frauds. */
  readonly frauds: number;
  /** Number of payments of a negative amount, and the sum of their amounts in minor units, which is not positive. */
  readonly refunds: { readonly payments: number; readonly units: number };
  /** Sum of all amounts, refunds included, and of the frauds' amounts, in minor units. */
  readonly units: { readonly all: number; readonly frauds: number };
  /** Midnight of day 0, seconds since 1970; undefined without payments. */
  readonly startSeconds: number | undefined;
  /** Number of cards and of terminals that have a payment. */
  readonly active: {
    readonly customers: DistinctCount;
    readonly terminals: DistinctCount;
  };
  /** Every day from the first to the last that has a payment. */
  readonly days: readonly DayCounts[];
  /** The scenarios, ascending. */
  readonly scenarios: readonly ScenarioCounts[];
  /** Whether the next two have the first days only, or all payments. */
  readonly firstDaysOnly: boolean;
  /** Amounts of payments. */
  readonly amounts: Histogram;
  /** Payments in each quarter of an hour of the day. */
  readonly times: Float64Array;
  /** The inputs. */
  readonly features: readonly FeatureStatistics[];
  /** The kept fields. */
  readonly kept: readonly KeptStatistics[];
  /** The terminals with most payments; undefined for the handbook's payments. */
  readonly terminals: TextStatistics | undefined;
  /** The earliest payments. */
  readonly firstRows: readonly ShownPayment[];
}

/** Counts of a day in the making. */
interface OpenDay {
  payments: number;
  known: number;
  frauds: number;
  first: number;
  last: number;
  cards: DistinctCounter | undefined;
  readonly byScenario: Map<number, number>;
}

interface OpenScenario {
  frauds: number;
  units: number;
  amountMax: number;
  readonly cards: DistinctCounter;
  readonly terminals: DistinctCounter;
}

/** What the payments of a report are. */
export interface CollectedPayments {
  /** Names of their features; TX_AMOUNT is added to them. */
  readonly features: readonly string[];
  /** Their form; the handbook's by default. */
  readonly shape?: PaymentShape;
}

/** What a payment has besides its own fields and its features. */
export interface OwnCells {
  /** Its kept fields. */
  readonly kept: Float64Array;
  /** What its ids and kept fields refer to, where they are texts. */
  readonly texts: TextHeap;
}

const NO_CELLS: OwnCells = { kept: new Float64Array(0), texts: NO_TEXTS };

/** Gathers statistics, payment after payment. */
export class StatisticsCollector {
  readonly #shape: PaymentShape;
  readonly #firstDaysOnly: boolean;
  readonly #names: readonly string[];
  readonly #inputs: readonly ValuesByOutcome[];
  readonly #kept: readonly KeptCollector[];
  readonly #terminalCounts: TextCollector | undefined;
  readonly #days = new Map<number, OpenDay>();
  readonly #scenarios = new Map<number, OpenScenario>();
  readonly #keys = new ValueKeys();
  readonly #customers = new DistinctCounter(DISTINCT_MAX.all);
  readonly #terminals = new DistinctCounter(DISTINCT_MAX.all);
  readonly #amounts = new Histogram();
  readonly #times = new Float64Array(TIME_BINS);
  readonly #firstRows: ShownPayment[] = [];
  readonly #scale: number;
  #firstDay: number | undefined;
  #startSeconds: number | undefined;
  #payments = 0;
  #known = 0;
  #frauds = 0;
  #units = 0;
  #unitsOfFrauds = 0;
  #refunds = 0;
  #unitsOfRefunds = 0;
  #today: OpenDay | undefined;
  #todayNumber = -1;

  /** Makes a collector. */
  constructor({ features, shape = HANDBOOK_SHAPE }: CollectedPayments) {
    this.#shape = shape;
    this.#firstDaysOnly = shape === HANDBOOK_SHAPE;
    this.#scale = 10 ** shape.decimals;
    this.#names = ["TX_AMOUNT", ...features];
    this.#inputs = this.#names.map(() => new ValuesByOutcome());
    this.#kept = shape.kept.map(keptCollector);
    this.#terminalCounts = shape === HANDBOOK_SHAPE
      ? undefined
      : new TextCollector("TERMINAL_ID", shape.terminalId);
  }

  /** Adds a payment, whose features stand in `values` from `at` on. */
  add(
    row: Payment,
    values: Float64Array,
    at: number,
    { kept, texts }: OwnCells = NO_CELLS,
  ): void {
    const { customerId, terminalId } = this.#shape;
    const customer = this.#keyOf(row.customerId, customerId, texts);
    const terminal = this.#keyOf(row.terminalId, terminalId, texts);
    const units = amountUnits(row.amount, this.#scale);
    const day = Math.floor(row.timeSeconds / DAY_SECONDS);
    const outcome = outcomeOf(row);
    this.#show(row, kept, texts);
    this.#payments++;
    this.#units += units;
    if (units < 0) {
      this.#refunds++;
      this.#unitsOfRefunds += units;
    }
    this.#customers.add(customer);
    this.#terminals.add(terminal);
    this.#startSeconds ??= row.datetimeSeconds - row.timeSeconds;
    this.#addTime(row, day);
    const open = this.#openDay(day);
    open.payments++;
    if (outcome !== "unknown") {
      this.#known++;
      open.known++;
    }
    const second = row.timeSeconds - day * DAY_SECONDS;
    if (second < open.first) open.first = second;
    if (second > open.last) open.last = second;
    if (outcome === "fraud") {
      this.#addFraud(row, { day: open, units, customer, terminal });
    }
    this.#inputs[0].add(outcome, row.amount);
    for (let input = 1; input < this.#names.length; input++) {
      this.#inputs[input].add(outcome, values[at + input - 1]);
    }
    for (let field = 0; field < this.#kept.length; field++) {
      this.#kept[field].add(kept[field], outcome, texts);
    }
    this.#terminalCounts?.add(row.terminalId, outcome, texts);
  }

  #keyOf(cell: number, kind: IdKind, texts: TextHeap): number {
    return kind === "text"
      ? this.#keys.ofText(cell, texts)
      : this.#keys.ofNumber(cell);
  }

  /** Shows a payment if it is one of the earliest. */
  #show(row: Payment, kept: Float64Array, texts: TextHeap): void {
    const rows = this.#firstRows;
    let place = rows.length;
    while (
      place > 0 && rows[place - 1].payment.timeSeconds > row.timeSeconds
    ) place--;
    if (place === ROWS_SHOWN) return;
    const { transactionId, customerId, terminalId } = this.#shape;
    const id = (cell: number, kind: IdKind) =>
      kind === "text" ? texts.text(cell) ?? "" : String(cell);
    rows.splice(place, 0, {
      payment: { ...row },
      ids: {
        transaction: id(row.transactionId, transactionId),
        customer: id(row.customerId, customerId),
        terminal: id(row.terminalId, terminalId),
      },
      kept: this.#shape.kept.map(({ type }, field) => {
        const cell = kept[field];
        if (type === "text") return texts.text(cell);
        return Number.isNaN(cell) ? null : cell;
      }),
    });
    rows.splice(ROWS_SHOWN);
  }

  #addTime(row: Payment, day: number): void {
    this.#firstDay ??= day;
    if (this.#firstDaysOnly && day >= this.#firstDay + FIRST_DAYS) return;
    this.#amounts.add(row.amount);
    const second = row.timeSeconds - day * DAY_SECONDS;
    this.#times[Math.floor(second * TIME_BINS / DAY_SECONDS)]++;
  }

  #openDay(day: number): OpenDay {
    if (this.#today && day === this.#todayNumber) return this.#today;
    let open = this.#days.get(day);
    if (!open) {
      open = {
        payments: 0,
        known: 0,
        frauds: 0,
        first: DAY_SECONDS,
        last: -1,
        cards: undefined,
        byScenario: new Map(),
      };
      this.#days.set(day, open);
    }
    this.#today = open;
    this.#todayNumber = day;
    return open;
  }

  #addFraud(
    row: Payment,
    { day, units, customer, terminal }: {
      day: OpenDay;
      units: number;
      customer: number;
      terminal: number;
    },
  ): void {
    this.#frauds++;
    this.#unitsOfFrauds += units;
    day.frauds++;
    day.cards ??= new DistinctCounter(DISTINCT_MAX.day);
    day.cards.add(customer);
    const known = this.#scenarios.has(row.scenario) ||
      this.#scenarios.size < SCENARIOS_MAX;
    const number = known ? row.scenario : Infinity;
    day.byScenario.set(number, (day.byScenario.get(number) ?? 0) + 1);
    let scenario = this.#scenarios.get(number);
    if (!scenario) {
      const cards = new DistinctCounter(DISTINCT_MAX.scenario);
      const terminals = new DistinctCounter(DISTINCT_MAX.scenario);
      scenario = { frauds: 0, units: 0, amountMax: 0, cards, terminals };
      this.#scenarios.set(number, scenario);
    }
    scenario.frauds++;
    scenario.units += units;
    scenario.amountMax = Math.max(scenario.amountMax, row.amount);
    scenario.cards.add(customer);
    scenario.terminals.add(terminal);
  }

  /** What has come out. */
  finish(): DataStatistics {
    const scenarios = [...this.#scenarios.keys()].sort((a, b) => a - b);
    const someKnown = this.#known > 0;
    return {
      payments: this.#payments,
      known: this.#known,
      frauds: this.#frauds,
      refunds: { payments: this.#refunds, units: this.#unitsOfRefunds },
      units: { all: this.#units, frauds: this.#unitsOfFrauds },
      startSeconds: this.#startSeconds,
      active: {
        customers: this.#customers.distinct,
        terminals: this.#terminals.distinct,
      },
      days: this.#finishDays(scenarios),
      scenarios: scenarios.map((scenario) => this.#finishScenario(scenario)),
      firstDaysOnly: this.#firstDaysOnly,
      amounts: this.#amounts,
      times: this.#times,
      features: this.#inputs.map((values, input) => {
        return values.finish(this.#names[input], someKnown);
      }),
      kept: this.#kept.map((field) => field.finish(someKnown)),
      terminals: this.#terminalCounts?.finish(),
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
        known: open?.known ?? 0,
        frauds: open?.frauds ?? 0,
        fraudCards: open?.cards?.distinct.count ?? 0,
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
      units: open?.units ?? 0,
      amountMax: open?.amountMax ?? 0,
      cards: open?.cards.distinct.count ?? 0,
      terminals: open?.terminals.distinct.count ?? 0,
    };
  }
}

/** What became of a payment. */
export function outcomeOf({ fraud }: Payment): Outcome {
  if (fraud === FRAUD_UNKNOWN) return "unknown";
  return fraud === 1 ? "fraud" : "genuine";
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
