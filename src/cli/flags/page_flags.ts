/**
 * The flags of the page, and whether a run has one: by default it has, as long
 * as Deno lets it listen and a port is free. A run's work is the stream; who
 * has not asked for the page by name does not fail for it.
 */
import type { Command } from "commander";
import {
  checkExposure,
  DEFAULT_HOST,
  type PageSettings,
} from "../../dashboard/server/exposure.ts";
import { mayListen } from "../../dashboard/dashboard.ts";
import { ConfigError } from "../../base/error.ts";
import { type Environment, processEnvironment } from "./environment.ts";
import { wholeNumber } from "./flag_value.ts";
import { readPassword } from "./secret.ts";

const PORT_MAX = 65_535;

/** The page's flags as commander hands them over; absent if not given. */
export interface PageOptions {
  /** --port */
  readonly port?: number;
  /** --host */
  readonly host?: string;
  /** --token-file */
  readonly tokenFile?: string;
  /** --behind-proxy */
  readonly behindProxy?: boolean;
  /** --stay */
  readonly stay?: boolean;
}

/** The page that a run is to have. */
export interface WantedPage extends PageSettings {
  /** Whether the run fails if the page cannot be served. */
  readonly required: boolean;
}

/**
 * Adds the flags of the page to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addPageFlags(command: Command): void {
  command.optionsGroup("The live page:")
    .option(
      "--port <n>",
      "port of the page, 0 for any (default: 8080 or the next free one)",
      wholeNumber("--port", 0, PORT_MAX),
    )
    .option(
      "--host <address>",
      `address of the page; all but this machine's own need a token (default: ${DEFAULT_HOST})`,
    )
    .option(
      "--token-file <file>",
      "who looks has to know what is in it (or in FRAUDSTREAM_TOKEN)",
    )
    .option(
      "--behind-proxy",
      "a proxy with TLS is before the page; believe its X-Forwarded-For and " +
        "X-Forwarded-Proto",
    )
    .option("--stay", "keep the page when all is stored, until Ctrl-C");
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
  const { behindProxy = false } = options;
  const token = readPassword({
    variable: "FRAUDSTREAM_TOKEN",
    flag: "--token-file",
    file: tokenFile,
  }, environment);
  const required = named || port !== undefined || stay === true ||
    options.host !== undefined || tokenFile !== undefined || behindProxy;
  const page = { host, port, token, behindProxy, required };
  checkExposure(page);
  if (required && !mayListen(page)) {
    throw new ConfigError(`the page may not be served: ${LISTEN_ADVICE}`);
  }
  return page;
}

/** What to do where Deno does not let the page listen. */
export const LISTEN_ADVICE: string =
  `add --allow-net=${DEFAULT_HOST} (and the address of --host) before main.ts, ` +
  "or leave the page out by --role=producer,processor,writer";

/** Refuses flags of a page that a run does not have. */
export function refusePageFlags(options: PageOptions): void {
  const flags = {
    "--port": options.port,
    "--host": options.host,
    "--token-file": options.tokenFile,
    "--behind-proxy": options.behindProxy,
    "--stay": options.stay,
  };
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    throw new ConfigError(
      `${flag} has no effect without the page: add dashboard to --role, or ` +
        `leave ${flag} out`,
    );
  }
}
