/**
 * Which files payments are read from: a folder of day files, one file, or
 * stdin; and the raw rows of each.
 */
import { DataError } from "../error/error.ts";
import { csvRows } from "./csv_rows.ts";
import { fileError } from "./file_error.ts";
import { jsonlRows } from "./jsonl_rows.ts";
import { STANDARD_STREAM } from "./output_file.ts";
import { parquetRows } from "./parquet_rows.ts";
import type { RowBatch, RowOptions } from "./row_batch.ts";
import { TABLE_FORMATS, type TableFormat } from "./table_encoder.ts";

/** One input of payments. */
export interface DaySource {
  /** Path, or "-" for stdin. */
  readonly path: string;
  /** Name for messages. */
  readonly name: string;
  /** How it is read. */
  readonly format: TableFormat;
}

const DAY_FILE = /^(\d{4}-\d{2}-\d{2})\.(csv|jsonl|parquet)$/;

/**
 * Finds the inputs behind `path`: the day files of a folder in order of their
 * names, or the one file, or stdin for "-". The format of a file follows from
 * its extension; `format` overrides it for a single file or stdin, and chooses
 * among the day files of a folder. Throws DataError.
 */
export async function findDaySources(
  path: string,
  format: TableFormat | undefined,
): Promise<DaySource[]> {
  if (path === STANDARD_STREAM) {
    return [{ path, name: "stdin", format: format ?? "csv" }];
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  if (info.isDirectory) return await listFolder(path, format);
  return [{ path, name: path, format: format ?? formatOfName(path) ?? "csv" }];
}

/** The format that a file's extension stands for, or undefined. */
export function formatOfName(name: string): TableFormat | undefined {
  return TABLE_FORMATS.find((format) => name.endsWith(`.${format}`));
}

async function listFolder(
  folder: string,
  format: TableFormat | undefined,
): Promise<DaySource[]> {
  const fileOfDay = new Map<string, string>();
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const match = DAY_FILE.exec(name);
      if (match === null || isDirectory) continue;
      const [, date, extension] = match;
      if (format !== undefined && extension !== format) continue;
      const other = fileOfDay.get(date);
      if (other !== undefined) {
        throw new DataError(
          `${folder}: two files of one day, ${other} and ${name}; ` +
            "choose with --input-format, or remove one of them",
        );
      }
      fileOfDay.set(date, name);
    }
  } catch (error) {
    throw fileError(error, "list", folder);
  }
  if (fileOfDay.size === 0) {
    throw new DataError(
      `${folder}: no day file in the folder; payments are looked for in ` +
        `files named YYYY-MM-DD.${format ?? "csv (or .jsonl, .parquet)"}`,
    );
  }
  const separator = folder.endsWith("/") ? "" : "/";
  return [...fileOfDay.values()].sort().map((name) => {
    const path = `${folder}${separator}${name}`;
    return { path, name: path, format: formatOfName(name) ?? "csv" };
  });
}

/** Raw rows of one input, batch after batch; it is open only meanwhile. Throws DataError. */
export async function* readRows(
  source: DaySource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  const { path, format } = source;
  if (path === STANDARD_STREAM) {
    if (format === "parquet") {
      throw new DataError(
        "stdin: Parquet can't be read from a pipe; name the file with --in",
      );
    }
    yield* format === "csv"
      ? csvRows(Deno.stdin, options)
      : jsonlRows(Deno.stdin, options);
    return;
  }
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  try {
    if (format === "csv") yield* csvRows(file, options);
    else if (format === "jsonl") yield* jsonlRows(file, options);
    else yield* parquetRows(file, options);
  } finally {
    file.close();
  }
}
