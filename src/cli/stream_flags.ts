/** The flags that say which data folder is meant and how its stream works. */
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, DataError } from "../error/error.ts";
import { HANDBOOK_FEATURES } from "../features/parameters.ts";
import { EmbeddedLog } from "../log/embedded.ts";
import { Control, type StreamParameters } from "../roles/control.ts";
import { CONTROL_TOPIC } from "../roles/topics.ts";
import { EmbeddedStore } from "../store/embedded.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import type { FeatureOptions } from "./feature_flags.ts";
import { type FlagReader, wholeNumber } from "./flag_value.ts";

/** Where the data folder is if --data does not say. */
export const DATA_FOLDER = "./fraudstream-data";

/** More partitions than these only cost. */
const PARTITIONS_MAX = 1024;

/** The stream flags as commander hands them over; absent if not given. */
export interface StreamOptions extends FeatureOptions {
  /** --partitions */
  readonly partitions?: number;
  /** --lateness, seconds. */
  readonly lateness?: number;
  /** --max-gap, seconds. */
  readonly maxGap?: number;
}

/**
 * Adds --data to a command.
 *
 * @internal
 */
export function addFolderFlag(command: Command): void {
  command.option("--data <dir>", "data folder", DATA_FOLDER);
}

/**
 * Adds the flags that all roles of a data folder must agree on.
 *
 * @internal
 */
export function addStreamFlags(command: Command): void {
  command.optionsGroup("Stream flags:")
    .option(
      "--partitions <n>",
      "partitions of each topic (default: 4)",
      wholeNumber("--partitions", 1, PARTITIONS_MAX),
    )
    .option(
      "--lateness <time>",
      "how late a payment may come, like 90s, 30m, 1h (default: 1h)",
      duration("--lateness"),
    )
    .option(
      "--max-gap <time>",
      "how far ahead a payment is still believed, like 400d (default: 400d)",
      duration("--max-gap"),
    );
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: DAY_SECONDS,
};

/** Longest duration, so that sums of times stay below 2^31. */
const DURATION_MAX = 3650 * DAY_SECONDS;

function duration(flag: string): FlagReader<number> {
  return (text) => {
    const match = /^(\d{1,9})([smhd])$/.exec(text);
    const seconds = match ? Number(match[1]) * UNITS[match[2]] : NaN;
    if (seconds <= DURATION_MAX) return seconds;
    throw new ConfigError(
      `${flag} must be a time like 90s, 30m, 1h or 7d, up to 3650d, not ` +
        `'${text.slice(0, 60)}'`,
    );
  };
}

/**
 * The parameters of a stream: the flags', where one is not given the data
 * folder's, and the defaults for a new folder. Throws ConfigError if they
 * cannot work together.
 */
export function readStreamFlags(
  options: StreamOptions,
  found: StreamParameters | undefined,
): StreamParameters {
  const features = found?.features ?? HANDBOOK_FEATURES;
  const parameters = {
    partitions: options.partitions ?? found?.partitions ?? 4,
    features: {
      windowDays: options.windows ?? features.windowDays,
      delayDays: options.delay ?? features.delayDays,
      useLabels: options.labels === false ? false : features.useLabels,
    },
    latenessSeconds: options.lateness ?? found?.latenessSeconds ?? 3600,
    maxGapSeconds: options.maxGap ?? found?.maxGapSeconds ?? 400 * DAY_SECONDS,
  };
  const { features: { delayDays }, latenessSeconds } = parameters;
  if ((delayDays - 1) * DAY_SECONDS <= latenessSeconds) {
    throw new ConfigError(
      `--delay=${delayDays} less a day must be longer than --lateness ` +
        `(${latenessSeconds} s): partitions are aligned within it; give a ` +
        `longer --delay or a shorter --lateness`,
    );
  }
  return parameters;
}

/** The parameters that a data folder was begun with; undefined for a new one. */
export async function folderParameters(
  folder: string,
): Promise<StreamParameters | undefined> {
  if (!existsSync(join(folder, "log.db"))) return undefined;
  await using log = openFolderLog(folder);
  if (!await log.endOffsets(CONTROL_TOPIC)) return undefined;
  const control = new Control(log);
  await control.refresh();
  return control.parameters;
}

/** Opens the store of a data folder; undefined if nothing has been stored yet. */
export function openFolderStore(
  folder: string,
  parameters: StreamParameters | undefined,
): EmbeddedStore | undefined {
  const path = join(folder, "store.db");
  if (!existsSync(path) || !parameters) return undefined;
  const { features } = parameters;
  return new EmbeddedStore({ path, features, durable: false });
}

/** Opens the log of an existing data folder; throws DataError if there is none. */
export function openFolderLog(folder: string): EmbeddedLog {
  const path = join(folder, "log.db");
  if (!existsSync(path)) {
    throw new DataError(
      `there is no data folder ${folder}; start 'fraudstream run' first or ` +
        `name another by --data`,
    );
  }
  return new EmbeddedLog({ path, durable: false });
}
