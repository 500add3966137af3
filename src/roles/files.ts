/**
 * The files role: keeps what leaves the processor in one file an event day,
 * exactly once across restarts. Rows are appended to DATE.part; a manifest
 * holds the offset of each partition and the length of each file, so that a
 * start cuts off what the manifest does not know and goes on there. A complete
 * day is sorted by TRANSACTION_ID and renamed.
 */
import { join } from "node:path";
import { READ_LIMIT } from "../log/log.ts";
import { PRIVATE_FOLDER } from "../sqlite/private_file.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import { DayFolder } from "./day_folder.ts";
import { takeLock } from "./lock.ts";
import {
  featuresOf,
  isComplete,
  type RoleContext,
  type RunSettings,
} from "./role.ts";
import { parseCommit, takenOffset } from "./stage_commit.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "./topics.ts";

/** Rows are on disk at the latest so much after they were read. */
const FLUSH_MS = 200;

/** Keeps files until the sink topic is complete and kept, or the context's signal. */
export async function runFiles(
  context: RoleContext,
  files: NonNullable<RunSettings["files"]>,
): Promise<void> {
  const { log, control, logger, signal, parameters } = context;
  Deno.mkdirSync(files.folder, { recursive: true, mode: PRIVATE_FOLDER });
  using _lock = takeLock(
    join(files.folder, "manifest.lock"),
    `the files role on ${files.folder}`,
  );
  const folder = DayFolder.open({
    path: files.folder,
    format: files.format,
    features: featuresOf(context),
    partitions: parameters.partitions,
    maxGapSeconds: parameters.maxGapSeconds,
  });
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
    if (ended || signal.aborted) return;
    if (!moved) await log.changed(50, signal);
  }
}

async function isDone(
  context: RoleContext,
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
  readonly #context: RoleContext;
  #complete = 0;
  #days = 0;
  #waitFor: "nothing" | "terminal stage" | "reading" = "nothing";
  #ends: readonly number[] = [];

  constructor(context: RoleContext) {
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
