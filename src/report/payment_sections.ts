/** The sections on payments: what there is, amounts, times of day, days, and frauds by scenario. */
import { formatDate, formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS, PAYMENT_FIELDS } from "../payment/payment.ts";
import { HANDBOOK_SHAPE, type KeptKind } from "../payment/payment_shape.ts";
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
  type DayCounts,
  FIRST_DAYS,
  partialDays,
  type ScenarioCounts,
  TIME_BINS,
} from "./data_statistics.ts";
import type { DistinctCount } from "./distinct_counter.ts";
import { type CoarseBins, coarseWidth, type Histogram } from "./histogram.ts";
import { drawHistogram } from "./histogram_chart.ts";
import { countAxis, dayAxis } from "../dashboard/page/frame.js";
import { drawLines, type Line } from "../dashboard/page/lines.js";
import { countOf, grouped, percent } from "../dashboard/page/scale.js";
import { type Drawing, emptyDrawing } from "../dashboard/page/shape.js";
import {
  type AmountForm,
  amountOf,
  amountUnit,
  shortened,
  sumOf,
  threeDigits,
  unitsOf,
} from "./numbers.ts";

const PLOT_HEIGHT = 200;
const PANEL_HEIGHT = 130;
const AMOUNT_BINS = 40;

/** Kept fields that the first payments are shown with. */
const KEPT_LISTED = 8;

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

/** Whether frauds of the payments are of scenarios. */
export function hasScenarios({ shape, statistics }: ReportData): boolean {
  return shape.hasScenario ||
    statistics.scenarios.some(({ scenario }) => scenario !== 0);
}

/** The first section: the data set in a few numbers. */
export function overviewSection(data: ReportData): Section {
  const outcomes = outcomesText(data);
  return {
    id: "overview",
    heading: "The data set",
    blocks: [
      { kind: "text", text: `Source: ${data.source}.` },
      ...outcomes === undefined
        ? []
        : [{ kind: "text", text: outcomes } as const],
      { kind: "numbers", numbers: keyFigures(data) },
    ],
  };
}

function keyFigures(data: ReportData): KeyFigure[] {
  const { statistics, customers, terminals, amounts } = data;
  const { payments, known, units, refunds, days, active } = statistics;
  const dates = period(statistics);
  const of = (all: readonly unknown[] | undefined) =>
    all ? `of ${grouped(all.length)}` : "seen in payments";
  // Of nothing there is no share and no mean.
  const note = (text: string) => payments === 0 ? {} : { note: text };
  return [
    { name: "payments", value: grouped(payments), ...note(dates) },
    {
      name: "payments per day",
      value: perDay(payments / (days.length || 1)),
      ...note(
        `mean of ${countOf(days.length, "day")}`,
      ),
    },
    ...known === 0 && payments > 0 ? [] : [fraudFigure(statistics)],
    ...known > 0 && known < payments
      ? [{
        name: "outcome not known",
        value: grouped(payments - known),
        note: `${percent((payments - known) / payments)} of the payments`,
      }]
      : [],
    {
      name: "amount",
      value: sumOf(units.all, amounts),
      ...note(`mean ${unitsOf(units.all / payments, amounts)} per payment`),
    },
    ...refunds.payments > 0
      ? [{
        name: "refunds",
        value: grouped(refunds.payments),
        note: `${sumOf(refunds.units, amounts)}, part of the amount`,
      }]
      : [],
    ...known === 0 && payments > 0 ? [] : [{
      name: "amount of frauds",
      value: sumOf(units.frauds, amounts),
      ...units.all > 0 && known === payments
        ? note(`${percent(units.frauds / units.all)} of the amount`)
        : {},
    }],
    {
      name: "cards that paid",
      value: distinctText(active.customers),
      note: of(customers),
    },
    {
      name: "terminals used",
      value: distinctText(active.terminals),
      note: of(terminals),
    },
  ];
}

/** Payments per day, to a decimal unless there is less than one. */
function perDay(payments: number): string {
  return payments < 1 ? threeDigits(payments) : grouped(payments, 1);
}

function fraudFigure({ payments, known, frauds }: DataStatistics): KeyFigure {
  const figure = { name: "frauds", value: grouped(frauds) };
  if (payments === 0) return figure;
  const of = known === payments ? "the payments" : `${grouped(known)} payments`;
  return { ...figure, note: `${percent(frauds / known)} of ${of}` };
}

/** A count of different values. */
export function distinctText({ count, isExact }: DistinctCount): string {
  if (isExact) return grouped(count);
  return `about ${grouped(Number(count.toPrecision(3)))}`;
}

/** What is known of outcomes, where it is not in each payment. */
function outcomesText(
  { statistics, shape, genuineAfterDays }: ReportData,
): string | undefined {
  const { payments, known } = statistics;
  if (shape.hasFraud && known === payments || payments === 0) return undefined;
  if (known === 0 || genuineAfterDays === undefined) {
    return "The payments have no TX_FRAUD, and no label has arrived: nothing " +
      "is known about frauds.";
  }
  return "Labels arrive later than their payments. A payment without one " +
    `counts as genuine ${countOf(genuineAfterDays, "day")} after it was ` +
    "made; before that its outcome is not known, and it is left out of every " +
    "share of frauds.";
}

/** First and last date, for people. */
export function period({ days, startSeconds }: DataStatistics): string {
  if (startSeconds === undefined || days.length === 0) return "no day";
  const date = (at: number) =>
    formatDate(startSeconds + days[at].day * DAY_SECONDS);
  return days.length === 1 ? date(0) : `${date(0)} to ${date(days.length - 1)}`;
}

/** The section on payments: first rows, amounts, times. */
export function paymentsSection(data: ReportData): Section {
  const { statistics } = data;
  const table = firstRowsTable(data);
  return {
    id: "payments",
    heading: "Payments",
    blocks: [
      ...table.rows.length > 0 ? [{ kind: "table", table } as const] : [],
      {
        kind: "figures",
        figures: [amountsFigure(data), timesFigure(statistics)],
      },
    ],
  };
}

function firstRowsTable({ statistics, shape }: ReportData): Table {
  const { firstRows } = statistics;
  const caption = "The first payments";
  const { decimals } = shape;
  if (shape === HANDBOOK_SHAPE) {
    return {
      caption,
      header: [...PAYMENT_FIELDS],
      rows: firstRows.map(({ payment, ids }) => [
        ids.transaction,
        formatDatetime(payment.datetimeSeconds),
        ids.customer,
        ids.terminal,
        grouped(payment.amount, decimals),
        String(payment.timeSeconds),
        String(Math.floor(payment.timeSeconds / DAY_SECONDS)),
        String(payment.fraud),
        String(payment.scenario),
      ]),
    };
  }
  const kept = shape.kept.slice(0, KEPT_LISTED);
  return {
    caption,
    verbatim: true,
    header: [
      ...PAYMENT_FIELDS.slice(0, 5),
      ...shape.hasFraud ? ["TX_FRAUD"] : [],
      ...kept.map(({ name }) => name),
    ],
    rows: firstRows.map(({ payment, ids, kept: values }) => [
      shortened(ids.transaction),
      formatDatetime(payment.datetimeSeconds),
      shortened(ids.customer),
      shortened(ids.terminal),
      grouped(payment.amount, decimals),
      ...shape.hasFraud ? [String(payment.fraud)] : [],
      ...kept.map(({ type }, at) => keptText(type, values[at])),
    ]),
  };
}

/** A kept field's value in a table. */
function keptText(type: KeptKind, value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "string") return shortened(value);
  if (type === "time") return formatDatetime(value);
  return String(value);
}

/** What the amounts and times are of: "first 10 days", or nothing for all. */
function firstDays({ days, firstDaysOnly }: DataStatistics): string {
  if (!firstDaysOnly) return "";
  const count = Math.min(FIRST_DAYS, days.length);
  return count === 1 ? ", first day" : `, first ${count} days`;
}

/** The part of the amounts that charts show, in bins of a power of two. */
export function amountBins(amounts: Histogram, binsWanted: number): CoarseBins {
  const high = Math.max(0, amounts.quantile(AMOUNTS_SHOWN) || 0);
  const low = Math.min(0, amounts.quantile(1 - AMOUNTS_SHOWN) || 0);
  const width = coarseWidth(low, high, binsWanted);
  const from = Math.floor(low / width) * width;
  const count = Math.max(1, Math.floor((high - from) / width) + 1);
  return amounts.coarse(from, width, count);
}

function amountsFigure({ statistics, amounts: form }: ReportData): Figure {
  const { amounts } = statistics;
  const bins = amountBins(amounts, AMOUNT_BINS);
  const { from, width, counts, below, above } = bins;
  const to = from + counts.length * width;
  const cut = [
    ...below > 0
      ? [
        `${countOf(below, "payment")} of less than ${amountOf(from, form)}, ` +
        `down to ${amountOf(amounts.min, form)}`,
      ]
      : [],
    ...above > 0
      ? [
        `${countOf(above, "payment")} of ${amountOf(to, form)} or more, up ` +
        `to ${amountOf(amounts.max, form)}`,
      ]
      : [],
  ];
  return {
    id: "amounts",
    title: `Amounts of payments${firstDays(statistics)}`,
    name: "TX_AMOUNT",
    description: amounts.count === 0
      ? NONE
      : `Histogram of ${countOf(amounts.count, "amount")}; half of them ` +
        `are ${amountOf(amounts.quantile(0.5), form)} or less.`,
    leftOut: cut.length > 0 ? `Cut off: ${cut.join("; ")}.` : undefined,
    draw: (drawn) =>
      drawHistogram(
        {
          xTitle: amountUnit(form),
          yTitle: `payments per ${widthText(width, form)}`,
          from,
          binWidth: width,
          series: [{ name: "payments", heights: counts }],
          empty: NONE,
        },
        drawn,
        PLOT_HEIGHT,
      ),
    values: {
      caption: "Payments by amount",
      header: ["TX_AMOUNT from", "to below", "payments"],
      rows: Array.from(counts, (payments, at) => [
        shown(from + at * width),
        shown(from + (at + 1) * width),
        grouped(payments),
      ]),
    },
  };
}

function shown(value: number): string {
  return grouped(value, Number.isInteger(value) ? 0 : 2);
}

function widthText(width: number, { currency }: AmountForm): string {
  if (currency !== null) return `${shown(width)} ${currency}`;
  return width === 1 ? "unit of amount" : `${shown(width)} units of amount`;
}

function timesFigure(statistics: DataStatistics): Figure {
  const { times, amounts } = statistics;
  const quarters = Array.from(times);
  const peak = quarters.indexOf(Math.max(...quarters));
  const most = amounts.count === 0
    ? ""
    : ` The busiest quarter is ${clock(peak)} to ${clock(peak + 1)}, with ` +
      `${countOf(quarters[peak], "payment")}.`;
  return {
    id: "times",
    title: `Times of day of payments${firstDays(statistics)}`,
    name: "TX_DATETIME",
    description: amounts.count === 0
      ? NONE
      : `Histogram of ${countOf(amounts.count, "time")} in quarters of an ` +
        `hour.${most}`,
    draw: (width) =>
      drawHistogram(
        {
          xTitle: "time of day, UTC",
          yTitle: "payments per quarter of an hour",
          from: 0,
          binWidth: 24 / TIME_BINS,
          series: [{ name: "payments", heights: times }],
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
export function fraudsSection(data: ReportData): Section {
  const { statistics, amounts, shape } = data;
  const { days } = statistics;
  const scenarios = hasScenarios(data);
  const figures = [
    ...hasDayLines(data) || shape === HANDBOOK_SHAPE
      ? [daysFigure(statistics)]
      : [],
    ...shape !== HANDBOOK_SHAPE && days.length >= 7
      ? [weekdaysFigure(statistics)]
      : [],
    ...scenarios
      ? [scenarioDaysFigure(statistics), scenariosFigure(statistics)]
      : [],
  ];
  return {
    id: "frauds",
    heading: knowsOutcomes(statistics) ? "Days and frauds" : "Days",
    blocks: [
      ...figures.length > 0 ? [{ kind: "figures", figures } as const] : [],
      ...scenarios
        ? [
          { kind: "table", table: scenarioTable(statistics, amounts) } as const,
        ]
        : [],
    ],
  };
}

/** Whether days make a line: the only day is in the figure of times of day. */
export function hasDayLines({ statistics, shape }: ReportData): boolean {
  const { length } = statistics.days;
  return length > 1 || length === 1 && shape === HANDBOOK_SHAPE;
}

/** Whether anything is known about frauds; of no payments, everything. */
export function knowsOutcomes({ known, payments }: DataStatistics): boolean {
  return known > 0 || payments === 0;
}

function daysFigure(statistics: DataStatistics): Figure {
  const { days } = statistics;
  const count = days.length;
  const withFrauds = knowsOutcomes(statistics);
  const complete = days.filter((day) => day.known === day.payments);
  const mean = (of: DayNumber, some: readonly DayCounts[] = complete) =>
    perDay(some.reduce((sum, day) => sum + of(day), 0) / some.length);
  return {
    id: "days",
    title: withFrauds
      ? "Payments, frauds and cards with frauds per day"
      : "Payments per day",
    description: count === 0
      ? NONE
      : `A day has on average ${mean((day) => day.payments, days)} payments` +
        (withFrauds && complete.length > 0
          ? `, ${mean((day) => day.frauds)} frauds and ` +
            `${mean((day) => day.fraudCards)} cards with a fraud.`
          : "."),
    leftOut: daysNote(statistics),
    draw: (width) =>
      dayLines(
        statistics,
        width,
        withFrauds ? [PAYMENT_PANEL, FRAUD_PANEL] : [PAYMENT_PANEL],
      ),
    values: daysTable(statistics),
  };
}

function daysTable(statistics: DataStatistics): Table {
  const { days, startSeconds = 0, firstDaysOnly } = statistics;
  const count = days.length;
  const dateOf = ({ day }: DayCounts) =>
    formatDate(startSeconds + day * DAY_SECONDS);
  const withFrauds = knowsOutcomes(statistics);
  if (count > DAYS_LISTED && !firstDaysOnly) {
    const months = Map.groupBy(days, (day) => dateOf(day).slice(0, 7));
    const sum = (some: readonly DayCounts[], of: DayNumber) =>
      grouped(some.reduce((sum, day) => sum + of(day), 0));
    return {
      caption: "Months",
      header: ["month", "payments", ...withFrauds ? ["frauds"] : []],
      rows: [...months].map(([month, some]) => [
        month,
        sum(some, (day) => day.payments),
        ...withFrauds ? [sum(some, (day) => day.frauds)] : [],
      ]),
    };
  }
  return {
    caption: count > DAYS_LISTED
      ? `The first ${DAYS_LISTED} of ${grouped(count)} days`
      : "Days",
    header: [
      "day",
      "payments",
      ...withFrauds ? ["frauds", "cards with a fraud"] : [],
    ],
    rows: days.slice(0, DAYS_LISTED).map((day) => [
      dateOf(day),
      grouped(day.payments),
      ...withFrauds ? [day.frauds, day.fraudCards].map((n) => grouped(n)) : [],
    ]),
  };
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function weekdaysFigure(statistics: DataStatistics): Figure {
  const { days, startSeconds = 0, payments, frauds } = statistics;
  const counts = WEEKDAYS.map(() => ({ payments: 0, frauds: 0 }));
  for (const day of days) {
    const date = new Date(1000 * (startSeconds + day.day * DAY_SECONDS));
    const open = counts[(date.getUTCDay() + 6) % 7];
    open.payments += day.payments;
    open.frauds += day.frauds;
  }
  const shares = (of: "payments" | "frauds", all: number) =>
    counts.map((count) => count[of] / (all || 1));
  return {
    id: "weekdays",
    title: frauds > 0
      ? "Payments and frauds by day of the week"
      : "Payments by day of the week",
    name: "TX_DATETIME",
    description: frauds > 0
      ? "The filled area is the share of all payments on each day, the line " +
        "the share of the frauds."
      : "The share of all payments on each day.",
    draw: (width) =>
      drawHistogram(
        {
          xTitle: "day of the week, UTC",
          yTitle: frauds > 0 ? "share of each" : "share of the payments",
          from: 0,
          binWidth: 1,
          series: [
            { name: "payments", heights: shares("payments", payments) },
            ...frauds > 0
              ? [{ name: "frauds", heights: shares("frauds", frauds) }]
              : [],
          ],
          ticks: WEEKDAYS.map((text, at) => ({ value: at + 0.5, text })),
          shares: true,
          empty: NONE,
        },
        width,
        PLOT_HEIGHT,
      ),
    values: {
      caption: "Payments by day of the week",
      header: ["day", "payments", ...frauds > 0 ? ["frauds"] : []],
      named: true,
      rows: counts.map((count, at) => [
        WEEKDAYS[at],
        grouped(count.payments),
        ...frauds > 0 ? [grouped(count.frauds)] : [],
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
  const notes = [
    ...merged,
    ...partialNotes(statistics),
    ...unknownNotes(statistics),
  ];
  return notes.join(" ") || undefined;
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

/** A sentence that says from when on outcomes are not all known, if some are. */
export function unknownNotes(
  { days, startSeconds = 0, known }: DataStatistics,
): string[] {
  const first = days.find((day) => day.known < day.payments);
  if (known === 0 || first === undefined) return [];
  const date = formatDate(startSeconds + first.day * DAY_SECONDS);
  return [
    `Frauds are not drawn on days with unknown outcomes, the first of which is ${date}.`,
  ];
}

/** A number of a day. */
export type DayNumber = (day: DayCounts) => number;

/** A panel of lines over days: its title, and the lines' names and numbers. */
type DayPanel = readonly [
  title: string,
  lines: readonly (readonly [name: string, of: DayNumber])[],
];

/** A number of the days whose outcomes are all known; NaN of the others. */
export function ifKnown(of: DayNumber): DayNumber {
  return (day) => day.known === day.payments ? of(day) : NaN;
}

const PAYMENT_PANEL: DayPanel = [
  "payments per day",
  [["payments", (day) => day.payments]],
];

const FRAUD_PANEL: DayPanel = [
  "frauds and cards per day",
  [
    ["frauds", ifKnown((day) => day.frauds)],
    ["cards with a fraud", ifKnown((day) => day.fraudCards)],
  ],
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
          return Math.max(most, ...Array.from(y, (height) => height || 0));
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
  { scenarios, frauds, units }: DataStatistics,
  amounts: AmountForm,
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
      unitsOf(one.units, amounts),
      percent(one.units / units.frauds),
      unitsOf(one.units / one.frauds, amounts),
      amountOf(one.amountMax, amounts),
      grouped(one.cards),
      grouped(one.terminals),
    ]),
  };
}
