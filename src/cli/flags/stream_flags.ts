/**
 * The flags that all roles of a stream must agree on: how many partitions it
 * has, how late and how far ahead a payment may be, how long one that comes
 * again is recognized. Where one is not given the stream's own counts.
 */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import { HANDBOOK_FEATURES } from "../../features/parameters.ts";
import { alignmentSeconds } from "../../stream/alignment.ts";
import { type Partitioner, PARTITIONERS } from "../../log/partitioner.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { FeatureOptions } from "./feature_flags.ts";
import { duration, oneOf, wholeNumber } from "./flag_value.ts";

/** More partitions than these only cost. */
export const PARTITIONS_MAX = 1024;

/** Partitions of a new stream. */
export const PARTITIONS_DEFAULT = 4;

/** How long a payment that comes again is recognized in a new stream, seconds. */
const DEDUPE_DEFAULT = 2 * DAY_SECONDS;

/** The stream flags as commander hands them over; absent if not given. */
export interface StreamOptions extends FeatureOptions {
  /** --partitions */
  readonly partitions?: number;
  /** --partitioner */
  readonly partitioner?: Partitioner;
  /** --lateness, seconds. */
  readonly lateness?: number;
  /** --max-gap, seconds. */
  readonly maxGap?: number;
  /** --dedupe, seconds. */
  readonly dedupe?: number;
  /** --start, which is a data flag too; seconds since 1970. */
  readonly start?: number;
}

/**
 * Adds the flags that all roles of a stream must agree on.
 *
 * @internal
 */
export function addStreamFlags(command: Command): void {
  command.optionsGroup("Stream flags:")
    .option(
      "--partitions <n>",
      `partitions of each topic (default: ${PARTITIONS_DEFAULT})`,
      wholeNumber("--partitions", 1, PARTITIONS_MAX),
    )
    .option(
      "--partitioner <name>",
      "how keys choose the partition of a payment: murmur2 (Kafka's Java " +
        "clients) or crc32 (librdkafka's default) (default: what the payments " +
        "that are there fit, else murmur2)",
      oneOf("--partitioner", PARTITIONERS),
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
    )
    .option(
      "--dedupe <time>",
      "how long a payment that comes again is recognized, like 12h, 2d; at " +
        "least --lateness (default: 2d, or --lateness if that is longer)",
      duration("--dedupe"),
    );
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
  const latenessSeconds = options.lateness ?? found?.latenessSeconds ?? 3600;
  const parameters = {
    partitions: options.partitions ?? found?.partitions ?? PARTITIONS_DEFAULT,
    features: {
      set: options.featureSet ?? features.set,
      windowDays: options.windows ?? features.windowDays,
      delayDays: options.delay ?? features.delayDays,
      useLabels: options.labels === false ? false : features.useLabels,
    },
    latenessSeconds,
    maxGapSeconds: options.maxGap ?? found?.maxGapSeconds ?? 400 * DAY_SECONDS,
    dedupeSeconds: options.dedupe ?? (
      found ? found.dedupeSeconds : Math.max(DEDUPE_DEFAULT, latenessSeconds)
    ),
    partitioner: options.partitioner,
    startSeconds: options.start ?? found?.startSeconds,
  };
  const { features: { delayDays }, dedupeSeconds } = parameters;
  if (dedupeSeconds !== undefined && dedupeSeconds < latenessSeconds) {
    throw new ConfigError(
      `--dedupe=${dedupeSeconds}s must be at least --lateness=` +
        `${latenessSeconds}s: otherwise a payment that comes again in time ` +
        `would count twice`,
    );
  }
  if (alignmentSeconds(delayDays, latenessSeconds) <= 0) {
    const [short, limit] = delayDays === 1
      ? ["a day", "longer than a day"]
      : [`--lateness=${latenessSeconds}s`, "longer than --lateness"];
    throw new ConfigError(
      `--delay=${delayDays} must be ${limit}: the partitions are aligned ` +
        `within the delay less ${short}; give a longer --delay` +
        (delayDays === 1 ? "" : " or a shorter --lateness"),
    );
  }
  return parameters;
}
