/** `fraudstream backtest`: what other rules would have decided about recorded payments. */
import { ConfigError, DataError } from "../../base/error.ts";
import { writeOutput } from "../../base/output_file.ts";
import {
  parseDate,
  parseDatetime,
  parseIsoDatetime,
} from "../../payment/calendar.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import {
  backtestSections,
  type RulesTried,
} from "../../report/backtest_sections.ts";
import { htmlPage } from "../../report/html_page.ts";
import { amountForm } from "../../report/numbers.ts";
import { ASSUMED_THRESHOLD } from "../../scoring/backtest.ts";
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
import type { Store } from "../../store/store.ts";
import type { BadRowHandler } from "../../store/stored_row.ts";
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
import { checkOutput } from "../output/table_output.ts";
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
    out: {
      value: "<path>",
      help: "write a page for a browser instead, or - for stdout",
    },
    force: { help: "overwrite an existing file" },
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
  ./fraudstream backtest --rules=new.yaml --out=rules.html
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
    "An alert is a payment that is not approved. 'report --rules' has the " +
    "same as a section.",
  flags: [FLAGS, BAD_ROWS_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: backtest,
});

async function backtest(options: BacktestFlags): Promise<void> {
  const startMs = performance.now();
  await checkOut(options);
  const connection = readConnection(options);
  const report = warnings("backtest");
  await using stream = await openStoredStream(connection, report);
  const stored = await requireStoredRows(connection, stream, report);
  await using _closed = stored.store;
  using stop = listenForStop();
  const badRows = new BadRows(options.skipBadRows ?? false);
  const tried = await tryRules(options, {
    ...stored,
    stream,
    onBadRow: badRows.handle,
    signal: stop.signal,
  });
  const { result, rules } = tried;
  if (result.total.payments === 0) {
    throw new DataError(
      "no payment is stored of that time; give other days with --from and --to",
    );
  }
  const { shape } = stored;
  if (options.out !== undefined) {
    const sections = backtestSections(tried, amountForm(shape));
    const page = htmlPage("Rules on past payments", sections);
    await writeOutput(options.out, new TextEncoder().encode(page));
  } else {
    const context = { decimals: shape.decimals, currency: shape.currency };
    writeResult(
      options.json
        ? JSON.stringify(backtestObject(result, rules, context), null, 2) + "\n"
        : backtestText(result, rules, context),
    );
  }
  if (result.assumed > 0) {
    writeError(
      `no threshold is recorded for ${counted(result.assumed, "payment")}, ` +
        "since alerts had a quota or no rules decided; scores of " +
        `${ASSUMED_THRESHOLD} or more by --model are alerts; choose another ` +
        "score with --alert-threshold\n",
    );
  }
  writeError(
    `${counted(result.total.payments, "payment")}, ${elapsed(startMs)}\n`,
  );
  badRows.tell();
}

/** Throws ConfigError if the page may not be written where --out says. */
async function checkOut({ out, force, json }: OwnOptions): Promise<void> {
  if (out === undefined) {
    if (force) throw new ConfigError("--force has no effect without --out");
    return;
  }
  if (json) {
    throw new ConfigError(
      "--json and --out each say what becomes of the result; leave one out",
    );
  }
  await checkOutput({ out, force: force ?? false, format: "html" });
}

/** What is stored of a stream, and how it is read. */
export interface StoredToTry {
  /** The stream. */
  readonly stream: StoredStream;
  /** Its store. */
  readonly store: Store;
  /** The features of its payments. */
  readonly features: FeatureParameters;
  /** The form of its payments. */
  readonly shape: PaymentShape;
  /** See Store.rows. */
  readonly onBadRow: BadRowHandler;
  /** Ends the reading by throwing its reason. */
  readonly signal: AbortSignal;
}

/** Which rules are tried, with which scores, on which payments; see FLAGS. */
export interface RulesToTry {
  /** The file of the rules; undefined for those that decided then. */
  readonly rules?: string | undefined;
  /** The file of a model that scores again. */
  readonly model?: string | undefined;
  /** The least score of an alert. */
  readonly alertThreshold?: number | undefined;
  /** From when on, in seconds since 1970. */
  readonly from?: number | undefined;
  /** The second before which they lie. */
  readonly to?: number | undefined;
}

/** Evaluates the rules of the flags on stored payments. Throws ConfigError, or DataError for a file that cannot be read. */
export async function tryRules(
  options: RulesToTry,
  { stream, store, features, shape, onBadRow, signal }: StoredToTry,
): Promise<RulesTried> {
  const rows = ruleRows(features, shape);
  const { rulesFor, shown } = await chosenRules(options, stream, rows);
  const model = options.model === undefined
    ? undefined
    : await modelInUse(openModel(options.model), features);
  using progress = openProgress("backtest", 0);
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
    onBadRow,
    signal,
    read: (payments) => progress.update(0, counted(payments, "payment")),
  });
  return { result, rules: shown?.rules ?? [] };
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
  { rules: path }: RulesToTry,
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
