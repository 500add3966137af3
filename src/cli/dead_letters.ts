/** `fraudstream dead-letters`: the records that could not be taken, and why. */
import type { Command } from "commander";
import { Buffer } from "node:buffer";
import { type DeadLetter, readDeadLetters } from "../roles/dead_letters.ts";
import {
  addConnectionFlags,
  type ConnectionOptions,
  ENVIRONMENT_HELP,
  readConnection,
} from "./connection_flags.ts";
import { wholeNumber } from "./flag_value.ts";
import { openStoredStream, warnings } from "./stored_stream.ts";
import { thousands, writeError, writeResult } from "./terminal.ts";

const EXAMPLES = `
Examples:
  fraudstream dead-letters
  fraudstream dead-letters --json | jq .reason | sort | uniq -c
`;

/** Raw bytes shown of a record. */
const SHOWN_BYTES = 120;

interface DeadLettersOptions extends ConnectionOptions {
  readonly json?: boolean;
  readonly limit: number;
}

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addDeadLettersCommand(program: Command): void {
  const command = program.command("dead-letters")
    .summary("list the records that could not be taken")
    .description(
      "Lists the records that could not be taken, oldest first: where each " +
        "came from, why it was refused, and its raw bytes.",
    );
  command
    .option("--json", "one JSON object a line, raw bytes as base64")
    .option(
      "--limit <n>",
      "at most so many",
      wholeNumber("--limit", 1, 1_000_000_000),
      1_000_000_000,
    );
  addConnectionFlags(command);
  command.addHelpText("after", ENVIRONMENT_HELP + EXAMPLES)
    .action((options: DeadLettersOptions) => deadLetters(options));
}

async function deadLetters(options: DeadLettersOptions): Promise<void> {
  const connection = readConnection(options, false);
  const report = warnings("dead-letters");
  await using stream = await openStoredStream(connection, report);
  const { log } = stream;
  let listed = 0;
  for await (const letter of readDeadLetters(log)) {
    if (listed++ === options.limit) break;
    writeResult(
      options.json ? JSON.stringify(letter) + "\n" : letterText(letter),
    );
  }
  if (!options.json) {
    writeError(`${thousands(Math.min(listed, options.limit))} dead letters\n`);
  }
}

function letterText(letter: DeadLetter): string {
  const { topic, partition, offset, reason, message, value } = letter;
  return `${topic} partition ${partition} offset ${offset}\n` +
    `  ${reason}: ${message}\n` +
    `  ${printable(Buffer.from(value, "base64"))}\n`;
}

/** Raw bytes as text that no terminal can be harmed by. */
function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes.subarray(0, SHOWN_BYTES)) {
    text += byte >= 32 && byte < 127 && byte !== 92
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  const more = bytes.length - SHOWN_BYTES;
  return more > 0 ? `${text}… (${more} bytes more)` : text;
}
