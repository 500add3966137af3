/**
 * The flags of run that say how payments are scored: where the model comes
 * from, which payments are alerts, whether models are trained anew meanwhile.
 */
import { join } from "node:path";
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import {
  type AlertPolicy,
  DEFAULT_POLICY,
} from "../../scoring/alert_policy.ts";
import type { ModelSpec } from "../../learning/fit/fit_task.ts";
import { KIND_NAMES, RETRAINED_KIND } from "../../learning/kinds/kinds.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { ONNX_ENDING } from "../../learning/onnx/onnx_file.ts";
import { modelInUse, openModel } from "../../scoring/open_model.ts";
import type { Pace, Role, RunSettings } from "../../roles/role.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  duration,
  type FlagReader,
  oneOf,
  positiveNumber,
  wholeNumber,
} from "./flag_value.ts";
import { readModels } from "./model_flags.ts";

/** The scoring flags as commander hands them over; absent if not given. */
export interface ScoringOptions {
  /** --model */
  readonly model?: string;
  /** --models */
  readonly models?: string;
  /** --explain */
  readonly explain?: "alerts" | "all";
  /** --alert-threshold */
  readonly alertThreshold?: number;
  /** --alert-cards */
  readonly alertCards?: number;
  /** --alert-budget */
  readonly alertBudget?: number;
  /** --retrain, seconds of event time. */
  readonly retrain?: number;
  /** --retrain-kind */
  readonly retrainKind?: ModelSpec;
  /** --train-days */
  readonly trainDays?: number;
}

/** What the flags make of a run. */
export interface ScoringFlags {
  /** How payments are scored, where they are. */
  readonly scoring: RunSettings["scoring"];
  /** How models are trained meanwhile, where they are. */
  readonly training: RunSettings["training"];
}

const QUOTA_MAX = 100_000_000;
const DAYS_MAX = 3650;

/**
 * Adds the scoring flags to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addScoringFlags(command: Command): void {
  command.optionsGroup("Scoring flags:")
    .option(
      "--model <file>",
      "score every payment with this model; a new file in its place is used " +
        "from the next batch on",
    )
    .option(
      "--models <dir>",
      "registry of models (default with --retrain: models in the data folder)",
    )
    .option(
      "--explain <which>",
      "predictions that say what pushed them: alerts or all (default: alerts)",
      oneOf<"alerts" | "all">("--explain", ["alerts", "all"]),
    )
    .option(
      "--alert-threshold <x>",
      "alert from this score on (default: 0.5)",
      readThreshold,
    )
    .option(
      "--alert-cards <k>",
      "instead: alert the k most suspect cards a day",
      wholeNumber("--alert-cards", 1, QUOTA_MAX),
    )
    .option(
      "--alert-budget <n>",
      "instead: n alerts a day",
      wholeNumber("--alert-budget", 1, QUOTA_MAX),
    )
    .option(
      "--retrain <time>",
      "train a challenger after each such time of event time, whole days " +
        "like 7d; the better model scores on",
      readRetrain,
    )
    .option(
      "--retrain-kind <kind>",
      `${KIND_NAMES.join(", ")}, with settings as in ` +
        `random-forest:trees=50 (default: ${RETRAINED_KIND})`,
      readKind,
    )
    .option(
      "--train-days <n>",
      "newest labelled days that a challenger learns from (default: 28)",
      wholeNumber("--train-days", 1, DAYS_MAX),
    );
}

const readThreshold: FlagReader<number> = (text) => {
  if (/^[+-]?0+(\.0*)?$/.test(text)) return 0;
  return positiveNumber("--alert-threshold", 1)(text);
};

const readKind: FlagReader<ModelSpec> = (text) => {
  const [choice, ...more] = readModels(text);
  if ("kind" in choice && more.length === 0) return choice;
  throw new ConfigError(
    `--retrain-kind must be one kind of model to train, not '${text}'`,
  );
};

const readRetrain: FlagReader<number> = (text) => {
  const seconds = duration("--retrain", DAY_SECONDS)(text);
  if (seconds % DAY_SECONDS === 0) return seconds;
  throw new ConfigError(
    `--retrain must be whole days of event time, like 7d, not '${text}'`,
  );
};

/** What the flags ask for, whatever the stream is. */
export interface ScoringPlan {
  /** Whether payments are scored. */
  readonly scores: boolean;
  /** Whether models are trained meanwhile. */
  readonly trains: boolean;
  /** The folder of the registry, where there is one. */
  readonly models: string | undefined;
}

/** Where the flags are read. */
export interface ScoringPlace {
  /** Roles that are asked for by name; undefined for all. */
  readonly roles: readonly Role[] | undefined;
  /** The data folder, where log or store are in one. */
  readonly folder: string | undefined;
}

/** What the flags ask for. Throws ConfigError where they contradict each other or the roles. */
export function planScoring(
  options: ScoringOptions,
  { roles, folder }: ScoringPlace,
): ScoringPlan {
  const { model, retrain } = options;
  const trains = retrain !== undefined &&
    (roles === undefined || roles.includes("trainer"));
  if (roles?.includes("trainer") && retrain === undefined) {
    throw new ConfigError("--role=trainer needs --retrain, like --retrain=7d");
  }
  const models = options.models ??
    (retrain !== undefined && folder !== undefined
      ? join(folder, "models")
      : undefined);
  if (retrain !== undefined && models === undefined) {
    throw new ConfigError(
      "--retrain needs --models=DIR where neither log nor store has a data " +
        "folder",
    );
  }
  const scores = roles === undefined
    ? model !== undefined || models !== undefined
    : roles.includes("scorer");
  if (scores && model === undefined && models === undefined) {
    throw new ConfigError(
      "--role=scorer needs --model=FILE (or --models=DIR, a registry)",
    );
  }
  if (!scores && !trains) {
    refuseWithoutScorer(options, roles);
    return { scores, trains, models };
  }
  if (retrain === undefined && model !== undefined && models !== undefined) {
    throw new ConfigError(
      "give either --model or --models, not both: one file, or the champion " +
        "of a registry",
    );
  }
  if (trains && model?.endsWith(ONNX_ENDING)) {
    throw new ConfigError(
      `--retrain keeps models that were trained here, and ${model} was not; ` +
        "give a file of 'fraudstream train', or leave --model out",
    );
  }
  return { scores, trains, models };
}

/**
 * How the flags want payments of a stream scored. Throws ConfigError as
 * planScoring() does, and for a model of other features; DataError or
 * ModelError if the model cannot be read.
 */
export async function readScoringFlags(
  options: ScoringOptions,
  { parameters, pace, ...place }: ScoringPlace & {
    readonly parameters: StreamParameters;
    readonly pace: Pace;
  },
): Promise<ScoringFlags> {
  const { model, retrain } = options;
  const policy = readPolicy(options, parameters.partitions);
  const { scores, trains, models } = planScoring(options, place);
  if (!scores && !trains) return { scoring: undefined, training: undefined };
  if (model !== undefined) {
    await modelInUse(openModel(model), parameters.features);
  }
  const registry = models === undefined ? undefined : {
    kind: "registry" as const,
    folder: models,
    // Where event time outruns the clock, only waiting makes a run repeatable.
    waits: trains && pace.kind !== "rate",
  };
  return {
    scoring: !scores ? undefined : {
      model: registry ?? { kind: "file", path: model ?? "" },
      policy,
      explain: options.explain ?? "alerts",
    },
    training: !trains || models === undefined ? undefined : {
      folder: models,
      first: model,
      everyDays: (retrain ?? 0) / DAY_SECONDS,
      trainDays: options.trainDays ?? 28,
      model: options.retrainKind ?? { kind: RETRAINED_KIND, settings: {} },
    },
  };
}

function readPolicy(
  { alertThreshold, alertCards, alertBudget }: ScoringOptions,
  partitions: number,
): AlertPolicy {
  const given = [alertThreshold, alertCards, alertBudget]
    .filter((value) => value !== undefined);
  if (given.length > 1) {
    throw new ConfigError(
      "give one of --alert-threshold, --alert-cards and --alert-budget",
    );
  }
  const quota = alertCards ?? alertBudget;
  if (quota !== undefined && quota < partitions) {
    const flag = alertCards === undefined ? "--alert-budget" : "--alert-cards";
    throw new ConfigError(
      `${flag}=${quota} cannot be shared by ${partitions} partitions, each of ` +
        `which has its part; give at least ${partitions}`,
    );
  }
  if (alertCards !== undefined) return { kind: "cards", perDay: alertCards };
  if (alertBudget !== undefined) {
    return { kind: "payments", perDay: alertBudget };
  }
  if (alertThreshold === undefined) return DEFAULT_POLICY;
  return { kind: "threshold", threshold: alertThreshold };
}

/** Refuses flags that have no effect without a scorer. */
function refuseWithoutScorer(
  options: ScoringOptions,
  roles: readonly Role[] | undefined,
): void {
  const flags = {
    model: "--model",
    models: "--models",
    explain: "--explain",
    alertThreshold: "--alert-threshold",
    alertCards: "--alert-cards",
    alertBudget: "--alert-budget",
    retrain: "--retrain",
    retrainKind: "--retrain-kind",
    trainDays: "--train-days",
  } as const;
  for (const [option, flag] of Object.entries(flags)) {
    if (options[option as keyof typeof flags] === undefined) continue;
    const needed = roles === undefined
      ? "--model or --retrain"
      : "the roles scorer or trainer";
    throw new ConfigError(
      `${flag} has no effect without ${needed}; add that or leave it out`,
    );
  }
}
