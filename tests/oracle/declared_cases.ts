/**
 * Random streams with declared features: a definition, the records of its
 * payments and labels as they come within the lateness, and the same for the
 * oracle (declared_features.py), which gets conditions as trees.
 */
import { formatDatetime } from "../../src/payment/calendar.ts";
import { chance } from "../long.ts";

/** Midnight of the first day, seconds since 1970. */
export const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;

/** How late a payment may come, in seconds. */
export const LATENESS_SECONDS = 600;

type Fields = Readonly<Record<string, string | number | null>>;

/** A payment, or a label of one. */
export type LogEntry =
  | { readonly payment: Fields; readonly time: number }
  | {
    readonly label: number;
    readonly known: number;
    readonly fraud: number | null;
  };

/** A random stream. */
export interface DeclaredCase {
  /** Partitions of its topics. */
  readonly partitions: number;
  /** The definition, as JSON. */
  readonly definition: string;
  /** Names of the declared features, in their order. */
  readonly names: readonly string[];
  /** What comes, in its order. */
  readonly log: readonly LogEntry[];
  /** What the oracle reads, beside the log. */
  readonly plain: {
    readonly labels: { readonly grace: number | null };
    readonly scale: number;
    readonly features: Readonly<Record<string, object>>;
  };
}

/** A condition or a number as people write it, as a tree, and the features that it needs. */
interface Written {
  readonly text: string;
  readonly tree: readonly unknown[];
  readonly needs: readonly string[];
}

const KEYS = [
  ["CUSTOMER_ID"],
  ["TERMINAL_ID"],
  ["category"],
  ["CUSTOMER_ID", "category"],
  ["TERMINAL_ID", "online"],
  ["weight"],
] as const;

const KEPT = { category: "text", online: "flag", weight: "number" };

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  count: ["payments"],
  sum: ["TX_AMOUNT", "weight"],
  mean: ["TX_AMOUNT", "weight"],
  min: ["TX_AMOUNT", "weight"],
  max: ["TX_AMOUNT", "weight"],
  distinct: ["CUSTOMER_ID", "TERMINAL_ID", "category", "weight", "TX_AMOUNT"],
  share: ["TX_FRAUD", "online"],
  "seconds_since": ["payments"],
};

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 7 * DAY_SECONDS;

const OVER = [1, 60, 600, 3600, DAY_SECONDS];
const LONG_OVER = [600, DAY_SECONDS, WEEK_SECONDS, 4 * WEEK_SECONDS];

/** What an aggregate is made for. */
interface AggregateOptions {
  readonly keys: readonly (readonly string[])[];
  readonly labelDelay: number;
  readonly isStream: boolean;
  readonly partitions: number;
}

function isOfCard(by: readonly string[]): boolean {
  return by.includes("CUSTOMER_ID");
}

/** The partition of an entry: all of a card are in one. */
export function partitionOf(
  { log, partitions }: DeclaredCase,
  entry: LogEntry,
): number {
  const of = "payment" in entry
    ? entry
    : log.filter((one) => "payment" in one)[entry.label];
  return keyOf(of.payment).charCodeAt(1) % partitions || 0;
}

/** The stream of a seed. */
export function declaredCase(seed: number): DeclaredCase {
  return new CaseMaker(seed).make();
}

class CaseMaker {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = chance(seed);
  }

  make(): DeclaredCase {
    const decimals = this.#below(5);
    const partitions = this.#random() < 0.7 ? 1 : 3;
    const isStream = partitions === 1 && this.#random() < 0.4;
    const delay = partitions === 1 ? 600 * (1 + this.#below(4)) : WEEK_SECONDS;
    const grace = isStream ? 60 * (1 + this.#below(9)) : null;
    const keys = partitions === 1 ? this.#shuffled(KEYS) : [
      ...KEYS.filter(isOfCard),
      this.#pick(KEYS.filter((by) => !isOfCard(by))),
    ];
    const features = this.#features({
      keys: keys.slice(0, 4),
      labelDelay: delay,
      ...{ isStream, partitions },
    });
    const names = Object.keys(features);
    const declared = names.map((name) => [name, features[name].written]);
    return {
      partitions,
      definition: JSON.stringify({
        version: 1,
        payment: {
          TRANSACTION_ID: { from: "id", type: "number" },
          TX_DATETIME: "time",
          CUSTOMER_ID: "card",
          TERMINAL_ID: { from: "shop", type: "number" },
          TX_AMOUNT: { from: "amount", decimals, refunds: true },
          ...isStream ? {} : { TX_FRAUD: "fraud" },
          keep: KEPT,
        },
        labels: isStream
          ? { from: "stream", delay: `${delay}s`, grace: `${grace}s` }
          : { from: "payment", delay: `${delay}s` },
        features: { include: "none", ...Object.fromEntries(declared) },
      }),
      names,
      log: this.#log({ decimals, isStream, partitions }),
      plain: {
        labels: { grace },
        scale: 10 ** decimals,
        features: Object.fromEntries(
          names.map((name) => [name, features[name].plain]),
        ),
      },
    };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)];
  }

  #features(options: AggregateOptions) {
    const features: Record<string, { written: object; plain: object }> = {};
    const aggregates = 1 + this.#below(8);
    for (let i = 0; i < aggregates; i++) {
      features[`A${i}`] = this.#aggregate(options);
    }
    const expressions = this.#below(4);
    for (let i = 0; i < expressions; i++) {
      const others = Object.keys(features);
      const { text, tree, needs } = this.#random() < 0.3
        ? this.#condition(2, others)
        : this.#number(3, others);
      features[`E${i}`] = {
        written: { expression: text },
        plain: { kind: "expression", tree, needs },
      };
    }
    return Object.fromEntries(this.#shuffled(Object.entries(features)));
  }

  #shuffled<T>(items: readonly T[]): T[] {
    return items.map((item) => ({ item, place: this.#random() }))
      .sort((a, b) => a.place - b.place).map(({ item }) => item);
  }

  #aggregate(
    { keys, labelDelay, isStream, partitions }: AggregateOptions,
  ) {
    const kind = this.#pick(Object.keys(FIELDS));
    const of = this.#pick(FIELDS[kind]);
    const by = this.#pick(keys);
    const over = this.#pick(partitions === 1 ? OVER : LONG_OVER);
    const isLabel = of === "TX_FRAUD";
    let delay = this.#pick([undefined, undefined, 0, 60, 1800]);
    if (isLabel && !isStream && delay !== undefined) delay += labelDelay;
    const aligned = partitions > 1 && !isOfCard(by);
    if (aligned && !isLabel) delay = WEEK_SECONDS + this.#pick([0, 600]);
    const where = this.#random() < 0.4 ? this.#condition(2, []) : undefined;
    const mayLeaveSelf = kind !== "seconds_since" && !delay;
    const leavesSelf = mayLeaveSelf && this.#random() < 0.3;
    const decimals = of === "weight" && (kind === "sum" || kind === "mean")
      ? this.#pick([undefined, 2, 3])
      : undefined;
    return {
      written: {
        ...{ [kind]: of, by, over: `${over}s` },
        ...delay === undefined ? {} : { delay: `${delay}s` },
        ...where && { where: where.text },
        ...leavesSelf && { "include_self": false },
        ...decimals === undefined ? {} : { decimals },
      },
      plain: {
        ...{ kind, of, by, over, decimals: decimals ?? 2 },
        delay: delay ?? (isLabel ? labelDelay : 0),
        where: where?.tree ?? null,
        aligned,
        self: kind !== "seconds_since" && !leavesSelf,
      },
    };
  }

  #number(depth: number, features: readonly string[]): Written {
    const what = depth === 0 ? this.#random() * 0.4 : this.#random();
    if (what < 0.1) {
      const value = this.#pick([0, 1, 2.5, 1000]);
      return { text: `${value}`, tree: ["number", value], needs: [] };
    }
    if (what < 0.4) {
      const name = this.#pick(["TX_AMOUNT", "weight", ...features]);
      const needs = features.includes(name) ? [name] : [];
      return { text: name, tree: ["name", name], needs };
    }
    if (what < 0.5) {
      const one = this.#number(depth - 1, features);
      return {
        text: `-(${one.text})`,
        tree: ["minus", one.tree],
        needs: one.needs,
      };
    }
    const a = this.#number(depth - 1, features);
    const b = this.#number(depth - 1, features);
    if (what < 0.65) {
      const test = this.#condition(depth - 1, features);
      return {
        text: `(${test.text} ? ${a.text} : ${b.text})`,
        tree: ["?:", test.tree, a.tree, b.tree],
        needs: [...test.needs, ...a.needs, ...b.needs],
      };
    }
    return joined(this.#pick(["+", "-", "*", "/", "%"]), a, b);
  }

  #condition(depth: number, features: readonly string[]): Written {
    const what = depth === 0 ? this.#random() * 0.5 : this.#random();
    const needs: readonly string[] = [];
    if (what < 0.1) return { text: "online", tree: ["flag", "online"], needs };
    if (what < 0.2) {
      const name = this.#pick(["category", "weight", "online", ...features]);
      return {
        text: `has(${name})`,
        tree: ["has", name],
        needs: features.includes(name) ? [name] : [],
      };
    }
    if (what < 0.3) {
      const texts = this.#shuffled(CATEGORIES).slice(0, 2);
      const list = texts.map((text) => `'${text}'`).join(", ");
      return {
        text: `category in [${list}]`,
        tree: ["in", "category", texts],
        needs,
      };
    }
    if (what < 0.4) {
      const text = "category.startsWith('f')";
      return { text, tree: ["startsWith", "category", "f"], needs };
    }
    if (what < 0.5) {
      const [name, text] = this.#pick([
        ["category", "food"],
        ["CUSTOMER_ID", "c1"],
      ]);
      const op = this.#pick(["==", "!="]);
      const tree = [op, ["name", name], ["text", text]];
      return { text: `${name} ${op} '${text}'`, tree, needs };
    }
    if (what < 0.6) {
      const one = this.#condition(depth - 1, features);
      return {
        text: `!(${one.text})`,
        tree: ["not", one.tree],
        needs: one.needs,
      };
    }
    if (what < 0.75) {
      const a = this.#condition(depth - 1, features);
      const b = this.#condition(depth - 1, features);
      return joined(this.#pick(["&&", "||"]), a, b);
    }
    const a = this.#number(depth - 1, features);
    const b = this.#number(depth - 1, features);
    return joined(this.#pick(["<", "<=", ">", ">=", "==", "!="]), a, b);
  }

  /** Payments within the lateness, and their labels some time later. */
  #log(
    { decimals, isStream, partitions }: {
      readonly decimals: number;
      readonly isStream: boolean;
      readonly partitions: number;
    },
  ): LogEntry[] {
    const steps = partitions === 1 ? [3600] : [3600, DAY_SECONDS, WEEK_SECONDS];
    const log: LogEntry[] = [];
    const payments = 5 + this.#below(60);
    const times: number[] = [];
    let now = 2 * LATENESS_SECONDS;
    for (let id = 0; id < payments; id++) {
      now += this.#pick([0, 0, 1, 59, 60, 600, ...steps, this.#below(900)]);
      const back = this.#random() < 0.3 ? this.#below(LATENESS_SECONDS + 1) : 0;
      const time = now - back;
      const weight = this.#random();
      log.push({
        time,
        payment: {
          TRANSACTION_ID: id,
          CUSTOMER_ID: this.#pick(["c1", "c2", "ü"]),
          TERMINAL_ID: this.#pick([1, 2, 2 ** 52]),
          TX_AMOUNT: (this.#below(4000) - 500) / 10 ** decimals,
          TX_FRAUD: isStream ? null : this.#below(2),
          category: this.#pick([null, ...CATEGORIES]),
          online: this.#pick([null, 0, 1]),
          weight: weight < 0.2 ? null : (this.#below(5) - 1) * 1.25,
          TX_DATETIME: START_SECONDS + time,
          TX_TIME_SECONDS: time,
        },
      });
      times.push(time);
      while (isStream && this.#random() < 0.4) {
        const label = this.#below(times.length);
        const known = times[label] + this.#below(2000);
        log.push({ label, known, fraud: this.#pick([0, 1, 1, null]) });
      }
    }
    return log;
  }
}

const CATEGORIES = ["food", "fuel", "it's ü"].map((text) =>
  text.replace("'", "’")
);

function joined(op: string, a: Written, b: Written): Written {
  return {
    text: `(${a.text} ${op} ${b.text})`,
    tree: [op, a.tree, b.tree],
    needs: [...a.needs, ...b.needs],
  };
}

/** The record of an entry in transaction_topic: its key and its value. */
export function recordOf(
  log: readonly LogEntry[],
  entry: LogEntry,
): readonly [key: string, value: string] {
  if ("payment" in entry) return [keyOf(entry.payment), json(entry.payment)];
  const labelled = log.filter((one) => "payment" in one)[entry.label];
  const { payment } = labelled;
  const label = {
    TX_FRAUD: entry.fraud,
    TX_FRAUD_SCENARIO: 0,
    KNOWN_AT: formatDatetime(START_SECONDS + entry.known),
  };
  const value = json({ ...payment, TX_FRAUD: null });
  return [
    keyOf(payment),
    `${value.slice(0, -1)},${JSON.stringify(label).slice(1)}`,
  ];
}

function keyOf({ CUSTOMER_ID }: Fields): string {
  return String(CUSTOMER_ID);
}

function json(payment: Fields): string {
  const { TRANSACTION_ID, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT } = payment;
  const seconds = Number(payment.TX_TIME_SECONDS);
  return JSON.stringify({
    TRANSACTION_ID,
    TX_DATETIME: formatDatetime(Number(payment.TX_DATETIME)),
    ...{ CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT },
    TX_TIME_SECONDS: seconds,
    TX_TIME_DAYS: Math.floor(seconds / 86_400),
    ...payment.TX_FRAUD === null ? {} : { TX_FRAUD: payment.TX_FRAUD },
    category: payment.category,
    online: payment.online,
    weight: payment.weight,
  });
}
