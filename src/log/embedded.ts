/**
 * The log in a folder: one SQLite file in WAL mode that several processes may
 * use at once. A batch of records is one blob; a step of the atomic kind is
 * one transaction. A group's work is done by one process at a time, which the
 * roles' locks see to; a commit compares the offset with the one it read.
 */
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { ConfigError, LogError } from "../error/error.ts";
import {
  decodeBatch,
  encodeBatch,
  encodeRecords,
  joinBatches,
} from "./batch_codec.ts";
import type {
  Append,
  Commit,
  ConsumeOptions,
  Log,
  LogProducer,
  PartitionTask,
  ReadLimit,
  Step,
  TopicSpec,
  TopicState,
} from "./log.ts";
import { batchTail, emptyBatch, type RecordBatch } from "./record_batch.ts";
import { Sqlite } from "../sqlite/sqlite.ts";

const SCHEMA = `
CREATE TABLE topic (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  partitions INTEGER NOT NULL,
  compacted INTEGER NOT NULL
) STRICT;
CREATE TABLE batch (
  topic INTEGER NOT NULL REFERENCES topic,
  partition INTEGER NOT NULL,
  base_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  record_key BLOB,
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX batch_place ON batch (topic, partition, next_offset);
CREATE INDEX batch_key ON batch (topic, partition, record_key)
  WHERE record_key IS NOT NULL;
CREATE TABLE group_offset (
  consumer_group TEXT NOT NULL,
  topic INTEGER NOT NULL REFERENCES topic,
  partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE producer (
  id TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

const POLL_MS = 4;

/** How an embedded log is opened. */
export interface EmbeddedLogOptions {
  /** The SQLite file. */
  readonly path: string;
  /** Whether every commit waits for the disk; without it a power cut may lose the last steps, never consistency. */
  readonly durable: boolean;
}

interface Topic {
  readonly id: number;
  readonly spec: TopicSpec;
}

/** A step of one partition together with where it started. */
export interface PlannedStep<S extends Step = Step> {
  /** Partition of the input. */
  readonly partition: number;
  /** The group's offset when the step was made. */
  readonly from: number;
  /** What the step led to. */
  readonly step: S;
}

/** Blobs that are ready to be inserted. */
interface Encoded {
  readonly topic: Topic;
  readonly partition: number;
  readonly blobs: readonly {
    readonly count: number;
    readonly key: Uint8Array | null;
    readonly data: Uint8Array;
  }[];
}

/** The log of one data folder. */
export class EmbeddedLog implements Log {
  readonly #sqlite: Sqlite;
  readonly #topics = new Map<string, Topic>();
  readonly #statements: ReturnType<typeof prepareStatements>;
  #seenVersion = -1;
  #news = 0;
  #toldNews = 0;

  /** Opens the log, making an empty one if there is none. */
  constructor(options: EmbeddedLogOptions) {
    this.#sqlite = new Sqlite({
      path: options.path,
      what: "log",
      version: 1,
      schema: SCHEMA,
      durable: options.durable,
      error: (message, cause) => new LogError(message, cause),
    });
    this.#statements = prepareStatements(this.#sqlite);
  }

  /** See Log. */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.checkTopics(specs);
    await this.#sqlite.transaction(() => {
      for (const { name, partitions, compacted } of specs) {
        this.#statements.addTopic.run(name, partitions, compacted ? 1 : 0);
      }
    });
    await this.checkTopics(specs);
  }

  /** See Log. */
  async checkTopics(specs: readonly TopicSpec[]): Promise<void> {
    const topics = await this.topics(specs.map(({ name }) => name));
    for (const found of topics) {
      const spec = specs.find(({ name }) => name === found.name);
      if (!spec) continue;
      if (found.partitions !== spec.partitions) {
        throw new ConfigError(
          `topic ${spec.name} has ${found.partitions} partitions, not ` +
            `${spec.partitions}: give --partitions=${found.partitions} or ` +
            `choose another --data folder`,
        );
      }
      if (found.compacted !== spec.compacted) {
        throw new ConfigError(
          `topic ${spec.name} is ${found.compacted ? "" : "not "}compacted`,
        );
      }
    }
  }

  /** See Log; nobody can add any here. */
  checkPartitions(): Promise<void> {
    return Promise.resolve();
  }

  /** See Log. */
  topics(names: readonly string[]): Promise<TopicState[]> {
    return this.#sqlite.retry(() =>
      names.flatMap((name) => {
        const found = this.#findTopic(name);
        if (!found) return [];
        const { id, spec } = found;
        const partitions = [...Array(spec.partitions).keys()];
        return [{
          ...spec,
          startOffsets: partitions.map((p) => this.#startOffset(id, p)),
          endOffsets: partitions.map((p) => this.#endOffset(id, p)),
        }];
      })
    );
  }

  /** See Log. */
  endOffsets(topic: string): Promise<number[] | undefined> {
    return this.#sqlite.retry(() => {
      const found = this.#findTopic(topic);
      if (!found) return undefined;
      return Array.from(
        { length: found.spec.partitions },
        (_, partition) => this.#endOffset(found.id, partition),
      );
    });
  }

  /** See Log; hands out whole stored batches, so the last may go beyond the limit. */
  async read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    const { id } = this.#topic(topic);
    return await this.#sqlite.retry(() => {
      const batches: RecordBatch[] = [];
      let count = 0;
      let size = 0;
      let from = offset;
      while (count < limit.records && size < limit.bytes) {
        const row = this.#statements.batchAt.get(id, partition, from);
        if (!row) break;
        const place = `${topic} partition ${partition}`;
        const batch = decodeRow(row, from, place);
        from = Number(row.next_offset);
        batches.push(batch);
        count += batch.count;
        size += batch.bytes.length;
      }
      return batches.length === 0 ? emptyBatch(offset) : joinBatches(batches);
    });
  }

  /** See Log. */
  async committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]> {
    const found = this.#findTopic(topic);
    if (!found) return [];
    const { id, spec } = found;
    return await this.#sqlite.retry(() => {
      const commits: (Commit | undefined)[] = Array(spec.partitions).fill(
        undefined,
      );
      for (const row of this.#statements.commits.all(group, id)) {
        commits[Number(row.partition)] = {
          offset: Number(row.next_offset),
          metadata: String(row.metadata),
        };
      }
      return commits;
    });
  }

  /** See Log; whole stored batches go, and the last one stays so that offsets go on from it. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    const { id } = this.#topic(topic);
    await this.#write(() => {
      const last = this.#endOffset(id, partition);
      this.#statements.trim.run(id, partition, before, last);
    });
  }

  /** See Log. */
  async producer(id: string): Promise<LogProducer> {
    const epoch = await this.#sqlite.transaction(() => {
      this.#statements.fence.run(id);
      return this.#epoch(id);
    });
    return {
      append: async (appends) => {
        const encoded = this.#encode(appends);
        await this.#write(() => {
          if (this.#epoch(id) !== epoch) {
            throw new LogError(
              `producer ${id} has been replaced by a newer one; stop one of ` +
                `the two`,
            );
          }
          this.#append(encoded);
        });
      },
    };
  }

  /** See Log. All partitions' steps of a round are one transaction. */
  async consume<S extends Step>(options: ConsumeOptions<S>): Promise<void> {
    const { group, topic, limit, signal } = options;
    const { partitions } = this.#topic(topic).spec;
    const commits = await this.committed(group, topic);
    const tasks: PartitionTask<S>[] = [];
    const offsets = commits.map((commit) => commit?.offset ?? 0);
    const metadata = commits.map((commit) => commit?.metadata);
    const pending: (RecordBatch | undefined)[] = [];
    for (let p = 0; p < partitions; p++) {
      if (signal.aborted) return;
      tasks.push(await options.open(p, commits[p]));
      const { start } = tasks[p];
      if (!start) continue;
      const step = {
        next: start.offset,
        metadata: start.metadata,
        appends: [],
      };
      await this.commit(group, topic, [
        { partition: p, from: offsets[p], step },
      ]);
      offsets[p] = start.offset;
      metadata[p] = start.metadata;
    }
    while (!signal.aborted) {
      const seen = this.#look();
      const planned: PlannedStep<S>[] = [];
      let moved = false;
      for (let p = 0; p < partitions; p++) {
        const batch = pending[p] ??
          await this.read(topic, p, offsets[p], limit);
        if (batch.count === 0) continue;
        const step = await tasks[p].step(batch);
        pending[p] = remaining(batch, step.next);
        moved ||= step.next !== offsets[p];
        const news = step.next !== offsets[p] || step.metadata !== metadata[p];
        if (news) {
          planned.push({ partition: p, from: offsets[p], step });
        }
      }
      if (planned.length > 0) {
        await options.prepare?.(planned.map(({ step }) => step));
        await this.commit(group, topic, planned);
      }
      for (const { partition: p, step } of planned) {
        offsets[p] = step.next;
        metadata[p] = step.metadata;
        tasks[p].committed?.(step);
      }
      if (moved) await setImmediate(); // lets other tasks of this thread run
      else if (await options.idle()) return;
      else await this.#changedSince(seen, 50, signal);
    }
  }

  /**
   * Commits steps of a group, all or nothing. Throws LogError if the group
   * no longer stands where a step started: somebody else has moved it.
   */
  async commit(
    group: string,
    topic: string,
    steps: readonly PlannedStep[],
  ): Promise<void> {
    const { id } = this.#topic(topic);
    const encoded = steps.map(({ step }) => this.#encode(step.appends));
    await this.#write(() => {
      for (const [i, { partition, from, step }] of steps.entries()) {
        const row = this.#statements.commitAt.get(group, id, partition);
        const found = row ? Number(row.next_offset) : 0;
        if (found !== from) {
          throw new LogError(
            `group ${group} stands at offset ${found} of ${topic} partition ` +
              `${partition}, not at ${from}: another process works for it; ` +
              `stop one of the two`,
          );
        }
        this.#append(encoded[i]);
        this.#statements.setCommit.run(
          group,
          id,
          partition,
          step.next,
          step.metadata,
        );
      }
    });
  }

  /** See Log. */
  async changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await this.#changedSince(this.#toldNews, timeoutMs, signal);
    this.#toldNews = this.#news;
  }

  /** Waits until #look() gives another number than `seen`, or the timeout. */
  async #changedSince(
    seen: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!signal.aborted) {
      if (this.#look() !== seen || performance.now() >= deadline) return;
      await delay(POLL_MS);
    }
  }

  /** A number that grows with what anyone appends or commits. */
  #look(): number {
    const version = Number(this.#statements.dataVersion.get()?.data_version);
    if (version !== this.#seenVersion) this.#news++;
    this.#seenVersion = version;
    return this.#news;
  }

  /** Closes the log. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#sqlite.close();
    return Promise.resolve();
  }

  async #write(body: () => void): Promise<void> {
    await this.#sqlite.transaction(body);
    this.#news++; // the file's version tells of other connections only
  }

  /** Deflating takes longest, so it is done before the lock is taken. */
  #encode(appends: readonly Append[]): Encoded[] {
    return appends.filter(({ records }) => records.count > 0).map(
      ({ topic: name, partition, records }) => {
        const topic = this.#topic(name);
        const blobs = topic.spec.compacted
          ? encodeRecords(records)
          : [{ count: records.count, key: null, data: encodeBatch(records) }];
        return { topic, partition, blobs };
      },
    );
  }

  #append(appends: readonly Encoded[]): void {
    const { removeKey, addBatch } = this.#statements;
    for (const { topic: { id }, partition, blobs } of appends) {
      let end = this.#endOffset(id, partition);
      for (const { count, key, data } of blobs) {
        if (key) removeKey.run(id, partition, key);
        addBatch.run(id, partition, end, end + count, key, data);
        end += count;
      }
    }
  }

  #epoch(id: string): number {
    return Number(this.#statements.epoch.get(id)?.epoch);
  }

  #startOffset(topic: number, partition: number): number {
    const row = this.#statements.batchAt.get(topic, partition, -1);
    return row ? Number(row.base_offset) : 0;
  }

  #endOffset(topic: number, partition: number): number {
    const row = this.#statements.end.get(topic, partition);
    return row ? Number(row.next_offset) : 0;
  }

  #topic(name: string): Topic {
    const topic = this.#findTopic(name);
    if (topic) return topic;
    throw new LogError(`there is no topic ${name} in the log`);
  }

  #findTopic(name: string): Topic | undefined {
    const known = this.#topics.get(name);
    if (known) return known;
    const row = this.#statements.topic.get(name);
    if (!row) return undefined;
    const topic = {
      id: Number(row.id),
      spec: {
        name,
        partitions: Number(row.partitions),
        compacted: Number(row.compacted) === 1,
      },
    };
    this.#topics.set(name, topic);
    return topic;
  }
}

function prepareStatements({ db }: Sqlite) {
  return {
    addTopic: db.prepare(
      "INSERT INTO topic (name, partitions, compacted) VALUES (?, ?, ?) " +
        "ON CONFLICT (name) DO NOTHING",
    ),
    topic: db.prepare("SELECT * FROM topic WHERE name = ?"),
    addBatch: db.prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)"),
    removeKey: db.prepare(
      "DELETE FROM batch WHERE topic = ? AND partition = ? AND record_key = ?",
    ),
    batchAt: db.prepare(
      "SELECT base_offset, next_offset, data FROM batch " +
        "WHERE topic = ? AND partition = ? AND next_offset > ? " +
        "ORDER BY next_offset LIMIT 1",
    ),
    end: db.prepare(
      "SELECT next_offset FROM batch WHERE topic = ? AND partition = ? " +
        "ORDER BY next_offset DESC LIMIT 1",
    ),
    commits: db.prepare(
      "SELECT partition, next_offset, metadata FROM group_offset " +
        "WHERE consumer_group = ? AND topic = ?",
    ),
    commitAt: db.prepare(
      "SELECT next_offset FROM group_offset " +
        "WHERE consumer_group = ? AND topic = ? AND partition = ?",
    ),
    setCommit: db.prepare(
      "INSERT OR REPLACE INTO group_offset VALUES (?, ?, ?, ?, ?)",
    ),
    trim: db.prepare(
      "DELETE FROM batch WHERE topic = ? AND partition = ? " +
        "AND next_offset <= ? AND next_offset < ?",
    ),
    fence: db.prepare(
      "INSERT INTO producer VALUES (?, 1) " +
        "ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1",
    ),
    epoch: db.prepare("SELECT epoch FROM producer WHERE id = ?"),
    dataVersion: db.prepare("PRAGMA data_version"),
  };
}

/** A stored batch from the record with offset `from` on. */
function decodeRow(
  row: Record<string, unknown>,
  from: number,
  place: string,
): RecordBatch {
  const base = Number(row.base_offset);
  const batch = decodeBatch(row.data as Uint8Array, base);
  if (!batch) {
    throw new LogError(
      `the batch at offset ${base} of ${place} is damaged; restore the data ` +
        `folder from a copy`,
    );
  }
  return from > base ? batchTail(batch, from - base) : batch;
}

/** What a step left of its batch, undefined if nothing. */
function remaining(batch: RecordBatch, next: number): RecordBatch | undefined {
  if (batch.offsets[batch.count - 1] < next) return undefined;
  let taken = 0;
  while (batch.offsets[taken] < next) taken++;
  return batchTail(batch, taken);
}
