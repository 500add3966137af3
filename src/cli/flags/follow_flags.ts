/** The flag of a stream whose payments and labels another one takes. */
import { resolve } from "node:path";
import { ConfigError } from "../../base/error.ts";
import type { LogSettings } from "../../log/open_log.ts";
import type { Role } from "../../roles/role.ts";
import {
  type FollowedStream,
  followFlag,
  type FollowSettings,
} from "../../stream/followed_stream.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { HANDBOOK_FEATURES } from "../../features/parameters.ts";
import { formatDuration } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { DataOptions } from "./data_flags.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";
import { refuseSimulated } from "./input_flags.ts";

/** The flag. */
export const FOLLOW_FLAGS = {
  title: "Following a stream",
  flags: {
    follow: {
      value: "<stream>",
      help: "take the payments and labels of another stream, from the first " +
        "that it has kept, and go on as they come: its data folder, on Kafka " +
        "its topic prefix. Used with --definition to change features",
    },
  },
} as const satisfies FlagGroup;

/** The value of the flag, and of those that bring payments otherwise. */
export type FollowOptions =
  & FlagValues<typeof FOLLOW_FLAGS>
  & DataOptions
  & {
    /** --in, if it is given. */
    readonly in?: unknown;
    /** --source-topic, if it is given. */
    readonly sourceTopic?: unknown;
    /** --rate, if it is given. */
    readonly rate?: unknown;
    /** --speedup, if it is given. */
    readonly speedup?: unknown;
  };

/** The stream that the flag names; undefined for none. Throws ConfigError. */
export function readFollowFlag(
  options: FollowOptions,
  log: LogSettings,
  roles: readonly Role[],
): FollowSettings | undefined {
  const { follow } = options;
  if (follow === undefined) return undefined;
  const flag = `--follow=${follow}`;
  if (!roles.includes("producer")) {
    throw new ConfigError(
      `${flag} has no effect without --role=producer; add that role, or leave ` +
        "the flag out",
    );
  }
  for (
    const [key, name] of [
      ["in", "--in"],
      ["sourceTopic", "--source-topic"],
      ["rate", "--rate"],
      ["speedup", "--speedup"],
    ] as const
  ) {
    if (options[key] === undefined) continue;
    throw new ConfigError(
      `${name} cannot be given with ${flag}, which takes the payments of that ` +
        `stream as fast as they are there; leave ${name} out`,
    );
  }
  refuseSimulated(options, flag);
  const settings = log.kind === "embedded"
    ? { log: { ...log, folder: follow }, place: resolve(follow) }
    : { log: { ...log, prefix: follow }, place: follow };
  const isSame = log.kind === "embedded"
    ? realPath(log.folder) === realPath(follow)
    : log.prefix === follow;
  if (!isSame) return settings;
  throw new ConfigError(
    `${flag} names the stream itself; name another one, or choose another ` +
      (log.kind === "embedded" ? "--data folder" : "--topic-prefix"),
  );
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return resolve(path); // it does not exist yet
  }
}

/** What a new stream takes from the one that it follows, where flags do not say otherwise; `hasDefinition` where --definition is given. */
export function followedDefaults(
  { parameters }: FollowedStream,
  hasDefinition: boolean,
): StreamParameters {
  if (!hasDefinition) return parameters;
  const { definition: _definition, matureDays: _mature, ...others } =
    parameters;
  return { ...others, features: HANDBOOK_FEATURES };
}

/**
 * The parameters of a stream that follows another one. Where that has deleted
 * its first payments, the largest jump in event time includes them, unless
 * --max-gap, `maxGap` in seconds, is given; ConfigError then.
 */
export function followingParameters(
  parameters: StreamParameters,
  { firstSeconds, startSeconds, parameters: old }: FollowedStream,
  settings: FollowSettings,
  maxGap: number | undefined,
): StreamParameters {
  const gap = firstSeconds === undefined || startSeconds === undefined
    ? 0
    : firstSeconds - startSeconds + parameters.latenessSeconds;
  const needed = Math.ceil(gap / DAY_SECONDS) * DAY_SECONDS;
  if (maxGap !== undefined && maxGap < needed) {
    throw new ConfigError(
      `${followFlag(settings)} has deleted its payments of the first ` +
        `${formatDuration(needed)}, a longer jump than ` +
        `--max-gap=${formatDuration(maxGap)}; leave --max-gap out`,
    );
  }
  return {
    ...parameters,
    partitioner: parameters.partitioner ?? old.partitioner,
    maxGapSeconds: Math.max(parameters.maxGapSeconds, needed),
  };
}
