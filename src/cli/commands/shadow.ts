/** `fraudstream shadow`: what the shadow models of a stream would have done, beside the live one. */
import { DataError } from "../../base/error.ts";
import { decimals, textTable } from "../../base/text_table.ts";
import { featureRowCells } from "../../features/feature_row.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  compareShadows,
  type ShadowComparison,
  type ShadowSums,
} from "../../scoring/shadow_comparison.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ALERT_FLAGS } from "../flags/scoring_flags.ts";
import { BAD_ROWS_FLAGS, BadRows } from "../output/bad_rows.ts";
import { openProgress } from "../output/progress.ts";
import { writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";
import { warnings } from "../output/warnings.ts";
import { listenForStop } from "../signals.ts";
import { maturity } from "./backtest.ts";
import { requireStoredRows } from "./stored_rows.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    threshold: {
      value: "<x>",
      help: "score from which on a payment is an alert of a shadow model",
      read: ALERT_FLAGS.flags.alertThreshold.read,
      fallback: 0.5,
      default: "0.5",
    },
    json: { help: "print one JSON object, with all days" },
  },
} as const satisfies FlagGroup;

type ShadowOptions =
  & FlagValues<typeof FLAGS>
  & FlagValues<typeof BAD_ROWS_FLAGS>
  & ConnectionOptions;

const EXAMPLES = `
Examples:
  ./fraudstream run --shadow-model=new.json
  ./fraudstream shadow
  ./fraudstream shadow --threshold=0.4 --json
`;

/** Most days that the text shows. */
const DAYS_SHOWN = 31;

/** The command. */
export const SHADOW_COMMAND: CommandDeclaration = defineCommand({
  name: "shadow",
  summary: "compare the shadow models of a stream with the live one",
  description:
    "Reads the scores that shadow models gave (run --shadow-model), and shows " +
    "which alerts they would add and lose, how many frauds are among them, " +
    "and the area under the ROC curve of both models, by day, as far as " +
    "labels are known. It reads what the store holds, and changes nothing.",
  flags: [FLAGS, BAD_ROWS_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: shadow,
});

async function shadow(options: ShadowOptions): Promise<void> {
  const connection = readConnection(options);
  const report = warnings("shadow");
  await using stream = await openStoredStream(connection, report);
  const { store, features, shape } = await requireStoredRows(
    connection,
    stream,
    report,
  );
  await using _closed = store;
  using stop = listenForStop();
  using progress = openProgress("shadow", 0);
  const badRows = new BadRows(options.skipBadRows ?? false);
  const found = await compareShadows({
    payments: store.rows(stop.signal, badRows.handle),
    predictions: store.predictions().rows(stop.signal, badRows.handle),
    shape,
    width: featureRowCells(features, shape),
    threshold: options.threshold,
    matureSeconds: await maturity(stream),
    read: (payments) => progress.update(0, counted(payments, "payment")),
  });
  if (found.length === 0) {
    throw new DataError(
      "no shadow model has scored a payment of this stream; start one with " +
        "'./fraudstream run --shadow-model=FILE'",
    );
  }
  writeResult(
    options.json
      ? JSON.stringify(found.map(objectOf), null, 2) + "\n"
      : found.map(textOf).join("\n"),
  );
  badRows.tell();
}

function textOf({ version, total, days }: ShadowComparison): string {
  const sides = [total.live, total.shadow];
  const rows = [
    ["alerts", ...sides.map(({ alerts }) => thousands(alerts))],
    ["frauds caught", ...sides.map(({ caught }) => thousands(caught))],
    [
      "precision",
      ...sides.map(({ alerts, caught }) => decimals(caught / alerts)),
    ],
    ["recall", ...sides.map(({ caught }) => decimals(caught / total.frauds))],
    ["AUC ROC", ...sides.map(({ auc }) => decimals(auc))],
  ];
  const sorted = [...days];
  const shown = sorted.slice(-DAYS_SHOWN);
  const left = sorted.length - shown.length;
  return `model ${version}: ${counted(total.payments, "payment")}, ` +
    `${counted(total.frauds, "fraud")} among ${thousands(total.labelled)} ` +
    "with a label\n" +
    textTable(["", "live", "shadow"], rows, [1, 2]) +
    `alerts gained ${thousands(total.gained)}, ` +
    `${thousands(total.gainedFrauds)} of them frauds; lost ` +
    `${thousands(total.lost)}, ${
      thousands(total.lostFrauds)
    } of them frauds\n` +
    "\nBy day\n" +
    textTable(DAY_HEADING, shown.map(([day, sums]) => dayCells(day, sums))) +
    (left > 0 ? `and ${counted(left, "day")} before; --json has all\n` : "");
}

const DAY_HEADING = [
  "day",
  "payments",
  "frauds",
  "alerts live",
  "shadow",
  "gained",
  "lost",
  "caught live",
  "shadow",
  "AUC live",
  "shadow",
];

function dayCells(day: number, sums: ShadowSums): string[] {
  const { payments, frauds, live, shadow, gained, lost } = sums;
  return [
    formatDate(day * DAY_SECONDS),
    ...[payments, frauds, live.alerts, shadow.alerts, gained, lost]
      .map(thousands),
    ...[live.caught, shadow.caught].map(thousands),
    ...[live.auc, shadow.auc].map((auc) => decimals(auc)),
  ];
}

function objectOf({ version, total, days }: ShadowComparison): unknown {
  const sums = (one: ShadowSums) => ({
    ...one,
    live: { ...one.live, auc: numberOrNull(one.live.auc) },
    shadow: { ...one.shadow, auc: numberOrNull(one.shadow.auc) },
  });
  return {
    version,
    total: sums(total),
    days: [...days].map(([day, one]) => ({
      day: formatDate(day * DAY_SECONDS),
      ...sums(one),
    })),
  };
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
