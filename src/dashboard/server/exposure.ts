/**
 * Where the page may be served: on this machine to anybody on it, on any
 * other address only to who has the token.
 */
import { WHO_MAX } from "../../payment/case_json.ts";
import { isLoopback } from "../../base/address.ts";
import { ConfigError } from "../../base/error.ts";

/** A token that lets a visitor in. */
export interface PageToken {
  /** Whose it is; undefined for one that anyone may have. */
  readonly name: string | undefined;
  /** The token. */
  readonly token: string;
}

/** Where the page is served, and to whom. */
export interface PageSettings {
  /** Address to listen at. */
  readonly host: string;
  /** Port; undefined for the default one or, if that is taken, one of the next. */
  readonly port: number | undefined;
  /** The tokens, one of which a visitor must know; none for a page that needs none. */
  readonly tokens: readonly PageToken[];
  /** Whether it is reached through a proxy only, which speaks TLS and adds X-Forwarded headers. */
  readonly behindProxy: boolean;
  /** Whether the stream is to require a second person for a change of what decides. */
  readonly requireApproval?: boolean;
}

/** The address that is listened at by default: nobody else reaches it. */
export const DEFAULT_HOST = "127.0.0.1";
/** The port that is tried first. */
export const DEFAULT_PORT = 8080;
/** How many ports from the default on are tried. */
export const PORTS_TRIED = 20;

const TOKEN_LENGTH_MIN = 16;

/**
 * The tokens in a text: one per line, with the name of the person before it
 * and a colon, or alone. Throws ConfigError for names and tokens that are
 * empty or come twice; no message quotes a token.
 */
export function parseTokens(text: string): PageToken[] {
  const lines = text.split("\n").map((line) => line.trim());
  const tokens = lines.flatMap((line, at): PageToken[] => {
    if (line === "") return [];
    const colon = line.indexOf(":");
    if (colon < 0) return [{ name: undefined, token: line }];
    const name = line.slice(0, colon).trim();
    if (name === "" || name.length > WHO_MAX) {
      throw new ConfigError(
        `line ${at + 1} of the page's tokens has no name of 1 to ${WHO_MAX} ` +
          "characters before its colon; write name:token, or the token alone",
      );
    }
    return [{ name, token: line.slice(colon + 1).trim() }];
  });
  const repeated = (values: readonly (string | undefined)[]) =>
    values.find((value, at) =>
      value !== undefined && values.indexOf(value) < at
    );
  const name = repeated(tokens.map(({ name }) => name));
  if (name !== undefined) {
    throw new ConfigError(
      `the page's tokens have the name ${name} twice; give each person one line`,
    );
  }
  if (repeated(tokens.map(({ token }) => token)) !== undefined) {
    throw new ConfigError(
      "two lines of the page's tokens have the same token; give each person " +
        "a different one",
    );
  }
  return tokens;
}

/** Throws ConfigError for an address that others reach without a token, or a token that can be guessed. */
export function checkExposure(
  { host, tokens, behindProxy, requireApproval = false }: PageSettings,
): void {
  const named = tokens.filter(({ name }) => name !== undefined);
  if (requireApproval && named.length < 2) {
    throw new ConfigError(
      "--require-approval needs two people with a name each; write a " +
        "line name:token for each of them in the file of --token-file",
    );
  }
  if (requireApproval && named.length < tokens.length) {
    throw new ConfigError(
      "--require-approval needs a name for every token, or one person could " +
        "approve their own changes; write name:token in each line of the " +
        "file of --token-file",
    );
  }
  if (behindProxy && tokens.length === 0) {
    throw new ConfigError(
      "--behind-proxy opens the page to all who reach the proxy; put a token " +
        `of at least ${TOKEN_LENGTH_MIN} characters in a file and name it by ` +
        "--token-file (or set FRAUDSTREAM_TOKEN)",
    );
  }
  const short = tokens.find(({ token }) => token.length < TOKEN_LENGTH_MIN);
  if (short) {
    const whose = short.name === undefined ? "" : ` of ${short.name}`;
    throw new ConfigError(
      `the page's token${whose} has ${short.token.length} characters, fewer than ` +
        `${TOKEN_LENGTH_MIN}; make a longer one, for example by ` +
        "'openssl rand -hex 32'",
    );
  }
  if (tokens.length > 0 || isLoopback(host)) return;
  throw new ConfigError(
    `the page would be open to everybody who reaches ${host}; put a token of ` +
      `at least ${TOKEN_LENGTH_MIN} characters in a file and name it by ` +
      "--token-file (or set FRAUDSTREAM_TOKEN), or leave --host out",
  );
}

/** The ports to try, in this order. */
export function portsToTry(port: number | undefined): number[] {
  if (port !== undefined) return [port];
  return Array.from({ length: PORTS_TRIED }, (_, i) => DEFAULT_PORT + i);
}
