/**
 * The control topic: what all roles must agree on (parameters), what stream
 * the producer makes and how far it is, and where finished topics end. Every
 * role reads it first; the newest record of a key counts.
 */
import { ConfigError, LogError } from "../error/error.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import {
  type Append,
  type Log,
  type LogProducer,
  READ_LIMIT,
} from "../log/log.ts";
import type { Partitioner } from "../log/partitioner.ts";
import {
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../log/record_batch.ts";
import { formatDate } from "../transaction/calendar.ts";
import { CONTROL_TOPIC } from "./topics.ts";

/** What every role of a stream must agree on. */
export interface StreamParameters {
  /** Partitions of each topic. */
  readonly partitions: number;
  /** Windows, delay, labels. */
  readonly features: FeatureParameters;
  /** How much older than the newest payment of its partition one may be, seconds. */
  readonly latenessSeconds: number;
  /** How far ahead of its partition's progress a payment is plausible, seconds. */
  readonly maxGapSeconds: number;
  /** Midnight of the first day, seconds since 1970, where --start says it: for streams of other producers. */
  readonly startSeconds?: number | undefined;
  /**
   * How the payments' keys choose their partition. A payment elsewhere, or with
   * another key than its CUSTOMER_ID, is a dead letter. Absent in streams that
   * were begun before this was recorded: they take it wherever it lies.
   */
  readonly partitioner?: Partitioner | undefined;
}

/** Which stream this is. What is kept outside the log (a store, day files) names it, so that no two streams mix. */
export interface StreamIdentity {
  /** 128 random bits as a UUID, drawn when the first role of the stream starts. */
  readonly id: string;
}

/** The stream that the producer makes. */
export interface StreamOrigin {
  /** Midnight of its first day, seconds since 1970. */
  readonly startSeconds: number;
  /** The data flags, as text: another producer must have the same. */
  readonly fingerprint: string;
}

/** How far the producer is. */
export interface ProducerPosition {
  /** TRANSACTION_ID of the next payment. */
  readonly nextId: number;
  /** Simulator day of the next payment. */
  readonly day: number;
  /** Its row within the day. */
  readonly row: number;
}

/** The end of a topic that is complete. */
export interface EndMark {
  /** Number of payments in the topic. */
  readonly rows: number;
}

/** Where an edited dead letter has gone. */
export interface Requeued {
  /** Topic that it was appended to. */
  readonly topic: string;
  /** Partition of the topic. */
  readonly partition: number;
  /** Its offset there or, where others appended at that moment, a lower one. */
  readonly fromOffset: number;
}

/** The values of the control topic, by key. */
export interface ControlValues {
  /** What all roles agreed on. */
  parameters: StreamParameters;
  /** Which stream this is. */
  identity: StreamIdentity;
  /** The producer's stream. */
  origin: StreamOrigin;
  /** How far the producer is. */
  position: ProducerPosition;
  /** That a scorer takes the payments. */
  scoring: { readonly on: true };
  /** The threshold of alerts that somebody has applied to the running stream. */
  threshold: { readonly value: number };
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A view of the control topic that moves on with it. */
export class Control {
  readonly #log: Log;
  readonly #values = new Map<string, unknown>();
  #offset = 0;

  /** Reads nothing yet: call refresh(). */
  constructor(log: Log) {
    this.#log = log;
  }

  /** Reads what is new. */
  async refresh(): Promise<void> {
    for (;;) {
      const batch = await this.#log.read(
        CONTROL_TOPIC,
        0,
        this.#offset,
        READ_LIMIT,
      );
      if (batch.next === this.#offset) return;
      for (let i = 0; i < batch.count; i++) {
        const key = DECODER.decode(recordKey(batch, i));
        this.#values.set(key, parsed(key, recordValue(batch, i)));
      }
      this.#offset = batch.next;
    }
  }

  /** What all roles agreed on, once one has run. */
  get parameters(): StreamParameters | undefined {
    const parameters = this.#value("parameters");
    // Streams that were begun before there were sets name none.
    return parameters && {
      ...parameters,
      features: {
        ...parameters.features,
        set: parameters.features.set ?? "handbook",
      },
    };
  }

  /** Which stream this is, once a role has agreed() on it; folders of older versions have none until then. */
  get identity(): StreamIdentity | undefined {
    return this.#value("identity");
  }

  /** The producer's stream, once it has begun. */
  get origin(): StreamOrigin | undefined {
    return this.#value("origin");
  }

  /**
   * Midnight of the stream's first day, seconds since 1970, or `otherwise` as
   * long as no producer has begun one. Reads the topic again only until then.
   */
  async startSeconds(
    otherwise: number | undefined,
  ): Promise<number | undefined> {
    if (!this.origin) await this.refresh();
    return this.origin?.startSeconds ?? otherwise;
  }

  /** How far the producer is. */
  get position(): ProducerPosition | undefined {
    return this.#value("position");
  }

  /** Whether a scorer takes the payments, so that there are predictions to store. */
  get isScored(): boolean {
    return this.#value("scoring") !== undefined;
  }

  /** Says that a scorer takes the payments. */
  async declareScored(): Promise<void> {
    const records = controlRecords();
    records.put("scoring", { on: true });
    await this.settle(
      "fraudstream-scoring",
      () => this.isScored,
      (producer) => producer.append(records.appends()),
    );
  }

  /** The score from which on payments are alerts, where somebody has applied one. */
  get alertThreshold(): number | undefined {
    return this.#value("threshold")?.value;
  }

  /** Applies a threshold, 0 … 1: scorers that alert by one take it within a second, and keep it until another is applied. */
  async applyThreshold(value: number): Promise<void> {
    const records = controlRecords();
    records.put("threshold", { value });
    await this.settle(
      "fraudstream-threshold",
      () => this.alertThreshold === value,
      (producer) => producer.append(records.appends()),
    );
  }

  /** Where a topic ends, once it is complete. */
  end(topic: string): EndMark | undefined {
    return this.#values.get(`end:${topic}`) as EndMark | undefined;
  }

  /** Where the dead letter of that id has gone, if it was requeued. */
  requeued(letter: string): Requeued | undefined {
    return this.#values.get(`requeued:${letter}`) as Requeued | undefined;
  }

  #value<K extends keyof ControlValues>(key: K): ControlValues[K] | undefined {
    return this.#values.get(key) as ControlValues[K] | undefined;
  }

  /**
   * Makes these parameters the stream's, or throws ConfigError if it has
   * others, naming the flag that differs.
   */
  async agree(parameters: StreamParameters): Promise<void> {
    await this.refresh();
    const records = controlRecords();
    if (!this.parameters) records.put("parameters", parameters);
    records.put("identity", { id: crypto.randomUUID() });
    await this.settle(
      "fraudstream-parameters",
      () => this.parameters !== undefined && this.identity !== undefined,
      (producer) => producer.append(records.appends()),
    );
    const found = flagsOf(this.parameters ?? parameters);
    for (const [flag, wanted] of Object.entries(flagsOf(parameters))) {
      if (found[flag] === wanted) continue;
      if (flag === "--start" && this.#isStart(parameters)) continue;
      throw new ConfigError(
        `this stream was begun ${differenceOf(flag, found[flag], wanted)}: ` +
          `give the same, or choose another --data folder (on Kafka another ` +
          `--topic-prefix)`,
      );
    }
  }

  /** Whether a start is none at all, or the one of the producer that made the stream. */
  #isStart({ startSeconds }: StreamParameters): boolean {
    return startSeconds === undefined ||
      startSeconds === this.origin?.startSeconds;
  }

  /**
   * Sees to it that something stands in the topic that several may want to
   * write, each the same or the first for all: appends by the producer `id`
   * unless `settled` already.
   */
  async settle(
    id: string,
    settled: () => boolean,
    append: (producer: LogProducer) => Promise<void>,
  ): Promise<void> {
    await this.refresh();
    for (let attempt = 1; !settled(); attempt++) {
      try {
        // First the only writer, then a look: of two at once the later sees
        // what the earlier has written, or the earlier can no longer write.
        const producer = await this.#log.producer(id);
        await this.refresh();
        if (!settled()) await append(producer);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX) throw error;
        // Another process writes at this moment and has fenced this one.
        await this.#log.changed(ATTEMPT_MS, new AbortController().signal);
      }
      await this.refresh();
    }
  }
}

/** How often something is tried to be settled before an error counts, and the time between. */
const ATTEMPTS_MAX = 20;
const ATTEMPT_MS = 50;

/** What a flag was and is, for people; a switch has no value. */
function differenceOf(flag: string, found: string, wanted: string): string {
  if (flag !== "--no-labels") return `with ${flag}=${found}, not ${wanted}`;
  return found === "given" ? `with ${flag}` : `without ${flag}`;
}

function flagsOf(parameters: StreamParameters): Record<string, string> {
  const { features } = parameters;
  return {
    "--partitions": String(parameters.partitions),
    "--feature-set": features.set,
    "--windows": features.windowDays.join(","),
    "--delay": String(features.delayDays),
    "--no-labels": features.useLabels ? "not given" : "given",
    "--lateness": `${parameters.latenessSeconds}s`,
    "--max-gap": `${parameters.maxGapSeconds}s`,
    "--start": parameters.startSeconds === undefined
      ? "unknown"
      : formatDate(parameters.startSeconds),
  };
}

function parsed(key: string, value: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(value));
  } catch (cause) {
    throw new LogError(
      `the record '${key}' of ${CONTROL_TOPIC} cannot be read: another ` +
        `program has written to it`,
      { cause },
    );
  }
}

/** Collects control records for an atomic append. */
export interface ControlRecords {
  /** Sets one of the values that Control shows. */
  put<K extends keyof ControlValues>(key: K, value: ControlValues[K]): void;
  /** Tells where a dead letter has gone. */
  putRequeued(letter: string, place: Requeued): void;
  /** Marks a topic as complete. */
  putEnd(topic: string, mark: EndMark): void;
  /** What to append. */
  appends(): Append[];
}

/** An empty collection of control records. */
export function controlRecords(): ControlRecords {
  const records = new RecordBatchBuilder();
  const put = (key: string, value: unknown) =>
    records.add(
      ENCODER.encode(key),
      ENCODER.encode(JSON.stringify(value)),
      Date.UTC(1970, 0, 1),
    );
  return {
    put,
    putRequeued: (letter, place) => put(`requeued:${letter}`, place),
    putEnd: (topic, mark) => put(`end:${topic}`, mark),
    appends: () => [{ topic: CONTROL_TOPIC, partition: 0, records }],
  };
}
