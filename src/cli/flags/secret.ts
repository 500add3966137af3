/**
 * Values that must not be on a command line: passwords, from the environment or
 * a file; and the files of certificate authorities. Neither is ever logged, and
 * no message quotes them.
 */
import { ConfigError, DataError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import type { Environment } from "./environment.ts";

/** Where a password may come from. */
export interface PasswordSource {
  /** The variable: FRAUDSTREAM_KAFKA_PASSWORD. */
  readonly variable: string;
  /** The flag that names a file: --kafka-password-file. */
  readonly flag: string;
  /** The file that was named, if one was. */
  readonly file: string | undefined;
}

/** The password; undefined if none is given. Throws ConfigError, or DataError for a file that cannot be read. */
export function readPassword(
  { variable, flag, file }: PasswordSource,
  environment: Environment,
): string | undefined {
  const value = environment(variable);
  if (file === undefined) return value;
  if (value !== undefined) {
    throw new ConfigError(
      `the password is in ${variable} and in the file of ${flag}: give one ` +
        "of the two",
    );
  }
  // The line end that editors and echo add is not part of it.
  const password = readText(file).replace(/\r?\n$/, "");
  if (password !== "") return password;
  throw new ConfigError(`${flag}: ${file} is empty; put the password in it`);
}

/** The certificates in a PEM file. Throws ConfigError if there are none, or DataError if it cannot be read. */
export function readAuthorities(flag: string, file: string): string {
  const text = readText(file);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new ConfigError(
    `${flag}: ${file} holds no certificate; give a PEM file ` +
      "(-----BEGIN CERTIFICATE-----)",
  );
}

/** Longer files are neither a password nor certificates. */
const BYTES_MAX = 1 << 20;

/** A short text; from a pipe as well, as shells give the output of a program. */
function readText(file: string): string {
  const bytes = new Uint8Array(BYTES_MAX + 1);
  let length = 0;
  try {
    using open = Deno.openSync(file);
    for (;;) {
      const count = open.readSync(bytes.subarray(length));
      if (!count) break;
      length += count;
    }
  } catch (cause) {
    throw fileError(cause, "read", file);
  }
  if (length <= BYTES_MAX) {
    return new TextDecoder().decode(bytes.subarray(0, length));
  }
  throw new DataError(
    `cannot read ${file}: it has more than ${BYTES_MAX} bytes; check the path`,
  );
}
