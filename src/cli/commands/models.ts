/**
 * `fraudstream models`: the models that a stream has trained, which of them is
 * the champion and why, and the two ways to change that: choose a version, or
 * return to the previous one.
 */
import { join } from "node:path";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError, DataError } from "../../base/error.ts";
import {
  changeRegistry,
  chosen,
  openVersion,
  readRegistry,
  type Registry,
  type RegistryEntry,
  rolledBack,
} from "../../scoring/model_registry.ts";
import { BUILT_IN_MODEL, openModel } from "../../scoring/open_model.ts";
import { spanText, trainedSpan } from "../../learning/data/trained_days.ts";
import { findRecorded } from "../../stream/stored_stream.ts";
import { readConnection } from "../flags/connection_flags.ts";
import { asTyped, writeResult } from "../output/terminal.ts";
import { warnings } from "../output/warnings.ts";
import { decimals, textTable } from "../../base/text_table.ts";

/** How long it looks for the stream of a folder, in milliseconds. */
const LOOK_MS = 10_000;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    data: {
      value: "<dir>",
      help: "data folder of the models",
      default: "./fraudstream-data",
      fallback: "./fraudstream-data",
    },
    models: {
      value: "<dir>",
      help: "instead of --data: the registry's folder",
    },
    promote: { value: "<version>", help: "make this version the champion" },
    rollback: { help: "go back to the previous champion" },
    json: { help: "print one JSON object" },
  },
} as const satisfies FlagGroup;

type ModelsOptions = FlagValues<typeof FLAGS>;

const EXAMPLES = `
Examples:
  ./fraudstream models
  ./fraudstream models --promote=3f0c29d1a4be
  ./fraudstream models --rollback

A running scorer uses the new champion from the next batch on.
`;

/** The command. */
export const MODELS_COMMAND: CommandDeclaration = defineCommand({
  name: "models",
  summary: "list the models that a stream has trained, or choose another",
  description:
    "Lists the models that run --retrain has trained: the event day from " +
    "which on each decision counts, the days that the model was trained on, " +
    "the clock time of the decision, metrics, the champion, and the reasons. " +
    "For a stream without such models, it shows the one that scores it.",
  flags: [FLAGS],
  examples: EXAMPLES,
  run: models,
});

async function models(options: ModelsOptions): Promise<void> {
  const { data, promote, rollback = false } = options;
  const folder = options.models ?? join(data, "models");
  if (promote !== undefined && rollback) {
    throw new ConfigError("give either --promote or --rollback, not both");
  }
  let registry = readRegistry(folder);
  if (registry.history.length === 0) {
    const scoring = options.models === undefined && promote === undefined &&
      !rollback && await scoringModel(data);
    if (scoring) {
      writeResult(
        options.json
          ? JSON.stringify({ ...scoring, history: [] }, null, 2) + "\n"
          : asTyped(scoringText(scoring)),
      );
      return;
    }
    throw new DataError(
      `there are no models in ${folder}; './fraudstream run --retrain=7d' ` +
        `trains some`,
    );
  }
  if (promote !== undefined || rollback) {
    const change = (before: Registry) =>
      promote === undefined ? rolledBack(before) : chosen(before, promote);
    // A new champion must exist and be intact.
    const { champion } = change(registry);
    openVersion(folder, champion ?? "");
    registry = await changeRegistry(folder, change);
  }
  writeResult(
    options.json
      ? JSON.stringify(registry, null, 2) + "\n"
      : registryText(registry),
  );
}

/** The model that scores a stream without a registry. */
interface ScoringModel {
  /** Its version. */
  readonly champion: string;
  /** Its file, or "built-in". */
  readonly origin: string;
  /** The days that it was trained on, if it says. */
  readonly trained?: string;
}

/** The model that the last run of the stream in a folder scored with; undefined where none did. */
async function scoringModel(data: string): Promise<ScoringModel | undefined> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const connection = readConnection({ data });
  const found = await findRecorded(connection, warnings("models"), {
    waitMs: 0,
    signal,
  });
  const origin = found?.scoringFlags?.model;
  if (origin === undefined) return undefined;
  const { version, training } = openModel(origin);
  return {
    champion: version,
    origin,
    ...training && { trained: spanText(trainedSpan(training)) },
  };
}

function scoringText({ champion, origin, trained }: ScoringModel): string {
  const isBuiltIn = origin === BUILT_IN_MODEL;
  const rows = [[
    `* ${champion}`,
    isBuiltIn ? "built-in, part of the program" : origin,
    trained ?? "-",
  ]];
  return textTable(["version", "origin", "trained on"], rows) +
    "\n* scores the payments of this stream; './fraudstream run --retrain=7d'" +
    "\n  trains others from them\n";
}

function registryText({ history, champion, decidedDay }: Registry): string {
  const head = [
    "from day",
    "version",
    "what",
    "trained on",
    "when (UTC)",
    "average precision",
    "CP@100",
    "why",
  ];
  const rows = history.map((entry) => {
    const { day, date, version, action, at, trainedFrom, trainedTo } = entry;
    return [
      date === undefined ? String(day) : `${date} (${day})`,
      (version === champion ? "* " : "  ") + version,
      action,
      trainedFrom === undefined ? "-" : `${trainedFrom} to ${trainedTo}`,
      at === undefined ? "-" : at.slice(0, 16).replace("T", " "),
      metricOf(entry, "average_precision"),
      metricOf(entry, "card_precision_100"),
      entry.reason,
    ];
  });
  return textTable(head, rows) +
    `\n* the champion; decided for the payments before day ${decidedDay}\n`;
}

function metricOf({ metrics }: RegistryEntry, name: string): string {
  const value = metrics?.[name];
  return typeof value === "number" ? decimals(value) : "-";
}
