/**
 * The tokens of the API: a file with a line `name scopes sha256` for each. Only
 * digests are stored, so the file does not let anybody in. It is read again when
 * it changes, so a token can be added or revoked while the program runs.
 */
import type { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { ConfigError } from "../../base/error.ts";
import { FileWatch } from "../../base/file_watch.ts";
import type { Logger } from "../../base/logger.ts";
import { readWholeFile } from "../../base/whole_file.ts";

/** What a token may be used for. */
export const SCOPES = [
  "score",
  "payments",
  "labels",
  "read",
  "rules",
  "metrics",
] as const;

/** A use of the API. */
export type Scope = typeof SCOPES[number];

/** The word for all scopes. */
const ALL = "all";

/** A token as its line says. */
export interface ApiToken {
  /** Whose it is; several tokens may have one name. */
  readonly name: string;
  /** What it may be used for. */
  readonly scopes: ReadonlySet<Scope>;
  /** The SHA-256 of its text. */
  readonly digest: Uint8Array;
}

/** Most bytes of a file of tokens. */
const FILE_BYTES_MAX = 2 ** 20;
/** All of them are compared with each request's. */
const TOKENS_MAX = 1000;
/** Longest token that is looked at. */
const TOKEN_LENGTH_MAX = 512;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const NAME_RULE = "a letter or digit, then up to 63 letters, digits, ., _, @ " +
  "and -";

/** Checks the name of a token. Throws ConfigError. */
export function checkTokenName(name: string): string {
  if (NAME.test(name)) return name;
  throw new ConfigError(
    `the name of a token must be ${NAME_RULE}, not ` +
      JSON.stringify(name.slice(0, 80)),
  );
}

/** Reads scopes: some of them between commas, or "all". Throws ConfigError. */
export function readScopes(text: string): Set<Scope> {
  const scopes = new Set<Scope>();
  for (const word of text.split(",")) {
    const scope = SCOPES.find((known) => known === word);
    if (word === ALL) SCOPES.forEach((scope) => scopes.add(scope));
    else if (scope !== undefined) scopes.add(scope);
    else {
      throw new ConfigError(
        `the scopes must be some of ${SCOPES.join()} between commas, or ` +
          `${ALL}, not ${JSON.stringify(text.slice(0, 80))}`,
      );
    }
  }
  return scopes;
}

/** A new token, and the line for the file. */
export function makeToken(
  name: string,
  scopes: ReadonlySet<Scope>,
): { readonly token: string; readonly line: string } {
  const token = `fst_${randomBytes(32).toString("base64url")}`;
  const names = scopes.size === SCOPES.length ? ALL : [...scopes].join();
  const digest = digestOf(token).toString("hex");
  return { token, line: `${checkTokenName(name)} ${names} ${digest}` };
}

/**
 * The tokens in the text of a file; empty lines and lines that begin with # say
 * nothing. Throws ConfigError with the line; no message quotes a digest.
 */
export function parseApiTokens(text: string, file: string): ApiToken[] {
  const tokens: ApiToken[] = [];
  const seen = new Map<string, number>();
  const refuse = (line: number, reason: string) =>
    new ConfigError(`${file}:${line}: ${reason}`);
  text.split("\n").forEach((written, at) => {
    const content = written.trim();
    if (content === "" || content.startsWith("#")) return;
    const [name, scopes, hex = "", ...more] = content.split(/\s+/);
    const line = at + 1;
    if (!/^[0-9a-f]{64}$/i.test(hex) || more.length > 0) {
      throw refuse(
        line,
        "a line must be a name, its scopes and the SHA-256 of the token as 64 " +
          "hexadecimal digits; './fraudstream token NAME' prints one",
      );
    }
    const digest = hex.toLowerCase();
    const before = seen.get(digest);
    if (before !== undefined) {
      throw refuse(line, `line ${before} has the same token; remove one`);
    }
    seen.set(digest, line);
    try {
      tokens.push({
        name: checkTokenName(name),
        scopes: readScopes(scopes),
        digest: bytesOf(digest),
      });
    } catch (error) {
      throw error instanceof ConfigError ? refuse(line, error.message) : error;
    }
  });
  if (tokens.length === 0) {
    throw new ConfigError(
      `${file} has no token; './fraudstream token NAME --append=FILE' makes one`,
    );
  }
  if (tokens.length > TOKENS_MAX) {
    throw new ConfigError(
      `${file} has ${tokens.length} tokens and may have ${TOKENS_MAX}; remove ` +
        "those that nobody uses",
    );
  }
  return tokens;
}

/** The tokens of a file, as they stand there now. */
export class ApiTokens {
  readonly #watch: FileWatch;
  readonly #logger: Logger;
  #tokens: readonly ApiToken[];
  #isGone = false;

  /** Reads the file. Throws ConfigError for a file that has no tokens, DataError where it cannot be read. */
  constructor(path: string, logger: Logger) {
    this.#watch = new FileWatch(path);
    this.#logger = logger;
    this.#tokens = readApiTokens(path);
  }

  /**
   * Reads the file again if it has changed. Tokens of a file that cannot be
   * read any more stay as they were, and a warning says so.
   */
  async refresh(): Promise<void> {
    const hasChanged = await this.#watch.hasChanged();
    const wasGone = this.#isGone;
    this.#isGone = this.#watch.isMissing;
    if (!hasChanged && this.#isGone === wasGone) return;
    try {
      this.#tokens = readApiTokens(this.#watch.path);
    } catch (error) {
      this.#logger.warn(
        "the file of tokens cannot be read; the tokens of before still count",
        { error: error instanceof Error ? error.message : String(error) },
      );
    }
  }

  /** The token of a header Authorization. All of them are compared, so that the time says nothing. */
  find(authorization: string | null): ApiToken | undefined {
    const shown = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (shown === undefined || shown.length > TOKEN_LENGTH_MAX) {
      return undefined;
    }
    const digest = digestOf(shown);
    let found: ApiToken | undefined;
    for (const token of this.#tokens) {
      if (timingSafeEqual(digest, token.digest)) found = token;
    }
    return found;
  }
}

/** The tokens of a file. Throws ConfigError for a file that has none, DataError where it cannot be read. */
export function readApiTokens(path: string): ApiToken[] {
  const bytes = readWholeFile(path, FILE_BYTES_MAX);
  return parseApiTokens(new TextDecoder().decode(bytes), path);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
