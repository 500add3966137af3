/**
 * A log whose names begin with a prefix: topics, groups and ids of producers.
 * Several streams share a cluster that way. Everything else, here and in the
 * backend, sees one kind of name only: this is the one place that knows both.
 */
import type {
  Append,
  Commit,
  ConsumeOptions,
  Log,
  LogPlace,
  LogProducer,
  LogReport,
  PartitionTask,
  ReadLimit,
  Step,
  TopicSpec,
  TopicState,
} from "./log.ts";
import type { RecordBatch } from "./record_batch.ts";

/** A report of a log under prefixed names, as the rest of the program knows the groups. */
export function withoutPrefix(report: LogReport, prefix: string): LogReport {
  return (level, message, fields) => {
    const { group } = fields;
    const isNamed = typeof group === "string" && group.startsWith(prefix);
    const named = isNamed ? { group: group.slice(prefix.length) } : {};
    report(level, message, { ...fields, ...named });
  };
}

/** A log within another, under names that begin with a prefix. */
export class PrefixedLog implements Log {
  readonly #log: Log;
  readonly #prefix: string;

  /** Closes the log with itself. */
  constructor(log: Log, prefix: string) {
    this.#log = log;
    this.#prefix = prefix;
  }

  /** See Log. */
  createTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#log.createTopics(this.#named(specs));
  }

  /** See Log. */
  checkTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#log.checkTopics(this.#named(specs));
  }

  /** See Log. */
  checkPartitions(
    specs: readonly TopicSpec[],
    isPatient?: boolean,
  ): Promise<void> {
    return this.#log.checkPartitions(this.#named(specs), isPatient);
  }

  /** See Log. */
  async topics(names: readonly string[]): Promise<TopicState[]> {
    const states = await this.#log.topics(names.map((n) => this.#prefix + n));
    return states.map((state) => ({
      ...state,
      name: state.name.slice(this.#prefix.length),
    }));
  }

  /** See Log. */
  endOffsets(topic: string): Promise<number[] | undefined> {
    return this.#log.endOffsets(this.#prefix + topic);
  }

  /** See Log. */
  read(
    topic: string,
    partition: number,
    offset: number,
    limit: ReadLimit,
  ): Promise<RecordBatch> {
    return this.#log.read(this.#prefix + topic, partition, offset, limit);
  }

  /** See Log. */
  readAll(
    places: readonly LogPlace[],
    limit: ReadLimit,
  ): Promise<RecordBatch[]> {
    return this.#log.readAll(places.map((one) => this.#at(one)), limit);
  }

  /** See Log. */
  tail(place: LogPlace, signal: AbortSignal): AsyncGenerator<RecordBatch> {
    return this.#log.tail(this.#at(place), signal);
  }

  /** See Log. */
  committed(
    group: string,
    topic: string,
  ): Promise<(Commit | undefined)[]> {
    return this.#log.committed(this.#prefix + group, this.#prefix + topic);
  }

  /** See Log. */
  members(group: string): Promise<number> {
    return this.#log.members(this.#prefix + group);
  }

  /** See Log. */
  isAttended(group: string): Promise<boolean> {
    return this.#log.isAttended(this.#prefix + group);
  }

  /** See Log. */
  trim(topic: string, partition: number, before: number): Promise<void> {
    return this.#log.trim(this.#prefix + topic, partition, before);
  }

  /** See Log. */
  async producer(id: string, signal?: AbortSignal): Promise<LogProducer> {
    const producer = await this.#log.producer(this.#prefix + id, signal);
    return { append: (appends) => producer.append(this.#into(appends)) };
  }

  /** See Log. */
  async appender(signal?: AbortSignal): Promise<LogProducer> {
    const appender = await this.#log.appender(signal);
    return { append: (appends) => appender.append(this.#into(appends)) };
  }

  /** See Log. */
  consume<S extends Step>(options: ConsumeOptions<S>): Promise<void> {
    const { group, topic, limit, restMs, signal, open, prepare } = options;
    return this.#log.consume<PrefixedStep<S>>({
      limit,
      restMs,
      signal,
      idle: () => options.idle(),
      group: this.#prefix + group,
      topic: this.#prefix + topic,
      open: async (partition, commit) =>
        this.#task(await open(partition, commit)),
      ...prepare
        ? { prepare: (steps) => prepare(steps.map(({ step }) => step)) }
        : {},
    });
  }

  #task<S extends Step>(
    task: PartitionTask<S>,
  ): PartitionTask<PrefixedStep<S>> {
    return {
      start: task.start,
      step: async (batch) => {
        const step = await task.step(batch);
        const { next, metadata } = step;
        return { next, metadata, appends: this.#into(step.appends), step };
      },
      committed: ({ step }) => task.committed?.(step),
      close: () => task.close?.(),
    };
  }

  /** See Log. */
  sync(): Promise<void> {
    return this.#log.sync();
  }

  /** See Log. */
  news(topics?: readonly string[]): number {
    return this.#log.news(this.#all(topics));
  }

  /** See Log. */
  changed(
    timeoutMs: number,
    signal: AbortSignal,
    seen?: { readonly news: number; readonly topics?: readonly string[] },
  ): Promise<void> {
    const topics = this.#all(seen?.topics);
    const own = seen && { ...seen, ...topics && { topics } };
    return this.#log.changed(timeoutMs, signal, own);
  }

  #at(place: LogPlace): LogPlace {
    return { ...place, topic: this.#prefix + place.topic };
  }

  #all(topics: readonly string[] | undefined): string[] | undefined {
    return topics?.map((topic) => this.#prefix + topic);
  }

  #named(specs: readonly TopicSpec[]): TopicSpec[] {
    return specs.map((spec) => ({ ...spec, name: this.#prefix + spec.name }));
  }

  #into(appends: readonly Append[]): Append[] {
    return appends.map((append) => ({
      ...append,
      topic: this.#prefix + append.topic,
    }));
  }

  /** Closes the log. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }
}

/** A step under the log's own names, and the one that it was made from. */
interface PrefixedStep<S extends Step> extends Step {
  readonly step: S;
}
