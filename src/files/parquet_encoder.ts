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

type ColumnBuffer = Int32Array | BigInt64Array | Float64Array | string[];

/** Encoder of Parquet: whole numbers as INT32 or INT64, doubles as DOUBLE, text as UTF8. */
export function parquetEncoder(columns: readonly TableColumn[]): TableEncoder {
  const bytes = new ByteWriter();
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.map(({ name, kind }) => schemaElement(name, kind)),
    ],
    createdBy: "fraudstream",
  });
  let buffers = columns.map(({ kind }) => columnBuffer(kind));
  let rows = 0;

  const writeGroup = () => {
    parquet.write({
      columnData: columns.map(({ name }, at) => ({
        name,
        data: buffers[at].slice(0, rows),
      })),
      rowGroupSize: GROUP_ROWS,
    });
    buffers = columns.map(({ kind }) => columnBuffer(kind));
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
          fill(buffer, rows, values[at], next, end);
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

function schemaElement(name: string, kind: ColumnKind): SchemaElement {
  const repeated = { name, "repetition_type": "REQUIRED" as const };
  switch (kind) {
    case "int32":
      return { ...repeated, type: "INT32" };
    case "int64":
      return { ...repeated, type: "INT64" };
    case "double":
      return { ...repeated, type: "DOUBLE" };
    case "text":
      return { ...repeated, type: "BYTE_ARRAY", converted_type: "UTF8" };
  }
}

function columnBuffer(kind: ColumnKind): ColumnBuffer {
  switch (kind) {
    case "int32":
      return new Int32Array(GROUP_ROWS);
    case "int64":
      return new BigInt64Array(GROUP_ROWS);
    case "double":
      return new Float64Array(GROUP_ROWS);
    case "text":
      return [];
  }
}

function fill(
  buffer: ColumnBuffer,
  at: number,
  values: ColumnValues,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++, at++) {
    if (buffer instanceof BigInt64Array) buffer[at] = BigInt(values[row]);
    else if (Array.isArray(buffer)) buffer[at] = String(values[row]);
    else buffer[at] = Number(values[row]);
  }
}
