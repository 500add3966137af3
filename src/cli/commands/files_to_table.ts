/** What the commands share that make a table from payments in files: their flags, how the files are opened, and how a stop is reported. */
import { dirname } from "node:path";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import {
  openPayments,
  type PaymentSource,
} from "../../files/payment_source.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import type { Flag } from "../flags/flag.ts";
import { oneOf, readDate } from "../flags/flag_value.ts";
import type { FilePayments } from "../flags/payment_flags.ts";
import { throwIfStopped } from "../signals.ts";

/** The flags of such tables; `out`, `format` and `force` are those of every table. */
export const TABLE_FLAGS = {
  in: {
    value: "<path>",
    help: "required: folder of day files (YYYY-MM-DD), a file, or - for stdin",
  },
  out: { value: "<file>", help: "required: file to write, or - for stdout" },
  format: {
    value: "<format>",
    help: "csv, jsonl or parquet",
    read: oneOf(TABLE_FORMATS),
    default: "by the name of --out",
  },
  start: {
    value: "<date>",
    help: "first day of the data",
    read: readDate,
    default: "from the first row",
  },
  force: { help: "overwrite an existing file" },
} as const satisfies Readonly<Record<string, Flag>>;

/** Opens the payments of files. What does not fit in memory is sorted beside the table, where there must be room for it. Throws DataError. */
export async function openInput(
  choice: FilePayments,
  out: string,
): Promise<{ source: PaymentSource; sortFolder: string | undefined }> {
  const sortFolder = out === STANDARD_STREAM ? undefined : dirname(out);
  const source = await openPayments(
    choice.kind === "raw"
      ? { ...choice, files: { ...choice.files, sortFolder } }
      : { ...choice, files: { ...choice.files, sortFolder } },
  );
  return { source, sortFolder };
}

/** Throws if the signal has stopped the writing of a table, and says what is left of it. */
export function throwIfTableStopped(signal: AbortSignal, out: string): void {
  throwIfStopped(signal, () => {
    return out === STANDARD_STREAM
      ? "the rows on stdout are not all"
      : `nothing was written to ${out}`;
  });
}
