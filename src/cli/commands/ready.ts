/** `ready`: asks an API on this machine whether it can decide, for health checks of containers. */
import { DataError } from "../../base/error.ts";
import { API_HOST, API_PORT } from "../../roles/api_settings.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { wholeNumber } from "../flags/flag_value.ts";
import { asTyped } from "../../base/terminal_text.ts";
import { writeResult } from "../output/terminal.ts";

/** How long an answer is waited for, milliseconds. */
const PATIENCE_MS = 3000;
/** How much of an answer is shown. */
const SHOWN = 300;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    apiPort: {
      value: "<n>",
      help: "port of the API, which speaks plain HTTP",
      read: wholeNumber(1, 65_535),
      default: String(API_PORT),
    },
  },
} as const satisfies FlagGroup;

const EXAMPLES = `
Examples:
  ./fraudstream ready
  ./fraudstream ready --api-port=9090

Exit code 0 says that GET /readyz answers 200, and 1 that it does not.
`;

/** The command. */
export const READY_COMMAND: CommandDeclaration = defineCommand({
  name: "ready",
  summary: "ask an API on this machine whether it can decide",
  description:
    "Asks /readyz of an API on this machine. A container without a " +
    "shell uses it as its health check.",
  flags: [FLAGS],
  examples: EXAMPLES,
  run: ready,
});

async function ready(
  { apiPort = API_PORT }: FlagValues<typeof FLAGS>,
): Promise<void> {
  const url = `http://${API_HOST}:${apiPort}/readyz`;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { signal });
    ({ status } = response);
    text = await response.text();
  } catch (cause) {
    throw new DataError(
      `nothing answers at ${url} (${(cause as Error).message}); start ` +
        "'./fraudstream run --api-port', or give its --api-port",
      { cause },
    );
  }
  if (status === 200) return writeResult("ready\n");
  throw new DataError(
    `${url} answers ${status}: ${asTyped(text.trim().slice(0, SHOWN))}`,
  );
}
