/** The flags that say which features are computed. */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import {
  FEATURE_SETS,
  type FeatureParameters,
  type FeatureSet,
  HANDBOOK_FEATURES,
} from "../../features/parameters.ts";
import { oneOf, wholeNumber } from "./flag_value.ts";

/** The feature flags as commander hands them over; absent if not given. */
export interface FeatureOptions {
  /** --feature-set */
  readonly featureSet?: FeatureSet;
  /** --windows, days. */
  readonly windows?: readonly number[];
  /** --delay, days. */
  readonly delay?: number;
  /** false with --no-labels. */
  readonly labels?: boolean;
}

const WINDOW_DAYS_MAX = 365;
const DELAY_DAYS_MAX = 365;

/** Each window adds 4 columns; more than these is a slip of the keyboard. */
const WINDOWS_MAX = 16;

/**
 * Adds the feature flags to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addFeatureFlags(command: Command): void {
  command.optionsGroup("Feature flags:");
  addFeatureColumnFlags(command)
    .option(
      "--delay <days>",
      "days until a fraud is known (default: 7)",
      wholeNumber("--delay", 1, DELAY_DAYS_MAX),
    )
    .option("--no-labels", "use no labels: every terminal risk is 0");
}

/**
 * Adds the flags that decide which features there are to a command, which it
 * returns.
 *
 * @internal
 */
export function addFeatureColumnFlags(command: Command): Command {
  return command
    .option(
      "--feature-set <set>",
      "handbook, or extended: those and more (default: handbook)",
      oneOf("--feature-set", FEATURE_SETS),
    )
    .option(
      "--windows <days>",
      "lengths of the windows in days (default: 1,7,30)",
      readWindows,
    );
}

/** The features that the flags choose. */
export function readFeatureFlags(options: FeatureOptions): FeatureParameters {
  return {
    set: options.featureSet ?? HANDBOOK_FEATURES.set,
    windowDays: options.windows ?? HANDBOOK_FEATURES.windowDays,
    delayDays: options.delay ?? HANDBOOK_FEATURES.delayDays,
    useLabels: options.labels ?? HANDBOOK_FEATURES.useLabels,
  };
}

function readWindows(text: string): number[] {
  const wrong = () =>
    new ConfigError(
      `--windows must be ascending whole numbers of days from 1 to ` +
        `${WINDOW_DAYS_MAX}, like 1,7,30 (at most ${WINDOWS_MAX} of them), ` +
        `not '${text}'`,
    );
  const parts = text.split(",").map((part) => part.trim());
  const days = parts.map((part) => /^\d+$/.test(part) ? Number(part) : NaN);
  const good = days.length <= WINDOWS_MAX && days.every((length, at) => {
    return length > (days[at - 1] ?? 0) && length <= WINDOW_DAYS_MAX;
  });
  if (!good) throw wrong();
  return days;
}
