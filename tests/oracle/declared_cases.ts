/**
 * Random streams with declared features: a definition, the records of its
 * payments and labels as they come within the lateness, and the same for the
 * oracle (declared_features.py), which gets conditions as trees. A case is made
 * from a sequence of random numbers, so that fast-check can shrink the sequence
 * of one that fails.
 */
import { formatDatetime } from "../../src/payment/calendar.ts";

/** Midnight of the first day, seconds since 1970. */
export const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;

/** How late a payment may come, in seconds. */
export const LATENESS_SECONDS = 600;

type Fields = Readonly<Record<string, string | number | null>>;

/** A payment, or a label of one; all of a card are in one partition. */
export type LogEntry =
  & { readonly partition: number }
  & (
    | { readonly payment: Fields; readonly time: number }
    | {
      readonly label: number;
      readonly known: number;
      readonly fraud: number | null;
    }
  );

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
    /** Seconds; without a grace the labels stand in the payments. */
    readonly labels: { readonly delay: number; readonly grace: number | null };
    readonly scale: number;
    readonly features: Readonly<Record<string, object>>;
  };
  /** Whether a feature counts what has arrived, which differs between runs. */
  readonly hasArrival: boolean;
  /** What the steps of the stream's stages follow from. */
  readonly steps: number;
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

const CARD_KEYS = KEYS.filter((by) => isOfCard(by));

const KEPT = { category: "text", online: "flag", weight: "number" };

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  count: ["payments"],
  sum: ["TX_AMOUNT", "weight"],
  mean: ["TX_AMOUNT", "weight"],
  min: ["TX_AMOUNT", "weight"],
  max: ["TX_AMOUNT", "weight"],
  distinct: ["category", "TERMINAL_ID", "category", "weight", "CUSTOMER_ID"],
  share: ["TX_FRAUD", "TX_FRAUD", "online"],
  "seconds_since": ["payments"],
};

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 7 * DAY_SECONDS;

const OVER = [600, 60, 3600, 3600, DAY_SECONDS, DAY_SECONDS, 1];
const LONG_OVER = [DAY_SECONDS, 3600, WEEK_SECONDS, 4 * WEEK_SECONDS];

/** What the parts of a case have in common; times in seconds. */
interface CaseOptions {
  readonly keys: readonly (readonly string[])[];
  readonly decimals: number;
  readonly partitions: number;
  readonly labelDelay: number;
  /** Where labels arrive later. */
  readonly grace: number | null;
  /** Whether each label that arrives is known early enough to count when it should, whatever the partitions do. */
  readonly isPunctual: boolean;
  /** Whether weeks pass between payments. */
  readonly isSlow: boolean;
  readonly hasTextIds: boolean;
  readonly cards: readonly (string | number)[];
  readonly shops: readonly (string | number)[];
}

function isOfCard(by: readonly string[]): boolean {
  return by.includes("CUSTOMER_ID");
}

/** A stream that follows from random numbers from 0 to below 1; of numbers that are all 0 it is small. */
export function declaredCase(random: () => number): DeclaredCase {
  return new CaseMaker(random).make();
}

class CaseMaker {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  make(): DeclaredCase {
    const steps = this.#below(2 ** 30);
    const options = this.#options();
    const { partitions, decimals, labelDelay, grace, hasTextIds } = options;
    const isStream = grace !== null;
    const idType = { type: hasTextIds ? "text" : "number" };
    const hasHandbook = labelDelay === WEEK_SECONDS && this.#random() >= 0.5;
    const keys = hasHandbook && partitions > 1
      ? [...CARD_KEYS, ["TERMINAL_ID"]]
      : options.keys;
    const features = this.#features({ ...options, keys });
    const names = Object.keys(features);
    const declared = names.map((name) => [name, features[name].written]);
    return {
      partitions,
      definition: JSON.stringify({
        version: 1,
        payment: {
          TRANSACTION_ID: { from: "id", ...idType },
          TX_DATETIME: "time",
          CUSTOMER_ID: {
            from: "card",
            type: typeof options.cards[0] === "string" ? "text" : "number",
          },
          TERMINAL_ID: {
            from: "shop",
            type: typeof options.shops[0] === "string" ? "text" : "number",
          },
          TX_AMOUNT: { from: "amount", decimals, refunds: true },
          ...isStream ? {} : { TX_FRAUD: "fraud" },
          keep: KEPT,
        },
        labels: isStream
          ? { from: "stream", delay: `${labelDelay}s`, grace: `${grace}s` }
          : { from: "payment", delay: `${labelDelay}s` },
        features: {
          include: hasHandbook ? "handbook" : "none",
          ...Object.fromEntries(declared),
        },
      }),
      names,
      log: this.#log(options, names.flatMap((name) => features[name].edges)),
      hasArrival: names.some((name) => features[name].isByArrival),
      steps,
      plain: {
        labels: { delay: labelDelay, grace },
        scale: 10 ** decimals,
        features: Object.fromEntries(
          names.map((name) => [name, features[name].plain]),
        ),
      },
    };
  }

  #options(): CaseOptions {
    const decimals = this.#below(5);
    const partitions = this.#pick([1, 1, 1, 3, 4]);
    const isStream = this.#random() >= 0.6;
    const isSlow = this.#random() >= (partitions === 1 ? 0.7 : 0.3);
    const grace = isStream ? LATENESS_SECONDS + 60 * this.#pick([1, 5]) : null;
    const labelDelay = partitions > 1 && !isStream || this.#random() >= 0.7
      ? WEEK_SECONDS
      : (grace ?? 0) + this.#pick([600, 60, 1800]);
    return {
      keys: partitions === 1 ? this.#shuffled(KEYS).slice(0, 4) : [
        ...CARD_KEYS,
        this.#pick(KEYS.filter((by) => !isOfCard(by))),
      ],
      ...{ decimals, partitions, labelDelay, grace, isSlow },
      isPunctual: partitions > 1 && this.#random() < 0.7,
      hasTextIds: this.#random() >= 0.7,
      cards: this.#pick([["c1", "c2", "ü"], [1, 2, 2 ** 40]]),
      shops: this.#pick([[1, 2, 2 ** 52], ["s1", "s2", "ö"]]),
    };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)];
  }

  #features(options: CaseOptions) {
    const features: Record<
      string,
      {
        readonly written: object;
        readonly plain: object;
        readonly isByArrival: boolean;
        readonly edges: readonly number[];
      }
    > = {};
    const aggregates = 1 + this.#below(8);
    for (let i = 0; i < aggregates; i++) {
      features[`A${i}`] = this.#aggregate(options);
    }
    const expressions = this.#below(4);
    for (let i = 0; i < expressions; i++) {
      const others = Object.keys(features);
      const { text, tree, needs } = this.#random() < 0.3
        ? this.#condition(2, others, options)
        : this.#number(3, others, options);
      features[`E${i}`] = {
        written: { expression: text },
        plain: { kind: "expression", tree, needs },
        isByArrival: false,
        edges: [],
      };
    }
    return Object.fromEntries(this.#shuffled(Object.entries(features)));
  }

  #shuffled<T>(items: readonly T[]): T[] {
    return items.map((item) => ({ item, place: this.#random() }))
      .sort((a, b) => a.place - b.place).map(({ item }) => item);
  }

  #aggregate(options: CaseOptions) {
    const { keys, labelDelay, grace, partitions, isPunctual } = options;
    const by = partitions > 1 && this.#random() >= 0.6
      ? keys[keys.length - 1]
      : this.#pick(keys);
    const isLater = partitions > 1 && !isOfCard(by);
    const isRisk = grace !== null && this.#random() >= 0.6;
    const kind = isRisk ? "share" : this.#pick(Object.keys(FIELDS));
    const fields = FIELDS[kind].filter((field) =>
      // When such a label counts, depends on how the partitions run.
      field !== "TX_FRAUD" || !isLater || grace === null || isPunctual
    );
    const of = this.#pick(fields);
    const isLabel = of === "TX_FRAUD";
    const over = this.#pick(
      options.isSlow || isLabel && grace !== null ? LONG_OVER : OVER,
    );
    const isByArrival = this.#random() >= (isLater ? 0.6 : 0.9);
    const least = isLabel && grace === null ? labelDelay : 0;
    let delay = this.#pick([undefined, undefined, 0, 60, 1800]);
    if (delay !== undefined) delay += least;
    if (isLater && !isByArrival && !(isLabel && delay === undefined)) {
      delay = (grace ?? WEEK_SECONDS) + this.#pick([0, 1, 600]);
    }
    const where = this.#random() < 0.4
      ? this.#condition(2, [], options)
      : undefined;
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
        ...isByArrival ? { order: "arrival" } : {},
      },
      plain: {
        ...{ kind, of, by, over, decimals: decimals ?? 2 },
        delay: delay ?? (isLabel ? labelDelay : 0),
        where: where?.tree ?? null,
        order: !isLater ? "log" : isByArrival ? "arrival" : "time",
        self: kind !== "seconds_since" && !leavesSelf,
      },
      isByArrival: isLater && isByArrival,
      // How long after a payment its window begins and ends.
      edges: [delay ?? 0, (delay ?? 0) + over].filter((edge) => edge > 0),
    };
  }

  #number(
    depth: number,
    features: readonly string[],
    options: CaseOptions,
  ): Written {
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
      const one = this.#number(depth - 1, features, options);
      return {
        text: `-(${one.text})`,
        tree: ["minus", one.tree],
        needs: one.needs,
      };
    }
    const a = this.#number(depth - 1, features, options);
    const b = this.#number(depth - 1, features, options);
    if (what < 0.65) {
      const test = this.#condition(depth - 1, features, options);
      return {
        text: `(${test.text} ? ${a.text} : ${b.text})`,
        tree: ["?:", test.tree, a.tree, b.tree],
        needs: [...test.needs, ...a.needs, ...b.needs],
      };
    }
    return joined(this.#pick(["+", "-", "*", "/", "%"]), a, b);
  }

  #condition(
    depth: number,
    features: readonly string[],
    options: CaseOptions,
  ): Written {
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
      const [name, value] = this.#pick([
        ["category", "food"],
        ["CUSTOMER_ID", options.cards[0]],
        ["TERMINAL_ID", options.shops[0]],
      ]);
      const op = this.#pick(["==", "!="]);
      const isText = typeof value === "string";
      const tree = [op, ["name", name], [isText ? "text" : "number", value]];
      const written = isText ? `'${value}'` : value;
      return { text: `${name} ${op} ${written}`, tree, needs };
    }
    if (what < 0.6) {
      const one = this.#condition(depth - 1, features, options);
      return {
        text: `!(${one.text})`,
        tree: ["not", one.tree],
        needs: one.needs,
      };
    }
    if (what < 0.75) {
      const a = this.#condition(depth - 1, features, options);
      const b = this.#condition(depth - 1, features, options);
      return joined(this.#pick(["&&", "||"]), a, b);
    }
    const a = this.#number(depth - 1, features, options);
    const b = this.#number(depth - 1, features, options);
    return joined(this.#pick(["<", "<=", ">", ">=", "==", "!="]), a, b);
  }

  /** Payments within the lateness, and their labels some time later. */
  #log(options: CaseOptions, edges: readonly number[]): LogEntry[] {
    const { decimals, partitions, isSlow, cards, shops } = options;
    const { grace, isPunctual, hasTextIds } = options;
    const steps = isSlow ? [3600, DAY_SECONDS, WEEK_SECONDS] : [3600];
    const log: LogEntry[] = [];
    const payments = 3 + this.#below(60);
    const paid: { readonly time: number; readonly partition: number }[] = [];
    const progress: number[] = Array(partitions).fill(0);
    // When something changes for the payments that come.
    const turns: number[] = [];
    let now = 2 * LATENESS_SECONDS;
    for (let id = 0; id < payments; id++) {
      const turn = Math.min(...turns.filter((at) => at > now));
      const isTurn = this.#random() >= 0.6 && turn <= now + steps[0];
      now = isTurn
        ? turn
        : now + this.#pick([0, 0, 1, 59, 60, 600, ...steps, this.#below(900)]);
      const back = isTurn ? 0 : this.#pick([
        ...[0, 0, 0, LATENESS_SECONDS],
        this.#below(LATENESS_SECONDS + 1),
      ]);
      const time = now - back;
      const card = this.#below(cards.length);
      const partition = card % partitions;
      progress[partition] = Math.max(progress[partition], time);
      const weight = this.#random();
      const transactionId = hasTextIds ? `t${id}` : id;
      log.push({
        time,
        partition,
        payment: {
          TRANSACTION_ID: transactionId,
          CUSTOMER_ID: cards[card],
          TERMINAL_ID: this.#pick(shops),
          TX_AMOUNT: (this.#below(4000) - 500) / 10 ** decimals,
          TX_FRAUD: this.#below(2),
          category: this.#pick([null, ...CATEGORIES]),
          online: this.#pick([null, 0, 1]),
          weight: weight < 0.2 ? null : (this.#below(5) - 1) * 1.25,
          TX_DATETIME: START_SECONDS + time,
          TX_TIME_SECONDS: time,
        },
      });
      paid.push({ time, partition });
      if (edges.length > 0) turns.push(time + this.#pick(edges));
      while (grace !== null && this.#random() >= 0.6) {
        const recent = this.#random() < 0.6 ? Math.min(4, id + 1) : id + 1;
        const label = id - this.#below(recent);
        const { time, partition } = paid[label];
        const since = progress[partition] - LATENESS_SECONDS;
        const least = isPunctual ? Math.max(time, since) : time;
        const known = least + this.#pick([0, 60, this.#below(2000)]);
        const fraud = this.#pick([1, 1, 0, null]);
        turns.push(known + grace);
        log.push({ partition, label, known, fraud });
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
  { log, plain }: Pick<DeclaredCase, "log" | "plain">,
  entry: LogEntry,
): readonly [key: string, value: string] {
  if ("payment" in entry) {
    const { payment } = entry;
    const value = json(payment, plain.labels.grace === null);
    return [String(payment.CUSTOMER_ID), value];
  }
  const labelled = log.filter((one) => "payment" in one)[entry.label];
  const { payment } = labelled;
  const label = {
    TX_FRAUD: entry.fraud,
    TX_FRAUD_SCENARIO: 0,
    KNOWN_AT: formatDatetime(START_SECONDS + entry.known),
  };
  const value = json(payment, false);
  return [
    String(payment.CUSTOMER_ID),
    `${value.slice(0, -1)},${JSON.stringify(label).slice(1)}`,
  ];
}

function json(payment: Fields, hasFraud: boolean): string {
  const { TRANSACTION_ID, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT } = payment;
  const seconds = Number(payment.TX_TIME_SECONDS);
  return JSON.stringify({
    TRANSACTION_ID,
    TX_DATETIME: formatDatetime(Number(payment.TX_DATETIME)),
    ...{ CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT },
    TX_TIME_SECONDS: seconds,
    TX_TIME_DAYS: Math.floor(seconds / 86_400),
    ...hasFraud ? { TX_FRAUD: payment.TX_FRAUD } : {},
    category: payment.category,
    online: payment.online,
    weight: payment.weight,
  });
}
