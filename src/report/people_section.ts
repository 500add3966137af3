/** The section on customers and terminals: first rows, summaries, and one customer's terminals. */
import type { Customer, Terminal } from "../payment/payment.ts";
import { countOf, grouped } from "../dashboard/page/scale.js";
import {
  CUSTOMER_RECORD,
  type ProfileField,
  TERMINAL_RECORD,
} from "../payment/profile_json.ts";
import type { Block, Figure, ReportData, Section, Table } from "./content.ts";
import { drawPlane, isInReach, thinning } from "./plane_chart.ts";

const ROWS_SHOWN = 5;

/** Decimals of places and of what describes a customer. */
const DECIMALS = 3;

/** Terminals that the list of a customer's names. */
const LISTED_MAX = 40;

/** Smallest, mean, median and greatest of some numbers. */
export interface Summary {
  /** Smallest; NaN of none, as below. */
  readonly min: number;
  /** Arithmetic mean. */
  readonly mean: number;
  /** The one in the middle, or the mean of the two. */
  readonly median: number;
  /** Greatest. */
  readonly max: number;
}

/** Summarises numbers. */
export function summarise(numbers: readonly number[]): Summary {
  const sorted = Float64Array.from(numbers).sort();
  const { length } = sorted;
  if (length === 0) return { min: NaN, mean: NaN, median: NaN, max: NaN };
  const sum = sorted.reduce((total, value) => total + value, 0);
  const middle = length >> 1;
  const median = length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
  return {
    min: sorted[0],
    mean: sum / length,
    median,
    max: sorted[length - 1],
  };
}

/** The customer to be shown: the one asked for, else the first with a terminal in reach, else the first; undefined if there is none. */
export function shownCustomer(
  { customers = [], terminals = [], radius, customerId }: ReportData,
): Customer | undefined {
  if (customerId !== undefined) {
    return customers.find((customer) => customer.customerId === customerId);
  }
  const reaches = (customer: Customer) =>
    terminals.some((terminal) => isInReach({ customer, radius }, terminal));
  return customers.find(reaches) ?? customers[0];
}

/** The section. */
export function peopleSection(data: ReportData): Section {
  const { customers, terminals } = data;
  const blocks: Block[] = [];
  if (customers) {
    blocks.push(
      firstRows("customer", customers, CUSTOMER_RECORD),
      summaryTable("customer", customers, CUSTOMER_RECORD),
    );
  }
  if (terminals) {
    blocks.push(
      firstRows("terminal", terminals, TERMINAL_RECORD),
      summaryTable("terminal", terminals, TERMINAL_RECORD),
    );
  }
  const figure = reachFigure(data);
  if (figure) blocks.push({ kind: "figures", figures: [figure] });
  if (!customers || !terminals) {
    const missing = customers ? "terminals" : terminals ? "customers" : "both";
    const text = missing === "both"
      ? "The source has payments only: it does not say where customers and terminals are."
      : `The source does not say where ${missing} are.`;
    blocks.push({ kind: "text", text });
  }
  return { id: "people", heading: "Customers and terminals", blocks };
}

function firstRows<Profile>(
  noun: string,
  profiles: readonly Profile[],
  record: readonly ProfileField<Profile>[],
): Block {
  const table: Table = {
    caption: `The first of ${countOf(profiles.length, noun)}`,
    header: record.map(({ name }) => name),
    rows: profiles.slice(0, ROWS_SHOWN).map((profile) =>
      record.map(({ key }, at) => {
        const value = Number(profile[key]);
        return at === 0 ? String(value) : grouped(value, DECIMALS);
      })
    ),
  };
  return { kind: "table", table };
}

/** All of a record's fields but the id. */
function summaryTable<Profile>(
  noun: string,
  profiles: readonly Profile[],
  record: readonly ProfileField<Profile>[],
): Block {
  const table: Table = {
    caption: profiles.length === 1
      ? `The only ${noun}`
      : `All ${countOf(profiles.length, noun)}`,
    header: ["field", "smallest", "mean", "median", "greatest"],
    named: true,
    rows: record.slice(1).map(({ name, key }) => {
      const values = profiles.map((profile) => Number(profile[key]));
      const { min, mean, median, max } = summarise(values);
      return [
        name,
        ...[min, mean, median, max].map((value) => {
          return grouped(value, DECIMALS);
        }),
      ];
    }),
  };
  return { kind: "table", table };
}

function reachFigure(data: ReportData): Figure | undefined {
  const { terminals, radius } = data;
  const customer = shownCustomer(data);
  if (!customer || !terminals) return undefined;
  const reached = terminals.filter((terminal) => {
    return isInReach({ customer, radius }, terminal);
  });
  const id = customer.customerId;
  const count = grouped(reached.length);
  const distance = ({ x, y }: Terminal) =>
    Math.sqrt((x - customer.x) ** 2 + (y - customer.y) ** 2);
  const step = thinning(terminals.length - reached.length);
  const listed = reached.slice(0, LISTED_MAX);
  const rest = listed.length < reached.length
    ? `, the first ${LISTED_MAX} of ${count}`
    : "";
  return {
    id: "reach",
    title: `Terminals of customer ${id} within radius ${radius}`,
    description:
      `Customer ${id} is at x ${grouped(customer.x, 1)}, y ${
        grouped(customer.y, 1)
      }. ${count} of ${countOf(terminals.length, "terminal")} ${
        reached.length === 1 ? "is" : "are"
      } within the circle of radius ` +
      `${radius}.`,
    leftOut: step > 1
      ? `Drawn on the whole plane: one in ${step} of the terminals outside ` +
        "the circle."
      : undefined,
    draw: (width) => drawPlane({ customer, terminals, radius }, width),
    values: {
      caption: `Terminals within reach of customer ${id}${rest}`,
      header: [...TERMINAL_RECORD.map(({ name }) => name), "distance"],
      rows: listed.map((terminal) => [
        String(terminal.terminalId),
        grouped(terminal.x, DECIMALS),
        grouped(terminal.y, DECIMALS),
        grouped(distance(terminal), DECIMALS),
      ]),
    },
  };
}
