/**
 * The flags that all roles of a stream must agree on: how many partitions it
 * has, how late and how far ahead a payment may be, how long a repeated one is
 * recognized. The default of each is the stream's own value.
 */
import { ConfigError } from "../../base/error.ts";
import { shapeOf } from "../../definition/definition_shape.ts";
import { openDefinition } from "../../definition/read_definition.ts";
import {
  definitionHash,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../features/parameters.ts";
import { alignmentSeconds } from "../../stream/alignment.ts";
import { PARTITIONERS } from "../../log/partitioner.ts";
import type { StreamParameters } from "../../stream/control.ts";
import {
  definitionOf,
  type RecordedDefinition,
  recordedDefinition,
} from "../../stream/stream_definition.ts";
import { formatDuration } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { FeatureOptions } from "./feature_flags.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";
import { duration, oneOf, wholeNumber } from "./flag_value.ts";

/** More partitions add only cost. */
export const PARTITIONS_MAX = 1024;

/** Partitions of a new stream. */
export const PARTITIONS_DEFAULT = 4;

/** The flags that all roles of a stream must agree on. */
export const STREAM_FLAGS = {
  title: "Stream flags",
  flags: {
    partitions: {
      value: "<n>",
      help: "partitions of each topic",
      read: wholeNumber(1, PARTITIONS_MAX),
      default: `${PARTITIONS_DEFAULT}`,
    },
    partitioner: {
      value: "<name>",
      help: "how keys choose the partition of a payment: murmur2 (Kafka's " +
        "Java clients) or crc32 (librdkafka's default)",
      read: oneOf(PARTITIONERS),
      default: "the one that fits the existing payments, else murmur2",
    },
    lateness: {
      value: "<time>",
      help: "how late a payment may arrive, such as 90s, 30m, 1h",
      read: duration(),
      default: "1h",
    },
    maxGap: {
      value: "<time>",
      help: "largest accepted jump ahead in event time, such as 400d",
      read: duration(),
      default: "400d",
    },
    dedupe: {
      value: "<time>",
      help: "how long a repeated payment is recognised, such as 12h, 2d; at " +
        "least --lateness",
      read: duration(),
      default: "2d, or --lateness if that is longer",
    },
  },
} as const satisfies FlagGroup;

/** How long a repeated payment is recognized in a new stream, in seconds. */
const DEDUPE_DEFAULT = 2 * DAY_SECONDS;

/** The values of these flags, times in seconds; --start, seconds since 1970, is also a data flag. */
export type StreamOptions =
  & FlagValues<typeof STREAM_FLAGS>
  & FeatureOptions
  & {
    readonly start?: number;
    /** What a payment of a new stream is; the stream's own by default. */
    readonly definition?: StreamDefinition | undefined;
    /** Whether the log is on a cluster, where streams of any kind have several partitions. */
    readonly isOnKafka?: boolean;
  };

/** What a stream with a definition records; undefined for the handbook's, by which streams without one work. */
function ownDefinition(
  definition: StreamDefinition,
): RecordedDefinition | undefined {
  const own = recordedDefinition(definition);
  const handbook = definitionHash(openDefinition("handbook"));
  return own.sha256 === handbook ? undefined : own;
}

/** The features that a definition includes. Throws ConfigError for what this version cannot compute. */
function featuresOfDefinition(own: RecordedDefinition): FeatureParameters {
  const definition = definitionOf(own);
  const { features: { include }, labels } = definition;
  const shape = shapeOf(definition);
  const wrong = include === "none"
    ? "'include: none' leaves nothing to compute; this version has no features " +
      "of your own yet"
    : include === "extended" && shape.refunds
    ? "'include: extended' compares amounts, and 'refunds: true' makes them " +
      "negative; leave one of them out"
    : labels.from === "stream"
    ? "labels from a stream are not taken yet with a definition of your own"
    : undefined;
  if (wrong !== undefined) throw new ConfigError(`--definition: ${wrong}`);
  return {
    ...HANDBOOK_FEATURES,
    set: include === "extended" ? "extended" : "handbook",
    delayDays: labels.delaySeconds / DAY_SECONDS,
    useLabels: shape.hasFraud,
    ...shape.decimals === 2 ? {} : { decimals: shape.decimals },
    ...shape.refunds ? { refunds: true } : {},
  };
}

/** Throws ConfigError for flags whose values the definition says. */
function refuseDefined({ featureSet, delay, labels }: StreamOptions): void {
  const flag = featureSet !== undefined
    ? "--feature-set"
    : delay !== undefined
    ? "--delay"
    : labels === false
    ? "--no-labels"
    : undefined;
  if (flag === undefined) return;
  throw new ConfigError(
    `${flag} cannot be given for a stream with a definition, which says it ` +
      "itself; leave the flag out",
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
  const own = options.definition === undefined
    ? found?.definition
    : ownDefinition(options.definition);
  const features = own === undefined || own === found?.definition
    ? found?.features ?? HANDBOOK_FEATURES
    : featuresOfDefinition(own);
  if (own !== undefined) refuseDefined(options);
  const latenessSeconds = options.lateness ?? found?.latenessSeconds ?? 3600;
  const parameters = {
    partitions: options.partitions ?? found?.partitions ??
      (own && !options.isOnKafka ? 1 : PARTITIONS_DEFAULT),
    features: {
      ...features,
      set: options.featureSet ?? features.set,
      windowDays: options.windows ?? features.windowDays,
      delayDays: options.delay ?? features.delayDays,
      useLabels: options.labels === false ? false : features.useLabels,
      graceSeconds: features.graceSeconds,
    },
    ...own ? { definition: own } : {},
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
      `--dedupe=${formatDuration(dedupeSeconds)} must be at least --lateness=` +
        `${
          formatDuration(latenessSeconds)
        }: otherwise a payment that comes again in time ` +
        `would count twice`,
    );
  }
  if (alignmentSeconds(parameters.features, latenessSeconds) <= 0) {
    const [short, limit] = delayDays === 1 ? ["a day", "longer than a day"] : [
      `--lateness=${formatDuration(latenessSeconds)}`,
      "longer than --lateness",
    ];
    throw new ConfigError(
      `--delay=${delayDays} must be ${limit}: the partitions are aligned ` +
        `within the delay less ${short}; give a longer --delay` +
        (delayDays === 1 ? "" : " or a shorter --lateness"),
    );
  }
  return parameters;
}
