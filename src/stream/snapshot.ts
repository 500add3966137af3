/**
 * Snapshots of a stage's state, one file per partition. They are caches: the
 * state is a function of the log, and a replay restores it. A snapshot saves
 * most of that replay if it belongs to exactly this stream, these parameters
 * and this log. Any other is ignored with one line, and removed, so that it
 * cannot seem to fit later, when the log has grown past it.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeFolder, removeIfThere } from "../base/durable_file.ts";
import { PRIVATE_FOLDER } from "../base/sqlite/private_file.ts";
import { holdsRecord } from "../log/log.ts";
import type { RecordMark } from "../log/record_batch.ts";
import type { StageCommit } from "./commit.ts";
import type { Checkpoint } from "./replay_marks.ts";
import { SnapshotFile, writeSnapshotFile } from "./snapshot_file.ts";
import type { Stage, StageMemory, StageState } from "./stage.ts";
import type { StreamContext } from "./stream_context.ts";

/** The version of the file's content: of its head, and of what the stages save. Raise it when either changes; a test compares. */
export const SNAPSHOT_FORMAT = 2;

/** What stands before the bytes of a state. */
interface SnapshotHead {
  readonly format: number;
  /** The stream, its parameters, the stage and the partition. */
  readonly owner: SnapshotOwner;
  /** Offset behind the last record in the state. */
  readonly offset: number;
  /** That record. */
  readonly last: RecordMark;
  /** Greatest TX_TIME_SECONDS in the state. */
  readonly progress: number;
  /** From where replays may begin. */
  readonly marks: readonly Checkpoint[];
}

/** What a snapshot belongs to. */
interface SnapshotOwner {
  readonly stream: string;
  /** Id of the stage's input, where the log knows one. */
  readonly topicId: string | null;
  /** SHA-256 of the stream's parameters. */
  readonly parameters: string;
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

/** Whose snapshots these are. */
export interface SnapshotPlace {
  /** What the stage works with. */
  readonly context: StreamContext;
  /** The stage. */
  readonly stage: Stage;
  /** Partition of its input. */
  readonly partition: number;
}

/** The snapshots of one partition of a stage. */
export class Snapshots {
  readonly #place: SnapshotPlace;
  readonly #owner: SnapshotOwner;
  readonly #folder: string;
  readonly #path: string;
  #savedAt: number | undefined;

  private constructor(
    place: SnapshotPlace,
    folder: string,
    owner: SnapshotOwner,
  ) {
    this.#place = place;
    this.#owner = owner;
    this.#folder = folder;
    const { group, partition } = owner;
    this.#path = join(folder, `${group}-${partition}.snapshot`);
  }

  /** Those of a partition; undefined where no folder is kept for them. */
  static of(place: SnapshotPlace): Snapshots | undefined {
    const { context: { snapshotFolder, control }, stage, partition } = place;
    const { identity, parameters } = control;
    if (snapshotFolder === undefined || !identity || !parameters) {
      return undefined;
    }
    const text = JSON.stringify(parameters);
    return new Snapshots(place, snapshotFolder, {
      stream: identity.id,
      topicId: identity.topics?.[stage.input] ?? null,
      parameters: createHash("sha256").update(text).digest("hex"),
      group: stage.group,
      topic: stage.input,
      partition,
    });
  }

  /**
   * Saves the state that a stage has at a committed offset. A snapshot that
   * cannot be written is one log line: the next start takes longer.
   */
  save(offset: number, state: StageState, memory: StageMemory): void {
    const { last, progress } = state;
    // Without the record before it, it cannot be matched with a log.
    if (offset === this.#savedAt || last === null) return;
    const head: SnapshotHead = {
      format: SNAPSHOT_FORMAT,
      owner: this.#owner,
      offset,
      last,
      progress: progress.seconds,
      marks: progress.marks,
    };
    const { logger } = this.#place.context;
    const began = performance.now();
    try {
      makeFolder(this.#folder, PRIVATE_FOLDER);
      writeSnapshotFile(this.#path, head, (sink) => memory.save(sink));
    } catch (error) {
      logger.warn("a snapshot was not written", {
        error: messageOf(error),
        then: "the next start replays the log, which takes longer",
      });
      return;
    }
    this.#savedAt = offset;
    const { group, partition } = this.#owner;
    const milliseconds = Math.round(performance.now() - began);
    logger.info("snapshot written", { group, partition, offset, milliseconds });
  }

  /** The snapshot from which a stage can continue to its commit at `offset`; undefined if there is none. */
  async find(
    offset: number,
    commit: StageCommit,
  ): Promise<Snapshot | undefined> {
    let file: SnapshotFile | undefined;
    try {
      file = SnapshotFile.open(this.#path);
    } catch (error) {
      this.refuse(messageOf(error));
    }
    if (!file) return undefined;
    const { head } = file;
    const reason = isHead(head)
      ? await this.#whyNot(head, offset, commit)
      : "another version wrote it";
    if (reason === undefined) return new Snapshot(file, head as SnapshotHead);
    file[Symbol.dispose]();
    this.refuse(reason);
    return undefined;
  }

  /** Why a snapshot cannot be used here; undefined if it can. */
  async #whyNot(
    head: SnapshotHead,
    offset: number,
    { replay }: StageCommit,
  ): Promise<string | undefined> {
    const { context: { log }, stage: { markedBytes } } = this.#place;
    const { topic, partition } = this.#owner;
    const owner: Readonly<Record<string, unknown>> = { ...head.owner };
    for (const [name, value] of Object.entries(this.#owner)) {
      if (owner[name] === value) continue;
      return `it belongs to another stream, stage or definition (${name})`;
    }
    if (head.offset > offset) {
      return `it is newer than the log: it stands at offset ${head.offset}, ` +
        `the stage's commit at ${offset}`;
    }
    if (head.offset < replay.offset) {
      return "it is older than the records that a replay begins with";
    }
    if (!await holdsRecord(log, topic, partition, head.last, markedBytes)) {
      return `the log holds another record at offset ${head.last.offset}`;
    }
    return undefined;
  }

  /** Logs why the snapshot is not used, and removes it. */
  refuse(reason: string): void {
    this.#savedAt = undefined;
    removeIfThere(this.#path);
    this.#place.context.logger.warn("a snapshot was ignored", {
      path: this.#path,
      reason,
      then: "replaying the log",
    });
  }

  /** Remembers that the snapshot was used: it is only written again at another offset. */
  used({ offset }: Snapshot): void {
    this.#savedAt = offset;
  }
}

/** A snapshot that fits, to be taken once. */
export class Snapshot implements Disposable {
  /** Offset behind the last record in it. */
  readonly offset: number;
  readonly #file: SnapshotFile;
  readonly #head: SnapshotHead;

  /** Made by Snapshots. */
  constructor(file: SnapshotFile, head: SnapshotHead) {
    this.offset = head.offset;
    this.#file = file;
    this.#head = head;
  }

  /** Loads it into an empty state. Returns what is wrong with it, if anything; the state is then unusable. */
  load(state: StageState, memory: StageMemory): string | undefined {
    const { progress, marks } = this.#head;
    state.progress.load(progress, marks);
    try {
      memory.load(this.#file);
      this.#file.end();
    } catch (error) {
      return messageOf(error);
    }
    return undefined;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

function isHead(value: unknown): value is SnapshotHead {
  const { format, owner, offset, last, progress, marks } =
    (value ?? {}) as Partial<SnapshotHead>;
  return format === SNAPSHOT_FORMAT && typeof owner === "object" &&
    owner !== null &&
    isCount(offset) && isCount(last?.offset) && isCount(last?.check) &&
    isCount(progress) && Array.isArray(marks) && marks.length > 0 &&
    marks.every((mark) => isCount(mark?.offset) && isCount(mark?.progress));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
