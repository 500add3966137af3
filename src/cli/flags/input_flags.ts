/** The flags of `run` that take payments from files in place of the simulator. */
import { ConfigError } from "../../base/error.ts";
import { shellWord } from "../../base/terminal_text.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import { openDefinition } from "../../definition/read_definition.ts";
import {
  needsHmacKey,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import { readingDefinition } from "../../files/import_folder.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { readFileFingerprint } from "../../roles/file_producer.ts";
import type { FileInput } from "../../roles/role.ts";
import { DATA_FLAGS, type DataOptions } from "./data_flags.ts";
import { HMAC_KEY_FLAG, requireHmacKey } from "./definition_flags.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "./flag.ts";
import { oneOf } from "./flag_value.ts";

/** The flags. */
export const INPUT_FLAGS = {
  title: "Your payments",
  flags: {
    in: {
      value: "<path>",
      help: "publish the payments of a file, a folder of day files, or - for " +
        "stdin, in place of the simulator; sorted by time",
    },
    definition: {
      value: "<file>",
      help: "what a payment of the stream is: a file, or the name of a " +
        "built-in definition",
      default: "the stream's own, else handbook",
    },
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --in, else by its first bytes",
      needs: "--in",
    },
    ...HMAC_KEY_FLAG.flags,
  },
} as const satisfies FlagGroup;

/** The values of the flags. */
export type InputOptions = FlagValues<typeof INPUT_FLAGS>;

/** The definition that is named; undefined for none. Throws ConfigError, or DataError for a file that cannot be read. */
export function readDefinitionFlag(
  { definition }: InputOptions,
): StreamDefinition | undefined {
  return definition === undefined ? undefined : openDefinition(definition);
}

/** What a run of the flags continues, and what it needs. */
export interface InputPlace {
  /** What the stream's producer has recorded about its data, if it has begun. */
  readonly recorded: string | undefined;
  /** Whether all its payments are published. */
  readonly isComplete: boolean;
  /** The stream's definition; undefined for the handbook's. */
  readonly definition: StreamDefinition | undefined;
}

/** Data flags that say what to simulate; --start applies to other payments as well. */
const { start: _start, ...SIMULATED } = DATA_FLAGS.flags;

/** The files that the producer publishes: those of --in, else those that it has begun with; undefined for a simulation. Throws ConfigError. */
export function readInputFlags(
  options: InputOptions & DataOptions,
  { recorded, isComplete, definition }: InputPlace,
): FileInput | undefined {
  const known = recorded === undefined
    ? undefined
    : readFileFingerprint(recorded);
  const path = options.in ?? known?.path;
  if (options.in === undefined && path === STANDARD_STREAM && !isComplete) {
    throw new ConfigError(
      "this stream's payments came from stdin, and may not all have come; " +
        "pipe the data from its beginning to './fraudstream run --in=-', " +
        "which skips what is published, or add --role=processor,writer" +
        `${definition?.labels.from === "stream" ? ",labels" : ""} for a run ` +
        "without new payments",
    );
  }
  if (path === undefined) {
    if (definition === undefined) return undefined;
    throw new ConfigError(
      "--definition says what your payments are, and the simulator makes the " +
        "handbook's; name your data with --in=FILE, or leave --definition out",
    );
  }
  if (definition === undefined) {
    throw new ConfigError(
      `--in=${path} needs --definition, which says what its columns are: ` +
        `'./fraudstream check --sample=${shellWord(path)} > stream.yaml' ` +
        "suggests one",
    );
  }
  refuseSimulated(options, `--in=${path}`);
  const { hmacKeyFile, inputFormat } = options;
  requireHmacKey(
    needsHmacKey(definition) ? readingDefinition(path, definition) : definition,
    options,
  );
  return { path, format: inputFormat ?? known?.format, hmacKeyFile };
}

/** Throws ConfigError if a flag says what to simulate, though another one brings payments. */
export function refuseSimulated(options: DataOptions, flag: string): void {
  const [foreign] = givenFlags({ flags: SIMULATED }, options);
  if (foreign === undefined) return;
  throw new ConfigError(
    `${foreign} says what to simulate, but ${flag} reads payments; leave one ` +
      "of them out",
  );
}
