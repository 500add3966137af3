/** The streams whose payments come by the API. */
import { ConfigError } from "../base/error.ts";
import { API_ORIGIN } from "../stream/control.ts";

/** Throws ConfigError for a stream whose payments come from elsewhere: of a simulation, files or another stream. */
export function requireApiOrigin(
  origin: { readonly fingerprint: string } | undefined,
): void {
  if (origin && origin.fingerprint !== API_ORIGIN) {
    throw otherSource(origin.fingerprint);
  }
}

/** The error of an API on a stream whose payments come from elsewhere. */
export function otherSource(fingerprint: string | undefined): ConfigError {
  return new ConfigError(
    `this stream has its payments from ${
      fingerprint ?? "another program's topic"
    }, and an API needs a separate stream; choose another --data folder (on ` +
      "Kafka another --topic-prefix)",
  );
}
