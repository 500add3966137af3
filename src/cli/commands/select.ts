/** `select`: prequential validation of many settings, and the best of them. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError } from "../../base/error.ts";
import { writeOutput } from "../../base/output_file.ts";
import { type Metric, METRICS } from "../../learning/judge/judgement.ts";
import { KIND_NAMES, kindOf } from "../../learning/kinds/kinds.ts";
import {
  bestBy,
  HANDBOOK_FOLDS,
  selectionResults,
  selectionTasks,
  type Spreads,
} from "../../learning/judge/selection.ts";
import { prequentialPeriods } from "../../learning/data/split.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import { fitAll, specsFor, THREADS_FLAGS, threadsOf } from "./fitting.ts";
import { DATA_FLAGS } from "../flags/data_flags.ts";
import { oneOf, wholeNumber } from "../flags/flag_value.ts";
import { PAYMENT_FLAGS, type PaymentOptions } from "../flags/payment_flags.ts";
import {
  collectModels,
  type NamedSpec,
  readModels,
  withSetting,
} from "../flags/model_flags.ts";
import { PERIOD_FLAGS, type PeriodOptions } from "../flags/period_flags.ts";
import { dateRange } from "../output/evaluation_table.ts";
import {
  loadPeriod,
  type PeriodPayments,
  readPaymentInput,
} from "./labelled_payments.ts";
import {
  METRIC_TITLES,
  type NamedResult,
  selectionChart,
  selectionSvg,
} from "../output/selection_plot.ts";
import { writeError, writeResult } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { decimals, textTable } from "../../base/text_table.ts";

const FOLDS_MAX = 100;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    model: {
      value: "<kind>",
      help: "kinds of model with settings, as for evaluate",
      read: collectModels,
      default: "all",
    },
    grid: {
      value: "<name=values>",
      help:
        "values of a setting to try, such as depth=3,6; repeat it for other " +
        "settings",
      read: collectGrid,
      default: "the handbook's grid of each kind",
    },
    metric: {
      value: "<metric>",
      help: "sort by it and draw it: auc_roc, average_precision or " +
        "card_precision_100",
      read: oneOf(METRICS),
      default: "average_precision, in the grid's order",
    },
    folds: {
      value: "<n>",
      help: "number of validation folds, and of test folds",
      read: wholeNumber(1, FOLDS_MAX),
      default: `${HANDBOOK_FOLDS}`,
      fallback: HANDBOOK_FOLDS,
    },
    json: { help: "print JSON" },
    out: { value: "<file>", help: "write the results as a picture (.svg)" },
    ...THREADS_FLAGS.flags,
  },
} as const satisfies FlagGroup;

type SelectOptions =
  & FlagValues<typeof FLAGS>
  & FeatureOptions
  & PaymentOptions
  & PeriodOptions;

/** Values to try of each setting. */
type Grid = Readonly<Record<string, readonly string[]>>;

const CANDIDATES_MAX = 10_000;

const EXAMPLES = `
Examples:
  ./fraudstream select --model=decision-tree
      the handbook's grid for it; without --model those of all kinds
  ./fraudstream select --model=gradient-boosting --grid=trees=50,100 \\
    --grid=learning-rate=0.1,0.3 --metric=card_precision_100 --out plot.svg
  ./fraudstream select --in data --model=random-forest:trees=50 \\
    --grid=depth=5,10
`;

/** The command. */
export const SELECT_COMMAND: CommandDeclaration = defineCommand({
  name: "select",
  summary: "choose a model and its settings by prequential validation",
  description:
    "Trains every model and setting of a grid, judges them on validation " +
    "folds that end before the tests begin, and names the best by each " +
    "metric. The test folds are shown but do not influence the choice.",
  flags: [FLAGS, PERIOD_FLAGS, FEATURE_FLAGS, PAYMENT_FLAGS, DATA_FLAGS],
  examples: EXAMPLES,
  run: select,
});

async function select(options: SelectOptions): Promise<void> {
  const { folds } = options;
  const all = candidatesOf(options);
  const input = readPaymentInput(options);
  const candidates = specsFor(
    all,
    input.features,
    options.model ? "chosen" : "default",
  );
  const testDays = options.testDays ?? 7;
  const loaded = await loadPeriod(options, input, {
    before: input.labelDays + folds * testDays,
    after: (folds - 1) * testDays,
  });
  const { payments, period } = loaded;
  const tasks = selectionTasks(candidates, period, folds);
  const outcomes = await fitAll(payments, tasks, threadsOf(options.threads));
  const results = selectionResults(candidates, folds, outcomes)
    .map((result, at): NamedResult => {
      return { ...result, name: candidates[at].name };
    });
  if (options.metric) sortBy(results, options.metric);
  if (options.out !== undefined) {
    await writePicture(options.out, selectionSvg(results));
  }
  writeResult(
    options.json
      ? JSON.stringify(selectionObject(results), null, 2) + "\n"
      : selectionText(results, options, loaded),
  );
}

/** Reads --grid: name=value,value; adds it to those before. Throws ConfigError. */
function collectGrid(text: string, _flag: string, before: Grid = {}): Grid {
  const [name, values = ""] = text.split("=", 2);
  if (name === "" || values === "" || Object.hasOwn(before, name)) {
    throw new ConfigError(
      "--grid must be a setting and its values, like depth=3,6, each setting " +
        `once, not '${text}'`,
    );
  }
  return { ...before, [name]: values.split(",").map((value) => value.trim()) };
}

/** Every model with every combination of its grid. */
function candidatesOf(options: SelectOptions): NamedSpec[] {
  const choices = options.model ?? readModels(KIND_NAMES.join(","));
  const candidates = choices.flatMap((choice) => {
    if ("path" in choice) {
      throw new ConfigError(
        `--model=${choice.path} is a file; name kinds of model to choose among`,
      );
    }
    // Settings given with the model are not varied.
    const grid = options.grid ??
      (choice.name === choice.kind ? gridOf(choice.kind) : {});
    return Object.entries(grid).reduce<NamedSpec[]>(
      (specs, [name, values]) =>
        specs.flatMap((spec) =>
          values.map((value) => withSetting(spec, name, value, "--grid"))
        ),
      [choice],
    );
  });
  if (candidates.length <= CANDIDATES_MAX) return candidates;
  throw new ConfigError(
    `the grid has ${candidates.length} combinations; try at most ` +
      `${CANDIDATES_MAX} at once`,
  );
}

/** The default values of a kind's grid. */
function gridOf(kind: string): Grid {
  const { settings, grid } = kindOf(kind);
  return Object.fromEntries(
    Object.entries<readonly number[] | undefined>(grid).map(
      ([name, values = []]) => {
        return [settings[name].flag, values.map(String)];
      },
    ),
  );
}

/** Puts the best first; candidates without a mean come last. */
function sortBy(results: NamedResult[], metric: Metric): void {
  const key = ({ validation }: NamedResult) => {
    const { mean } = validation[metric];
    return Number.isFinite(mean) ? mean : -Infinity;
  };
  results.sort((left, right) => {
    return key(left) === key(right) ? 0 : key(right) - key(left);
  });
}

function selectionText(
  results: readonly NamedResult[],
  { folds, metric = "average_precision" }: SelectOptions,
  { payments, period }: PeriodPayments,
): string {
  const { validation, test } = prequentialPeriods(period, folds);
  const dates = ([latest, ...others]: typeof test) => {
    const from = others.at(-1) ?? latest;
    const offset = latest.trainDays + latest.delayDays;
    return dateRange(
      payments,
      from.startDay + offset,
      latest.startDay + offset + latest.testDays,
    );
  };
  const table = textTable(
    [
      "model",
      ...["validation", "test"].flatMap((kind) => [
        `${kind} AUC`,
        "AP",
        "CP@100",
      ]),
      "fit",
    ],
    results.map((result) => [
      result.name,
      ...spreadCells(result.validation),
      ...spreadCells(result.test),
      `${result.fitSeconds.toFixed(1)} s`,
    ]),
  );
  const best = METRICS.map((by) => {
    const found = bestBy(results, by);
    if (found === undefined) return [METRIC_TITLES[by], "none"];
    const { name, validation, test } = found;
    return [
      METRIC_TITLES[by],
      name,
      spreadText(validation[by]),
      spreadText(test[by]),
    ];
  });
  return `${counted(folds, "validation fold")}, tests ${dates(validation)}; ` +
    `${counted(folds, "test fold")}, tests ${dates(test)}\n` +
    "mean ± standard deviation over the folds\n\n" +
    `${table}\n${selectionChart(results, metric)}\n` +
    textTable(["best by", "model", "validation", "test"], best);
}

function spreadCells(spreads: Spreads): string[] {
  return METRICS.map((metric) => spreadText(spreads[metric]));
}

function spreadText({ mean, deviation }: Spreads[Metric]): string {
  return Number.isFinite(mean)
    ? `${decimals(mean)} ± ${decimals(deviation)}`
    : decimals(mean);
}

function selectionObject(
  results: readonly NamedResult[],
): Record<string, unknown> {
  const best = METRICS.map((metric) => {
    const found = bestBy(results, metric);
    return [metric, found ? found.name : null];
  });
  return {
    best: Object.fromEntries(best),
    candidates: results.map((result) => ({
      model: result.name,
      validation: result.validation,
      test: result.test,
      "validation_folds": result.validationFolds,
      "test_folds": result.testFolds,
      "fit_seconds": result.fitSeconds,
    })),
  };
}

async function writePicture(path: string, svg: string): Promise<void> {
  await writeOutput(path, new TextEncoder().encode(svg));
  writeError(`picture in ${path}\n`);
}
