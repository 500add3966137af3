/**
 * A log in memory: the smallest that passes the contract of every log
 * (tests/log/log_contract.ts). docs/EXTENDING.md explains it.
 */
import { ConfigError, LogError } from "../../src/base/error.ts";
import type {
  Append,
  Commit,
  ConsumeOptions,
  Log,
  LogPlace,
  LogProducer,
  OffsetRun,
  PartitionTask,
  ReadLimit,
  Step,
  TopicSpec,
  TopicState,
} from "../../src/log/log.ts";
import { readEach, tailByNews } from "../../src/log/log.ts";
import { emptyBatch, type RecordBatch } from "../../src/log/record_batch.ts";

/** A record and its place in a partition. */
interface Stored {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface Partition {
  records: Stored[];
  /** Offset of the first record that is kept. */
  start: number;
  /** Offset of the next record. */
  end: number;
}

interface Topic {
  readonly spec: TopicSpec;
  readonly partitions: readonly Partition[];
}

/** A step of one partition, and where the group must be for it. */
interface PlannedStep<S extends Step> {
  readonly partition: number;
  readonly from: number;
  readonly step: S;
}

/** What all connections to one log share. */
class Memory {
  readonly topics = new Map<string, Topic>();
  /** Commits by group and topic, one per partition. */
  readonly commits = new Map<string, (Commit | undefined)[]>();
  /** The newest epoch of each producer. */
  readonly epochs = new Map<string, number>();
  /** Grows with every append and commit. */
  version = 0;
  /** Wakes those that wait for the next change. */
  readonly waiting = new Set<() => void>();

  /** The topic of that name. Throws LogError if there is none. */
  topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (topic) return topic;
    throw new LogError(`there is no topic ${name} in the log`);
  }

  /** Checks everything, then changes everything: nothing can fail in between. */
  commit(
    appends: readonly Append[],
    moveOffsets: () => void = () => {},
  ): OffsetRun[][] {
    const targets = appends.map(({ topic }) => this.topic(topic));
    moveOffsets();
    const runs = appends.map((append, i) => [appendTo(targets[i], append)]);
    this.version++;
    for (const wake of [...this.waiting]) wake();
    return runs;
  }
}

/** A connection to a log in memory. */
export class MemoryLog implements Log {
  readonly #memory: Memory;
  #seen = 0;

  /** An empty log, or another connection to an existing one. */
  constructor(other?: MemoryLog) {
    this.#memory = other ? other.#memory : new Memory();
  }

  /** See Log. */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.checkTopics(specs);
    for (const spec of specs) {
      if (this.#memory.topics.has(spec.name)) continue;
      const partitions = Array.from(
        { length: spec.partitions },
        (): Partition => ({ records: [], start: 0, end: 0 }),
      );
      this.#memory.topics.set(spec.name, { spec, partitions });
    }
  }

  /** See Log. */
  async checkTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions, compacted } of specs) {
      const [found] = await this.topics([name]);
      if (!found) continue;
      if (found.partitions !== partitions) {
        throw new ConfigError(
          `topic ${name} has ${found.partitions} partitions, not ` +
            `${partitions}: give --partitions=${found.partitions}`,
        );
      }
      if (found.compacted !== compacted) {
        throw new ConfigError(`topic ${name} has another cleanup policy`);
      }
    }
  }

  /** See Log; partitions are never added here. */
  checkPartitions(): Promise<void> {
    return Promise.resolve();
  }

  /** See Log. */
  topics(names: readonly string[]): Promise<TopicState[]> {
    const found = names.flatMap((name) => this.#memory.topics.get(name) ?? []);
    return Promise.resolve(found.map(({ spec, partitions }) => ({
      ...spec,
      startOffsets: partitions.map(({ start }) => start),
      endOffsets: partitions.map(({ end }) => end),
    })));
  }

  /** See Log. */
  endOffsets(topic: string): Promise<number[] | undefined> {
    const found = this.#memory.topics.get(topic);
    return Promise.resolve(found?.partitions.map(({ end }) => end));
  }

  /** See Log. */
  read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    // In an executor, so that a missing topic rejects and does not throw.
    return new Promise((resolve) => {
      const { records } = this.#memory.topic(topic).partitions[partition];
      const from = records.findIndex((record) => record.offset >= offset);
      if (from < 0) return resolve(emptyBatch(offset));
      const taken: Stored[] = [];
      let bytes = 0;
      for (const record of records.slice(from, from + limit.records)) {
        if (bytes >= limit.bytes) break;
        taken.push(record);
        bytes += record.key.length + record.value.length;
      }
      resolve(batchOf(taken));
    });
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

  /** See Log. */
  committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]> {
    return Promise.resolve([...this.#commits(group, topic)]);
  }

  /** See Log; nobody else can reach this process's memory. */
  members(): Promise<number> {
    return Promise.resolve(0);
  }

  /** See Log. */
  isAttended(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** See Log. */
  trim(topic: string, partition: number, before: number): Promise<void> {
    const found = this.#memory.topic(topic).partitions[partition];
    found.records = found.records.filter(({ offset }) => offset >= before);
    found.start = Math.max(found.start, Math.min(before, found.end));
    return Promise.resolve();
  }

  /** See Log. A newer producer of the same id gets the next epoch, which fences this one. */
  producer(id: string): Promise<LogProducer> {
    const memory = this.#memory;
    const epoch = (memory.epochs.get(id) ?? 0) + 1;
    memory.epochs.set(id, epoch);
    return Promise.resolve({
      append: (appends) =>
        new Promise((resolve) => {
          if (memory.epochs.get(id) !== epoch) {
            throw new LogError(`producer ${id} was replaced by a newer one`, {
              isFenced: true,
            });
          }
          resolve(memory.commit(appends));
        }),
    });
  }

  /** See Log. */
  appender(): Promise<LogProducer> {
    const memory = this.#memory;
    return Promise.resolve({
      append: (appends) =>
        new Promise((resolve) => resolve(memory.commit(appends))),
    });
  }

  /** See Log. All partitions' steps of a round are one atomic step. */
  async consume<S extends Step>(options: ConsumeOptions<S>): Promise<void> {
    const { group, topic, limit, signal } = options;
    const tasks: PartitionTask<S>[] = [];
    for (const [p, commit] of this.#commits(group, topic).entries()) {
      if (signal.aborted) return;
      const task = await options.open(p, commit);
      if (task.start) this.#commits(group, topic)[p] = task.start;
      tasks.push(task);
    }
    while (!signal.aborted) {
      const seen = this.#memory.version;
      const planned: PlannedStep<S>[] = [];
      for (const [partition, task] of tasks.entries()) {
        const commit = this.#commits(group, topic)[partition];
        const from = commit?.offset ?? 0;
        const batch = await this.read(topic, partition, from, limit);
        if (batch.count === 0) continue;
        const step = await task.step(batch);
        // A step that takes nothing and says nothing new is not committed.
        if (step.next !== from || step.metadata !== commit?.metadata) {
          planned.push({ partition, from, step });
        }
      }
      if (planned.length > 0) {
        await options.prepare?.(planned.map(({ step }) => step));
        this.#commit(group, topic, planned);
      }
      for (const { partition, step } of planned) {
        tasks[partition].committed?.(step);
      }
      // Other tasks of this thread get their turn between two rounds.
      await new Promise((resolve) => setTimeout(resolve));
      if (planned.some(({ from, step }) => step.next !== from)) continue;
      if (await options.idle()) break;
      await this.#changedSince(seen, 50, signal);
    }
    for (const task of tasks) task.close?.();
  }

  /** See Log; nothing here survives anything. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** See Log. */
  news(): number {
    return this.#memory.version;
  }

  /** See Log. */
  async changed(
    timeoutMs: number,
    signal: AbortSignal,
    { news }: { readonly news: number } = { news: this.#seen },
  ): Promise<void> {
    await this.#changedSince(news, timeoutMs, signal);
    this.#seen = this.#memory.version;
  }

  /** Closes the connection; the memory goes with the last one. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #commit<S extends Step>(
    group: string,
    topic: string,
    planned: readonly PlannedStep<S>[],
  ): void {
    const commits = this.#commits(group, topic);
    for (const { partition, from } of planned) {
      const stands = commits[partition]?.offset ?? 0;
      if (stands === from) continue;
      throw new LogError(
        `group ${group} is at offset ${stands} of ${topic} partition ` +
          `${partition}, not at ${from}: another process works for it`,
      );
    }
    this.#memory.commit(planned.flatMap(({ step }) => step.appends), () => {
      for (const { partition, step: { next, metadata } } of planned) {
        commits[partition] = { offset: next, metadata };
      }
    });
  }

  /** The group's commits on a topic, to be changed in place; none without the topic. */
  #commits(group: string, topic: string): (Commit | undefined)[] {
    const { commits, topics } = this.#memory;
    const partitions = topics.get(topic)?.spec.partitions ?? 0;
    const key = JSON.stringify([group, topic]);
    const found = commits.get(key) ?? new Array(partitions).fill(undefined);
    if (partitions > 0) commits.set(key, found);
    return found;
  }

  async #changedSince(
    version: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { waiting } = this.#memory;
    if (this.#memory.version !== version || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}

/** Appends records to one partition; a compacted topic keeps the newest of each key. */
function appendTo({ spec, partitions }: Topic, append: Append): OffsetRun {
  const partition = partitions[append.partition];
  const first = partition.end;
  const { writer, lengths, timestamps, count } = append.records;
  const bytes = writer.view().slice();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const keyEnd = at + lengths[2 * i];
    const valueEnd = keyEnd + lengths[2 * i + 1];
    const key = bytes.subarray(at, keyEnd);
    if (spec.compacted) {
      partition.records = partition.records.filter((record) =>
        !sameBytes(record.key, key)
      );
    }
    partition.records.push({
      offset: partition.end++,
      timestampMs: timestamps[i],
      key,
      value: bytes.subarray(keyEnd, valueEnd),
    });
    at = valueEnd;
  }
  return { first, count };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Records as the one batch that readers get; at least one. */
function batchOf(records: readonly Stored[]): RecordBatch {
  const positions = new Int32Array(4 * records.length);
  const size = records.reduce(
    (sum, { key, value }) => sum + key.length + value.length,
    0,
  );
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const [i, { key, value }] of records.entries()) {
    const keyEnd = at + key.length;
    const valueEnd = keyEnd + value.length;
    bytes.set(key, at);
    bytes.set(value, keyEnd);
    positions.set([at, keyEnd, keyEnd, valueEnd], 4 * i);
    at = valueEnd;
  }
  return {
    count: records.length,
    offsets: Float64Array.from(records, ({ offset }) => offset),
    timestamps: Float64Array.from(records, ({ timestampMs }) => timestampMs),
    positions,
    bytes,
    next: records[records.length - 1].offset + 1,
  };
}
