/**
 * Moves the source of a followed stream to the stream that has followed it: the
 * place where the producer or `ingest` of the one stands becomes that of the
 * other, once this has every record that they have published. The producer of
 * the followed stream is fenced, so nothing can come there meanwhile.
 */
import { join } from "node:path";
import { ConfigError, LogError } from "../base/error.ts";
import { LockHeldError, takeLock } from "../base/lock.ts";
import type { Log, LogReport } from "../log/log.ts";
import { type LogSettings, openLog } from "../log/open_log.ts";
import {
  Control,
  controlRecords,
  type ProducerPosition,
  type StreamParameters,
} from "../stream/control.ts";
import {
  type FollowPosition,
  recordsBehind,
} from "../stream/follow_position.ts";
import {
  followedOf,
  followFlag,
  placeOf,
  recordFollower,
  requireSameStream,
} from "../stream/followed_stream.ts";
import { INGEST_GROUP, TRANSACTION_TOPIC } from "../stream/topics.ts";
import { labelSeconds } from "./label_feed.ts";
import { PRODUCER } from "./producing.ts";

/** A stream whose source is to move to another one. */
export interface MovingStreams {
  /** The followed stream. */
  readonly old: { readonly log: Log; readonly control: Control };
  /** The one that follows it. */
  readonly own: { readonly log: Log; readonly control: Control };
  /** Where the latter is. */
  readonly place: string;
  /** The flag that names the followed stream, for messages. */
  readonly flag: string;
}

/**
 * Moves the source of the stream that the one in `settings` has followed so far
 * to that one. Throws ConfigError while it is in use, or has records that were
 * not taken.
 */
export async function takeOver(
  settings: LogSettings,
  follow: FollowPosition,
  report: LogReport,
): Promise<void> {
  const oldSettings = logAt(settings, follow.place);
  using _locks = takeLocks([settings, oldSettings]);
  await using log = await openLog(settings, report);
  const control = new Control(log);
  await using oldLog = await openLog(oldSettings, report);
  const oldControl = new Control(oldLog);
  const flag = followFlag(follow);
  await oldControl.refresh();
  const { id } = followedOf(oldControl, flag);
  requireSameStream(follow, id, { log: oldSettings, place: follow.place });
  await moveSource({
    old: { log: oldLog, control: oldControl },
    own: { log, control },
    place: placeOf(settings),
    flag,
  });
}

/** Does so in open logs, whose processes are kept from producing. Throws ConfigError as takeOver() does. */
export async function moveSource(streams: MovingStreams): Promise<void> {
  const { old, own, place, flag } = streams;
  await old.control.refresh();
  const { parameters } = followedOf(old.control, flag);
  if (await old.log.members(INGEST_GROUP) > 0) throw inUse(flag);
  await requireAllTaken(streams);
  await old.log.producer(PRODUCER);
  const producer = await own.log.producer(PRODUCER);
  // What was still being appended has come by now.
  const position = await requireAllTaken(streams);
  const moved = movedRecords(streams, parameters, position);
  const { identity } = own.control;
  if (!identity) throw new LogError("no role has agreed on a stream");
  // First there: repeated after a crash, the rest follows.
  await recordFollower(old.log, {
    id: identity.id,
    place,
    offsets: position.offsets,
    at: new Date().toISOString(),
    isOver: true,
    hasSource: true,
  });
  await producer.append(moved);
}

/** The log of the stream at a place. */
function logAt(settings: LogSettings, place: string): LogSettings {
  return settings.kind === "embedded"
    ? { ...settings, folder: place }
    : { ...settings, prefix: place };
}

/** Keeps other processes from producing in folders. Throws ConfigError if one does. */
function takeLocks(places: readonly LogSettings[]): Disposable {
  using locks = new DisposableStack();
  for (const place of places) {
    if (place.kind !== "embedded") continue;
    const { folder } = place;
    try {
      const path = join(folder, "producer.lock");
      locks.use(takeLock(path, `the producer on ${folder}`));
    } catch (error) {
      if (!(error instanceof LockHeldError)) throw error;
      throw inUse(`--data=${folder}`);
    }
  }
  return locks.move();
}

function inUse(place: string): ConfigError {
  return new ConfigError(
    `${place}: payments are still published to this stream; stop that process ` +
      "first, so that the source can move, or give --follow to go on following",
  );
}

/** The position in the followed stream. Throws ConfigError unless it is the end. */
async function requireAllTaken(
  { own, old, flag }: MovingStreams,
): Promise<FollowPosition> {
  await own.control.refresh();
  await old.control.refresh();
  const { follow } = own.control;
  if (!follow) throw new LogError("the stream follows no other one");
  const ends = await old.log.endOffsets(TRANSACTION_TOPIC) ?? [];
  const left = recordsBehind(ends, follow.offsets);
  if (left === 0) return follow;
  throw new ConfigError(
    `this stream follows another one, and has still to take ${left} of its ` +
      `records: give ${flag} until it has taken them, then leave it out to ` +
      "move the source to this stream",
  );
}

/** Records that say in the own stream where its producer or `ingest` continues. */
function movedRecords(
  { own, old: { control } }: MovingStreams,
  old: StreamParameters,
  follow: FollowPosition,
) {
  const { parameters } = own.control;
  const { origin, position, source } = control;
  const records = controlRecords();
  records.put("follow", { ...follow, isOver: true });
  if (origin) records.put("origin", origin);
  if (position) {
    if (parameters && labelSeconds(parameters) !== labelSeconds(old)) {
      throw new ConfigError(
        "the source publishes its labels itself, and by this definition they " +
          "are known after another time than by that of the followed stream: " +
          "it cannot move; give both the same labels",
      );
    }
    const isSame = parameters?.definition?.sha256 === old.definition?.sha256;
    records.put("position", isSame ? position : withoutDigest(position));
  }
  if (source) records.put("source", source);
  for (let number = 0;; number++) {
    const stamp = control.file(number);
    if (!stamp) break;
    records.putFile(number, stamp);
  }
  return records.appends();
}

/** A position without the digest of its payment, which another definition maps to another one. */
function withoutDigest(
  { last: _last, ...position }: ProducerPosition,
): ProducerPosition {
  return position;
}
