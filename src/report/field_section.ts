/** The section on terminals and kept fields: the most frequent values of texts, and how numbers, flags and times lie. */
import { formatDate } from "../payment/calendar.ts";
import { countOf, grouped, percent } from "../dashboard/page/scale.js";
import { type Bar, drawBars } from "./bar_chart.ts";
import type { Block, Figure, ReportData, Section, Table } from "./content.ts";
import type { ValueCount } from "./frequent_values.ts";
import { inputFigure } from "./input_figure.ts";
import type {
  KeptStatistics,
  NumberStatistics,
  TextStatistics,
} from "./kept_statistics.ts";
import { shortened } from "./numbers.ts";
import { distinctText, knowsOutcomes } from "./payment_sections.ts";

/** Kept fields that have a figure. */
export const FIELDS_SHOWN = 12;

/** Kept fields that the table lists. */
const FIELDS_LISTED = 100;

/** Values of a text that have bars. */
const VALUES_DRAWN = 12;

/** Characters of a value beside its bar. */
const NAME_LENGTH = 28;

/** Below this share of the payments, the most frequent value of a field says nothing. */
const FREQUENT = 0.001;

/** Whether there is anything to say. */
export function hasFields({ statistics }: ReportData): boolean {
  const { kept, terminals, payments } = statistics;
  return payments > 0 && (kept.length > 0 || terminals !== undefined);
}

/** The kept fields that are shown: those that tell most about frauds, where outcomes are known, in the definition's order. */
export function shownFields({ statistics }: ReportData): KeptStatistics[] {
  const { kept, payments } = statistics;
  const usable = kept.filter((field) => saysSomething(field, payments));
  if (!knowsOutcomes(statistics)) return usable.slice(0, FIELDS_SHOWN);
  const best = usable.toSorted((a, b) => {
    return (b.separation || 0) - (a.separation || 0);
  }).slice(0, FIELDS_SHOWN);
  return usable.filter((field) => best.includes(field));
}

function saysSomething(field: KeptStatistics, payments: number): boolean {
  if (field.missing === payments) return false;
  if (field.type !== "text") return true;
  return field.values[0].payments >= Math.max(2, FREQUENT * payments);
}

/** The section. */
export function fieldSection(data: ReportData): Section {
  const { statistics } = data;
  const { kept, terminals, payments } = statistics;
  const shown = shownFields(data);
  const known = knowsOutcomes(statistics);
  const [texts, others] = [
    shown.filter((field) => field.type === "text"),
    shown.filter((field) => field.type !== "text"),
  ];
  const bars = [
    ...terminals && saysSomething(terminals, payments) ? [terminals] : [],
    ...texts,
  ];
  const blocks: Block[] = [
    {
      kind: "figures",
      figures: bars.map((field) => textFigure(field, data)),
    },
    {
      kind: "figures",
      figures: others.map((field) => numberFigure(field, known)),
    },
  ];
  return {
    id: "fields",
    heading: kept.length > 0 ? "Terminals and kept fields" : "Terminals",
    blocks: [
      ...blocks.filter((block) =>
        block.kind === "figures" && block.figures.length > 0
      ),
      ...kept.length > 0
        ? [{ kind: "table", table: fieldTable(data, shown) } as const]
        : [],
    ],
  };
}

/** The share of frauds among the payments of a value whose outcome is known. */
export function fraudShare({ known, frauds }: ValueCount): string {
  return known === 0 ? "none known" : percent(frauds / known);
}

/** How many payments have a value. */
function paymentsOf({ payments, missed }: ValueCount): string {
  return missed === 0 ? grouped(payments) : `at least ${grouped(payments)}`;
}

function textFigure(field: TextStatistics, data: ReportData): Figure {
  const { name, values, distinct } = field;
  const { statistics } = data;
  const { payments } = statistics;
  const known = knowsOutcomes(statistics);
  const drawn = values.slice(0, VALUES_DRAWN);
  const decimals = drawn[0].payments < 0.02 * payments ? 2 : 1;
  const whose = known ? ", with the share of frauds among their payments" : "";
  return {
    id: `field_${name}`,
    title: name === "TERMINAL_ID" ? "Terminals with most payments" : name,
    ...name === "TERMINAL_ID" && { name },
    description: drawn.length < distinct.count
      ? `The ${drawn.length} most frequent of ${distinctText(distinct)} ` +
        `values${whose}.`
      : `${countOf(distinct.count, "value")}${whose}.`,
    leftOut: notDrawn(field, drawn, payments),
    draw: (width) =>
      drawBars(
        drawn.map((one): Bar => ({
          name: shortened(one.value, NAME_LENGTH),
          value: one.payments / payments,
          text: percent(one.payments / payments, decimals) +
            (known ? `, frauds ${fraudShare(one)}` : ""),
          series: 0,
        })),
        width,
        "There is no value.",
        "share of the payments",
      ),
    values: valueTable(field, known),
  };
}

/** Which payments the bars do not show. */
function notDrawn(
  { missing }: TextStatistics,
  drawn: readonly ValueCount[],
  payments: number,
): string | undefined {
  const shown = drawn.reduce((sum, one) => sum + one.payments, 0);
  const rest = payments - missing - shown;
  const parts = [
    ...rest > 0 ? [`${percent(rest / payments, 1)} have other values`] : [],
    ...missing > 0 ? [`${percent(missing / payments, 1)} have none`] : [],
  ];
  return parts.length > 0
    ? `Not drawn: of the payments, ${parts.join(" and ")}.`
    : undefined;
}

function valueTable(
  { name, values, distinct }: TextStatistics,
  known: boolean,
): Table {
  return {
    caption: values.length < distinct.count
      ? `The ${values.length} most frequent values`
      : "Values",
    header: [
      name === "TERMINAL_ID" ? "terminal" : "value",
      "payments",
      ...known ? ["outcome known", "frauds", "share of frauds"] : [],
    ],
    named: true,
    rows: values.map((one) => [
      shortened(one.value),
      paymentsOf(one),
      ...known
        ? [grouped(one.known), grouped(one.frauds), fraudShare(one)]
        : [],
    ]),
  };
}

function numberFigure(
  { name, type, values, missing }: NumberStatistics,
  known: boolean,
): Figure {
  return inputFigure(values, {
    id: `field_${name}`,
    title: name,
    unit: type === "time" ? "day" : type === "flag" ? "" : "value",
    type,
    fromZero: false,
    known,
    note: missing > 0 ? ` ${countOf(missing, "payment")} without a value.` : "",
  });
}

/** All fields in a few numbers. */
function fieldTable(
  { statistics }: ReportData,
  shown: readonly KeptStatistics[],
): Table {
  const { kept, payments } = statistics;
  const known = knowsOutcomes(statistics);
  const not = kept.length - shown.length;
  return {
    caption: "Kept fields" +
      (known
        ? ". Separation is the AUC of the field alone, from 0.5 (says nothing " +
          "about frauds) to 1"
        : "") +
      (not > 0 ? `. ${countOf(not, "field")} without a figure` : ""),
    header: [
      "field",
      "type",
      "without a value",
      "values",
      ...known ? ["separation"] : [],
    ],
    named: true,
    rows: kept.slice(0, FIELDS_LISTED).map((field) => [
      field.name,
      field.type,
      percent(field.missing / payments, 1),
      valuesText(field),
      ...known ? [grouped(field.separation, 3)] : [],
    ]),
  };
}

/** Which values a field has, in a few words. */
export function valuesText(field: KeptStatistics): string {
  if (field.type === "text") {
    return `${distinctText(field.distinct)} different`;
  }
  const { values, origin } = field.values;
  const present = values.filter(({ count }) => count > 0);
  if (present.length === 0) return "none";
  const low = Math.min(...present.map(({ min }) => min)) + origin;
  const high = Math.max(...present.map(({ max }) => max)) + origin;
  const text = (value: number) => {
    if (field.type === "time") return formatDate(value);
    return grouped(value, Number.isInteger(value) ? 0 : 4);
  };
  return low === high ? text(low) : `${text(low)} to ${text(high)}`;
}
