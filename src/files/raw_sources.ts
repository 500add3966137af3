/**
 * Which files other people's payments are read from: one file, stdin, or a
 * folder of files with any names.
 */
import { join } from "node:path";
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { type DaySource, findDaySources } from "./day_source.ts";
import { TABLE_FORMATS, type TableFormat } from "./table_encoder.ts";

const TABLE_FILE = /\.(csv|jsonl|parquet)(\.gz|\.zst)?$/;
const DAY_FILE = /^\d{4}-\d{2}-\d{2}\./;

/**
 * Finds the inputs behind `path`. Of a folder these are its day files
 * (YYYY-MM-DD) if there are any, else all its CSV, JSON lines and Parquet
 * files in order of their names; hidden ones are left out. Throws DataError.
 */
export async function findRawSources(
  path: string,
  format: TableFormat | undefined,
): Promise<DaySource[]> {
  const names = await namesIn(path);
  if (names === undefined || names.some((name) => DAY_FILE.test(name))) {
    return await findDaySources(path, format);
  }
  const found = names.filter((name) => {
    const extension = TABLE_FILE.exec(name)?.[1];
    return extension !== undefined && extension === (format ?? extension);
  });
  if (found.length > 0) {
    return found.sort().map((name) => {
      const extension = TABLE_FILE.exec(name)?.[1];
      return {
        path: join(path, name),
        name: join(path, name),
        format: TABLE_FORMATS.find((known) => known === extension),
      };
    });
  }
  throw new DataError(
    `${path}: no file of payments in the folder; their names end in ` +
      `.${format ?? "csv, .jsonl or .parquet"}, also with .gz or .zst`,
  );
}

/** Names of the files that are not hidden in a folder; undefined for what is no folder. */
async function namesIn(path: string): Promise<string[] | undefined> {
  if (path === STANDARD_STREAM) return undefined;
  try {
    if (!(await Deno.stat(path)).isDirectory) return undefined;
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.filter(({ isDirectory, name }) =>
      !isDirectory && !name.startsWith(".")
    ).map(({ name }) => name);
  } catch (error) {
    throw fileError(error, "read", path);
  }
}
