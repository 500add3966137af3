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

/** The key that the flag names, every byte of the file, for the definition `named`; undefined without the flag. Throws DataError, or ConfigError for a definition without pseudonyms. */
export function readHmacKey(
  { hmacKeyFile }: FlagValues<typeof HMAC_KEY_FLAG>,
  definition: StreamDefinition,
  named: string,
): Uint8Array | undefined {
  if (hmacKeyFile === undefined) return undefined;
  if (needsHmacKey(definition)) {
    return readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX);
  }
  throw new ConfigError(
    `--hmac-key-file has no effect: ${named} has no 'hmac: true'; leave the ` +
      "flag out",
  );
}
