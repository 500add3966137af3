/** The sections on payments: what there is, amounts, times of day, days, and frauds by scenario. */
import { formatDate, formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS, PAYMENT_FIELDS } from "../payment/payment.ts";
import { drawBars } from "./bar_chart.ts";
import type {
  Figure,
  KeyFigure,
  ReportData,
  Section,
  Table,
} from "./content.ts";
import {
  type DataStatistics,
  FIRST_DAYS,
  partialDays,
  type ScenarioCounts,
  TIME_BINS,
} from "./data_statistics.ts";
import { coarseWidth } from "./histogram.ts";
import { drawHistogram } from "./histogram_chart.ts";
import { countAxis, dayAxis } from "../dashboard/page/frame.js";
import { drawLines, type Line } from "../dashboard/page/lines.js";
import { countOf, grouped, percent } from "../dashboard/page/scale.js";
import { type Drawing, emptyDrawing } from "../dashboard/page/shape.js";
import { amountOf, amountUnit } from "./numbers.ts";

const PLOT_HEIGHT = 200;
const PANEL_HEIGHT = 130;
const AMOUNT_BINS = 40;

/** Share of the amounts that the histogram covers. */
const AMOUNTS_SHOWN = 0.995;

/** Days that lines show one by one; of more, means of several. */
const DAYS_DRAWN = 400;

/** Days that a table of values lists. */
const DAYS_LISTED = 400;

/** Scenarios that have their own line. */
const LINES_MAX = 4;

/** Marks of a day. */
const HOURS = [0, 4, 8, 12, 16, 20, 24];

const NONE = "There are no payments.";
const NO_FRAUDS = "There are no frauds.";

/** What a scenario is called. */
export function scenarioName(scenario: number): string {
  if (scenario === 0) return "no scenario";
  if (scenario === Infinity) return "other scenarios";
  return SCENARIOS[scenario] ?? `scenario ${scenario}`;
}

const SCENARIOS: Readonly<Record<number, string>> = {
  1: "1: amount above 220",
  2: "2: terminal compromised",
  3: "3: card details stolen",
};

/** The first section: the data set in a few numbers. */
export function overviewSection(data: ReportData): Section {
  const { statistics, customers, terminals, source, currency } = data;
  const { payments, frauds, cents, days, active } = statistics;
  const dates = period(statistics);
  const of = (all: readonly unknown[] | undefined) =>
    all ? `of ${grouped(all.length)}` : "seen in payments";
  // Of nothing there is no share and no mean.
  const note = (text: string) => payments === 0 ? {} : { note: text };
  const numbers: KeyFigure[] = [
    { name: "payments", value: grouped(payments), ...note(dates) },
    {
      name: "payments per day",
      value: grouped(payments / (days.length || 1), 1),
      ...note(
        `mean of ${countOf(days.length, "day")}`,
      ),
    },
    {
      name: "frauds",
      value: grouped(frauds),
      ...note(`${percent(frauds / payments)} of the payments`),
    },
    {
      name: "amount",
      value: amountOf(cents.all, currency, 0),
      ...note(`mean ${amountOf(cents.all / payments, currency)} per payment`),
    },
    {
      name: "amount of frauds",
      value: amountOf(cents.frauds, currency, 0),
      ...cents.all > 0
        ? note(`${percent(cents.frauds / cents.all)} of the amount`)
        : {},
    },
    {
      name: "cards that paid",
      value: grouped(active.customers),
      note: of(customers),
    },
    {
      name: "terminals used",
      value: grouped(active.terminals),
      note: of(terminals),
    },
  ];
  return {
    id: "overview",
    heading: "The data set",
    blocks: [
      { kind: "text", text: `Source: ${source}.` },
      { kind: "numbers", numbers },
    ],
  };
}

/** First and last date, for people. */
export function period({ days, startSeconds }: DataStatistics): string {
  if (startSeconds === undefined || days.length === 0) return "no day";
  const date = (at: number) =>
    formatDate(startSeconds + days[at].day * DAY_SECONDS);
  return days.length === 1 ? date(0) : `${date(0)} to ${date(days.length - 1)}`;
}

/** The section on payments: first rows, amounts, times. */
export function paymentsSection(
  { statistics, currency }: ReportData,
): Section {
  const table = firstRowsTable(statistics);
  return {
    id: "payments",
    heading: "Payments",
    blocks: [
      ...table.rows.length > 0 ? [{ kind: "table", table } as const] : [],
      {
        kind: "figures",
        figures: [
          amountsFigure(statistics, currency),
          timesFigure(statistics),
        ],
      },
    ],
  };
}

function firstRowsTable({ firstRows }: DataStatistics): Table {
  return {
    caption: "The first payments",
    header: [...PAYMENT_FIELDS],
    rows: firstRows.map((row) => [
      String(row.transactionId),
      formatDatetime(row.datetimeSeconds),
      String(row.customerId),
      String(row.terminalId),
      grouped(row.amount, 2),
      String(row.timeSeconds),
      String(Math.floor(row.timeSeconds / DAY_SECONDS)),
      String(row.fraud),
      String(row.scenario),
    ]),
  };
}

/** What "the first days" are in this set. */
function firstDays({ days }: DataStatistics): string {
  const count = Math.min(FIRST_DAYS, days.length);
  return count === 1 ? "first day" : `first ${count} days`;
}

function amountsFigure(
  statistics: DataStatistics,
  currency: string | undefined,
): Figure {
  const { firstAmounts } = statistics;
  const high = firstAmounts.quantile(AMOUNTS_SHOWN);
  const width = coarseWidth(0, high, AMOUNT_BINS);
  const count = Math.max(1, Math.floor(high / width) + 1 || 1);
  const bins = firstAmounts.coarse(0, width, count);
  return {
    id: "amounts",
    title: `Amounts of payments, ${firstDays(statistics)}`,
    name: "TX_AMOUNT",
    description: firstAmounts.count === 0
      ? NONE
      : `Histogram of ${countOf(firstAmounts.count, "amount")}; half of them ` +
        `are ${amountOf(100 * firstAmounts.quantile(0.5), currency)} or less.`,
    leftOut: bins.above > 0
      ? `Cut off: ${countOf(bins.above, "payment")} of ${
        amountOf(100 * count * width, currency)
      } or more, up to ${amountOf(100 * firstAmounts.max, currency)}.`
      : undefined,
    draw: (drawn) =>
      drawHistogram(
        {
          xTitle: amountUnit(currency),
          yTitle: `payments per ${widthText(width, currency)}`,
          from: 0,
          binWidth: width,
          series: [{ name: "payments", heights: bins.counts }],
          empty: NONE,
        },
        drawn,
        PLOT_HEIGHT,
      ),
    values: {
      caption: "Payments by amount",
      header: ["TX_AMOUNT from", "to below", "payments"],
      rows: Array.from(bins.counts, (payments, at) => [
        shown(at * width),
        shown((at + 1) * width),
        grouped(payments),
      ]),
    },
  };
}

function shown(value: number): string {
  return grouped(value, Number.isInteger(value) ? 0 : 2);
}

function widthText(width: number, currency: string | undefined): string {
  if (currency !== undefined) return `${shown(width)} ${currency}`;
  return width === 1 ? "unit of amount" : `${shown(width)} units of amount`;
}

function timesFigure(statistics: DataStatistics): Figure {
  const { firstTimes, firstAmounts } = statistics;
  const quarters = Array.from(firstTimes);
  const peak = quarters.indexOf(Math.max(...quarters));
  const most = firstAmounts.count === 0
    ? ""
    : ` The busiest quarter is ${clock(peak)} to ${clock(peak + 1)}, with ` +
      `${countOf(quarters[peak], "payment")}.`;
  return {
    id: "times",
    title: `Times of day of payments, ${firstDays(statistics)}`,
    name: "TX_DATETIME",
    description: firstAmounts.count === 0
      ? NONE
      : `Histogram of ${
        countOf(firstAmounts.count, "time")
      } in quarters of an ` +
        `hour.${most}`,
    draw: (width) =>
      drawHistogram(
        {
          xTitle: "time of day, UTC",
          yTitle: "payments per quarter of an hour",
          from: 0,
          binWidth: 24 / TIME_BINS,
          series: [{ name: "payments", heights: firstTimes }],
          ticks: HOURS.map((hour) => ({ value: hour, text: `${hour}:00` })),
          empty: NONE,
        },
        width,
        PLOT_HEIGHT,
      ),
    values: {
      caption: "Payments by hour",
      header: ["from", "to before", "payments"],
      rows: Array.from({ length: 24 }, (_, hour) => [
        clock(4 * hour),
        clock(4 * hour + 4),
        grouped(quarters.slice(4 * hour, 4 * hour + 4).reduce((a, b) => a + b)),
      ]),
    },
  };
}

/** Time of a quarter of an hour: 10:15. */
function clock(quarter: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(quarter / 4))}:${two(15 * (quarter % 4))}`;
}

/** The section on days and on scenarios. */
export function fraudsSection(
  { statistics, currency }: ReportData,
): Section {
  return {
    id: "frauds",
    heading: "Days and frauds",
    blocks: [
      {
        kind: "figures",
        figures: [
          daysFigure(statistics),
          scenarioDaysFigure(statistics),
          scenariosFigure(statistics),
        ],
      },
      { kind: "table", table: scenarioTable(statistics, currency) },
    ],
  };
}

function daysFigure(statistics: DataStatistics): Figure {
  const { days, payments, frauds } = statistics;
  const count = days.length;
  const cards = days.reduce((sum, day) => sum + day.fraudCards, 0);
  const mean = (sum: number) => grouped(sum / count, 1);
  return {
    id: "days",
    title: "Payments, frauds and cards with frauds per day",
    description: count === 0
      ? NONE
      : `A day has on average ${mean(payments)} payments, ${mean(frauds)} ` +
        `frauds and ${mean(cards)} cards with a fraud.`,
    leftOut: daysNote(statistics),
    draw: (width) =>
      dayLines(statistics, width, [
        ["payments per day", [["payments", (day) => day.payments]]],
        ["frauds and cards per day", [
          ["frauds", (day) => day.frauds],
          ["cards with a fraud", (day) => day.fraudCards],
        ]],
      ]),
    values: {
      caption: count > DAYS_LISTED
        ? `The first ${DAYS_LISTED} of ${grouped(count)} days`
        : "Days",
      header: ["day", "payments", "frauds", "cards with a fraud"],
      rows: days.slice(0, DAYS_LISTED).map((day) => [
        formatDate((statistics.startSeconds ?? 0) + day.day * DAY_SECONDS),
        ...[day.payments, day.frauds, day.fraudCards].map((n) => grouped(n)),
      ]),
    },
  };
}

/** Days that a point of the lines stands for. */
function daysPerPoint(count: number): number {
  return Math.ceil(count / DAYS_DRAWN);
}

/** What the lines merge, and which days are not complete; undefined for nothing. */
function daysNote(statistics: DataStatistics): string | undefined {
  const step = daysPerPoint(statistics.days.length);
  const merged = step > 1 ? [`Each point is the mean of ${step} days.`] : [];
  return [...merged, ...partialNotes(statistics)].join(" ") || undefined;
}

/** Sentences that say which days are not complete, and why. */
export function partialNotes(
  { days, startSeconds = 0 }: DataStatistics,
): string[] {
  return partialDays(days).map((day) => {
    const isFirst = day === days[0].day;
    const { seconds } = days[isFirst ? 0 : days.length - 1];
    const second = startSeconds + day * DAY_SECONDS + seconds[isFirst ? 0 : 1];
    return `Not complete: ${formatDate(second)}, whose ` +
      `${isFirst ? "first" : "last"} payment is at ` +
      `${formatDatetime(second).slice(11, 16)}.`;
  });
}

type DayNumber = (day: DataStatistics["days"][number]) => number;

/** A panel of lines over days: its title, and the lines' names and numbers. */
type DayPanel = readonly [
  title: string,
  lines: readonly (readonly [name: string, of: DayNumber])[],
];

function dayLines(
  { days, startSeconds }: DataStatistics,
  width: number,
  panels: readonly DayPanel[],
): Drawing {
  const count = days.length;
  const step = daysPerPoint(count);
  const points = Math.ceil(count / step);
  const first = days[0]?.day ?? 0;
  const last = days[count - 1]?.day ?? 0;
  const line = ([name, of]: readonly [string, DayNumber]): Line => {
    const y = Array.from({ length: points }, (_, at) => {
      const some = days.slice(at * step, (at + 1) * step);
      return some.reduce((sum, day) => sum + of(day), 0) / some.length;
    });
    return { name, x: y.map((_, at) => first + at * step), y };
  };
  const partial = partialDays(days).map((day) => {
    return first + Math.floor((day - first) / step) * step;
  });
  return drawLines(
    {
      x: dayAxis(startSeconds, first, last),
      panels: panels.map(([title, some]) => {
        const lines = some.map(line);
        const most = lines.reduce((most, { y }) => {
          return Math.max(most, ...Array.from(y));
        }, 0);
        return { y: countAxis(title, most), lines };
      }),
      partial: { at: partial, text: "day not complete" },
      empty: NONE,
    },
    width,
    panels.length > 1 ? PANEL_HEIGHT : PLOT_HEIGHT + 20,
  );
}

function scenarioDaysFigure(statistics: DataStatistics): Figure {
  const { scenarios } = statistics;
  const shown = scenarios.slice(0, LINES_MAX);
  const left = scenarios.length - shown.length;
  const leftOut = [
    ...left > 0
      ? [`Not drawn: ${countOf(left, "more scenario")}, in the table.`]
      : [],
    daysNote(statistics) ?? "",
  ].join(" ").trim();
  return {
    id: "scenario_days",
    title: "Frauds per day by scenario",
    name: "TX_FRAUD_SCENARIO",
    description: scenarios.length === 0
      ? NO_FRAUDS
      : `Lines: ${shown.map((one) => scenarioName(one.scenario)).join("; ")}.`,
    leftOut: scenarios.length === 0 ? undefined : leftOut || undefined,
    draw: (width) =>
      scenarios.length === 0
        ? emptyDrawing(width, NO_FRAUDS)
        : dayLines(statistics, width, [
          [
            "frauds per day",
            shown.map(({ scenario }, at) => {
              return [
                scenarioName(scenario),
                (day) => day.byScenario[at],
              ] as const;
            }),
          ],
        ]),
  };
}

function scenariosFigure({ scenarios, frauds }: DataStatistics): Figure {
  const share = ({ frauds: some }: ScenarioCounts) => percent(some / frauds, 1);
  return {
    id: "scenarios",
    title: "Frauds by scenario",
    name: "TX_FRAUD_SCENARIO",
    description: scenarios.length === 0 ? NO_FRAUDS : scenarios.map((one) => {
      return `${scenarioName(one.scenario)}: ${countOf(one.frauds, "fraud")}, ${
        share(one)
      }.`;
    }).join(" "),
    draw: (width) =>
      drawBars(
        scenarios.map((one) => ({
          name: scenarioName(one.scenario),
          value: one.frauds,
          text: `${grouped(one.frauds)} (${share(one)})`,
          series: 1,
        })),
        width,
        NO_FRAUDS,
        "number of frauds",
      ),
  };
}

function scenarioTable(
  { scenarios, frauds, cents }: DataStatistics,
  currency: string | undefined,
): Table {
  return {
    caption: scenarios.length === 0
      ? "Frauds by scenario: there are none"
      : "Frauds by scenario",
    header: [
      "scenario",
      "frauds",
      "share",
      "amount",
      "share of the frauds' amount",
      "mean amount",
      "greatest amount",
      "cards",
      "terminals",
    ],
    named: true,
    rows: scenarios.map((one) => [
      scenarioName(one.scenario),
      grouped(one.frauds),
      percent(one.frauds / frauds),
      amountOf(one.cents, currency),
      percent(one.cents / cents.frauds),
      amountOf(one.cents / one.frauds, currency),
      amountOf(100 * one.amountMax, currency),
      grouped(one.cards),
      grouped(one.terminals),
    ]),
  };
}
