/**
 * `fraudstream models`: the models that a stream has trained, which of them is
 * the champion and why, and the two ways to overrule that: choose one, or go
 * back to the one before.
 */
import { join } from "node:path";
import type { Command } from "commander";
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
import { writeResult } from "../output/terminal.ts";
import { decimals, textTable } from "../output/text_table.ts";

interface ModelsOptions {
  readonly data: string;
  readonly models?: string;
  readonly promote?: string;
  readonly rollback?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  fraudstream models
  fraudstream models --promote=3f0c29d1a4be
  fraudstream models --rollback

A running scorer uses the new champion from the next batch on.
`;

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addModelsCommand(program: Command): void {
  program.command("models")
    .summary("list the models that a stream has trained, choose another")
    .description(
      "Lists the models that run --retrain has trained: what they were " +
        "judged by, which is the champion, and why.",
    )
    .option(
      "--data <dir>",
      "data folder, whose models are meant",
      "./fraudstream-data",
    )
    .option("--models <dir>", "instead: the registry's folder itself")
    .option("--promote <version>", "make this version the champion")
    .option("--rollback", "make the champion before the present one it again")
    .option("--json", "as one JSON object")
    .addHelpText("after", EXAMPLES)
    .action((options: ModelsOptions) => models(options));
}

async function models(options: ModelsOptions): Promise<void> {
  const { data, promote, rollback = false } = options;
  const folder = options.models ?? join(data, "models");
  if (promote !== undefined && rollback) {
    throw new ConfigError("give either --promote or --rollback, not both");
  }
  let registry = readRegistry(folder);
  if (registry.history.length === 0) {
    throw new DataError(
      `there are no models in ${folder}; 'fraudstream run --retrain=7d' ` +
        `trains some`,
    );
  }
  if (promote !== undefined || rollback) {
    const change = (before: Registry) =>
      promote === undefined ? rolledBack(before) : chosen(before, promote);
    // Whoever becomes champion must be there and whole.
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

function registryText({ history, champion, decidedDay }: Registry): string {
  const head = [
    "day",
    "version",
    "what",
    "average precision",
    "CP@100",
    "why",
  ];
  const rows = history.map((entry) => {
    return [
      String(entry.day),
      (entry.version === champion ? "* " : "  ") + entry.version,
      entry.action,
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
