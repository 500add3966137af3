/** The flags that say what the payments in other people's data are. */
import { ConfigError } from "../../base/error.ts";
import { readWholeFile } from "../../base/whole_file.ts";
import { BUILT_IN_DEFINITIONS } from "../../definition/built_in.ts";
import { HMAC_KEY_BYTES_MAX } from "../../definition/identifier.ts";
import {
  needsHmacKey,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";

/** The names of the built-in definitions. */
export const TEMPLATES: readonly string[] = Object.keys(BUILT_IN_DEFINITIONS);

/** The flag of the key for pseudonyms. */
export const HMAC_KEY_FLAG = {
  flags: {
    hmacKeyFile: {
      value: "<file>",
      help: "file that holds the key of pseudonyms, 32 bytes or more, for a " +
        "definition with 'hmac: true'",
    },
  },
} as const satisfies FlagGroup;

/** The flags of what the payments in files are. */
export const DEFINITION_FLAGS = {
  flags: {
    definition: {
      value: "<file>",
      help: "what your payments are: the file of a stream definition, or " +
        `${TEMPLATES.slice(0, -1).join(", ")} or ${TEMPLATES.at(-1)}`,
      default: "the handbook's columns, or what --in was imported by",
    },
    ...HMAC_KEY_FLAG.flags,
  },
} as const satisfies FlagGroup;

/** Throws ConfigError unless there is a key for pseudonyms exactly where the definition, as the payments are read by it, makes any. */
export function requireHmacKey(
  definition: StreamDefinition,
  { hmacKeyFile }: FlagValues<typeof HMAC_KEY_FLAG>,
): void {
  const needsKey = needsHmacKey(definition);
  if (needsKey === (hmacKeyFile !== undefined)) return;
  throw new ConfigError(
    needsKey
      ? "the definition replaces ids by pseudonyms (hmac: true); name the " +
        "file of their key with --hmac-key-file"
      : "--hmac-key-file has no effect: no id is replaced by a pseudonym " +
        "(hmac: true) here; leave the flag out",
  );
}

/** The key that the flag names, every byte of the file; undefined for a definition that needs none. Throws DataError, or ConfigError as requireHmacKey(). */
export function readHmacKey(
  definition: StreamDefinition,
  options: FlagValues<typeof HMAC_KEY_FLAG>,
): Uint8Array | undefined {
  requireHmacKey(definition, options);
  const { hmacKeyFile } = options;
  return hmacKeyFile === undefined
    ? undefined
    : readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX);
}
