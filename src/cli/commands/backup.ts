/**
 * `fraudstream backup`: a consistent copy of a data folder whose stream may be
 * running, and a check of such a copy.
 */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError } from "../../base/error.ts";
import {
  type BackupSummary,
  checkBackup,
  makeBackup,
} from "../../stream/backup.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { warnings } from "../output/warnings.ts";
import { writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

const EXAMPLES = `
Examples:
  ./fraudstream backup --data=./shop --to=./shop-monday
  ./fraudstream backup --check=./shop-monday
  ./fraudstream run --data=./shop-monday
      goes on from the copy; to keep it as it is, copy it first (cp -r)
`;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    to: { value: "<dir>", help: "a new folder for the copy" },
    check: {
      value: "<dir>",
      help: "instead of --to: check every byte and record of a copy",
    },
  },
} as const satisfies FlagGroup;

type BackupOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

/** The command. */
export const BACKUP_COMMAND: CommandDeclaration = defineCommand({
  name: "backup",
  summary: "copy a stream, even while it runs, or check a copy",
  description:
    "Copies the log, the store and the models of a data folder to a new " +
    "folder. The copy shows one moment, even if the stream is running. " +
    "Other ways of copying a running stream (cp, rsync) are not safe, " +
    "because the files then show different moments.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: backup,
});

async function backup(options: BackupOptions): Promise<void> {
  const { to, check } = options;
  const report = warnings("backup");
  if ((to === undefined) === (check === undefined)) {
    throw new ConfigError(
      "give either --to=DIR, to make a copy, or --check=DIR, to check one",
    );
  }
  if (check !== undefined) {
    writeResult(
      `${check} is right: ${summaryOf(await checkBackup(check, report))}`,
    );
    return;
  }
  if (to === undefined) return;
  const connection = readConnection(options);
  const { log, store, folder } = connection;
  if (log.kind !== "embedded" || folder === undefined) {
    throw new ConfigError(
      "backup copies an embedded log; for a log on Kafka use replicas and " +
        "Kafka's own tools",
    );
  }
  {
    await using _ = await openStoredStream(connection, report); // it is there
  }
  const withStore = store.kind === "embedded";
  const plan = { from: folder, to, withStore };
  const summary = await makeBackup(plan, report);
  writeResult(`${folder} was copied to ${to}: ${summaryOf(summary)}`);
  if (store.kind === "cassandra") {
    writeResult(
      "the store in Cassandra is not part of the copy: './fraudstream rebuild' " +
        "fills one from the log\n",
    );
  }
}

function summaryOf(summary: BackupSummary): string {
  const { taken, files, bytes, records, payments } = summary;
  const stored = payments === undefined
    ? "no store"
    : `${thousands(payments)} payments in the store`;
  return `${thousands(records)} records in the log, ${stored}, ` +
    `${counted(files, "file")} of ${thousands(bytes)} bytes, taken ${taken}\n`;
}
