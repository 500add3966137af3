/**
 * Payments from Parquet as raw rows, one row group at a time. Whole numbers
 * may be INT32 or INT64; TX_DATETIME may be text or a timestamp (UTC).
 */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
} from "hyparquet";
import { DataError } from "../error/error.ts";
import { formatDatetime } from "../transaction/calendar.ts";
import { TRANSACTION_FIELDS } from "../transaction/transaction.ts";
import type { RowBatch, RowOptions } from "./row_batch.ts";

/** Raw rows of a Parquet file, a row group at a time. Throws DataError for a file that isn't one. */
export async function* parquetRows(
  file: Deno.FsFile,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  const buffer = fileBuffer(file);
  const metadata = await readFooter(buffer, options.name);
  const present = new Set(metadata.schema.map((element) => element.name));
  const missing = TRANSACTION_FIELDS.filter((field) => !present.has(field));
  if (missing.length > 0) {
    throw new DataError(
      `${options.name}: the columns lack ${missing.join(", ")}; the file ` +
        `must have all of ${TRANSACTION_FIELDS.join(",")}`,
    );
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    options.signal.throwIfAborted();
    const rowEnd = rowStart + Number(group.num_rows);
    yield await readGroup(buffer, metadata, rowStart, rowEnd, options.name);
    rowStart = rowEnd;
  }
}

async function readFooter(
  buffer: AsyncBuffer,
  name: string,
): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(buffer);
  } catch (error) {
    throw damaged(name, error);
  }
}

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
  name: string,
): Promise<RowBatch> {
  let rows: unknown[][] = [];
  try {
    await parquetRead({
      file,
      metadata,
      columns: [...TRANSACTION_FIELDS],
      rowStart,
      rowEnd,
      onComplete: (read: unknown[][]) => rows = read,
    });
  } catch (error) {
    throw damaged(name, error);
  }
  return {
    length: rows.length,
    firstLine: rowStart + 1,
    read(index, values) {
      rows[index].forEach((value, field) => values[field] = plain(value));
      return undefined;
    },
    column: () => 1,
  };
}

/** A value as CSV or JSON would have brought it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return formatDatetime(value.getTime() / 1000);
  return value ?? undefined;
}

function damaged(name: string, error: unknown): DataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataError(
    `${name}: not a readable Parquet file (${reason}); write it again`,
    { cause: error },
  );
}

function fileBuffer(file: Deno.FsFile): AsyncBuffer {
  const byteLength = file.statSync().size;
  return {
    byteLength,
    slice(start, end = byteLength) {
      // Synchronous, so that two slices asked for at once can't mix their
      // seeks and reads.
      const bytes = new Uint8Array(end - start);
      file.seekSync(start, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const count = file.readSync(bytes.subarray(at));
        if (count === null) throw new Error("the file ends early");
        at += count;
      }
      return bytes.buffer;
    },
  };
}
