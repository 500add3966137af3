/** The sections on a backtest: what rules would have decided about recorded payments, against what was decided then. */
import { formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import {
  alertsOf,
  type Backtest,
  type Compared,
  type DecidedSide,
  findingText,
  hasScenarios,
  precisionOf,
  recallOf,
  type RuleTally,
} from "../scoring/backtest.ts";
import type { BacktestExample } from "../scoring/backtest_store.ts";
import type { Rule } from "../scoring/rule_file.ts";
import type { Block, Figure, Section, Table } from "./content.ts";
import { countAxis, dayAxis, shareAxis } from "../dashboard/page/frame.js";
import { drawLines, type Line } from "../dashboard/page/lines.js";
import { countOf, grouped, percent } from "../dashboard/page/scale.js";
import { type AmountForm, amountOf, shortened, unitsOf } from "./numbers.ts";
import { scenarioName } from "./payment_sections.ts";

/** A backtest, and the rules whose numbers are shown. */
export interface RulesTried {
  /** What it found. */
  readonly result: Backtest<BacktestExample>;
  /** The rules; none where several versions decided. */
  readonly rules: readonly Rule[];
}

const PANEL_HEIGHT = 130;
const NO_DAYS = "There are no payments.";

/** What the columns of then and of the rules are called. */
const SIDES = ["then", "with these rules"] as const;

/** The sections. */
export function backtestSections(
  { result, rules }: RulesTried,
  amounts: AmountForm,
): Section[] {
  const { total, examples, scenarios } = result;
  return [
    {
      id: "decisions",
      heading: "What the rules would decide",
      blocks: [
        { kind: "text", text: introduction(total) },
        { kind: "numbers", numbers: changes(total) },
        { kind: "table", table: totalTable(total, amounts) },
        ...hasScenarios(scenarios)
          ? [{ kind: "table", table: scenarioTable(result, amounts) } as const]
          : [],
      ],
    },
    ...rules.length === 0 ? [] : [{
      id: "rules",
      heading: "What each rule does",
      blocks: ruleBlocks({ result, rules }, amounts),
    }],
    {
      id: "rules-days",
      heading: "Decisions by day",
      blocks: [{ kind: "figures", figures: dayFigures(result, amounts) }],
    },
    {
      id: "rules-examples",
      heading: "Alerts gained and lost",
      blocks: [
        exampleBlock("gained", examples.gained, amounts),
        exampleBlock("lost", examples.lost, amounts),
      ],
    },
  ];
}

function introduction({ payments, frauds, changed }: Compared): string {
  return `The rules were evaluated on ${countOf(payments, "payment")}, ` +
    `${countOf(frauds, "fraud")} among them, with the features and scores ` +
    "that these had. An alert is a payment that is not approved. " +
    (changed === 0
      ? "No payment has another decision."
      : `${countOf(changed, "payment")} would have had another decision.`);
}

function changes(total: Compared) {
  return ([
    ["alerts gained", total.alertsGained],
    ["alerts lost", total.alertsLost],
    ["declines gained", total.declinesGained],
    ["declines lost", total.declinesLost],
  ] as const).map(([name, value]) => ({ name, value: grouped(value) }));
}

function totalTable(total: Compared, amounts: AmountForm): Table {
  const money = (units: number) => unitsOf(units, amounts);
  const row = (name: string, of: (side: DecidedSide) => string) => [
    name,
    of(total.before),
    of(total.after),
  ];
  return {
    caption: "Decisions",
    header: ["", ...SIDES],
    named: true,
    rows: [
      row("reviewed", ({ reviews }) => grouped(reviews)),
      row("declined", ({ declines }) => grouped(declines)),
      row("alerts", (side) => grouped(alertsOf(side))),
      row("frauds caught", ({ caught }) => grouped(caught)),
      row("precision", (side) => share(precisionOf(side))),
      row("recall", (side) => share(recallOf(side, total))),
      row("amount of frauds caught", (side) => money(side.caughtUnits)),
      row("amount of frauds declined", (side) => money(side.stoppedUnits)),
      row("genuine amount declined", (side) => money(side.refusedUnits)),
    ],
  };
}

function share(value: number): string {
  return percent(value, 1);
}

/** Both sides of some payments, as cells. */
const COMPARED_HEADER = [
  "caught then",
  "caught now",
  "recall then",
  "recall now",
  "amount caught then",
  "amount caught now",
  "alerts gained",
  "alerts lost",
  "declines then",
  "declines now",
  "declines gained",
  "declines lost",
];

function comparedCells(compared: Compared, amounts: AmountForm): string[] {
  const { before, after } = compared;
  return [
    grouped(before.caught),
    grouped(after.caught),
    share(recallOf(before, compared)),
    share(recallOf(after, compared)),
    unitsOf(before.caughtUnits, amounts),
    unitsOf(after.caughtUnits, amounts),
    ...[
      compared.alertsGained,
      compared.alertsLost,
      before.declines,
      after.declines,
      compared.declinesGained,
      compared.declinesLost,
    ].map((count) => grouped(count)),
  ];
}

function scenarioTable(
  { scenarios }: Pick<Backtest<unknown>, "scenarios">,
  amounts: AmountForm,
): Table {
  return {
    caption: "Frauds by scenario",
    header: ["scenario", "frauds", "amount", ...COMPARED_HEADER],
    named: true,
    rows: [...scenarios].sort(([a], [b]) => a - b)
      .map(([scenario, compared]) => [
        scenarioName(scenario),
        grouped(compared.frauds),
        unitsOf(compared.fraudUnits, amounts),
        ...comparedCells(compared, amounts),
      ]),
  };
}

function ruleBlocks(
  { result, rules }: RulesTried,
  amounts: AmountForm,
): Block[] {
  if (rules.length === 0) return [];
  return [
    {
      kind: "table",
      table: {
        caption: "Rules",
        header: [
          "rule",
          "then",
          "state",
          "fired",
          "decided",
          "alerts gained",
          "alerts lost",
          "declines gained",
          "declines lost",
          "frauds",
          "precision",
          "recall",
          "fraud amount",
        ],
        named: true,
        rows: result.rules(rules).map((tally) =>
          ruleCells(tally, result.total, amounts)
        ),
      },
    },
    ...result.findings(rules).map((finding) => {
      const text = findingText(finding);
      return {
        kind: "text",
        text: `${text[0].toUpperCase()}${text.slice(1)}.`,
      } as const;
    }),
  ];
}

function ruleCells(
  { rule, fired, decided, frauds, known, fraudUnits, ...tally }: RuleTally,
  total: Compared,
  amounts: AmountForm,
): string[] {
  return [
    rule.id,
    rule.then,
    rule.state,
    ...[
      fired,
      decided,
      tally.alertsGained,
      tally.alertsLost,
      tally.declinesGained,
      tally.declinesLost,
      frauds,
    ].map((count) => grouped(count)),
    share(frauds / known),
    share(frauds / total.frauds),
    unitsOf(fraudUnits, amounts),
  ];
}

/** The same for text: the numbers in all, and those of each rule. */
export function backtestRows(
  { result, rules }: RulesTried,
  amounts: AmountForm,
): {
  readonly total: readonly (readonly string[])[];
  readonly rules: readonly (readonly string[])[];
  readonly findings: readonly string[];
} {
  const { total } = result;
  return {
    total: [
      ["", ...SIDES],
      ...totalTable(total, amounts).rows,
      ...changes(total).map(({ name, value }) => [name, "", value]),
    ],
    rules: rules.length === 0 ? [] : [
      ["rule", "then", "fired", "frauds", "precision", "recall"],
      ...result.rules(rules).map(({ rule, fired, frauds, known }) => [
        shortened(rule.id, 24),
        rule.then,
        grouped(fired),
        grouped(frauds),
        share(frauds / known),
        share(frauds / total.frauds),
      ]),
    ],
    findings: result.findings(rules).map(findingText),
  };
}

/** A day and what both sides made of it. */
type Day = readonly [day: number, compared: Compared];

function dayFigures(
  { days }: Backtest<BacktestExample>,
  amounts: AmountForm,
): Figure[] {
  const sorted = [...days].sort(([a], [b]) => a - b);
  const lines = (
    what: string,
    of: (side: DecidedSide, compared: Compared) => number,
  ) =>
    (["before", "after"] as const).map((side, at): Line => ({
      name: `${what} ${SIDES[at]}`,
      x: sorted.map(([day]) => day),
      y: sorted.map(([, compared]) => of(compared[side], compared)),
    }));
  const most = (of: (side: DecidedSide) => number) =>
    Math.max(
      ...sorted.flatMap(([, { before, after }]) => [of(before), of(after)]),
    );
  const x = dayAxis(0, sorted[0]?.[0] ?? 0, sorted.at(-1)?.[0] ?? 0);
  return [
    {
      id: "rules_alerts",
      title: "Alerts per day",
      description: "Payments reviewed or declined, and below them those " +
        "declined, then and with these rules.",
      draw: (width) =>
        drawLines(
          {
            x,
            panels: [
              {
                y: countAxis("alerts", most(alertsOf)),
                lines: lines("alerts", alertsOf),
              },
              {
                y: countAxis("declines", most(({ declines }) => declines)),
                lines: lines("declines", ({ declines }) => declines),
              },
            ],
            empty: NO_DAYS,
          },
          width,
          PANEL_HEIGHT,
        ),
      values: dayTable(sorted, amounts),
    },
    {
      id: "rules_quality",
      title: "Precision and recall per day",
      description: "Share of frauds among the alerts of known label, and " +
        "share of the frauds that are alerts, then and with these rules.",
      draw: (width) =>
        drawLines(
          {
            x,
            panels: [
              {
                y: shareAxis("precision"),
                lines: lines("precision", precisionOf),
              },
              { y: shareAxis("recall"), lines: lines("recall", recallOf) },
            ],
            empty: NO_DAYS,
          },
          width,
          PANEL_HEIGHT,
        ),
    },
  ];
}

function dayTable(days: readonly Day[], amounts: AmountForm): Table {
  return {
    caption: "Days",
    header: [
      "day",
      "payments",
      "frauds",
      "alerts then",
      "alerts now",
      "precision then",
      "precision now",
      ...COMPARED_HEADER,
    ],
    rows: days.map(([day, compared]) => [
      formatDate(day * DAY_SECONDS),
      grouped(compared.payments),
      grouped(compared.frauds),
      grouped(alertsOf(compared.before)),
      grouped(alertsOf(compared.after)),
      share(precisionOf(compared.before)),
      share(precisionOf(compared.after)),
      ...comparedCells(compared, amounts),
    ]),
  };
}

/** The columns of a table of examples. */
export const EXAMPLE_HEADING: readonly string[] = [
  ...["payment", "time", "card", "terminal", "amount", "score"],
  ...["then", "now", "rules", "label"],
];

/** The label of an example in a word. */
export function labelWord({ fraud }: BacktestExample): string {
  return fraud === null ? "unknown" : fraud === 1 ? "fraud" : "genuine";
}

function exampleBlock(
  way: "gained" | "lost",
  examples: readonly BacktestExample[],
  amounts: AmountForm,
): Block {
  if (examples.length === 0) {
    return { kind: "text", text: `No alerts are ${way}.` };
  }
  return {
    kind: "table",
    table: {
      caption: `Alerts ${way}, the first of them`,
      header: EXAMPLE_HEADING,
      named: true,
      rows: examples.map((one) => [
        shortened(String(one.id)),
        one.datetime,
        shortened(String(one.customer)),
        shortened(String(one.terminal)),
        amountOf(one.amount, amounts),
        one.score === null ? "–" : grouped(one.score, 3),
        one.before,
        one.after,
        one.rules.join(", "),
        labelWord(one),
      ]),
    },
  };
}
