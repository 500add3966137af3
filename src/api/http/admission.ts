/**
 * Who may ask for what: names under which an API without tokens answers (DNS
 * rebinding), origins of browser pages, tokens with their scopes, and rates.
 */
import { isLoopback } from "../../base/address.ts";
import type { Logger } from "../../base/logger.ts";
import { Problem } from "../problem.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";
import { ApiTokens, type Scope } from "./api_tokens.ts";
import { RateLimit } from "./rate_limit.ts";

/** Who changes something through an API without tokens. */
const NOBODY = "api";

/** Decides about requests. */
export class Admission {
  readonly #tokens: ApiTokens | undefined;
  readonly #rate: RateLimit | undefined;
  readonly #origins: ReadonlySet<string>;
  readonly #scheme: string;

  /** Reads the tokens; `now` is a clock in milliseconds. Throws ConfigError for a bad file of tokens. */
  constructor(settings: ApiSettings, logger: Logger, now: () => number) {
    const { tokensFile, ratePerSecond, allowOrigins, tls } = settings;
    this.#tokens = tokensFile === undefined
      ? undefined
      : new ApiTokens(tokensFile, logger);
    this.#rate = ratePerSecond === undefined
      ? undefined
      : new RateLimit(ratePerSecond, now);
    this.#origins = new Set(allowOrigins);
    this.#scheme = tls === undefined ? "http" : "https";
  }

  /** Refuses requests under no name or a foreign one, and from browser pages that are not allowed. Throws Problem. */
  checkSource({ headers }: Request): void {
    const host = headers.get("host") ?? "";
    if (host !== "" && !URL.canParse(`http://${host}`)) {
      throw new Problem(
        "bad-request",
        "the header Host must be a name or an address, perhaps with a port",
      );
    }
    const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    if (this.#tokens === undefined && host !== "" && !isLoopback(name)) {
      throw new Problem(
        "forbidden",
        "without tokens the API answers to 127.0.0.1 and localhost only",
      );
    }
    const origin = headers.get("origin");
    if (origin === null || this.#origins.has(origin)) return;
    if (origin === `${this.#scheme}://${host}`) return;
    throw new Problem(
      "forbidden",
      "pages of this origin may not use the API; start it with the origin in " +
        "--api-allow-origin",
    );
  }

  /** Lets a request in that needs a scope; returns who makes it. Throws Problem. */
  async enter(
    { headers }: Request,
    address: string,
    scope: Scope,
  ): Promise<string> {
    const tokens = this.#tokens;
    if (tokens === undefined) {
      this.#count(address);
      return NOBODY;
    }
    await tokens.refresh();
    const token = tokens.find(headers.get("authorization"));
    if (token === undefined) {
      throw new Problem(
        "unauthorized",
        "the request needs a token that is in the file of tokens; send it as " +
          "Authorization: Bearer TOKEN",
      );
    }
    this.#count(token.name);
    if (token.scopes.has(scope)) return token.name;
    throw new Problem(
      "forbidden",
      `the token lacks the scope ${scope}; use another one, or add the scope ` +
        "to its line in the file of tokens",
    );
  }

  #count(client: string): void {
    const seconds = this.#rate?.take(client) ?? 0;
    if (seconds === 0) return;
    throw new Problem(
      "too-many-requests",
      "more requests per second than --api-rate allows; send fewer",
      { retryAfter: seconds },
    );
  }
}
