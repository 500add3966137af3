/**
 * Finds the time of payments in a sample: the columns by their names or, where
 * no name is known, by their values; the format by how many values it fits.
 * Whether 01/02 is in January or February only a day above 12 decides.
 */
import {
  isPersonal,
  misfits,
  plainName,
  type SampleColumn,
} from "./sample_column.ts";
import { type TimeReader, timeReader } from "./time_format.ts";
import { Zone } from "./zone.ts";

/** Where the time of a payment is likely to be. */
export interface TimeGuess {
  /** The columns that hold it, joined by a blank. */
  readonly columns: readonly string[];
  /** The format that fits most values. */
  readonly format: string;
  /** Number of values. */
  readonly values: number;
  /** Values that do not have the format. */
  readonly misfits: number;
  /** A format that fits as many and exchanges day and month; undefined if the values decide. */
  readonly exchanged: string | undefined;
  /** Other columns that could be the time. */
  readonly others: readonly string[];
}

/** Names of the time in other data sets; the likeliest first. */
const NAMES: readonly string[] = [
  ...["txdatetime", "transdatetranstime", "transactiondatetime", "datetime"],
  ...["timestamp", "transactiontime", "transactiondate", "txtime", "ts"],
  ...["eventtime", "paymenttime", "paymentdate", "paidat", "paidon"],
  ...["orderedat", "ordertime", "orderdatetime", "orderdate", "orderedon"],
  ...["purchasedat", "purchasetime", "purchasedate", "authorizedat"],
  ...["authorisedat", "processedat", "bookedat", "occurredat", "createdat"],
  ...["createdon", "created", "unixtime", "date", "time"],
];

const TIMES: readonly string[] = [
  ...["HH:mm:ss", "HH:mm", "H:mm:ss", "H:mm"],
  ...["h:mm a", "hh:mm:ss a", "h:mm:ss a"],
];
const DAY_FIRST: readonly string[] = [
  ...["dd/MM/yyyy", "d/M/yyyy", "dd/MM/yy", "d/M/yy"],
];
const MONTH_FIRST: readonly string[] = [
  ...["MM/dd/yyyy", "M/d/yyyy", "MM/dd/yy", "M/d/yy"],
];
const OTHER_DATES: readonly string[] = [
  ...["yyyy/MM/dd", "dd/MMM/yyyy", "d/MMM/yyyy"],
];

/** Dates as people write them; the likelier first. With dots the day comes first. */
const DATES: readonly string[] = ["/", ".", "-", " "].flatMap((mark) => {
  const orders = mark === "."
    ? [...DAY_FIRST, ...MONTH_FIRST]
    : [...MONTH_FIRST, ...DAY_FIRST];
  return [...orders, ...OTHER_DATES].map((date) => date.replaceAll("/", mark));
});

/** Patterns of times that are tried, the likelier first; those of a date alone are last. */
const PATTERNS: readonly string[] = [
  "iso",
  ...DATES.flatMap((date) => TIMES.map((time) => `${date} ${time}`)),
  "yyyyMMddHHmmss",
  "yyyyMMdd HH:mm:ss",
  ...DATES,
  "yyyyMMdd",
];
const COUNTS: readonly string[] = ["epoch-s", "epoch-ms", "epoch-us"];

/** Years in which payments of a count are believed. */
const FROM_SECOND = Date.UTC(1995, 0) / 1000;
const TO_SECOND = Date.UTC(2100, 0) / 1000;

const UTC = new Zone("UTC");

/** A format, and how many values do not have it. */
interface Fit {
  readonly format: string;
  readonly misfits: number;
}

/** A column with the formats that fit it, the best first; at least one. */
interface Dated {
  readonly column: SampleColumn;
  readonly fits: readonly Fit[];
}

/** The likeliest time; undefined if no column has one. */
export function guessTime(
  columns: readonly SampleColumn[],
): TimeGuess | undefined {
  const named = NAMES.flatMap((known) =>
    columns.filter(({ name }) => plainName(name) === known)
  );
  const unnamed = columns.filter((column) =>
    !named.includes(column) && !isPersonal(column)
  );
  const known = named.map((column) => dated(column, [...COUNTS, ...PATTERNS]));
  const found = unnamed.map((column) =>
    dated(
      column,
      saysTime(column.name) ? [...COUNTS, ...PATTERNS] : PATTERNS,
    )
  );
  const all = [...known, ...found].filter((one) => one !== undefined);
  const [byName] = all.filter((one) => isWhole(one) && known.includes(one));
  if (byName) return guessOf([byName.column], byName.fits);
  const joined = guessJoined(columns, all.filter((one) => !isWhole(one)));
  if (joined) return joined;
  // Dates without a time of day come last.
  const left = all.some(isWhole) ? all.filter(isWhole) : all;
  if (left.length === 0) return undefined;
  const [{ column, fits }, ...others] = left;
  return guessOf([column], fits, others.map(({ column }) => column.name));
}

/** Whether a format has a time of day. */
export function hasTimeOfDay(format: string): boolean {
  return /[Hh]/.test(format) || format === "iso" || format.startsWith("epoch");
}

function isWhole({ fits }: Dated): boolean {
  return hasTimeOfDay(fits[0].format);
}

/** Whether a name says that a number is a time. */
function saysTime(name: string): boolean {
  return /time|date|epoch|unix|stamp/i.test(name) ||
    /(?:[a-z]At|_at|_on|_ts)$/.test(name);
}

const FOUR_DIGITS = /\d.*\d.*\d.*\d/;

function dated(
  column: SampleColumn,
  formats: readonly string[],
): Dated | undefined {
  // Most columns are spared the many formats.
  const { values } = column;
  if (misfits(values, (value) => FOUR_DIGITS.test(value)) === Infinity) {
    return undefined;
  }
  const fits = fitsOf(values, formats);
  return fits.length === 0 ? undefined : { column, fits };
}

/** A time in several columns: year, month, day and time of day, or a date and a time of day. */
function guessJoined(
  columns: readonly SampleColumn[],
  dates: readonly Dated[],
): TimeGuess | undefined {
  const parts = ["year", "month", "day", "time"].flatMap((part) =>
    columns.find(({ name }) => plainName(name) === part) ?? []
  );
  if (parts.length === 4) {
    const formats = ["yyyy M d HH:mm", "yyyy M d HH:mm:ss"];
    const fits = fitsOf(joinedValues(parts), formats);
    if (fits.length > 0) return guessOf(parts, fits);
  }
  const clocks = columns.filter(isClock);
  const [clock] = [
    ...clocks.filter(({ name }) => plainName(name) === "time"),
    ...clocks,
  ];
  if (dates.length === 0 || clock === undefined) return undefined;
  const pair = [dates[0].column, clock];
  const fits = fitsOf(joinedValues(pair), PATTERNS);
  return fits.length === 0 ? undefined : guessOf(pair, fits);
}

/** Whether a column has times of day. */
function isClock({ values }: SampleColumn): boolean {
  const clock = /^\s*\d{1,2}:\d{2}(?::\d{2})?(?: [AP]M)?\s*$/i;
  return misfits(values, (value) => clock.test(value)) < Infinity;
}

function joinedValues(parts: readonly SampleColumn[]): string[] {
  const rows = Math.min(...parts.map(({ values }) => values.length));
  return Array.from(
    { length: rows },
    (_, row) => parts.map(({ values }) => values[row].trim()).join(" "),
  );
}

function guessOf(
  columns: readonly SampleColumn[],
  [best, ...rest]: readonly Fit[],
  others: readonly string[] = [],
): TimeGuess {
  const order = dayOrder(best.format);
  const exchanged = rest.find((fit) =>
    fit.misfits === best.misfits && dayOrder(fit.format) === -order
  );
  return {
    columns: columns.map(({ name }) => name),
    format: best.format,
    values: Math.min(...columns.map(({ values }) => values.length)),
    misfits: best.misfits,
    exchanged: order === 0 ? undefined : exchanged?.format,
    others,
  };
}

/** 1 for a format that begins with the day, -1 for one with the month, both in digits; 0 for others. */
function dayOrder(format: string): number {
  if (/^d+[^dM]M{1,2}[^M]/.test(format)) return 1;
  return /^M{1,2}[^dM]d/.test(format) ? -1 : 0;
}

/** The formats that fit the values, those with the fewest misfits first. */
function fitsOf(
  values: readonly string[],
  formats: readonly string[],
): Fit[] {
  return formats.map((format) => ({
    format,
    misfits: misfitsOf(format, values),
  }))
    .filter((fit) => fit.misfits < Infinity)
    .sort((one, other) => one.misfits - other.misfits);
}

/** Readers of the formats, which are made once. */
const READERS = new Map<string, TimeReader>();

function readerOf(format: string): TimeReader {
  const known = READERS.get(format) ?? timeReader(format, UTC);
  READERS.set(format, known);
  return known;
}

function misfitsOf(format: string, values: readonly string[]): number {
  const read = readerOf(format);
  const isCount = COUNTS.includes(format);
  return misfits(values, (value) => {
    const seconds = read(value.trim());
    return isCount
      ? seconds >= FROM_SECOND && seconds < TO_SECOND
      : !Number.isNaN(seconds);
  });
}
