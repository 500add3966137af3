/**
 * Lists that rules ask: a CSV file with a value per row, and, where an entry
 * ends, the payment time from which on it no longer counts. A list's version is
 * the digest of its entries and their notes, whatever their order.
 */
import { createHash } from "node:crypto";
import { CsvError, parse } from "csv-parse/sync";
import { counted } from "../base/counted.ts";
import { ConfigError } from "../base/error.ts";
import { readWholeFile } from "../base/whole_file.ts";
import type { ListTest } from "../definition/expression.ts";
import { parseDatetime, parseIsoDatetime } from "../payment/calendar.ts";
import { keepsRule, KEPT_BYTES_MAX } from "../payment/text_rule.ts";

/** Most bytes of a list's file. */
export const LIST_BYTES_MAX: number = 8 * 2 ** 20;

/** A list. */
export interface ValueList {
  /** Its version: 16 hexadecimal digits of the SHA-256 of `content`. */
  readonly version: string;
  /** The entries in ascending order as JSON: a value; or a value and the seconds since 1970 from which on it no longer counts; or a value, these seconds or null, and a note. */
  readonly content: string;
  /** Until when each value counts, seconds since 1970; Infinity for ever. */
  readonly entries: ReadonlyMap<string, number>;
  /** What people have written beside values. */
  readonly notes: ReadonlyMap<string, string>;
  /** The first value that is not a number, and the place for messages; undefined where all are. */
  readonly text: { readonly value: string; readonly place: string } | undefined;
}

/** 16 hexadecimal digits of the SHA-256 of a text, which versions of rules and lists are. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The list in a file. Throws ConfigError for a row that is not an entry, DataError for a file that cannot be read. */
export function openList(path: string): ValueList {
  const bytes = readWholeFile(path, LIST_BYTES_MAX);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(
      `${path}:1:1: the list is not UTF-8; save it as UTF-8`,
      { cause },
    );
  }
  return readList(text, path);
}

const HEADER = ["value", "expires", "note"] as const;

/** The list in the text of a CSV file; `file` is its name in messages. Throws ConfigError. */
export function readList(text: string, file: string): ValueList {
  const [header, ...rows] = recordsOf(text, file);
  const names = header?.fields.map((name) => name.trim()) ?? [];
  const unknown = names.findIndex((name) =>
    !HEADER.some((known) => known === name)
  );
  const [value, expires, note] = HEADER.map((name) => names.indexOf(name));
  if (value < 0 || unknown >= 0 || new Set(names).size < names.length) {
    throw listError(
      file,
      header ?? { line: 1, columns: [1], fields: [] },
      Math.max(unknown, 0),
      "the first row of a list must be 'value', or 'value,expires', with " +
        `'note' where you want one, not '${names.join(",").slice(0, 80)}'; ` +
        "write the names of the columns first",
    );
  }
  const entries = new Map<string, number>();
  const notes = new Map<string, string>();
  let first: ValueList["text"];
  for (const row of rows) {
    if (row.fields.length !== names.length) {
      throw listError(
        file,
        row,
        0,
        `the row has ${counted(row.fields.length, "value")} and the first ` +
          `row ${counted(names.length, "column")}; fix the row`,
      );
    }
    const entry = valueOf(row, value, file);
    const until = endOf(row, expires, file);
    if (first === undefined && !isNumber(entry)) {
      first = { value: entry, place: placeOf(file, row, value) };
    }
    // Of a value that stands twice, the entry that lasts longer counts.
    if (until < (entries.get(entry) ?? -Infinity)) continue;
    entries.set(entry, until);
    notes.set(entry, note < 0 ? "" : row.fields[note].trim());
  }
  return newList(entries, notes, first);
}

/** The list whose content a stream keeps. */
export function listOfContent(content: string): ValueList {
  const entries = new Map<string, number>();
  const notes = new Map<string, string>();
  for (const entry of JSON.parse(content) as ListEntry[]) {
    const [value, until, note = ""] = typeof entry === "string"
      ? [entry, null]
      : entry;
    entries.set(value, until ?? Infinity);
    notes.set(value, note);
  }
  return listOf(entries, notes);
}

/** An entry in the content of a list. */
export type ListEntry = string | [string, number | null, string?];

/** The list of these entries, with those of the notes that are theirs. */
export function listOf(
  entries: ReadonlyMap<string, number>,
  notes: ReadonlyMap<string, string>,
): ValueList {
  const value = [...entries.keys()].find((value) => !isNumber(value));
  const text = value === undefined ? undefined : { value, place: "the list" };
  return newList(entries, notes, text);
}

function newList(
  entries: ReadonlyMap<string, number>,
  allNotes: ReadonlyMap<string, string>,
  text: ValueList["text"],
): ValueList {
  const sorted = [...entries].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const notes = new Map<string, string>();
  const content = JSON.stringify(sorted.map(([value, until]): ListEntry => {
    const note = allNotes.get(value) ?? "";
    if (note !== "") notes.set(value, note);
    const end = until === Infinity ? null : until;
    if (note !== "") return [value, end, note];
    return end === null ? value : [value, end];
  }));
  return { version: digestOf(content), content, entries, notes, text };
}

/** Asks a list about values of a type. Throws ConfigError where it has an entry that no such value can be. */
export function listTest(
  { entries, text }: ValueList,
  type: "number" | "text",
): ListTest {
  if (type === "text") {
    return (value, seconds) => seconds < (entries.get(String(value)) ?? NaN);
  }
  if (text) {
    throw new ConfigError(
      `${text.place}: '${text.value.slice(0, 60)}' is not a number, and a ` +
        "rule asks this list about numbers; fix the row",
    );
  }
  const numbers = new Map<number | string, number>();
  for (const [value, until] of entries) {
    const number = Number(value);
    numbers.set(number, Math.max(numbers.get(number) ?? -Infinity, until));
  }
  return (value, seconds) => seconds < (numbers.get(value) ?? NaN);
}

/** A row of a list's file. */
interface ListRow {
  readonly fields: readonly string[];
  /** Its line, from 1. */
  readonly line: number;
  /** Where each field begins, from 1; of a row with quotes only the first is known. */
  readonly columns: readonly number[];
}

function recordsOf(text: string, file: string): ListRow[] {
  let parsed: { record: string[]; info: { lines: number }; raw: string }[];
  try {
    parsed = parse(text, {
      bom: true,
      info: true,
      raw: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as typeof parsed;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number((error as { lines?: unknown }).lines ?? 1);
    throw new ConfigError(
      `${file}:${line}:1: a quote in this row is not closed or stands in the ` +
        "middle of a value; fix the row",
      { cause: error },
    );
  }
  return parsed.map(({ record, info, raw }) => ({
    fields: record,
    line: info.lines - (raw.trimEnd().match(/\n/g)?.length ?? 0),
    columns: raw.includes('"') ? [1] : columnsOf(record),
  }));
}

function columnsOf(fields: readonly string[]): number[] {
  let column = 1;
  return fields.map((field) => {
    const start = column;
    column += field.length + 1;
    return start;
  });
}

function valueOf(row: ListRow, at: number, file: string): string {
  const value = row.fields[at].trim();
  if (keepsRule(value, KEPT_BYTES_MAX, "kept") && value !== "") return value;
  throw listError(
    file,
    row,
    at,
    value === ""
      ? "an entry has no value; fill it in, or delete the row"
      : `an entry has at most ${KEPT_BYTES_MAX} bytes and no control ` +
        "characters; fix the row",
  );
}

function endOf(row: ListRow, at: number, file: string): number {
  const text = at < 0 ? "" : row.fields[at].trim();
  if (text === "") return Infinity;
  const seconds = parseDatetime(text) ?? parseDatetime(`${text} 00:00:00`) ??
    parseIsoDatetime(text);
  if (seconds !== undefined) return seconds;
  throw listError(
    file,
    row,
    at,
    `expires '${text.slice(0, 60)}' must be a day or a time in UTC, like ` +
      "2026-12-31 or '2026-12-31 18:00:00', or empty; fix the row",
  );
}

function placeOf(file: string, { line, columns }: ListRow, at: number): string {
  return `${file}:${line}:${columns[at] ?? columns[0] ?? 1}`;
}

function listError(
  file: string,
  row: ListRow,
  at: number,
  message: string,
): ConfigError {
  return new ConfigError(`${placeOf(file, row, at)}: ${message}`);
}

function isNumber(value: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(value) && Number.isFinite(Number(value));
}
