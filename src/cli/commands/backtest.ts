/** `fraudstream backtest`: what other rules would have decided about recorded payments. */
import { ConfigError, DataError } from "../../base/error.ts";
import {
  parseDate,
  parseDatetime,
  parseIsoDatetime,
} from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  backtestStore,
  type ChosenRules,
  recordedRules,
} from "../../scoring/backtest_store.ts";
import {
  DecisionRules,
  type RuleRows,
  ruleRows,
} from "../../scoring/decision_rules.ts";
import { modelInUse, openModel } from "../../scoring/open_model.ts";
import { openLists, openRules } from "../../scoring/rule_file.ts";
import { labelDays } from "../../stream/control.ts";
import { readStatus } from "../../stream/status.ts";
import {
  openStoredStream,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import type { FlagGroup, FlagReader, FlagValues } from "../flags/flag.ts";
import { ALERT_FLAGS } from "../flags/scoring_flags.ts";
import { BAD_ROWS_FLAGS, BadRows } from "../output/bad_rows.ts";
import { backtestObject, backtestText } from "../output/backtest_report.ts";
import { openProgress } from "../output/progress.ts";
import { elapsed, writeError, writeResult } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { warnings } from "../output/warnings.ts";
import { listenForStop } from "../signals.ts";
import { requireStoredRows } from "./stored_rows.ts";

/** Seconds since 1970 of a time, or of a day's midnight; `plus` is added to a day. */
function moment(plus: number): FlagReader<number> {
  return (text, flag) => {
    const day = parseDate(text);
    if (day !== undefined) return day + plus;
    const seconds = parseDatetime(text) ?? parseIsoDatetime(text);
    if (seconds !== undefined) return seconds;
    throw new ConfigError(
      `${flag} must be a day or a time, like 2018-08-01 or ` +
        `'2018-08-01 12:00:00', not '${text.slice(0, 60)}'`,
    );
  };
}

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    rules: {
      value: "<file>",
      help: "the rules to try",
      default: "those that decided then, which must change nothing",
    },
    model: {
      value: "<file>",
      help: "score the payments again with this model",
      default: "the recorded scores",
    },
    alertThreshold: {
      value: "<x>",
      help: "alert payments with this score or more",
      read: ALERT_FLAGS.flags.alertThreshold.read,
      default: "as recorded; with --model the recorded one, else 0.5",
    },
    from: {
      value: "<time>",
      help: "the first day, or time, of the payments",
      read: moment(0),
      default: "all payments",
    },
    to: {
      value: "<time>",
      help: "the last day of the payments, or the time before which they lie",
      read: moment(DAY_SECONDS),
      default: "all payments",
    },
    json: { help: "print one JSON object" },
  },
} as const satisfies FlagGroup;

type OwnOptions = FlagValues<typeof FLAGS>;
type BacktestFlags =
  & OwnOptions
  & FlagValues<typeof BAD_ROWS_FLAGS>
  & ConnectionOptions;

const EXAMPLES = `
Examples:
  ./fraudstream backtest --rules=new.yaml
  ./fraudstream backtest --rules=new.yaml --from=2018-07-01 --to=2018-07-31
  ./fraudstream backtest --rules=new.yaml --model=model.json --json
  ./fraudstream backtest
      evaluates the rules that decided then, and must find no difference
`;

/** The command. */
export const BACKTEST_COMMAND: CommandDeclaration = defineCommand({
  name: "backtest",
  summary: "show what other rules would have decided about past payments",
  description:
    "Evaluates rules on the payments that are stored, with the features and " +
    "the scores that they had, and compares the decisions with those that " +
    "were made: alerts and declines gained and lost, precision, recall and " +
    "money, by day, rule and fraud scenario, with examples. Points out rules " +
    "that never fire, always fire, or overlap another one. Changes nothing. " +
    "An alert is a payment that is not approved.",
  flags: [FLAGS, BAD_ROWS_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: backtest,
});

async function backtest(options: BacktestFlags): Promise<void> {
  const startMs = performance.now();
  const connection = readConnection(options);
  const report = warnings("backtest");
  await using stream = await openStoredStream(connection, report);
  const { store, features, shape } = await requireStoredRows(
    connection,
    stream,
    report,
  );
  await using _closed = store;
  const rows = ruleRows(features, shape);
  const { rulesFor, shown } = await chosenRules(options, stream, rows);
  const model = options.model === undefined
    ? undefined
    : await modelInUse(openModel(options.model), features);
  using stop = listenForStop();
  using progress = openProgress("backtest", 0);
  const badRows = new BadRows(options.skipBadRows ?? false);
  const result = await backtestStore({
    store,
    shape,
    rows,
    rulesFor,
    model,
    threshold: options.alertThreshold,
    fromSeconds: options.from ?? -Infinity,
    untilSeconds: options.to ?? Infinity,
    matureSeconds: await maturity(stream),
    onBadRow: badRows.handle,
    signal: stop.signal,
    read: (payments) => progress.update(0, counted(payments, "payment")),
  });
  if (result.total.payments === 0) {
    throw new DataError(
      "no payment is stored of that time; give other days with --from and --to",
    );
  }
  const context = { decimals: shape.decimals, currency: shape.currency };
  const rules = shown?.rules ?? [];
  writeResult(
    options.json
      ? JSON.stringify(backtestObject(result, rules, context), null, 2) + "\n"
      : backtestText(result, rules, context),
  );
  writeError(
    `${counted(result.total.payments, "payment")}, ${elapsed(startMs)}\n`,
  );
  badRows.tell();
}

/** Seconds since 1970 before which a payment without a label is genuine; undefined where labels do not arrive later, or none could have. */
export async function maturity(
  { log, control, parameters }: StoredStream,
): Promise<number | undefined> {
  if (!control || parameters?.features.graceSeconds === undefined) {
    return undefined;
  }
  const { stages: [customers], startSeconds } = await readStatus(log, control);
  const reached = (startSeconds ?? control.begun ?? 0) + customers.progress;
  return reached - labelDays(parameters) * DAY_SECONDS;
}

/** The rules of the flag, or those that decided then. */
async function chosenRules(
  { rules: path }: OwnOptions,
  { control }: StoredStream,
  rows: RuleRows,
): Promise<ChosenRules> {
  if (path !== undefined) {
    const rules = openRules(path);
    const lists = openLists(rules);
    const chosen = new DecisionRules({ rules, lists, threshold: null }, rows);
    return { rulesFor: () => chosen, shown: chosen };
  }
  if (!control?.hasRules) {
    throw new ConfigError(
      "this stream has had no rules, so there are none to evaluate again; " +
        "give the ones to try, like --rules=rules.yaml",
    );
  }
  return await recordedRules(control, rows);
}
