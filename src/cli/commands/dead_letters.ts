/**
 * `fraudstream dead-letters`: the records that could not be taken, and why;
 * and a second chance for an edited copy of one.
 */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { checkNeeds, type FlagGroup, type FlagValues } from "../flags/flag.ts";
import { Buffer } from "node:buffer";
import { ConfigError, DataError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import type { Requeued } from "../../stream/control.ts";
import {
  type DeadLetter,
  letterId,
  letterValue,
  readDeadLetters,
} from "../../stream/dead_letters.ts";
import { requeue, whyNotEditable } from "../../stream/requeue.ts";
import { LABEL_TOPIC } from "../../stream/topics.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import { wholeNumber } from "../flags/flag_value.ts";
import {
  openStoredStream,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import { warnings } from "../output/warnings.ts";
import { visible, writeError, writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

const EXAMPLES = `
Examples:
  ./fraudstream dead-letters
  ./fraudstream dead-letters --json | jq .reason | sort | uniq -c
  ./fraudstream dead-letters --id=transaction_topic/2/17 --edit > row.json
  ./fraudstream dead-letters --id=transaction_topic/2/17 --requeue=row.json
      after row.json has been edited: the pipeline gets that row
`;

const LIMIT_MAX = 1_000_000_000;

/** Raw bytes shown of a record. */
const SHOWN_BYTES = 120;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    json: { help: "one JSON object per line, raw bytes as base64" },
    limit: {
      value: "<n>",
      help: "print at most this many",
      read: wholeNumber(1, LIMIT_MAX),
      default: `${LIMIT_MAX}`,
      fallback: LIMIT_MAX,
    },
    id: {
      value: "<source>",
      help: "only this dead letter, as topic/partition/offset",
    },
    edit: { help: "print the row of --id, to be edited" },
    requeue: {
      value: "<file>",
      help: "append the edited row instead of --id",
    },
    force: {
      help: "requeue even if it was requeued before",
      needs: "--requeue",
    },
  },
} as const satisfies FlagGroup;

type DeadLettersOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

/** The command. */
export const DEAD_LETTERS_COMMAND: CommandDeclaration = defineCommand({
  name: "dead-letters",
  summary: "list rejected records, edit and requeue them",
  description:
    "Lists rejected records, oldest first, with where each came from, why " +
    "it was rejected, and its raw bytes. An edited copy can be requeued " +
    "once.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: deadLetters,
});

async function deadLetters(options: DeadLettersOptions): Promise<void> {
  checkTogether(options);
  const connection = readConnection(options);
  await using stream = await openStoredStream(
    connection,
    warnings("dead-letters"),
  );
  const { id } = options;
  if (id === undefined) return await list(stream, options);
  const letter = await find(stream, id);
  if (options.edit) writeResult(editable(letter));
  else if (options.requeue !== undefined) {
    await requeueRow(stream, letter, options.requeue, options);
  } else show(letter, stream, options);
}

function checkTogether(options: DeadLettersOptions): void {
  const { id, edit, requeue } = options;
  checkNeeds(FLAGS, options);
  const [first, second] = [edit && "--edit", requeue && "--requeue"];
  if (first && second) {
    throw new ConfigError("give either --edit or --requeue, not both");
  }
  const needy = first || second;
  if (needy && id === undefined) {
    throw new ConfigError(
      `${needy} needs --id, the id of the dead letter; for ` +
        "example: --id=transaction_topic/2/17",
    );
  }
}

async function list(
  stream: StoredStream,
  options: DeadLettersOptions,
): Promise<void> {
  let listed = 0;
  for await (const letter of readDeadLetters(stream.log)) {
    if (listed++ === options.limit) break;
    show(letter, stream, options);
  }
  if (!options.json) {
    const count = Math.min(listed, options.limit);
    writeError(`${counted(count, "dead letter")}\n`);
  }
}

async function find(stream: StoredStream, id: string): Promise<DeadLetter> {
  for await (const letter of readDeadLetters(stream.log)) {
    if (letterId(letter) === id) return letter;
  }
  throw new DataError(
    `there is no dead letter ${
      id.slice(0, 300)
    }; './fraudstream dead-letters' ` +
      "lists them by topic/partition/offset",
  );
}

/** The row as it was read, with the line end that editors expect. */
function editable(letter: DeadLetter): string {
  const reason = whyNotEditable(letter);
  if (reason) {
    throw new DataError(`${letterId(letter)} cannot be edited: ${reason}`);
  }
  const whole = letter.truncated?.value;
  if (whole) {
    throw new DataError(
      `${letterId(letter)} cannot be edited: the letter has only the ` +
        `beginning of its ${thousands(whole.bytes)} bytes; write the whole ` +
        "row to a file, and give that file to --requeue",
    );
  }
  const text = letterValue(letter);
  if (text !== undefined) return lineBreaksOf(text) + "\n";
  throw new DataError(
    `${letterId(letter)} is not text and cannot be edited; write the correct ` +
      "row to a file, and give that file to --requeue",
  );
}

/**
 * The text with line breaks in place of carriage returns, by which a terminal
 * overwrites lines. JSON has them only between its parts; other text keeps them
 * as escapes.
 */
function lineBreaksOf(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  return text.replaceAll(/\r\n?/g, "\n");
}

async function requeueRow(
  { log, control, parameters }: StoredStream,
  letter: DeadLetter,
  file: string,
  { force }: DeadLettersOptions,
): Promise<void> {
  let json: string;
  try {
    json = Deno.readTextFileSync(file);
  } catch (cause) {
    throw fileError(cause, "read", file);
  }
  // A letter was written by a role, which has agreed on parameters first.
  if (!control || !parameters) {
    throw new DataError("the stream has no parameters; start a role first");
  }
  const again = force ? "append" : "refuse";
  const options = { log, control, parameters, letter, json, again } as const;
  const place = await requeue(options);
  const role = place.topic === LABEL_TOPIC ? "role labels" : "processor";
  writeError(
    `${requeuedText(place)}; a running ${role} takes it, or the next run\n`,
  );
}

function show(
  letter: DeadLetter,
  { control }: StoredStream,
  { json }: DeadLettersOptions,
): void {
  const requeued = control?.requeued(letterId(letter));
  writeResult(
    json
      ? JSON.stringify({ ...letter, requeued }) + "\n"
      : letterText(letter, requeued),
  );
}

function letterText(
  letter: DeadLetter,
  requeued: Requeued | undefined,
): string {
  const { reason, message, value, truncated } = letter;
  const bytes = Buffer.from(value, "base64");
  return `${visible(letterId(letter))}\n` +
    `  ${visible(reason)}: ${visible(message)}\n` +
    `  ${printable(bytes, truncated?.value?.bytes ?? bytes.length)}\n` +
    (requeued ? `  ${requeuedText(requeued)}\n` : "");
}

function requeuedText({ topic, partition, fromOffset }: Requeued): string {
  return `requeued to ${visible(topic)} partition ${partition}, at offset ` +
    `${fromOffset} or soon after`;
}

/** The first of `length` raw bytes as text that is safe for a terminal. */
function printable(bytes: Uint8Array, length: number): string {
  let text = "";
  for (const byte of bytes.subarray(0, SHOWN_BYTES)) {
    text += byte >= 32 && byte < 127 && byte !== 92
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  const more = length - SHOWN_BYTES;
  return more > 0 ? `${text}… (${more} bytes more)` : text;
}
