/**
 * The log in a folder: one SQLite file in WAL mode that several processes may
 * use at once. A batch of records is one blob; a step of the atomic kind is one
 * transaction. The roles' locks make sure that one process at a time works for
 * a group; a commit compares the offset with the one it read.
 */
import type { StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { rest } from "../../base/clock.ts";
import { counted } from "../../base/counted.ts";
import { ConfigError, LogError } from "../../base/error.ts";
import {
  encodeBatch,
  type EncodedBatch,
  encodeRecords,
  joinBatches,
  recordsOf,
} from "./batch_codec.ts";
import {
  LOG_SCHEMA,
  LOG_VERSION,
  LogTables,
  type Topic,
  upgradeLog,
} from "./embedded_tables.ts";
import { NewsBoard } from "./news_board.ts";
import { WalSync } from "./wal_sync.ts";
import type {
  Append,
  Commit,
  ConsumeOptions,
  Log,
  LogPlace,
  LogProducer,
  LogReport,
  OffsetRun,
  PartitionTask,
  ReadLimit,
  Step,
  TopicSpec,
  TopicState,
} from "../log.ts";
import { readEach, tailByNews } from "../log.ts";
import { batchTail, emptyBatch, type RecordBatch } from "../record_batch.ts";
import { Sqlite } from "../../base/sqlite/sqlite.ts";

/** Largest batch that is kept in memory for readers of the same connection, bytes. */
const KEPT_BYTES_MAX = 1 << 16;
/** How long a loop without news waits before it asks again whether it is done, in milliseconds. */
const IDLE_MS = 50;

/** How an embedded log is opened. */
export interface EmbeddedLogOptions {
  /** The SQLite file. */
  readonly path: string;
  /** Whether every commit waits for the disk; without it a power cut may lose the last steps, never consistency. */
  readonly durable: boolean;
  /** See SqliteOptions. */
  readonly checkpointPages?: number | undefined;
  /** Ends the waiting for a lock, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined;
  /** Gets reports of a long wait for a lock. */
  readonly report?: LogReport | undefined;
  /** How long that is, milliseconds; 30 s by default. */
  readonly waitingAfterMs?: number;
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
  readonly blobs: readonly EncodedBatch[];
  readonly count: number;
}

/** A batch in memory: the payload of its blob. */
interface Kept {
  readonly base: number;
  readonly count: number;
  readonly payload: Uint8Array;
}

/** Blobs in a transaction that is not committed yet. */
type Added = Encoded & { readonly base: number };

/** The log of one data folder. */
export class EmbeddedLog implements Log {
  readonly #sqlite: Sqlite;
  readonly #topics = new Map<string, Topic>();
  readonly #tables: LogTables;
  readonly #dataVersion: StatementSync;
  readonly #news: NewsBoard;
  readonly #walSync: WalSync;
  #seenVersion = -1;
  /** Ends of partitions, by topic, that hold as long as no other connection has written. */
  readonly #ends = new Map<number, number[]>();
  /** What this connection has appended last to partitions, by topic; holds as long as #ends. */
  readonly #newest = new Map<number, (Kept | undefined)[]>();
  #toldNews = 0;

  /** Opens the log, making an empty one if there is none; throws ConfigError for a file of another version, LogError if it cannot be read. */
  constructor(options: EmbeddedLogOptions) {
    const { path, durable, checkpointPages, signal, report } = options;
    const { waitingAfterMs } = options;
    this.#sqlite = new Sqlite({
      path,
      what: "log",
      version: LOG_VERSION,
      schema: LOG_SCHEMA,
      upgrade: upgradeLog,
      durable,
      checkpointPages,
      error: (message, cause) => new LogError(message, cause),
      signal,
      waiting: (message) => report?.("warning", message, {}),
      ...waitingAfterMs !== undefined && { waitingAfterMs },
    });
    try {
      this.#tables = new LogTables(this.#sqlite.db, path);
      this.#dataVersion = this.#sqlite.db.prepare("PRAGMA data_version");
    } catch (error) {
      this.#sqlite.close();
      throw this.#sqlite.translated(error, "its tables");
    }
    this.#news = new NewsBoard(() => this.#look());
    this.#walSync = new WalSync(path);
  }

  /** See Log. */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.checkTopics(specs);
    await this.#sqlite.transaction(() => {
      this.#tables.verify();
      this.#tables.changing(() => {
        for (const spec of specs) {
          if (!this.#findTopic(spec.name)) this.#tables.addTopic(spec);
        }
      });
    }, "making topics");
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
          `topic ${spec.name} has ` +
            `${counted(found.partitions, "partition")}, not ` +
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

  /** See Log; no other program can add partitions here. */
  checkPartitions(): Promise<void> {
    return Promise.resolve();
  }

  /** See Log. */
  topics(names: readonly string[]): Promise<TopicState[]> {
    return this.#sqlite.snapshot(() => {
      this.#tables.verify();
      return names.flatMap((name) => {
        const topic = this.#findTopic(name);
        if (!topic) return [];
        const states = Array.from(
          { length: topic.spec.partitions },
          (_, partition) => this.#tables.state(topic, partition),
        );
        return [{
          ...topic.spec,
          startOffsets: states.map(({ start }) => start),
          endOffsets: states.map(({ next }) => next),
        }];
      });
    }, "reading the topics");
  }

  /** See Log. */
  endOffsets(topic: string): Promise<number[] | undefined> {
    return this.#sqlite.snapshot(() => {
      const found = this.#findTopic(topic);
      if (!found) return undefined;
      return Array.from(
        { length: found.spec.partitions },
        (_, partition) => this.#tables.state(found, partition).next,
      );
    }, `reading the end of ${topic}`);
  }

  /**
   * See Log; returns whole stored batches, so the last may exceed the limit. A
   * compacted topic, whose offsets have gaps, is checked as a whole when it is
   * read from its beginning.
   */
  async read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    const found = this.#topics.get(topic) ?? await this.#topic(topic);
    this.#look();
    return await this.#read(found, partition, offset, limit);
  }

  /** See Log. */
  readAll(
    places: readonly LogPlace[],
    limit: ReadLimit,
  ): Promise<RecordBatch[]> {
    return readEach(this, places, limit);
  }

  /** See Log. */
  tail(place: LogPlace, signal: AbortSignal): AsyncGenerator<RecordBatch> {
    return tailByNews(this, place, signal);
  }

  /** Reads; at the end of a partition SQLite is asked again only after others have written, as #look() has seen it. */
  async #read(
    found: Topic,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    if (this.#ends.get(found.id)?.[partition] === offset && offset > 0) {
      return emptyBatch(offset);
    }
    const kept = this.#newest.get(found.id)?.[partition];
    const records = kept?.base === offset
      ? recordsOf(kept.payload, kept.count, offset)
      : undefined;
    if (records) return records;
    const { name } = found.spec;
    return await this.#sqlite.snapshot(() => {
      const state = this.#tables.state(found, partition);
      this.#endsAt(found, partition, state.next);
      if (found.spec.compacted && offset <= state.start) {
        this.#tables.verifyPartition(found, partition);
      }
      const batches: RecordBatch[] = [];
      let count = 0;
      let size = 0;
      let from = offset;
      while (count < limit.records && size < limit.bytes) {
        const batch = this.#tables.batchAt(found, partition, from, state);
        if (!batch) break;
        const [base] = batch.offsets;
        batches.push(from > base ? batchTail(batch, from - base) : batch);
        from = batch.next;
        count += batch.count;
        size += batch.bytes.length;
      }
      return batches.length === 0 ? emptyBatch(offset) : joinBatches(batches);
    }, `reading ${name} partition ${partition} from offset ${offset}`);
  }

  /** See Log. */
  async committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]> {
    return await this.#sqlite.snapshot(() => {
      this.#tables.verify();
      const found = this.#findTopic(topic);
      if (!found) return [];
      const commits = this.#tables.commits(group, found);
      return Array.from(
        { length: found.spec.partitions },
        (_, partition) => commits.get(partition),
      );
    }, `reading the commits of ${group}`);
  }

  /** See Log; the roles' locks let one process work for a group. */
  members(): Promise<number> {
    return Promise.resolve(0);
  }

  /** See Log. */
  isAttended(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** See Log; removes whole stored batches, and keeps the last one, so that offsets continue from it. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    const found = await this.#topic(topic);
    await this.#write(() => {
      this.#tables.trim(found, partition, before);
    }, `trimming ${topic} partition ${partition}`);
  }

  /** See Log. */
  async producer(id: string): Promise<LogProducer> {
    const epoch = await this.#sqlite.transaction(() => {
      this.#tables.verify();
      return this.#tables.changing(() => this.#tables.fence(id));
    }, `opening the producer ${id}`);
    return {
      append: async (appends) => {
        const encoded = await this.#encode(appends);
        return await this.#write(
          (added) => {
            if (this.#tables.epoch(id) !== epoch) {
              throw new LogError(
                `producer ${id} has been replaced by a newer one; stop one of ` +
                  `the two`,
                { isFenced: true },
              );
            }
            return this.#append(encoded, added);
          },
          `appending to ${placesOf(encoded)}`,
          encoded,
        );
      },
    };
  }

  /** See Log; a transaction without an epoch to compare. */
  appender(): Promise<LogProducer> {
    return Promise.resolve({
      append: async (appends) => {
        const encoded = await this.#encode(appends);
        return await this.#write(
          (added) => this.#append(encoded, added),
          `appending to ${placesOf(encoded)}`,
          encoded,
        );
      },
    });
  }

  /** Runs `body`, which must not write, while no process can append or commit. */
  async standing<T>(body: () => T): Promise<T> {
    return await this.#sqlite.transaction(body);
  }

  /**
   * Reads the whole log; throws LogError at the first page, batch or row that
   * was changed, lost or doubled. Resolves with the number of records checked.
   */
  async verify(): Promise<number> {
    return await this.#sqlite.snapshot(() => {
      this.#tables.verifyPages();
      this.#tables.verify();
      let records = 0;
      for (const topic of this.#tables.topics()) {
        for (let p = 0; p < topic.spec.partitions; p++) {
          this.#tables.verifyPartition(topic, p);
          const { start, next } = this.#tables.state(topic, p);
          records += next - start;
        }
      }
      return records;
    }, "reading all of it");
  }

  /** See Log. All partitions' steps of a round are one transaction. */
  async consume<S extends Step>(options: ConsumeOptions<S>): Promise<void> {
    const tasks: PartitionTask<S>[] = [];
    await this.#work(options, tasks);
    for (const task of tasks) task.close?.();
  }

  async #work<S extends Step>(
    options: ConsumeOptions<S>,
    tasks: PartitionTask<S>[],
  ): Promise<void> {
    const { group, topic, limit, restMs, signal } = options;
    const found = await this.#topic(topic);
    const { partitions } = found.spec;
    // Control records, which say when a topic is complete, concern all.
    const watched = [found.id];
    const commits = await this.committed(group, topic);
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
      const seen = this.#news.count(watched); // each read looks at once for more
      const planned: PlannedStep<S>[] = [];
      let moved = false;
      let taken = 0;
      for (let p = 0; p < partitions; p++) {
        const batch = pending[p] ??
          await this.read(topic, p, offsets[p], limit);
        if (batch.count === 0) continue;
        taken += batch.count;
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
      if (moved && restMs && taken < limit.records / 4) {
        await rest(restMs, signal);
      } else if (moved) await setImmediate(); // lets other tasks of this thread run
      else if (await options.idle()) return;
      else {
        await this.#news.since(seen, {
          timeoutMs: IDLE_MS,
          signal,
          topics: watched,
        });
      }
    }
  }

  /**
   * Commits steps of a group, all or nothing. Throws LogError if the group no
   * longer stands where a step started: another process has moved it.
   */
  async commit(
    group: string,
    topic: string,
    steps: readonly PlannedStep[],
  ): Promise<void> {
    const found = await this.#topic(topic);
    const encoded: Encoded[][] = [];
    for (const { step } of steps) {
      encoded.push(await this.#encode(step.appends));
    }
    await this.#write(
      (added) => {
        for (const [i, { partition, from, step }] of steps.entries()) {
          const before = this.#tables.commitAt(group, found, partition);
          const stands = before?.offset ?? 0;
          if (stands !== from) {
            throw new LogError(
              `group ${group} stands at offset ${stands} of ${topic} partition ` +
                `${partition}, not at ${from}: another process works for it; ` +
                `stop one of the two`,
            );
          }
          this.#append(encoded[i], added);
          const commit = { offset: step.next, metadata: step.metadata };
          this.#tables.setCommit(group, found, partition, commit, before);
        }
      },
      `committing ${group} on ${topic} and ${placesOf(encoded.flat())}`,
      encoded.flat(),
    );
  }

  /** See Log; also where each commit waits for the disk, since another process's need not. */
  async sync(): Promise<void> {
    await this.#walSync.sync();
  }

  /** See Log. */
  news(topics?: readonly string[]): number {
    this.#look();
    return this.#news.count(this.#idsOf(topics));
  }

  /** See Log. */
  async changed(
    timeoutMs: number,
    signal: AbortSignal,
    seen?: { readonly news: number; readonly topics?: readonly string[] },
  ): Promise<void> {
    if (seen === undefined) this.#look();
    const { news = this.#toldNews, topics } = seen ?? {};
    const waiting = { timeoutMs, signal, topics: this.#idsOf(topics) };
    await this.#news.since(news, waiting);
    this.#toldNews = this.#news.count();
  }

  /** Counts it as news if another connection has written. */
  #look(): void {
    const version = Number(this.#dataVersion.get()?.data_version);
    if (version === this.#seenVersion) return;
    this.#seenVersion = version;
    this.#forget();
    this.#news.add();
  }

  /** The numbers of topics; undefined, for all, where one of them is not known. */
  #idsOf(topics: readonly string[] | undefined): number[] | undefined {
    const ids = topics?.map((name) => this.#topics.get(name)?.id);
    return ids?.every((id) => id !== undefined) ? ids : undefined;
  }

  /** Closes the log. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#walSync[Symbol.asyncDispose]();
    this.#sqlite.close();
  }

  #forget(): void {
    this.#ends.clear();
    this.#newest.clear();
  }

  /** Notes what was committed, and keeps a small batch for the next stage, which may have the same connection. */
  #keep({ topic, partition, base, count, blobs }: Added): void {
    this.#endsAt(topic, partition, base + count);
    const { id, spec: { compacted } } = topic;
    const [{ payload }] = blobs;
    const keeps = !compacted && payload.length <= KEPT_BYTES_MAX;
    const newest = this.#newest.get(id) ?? [];
    newest[partition] = keeps ? { base, count, payload } : undefined;
    this.#newest.set(id, newest);
  }

  #endsAt(topic: Topic, partition: number, end: number): void {
    const ends = this.#ends.get(topic.id) ?? [];
    ends[partition] = end;
    this.#ends.set(topic.id, ends);
  }

  async #write<T>(
    body: (added: Added[]) => T,
    doing: string,
    appended: readonly Encoded[] = [],
  ): Promise<T> {
    const added: Added[] = [];
    const result = await this.#sqlite.transaction(
      () => {
        added.length = 0;
        return this.#tables.changing(() => body(added));
      },
      doing,
    ).catch((error) => {
      this.#forget(); // nothing of it may be there
      throw error;
    });
    for (const batch of added) this.#keep(batch);
    // The file's version counts other connections only.
    this.#news.add(topicsOf(appended));
    return result;
  }

  /** Deflating takes longest, so it is done before the lock is taken. */
  async #encode(appends: readonly Append[]): Promise<Encoded[]> {
    const encoded: Encoded[] = [];
    for (const { topic: name, partition, records } of appends) {
      const { count } = records;
      const topic = this.#topics.get(name) ?? await this.#topic(name);
      let blobs: EncodedBatch[] = [];
      if (count > 0) {
        blobs = topic.spec.compacted
          ? encodeRecords(records)
          : [encodeBatch(records)];
      }
      encoded.push({ topic, partition, blobs, count });
    }
    return encoded;
  }

  /** Appends, which counts once it is committed; returns where the records are. */
  #append(appends: readonly Encoded[], added: Added[]): OffsetRun[][] {
    return appends.map(({ topic, partition, blobs, count }) => {
      if (count === 0) return [];
      const first = this.#tables.append(topic, partition, blobs);
      added.push({ topic, partition, base: first, count, blobs });
      return [{ first, count }];
    });
  }

  async #topic(name: string): Promise<Topic> {
    const topic = this.#topics.get(name) ??
      await this.#sqlite.snapshot(
        () => this.#findTopic(name),
        `looking for the topic ${name}`,
      );
    if (topic) return topic;
    throw new LogError(`there is no topic ${name} in the log`);
  }

  /** The topic of that name, if there is one: a log that has lost it is damaged. */
  #findTopic(name: string): Topic | undefined {
    const known = this.#topics.get(name);
    if (known) return known;
    const topic = this.#tables.topics().find(({ spec }) => spec.name === name);
    if (topic) this.#topics.set(name, topic);
    else this.#tables.verify();
    return topic;
  }
}

/** The topics that appends concern; undefined for all, where a compacted one, which says how all others are, is among them. */
function topicsOf(appended: readonly Encoded[]): Set<number> | undefined {
  if (appended.some(({ topic }) => topic.spec.compacted)) return undefined;
  return new Set(appended.map(({ topic }) => topic.id));
}

function placesOf(appends: readonly Encoded[]): string {
  const places = appends.map(({ topic, partition }) =>
    `${topic.spec.name} partition ${partition}`
  );
  return places.slice(0, 3).join(", ") || "nothing else";
}

/** What a step left of its batch, undefined if nothing. */
function remaining(batch: RecordBatch, next: number): RecordBatch | undefined {
  if (batch.offsets[batch.count - 1] < next) return undefined;
  let taken = 0;
  while (batch.offsets[taken] < next) taken++;
  return batchTail(batch, taken);
}
