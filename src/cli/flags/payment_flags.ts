/** The flags that say where payments come from: files, or else a simulation by the data flags. */
import { ConfigError } from "../../base/error.ts";
import type { PaymentChoice } from "../../files/payment_source.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { DATA_FLAGS, type DataOptions, readDataFlags } from "./data_flags.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "./flag.ts";
import { oneOf } from "./flag_value.ts";

/** The flags that say how payments in files are read. */
export const INPUT_FLAGS = {
  flags: {
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --in, else by its first bytes",
    },
    skipBadRows: {
      help: "leave out invalid rows, and report them",
    },
  },
} as const satisfies FlagGroup;

/** The flags that say where payments come from; without --in the data flags do. */
export const PAYMENT_FLAGS = {
  title: "Payments",
  flags: {
    in: {
      value: "<path>",
      help: "folder of day files (YYYY-MM-DD), a file, or - for stdin",
      default: "the data set of the data flags, made in memory",
    },
    ...INPUT_FLAGS.flags,
  },
} as const satisfies FlagGroup;

/** The values of these flags and the data flags. */
export type PaymentOptions = FlagValues<typeof PAYMENT_FLAGS> & DataOptions;

/** Data flags that do not apply to payments in files; --start does. */
const { start: _start, ...SIMULATED } = DATA_FLAGS.flags;

/** The payments that the flags choose. Throws ConfigError where they contradict each other. */
export function readPaymentFlags(options: PaymentOptions): PaymentChoice {
  if (options.in === undefined) {
    return { kind: "simulated", simulation: readDataFlags(options) };
  }
  const [foreign] = givenFlags({ flags: SIMULATED }, options);
  if (foreign !== undefined) {
    throw new ConfigError(
      `${foreign} says what to simulate, but --in=${options.in} reads ` +
        "payments; leave one of them out",
    );
  }
  return { kind: "files", files: readInputFlags(options.in, options) };
}

/** How to read files, from the flags. */
export function readInputFlags(
  path: string,
  options: FlagValues<typeof INPUT_FLAGS> & { readonly start?: number },
): (PaymentChoice & { kind: "files" })["files"] {
  return {
    path,
    startSeconds: options.start,
    skipBadRows: options.skipBadRows ?? false,
    inputFormat: options.inputFormat,
  };
}
