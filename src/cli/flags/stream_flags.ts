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
import { checkPartitions } from "../../features/declared_features.ts";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../features/parameters.ts";
import { alignmentSeconds } from "../../stream/alignment.ts";
import { PARTITIONERS } from "../../log/partitioner.ts";
import type { StreamParameters } from "../../stream/control.ts";
import {
  declaredOf,
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
    labels: {
      value: "<where>",
      help: "payment: TX_FRAUD stands in the payment and counts after " +
        "--delay; stream: labels arrive on their own, among the payments",
      read: oneOf(["payment", "stream"]),
      default: "payment",
    },
    grace: {
      value: "<time>",
      help: "with --labels=stream: how long after it is known a label " +
        "counts, such as 1d; longer than --lateness, shorter than --delay",
      read: duration(),
      default: "1d, or half of --delay if that is shorter",
    },
    mature: {
      value: "<time>",
      help: "with --labels=stream: when a payment without a label is genuine " +
        "to training and metrics, in whole days, such as 45d",
      read: duration(DAY_SECONDS),
      default: "--delay",
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

/** How late a payment of a new stream may arrive, in seconds. */
export const LATENESS_SECONDS = 3600;

/** How long a repeated payment is recognized in a new stream, in seconds. */
const DEDUPE_DEFAULT = 2 * DAY_SECONDS;

/** The values of these flags, times in seconds; --start, seconds since 1970, is also a data flag. */
export type StreamOptions =
  & Omit<FlagValues<typeof STREAM_FLAGS>, "labels">
  & Omit<FeatureOptions, "labels">
  & {
    readonly start?: number;
    /** --labels; false for --no-labels. */
    readonly labels?: "payment" | "stream" | boolean | undefined;
    /** What a payment of a new stream is; the stream's own by default. */
    readonly definition?: StreamDefinition | undefined;
    /** Whether the log is on a cluster, where streams of any kind have several partitions. */
    readonly isOnKafka?: boolean;
  };

/** What --definition gives: what a stream of it records, or --labels where it is one of the two of the handbook's payments, by which streams without a definition work. */
function readDefinitionOption(
  { definition, labels }: StreamOptions,
): {
  readonly own?: RecordedDefinition;
  readonly labels?: StreamOptions["labels"];
} {
  if (definition === undefined) return { labels };
  const own = recordedDefinition(definition);
  const names = { handbook: "payment", live: "stream" } as const;
  const isNamed = (name: string) =>
    definitionHash(openDefinition(name)) === own.sha256;
  const name = (["handbook", "live"] as const).find(isNamed);
  if (name === undefined) return { own, labels };
  const other = labels === "payment" || labels === "stream";
  if (other && labels !== names[name]) {
    throw new ConfigError(
      `--labels=${labels} cannot be given with --definition=${name}, which ` +
        `says --labels=${names[name]}; leave one of them out`,
    );
  }
  return { labels: labels === false ? false : names[name] };
}

/** The features of a definition, with other windows where they are given. Throws ConfigError for what cannot be computed. */
export function featuresOfDefinition(
  definition: StreamDefinition,
  windowDays?: readonly number[],
): FeatureParameters {
  const { features: { include }, labels } = definition;
  const shape = shapeOf(definition);
  if (include === "extended" && shape.refunds) {
    throw new ConfigError(
      "--definition: 'include: extended' compares amounts, and 'refunds: true' " +
        "makes them negative; leave one of them out",
    );
  }
  const features: FeatureParameters = {
    set: include,
    windowDays: include === "none"
      ? []
      : windowDays ?? HANDBOOK_FEATURES.windowDays,
    // Without features it may be parts of a day.
    delayDays: Math.ceil(labels.delaySeconds / DAY_SECONDS),
    useLabels: shape.hasFraud || shape.hasLabels,
    ...labels.from === "stream" ? { graceSeconds: labels.graceSeconds } : {},
    ...shape.decimals === 2 ? {} : { decimals: shape.decimals },
    ...shape.refunds ? { refunds: true } : {},
  };
  const declared = declaredOf(definition, features);
  return declared === undefined ? features : { ...features, declared };
}

/** Throws ConfigError where a definition declares features that its partitions leave no room for. */
function checkDeclared(
  { features: { include, declared } }: StreamDefinition,
  { partitions, features, latenessSeconds }: Omit<
    StreamParameters,
    "partitioner"
  >,
): void {
  const alignedSeconds = latenessSeconds +
    alignmentSeconds(features, latenessSeconds);
  const hasHandbook = include !== "none";
  checkPartitions(declared, { partitions, alignedSeconds, hasHandbook });
}

/** Throws ConfigError for flags whose values the definition, which includes a set of features, says. */
function refuseDefined(
  { featureSet, windows, delay, labels, grace, mature }: StreamOptions,
  set: FeatureParameters["set"],
): void {
  const flag = featureSet !== undefined
    ? "--feature-set"
    : windows !== undefined && set === "none"
    ? "--windows"
    : delay !== undefined
    ? "--delay"
    : grace !== undefined
    ? "--grace"
    : mature !== undefined
    ? "--mature"
    : labels === false
    ? "--no-labels"
    : labels !== undefined && labels !== true
    ? "--labels"
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
  const { own = options.definition ? undefined : found?.definition, labels } =
    readDefinitionOption(options);
  const { definition, windows } = options;
  // A definition that is given knows the places of what is wrong in it.
  const features = own === undefined || definition === undefined
    ? found?.features ?? HANDBOOK_FEATURES
    : featuresOfDefinition(
      definition,
      windows ?? found?.features.windowDays,
    );
  if (own !== undefined) refuseDefined(options, features.set);
  const latenessSeconds = options.lateness ?? found?.latenessSeconds ??
    LATENESS_SECONDS;
  const graceSeconds = own
    ? features.graceSeconds
    : graceOf({ ...options, labels }, features);
  const matureDays = own
    ? matureOfDefinition(own)
    : matureOf(options, graceSeconds, found);
  const parameters = {
    partitions: options.partitions ?? found?.partitions ??
      (own && !options.isOnKafka ? 1 : PARTITIONS_DEFAULT),
    features: {
      ...features,
      set: options.featureSet ?? features.set,
      windowDays: options.windows ?? features.windowDays,
      delayDays: options.delay ?? features.delayDays,
      useLabels: labels === false ? false : features.useLabels,
      graceSeconds,
    },
    ...own ? { definition: own } : {},
    ...matureDays === undefined ? {} : { matureDays },
    latenessSeconds,
    maxGapSeconds: options.maxGap ?? found?.maxGapSeconds ?? 400 * DAY_SECONDS,
    dedupeSeconds: options.dedupe ?? (
      found ? found.dedupeSeconds : Math.max(DEDUPE_DEFAULT, latenessSeconds)
    ),
    partitioner: options.partitioner,
    startSeconds: options.start ?? found?.startSeconds,
  };
  const { dedupeSeconds } = parameters;
  if (dedupeSeconds !== undefined && dedupeSeconds < latenessSeconds) {
    throw new ConfigError(
      `--dedupe=${formatDuration(dedupeSeconds)} must be at least --lateness=` +
        `${
          formatDuration(latenessSeconds)
        }: otherwise a payment that comes again in time ` +
        `would count twice`,
    );
  }
  checkAlignment(parameters);
  if (own !== undefined && definition !== undefined) {
    checkDeclared(definition, parameters);
  }
  return parameters;
}

/** Throws ConfigError if no alignment of the partitions makes the features exact. */
function checkAlignment(
  parameters: Omit<StreamParameters, "partitioner">,
): void {
  const { features, latenessSeconds, definition } = parameters;
  const { delayDays, graceSeconds } = features;
  if (alignmentSeconds(features, latenessSeconds) === Infinity) return;
  if (graceSeconds !== undefined) return checkGrace(graceSeconds, parameters);
  if (alignmentSeconds(features, latenessSeconds) > 0) return;
  const [delay, longer] = definition
    ? [`labels { delay: ${delayDays}d }`, "a longer delay"]
    : [`--delay=${delayDays}`, "a longer --delay"];
  const [short, limit] = delayDays === 1 ? ["a day", "longer than a day"] : [
    `--lateness=${formatDuration(latenessSeconds)}`,
    "longer than --lateness",
  ];
  throw new ConfigError(
    `${delay} must be ${limit}: the partitions are aligned ` +
      `within the delay less ${short}; give ${longer}` +
      (delayDays === 1 ? "" : " or a shorter --lateness"),
  );
}

/** How long after it is known a label counts, in seconds; undefined where payments carry their labels. Throws ConfigError. */
function graceOf(
  { labels, grace, delay }: StreamOptions,
  { graceSeconds, delayDays }: FeatureParameters,
): number | undefined {
  const isStream = labels === "stream" ||
    labels !== "payment" && graceSeconds !== undefined;
  if (isStream) {
    const delaySeconds = (delay ?? delayDays) * DAY_SECONDS;
    return grace ?? graceSeconds ?? Math.min(DAY_SECONDS, delaySeconds / 2);
  }
  if (grace === undefined) return undefined;
  throw new ConfigError(
    "--grace has no effect without --labels=stream; add that or leave " +
      "--grace out",
  );
}

/** After how many days a payment without a label is genuine, where a definition says that it is not the delay. */
function matureOfDefinition(own: RecordedDefinition): number | undefined {
  const { labels } = definitionOf(own);
  return labels.from === "stream" &&
      labels.matureSeconds !== labels.delaySeconds
    ? labels.matureSeconds / DAY_SECONDS
    : undefined;
}

/** The same where flags say it. Throws ConfigError. */
function matureOf(
  { mature }: StreamOptions,
  graceSeconds: number | undefined,
  found: StreamParameters | undefined,
): number | undefined {
  if (graceSeconds === undefined) {
    if (mature === undefined) return undefined;
    throw new ConfigError(
      "--mature has no effect without --labels=stream; add that or leave " +
        "--mature out",
    );
  }
  if (mature === undefined) return found?.matureDays;
  const time = formatDuration(mature);
  if (mature % DAY_SECONDS !== 0) {
    throw new ConfigError(
      `--mature must be whole days, such as 45d, not ${time}`,
    );
  }
  if (mature < graceSeconds) {
    throw new ConfigError(
      `--mature=${time} must not be shorter than --grace=` +
        `${formatDuration(graceSeconds)}; change one of the two`,
    );
  }
  return mature / DAY_SECONDS;
}

/** Throws ConfigError if labels that count so long after they are known make no exact features. */
function checkGrace(
  graceSeconds: number,
  { latenessSeconds, features: { set, delayDays }, definition }: Pick<
    StreamParameters,
    "latenessSeconds" | "features" | "definition"
  >,
): void {
  const time = formatDuration(graceSeconds);
  const grace = definition ? `labels { grace: ${time} }` : `--grace=${time}`;
  if (set === "extended") {
    throw new ConfigError(
      "--feature-set=extended needs labels in the payments; leave out one of " +
        "--feature-set=extended and --labels=stream",
    );
  }
  if (graceSeconds >= delayDays * DAY_SECONDS) {
    throw new ConfigError(
      `${grace} must be shorter than --delay=${delayDays} days; change one ` +
        "of the two",
    );
  }
  if (graceSeconds <= latenessSeconds) {
    const lateness = `--lateness=${formatDuration(latenessSeconds)}`;
    throw new ConfigError(
      `${grace} must be longer than ${lateness}: the partitions are aligned ` +
        "within the grace less the lateness; change one of the two",
    );
  }
}
