/**
 * The follower: takes the payments and labels of another stream's
 * transaction_topic in place of a producer, from the first record that is kept
 * there. Records and the position behind them are one atomic append, so each
 * record is taken exactly once, and a restart continues exactly there. It stays
 * in the partitions of the other stream, so its own log is what it would be if
 * it had had these payments from the start.
 */
import { ConfigError, LogError } from "../base/error.ts";
import { reportTo } from "../base/logger.ts";
import { openUnlessStopped } from "../base/unless_stopped.ts";
import type { Log, LogProducer, ReadLimit } from "../log/log.ts";
import { openLog } from "../log/open_log.ts";
import type { RecordBatch } from "../log/record_batch.ts";
import { formatDate } from "../payment/calendar.ts";
import { Control, controlRecords } from "../stream/control.ts";
import {
  completeFrom,
  type Follower,
  type FollowPosition,
  recordsBehind,
} from "../stream/follow_position.ts";
import { FollowedRecords } from "../stream/followed_records.ts";
import {
  followedOf,
  followFlag,
  type FollowSettings,
  recordFollower,
  requireFollowable,
  requireSameStream,
} from "../stream/followed_stream.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { TRANSACTION_TOPIC } from "../stream/topics.ts";
import { PRODUCER } from "./producing.ts";

/** How the follower is run. */
export interface FollowerOptions {
  /** The stream that it follows. */
  readonly follow: FollowSettings;
  /** Where its own stream is, for the status of the other one. */
  readonly place: string;
  /** Whether it goes on where records were deleted before they were read. */
  readonly acceptsGaps: boolean;
}

/** Records and bytes of one append, of all partitions. */
const STEP_RECORDS = 16_384;
const STEP_BYTES = 8 << 20;
/** After how many records a field that none had is worth a warning. */
const UNSEEN_RECORDS = 1000;
/** How long it waits for records before it looks again, milliseconds. */
const LOOK_MS = 50;
/** How often it says in the other stream what it needs there, milliseconds. */
const RECORD_MS = 5000;

/** Takes the records of a stream until that has ended, or the context's signal. Throws ConfigError if it cannot follow it. */
export async function runFollower(
  context: StreamContext,
  options: FollowerOptions,
): Promise<void> {
  const { control, logger, signal } = context;
  const { follow } = options;
  const producer = await context.log.producer(PRODUCER, signal);
  await control.refresh();
  const { origin, source } = control;
  const isOther = origin || source || control.follow?.isOver;
  if (isOther && !control.end(TRANSACTION_TOPIC)) {
    throw new ConfigError(
      `${
        followFlag(follow)
      }: this stream has other payments already; only a new ` +
        "stream can follow another one: choose another --data folder (on Kafka " +
        "another --topic-prefix)",
    );
  }
  const opening = openLog(follow.log, reportTo(logger), signal);
  await using opened = await openUnlessStopped(opening, signal);
  if (!opened) return;
  const old = new Control(opened.resource);
  await old.refresh();
  if (control.end(TRANSACTION_TOPIC)) {
    logger.info("all payments are published already");
    // It may have been killed before it could say so.
    const { identity } = control;
    const known = old.followers.find(({ id }) => id === identity?.id);
    if (known) {
      await recordFollower(opened.resource, { ...known, isOver: true });
    }
    return;
  }
  const work = new FollowerWork(context, options, {
    log: opened.resource,
    control: old,
    producer,
  });
  await work.begin();
  while (!signal.aborted) if (await work.step()) break;
  await work.end();
}

/** The stream that is followed, opened. */
interface OldStream {
  readonly log: Log;
  readonly control: Control;
  /** The producer of the stream that follows it. */
  readonly producer: LogProducer;
}

/** The work of a follower that is the only one of its stream. */
class FollowerWork {
  readonly #context: StreamContext;
  readonly #options: FollowerOptions;
  readonly #old: OldStream;
  readonly #records: FollowedRecords;
  readonly #limit: ReadLimit;
  #position: FollowPosition;
  #recordedAt = -Infinity;
  #recorded: readonly number[] | undefined;
  #hasEnded = false;
  #isWarned: boolean;

  constructor(
    context: StreamContext,
    options: FollowerOptions,
    old: OldStream,
  ) {
    const { parameters, control } = context;
    const { follow } = options;
    const flag = followFlag(follow);
    const found = followedOf(old.control, flag);
    const { mapping } = requireFollowable(found, parameters, flag);
    this.#context = context;
    this.#options = options;
    this.#old = old;
    this.#records = new FollowedRecords({
      old: found.parameters,
      parameters,
      mapping,
    });
    const { partitions } = parameters;
    this.#limit = {
      records: Math.ceil(STEP_RECORDS / partitions),
      bytes: Math.ceil(STEP_BYTES / partitions),
    };
    this.#isWarned = control.follow !== undefined;
    if (control.follow) requireSameStream(control.follow, found.id, follow);
    this.#position = {
      ...control.follow ?? {
        startSeconds: found.startSeconds ?? null,
        offsets: Array.from({ length: partitions }, () => 0),
        sinceSeconds: old.control.follow?.sinceSeconds ?? null,
        records: 0,
        lag: 0,
      },
      stream: found.id,
      place: follow.place,
    };
  }

  /** Finds where to continue, and lets the other stream keep what follows. */
  async begin(): Promise<void> {
    const { log } = this.#old;
    const [state] = await log.topics([TRANSACTION_TOPIC]);
    const ends = state?.endOffsets ?? [];
    const { offsets, records } = this.#position;
    if (offsets.some((offset, partition) => offset > (ends[partition] ?? 0))) {
      throw new LogError(
        `${followFlag(this.#options.follow)}: the log of that stream ends ` +
          "before what this one has taken of it: it has lost records, or an " +
          "older copy was put back; begin a new stream",
      );
    }
    await this.#recordFollower();
    this.#context.logger.info("following a stream", {
      place: this.#position.place,
      records,
      lag: recordsBehind(ends, offsets),
    });
  }

  /** Takes what is there, or waits for more; true at the end of the other stream. */
  async step(): Promise<boolean> {
    const { log, control, producer } = this.#old;
    // The end is marked together with the last records, or after them.
    await control.refresh();
    const isEnding = control.end(TRANSACTION_TOPIC) !== undefined;
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
    this.#records.clear();
    const offsets: number[] = [];
    let records = 0;
    for (const [partition, from] of this.#position.offsets.entries()) {
      const batch = from < ends[partition]
        ? await log.read(TRANSACTION_TOPIC, partition, from, this.#limit)
        : undefined;
      if (batch && batch.count > 0) await this.#look(batch, partition, from);
      if (batch) this.#records.add(batch, partition);
      offsets.push(batch?.next ?? from);
      records += batch?.count ?? 0;
    }
    const isAll = offsets.every((offset, at) => offset >= ends[at]);
    const hasEnded = isEnding && isAll && !await this.#hasGrown(ends);
    // What a log keeps between records is passed as well.
    const hasMoved = offsets.some((offset, at) =>
      offset !== this.#position.offsets[at]
    );
    if (!hasMoved && !hasEnded) {
      await this.#wait();
      return false;
    }
    await this.#learnStart();
    this.#position = {
      ...this.#position,
      offsets,
      records: this.#position.records + records,
      lag: recordsBehind(ends, offsets),
    };
    const put = controlRecords();
    put.put("follow", this.#position);
    const end = control.end(TRANSACTION_TOPIC);
    if (hasEnded && end) put.putEnd(TRANSACTION_TOPIC, end);
    await producer.append([...this.#records.appends(), ...put.appends()]);
    this.#hasEnded = hasEnded;
    this.#warnOfUnseen();
    if (!hasEnded) await this.#recordIfDue();
    return hasEnded;
  }

  /** Says in the other stream where this one stands. */
  async end(): Promise<void> {
    await this.#recordFollower();
    this.#context.logger.info("followed a stream", {
      place: this.#position.place,
      records: this.#position.records,
      lag: this.#position.lag,
      complete: this.#hasEnded,
    });
  }

  /** Whether more came behind some ends. */
  async #hasGrown(ends: readonly number[]): Promise<boolean> {
    const now = await this.#old.log.endOffsets(TRANSACTION_TOPIC) ?? [];
    return now.some((end, partition) => end > ends[partition]);
  }

  /** Looks whether records are missing before the first of a batch, which was read from an offset. */
  async #look(
    batch: RecordBatch,
    partition: number,
    from: number,
  ): Promise<void> {
    if (from > 0 && batch.offsets[0] === from) return;
    const { log } = this.#old;
    const [state] = await log.topics([TRANSACTION_TOPIC]);
    const start = state?.startOffsets[partition] ?? 0;
    if (start <= from) return;
    const { acceptsGaps, follow } = this.#options;
    if (from > 0 && !acceptsGaps) {
      throw new LogError(
        `${
          followFlag(follow)
        }: the records of ${TRANSACTION_TOPIC} partition ` +
          `${partition} from offset ${from} to ${start} were deleted before ` +
          "they were read; --accept-missing-start goes on without them",
      );
    }
    const since = batch.timestamps[0] / 1000;
    const { sinceSeconds } = this.#position;
    if (sinceSeconds !== null && sinceSeconds >= since) return;
    this.#position = { ...this.#position, sinceSeconds: since };
    const { parameters, logger } = this.#context;
    logger.warn("the followed stream no longer has its first payments", {
      partition,
      first: formatDate(since),
      completeFeaturesFrom: formatDate(completeFrom(since, parameters)),
    });
  }

  /** Says once which fields no payment has had: they may be named wrongly. */
  #warnOfUnseen(): void {
    if (this.#isWarned || this.#position.records < UNSEEN_RECORDS) return;
    this.#isWarned = true;
    const { unseen } = this.#records;
    if (unseen.length === 0) return;
    this.#context.logger.warn(
      "fields of the definition are in no payment yet",
      {
        fields: unseen,
        records: this.#position.records,
        then: "they are missing until a payment has them; check their names",
      },
    );
  }

  /** Takes over the first day of the other stream, once it has one. */
  async #learnStart(): Promise<void> {
    if (this.#position.startSeconds !== null) return;
    const { control } = this.#old;
    await control.refresh();
    const startSeconds = control.begun ?? null;
    this.#position = { ...this.#position, startSeconds };
  }

  async #wait(): Promise<void> {
    await this.#recordIfDue();
    await this.#old.log.changed(LOOK_MS, this.#context.signal);
  }

  async #recordIfDue(): Promise<void> {
    if (this.#recorded === this.#position.offsets) return;
    if (performance.now() < this.#recordedAt + RECORD_MS) return;
    await this.#recordFollower();
  }

  /** Lets the other stream know what this one still needs of it. */
  async #recordFollower(): Promise<void> {
    const { control, signal } = this.#context;
    const { place } = this.#options;
    const id = control.identity?.id;
    if (id === undefined) throw new LogError("no role has agreed on a stream");
    const follower: Follower = {
      id,
      place,
      offsets: this.#position.offsets,
      at: new Date().toISOString(),
      ...this.#hasEnded ? { isOver: true } : {},
    };
    await recordFollower(this.#old.log, follower, signal);
    this.#recordedAt = performance.now();
    this.#recorded = follower.offsets;
  }
}
