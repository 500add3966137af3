/**
 * What a report says of a field that a definition keeps, gathered in one pass
 * and in bounded memory: the most frequent texts, or how numbers, flags and
 * times lie.
 */
import type { KeptShape } from "../payment/payment_shape.ts";
import { NO_TEXT, type TextHeap } from "../payment/text_heap.ts";
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
import { FrequentValues, type ValueCount } from "./frequent_values.ts";
import { coarseWidth } from "./histogram.ts";

/** Texts of a field that a report shows. */
export const VALUES_SHOWN = 20;

/** Up to here different texts of a field are counted exactly. */
const DISTINCT_MAX = 2 ** 16;

/** Numbers that decide what a histogram counts from. */
const SAMPLE = 1024;

/** What is known of a field. */
export type KeptStatistics = TextStatistics | NumberStatistics;

/** What is known of a field of texts. */
export interface TextStatistics {
  /** It has texts. */
  readonly type: "text";
  /** Name of the field. */
  readonly name: string;
  /** Payments without a value. */
  readonly missing: number;
  /** How many different texts there are. */
  readonly distinct: DistinctCount;
  /** The most frequent texts, at most VALUES_SHOWN. */
  readonly values: readonly ValueCount[];
  /** How far its texts tell frauds from genuine payments, 0.5 (not at all) to 1; NaN without both. */
  readonly separation: number;
}

/** What is known of a field of numbers, flags or times (seconds since 1970). */
export interface NumberStatistics {
  /** What its values are. */
  readonly type: "number" | "flag" | "time";
  /** Name of the field. */
  readonly name: string;
  /** Payments without a value. */
  readonly missing: number;
  /** The values. */
  readonly values: FeatureStatistics;
  /** As of texts. */
  readonly separation: number;
}

/** A kept field's payments. */
export interface KeptCollector {
  /** Takes the cell of a payment. */
  add(cell: number, outcome: Outcome, texts: TextHeap): void;
  /** What has come out; see ValuesByOutcome.finish. */
  finish(someKnown: boolean): KeptStatistics;
}

/** A collector for a field. */
export function keptCollector({ name, type }: KeptShape): KeptCollector {
  return type === "text"
    ? new TextCollector(name, "text")
    : new NumberCollector(name, type);
}

/** Gathers texts, or ids of either kind. */
export class TextCollector implements KeptCollector {
  readonly #name: string;
  readonly #isText: boolean;
  readonly #keys = new ValueKeys();
  readonly #values = new FrequentValues();
  readonly #distinct = new DistinctCounter(DISTINCT_MAX);
  #missing = 0;
  /** Payments with a value, by outcome. */
  readonly #payments = { genuine: 0, fraud: 0, unknown: 0 };

  /** Gathers a field whose cells are texts or whole numbers. */
  constructor(name: string, kind: "text" | "number") {
    this.#name = name;
    this.#isText = kind === "text";
  }

  /** See KeptCollector. */
  add(cell: number, outcome: Outcome, texts: TextHeap): void {
    if (this.#isText && cell === NO_TEXT) {
      this.#missing++;
      return;
    }
    const key = this.#isText
      ? this.#keys.ofText(cell, texts)
      : this.#keys.ofNumber(cell);
    this.#payments[outcome]++;
    this.#distinct.add(key);
    const text = () => this.#isText ? texts.text(cell) ?? "" : String(cell);
    this.#values.add(key, outcome, text);
  }

  /** See KeptCollector. */
  finish(): TextStatistics {
    const { genuine, fraud } = this.#payments;
    const values = this.#values.top(VALUES_SHOWN);
    return {
      type: "text",
      name: this.#name,
      missing: this.#missing,
      distinct: this.#distinct.distinct,
      values,
      separation: separationOf(values, genuine, fraud),
    };
  }
}

/** Gathers numbers, flags or times. */
class NumberCollector implements KeptCollector {
  readonly #name: string;
  readonly #type: NumberStatistics["type"];
  #first: { value: number; outcome: Outcome }[] = [];
  #values: ValuesByOutcome | undefined;
  #missing = 0;

  constructor(name: string, type: NumberStatistics["type"]) {
    this.#name = name;
    this.#type = type;
  }

  add(value: number, outcome: Outcome): void {
    if (Number.isNaN(value)) this.#missing++;
    else if (this.#values) this.#values.add(outcome, value);
    else if (this.#first.push({ value, outcome }) === SAMPLE) this.#begin();
  }

  finish(someKnown: boolean): NumberStatistics {
    const values = (this.#values ?? this.#begin())
      .finish(this.#name, someKnown);
    const { auc } = values;
    return {
      type: this.#type,
      name: this.#name,
      missing: this.#missing,
      values,
      separation: Math.max(auc, 1 - auc),
    };
  }

  #begin(): ValuesByOutcome {
    const first = this.#first.map(({ value }) => value);
    this.#values = new ValuesByOutcome(originOf(first));
    for (const { outcome, value } of this.#first) {
      this.#values.add(outcome, value);
    }
    this.#first = [];
    return this.#values;
  }
}

/**
 * What a histogram of numbers like these counts from. Histograms are fine near
 * 0 and coarse far from it, such as at years or at seconds since 1970: there, a
 * multiple of the bins among the numbers.
 */
export function originOf(numbers: readonly number[]): number {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const nearest = low > 0 ? low : high < 0 ? -high : 0;
  if (!(nearest > 2 * (high - low)) || nearest === Infinity) return 0;
  const width = Math.max(1, coarseWidth(low, high, 1));
  return Math.floor(low / width) * width;
}

/**
 * How far the values of a field tell frauds from genuine payments: the AUC of
 * the share of frauds among the payments of each value; values that are not
 * among `values` count as one.
 */
function separationOf(
  values: readonly ValueCount[],
  genuine: number,
  frauds: number,
): number {
  const groups = values.map((one) => ({
    genuine: one.known - one.frauds,
    frauds: one.frauds,
  }));
  const sum = (of: (group: typeof groups[number]) => number) =>
    groups.reduce((sum, group) => sum + of(group), 0);
  groups.push({
    genuine: genuine - sum((group) => group.genuine),
    frauds: frauds - sum((group) => group.frauds),
  });
  const share = (group: typeof groups[number]) =>
    group.frauds / (group.frauds + group.genuine || 1);
  let below = 0;
  let wins = 0;
  for (const group of groups.sort((a, b) => share(a) - share(b))) {
    wins += group.frauds * (below + group.genuine / 2);
    below += group.genuine;
  }
  return wins / (genuine * frauds || NaN);
}
