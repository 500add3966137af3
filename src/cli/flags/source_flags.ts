/** The flags of another program's topic whose records become payments. */
import { ConfigError } from "../../base/error.ts";
import {
  isRowNumber,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import type { LogSettings } from "../../log/open_log.ts";
import type { RunSettings } from "../../roles/role.ts";
import { TOPICS } from "../../stream/topics.ts";
import type { DataOptions } from "./data_flags.ts";
import {
  checkNeeds,
  type FlagGroup,
  type FlagValues,
  refuseGiven,
} from "./flag.ts";
import { duration } from "./flag_value.ts";
import {
  type InputOptions,
  readDefinitionFlag,
  refuseSimulated,
} from "./input_flags.ts";

/** The flags. */
export const SOURCE_FLAGS = {
  title: "Source flags",
  flags: {
    sourceTopic: {
      value: "<name>",
      help: "take the payments from this topic of the cluster, with any key, " +
        "partitioner and fields, in place of the simulator; --definition says " +
        "what its fields are",
      needs: "--log=kafka",
    },
    idleAfter: {
      value: "<time>",
      help:
        "how long a partition of that topic without new records holds the " +
        "others; what it brings later may be late",
      read: duration(),
      default: "30s",
      fallback: 30,
      needs: "--source-topic",
    },
    ahead: {
      value: "<time>",
      help: "how far ahead of the clock a payment of that topic, or of the " +
        "API, may be",
      read: duration(),
      default: "60s",
      fallback: 60,
    },
  },
} as const satisfies FlagGroup;

/** The values of the flags, and of those that bring payments otherwise. */
export type SourceOptions =
  & FlagValues<typeof SOURCE_FLAGS>
  & InputOptions
  & DataOptions
  & {
    /** --rate, if it is given. */
    readonly rate?: unknown;
    /** --speedup, if it is given. */
    readonly speedup?: unknown;
  };

/** What the flags are read with. */
export interface SourcePlace {
  /** Where the stream's log is. */
  readonly log: LogSettings;
  /** Whether the run has an API, which --ahead also concerns. */
  readonly hasApi: boolean;
  /** Whether the run goes on where records were deleted before they were read. */
  readonly acceptsGaps: boolean;
}

/**
 * Throws ConfigError where a topic's payments would have a TX_FRAUD in a stream
 * whose labels arrive later: nobody knows the label of a new payment. (The
 * payments of files have happened; their labels follow them.)
 */
export function refuseEarlyLabels(
  { payment, labels }: StreamDefinition,
  topic: string,
): void {
  if (payment.fraud === null || labels.from === "payment") return;
  throw new ConfigError(
    `the definition reads TX_FRAUD from the payments of --source-topic=` +
      `${topic}, and says that labels arrive later (labels: { from: stream }): ` +
      "leave TX_FRAUD out and publish labels to label_topic, or say " +
      "labels: { from: payment }",
  );
}

/** The topic that the flags name; undefined for none. Throws ConfigError. */
export function readSourceFlags(
  options: SourceOptions,
  { log, hasApi, ...others }: SourcePlace,
): RunSettings["source"] {
  const { sourceTopic: topic, idleAfter, ahead } = options;
  if (topic !== undefined && log.kind !== "kafka") {
    throw new ConfigError(
      `--source-topic=${topic} needs --log=kafka: the topic and the stream ` +
        "must be on one cluster, so that both move on in one transaction",
    );
  }
  checkNeeds(SOURCE_FLAGS, options);
  if (topic === undefined && !hasApi) {
    const { ahead } = SOURCE_FLAGS.flags;
    refuseGiven({ flags: { ahead } }, options, "--source-topic or --api-port");
  }
  if (topic === undefined || log.kind !== "kafka") return undefined;
  refuseSimulated(options, `--source-topic=${topic}`);
  if (options.in !== undefined) {
    throw new ConfigError(
      `--in=${options.in} and --source-topic=${topic} both bring payments; ` +
        "leave one of them out",
    );
  }
  for (const pace of ["rate", "speedup"] as const) {
    if (options[pace] === undefined) continue;
    throw new ConfigError(
      `--${pace} has no effect with --source-topic=${topic}, whose records ` +
        `are taken as they come; leave --${pace} out`,
    );
  }
  const own = TOPICS.find((name) => log.prefix + name === topic);
  if (own !== undefined) {
    throw new ConfigError(
      `--source-topic=${topic} is a topic of this stream; name the topic of ` +
        "the program that publishes the payments",
    );
  }
  const definition = readDefinitionFlag(options);
  if (definition && isRowNumber(definition.payment.transactionId)) {
    throw new ConfigError(
      "the definition numbers rows (TRANSACTION_ID: { from: row }), which " +
        "the records of a topic do not have; name a field that is unique",
    );
  }
  return {
    topic,
    hmacKeyFile: options.hmacKeyFile,
    idleAfterSeconds: idleAfter,
    aheadSeconds: ahead,
    ...others,
  };
}
