/**
 * The work of `ingest`: takes the records of all partitions of another
 * program's topic in one order, and appends what they are to transaction_topic
 * or to the dead letters.
 *
 * The merge needs all partitions at once, so one process at a time does it:
 * the one that has the only partition of the control topic in the group of
 * `ingest`. The others stand by. Of the control topic it takes nothing. Its position in
 * the source is a record there, appended with the payments in one transaction.
 *
 * How long it waits for a partition depends on the clock, so what it appends is
 * no function of the source. What was appended is the log, and the position
 * says exactly what that was made of.
 */
import { type Clock, REAL_CLOCK, rest } from "../base/clock.ts";
import { isInStream, midnightOf } from "../definition/mapped_row.ts";
import { PaymentMapper } from "../definition/payment_mapper.ts";
import {
  needsHmacKey,
  type StreamDefinition,
} from "../definition/stream_definition.ts";
import type { Append, PartitionTask, Step } from "../log/log.ts";
import type { RecordBatch } from "../log/record_batch.ts";
import {
  formatDate,
  formatDatetime,
  formatDuration,
} from "../payment/calendar.ts";
import { alignmentSeconds } from "./alignment.ts";
import { implausible, isPlausible, type Refusal } from "./checks.ts";
import { controlRecords, type StreamParameters } from "./control.ts";
import { DeadLetterBox } from "./dead_letters.ts";
import { MappedRecords } from "./mapped_records.ts";
import { firstInCompany, nextPartition } from "./source_merge.ts";
import {
  remadeSource,
  type SourceLog,
  SourcePartition,
} from "./source_partition.ts";
import type { SourcePosition } from "./source_position.ts";
import { SourceRecord } from "./source_record.ts";

/** How another program's topic is read. */
export interface SourceSettings {
  /** Its name, without the stream's prefix. */
  readonly topic: string;
  /** How long a partition without records holds the others, seconds of the clock. */
  readonly idleAfterSeconds: number;
  /** How far ahead of the clock a payment may be, seconds. */
  readonly aheadSeconds: number;
  /** Whether it goes on where records were deleted before they were read. */
  readonly acceptsGaps: boolean;
}

/** What the task is made from. */
export interface SourceTaskOptions {
  /** What is read, and how. */
  readonly settings: SourceSettings;
  /** How its records are payments. */
  readonly definition: StreamDefinition;
  /** The key of pseudonyms, where the definition has any. */
  readonly hmacKey: Uint8Array | undefined;
  /** The log that holds the source, under its own names. */
  readonly source: SourceLog;
  /** The stream's parameters. */
  readonly parameters: StreamParameters;
  /** Where it continues. */
  readonly position: SourcePosition;
  /** Ends a wait for records. */
  readonly signal: AbortSignal;
  /** For the idle partitions; the machine's if absent. */
  readonly clock?: Clock | undefined;
  /** The time of day in seconds since 1970; the machine's if absent. */
  readonly timeOfDay?: (() => number) | undefined;
}

/** Records that a step takes at most, and dead letters among them. */
const STEP_RECORDS = 8192;
const STEP_LETTERS = 512;
/** How soon it looks again where there was nothing to take, milliseconds. */
const LOOK_MS = 40;

/** Takes the records of a source. */
export class SourceTask implements PartitionTask {
  readonly #options: SourceTaskOptions;
  readonly #clock: Clock;
  readonly #mapper: PaymentMapper;
  // Reads ahead of what is taken.
  readonly #ahead: SourceRecord;
  readonly #lateSeconds: number;
  readonly #isSecret: boolean;
  readonly #partitions: SourcePartition[] = [];
  readonly #records: MappedRecords;
  readonly #letters = new DeadLetterBox();
  readonly #counters: { -readonly [K in keyof Counters]: Counters[K] };
  #steps: number;
  #newest: number | null;
  #startSeconds: number | null;
  #taken = 0;
  #refused = 0;
  #isRested = true;

  /** Continues from a position. Throws ConfigError if the definition needs a key that is missing. */
  constructor(options: SourceTaskOptions) {
    const { parameters, position, definition, hmacKey } = options;
    const { features, latenessSeconds, dedupeSeconds = 0 } = parameters;
    this.#options = options;
    this.#clock = options.clock ?? REAL_CLOCK;
    this.#mapper = new PaymentMapper(definition, hmacKey);
    this.#ahead = new SourceRecord(this.#mapper);
    this.#isSecret = needsHmacKey(definition);
    this.#records = new MappedRecords(parameters);
    // The first stage judges what is younger: it knows repeated payments. What
    // is older could be missing from terminal features that are made already.
    this.#lateSeconds = Math.min(
      Math.max(latenessSeconds, dedupeSeconds),
      alignmentSeconds(features, latenessSeconds),
    );
    this.#counters = { ...position.counters };
    this.#steps = position.steps;
    this.#newest = position.newest;
    this.#startSeconds = position.startSeconds ??
      parameters.startSeconds ?? null;
    for (const [at, offset] of position.offsets.entries()) {
      this.#add(offset, position.reached[at]);
    }
  }

  /** Takes what is there of the source; nothing of the batch. */
  async step(batch: RecordBatch): Promise<Step> {
    this.#records.clear();
    this.#letters.clear();
    this.#taken = 0;
    this.#refused = 0;
    if (!this.#isRested) {
      await rest(LOOK_MS, this.#options.signal, this.#clock);
    }
    const hasMoved = await this.#look();
    await this.#merge();
    this.#isRested = hasMoved || this.#taken > 0;
    if (this.#isRested) this.#steps++;
    return {
      next: batch.offsets[0] ?? batch.next,
      metadata: stepsMetadata(this.#steps),
      appends: this.#isRested ? this.#appends() : [],
    };
  }

  /** Reads the partitions that have no records left here; true if an offset has moved over what is no record. */
  async #look(): Promise<boolean> {
    const { source, settings } = this.#options;
    // Before the request: a process that was suspended must look before it judges.
    const at = this.#clock.now();
    const ends = await source.endOffsets(settings.topic);
    if (!ends || ends.length < this.#partitions.length) {
      throw remadeSource(settings.topic);
    }
    while (this.#partitions.length < ends.length) this.#add(0, null);
    const before = this.#partitions.map(({ offset }) => offset);
    await Promise.all(
      this.#partitions.map((partition, i) =>
        partition.look(ends[i], at, ends.length)
      ),
    );
    return this.#partitions.some(({ offset }, i) => offset !== before[i]);
  }

  /** Takes records, the oldest first, up to one that has to wait. */
  async #merge(): Promise<void> {
    const { latenessSeconds } = this.#options.parameters;
    for (const partition of this.#partitions) await this.#load(partition);
    while (this.#taken < STEP_RECORDS && this.#refused < STEP_LETTERS) {
      const next = nextPartition(
        this.#partitions,
        this.#newest,
        latenessSeconds,
      );
      if (next === undefined) return;
      const partition = this.#partitions[next];
      this.#take(partition);
      await this.#load(partition);
    }
  }

  /** Finds a partition's next payment, and makes dead letters of the records before it. */
  async #load(partition: SourcePartition): Promise<void> {
    while (
      partition.headSeconds === undefined && this.#refused < STEP_LETTERS
    ) {
      if (!await partition.readOn(this.#partitions.length)) return;
      const { batch, index, record } = partition;
      const refusal = record.read(batch, index) ?? this.#judgeHead(partition);
      if (refusal) this.#refuse(partition, refusal);
      else partition.headSeconds = record.payment.datetimeSeconds;
    }
  }

  /** What is wrong with the time of the payment that was read, whatever the others hold. */
  #judgeHead(partition: SourcePartition): Refusal | undefined {
    const { parameters, settings: { aheadSeconds } } = this.#options;
    const { datetimeSeconds } = partition.record.payment;
    const subject = `TX_DATETIME ${formatDatetime(datetimeSeconds)} is`;
    if (datetimeSeconds > this.#latestSeconds()) {
      return {
        reason: "implausible",
        message: `${subject} more than ${formatDuration(aheadSeconds)} ` +
          "(--ahead) ahead of the clock; check the zone in the definition",
      };
    }
    const reached = partition.reachedSeconds ?? this.#firstTime([partition]) ??
      datetimeSeconds;
    if (isPlausible(datetimeSeconds, reached, parameters)) return undefined;
    return implausible(subject, parameters);
  }

  /** Greatest time that a payment may have, seconds since 1970. */
  #latestSeconds(): number {
    const { settings, timeOfDay = secondsOfDay } = this.#options;
    return timeOfDay() + settings.aheadSeconds;
  }

  /** Where payments begin in what has been read of some partitions, by all their times, seconds since 1970; undefined where there is none. */
  #firstTime(partitions: readonly SourcePartition[]): number | undefined {
    const record = this.#ahead;
    const latest = this.#latestSeconds();
    const times: number[] = [];
    for (const { batch, index } of partitions) {
      for (let at = index; at < batch.count; at++) {
        if (record.read(batch, at)) continue;
        const { datetimeSeconds } = record.payment;
        if (datetimeSeconds <= latest) times.push(datetimeSeconds);
      }
    }
    const { maxGapSeconds } = this.#options.parameters;
    return firstInCompany(times, maxGapSeconds);
  }

  #take(partition: SourcePartition): void {
    const { record } = partition;
    const { payment } = record;
    const { datetimeSeconds } = payment;
    const start = this.#startSeconds ??= midnightOf(
      this.#firstTime(this.#partitions) ?? datetimeSeconds,
    );
    const refusal = this.#judgeNext(datetimeSeconds, start);
    // A time that cannot be says nothing about the partition.
    if (!refusal || refusal.reason === "late") {
      partition.reachedSeconds = Math.max(
        partition.reachedSeconds ?? -Infinity,
        datetimeSeconds,
      );
    }
    if (refusal) return this.#refuse(partition, refusal);
    this.#newest = Math.max(this.#newest ?? -Infinity, datetimeSeconds);
    this.#records.add(payment, start, record.rest());
    this.#counters.emitted++;
    if (payment.fraud === 1) this.#counters.frauds++;
    this.#pass(partition);
  }

  /** What is wrong with a time that is the next in order, in a stream whose first day begins at `start`. */
  #judgeNext(datetimeSeconds: number, start: number): Refusal | undefined {
    const { parameters } = this.#options;
    const subject = `TX_DATETIME ${formatDatetime(datetimeSeconds)} is`;
    if (!isInStream(datetimeSeconds, start)) {
      return {
        reason: "out of range",
        message: datetimeSeconds < start
          ? `${subject} before the stream's first day, ` +
            `${formatDate(start)}; --start names an earlier one when a ` +
            "stream is created"
          : `${subject} more than 68 years after the stream's first day, ` +
            formatDate(start),
      };
    }
    const newest = this.#newest ?? start;
    // The first stage would find it in no partition's reach.
    if (!isPlausible(datetimeSeconds, newest, parameters)) {
      return implausible(subject, parameters, "the source's newest payment");
    }
    if (datetimeSeconds >= newest - this.#lateSeconds) return undefined;
    return {
      reason: "late",
      message: `${subject} more than ${formatDuration(this.#lateSeconds)} ` +
        `behind the source's newest payment at ${formatDatetime(newest)}`,
    };
  }

  #refuse(partition: SourcePartition, { reason, message }: Refusal): void {
    const { topic } = this.#options.settings;
    const place = { topic, partition: partition.number };
    const { batch, index } = partition;
    // What a pseudonym replaces enters our log nowhere.
    const shown = this.#isSecret
      ? { ...batch, positions: new Int32Array(batch.positions.length) }
      : batch;
    this.#letters.add(place, shown, index, reason, message);
    this.#counters.deadLettered++;
    this.#refused++;
    this.#pass(partition);
  }

  #pass(partition: SourcePartition): void {
    partition.pass();
    this.#counters.read++;
    this.#taken++;
  }

  #add(offset: number, reachedSeconds: number | null): void {
    const { source, settings } = this.#options;
    this.#partitions.push(
      new SourcePartition({
        source,
        topic: settings.topic,
        number: this.#partitions.length,
        offset,
        reachedSeconds,
        idleAfterMs: settings.idleAfterSeconds * 1000,
        acceptsGaps: settings.acceptsGaps,
        record: new SourceRecord(this.#mapper),
      }),
    );
  }

  #appends(): Append[] {
    const control = controlRecords();
    control.put("source", this.#position());
    return [
      ...this.#records.appends(),
      ...this.#letters.appends(),
      ...control.appends(),
    ];
  }

  #position(): SourcePosition {
    return {
      ...this.#options.position,
      steps: this.#steps,
      offsets: this.#partitions.map(({ offset }) => offset),
      reached: this.#partitions.map(({ reachedSeconds }) => reachedSeconds),
      newest: this.#newest,
      startSeconds: this.#startSeconds,
      lag: this.#partitions.reduce((sum, { lag }) => sum + lag, 0),
      counters: { ...this.#counters },
    };
  }
}

type Counters = SourcePosition["counters"];

/** The metadata of a commit: how many steps have led to it. */
function stepsMetadata(steps: number): string {
  return JSON.stringify({ steps });
}

function secondsOfDay(): number {
  return Date.now() / 1000;
}
