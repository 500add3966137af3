/**
 * Which files payments are read from: a folder of day files, one file, or
 * stdin; and the rows of each.
 */
import { DataError } from "../base/error.ts";
import { csvRows } from "./csv_rows.ts";
import { UNFINISHED_MARK } from "./data_set.ts";
import { fileError } from "../base/file_error.ts";
import { type InputStream, openInputStream } from "./input_stream.ts";
import { jsonlRows } from "./jsonl_rows.ts";
import type { ByteSource } from "./line_block.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { parquetRows } from "./parquet_rows.ts";
import type { RowBatch, RowOptions } from "./row_batch.ts";
import { TABLE_FORMATS, type TableFormat } from "./table_encoder.ts";

/** One input of payments. */
export interface DaySource {
  /** Path, or "-" for stdin. */
  readonly path: string;
  /** Name for messages. */
  readonly name: string;
  /** How it is read; undefined if its first bytes decide. */
  readonly format: TableFormat | undefined;
}

const DAY_FILE = /^(\d{4}-\d{2}-\d{2})\.(csv|jsonl|parquet)(\.gz|\.zst)?$/;
const COMPRESSED = /\.(gz|zst)$/;
const PARQUET_MAGIC = "PAR1";

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
  if (path === STANDARD_STREAM) return [{ path, name: "stdin", format }];
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  if (info.isDirectory) return await listFolder(path, format);
  return [{ path, name: path, format: format ?? inputFormatOfName(path) }];
}

/** The format that a file's extension stands for, or undefined. */
export function formatOfName(name: string): TableFormat | undefined {
  return TABLE_FORMATS.find((format) => name.endsWith(`.${format}`));
}

function inputFormatOfName(name: string): TableFormat | undefined {
  return formatOfName(name.replace(COMPRESSED, ""));
}

async function listFolder(
  folder: string,
  format: TableFormat | undefined,
): Promise<DaySource[]> {
  const separator = folder.endsWith("/") ? "" : "/";
  const fileOfDay = new Map<string, string>();
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (name === UNFINISHED_MARK) {
        throw new DataError(
          `${folder}: its data set is not complete, 'generate' or 'import' was ` +
            "interrupted; run it again with --force, or, to read the finished " +
            "days, " +
            `remove ${folder}${separator}${name}`,
        );
      }
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
  return [...fileOfDay.values()].sort().map((name) => {
    const path = `${folder}${separator}${name}`;
    return { path, name: path, format: inputFormatOfName(name) };
  });
}

/** Rows of one input, batch after batch; the input is open only while they are read. Throws DataError. */
export async function* readRows(
  source: DaySource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  const { path } = source;
  if (path === STANDARD_STREAM) {
    yield* streamRows(Deno.stdin, undefined, source, options);
    return;
  }
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  try {
    yield* streamRows(file, file, source, options);
  } finally {
    file.close();
  }
}

/** Rows of a stream; `file` is present where the input can be read at any place. */
async function* streamRows(
  source: ByteSource,
  file: Deno.FsFile | undefined,
  { name, format }: DaySource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  if (format === "parquet" && file !== undefined) {
    yield* parquetRows(file, options);
    return;
  }
  const stream = await openInputStream(source, options);
  try {
    const found = formatOfContent(stream);
    if (found === "parquet" || format === "parquet") {
      if (file === undefined) {
        throw new DataError(
          `${name}: Parquet can't be read from a pipe; name the file with --in`,
        );
      }
      if (format !== undefined || stream.compressed) {
        throw new DataError(
          `${name}: a Parquet file under another name, or compressed ` +
            "again; name it NAME.parquet, without another compression",
        );
      }
      yield* parquetRows(file, options);
    } else if ((format ?? found) === "csv") yield* csvRows(stream, options);
    else yield* jsonlRows(stream, options);
  } finally {
    stream.close();
  }
}

/** The format that the first bytes of an input show. */
export function formatOfContent({ head }: InputStream): TableFormat {
  const start = new TextDecoder().decode(head).trimStart();
  if (start.startsWith(PARQUET_MAGIC)) return "parquet";
  return start.startsWith("{") ? "jsonl" : "csv";
}
