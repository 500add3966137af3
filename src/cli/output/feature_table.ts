/** The table of TRANSACTION_ID and features that `features` and `export` write. */
import { dirname } from "node:path";
import { ConfigError } from "../../base/error.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  type TotalsLayout,
  totalsLayout,
  totalsToCanonical,
  totalsToValues,
  wholeFeatures,
} from "../../features/parameters.ts";
import { formatOfName } from "../../files/day_source.ts";
import { fileError } from "../../base/file_error.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import type { TableColumn, TableFormat } from "../../files/table_encoder.ts";
import { TableWriter } from "../../files/table_writer.ts";

/** Opens the table at a path or stdout ('-'). */
export function openFeatureTable(
  out: string,
  format: TableFormat,
  parameters: FeatureParameters,
): Promise<TableWriter> {
  const whole = wholeFeatures(parameters);
  const columns = featureNames(parameters).map((name, at): TableColumn => {
    return { name, kind: whole[at] ? "int32" : "double" };
  });
  return TableWriter.open(out, format, [
    { name: "TRANSACTION_ID", kind: "int64" },
    ...columns,
  ]);
}

/** Rows of the table as columns, filled batch after batch in the same memory. */
export class FeatureColumns {
  /** One column for TRANSACTION_ID and for each feature. */
  values: Float64Array[];
  readonly #layout: TotalsLayout;
  readonly #finish: typeof totalsToValues;
  readonly #features: Float64Array;
  #length = 0;

  /** CSV gets the canonical rounding, the other formats the full doubles. */
  constructor(parameters: FeatureParameters, format: TableFormat) {
    const count = featureCount(parameters);
    this.#layout = totalsLayout(parameters);
    this.#finish = format === "csv" ? totalsToCanonical : totalsToValues;
    this.#features = new Float64Array(count);
    this.values = Array.from({ length: 1 + count }, () => new Float64Array());
  }

  /** Empties the columns and makes room for `length` rows. */
  clear(length: number): void {
    this.#length = 0;
    if (length <= this.values[0].length) return;
    this.values = this.values.map(() => new Float64Array(2 * length));
  }

  /** Adds the row of a payment whose totals begin at `totals[from]`. */
  add(transactionId: number, totals: Float64Array, from = 0): void {
    this.#finish(totals, this.#layout, this.#features, from);
    const row = this.#length++;
    this.values[0][row] = transactionId;
    for (let at = 0; at < this.#features.length; at++) {
      this.values[1 + at][row] = this.#features[at];
    }
  }
}

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
