/** Labels in a file of any table format, from stdin or in a text, some at a time. */
import { DataError } from "../base/error.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { type SaidLabel, saidLabel } from "../payment/said_label.ts";
import type { Defect } from "../payment/validation.ts";
import type { DaySource } from "./day_source.ts";
import { jsonRow, putValues } from "./json_row.ts";
import type { RawBatch } from "./raw_batch.ts";
import { rawRows, rawTextRows } from "./raw_rows.ts";
import type { RowDefect } from "./row_batch.ts";

/** A label of a file. */
export interface LabelRow extends SaidLabel {
  /** Why, in words; undefined where the row has none. */
  readonly reason: string | undefined;
  /** Who or what says it; undefined where the row has none. */
  readonly source: string | undefined;
}

const NEEDED = ["TRANSACTION_ID", "TX_FRAUD"] as const;
const OPTIONAL = ["KNOWN_AT", "REASON", "SOURCE"] as const;
const FIELDS = [...NEEDED, ...OPTIONAL];

/** Most characters of REASON and SOURCE. */
const TEXT_MAX = 1000;
/** Columns that a message lists. */
const SHOWN_COLUMNS = 30;

/**
 * The labels of a file, batch after batch, for payments of a shape. Throws
 * DataError for a missing column and for the first row that holds no label,
 * with `otherwise`: what became of the rows before it.
 */
export async function* labelRows(
  source: DaySource,
  { shape, signal, otherwise }: {
    readonly shape: PaymentShape;
    readonly signal: AbortSignal;
    readonly otherwise: () => string;
  },
): AsyncGenerator<LabelRow[]> {
  const { name } = source;
  const batches = rawRows(source, { name, signal });
  yield* labelsIn(batches, {
    shape,
    fieldsOf: (batch) => fieldsOf(batch, source),
    refused: (line, { message }) =>
      new DataError(`${name}:${line}: ${message}; ${otherwise()}`),
  });
}

/** Makes the error for a row that holds no label, by its line from 1. */
export type RefuseLabel = (line: number, defect: RowDefect) => Error;

/**
 * The labels in a text of CSV with a header, or of a JSON object in each line,
 * batch after batch, for payments of a shape. Throws what `refused` makes of
 * the first row that holds no label, and DataError for a header that lacks a
 * column, and for a line that is too long.
 */
export function labelTextRows(
  text: string,
  { format, shape, signal, refused }: {
    readonly format: "csv" | "jsonl";
    readonly shape: PaymentShape;
    readonly signal: AbortSignal;
    readonly refused: RefuseLabel;
  },
): AsyncGenerator<LabelRow[]> {
  const name = "the body";
  return labelsIn(rawTextRows(text, format, { name, signal }), {
    shape,
    // The first of several JSON objects says nothing about the others.
    fieldsOf: (batch) =>
      format === "csv" ? fieldsOf(batch, { name, format }) : FIELDS,
    refused,
  });
}

/** The label that one JSON object is, or what is wrong with it. */
export function labelObject(
  text: string,
  shape: PaymentShape,
): LabelRow | Defect {
  const row = jsonRow(text);
  if (!row) return { reason: "not JSON", message: "it is not a JSON object" };
  const values: RawValue[] = [];
  putValues(row, FIELDS, values);
  return labelRow(FIELDS, values, shape);
}

async function* labelsIn(
  batches: AsyncIterable<RawBatch>,
  { shape, fieldsOf, refused }: {
    readonly shape: PaymentShape;
    /** The fields to read, by the first batch. */
    readonly fieldsOf: (batch: RawBatch) => readonly string[];
    readonly refused: RefuseLabel;
  },
): AsyncGenerator<LabelRow[]> {
  let fields: readonly string[] | undefined;
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    fields ??= fieldsOf(batch);
    const rows: LabelRow[] = [];
    const values: RawValue[] = [];
    for (let index = 0; index < batch.length; index++) {
      const row = batch.values(index, fields, values) ??
        labelRow(fields, values, shape);
      if ("message" in row) throw refused(batch.line(index), row);
      rows.push(row);
    }
    yield rows;
  }
}

/** The fields that are read: of a file with a header those that it has, of JSON lines all. Throws DataError. */
function fieldsOf(
  { columns, text }: RawBatch,
  { name, format }: Pick<DaySource, "name" | "format">,
): readonly string[] {
  const missing = NEEDED.find((field) => !columns.includes(field));
  if (missing !== undefined) {
    const shown = columns.slice(0, SHOWN_COLUMNS).join(", ");
    const more = columns.length > SHOWN_COLUMNS ? ", …" : "";
    throw new DataError(
      `${name}: ${missing} is missing; labels need ${NEEDED.join(" and ")}, ` +
        `and may have ${OPTIONAL.join(", ")}; this file has ${shown}${more}`,
    );
  }
  // Later lines may have what the first lacks.
  const isJson = format !== "parquet" && text(0).trimStart().startsWith("{");
  return isJson ? FIELDS : FIELDS.filter((field) => columns.includes(field));
}

function labelRow(
  fields: readonly string[],
  values: readonly RawValue[],
  shape: PaymentShape,
): LabelRow | Defect {
  const value = (name: typeof FIELDS[number]) => {
    const found = values[fields.indexOf(name)];
    // An empty cell of CSV says nothing, but for the label: none.
    return found === "" ? null : found;
  };
  const said = saidLabel({
    TRANSACTION_ID: value("TRANSACTION_ID") ?? undefined,
    TX_FRAUD: value("TX_FRAUD"),
    KNOWN_AT: value("KNOWN_AT"),
  }, shape);
  if ("message" in said) return said;
  const texts: (string | undefined)[] = [];
  for (const name of ["REASON", "SOURCE"] as const) {
    const found = value(name) ?? undefined;
    if (found !== undefined && typeof found !== "string") {
      return { reason: "wrong type", message: `${name} is not a text` };
    }
    texts.push(found);
  }
  if (texts.some((text) => text !== undefined && text.length > TEXT_MAX)) {
    return {
      reason: "out of range",
      message: `REASON or SOURCE has more than ${TEXT_MAX} characters`,
    };
  }
  const [reason, source] = texts;
  return { ...said, reason, source };
}
