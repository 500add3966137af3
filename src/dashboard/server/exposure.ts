/**
 * Where the page may be served: on this machine to anybody on it, on any
 * other address only to who has the token.
 */
import { ConfigError } from "../../base/error.ts";

/** Where the page is served, and to whom. */
export interface PageSettings {
  /** Address to listen at. */
  readonly host: string;
  /** Port; undefined for the default one or, if that is taken, one of the next. */
  readonly port: number | undefined;
  /** The token that visitors must know; undefined for none. */
  readonly token: string | undefined;
  /** Whether it is reached through a proxy only, which speaks TLS and adds X-Forwarded headers. */
  readonly behindProxy: boolean;
}

/** The address that is listened at by default: nobody else reaches it. */
export const DEFAULT_HOST = "127.0.0.1";
/** The port that is tried first. */
export const DEFAULT_PORT = 8080;
/** How many ports from the default on are tried. */
export const PORTS_TRIED = 20;

const TOKEN_LENGTH_MIN = 16;

/** Throws ConfigError for an address that others reach without a token, or a token that can be guessed. */
export function checkExposure(
  { host, token, behindProxy }: PageSettings,
): void {
  if (behindProxy && token === undefined) {
    throw new ConfigError(
      "--behind-proxy opens the page to all who reach the proxy; put a token " +
        `of at least ${TOKEN_LENGTH_MIN} characters in a file and name it by ` +
        "--token-file (or set FRAUDSTREAM_TOKEN)",
    );
  }
  if (token !== undefined && token.length < TOKEN_LENGTH_MIN) {
    throw new ConfigError(
      `the page's token has ${token.length} characters, fewer than ` +
        `${TOKEN_LENGTH_MIN}; make a longer one, for example by ` +
        "'openssl rand -hex 32'",
    );
  }
  if (token !== undefined || isLoopback(host)) return;
  throw new ConfigError(
    `the page would be open to everybody who reaches ${host}; put a token of ` +
      `at least ${TOKEN_LENGTH_MIN} characters in a file and name it by ` +
      "--token-file (or set FRAUDSTREAM_TOKEN), or leave --host out",
  );
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** The address of the page, for people and browsers. */
export function addressOf(host: string, port: number): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}

/** The ports to try, in this order. */
export function portsToTry(port: number | undefined): number[] {
  if (port !== undefined) return [port];
  return Array.from({ length: PORTS_TRIED }, (_, i) => DEFAULT_PORT + i);
}
