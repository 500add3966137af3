/**
 * The flags of the page, and whether a run has one: by default it has, as long
 * as Deno lets it listen and a port is free. A run's work is the stream, so it
 * fails without a page only if the page was asked for by name.
 */
import {
  checkExposure,
  DEFAULT_HOST,
  type PageSettings,
  parseTokens,
} from "../../dashboard/server/exposure.ts";
import { mayListen } from "../../dashboard/dashboard.ts";
import { ConfigError } from "../../base/error.ts";
import { type Environment, processEnvironment } from "./environment.ts";
import {
  type FlagGroup,
  flagName,
  type FlagValues,
  refuseGiven,
} from "./flag.ts";
import { wholeNumber } from "./flag_value.ts";
import { readPassword } from "./secret.ts";

const PORT_MAX = 65_535;

/** The flags of the page. */
export const PAGE_FLAGS = {
  title: "The live page",
  needs: "the page",
  flags: {
    port: {
      value: "<n>",
      help: "port of the page; 0 for any free one",
      read: wholeNumber(0, PORT_MAX),
      default: "8080 or the next free one",
    },
    host: {
      value: "<address>",
      help:
        "address of the page; any other than 127.0.0.1 or localhost needs a " +
        "token",
      default: DEFAULT_HOST,
    },
    tokenFile: {
      value: "<file>",
      help: "file with the token that visitors must enter, or with one line " +
        "name:token per person",
      instead: "FRAUDSTREAM_TOKEN",
    },
    behindProxy: {
      help: "the page is behind a proxy with TLS; trust its X-Forwarded-For, " +
        "X-Forwarded-Proto and X-Forwarded-Prefix",
    },
    requireApproval: {
      help:
        "from now on a change of rules, lists, the threshold or the model " +
        "counts only when a second person approves it, on every page and API " +
        "of the stream; needs two names in --token-file",
    },
    stay: { help: "keep the page until Ctrl-C after everything is stored" },
  },
} as const satisfies FlagGroup;

/** The values of the page's flags. */
export type PageOptions = FlagValues<typeof PAGE_FLAGS>;

/** The page that a run is to have. */
export interface WantedPage extends PageSettings {
  /** Whether the run fails if the page cannot be served. */
  readonly required: boolean;
}

/**
 * The page that the flags ask for; `named` is whether --role names it. Throws
 * ConfigError for an address that is open to others without a token, and where
 * a page that was asked for may not listen.
 */
export function readPageFlags(
  options: PageOptions,
  named: boolean,
  environment: Environment = processEnvironment,
): WantedPage {
  const { port, host = DEFAULT_HOST, tokenFile, stay } = options;
  const { behindProxy = false, requireApproval = false } = options;
  const text = readPassword({
    variable: PAGE_FLAGS.flags.tokenFile.instead,
    flag: flagName("tokenFile"),
    file: tokenFile,
  }, environment);
  const required = named || port !== undefined || stay === true ||
    options.host !== undefined || tokenFile !== undefined || behindProxy ||
    requireApproval;
  const tokens = parseTokens(text ?? "");
  const page = {
    ...{ host, port, tokens, behindProxy, requireApproval, required },
  };
  checkExposure(page);
  if (required && !mayListen(page)) {
    throw new ConfigError(`the page may not be served: ${LISTEN_ADVICE}`);
  }
  return page;
}

/** What to do where Deno does not let the page listen. */
export const LISTEN_ADVICE: string =
  `add --allow-net=${DEFAULT_HOST} (and the address of --host) before main.ts, ` +
  "or leave the page out with --role=producer,processor,writer";

/** Throws ConfigError for flags of a page that a run does not have. */
export function refusePageFlags(options: PageOptions): void {
  refuseGiven(PAGE_FLAGS, options, PAGE_FLAGS.needs, "add dashboard to --role");
}
