/** `token`: makes a token for the HTTP API, of which only the digest is stored. */
import {
  checkTokenName,
  makeToken,
  parseApiTokens,
  readScopes,
  SCOPES,
} from "../../api/http/api_tokens.ts";
import { ConfigError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { writeError, writeResult } from "../output/terminal.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    scopes: {
      value: "<scopes>",
      help:
        `what it may be used for: some of ${SCOPES.join()} between commas, ` +
        "or all",
      read: (text: string) => readScopes(text),
      default: "score",
    },
    append: {
      value: "<file>",
      help: "file of --api-tokens that gets the line, made if it is missing",
    },
  },
} as const satisfies FlagGroup;

type TokenOptions = FlagValues<typeof FLAGS> & { readonly name?: string };

const EXAMPLES = `
Examples:
  ./fraudstream token till --append=tokens
  ./fraudstream token analyst --scopes=read,labels

The token is shown once and stored nowhere: the line for the file has its name,
its scopes and its SHA-256. A client sends it as 'Authorization: Bearer TOKEN'.
Delete the line to revoke the token; a running API sees the change.
With --append the token alone goes to stdout.
`;

/** The command. */
export const TOKEN_COMMAND: CommandDeclaration = defineCommand({
  name: "token",
  summary: "make a token for the HTTP API",
  description:
    "Makes a random token for the HTTP API and prints it, with the line for " +
    "the file of --api-tokens.",
  operands: [{ key: "name", help: "whose token it is" }],
  flags: [FLAGS],
  examples: EXAMPLES,
  run: token,
});

function token(
  { name, scopes = readScopes("score"), append }: TokenOptions,
): void {
  if (name === undefined) {
    throw new ConfigError("name the token: token till --append=tokens");
  }
  const made = makeToken(checkTokenName(name), scopes);
  if (append === undefined) {
    writeResult(`token: ${made.token}\nline:  ${made.line}\n`);
    return;
  }
  appendLine(append, made.line);
  writeError(`fraudstream: added ${name} to ${append}\n`);
  writeResult(`${made.token}\n`);
}

/** Adds a line to a file of tokens. Throws ConfigError for a file that holds something else, DataError where it cannot be written. */
function appendLine(path: string, line: string): void {
  try {
    const before = textOf(path);
    const text = before === "" || before.endsWith("\n")
      ? before
      : `${before}\n`;
    parseApiTokens(`${text}${line}\n`, path);
    const missing = text.slice(before.length);
    Deno.writeTextFileSync(path, `${missing}${line}\n`, {
      append: true,
      mode: 0o600,
    });
  } catch (error) {
    throw error instanceof ConfigError
      ? error
      : fileError(error, "write", path);
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
