/** What a backtest found, as text and as one JSON object. */
import { decimals, textTable } from "../../base/text_table.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  alertsOf,
  type Backtest,
  type Compared,
  type DecidedSide,
  findingText,
  hasScenarios,
  precisionOf,
  recallOf,
  type RuleFinding,
  type RuleTally,
} from "../../scoring/backtest.ts";
import { EXAMPLE_HEADING, labelWord } from "../../report/backtest_sections.ts";
import type { BacktestExample } from "../../scoring/backtest_store.ts";
import type { Rule } from "../../scoring/rule_file.ts";
import { counted, thousands } from "../../base/counted.ts";

/** What amounts are made of. */
export interface AmountContext {
  /** Decimals of the smallest unit. */
  readonly decimals: number;
  /** Code of the currency; null where it is not known. */
  readonly currency: string | null;
}

/** What a backtest of stored payments found. */
export type BacktestResult = Backtest<BacktestExample>;

/** Most days that the text shows. */
const DAYS_SHOWN = 31;

/** What a backtest found, as tables. */
export function backtestText(
  result: BacktestResult,
  rules: readonly Rule[],
  context: AmountContext,
): string {
  const { total, days, scenarios, examples } = result;
  const money = moneyOf(context);
  const parts = [
    totalText(total, money),
    total.changed === 0 ? "no payment has another decision\n" : "",
    titled("By day", dayTable(days)),
    titled("By fraud scenario", scenarioTable(scenarios, money)),
    titled("By rule", ruleTable(result.rules(rules), total, money)),
    findingsText(result.findings(rules)),
    titled(
      "Alerts gained, the first of them",
      exampleTable(examples.gained, context),
    ),
    titled(
      "Alerts lost, the first of them",
      exampleTable(examples.lost, context),
    ),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function titled(title: string, table: string): string {
  return table === "" ? "" : `${title}\n${table}`;
}

type Money = (units: number) => string;

function moneyOf({ decimals: digits, currency }: AmountContext): Money {
  return (units) => {
    const [whole, part] = (units / 10 ** digits).toFixed(digits).split(".");
    const text = thousands(Number(whole)) + (part ? `.${part}` : "");
    return currency === null ? text : `${text} ${currency}`;
  };
}

function totalText(total: Compared, money: Money): string {
  const { before, after, payments, frauds, fraudUnits } = total;
  const rows = (
    [
      ["reviewed", ({ reviews }) => thousands(reviews)],
      ["declined", ({ declines }) => thousands(declines)],
      ["alerts", (side) => thousands(alertsOf(side))],
      ["frauds caught", ({ caught }) => thousands(caught)],
      ["precision", (side) => decimals(precisionOf(side))],
      ["recall", (side) => decimals(recallOf(side, total))],
      ["fraud caught, amount", ({ caughtUnits }) => money(caughtUnits)],
      ["fraud declined, amount", ({ stoppedUnits }) => money(stoppedUnits)],
      ["genuine declined, amount", ({ refusedUnits }) => money(refusedUnits)],
    ] as const satisfies readonly (readonly [
      string,
      (side: DecidedSide) => string,
    ])[]
  ).map(([name, value]) => [name, value(before), value(after)]);
  return `${counted(payments, "payment")}, ${counted(frauds, "fraud")} of ` +
    `${money(fraudUnits)}\n` +
    textTable(["", "then", "with these rules"], rows, [1, 2]) +
    `alerts gained ${thousands(total.alertsGained)}, lost ` +
    `${thousands(total.alertsLost)}; declines gained ` +
    `${thousands(total.declinesGained)}, lost ` +
    `${thousands(total.declinesLost)}\n`;
}

function dayTable(days: ReadonlyMap<number, Compared>): string {
  const sorted = [...days].sort(([a], [b]) => a - b);
  const rows = sorted.slice(-DAYS_SHOWN).map(([day, compared]) => [
    formatDate(day * DAY_SECONDS),
    thousands(compared.payments),
    thousands(compared.frauds),
    ...comparedCells(compared),
  ]);
  const left = sorted.length - rows.length;
  return textTable(["day", "payments", "frauds", ...COMPARED_HEADING], rows) +
    (left > 0
      ? `and ${counted(left, "day")} before; --json and --out have all\n`
      : "");
}

const COMPARED_HEADING = [
  "alerts then",
  "now",
  "gained",
  "lost",
  "declines then",
  "now",
  "caught then",
  "now",
];

function comparedCells(compared: Compared): string[] {
  const { before, after, alertsGained, alertsLost } = compared;
  return [
    alertsOf(before),
    alertsOf(after),
    alertsGained,
    alertsLost,
    before.declines,
    after.declines,
    before.caught,
    after.caught,
  ].map(thousands);
}

function scenarioTable(
  scenarios: ReadonlyMap<number, Compared>,
  money: Money,
): string {
  if (!hasScenarios(scenarios)) return "";
  const rows = [...scenarios].sort(([a], [b]) => a - b)
    .map(([scenario, compared]) => [
      String(scenario),
      thousands(compared.frauds),
      money(compared.fraudUnits),
      thousands(compared.alertsGained),
      thousands(compared.alertsLost),
      thousands(compared.before.caught),
      thousands(compared.after.caught),
      decimals(recallOf(compared.before, compared)),
      decimals(recallOf(compared.after, compared)),
    ]);
  const heading = [
    "scenario",
    "frauds",
    "amount",
    "alerts gained",
    "lost",
    "caught then",
    "now",
    "recall then",
    "now",
  ];
  return textTable(heading, rows, [1, 2, 3, 4, 5, 6, 7, 8]);
}

function ruleTable(
  tallies: readonly RuleTally[],
  total: Compared,
  money: Money,
): string {
  if (tallies.length === 0) return "";
  const rows = tallies.map((tally) => {
    const { rule, fired, decided, frauds, known, fraudUnits } = tally;
    return [
      rule.id,
      rule.then,
      rule.state,
      thousands(fired),
      thousands(decided),
      thousands(tally.alertsGained),
      thousands(tally.alertsLost),
      thousands(frauds),
      decimals(frauds / known),
      decimals(frauds / total.frauds),
      money(fraudUnits),
    ];
  });
  const heading = [
    "rule",
    "then",
    "state",
    "fired",
    "decided",
    "gained",
    "lost",
    "frauds",
    "precision",
    "recall",
    "fraud amount",
  ];
  return textTable(heading, rows, [3, 4, 5, 6, 7, 8, 9, 10]);
}

function findingsText(findings: readonly RuleFinding[]): string {
  return findings.map((finding) => `${findingText(finding)}\n`).join("");
}

function exampleTable(
  examples: readonly BacktestExample[],
  { decimals: digits }: AmountContext,
): string {
  if (examples.length === 0) return "";
  const rows = examples.map((one) => [
    String(one.id),
    one.datetime,
    String(one.customer),
    String(one.terminal),
    one.amount.toFixed(digits),
    one.score === null ? "–" : decimals(one.score),
    one.before,
    one.after,
    one.rules.join(" "),
    labelWord(one),
  ]);
  return textTable(EXAMPLE_HEADING, rows);
}

/** What a backtest found, as an object; amounts are in the currency's unit, shares are null where there is nothing to divide by. */
export function backtestObject(
  result: BacktestResult,
  rules: readonly Rule[],
  { decimals: digits, currency }: AmountContext,
): Record<string, unknown> {
  const amount = (units: number) =>
    Number((units / 10 ** digits).toFixed(digits));
  const share = (value: number) => Number.isFinite(value) ? value : null;
  const sideObject = (side: DecidedSide, compared: Compared) => ({
    reviews: side.reviews,
    declines: side.declines,
    alerts: alertsOf(side),
    caught: side.caught,
    precision: share(precisionOf(side)),
    recall: share(recallOf(side, compared)),
    caughtAmount: amount(side.caughtUnits),
    declinedFraudAmount: amount(side.stoppedUnits),
    declinedGenuineAmount: amount(side.refusedUnits),
  });
  const comparedObject = (compared: Compared) => ({
    payments: compared.payments,
    frauds: compared.frauds,
    fraudAmount: amount(compared.fraudUnits),
    before: sideObject(compared.before, compared),
    after: sideObject(compared.after, compared),
    alertsGained: compared.alertsGained,
    alertsLost: compared.alertsLost,
    declinesGained: compared.declinesGained,
    declinesLost: compared.declinesLost,
    changed: compared.changed,
  });
  return {
    currency,
    ...comparedObject(result.total),
    days: [...result.days].sort(([a], [b]) => a - b).map(([day, compared]) => ({
      day: formatDate(day * DAY_SECONDS),
      ...comparedObject(compared),
    })),
    scenarios: [...result.scenarios].sort(([a], [b]) => a - b)
      .map(([scenario, compared]) => ({
        scenario,
        ...comparedObject(compared),
      })),
    rules: result.rules(rules).map(
      ({ rule, known, fraudUnits, ...tally }) => ({
        id: rule.id,
        then: rule.then,
        state: rule.state,
        priority: rule.priority,
        ...tally,
        precision: share(tally.frauds / known),
        recall: share(tally.frauds / result.total.frauds),
        fraudAmount: amount(fraudUnits),
      }),
    ),
    findings: result.findings(rules),
    withoutThreshold: result.assumed,
    examples: result.examples,
  };
}
