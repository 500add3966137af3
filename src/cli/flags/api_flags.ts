/** The flags of the API: where it is served and to whom, and how long it waits. */
import { addressOf } from "../../base/address.ts";
import { ConfigError } from "../../base/error.ts";
import {
  isRowNumber,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import {
  API_HOST,
  API_PORT,
  checkApiExposure,
} from "../../api/http/api_settings.ts";
import type { ApiSettings } from "../../roles/role.ts";
import { requireHmacKey } from "./definition_flags.ts";
import { type FlagGroup, type FlagValues, refuseGiven } from "./flag.ts";
import { positiveNumber, wholeNumber } from "./flag_value.ts";

const PORT_MAX = 65_535;
const RATE_MAX = 1_000_000;
const PENDING_MAX = 100_000;
const DEADLINE_MAX = 60_000;

/** The flags. */
export const API_FLAGS = {
  title: "The API",
  needs: "--api-port or --role=api",
  flags: {
    apiPort: {
      value: "<n>",
      help: "take payments by HTTP at this port, and answer with the " +
        "decision about each; 0 for any free one",
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
      help: "file of tokens, as './fraudstream token' writes it: who may use " +
        "the API, and for what",
    },
    apiTlsCert: {
      value: "<file>",
      help: "certificate chain for HTTPS, PEM",
      needs: "--api-tls-key",
    },
    apiTlsKey: {
      value: "<file>",
      help: "its private key, PEM",
      needs: "--api-tls-cert",
    },
    apiRate: {
      value: "<n>",
      help: "requests per second that a token may make (without tokens: an " +
        "address)",
      read: positiveNumber(RATE_MAX),
      default: "any number",
    },
    apiAllowOrigin: {
      value: "<origins>",
      help: "pages of these origins may ask, such as https://till.example " +
        "(comma list)",
      default: "none",
    },
    apiDeadline: {
      value: "<ms>",
      help: "how long a request waits for a decision, in milliseconds",
      read: wholeNumber(1, DEADLINE_MAX),
      default: "2000",
      fallback: 2000,
    },
    apiPending: {
      value: "<n>",
      help: "requests that may wait for a decision at the same time; more " +
        "are told to come again",
      read: wholeNumber(1, PENDING_MAX),
      default: "1024",
      fallback: 1024,
    },
  },
} as const satisfies FlagGroup;

/** What these flags give, and the others that the API follows. */
export type ApiOptions = FlagValues<typeof API_FLAGS> & {
  /** --ahead, seconds. */
  readonly ahead: number;
  /** --hmac-key-file. */
  readonly hmacKeyFile?: string;
};

/** How the API is served; undefined where the roles do not name it. Throws ConfigError. */
export function readApiFlags(
  options: ApiOptions,
  isNamed: boolean,
): ApiSettings | undefined {
  if (!isNamed) {
    refuseGiven(API_FLAGS, options, API_FLAGS.needs);
    return undefined;
  }
  for (
    const [given, needed] of [
      ["apiTlsCert", "apiTlsKey"],
      ["apiTlsKey", "apiTlsCert"],
    ] as const
  ) {
    if (options[needed] !== undefined) continue;
    const flag = API_FLAGS.flags[given];
    refuseGiven({ flags: { [given]: flag } }, options, flag.needs);
  }
  const { apiTlsCert: cert, apiTlsKey: key } = options;
  const settings: ApiSettings = {
    host: options.apiHost ?? API_HOST,
    port: options.apiPort ?? API_PORT,
    tokensFile: options.apiTokens,
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    ratePerSecond: options.apiRate,
    allowOrigins: originsOf(options.apiAllowOrigin),
    deadlineMs: options.apiDeadline,
    pendingMax: options.apiPending,
    aheadSeconds: options.ahead,
    hmacKeyFile: options.hmacKeyFile,
  };
  checkApiExposure(settings);
  requireListening(settings);
  return settings;
}

/** Throws ConfigError for a definition by which no payment can be asked about. */
export function requireApiDefinition(
  definition: StreamDefinition,
  options: Pick<ApiOptions, "hmacKeyFile">,
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

function originsOf(text: string | undefined): string[] {
  const origins = text?.split(",").map((origin) => origin.trim()) ?? [];
  for (const origin of origins) {
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
    throw new ConfigError(
      `--api-allow-origin: '${origin.slice(0, 60)}' is not an origin, such ` +
        "as https://till.example",
    );
  }
  return origins;
}

/** Throws ConfigError where Deno does not let the API listen. */
function requireListening({ host, port }: ApiSettings): void {
  const place = addressOf(host, port).replace("http://", "");
  const state = Deno.permissions.querySync({ name: "net", host: place }).state;
  if (state === "granted") return;
  throw new ConfigError(
    `the API may not listen at ${place}: add --allow-net=${host} before ` +
      "main.ts",
  );
}
