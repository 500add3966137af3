/** `fraudstream audit`: what changed the decisions of a stream, when and by whom. */
import { DataError } from "../../base/error.ts";
import { asTyped } from "../../base/terminal_text.ts";
import { textTable } from "../../base/text_table.ts";
import type {
  ChangedItem,
  DecisionChange,
} from "../../stream/decision_changes.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  logPlace,
  readConnection,
} from "../flags/connection_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { writeResult } from "../output/terminal.ts";
import { warnings } from "../output/warnings.ts";

const EXAMPLES = `
Examples:
  ./fraudstream audit
  ./fraudstream audit --data=./shop --json
  ./fraudstream audit --show=b6cb65111b08a55e
`;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    json: { help: "print one JSON object" },
    show: {
      value: "<version>",
      help: "print the rules or the list of this version instead",
    },
  },
} as const satisfies FlagGroup;

type AuditOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

/** The command. */
export const AUDIT_COMMAND: CommandDeclaration = defineCommand({
  name: "audit",
  summary: "show who changed rules, lists and thresholds, and when",
  description:
    "Shows every change of the rules, the lists and the threshold of a " +
    "stream, the oldest first: when, by whom, the versions before and after, " +
    "and from which offset of each partition on it decided. What a version " +
    "says is kept in the stream: --show prints it.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: audit,
});

async function audit({ json, show, ...options }: AuditOptions): Promise<void> {
  const connection = readConnection(options);
  await using stream = await openStoredStream(connection, warnings("audit"));
  const { control, parameters } = stream;
  if (show !== undefined) {
    const text = await control?.content(show);
    if (text !== undefined) {
      writeResult(text.endsWith("\n") ? text : `${text}\n`);
      return;
    }
    throw new DataError(
      `no rules and no list of this stream have the version ${show}; ` +
        "'./fraudstream audit' lists the versions",
    );
  }
  const partitions = [...Array(parameters?.partitions ?? 0).keys()];
  const changes = (control?.decisionChanges ?? []).map((change) => ({
    ...change,
    applied: partitions.flatMap((partition) =>
      control?.appliedChanges(partition)
        .filter((applied) => applied.change === change.number)
        .map(({ from }) => ({ partition, from })) ?? []
    ),
  }));
  const { approval } = control ?? {};
  if (json) {
    writeResult(JSON.stringify({ changes, approval }, null, 2) + "\n");
  } else if (changes.length === 0) {
    writeResult(asTyped(
      `nothing has changed yet in ${logPlace(connection)}; rules are given ` +
        "with './fraudstream run --rules=FILE'\n",
    ));
  } else writeResult(auditTable(changes));
  if (json || !approval) return;
  const at = asTyped(approval.at.slice(0, 19).replace("T", " "));
  writeResult(
    approval.required
      ? `changes need a second person since ${at}\n`
      : `changes need no second person any more since ${at}\n`,
  );
}

interface AppliedEverywhere extends DecisionChange {
  readonly applied: readonly {
    readonly partition: number;
    readonly from: number;
  }[];
}

function auditTable(changes: readonly AppliedEverywhere[]): string {
  const rows = changes.flatMap(({ number, at, who, items, applied }) => {
    const from = applied.length === 0
      ? "not yet"
      : applied.map(({ partition, from }) => `${partition}:${from}`).join(" ");
    return items.map((item, i) => [
      i === 0 ? String(number) : "",
      i === 0 ? at.slice(0, 19).replace("T", " ") : "",
      i === 0 ? who || "unknown" : "",
      nameOf(item),
      String(item.before ?? "none"),
      String(item.after ?? "none"),
      i === 0 ? from : "",
    ]);
  });
  return textTable(
    ["change", "when (UTC)", "who", "what", "before", "after", "decides from"],
    rows,
    [],
  ) + "\n'decides from' is partition:offset of the scorer's input\n";
}

function nameOf(item: ChangedItem): string {
  return item.what === "list" ? `list ${item.name}` : item.what;
}
