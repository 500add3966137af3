/**
 * The files role: writes the processor's output to one file per event day,
 * exactly once across restarts. Rows are appended to DATE.part; a manifest
 * holds the offset of each partition and the length of each file, so that a
 * start truncates what the manifest does not list and continues there. A
 * complete day is sorted by TRANSACTION_ID and renamed.
 */
import { join } from "node:path";
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { holdsRecord, type Log, READ_LIMIT } from "../log/log.ts";
import { PRIVATE_FOLDER } from "../base/sqlite/private_file.ts";
import { formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { DayFolder } from "../files/day_folder.ts";
import { FolderDamage, type PartitionFiles } from "../files/day_manifest.ts";
import { takeLock } from "../base/lock.ts";
import { type RunSettings } from "./role.ts";
import {
  featuresOf,
  isComplete,
  type StreamContext,
} from "../stream/stream_context.ts";
import { parseCommit, takenOffset } from "../stream/commit.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** Rows are on disk at most this long after they were read. */
const FLUSH_MS = 200;

/** Writes files until the sink topic is complete and written, or the context's signal. */
export async function runFiles(
  context: StreamContext,
  files: NonNullable<RunSettings["files"]>,
): Promise<void> {
  try {
    Deno.mkdirSync(files.folder, { recursive: true, mode: PRIVATE_FOLDER });
  } catch (error) {
    throw fileError(error, "make", files.folder);
  }
  using _lock = takeLock(
    join(files.folder, "manifest.lock"),
    `the files role on ${files.folder}`,
  );
  try {
    await keepFiles(context, await openFolder(context, files));
  } catch (error) {
    if (!(error instanceof FolderDamage)) throw error;
    const day = await firstWholeDay(context);
    const wayBack = day === undefined
      ? `delete the folder ${files.folder} and start again: it is filled ` +
        "again from the log"
      : `the log holds whole days from ${day} on: name another folder by ` +
        "--files, which gets those, and keep this one for the days before";
    throw new DataError(`${error.message}; ${wayBack}`, { cause: error });
  }
}

async function keepFiles(
  context: StreamContext,
  folder: DayFolder,
): Promise<void> {
  const { log, control, logger, signal, parameters } = context;
  const barrier = new DayBarrier(context);
  let flushed = performance.now();
  for (;;) {
    let moved = false;
    const start = await control.startSeconds(parameters.startSeconds);
    for (let partition = 0; partition < parameters.partitions; partition++) {
      const offset = folder.offsets[partition];
      const batch = await log.read(SINK_TOPIC, partition, offset, READ_LIMIT);
      if (batch.count === 0) continue;
      moved = true;
      folder.append(partition, batch, start);
    }
    const ended = !moved && await isDone(context, folder.offsets);
    const days = ended ? Infinity : await barrier.completeDays(folder.offsets);
    const due = performance.now() - flushed > FLUSH_MS || folder.full;
    if (ended || signal.aborted || due || folder.hasBefore(days)) {
      folder.flush();
      flushed = performance.now();
      for (const date of folder.complete(days)) {
        logger.info("day complete", { date });
      }
    }
    if (ended) { while (!signal.aborted && folder.verifyNext()); }
    if (ended || signal.aborted) return;
    // Nothing to do: verify the days of former runs.
    if (!moved && !folder.verifyNext()) await log.changed(50, signal);
  }
}

/**
 * Opens the folder and makes sure that it continues where the log does. A power
 * cut may have removed records from the end of the log that the files hold
 * already. Other records may take their place, so the folder is then filled
 * again from the beginning.
 */
async function openFolder(
  context: StreamContext,
  { folder: path, format }: NonNullable<RunSettings["files"]>,
): Promise<DayFolder> {
  const { log, control, logger, parameters } = context;
  await control.refresh();
  const folder = DayFolder.open({
    path,
    format,
    stream: control.identity?.id ?? "",
    features: featuresOf(context),
    shape: shapeOfStream(parameters),
    partitions: parameters.partitions,
    maxGapSeconds: parameters.maxGapSeconds,
  });
  const [sink] = await log.topics([SINK_TOPIC]);
  if (!sink) return folder;
  const { startOffsets, endOffsets } = sink;
  if (folder.partitions.every(({ offset, begin }) => offset === begin)) {
    folder.beginAt(startOffsets);
  }
  const begins = Math.max(...folder.partitions.map(({ begin }) => begin));
  if (begins > 0) {
    const day = await firstWholeDay(context);
    logger.warn(
      "the log no longer holds the first days: their files are missing or lack payments",
      { folder: path, wholeFrom: day },
    );
  }
  for (const [partition, known] of folder.partitions.entries()) {
    const kept = startOffsets[partition];
    const differs = known.offset > endOffsets[partition] ||
      await isOther(log, partition, known, kept);
    if (differs && startOffsets.every((offset) => offset === 0)) {
      logger.warn(
        "the log is not the one that the day files were made from, as after a power cut: filling the folder again",
        { folder: path, partition, offset: known.offset },
      );
      folder.startOver();
      return folder;
    }
    if (!differs && known.offset >= kept) continue;
    throw new DataError(
      `the files in ${path} end at offset ${known.offset} of ${SINK_TOPIC} ` +
        `partition ${partition}, and the log ` +
        (differs
          ? "lost records before it, as in a power cut"
          : `begins at ${kept} only`) +
        `; whole days are in it from ${await firstWholeDay(context)} on: ` +
        "name another folder with --files, which gets those, and keep this " +
        "one for the days before",
    );
  }
  return folder;
}

/** Whether the log now has another record in place of the last one that a folder has taken. */
async function isOther(
  log: Log,
  partition: number,
  { mark }: Readonly<PartitionFiles>,
  kept: number,
): Promise<boolean> {
  if (!mark || mark.offset < kept) return false;
  return !await holdsRecord(log, SINK_TOPIC, partition, mark);
}

/** The first day of which the log holds all payments; undefined if it holds all days. */
async function firstWholeDay(
  { log, parameters }: StreamContext,
): Promise<string | undefined> {
  const [sink] = await log.topics([SINK_TOPIC]);
  let first: number | undefined;
  for (const [partition, offset] of (sink?.startOffsets ?? []).entries()) {
    if (offset === 0) continue;
    const one = { records: 1, bytes: 1 };
    const batch = await log.read(SINK_TOPIC, partition, offset, one);
    const [timestamp = 0] = batch.timestamps.subarray(0, batch.count);
    first = Math.max(first ?? 0, timestamp / 1000);
  }
  if (first === undefined) return undefined;
  // Deleted records may be this much newer than the remaining ones.
  return formatDate(first + parameters.latenessSeconds + DAY_SECONDS);
}

async function isDone(
  context: StreamContext,
  offsets: readonly number[],
): Promise<boolean> {
  if (!await isComplete(context, SINK_TOPIC)) return false;
  const ends = await context.log.endOffsets(SINK_TOPIC) ?? [];
  return reached(offsets, ends);
}

/**
 * Knows which days are complete: every source partition's progress is past
 * their midnight and the lateness, and all that was emitted by then has come
 * through the second stage and been read here.
 */
class DayBarrier {
  readonly #context: StreamContext;
  #complete = 0;
  #days = 0;
  #waitFor: "nothing" | "terminal stage" | "reading" = "nothing";
  #ends: readonly number[] = [];

  constructor(context: StreamContext) {
    this.#context = context;
  }

  /** Days with a lower number are complete for a reader at these offsets. */
  async completeDays(offsets: readonly number[]): Promise<number> {
    const { log, parameters } = this.#context;
    const { latenessSeconds } = parameters;
    if (this.#waitFor === "nothing") {
      const source = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
      const progress = source.map((commit) => parseCommit(commit).progress);
      const reached = Math.min(...progress) - latenessSeconds;
      this.#days = Math.floor(reached / DAY_SECONDS);
      if (this.#days <= this.#complete) return this.#complete;
      this.#ends = await log.endOffsets(REPARTITION_TOPIC) ?? [];
      this.#waitFor = "terminal stage";
    }
    if (this.#waitFor === "terminal stage") {
      const commits = await log.committed(TERMINAL_GROUP, REPARTITION_TOPIC);
      const offsets = commits.map(takenOffset);
      if (!reached(offsets, this.#ends)) return this.#complete;
      this.#ends = await log.endOffsets(SINK_TOPIC) ?? [];
      this.#waitFor = "reading";
    }
    if (reached(offsets, this.#ends)) {
      this.#complete = this.#days;
      this.#waitFor = "nothing";
    }
    return this.#complete;
  }
}

function reached(
  offsets: readonly number[],
  ends: readonly number[],
): boolean {
  return ends.every((end, partition) => offsets[partition] >= end);
}
