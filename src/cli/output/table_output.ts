/** Where tables are written: the format of a table, and whether it may be written there. */
import { dirname } from "node:path";
import { ConfigError } from "../../base/error.ts";
import { formatOfName } from "../../files/day_source.ts";
import { fileError } from "../../base/file_error.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import type { TableFormat } from "../../files/table_encoder.ts";

/**
 * The format of a table that goes to `out`: the one given with --format, else
 * that of the name's ending; CSV without an ending. Throws ConfigError for an
 * ending that stands for no format.
 */
export function tableFormat(
  flag: "--out" | "--curves",
  out: string,
  format?: TableFormat,
): TableFormat {
  const found = format ?? formatOfName(out);
  if (found !== undefined) return found;
  const [ending] = /(?<=[^/\\])\.[^./\\]+$/.exec(out) ?? [];
  if (ending === undefined) return "csv";
  const otherwise = flag === "--out"
    ? ", or give the format with --format"
    : "";
  throw new ConfigError(
    `${flag}=${out} ends in ${ending}, which is not a table format; end the name ` +
      `in .csv, .jsonl or .parquet${otherwise}`,
  );
}

/** Where a table is to go. */
export interface OutputChoice {
  /** Path, or '-' for stdout. */
  readonly out: string;
  /** Whether an existing file may be overwritten. */
  readonly force: boolean;
  /** Form of what is written. */
  readonly format: TableFormat | "html";
  /** File or folder that the same command reads, where it reads one. */
  readonly input?: string | undefined;
}

/** Throws ConfigError if the output may not be written there. */
export async function checkOutput(choice: OutputChoice): Promise<void> {
  const { out, force, format } = choice;
  if (out === STANDARD_STREAM) {
    if (format === "parquet" && Deno.stdout.isTerminal()) {
      throw new ConfigError(
        "--format=parquet is not for a terminal; send it to a file with --out",
      );
    }
    return;
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(out);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(error, "write", out);
  }
  if (info.isDirectory) {
    throw new ConfigError(`--out=${out} is a folder; name a file in it`);
  }
  if (choice.input !== undefined && await isWithin(out, choice.input)) {
    throw new ConfigError(
      `--out=${out} belongs to --in=${choice.input}, which would be lost; ` +
        "choose another name",
    );
  }
  if (force) return;
  throw new ConfigError(
    `--out=${out} exists; choose another name, or overwrite it with --force`,
  );
}

/** Whether an existing file is the same as another, or is in it. */
async function isWithin(file: string, other: string): Promise<boolean> {
  try {
    const [path, place] = await Promise.all(
      [file, other].map((name) => Deno.realPath(name)),
    );
    return path === place || dirname(path) === place;
  } catch {
    return false; // reading the other reports what is wrong with it
  }
}
