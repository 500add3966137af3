/**
 * Sentences about features that a definition declares: each is made from its
 * declaration, so that a person reads what was counted and over which payments.
 */
import type {
  DeclaredFeatures,
  ResolvedAggregate,
} from "../../features/declared_features.ts";
import {
  COUNT,
  counted,
  DURATION,
  FLAG,
  MONEY,
  NUMBER,
  SHARE,
  type Unit,
  wholeDuration,
} from "./value_text.ts";

/** How a declared feature is put into words. */
export interface DeclaredWords {
  /** What it is, as a title. */
  readonly title: string;
  /** How its values are written. */
  readonly unit: Unit;
  /** The statement about a value; `text` is the value with its unit. */
  readonly say: (value: number, text: string) => string;
  /** The statement where it has no value. */
  readonly missing: string;
}

/** Longest expression that stands in a sentence; a longer one is named. */
const EXPRESSION_MAX = 80;

/** The words about a feature by its declaration; undefined if it is not declared. */
export function declaredWords(
  name: string,
  declared: DeclaredFeatures | undefined,
): DeclaredWords | undefined {
  const column = declared?.columns.findIndex((one) => one.name === name) ?? -1;
  if (!declared || column < 0) return undefined;
  const expression = declared.expressions.find((one) => one.column === column);
  if (expression) {
    const { isWhole } = declared.columns[column];
    return expressionWords(name, expression.text, isWhole);
  }
  const aggregate = declared.aggregates.find((one) => one.column === column);
  return aggregate && aggregateWords(aggregate);
}

function expressionWords(
  name: string,
  text: string,
  isCondition: boolean,
): DeclaredWords {
  const what = text.length <= EXPRESSION_MAX
    ? text.replaceAll(/\s+/g, " ").trim()
    : name;
  return {
    title: what,
    unit: isCondition ? FLAG : NUMBER,
    say: (value, written) =>
      isCondition
        ? `${what} is ${value === 0 ? "false" : "true"}`
        : `${what} is ${written}`,
    missing: `${what} has no value`,
  };
}

const FIELDS: Readonly<Record<string, string>> = {
  CUSTOMER_ID: "card",
  TERMINAL_ID: "terminal",
  TX_AMOUNT: "amount",
  TRANSACTION_ID: "payment",
  TX_DATETIME: "time",
  TX_TIME_SECONDS: "time",
};

function aggregateWords(aggregate: ResolvedAggregate): DeclaredWords {
  const { kind, of } = aggregate;
  const whose = `${keyWords(aggregate)}${windowWords(aggregate)}`;
  const earlier = aggregate.includeSelf || aggregate.delaySeconds > 0
    ? ""
    : "earlier ";
  const none = (what: string) => `${what} ${whose}: no value`;
  switch (kind) {
    case "count":
      return {
        title: titled(`${earlier}payments ${whose}`),
        unit: COUNT,
        say: (value) => `${counted(value, `${earlier}payment`)} ${whose}`,
        missing: none("payments"),
      };
    case "distinct": {
      const one = FIELDS[of] ?? `value of ${of}`;
      const many = FIELDS[of] ? `${one}s` : `values of ${of}`;
      return {
        title: titled(`different ${many} ${whose}`),
        unit: COUNT,
        say: (value) =>
          `${counted(value, `different ${one}`, `different ${many}`)} ${whose}`,
        missing: none(`different ${many}`),
      };
    }
    case "share": {
      const which = of === "TX_FRAUD" ? "were frauds" : `had ${of}`;
      return {
        title: `Share of ${earlier}payments ${whose} that ${which}`,
        unit: SHARE,
        say: (_, text) => `${text} of ${earlier}payments ${whose} ${which}`,
        missing: none("payments"),
      };
    }
    case "seconds_since":
      return {
        title: `Seconds since the previous payment ${whose}`,
        unit: DURATION,
        say: (_, text) =>
          `${text} after the previous payment ${keyWords(aggregate)}` +
          conditionWords(aggregate),
        missing: `no earlier payment ${whose}`,
      };
    case "sum":
    case "mean":
    case "min":
    case "max": {
      const what = `${EXTENT[kind]} ${FIELDS[of] ?? of}`;
      const payments = earlier === "" ? "" : "of earlier payments ";
      return {
        title: titled(`${what} ${payments}${whose}`),
        unit: of === "TX_AMOUNT" ? MONEY : NUMBER,
        say: (_, text) => `${what} ${payments}${whose}: ${text}`,
        missing: none(what),
      };
    }
  }
}

function titled(words: string): string {
  return words[0].toUpperCase() + words.slice(1);
}

const EXTENT = {
  sum: "total",
  mean: "mean",
  min: "least",
  max: "greatest",
} as const;

/** Whose payments count: "of this card", "at this terminal", "of this card and category". */
function keyWords({ by }: ResolvedAggregate): string {
  if (by.length === 1 && by[0] === "TERMINAL_ID") return "at this terminal";
  const fields = by.map((field) => FIELDS[field] ?? field);
  const last = fields.at(-1) ?? "";
  const before = fields.slice(0, -1).join(", ");
  return `of this ${before === "" ? last : `${before} and ${last}`}`;
}

/** Which of them: " in the last 10 minutes", " in the 30 days that ended 7 days before". */
function windowWords(aggregate: ResolvedAggregate): string {
  const over = wholeDuration(aggregate.overSeconds);
  const window = aggregate.delaySeconds === 0
    ? ` in the last ${over.replace(/^1 /, "")}`
    : ` in the ${over} up to ${wholeDuration(aggregate.delaySeconds)} before`;
  return window + conditionWords(aggregate);
}

function conditionWords({ where }: ResolvedAggregate): string {
  if (where === undefined) return "";
  return where.length <= EXPRESSION_MAX
    ? ` where ${where.replaceAll(/\s+/g, " ").trim()}`
    : " that meet its condition";
}
