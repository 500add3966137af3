/**
 * The flags of run that say how payments are scored: where the model comes
 * from, which payments are alerts, whether models are trained meanwhile.
 */
import { join, resolve } from "node:path";
import { ConfigError } from "../../base/error.ts";
import {
  type AlertPolicy,
  DEFAULT_POLICY,
} from "../../scoring/alert_policy.ts";
import {
  checkNullable,
  KIND_NAMES,
  RETRAINED_KIND,
} from "../../learning/kinds/kinds.ts";
import { DecisionRules, ruleRows } from "../../scoring/decision_rules.ts";
import { openLists, openRules } from "../../scoring/rule_file.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { ONNX_ENDING } from "../../learning/onnx/onnx_file.ts";
import {
  BUILT_IN_MODEL,
  modelInUse,
  openModel,
  suitsBuiltIn,
} from "../../scoring/open_model.ts";
import type { Pace, Role, RunSettings } from "../../roles/role.ts";
import {
  type FeatureParameters,
  hasFeatures,
  nullableNames,
} from "../../features/parameters.ts";
import { formatDuration } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  type Flag,
  type FlagGroup,
  flagName,
  type FlagReader,
  type FlagValues,
  refuseGiven,
} from "./flag.ts";
import { duration, oneOf, positiveNumber, wholeNumber } from "./flag_value.ts";
import { type NamedSpec, readModels } from "./model_flags.ts";

/** The scoring part of a run's settings. */
export interface ScoringFlags {
  /** How payments are scored, where they are. */
  readonly scoring: RunSettings["scoring"];
  /** How models are trained meanwhile, where they are. */
  readonly training: RunSettings["training"];
}

const QUOTA_MAX = 100_000_000;
const DAYS_MAX = 3650;

const readThreshold: FlagReader<number> = (text, flag) => {
  if (/^[+-]?0+(\.0*)?$/.test(text)) return 0;
  return positiveNumber(1)(text, flag);
};

const readKind: FlagReader<NamedSpec> = (text) => {
  const [choice, ...more] = readModels(text);
  if ("kind" in choice && more.length === 0) return choice;
  throw new ConfigError(
    `--retrain-kind must be one kind of model to train, not '${text}'`,
  );
};

const readName: FlagReader<string> = (text, flag) => {
  if (/^[^\p{Cc}]{1,100}$/u.test(text)) return text;
  throw new ConfigError(
    `${flag} must be a name of up to 100 characters, like anna`,
  );
};

/** Ends the shadow models of the stream's last run. */
const NO_SHADOWS = "none";
const SHADOWS_MAX = 4;

/** Reads a repeated --shadow-model; the flags of an earlier run stand in lines. */
const readShadows: FlagReader<readonly string[]> = (
  text,
  flag,
  before: readonly string[] = [],
) => {
  const paths = [...before, ...text.split("\n")];
  if (paths.length > SHADOWS_MAX || paths.includes("")) {
    throw new ConfigError(
      `${flag} must name 1 to ${SHADOWS_MAX} model files; give it once for each`,
    );
  }
  if (paths.includes(NO_SHADOWS) && paths.length > 1) {
    throw new ConfigError(
      `${flag}=${NO_SHADOWS} cannot stand beside another; give one of them`,
    );
  }
  return paths;
};

const readRetrain: FlagReader<number> = (text, flag) => {
  const seconds = duration(DAY_SECONDS)(text, flag);
  if (seconds % DAY_SECONDS === 0) return seconds;
  throw new ConfigError(
    `--retrain must be whole days of event time, like 7d, not '${text}'`,
  );
};

/** The flags that say what a prediction holds, in a stream or for files. */
export const ALERT_FLAGS = {
  flags: {
    explain: {
      value: "<which>",
      help: "predictions with an explanation: alerts or all",
      read: oneOf(["alerts", "all"]),
      default: "alerts",
    },
    alertThreshold: {
      value: "<x>",
      help: "alert payments with this score or more",
      read: readThreshold,
      default: "0.5",
    },
    alertCards: {
      value: "<k>",
      help: "instead: alert the k most suspicious cards per day",
      read: wholeNumber(1, QUOTA_MAX),
    },
    alertBudget: {
      value: "<n>",
      help: "instead: n alerts per day",
      read: wholeNumber(1, QUOTA_MAX),
    },
  },
} as const satisfies FlagGroup;

/** What these flags give. */
export type AlertOptions = FlagValues<typeof ALERT_FLAGS>;

/** The scoring flags. */
export const SCORING_FLAGS = {
  title: "Scoring flags",
  needs: "--model, --rules or --retrain",
  flags: {
    rules: {
      value: "<file>",
      help:
        "decide about every payment by the rules in this file; a replaced " +
        "file counts from the next batch on (see docs/RULES.md)",
    },
    rulesBy: {
      value: "<name>",
      help: "who changes the rules, for 'fraudstream audit'",
      read: readName,
      default: "the owner of the file, as a number",
    },
    model: {
      value: "<file>",
      help: "score every payment with this model; a replaced file is loaded " +
        "before the next batch",
      default: `a new stream of all roles has the ${BUILT_IN_MODEL} one`,
    },
    noModel: {
      help: "score no payment, or with --retrain none before the first model " +
        "is trained",
    },
    models: {
      value: "<dir>",
      help: "registry of models",
      default: "with --retrain: models in the data folder",
    },
    ...ALERT_FLAGS.flags,
    shadowModel: {
      value: "<file>",
      help: "score every payment with this model too, which changes nothing " +
        "(repeatable); none ends it",
      read: readShadows,
    },
    shadowThreshold: {
      value: "<x>",
      help: "score from which on a payment is an alert of a shadow model",
      read: readThreshold,
      default: "as --alert-threshold, else 0.5",
    },
    retrain: {
      value: "<time>",
      help:
        "train a challenger at this interval of event time, whole days such " +
        "as 7d; the better model is used",
      read: readRetrain,
    },
    retrainKind: {
      value: "<kind>",
      help: `${
        KIND_NAMES.join(", ")
      }, with settings as in random-forest:trees=50`,
      read: readKind,
      default: RETRAINED_KIND,
    },
    trainDays: {
      value: "<n>",
      help: "newest labelled days that a challenger is trained on",
      read: wholeNumber(1, DAYS_MAX),
      default: "28",
    },
  },
} as const satisfies FlagGroup;

/** The values of the scoring flags; `retrain` in seconds of event time. */
export type ScoringOptions = FlagValues<typeof SCORING_FLAGS>;

/** The flags that say which payments are alerts: one of them counts. */
const ALERT_KEYS = ["alertThreshold", "alertCards", "alertBudget"] as const;

/** The flags that say where the model comes from: a given one replaces all of them. */
const SOURCE_KEYS = ["model", "models", "retrain"] as const;

/** The scoring flags of a run of all roles as texts by key, for the next one. */
export function scoringTexts(options: ScoringOptions): Record<string, string> {
  const {
    model,
    models,
    retrain,
    retrainKind,
    noModel,
    rules,
    rulesBy: _,
    shadowModel,
    ...others
  } = options;
  const texts: Record<string, string | undefined> = {
    rules: rules && resolve(rules),
    noModel: noModel && rules !== undefined ? "true" : undefined,
    model: model === undefined || model === BUILT_IN_MODEL
      ? model
      : resolve(model),
    models: models && resolve(models),
    shadowModel: shadowModel?.filter((path) => path !== NO_SHADOWS)
      .map((path) => path === BUILT_IN_MODEL ? path : resolve(path))
      .join("\n") || undefined,
    retrain: retrain === undefined ? undefined : formatDuration(retrain),
    retrainKind: retrainKind?.name,
  };
  for (const key of Object.keys(others) as (keyof typeof others)[]) {
    if (key in SCORING_FLAGS.flags) texts[key] = String(others[key]);
  }
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, text]) =>
      text === undefined ? [] : [[key, text]]
    ),
  );
}

/** The flags that texts of scoringTexts() stand for. Throws ConfigError for a value that its flag refuses. */
function readTexts(texts: Readonly<Record<string, string>>): ScoringOptions {
  const flags: Readonly<Record<string, Flag>> = SCORING_FLAGS.flags;
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, text]) => {
      const flag = flags[key];
      if (flag === undefined) return []; // of a later version
      if (key === "noModel") return [[key, true]];
      return [[key, flag.read?.(text, flagName(key, flag)) ?? text]];
    }),
  );
}

/** What a run of all roles knows of its stream. */
export interface ScoredStream {
  /** Whether no payment of the simulator is in it yet. */
  readonly isNew: boolean;
  /** The scoring flags of its last run, as scoringTexts() gives them; undefined where that did not score. */
  readonly recorded: Readonly<Record<string, string>> | undefined;
  /** Its features. */
  readonly features: FeatureParameters;
}

/**
 * The scoring flags of a run of all roles: what was not given is as it was when
 * the stream last ran. A new stream is scored by the built-in model, which with
 * --retrain is the first champion. Throws ConfigError for a record that no flag
 * can be.
 */
export function completeScoring(
  options: ScoringOptions,
  { isNew, recorded, features }: ScoredStream,
): ScoringOptions {
  const { model, models } = options;
  if (options.noModel) {
    const rules = options.rules ?? recorded?.rules;
    return rules === undefined ? options : { ...options, rules };
  }
  if (recorded !== undefined) {
    // --retrain goes on from the model that there is.
    const isChosen = model !== undefined || models !== undefined;
    const isAlerted = ALERT_KEYS.some((key) => options[key] !== undefined);
    const before = new Map(Object.entries(readTexts(recorded)));
    if (isChosen) {
      [...SOURCE_KEYS, "noModel"].forEach((key) => before.delete(key));
    }
    if (isAlerted) ALERT_KEYS.forEach((key) => before.delete(key));
    return { ...Object.fromEntries(before), ...options };
  }
  const isChosen = model !== undefined ||
    models !== undefined && options.retrain === undefined;
  if (!isNew || isChosen || !suitsBuiltIn(features)) return options;
  return { ...options, model: BUILT_IN_MODEL };
}

/** The flags' request, independent of the stream. */
export interface ScoringPlan {
  /** Whether payments are scored. */
  readonly scores: boolean;
  /** Whether models are trained meanwhile. */
  readonly trains: boolean;
  /** The folder of the registry, where there is one. */
  readonly models: string | undefined;
}

/** The run that the flags belong to. */
export interface ScoringPlace {
  /** Roles given by name; undefined for all. */
  readonly roles: readonly Role[] | undefined;
  /** The data folder, where log or store are in one. */
  readonly folder: string | undefined;
}

/** The flags' request. Throws ConfigError if they contradict each other or the roles. */
export function planScoring(
  options: ScoringOptions,
  { roles, folder }: ScoringPlace,
): ScoringPlan {
  const { model, retrain, rules } = options;
  if (options.noModel && (model ?? options.models) !== undefined) {
    throw new ConfigError(
      "--no-model leaves the model out; give it without --model and --models",
    );
  }
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
    ? (model ?? models ?? rules) !== undefined
    : roles.includes("scorer");
  if (scores && (model ?? models ?? rules) === undefined) {
    throw new ConfigError(
      `--role=scorer needs --model=FILE (or --model=${BUILT_IN_MODEL}, or ` +
        "--models=DIR, a registry), or --rules=FILE",
    );
  }
  if (!scores && !trains) {
    refuseGiven(
      SCORING_FLAGS,
      { ...options, noModel: undefined },
      roles === undefined ? SCORING_FLAGS.needs : "the roles scorer or trainer",
    );
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
        "give a file of './fraudstream train', or leave --model out",
    );
  }
  return { scores, trains, models };
}

/**
 * How to score a stream's payments, from the flags. Throws ConfigError as
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
  const { model, retrain, rules } = options;
  const policy = readPolicy(options, parameters.partitions);
  const { scores, trains, models } = planScoring(options, place);
  if (!scores && !trains) return { scoring: undefined, training: undefined };
  if (trains && !hasFeatures(parameters.features)) {
    throw new ConfigError(
      "--retrain has nothing to learn from but TX_AMOUNT: the definition says " +
        "features { include: none }; write include: handbook, or leave " +
        "--retrain out",
    );
  }
  if (trains) {
    checkNullable(
      options.retrainKind?.kind ?? RETRAINED_KIND,
      nullableNames(parameters.features),
    );
  }
  if (model !== undefined) {
    await modelInUse(openModel(model), parameters.features);
  }
  if (rules !== undefined) {
    checkRules(rules, parameters);
  }
  const shadows = shadowsOf(options);
  const registry = models === undefined ? undefined : {
    kind: "registry" as const,
    folder: models,
    // If event time outruns the clock, only waiting makes a run repeatable.
    waits: trains && pace.kind !== "rate",
  };
  return {
    scoring: !scores ? undefined : {
      model: registry ??
        (model === undefined ? undefined : { kind: "file", path: model }),
      rules: rules === undefined
        ? undefined
        : { path: rules, who: options.rulesBy },
      shadows: shadows.length === 0 ? undefined : {
        paths: shadows,
        threshold: options.shadowThreshold ?? options.alertThreshold ??
          0.5,
      },
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

/** The files of the shadow models. */
function shadowsOf({ shadowModel = [] }: ScoringOptions): readonly string[] {
  return shadowModel.filter((path) => path !== NO_SHADOWS);
}

/**
 * Refuses shadow models that cannot score a stream, but not those that it has
 * already: a run must not end because of what changes nothing. Throws
 * ConfigError, DataError or ModelError.
 */
export async function checkShadows(
  options: ScoringOptions,
  recorded: Readonly<Record<string, string>> | undefined,
  features: FeatureParameters,
): Promise<void> {
  const known = recorded?.shadowModel?.split("\n") ?? [];
  for (const path of shadowsOf(options)) {
    if (known.includes(resolve(path))) continue;
    await modelInUse(openModel(path), features);
  }
}

/** Throws ConfigError where rules or their lists do not fit a stream, DataError where they cannot be read. */
function checkRules(path: string, parameters: StreamParameters): void {
  const rules = openRules(path);
  const rows = ruleRows(parameters.features, shapeOfStream(parameters));
  new DecisionRules({ rules, lists: openLists(rules), threshold: null }, rows);
}

/** Which payments of a stream with so many partitions the flags want as alerts. Throws ConfigError. */
export function readPolicy(
  { alertThreshold, alertCards, alertBudget }: AlertOptions,
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
      `${flag}=${quota} cannot be divided among ${partitions} partitions; ` +
        `give at least ${partitions}`,
    );
  }
  if (alertCards !== undefined) return { kind: "cards", perDay: alertCards };
  if (alertBudget !== undefined) {
    return { kind: "payments", perDay: alertBudget };
  }
  if (alertThreshold === undefined) return DEFAULT_POLICY;
  return { kind: "threshold", threshold: alertThreshold };
}
