/** Files that are read whole, in any of the table formats: profiles and verdicts. */
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { parse } from "csv-parse/sync";
import { DataError } from "../base/error.ts";
import { parquetCompressors } from "./parquet_codecs.ts";
import { checkPages } from "./parquet_limits.ts";
import type { TableFormat } from "./table_encoder.ts";

/** Most rows of such a file. */
const ROWS_MAX = 10_000_000;

/**
 * The rows of a file's bytes by column, as the format has them: texts in CSV;
 * numbers, bigints, dates and null in Parquet. Of Parquet only `fields` are
 * read. Throws DataError, with `otherwise` as another way out: "write it again,
 * or " is before it.
 */
export async function smallTable(
  bytes: Uint8Array<ArrayBuffer>,
  format: TableFormat,
  { fields, path, otherwise }: {
    readonly fields: readonly string[];
    readonly path: string;
    readonly otherwise: string;
  },
): Promise<Record<string, unknown>[]> {
  try {
    if (format === "parquet") {
      return await parquetRows(bytes.buffer, fields, { path, otherwise });
    }
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (format === "csv") {
      return parse(text, { columns: true, delimiter: [",", ";", "\t"] });
    }
    return text.split("\n").filter((line) => line !== "")
      .map((line, at) => parseLine(line, `${path}:${at + 1}`));
  } catch (error) {
    if (error instanceof DataError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(
      `${path}: the file is damaged (${reason}); write it again, or ${otherwise}`,
      { cause: error },
    );
  }
}

async function parquetRows(
  file: ArrayBuffer,
  fields: readonly string[],
  { path, otherwise }: { readonly path: string; readonly otherwise: string },
): Promise<Record<string, unknown>[]> {
  const metadata = parquetMetadata(file);
  if (metadata.num_rows > ROWS_MAX) {
    throw new DataError(
      `${path}: ${metadata.num_rows} rows, more than ${ROWS_MAX}; ${otherwise}`,
    );
  }
  const present = metadata.schema.slice(1).map((element) => element.name);
  const columns = fields.filter((field) => present.includes(field));
  for (const group of metadata.row_groups) {
    const named = columns.map((name) => ({ name }));
    await checkPages(file, group, named, path);
  }
  const compressors = await parquetCompressors(metadata);
  return await parquetReadObjects({ file, metadata, compressors, columns });
}

/** The JSON object in a line; `place` is for messages. Throws DataError. */
export function parseLine(
  json: string,
  place: string,
): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new DataError(`${place}: invalid JSON; fix the line`, { cause });
  }
  if (typeof value === "object" && value !== null) {
    return value as Record<string, unknown>;
  }
  throw new DataError(`${place}: not a JSON object; fix the line`);
}
