/** The flags that say which features are computed. */
import { ConfigError } from "../../base/error.ts";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../features/parameters.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "./flag.ts";
import { oneOf, wholeNumber } from "./flag_value.ts";

const WINDOW_DAYS_MAX = 365;
const DELAY_DAYS_MAX = 365;

/** Each window adds 4 columns; more is a typing error. */
const WINDOWS_MAX = 16;

/** The flags that choose the features. */
export const FEATURE_COLUMN_FLAGS = {
  flags: {
    featureSet: {
      value: "<set>",
      help: "handbook, or extended, which adds 21 features",
      read: oneOf(["handbook", "extended"]),
      default: "handbook",
    },
    windows: {
      value: "<days>",
      help: "lengths of the windows in days",
      read: readWindows,
      default: "1,7,30",
    },
  },
} as const satisfies FlagGroup;

/** The feature flags. */
export const FEATURE_FLAGS = {
  title: "Feature flags",
  flags: {
    ...FEATURE_COLUMN_FLAGS.flags,
    delay: {
      value: "<days>",
      help: "days until a fraud is known",
      read: wholeNumber(1, DELAY_DAYS_MAX),
      default: "7",
    },
    labels: { off: true, help: "ignore labels; every terminal risk is 0" },
  },
} as const satisfies FlagGroup;

/** The values of the feature flags; windows and delay in days. */
export type FeatureOptions = FlagValues<typeof FEATURE_FLAGS>;

/** The features that the flags choose. */
export function readFeatureFlags(options: FeatureOptions): FeatureParameters {
  return {
    set: options.featureSet ?? HANDBOOK_FEATURES.set,
    windowDays: options.windows ?? HANDBOOK_FEATURES.windowDays,
    delayDays: options.delay ?? HANDBOOK_FEATURES.delayDays,
    useLabels: options.labels ?? HANDBOOK_FEATURES.useLabels,
  };
}

/** The features that the flags choose, or without flags those that a model says it was trained on. */
export function featuresFor(
  options: FeatureOptions,
  trained: FeatureParameters | undefined,
): FeatureParameters {
  const isGiven = givenFlags(FEATURE_FLAGS, options).length > 0;
  return isGiven || trained === undefined ? readFeatureFlags(options) : trained;
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
