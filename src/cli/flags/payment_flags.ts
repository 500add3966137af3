/** The flags that say where payments come from: files, or else a simulation by the data flags; and the features that they get. */
import { ConfigError } from "../../base/error.ts";
import { shapeOf } from "../../definition/definition_shape.ts";
import { openDefinition } from "../../definition/read_definition.ts";
import type { StreamDefinition } from "../../definition/stream_definition.ts";
import {
  importedDefinition,
  readingDefinition,
} from "../../files/import_folder.ts";
import type { PaymentChoice } from "../../files/payment_source.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { DATA_FLAGS, type DataOptions, readDataFlags } from "./data_flags.ts";
import { DEFINITION_FLAGS, readHmacKey } from "./definition_flags.ts";
import {
  FEATURE_FLAGS,
  type FeatureOptions,
  featuresFor,
} from "./feature_flags.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "./flag.ts";
import { oneOf } from "./flag_value.ts";
import { featuresOfDefinition } from "./stream_flags.ts";

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
    ...DEFINITION_FLAGS.flags,
    ...INPUT_FLAGS.flags,
  },
} as const satisfies FlagGroup;

/** The values of these flags and the data flags. */
export type PaymentOptions = FlagValues<typeof PAYMENT_FLAGS> & DataOptions;

/** Data flags that do not apply to payments in files; --start does. */
const { start: _start, ...SIMULATED } = DATA_FLAGS.flags;

/** The payments that the flags choose. Throws ConfigError where they contradict each other, and DataError for a definition or key that cannot be read. */
export function readPaymentFlags(options: PaymentOptions): PaymentChoice {
  if (options.in === undefined) {
    const [needless] = givenFlags(DEFINITION_FLAGS, options);
    if (needless !== undefined) {
      throw new ConfigError(
        `${needless} is for your payments, and without --in they are ` +
          "simulated; name your data with --in=FILE, or leave the flag out",
      );
    }
    return { kind: "simulated", simulation: readDataFlags(options) };
  }
  const [foreign] = givenFlags({ flags: SIMULATED }, options);
  if (foreign !== undefined) {
    throw new ConfigError(
      `${foreign} says what to simulate, but --in=${options.in} reads ` +
        "payments; leave one of them out",
    );
  }
  return readFileFlags(options.in, options);
}

/** The values of the flags that say how files are read. */
export type FileOptions =
  & FlagValues<typeof INPUT_FLAGS>
  & FlagValues<typeof DEFINITION_FLAGS>
  & { readonly start?: number };

/** Payments in files. */
export type FilePayments = Exclude<PaymentChoice, { kind: "simulated" }>;

/** How the files at `path` are read: by a definition, if one is named or an import has left one, else as day files with the handbook's columns. Throws as readPaymentFlags(). */
export function readFileFlags(
  path: string,
  options: FileOptions,
): FilePayments {
  const { inputFormat, start: startSeconds } = options;
  const definition = options.definition === undefined
    ? importedDefinition(path)
    : openDefinition(options.definition);
  if (definition === undefined) {
    if (options.hmacKeyFile !== undefined) {
      throw new ConfigError(
        "--hmac-key-file has no effect without --definition; leave it out",
      );
    }
    const skipBadRows = options.skipBadRows ?? false;
    const files = { path, startSeconds, skipBadRows, inputFormat };
    return { kind: "files", files };
  }
  if (options.skipBadRows) {
    throw new ConfigError(
      "--skip-bad-rows has no effect with a definition: rows that are no " +
        "payments by it are left out and counted; leave the flag out",
    );
  }
  const hmacKey = readHmacKey(readingDefinition(path, definition), options);
  const files = { path, startSeconds, inputFormat, definition, hmacKey };
  return { kind: "raw", files };
}

/** The shape of the payments that are chosen. */
export function shapeOfPayments(choice: PaymentChoice): PaymentShape {
  return choice.kind === "raw"
    ? shapeOf(choice.files.definition)
    : HANDBOOK_SHAPE;
}

/**
 * The features of the payments that are chosen: the flags', or without flags
 * those that a model was trained on. A definition says its own, with the
 * windows of the flag or of the model. Throws ConfigError for flags that it
 * leaves no room for.
 */
export function featuresOfPayments(
  choice: PaymentChoice,
  options: FeatureOptions,
  trained?: FeatureParameters,
): FeatureParameters {
  if (choice.kind !== "raw") return featuresFor(options, trained);
  const { definition } = choice.files;
  return {
    ...featuresOfDefined(definition, options, trained),
    // Where labels arrive later, those in the files count as if they had been
    // in the payments: once the delay has passed.
    graceSeconds: undefined,
  };
}

/** The features of a stream with a definition, or without one; see featuresOfPayments(). */
export function featuresOfDefined(
  definition: StreamDefinition | undefined,
  options: FeatureOptions,
  trained?: FeatureParameters,
): FeatureParameters {
  if (definition === undefined) return featuresFor(options, trained);
  const { windows: _windows, ...flags } = FEATURE_FLAGS.flags;
  const [foreign] = givenFlags({ flags }, options);
  if (foreign !== undefined) {
    throw new ConfigError(
      `${foreign} cannot be given for payments with a definition, which says ` +
        "it itself; leave the flag out",
    );
  }
  const isIncluded = definition.features.include !== "none";
  return featuresOfDefinition(
    definition,
    isIncluded ? options.windows ?? trained?.windowDays : undefined,
  );
}
