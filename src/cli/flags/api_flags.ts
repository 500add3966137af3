/** The flags of the HTTP API: where it listens, who may use it, how long it waits. */
import {
  API_HOST,
  API_PORT,
  type ApiSettings,
  BODY_LIMITS,
  checkApiExposure,
} from "../../roles/api_settings.ts";
import { ConfigError } from "../../base/error.ts";
import {
  isRowNumber,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import { HMAC_KEY_FLAG, requireHmacKey } from "./definition_flags.ts";
import {
  checkNeeds,
  type FlagGroup,
  type FlagValues,
  refuseGiven,
} from "./flag.ts";
import { duration, positiveNumber, wholeNumber } from "./flag_value.ts";

const PORT_MAX = 65_535;
const RATE_MAX = 1e6;
const PENDING_MAX = 1e6;

/** How long a request waits for its decision by default, seconds. */
const DEADLINE_SECONDS = 5;

/** How many payments may wait for their decision at once by default. */
const PENDING = 250;

/** The flags of the API. */
export const API_FLAGS = {
  title: "The HTTP API",
  needs: "the API",
  flags: {
    apiPort: {
      value: "<n>",
      help: "take payments by HTTP at this port and answer with the decision " +
        "about each; 0 for any free one",
      read: wholeNumber(0, PORT_MAX),
      default: `${API_PORT} with --role=api`,
    },
    apiHost: {
      value: "<address>",
      help: "address of the API; any other than 127.0.0.1 or localhost needs " +
        "--api-tokens",
      default: API_HOST,
    },
    apiTokens: {
      value: "<file>",
      help: "file with a line 'name scopes sha256' per token, as the command " +
        "token makes it; read again when it changes",
    },
    apiTlsCert: {
      value: "<file>",
      help: "certificate chain (PEM) with which the API speaks TLS",
      needs: "--api-tls-key",
    },
    apiTlsKey: {
      value: "<file>",
      help: "private key (PEM) of --api-tls-cert",
      needs: "--api-tls-cert",
    },
    apiRate: {
      value: "<n>",
      help: "requests per second of a token, or of an address without tokens",
      read: positiveNumber(RATE_MAX),
      default: "no limit",
    },
    apiAllowOrigin: {
      value: "<origins>",
      help: "origins of browser pages that may use the API, between commas: " +
        "https://till.example",
      read: readOrigins,
    },
    apiDeadline: {
      value: "<time>",
      help: "how long a request waits for its decision, such as 5s",
      read: duration(1),
      default: `${DEADLINE_SECONDS}s`,
    },
    apiPending: {
      value: "<n>",
      help: "requests that may wait for their decision at once; others get 503",
      read: wholeNumber(1, PENDING_MAX),
      default: String(PENDING),
    },
  },
} as const satisfies FlagGroup;

/** The values of the API's flags. */
export type ApiOptions = FlagValues<typeof API_FLAGS>;

/** The API that a run is to have. */
export interface WantedApi {
  /** Where it listens and who may use it. */
  readonly served: ApiSettings;
  /** How long a request waits for its decision, milliseconds. */
  readonly deadlineMs: number;
  /** How many payments may wait for their decision at once. */
  readonly pendingMax: number;
}

/**
 * The API that the flags ask for, by --api-port or where `named` says that
 * --role names it; undefined for none. Throws ConfigError for an address that
 * is open to others without tokens, and for flags without an API.
 */
export function readApiFlags(
  options: ApiOptions,
  named: boolean,
): WantedApi | undefined {
  if (!named && options.apiPort === undefined) {
    refuseApiFlags(options);
    return undefined;
  }
  checkNeeds({ flags: API_FLAGS.flags }, options);
  const { apiTlsCert: cert, apiTlsKey: key } = options;
  const tls = cert === undefined || key === undefined
    ? undefined
    : { cert, key };
  const served: ApiSettings = {
    host: options.apiHost ?? API_HOST,
    port: options.apiPort ?? API_PORT,
    tokensFile: options.apiTokens,
    tls,
    ratePerSecond: options.apiRate,
    allowOrigins: options.apiAllowOrigin ?? [],
    bodies: BODY_LIMITS,
  };
  checkApiExposure(served);
  return {
    served,
    deadlineMs: (options.apiDeadline ?? DEADLINE_SECONDS) * 1000,
    pendingMax: options.apiPending ?? PENDING,
  };
}

/** Throws ConfigError for flags of an API that a run does not have. */
export function refuseApiFlags(options: ApiOptions): void {
  refuseGiven(
    API_FLAGS,
    options,
    "the API",
    "add --api-port, or api to --role,",
  );
}

/** Origins between commas, as browsers write them. */
function readOrigins(text: string, flag: string): readonly string[] {
  return text.split(",").map((written) => {
    const origin = written.trim();
    const url = URL.parse(origin);
    if (url !== null && url.origin === origin) return origin;
    throw new ConfigError(
      `${flag} must be origins such as https://till.example between commas, ` +
        `without a path, not ${JSON.stringify(written)}`,
    );
  });
}

/** Throws ConfigError for a definition by which no payment can be asked about. */
export function requireApiDefinition(
  definition: StreamDefinition,
  options: FlagValues<typeof HMAC_KEY_FLAG>,
): void {
  if (isRowNumber(definition.payment.transactionId)) {
    throw new ConfigError(
      "the definition numbers rows (TRANSACTION_ID: { from: row }), which " +
        "requests do not have; name a field that is unique",
    );
  }
  if (definition.payment.fraud !== null) {
    throw new ConfigError(
      "the definition reads TX_FRAUD from the payments, and nobody knows it " +
        "while the customer waits: leave TX_FRAUD out, say " +
        "labels: { from: stream }, and send labels to /v1/labels",
    );
  }
  requireHmacKey(definition, options);
}
