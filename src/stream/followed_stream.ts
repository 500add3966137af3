/**
 * The stream that another one follows: what the follower needs of it, whether
 * it may follow it, and the record by which it keeps what is still to be read.
 */
import { resolve } from "node:path";
import { ConfigError } from "../base/error.ts";
import {
  type FollowedFields,
  followedFields,
} from "../definition/followed_fields.ts";
import {
  compileExpression,
  type Expression,
} from "../definition/expression.ts";
import { paymentValues } from "../features/declared_features.ts";
import { logPath, type LogSettings, openLog } from "../log/open_log.ts";
import type { Log, LogReport } from "../log/log.ts";
import { formatDate } from "../payment/calendar.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { Control, controlRecords, type StreamParameters } from "./control.ts";
import type { Follower, FollowPosition } from "./follow_position.ts";
import { definitionOfStream, shapeOfStream } from "./stream_definition.ts";
import { isThere } from "./stored_stream.ts";
import { CONTROL_TOPIC, TRANSACTION_TOPIC } from "./topics.ts";

/** The log of a followed stream, and what its messages call it. */
export interface FollowSettings {
  /** Its log. */
  readonly log: LogSettings;
  /** Its data folder, as an absolute path, or its topic prefix. */
  readonly place: string;
}

/** What a stream says of itself to one that follows it. */
export interface FollowedStream {
  /** Its identity. */
  readonly id: string;
  /** What its roles agreed on. */
  readonly parameters: StreamParameters;
  /** Midnight of its first day, seconds since 1970; undefined before its first payment. */
  readonly startSeconds: number | undefined;
  /** Time of the first record that it has kept, seconds since 1970; undefined where it has kept all. */
  readonly firstSeconds: number | undefined;
  /** Whether its payments are a simulator's or a file's, not another program's. */
  readonly hasOrigin: boolean;
}

/** The flag that names a followed stream, for messages. */
export function followFlag({ place }: Pick<FollowSettings, "place">): string {
  return `--follow=${place}`;
}

/** Where a stream is, as its followers and the stream that it follows know it. */
export function placeOf(log: LogSettings): string {
  return log.kind === "embedded" ? resolve(log.folder) : log.prefix;
}

/** What the stream of the settings says of itself. Throws ConfigError if there is none, or one of a newer version. */
export async function readFollowed(
  settings: FollowSettings,
  report: LogReport,
): Promise<FollowedStream> {
  const { log: place } = settings;
  const flag = followFlag(settings);
  if (place.kind === "embedded" && !isThere(logPath(place.folder))) {
    throw new ConfigError(
      `${flag}: there is no stream in this folder; name the data folder of ` +
        "the stream whose payments this one is to have",
    );
  }
  await using log = await openLog(place, report);
  const isBegun = await log.endOffsets(CONTROL_TOPIC) !== undefined;
  if (!isBegun) {
    throw new ConfigError(
      `${flag}: there is no stream ` +
        (place.kind === "embedded" ? "in this folder" : "with this prefix") +
        "; start that stream first, or name another one",
    );
  }
  const control = new Control(log);
  await control.refresh();
  const stream = followedOf(control, flag);
  return { ...stream, firstSeconds: await firstKept(log) };
}

/** Time of the first record of transaction_topic where some were deleted before it, seconds since 1970. */
async function firstKept(log: Log): Promise<number | undefined> {
  const [state] = await log.topics([TRANSACTION_TOPIC]);
  let first: number | undefined;
  for (const [partition, start] of (state?.startOffsets ?? []).entries()) {
    if (start === 0) continue;
    const limit = { records: 1, bytes: 1 };
    const batch = await log.read(TRANSACTION_TOPIC, partition, start, limit);
    if (batch.count === 0) continue;
    first = Math.max(first ?? -Infinity, batch.timestamps[0] / 1000);
  }
  return first;
}

/** The same of its control topic, which was refreshed. */
export function followedOf(
  control: Control,
  flag: string,
): Omit<FollowedStream, "firstSeconds"> {
  const { identity, parameters, origin, begun } = control;
  if (identity && !parameters) {
    throw new ConfigError(
      `${flag}: a newer version of this program runs that stream; use that ` +
        "version here as well",
    );
  }
  if (!parameters || !identity) {
    throw new ConfigError(
      `${flag}: no role of this version has run there; start that stream ` +
        "once with this version, or this one with the version of that stream",
    );
  }
  return {
    id: identity.id,
    parameters,
    startSeconds: begun ?? parameters.startSeconds,
    hasOrigin: origin !== undefined,
  };
}

/**
 * How a stream of these parameters reads the records of another one. Throws
 * ConfigError where it cannot follow it.
 */
export function requireFollowable(
  { parameters: old, startSeconds, hasOrigin }: Omit<
    FollowedStream,
    "firstSeconds"
  >,
  parameters: StreamParameters,
  flag: string,
): FollowedFields {
  const differ = (name: string, found: string, wanted: string) =>
    new ConfigError(
      `${flag}: that stream has ${name}=${found}, and a stream that follows ` +
        `it has the same, not ${wanted}; leave ${name} out`,
    );
  if (old.partitions !== parameters.partitions) {
    // Payments of one card keep their order in any case, those of a terminal
    // and those of one second do not.
    throw differ(
      "--partitions",
      String(old.partitions),
      String(parameters.partitions),
    );
  }
  const { partitioner = "murmur2" } = old;
  const wanted = parameters.partitioner ?? partitioner;
  if (partitioner !== wanted) {
    throw differ("--partitioner", partitioner, wanted);
  }
  const start = parameters.startSeconds;
  const isOther = start !== undefined && startSeconds !== undefined &&
    start !== startSeconds;
  if (isOther) {
    throw differ("--start", formatDate(startSeconds), formatDate(start));
  }
  const before = definitionOfStream(old);
  const after = definitionOfStream(parameters);
  // The simulator's payments have the handbook's fields alone.
  const isSimulated = old.definition === undefined && hasOrigin;
  const known = isSimulated
    ? { ...before, payment: { ...before.payment, drop: "all" as const } }
    : before;
  const fields = followedFields(known, after, flag);
  if (after.labels.from === "stream") {
    requireLabelFields(parameters, fields.passed, flag);
  }
  return fields;
}

/** Throws ConfigError where a feature over labels needs a field that the labels of a followed stream do not have. */
function requireLabelFields(
  parameters: StreamParameters,
  passed: readonly string[],
  flag: string,
): void {
  const { declared } = parameters.features;
  const values = paymentValues(shapeOfStream(parameters), PAYMENT_CELLS);
  for (const { of, by, where, column } of declared?.aggregates ?? []) {
    if (of !== "TX_FRAUD") continue;
    const condition: Pick<Expression, "names"> = where === undefined
      ? { names: [] }
      : compileExpression(where, values);
    const field = [...by, ...condition.names].find((name) =>
      passed.includes(name)
    );
    if (field === undefined) continue;
    throw new ConfigError(
      `${flag}: the feature ${declared?.columns[column].name} is made of ` +
        `labels by '${field}', and the labels of that stream do not have it: ` +
        "its definition does not keep it; leave the feature out",
    );
  }
}

/** Throws ConfigError if the stream at a place is not the one that was followed so far. */
export function requireSameStream(
  position: FollowPosition,
  id: string,
  settings: FollowSettings,
): void {
  if (position.stream === id) return;
  throw new ConfigError(
    `${followFlag(settings)} is another stream than this one has followed so ` +
      `far, which was at ${position.place || "the empty prefix"}; name that ` +
      "one, or begin a new stream (another --data folder, on Kafka another " +
      "--topic-prefix)",
  );
}

/** Records in a followed stream what a follower still needs. */
export async function recordFollower(
  log: Log,
  follower: Follower,
  signal?: AbortSignal,
): Promise<void> {
  const records = controlRecords();
  records.putFollower(follower);
  const producer = await log.producer(
    `fraudstream-follower-${follower.id}`,
    signal,
  );
  await producer.append(records.appends());
}
