/**
 * Rows to Parquet. Rows are gathered into row groups of fixed size, so memory
 * is bounded by one group however long the table is; only the index of the
 * groups is kept until the end, where the format puts it.
 */
import {
  ByteWriter,
  ParquetWriter,
  type SchemaElement,
} from "hyparquet-writer";
import type {
  ColumnKind,
  ColumnValues,
  TableColumn,
  TableEncoder,
} from "./table_encoder.ts";

/** Rows of a row group; 65,536 rows of 15 doubles are 8 MB. */
const GROUP_ROWS = 65_536;

type ColumnBuffer = Int32Array | BigInt64Array | Float64Array | CellBuffer;

/** Values of a column of text, or of one that may be null. */
type CellBuffer = (string | number | bigint | null)[];

/**
 * Encoder of Parquet: whole numbers as INT32 or INT64, doubles as DOUBLE, text
 * and JSON as UTF8, timestamps as TIMESTAMP of milliseconds, adjusted to UTC.
 */
export function parquetEncoder(columns: readonly TableColumn[]): TableEncoder {
  const bytes = new ByteWriter();
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.map(schemaElement),
    ],
    createdBy: "fraudstream",
  });
  let buffers = columns.map(columnBuffer);
  let rows = 0;

  const writeGroup = () => {
    parquet.write({
      columnData: columns.map(({ name }, at) => ({
        name,
        data: buffers[at].slice(0, rows),
      })),
      rowGroupSize: GROUP_ROWS,
    });
    buffers = columns.map(columnBuffer);
    rows = 0;
  };
  /** Takes the bytes written so far; the writer's offset keeps counting. */
  const taken = () => {
    const copy = bytes.getBytes().slice();
    bytes.index = 0;
    return copy;
  };

  return {
    encode(values, from, to) {
      for (let next = from; next < to;) {
        const end = Math.min(to, next + GROUP_ROWS - rows);
        buffers.forEach((buffer, at) => {
          fill(buffer, rows, columns[at].kind, values[at], next, end);
        });
        rows += end - next;
        next = end;
        if (rows === GROUP_ROWS) writeGroup();
      }
      return taken();
    },
    finish() {
      if (rows > 0) writeGroup();
      parquet.finish();
      return taken();
    },
  };
}

function schemaElement({ name, kind, nullable }: TableColumn): SchemaElement {
  const element = {
    name,
    "repetition_type": nullable ? "OPTIONAL" as const : "REQUIRED" as const,
  };
  switch (kind) {
    case "int32":
      return { ...element, type: "INT32" };
    case "int64":
      return { ...element, type: "INT64" };
    case "double":
      return { ...element, type: "DOUBLE" };
    case "text":
    case "json":
      return { ...element, type: "BYTE_ARRAY", converted_type: "UTF8" };
    case "timestamp":
    case "instant":
      return {
        ...element,
        type: "INT64",
        converted_type: "TIMESTAMP_MILLIS",
        logical_type: {
          type: "TIMESTAMP",
          isAdjustedToUTC: true,
          unit: "MILLIS",
        },
      };
  }
}

function columnBuffer({ kind, nullable }: TableColumn): ColumnBuffer {
  if (nullable) return [];
  switch (kind) {
    case "int32":
      return new Int32Array(GROUP_ROWS);
    case "int64":
    case "timestamp":
    case "instant":
      return new BigInt64Array(GROUP_ROWS);
    case "double":
      return new Float64Array(GROUP_ROWS);
    case "text":
    case "json":
      return [];
  }
}

function fill(
  buffer: ColumnBuffer,
  at: number,
  kind: ColumnKind,
  values: ColumnValues,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++, at++) {
    const value = values[row];
    if (buffer instanceof BigInt64Array) buffer[at] = wholeOf(kind, value);
    else if (!Array.isArray(buffer)) buffer[at] = Number(value);
    else if (value === null) buffer[at] = null;
    else if (kind === "text" || kind === "json") buffer[at] = String(value);
    else if (kind === "int32" || kind === "double") buffer[at] = Number(value);
    else buffer[at] = wholeOf(kind, value);
  }
}

/** A whole number of 64 bits; a time in milliseconds. */
function wholeOf(kind: ColumnKind, value: number | string | null): bigint {
  return BigInt(kind === "timestamp" ? 1000 * Number(value) : Number(value));
}
