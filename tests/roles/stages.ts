/**
 * The processor's stages by hand: one step of one partition at a time, in any
 * order, dropped and restored at will. And the payments to feed them.
 */
import { ByteWriter } from "../../src/base/byte_writer.ts";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { type Log, type PartitionTask, READ_LIMIT } from "../../src/log/log.ts";
import {
  batchHead,
  batchTail,
  type RecordBatch,
  RecordBatchBuilder,
} from "../../src/log/record_batch.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { customerStage } from "../../src/roles/customer_stage.ts";
import {
  addCounters,
  CommitReader,
  noCounters,
  parseCommit,
  type StageCounters,
} from "../../src/stream/commit.ts";
import { terminalStage } from "../../src/roles/terminal_stage.ts";
import type { Logger } from "../../src/base/logger.ts";
import type { Stage, StageRun, StageStep } from "../../src/stream/stage.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { QUIET } from "./pipeline.ts";
import { SINK_TOPIC, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { PaymentJsonWriter } from "../../src/payment/payment_json.ts";
import { topicRecords } from "../log/records.ts";

/** Midnight of the first day of the tests' streams, 2018-04-01. */
export const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;

/** A payment at a time, all else 0 but what is given. */
export function paymentAt(
  timeSeconds: number,
  more: Partial<Payment> = {},
): Payment {
  return {
    ...emptyPayment(),
    timeSeconds,
    datetimeSeconds: START_SECONDS + timeSeconds,
    ...more,
  };
}

/** What is appended to the payments: a payment, or text instead of one. */
export type Entry = Payment | string;

/** The key and the value of a payment's record. */
export type RecordText = (payment: Payment) => readonly [string, string];

const HANDBOOK_JSON = new PaymentJsonWriter();

/** Key and value of a payment of the handbook's stream. */
export function handbookRecord(payment: Payment): readonly [string, string] {
  const writer = new ByteWriter();
  HANDBOOK_JSON.write(writer, payment);
  const value = new TextDecoder().decode(writer.view());
  return [String(payment.customerId), value];
}

/** Appends payments to a partition of the source, whatever their customer. */
export async function appendPayments(
  log: EmbeddedLog,
  partition: number,
  entries: readonly Entry[],
  recordOf: RecordText = handbookRecord,
): Promise<void> {
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  for (const entry of entries) {
    const [key, value] = typeof entry === "string"
      ? ["k", entry]
      : recordOf(entry);
    records.writer.bytes(encoder.encode(key));
    records.endKey();
    records.writer.bytes(encoder.encode(value));
    const time = typeof entry === "string" ? 0 : entry.datetimeSeconds;
    records.endRecord(time * 1000);
  }
  const producer = await log.producer("tests");
  await producer.append([{ topic: TRANSACTION_TOPIC, partition, records }]);
}

const NEVER = new AbortController().signal;

/** Makes a stage of a stream. */
export type MakeStage = (
  context: StreamContext,
) => StageRun | Promise<StageRun>;

/** The customer windows of the tests' streams. */
export function customers(context: StreamContext): StageRun {
  return customerStage(context, new CommitReader(), START_SECONDS);
}

/** The same stage with a folder for its snapshots. */
function withSnapshots(
  make: MakeStage,
  snapshotFolder: string | undefined,
): MakeStage {
  return (context) => make({ ...context, snapshotFolder });
}

/** One stage on all its partitions, driven step by step. */
export class StageDriver {
  readonly #log: EmbeddedLog;
  readonly #parameters: StreamParameters;
  readonly #make: MakeStage;
  readonly #group: string;
  readonly #input: string;
  readonly #runs: StageRun[] = [];
  readonly #tasks: PartitionTask<StageStep>[] = [];
  readonly #offsets: number[] = [];
  readonly #metadata: (string | undefined)[] = [];
  readonly #pending: (RecordBatch | undefined)[] = [];
  /** Commits of a head that has to wait for other partitions. */
  heldBack = 0;
  /** Steps that took something. */
  steps = 0;
  /** What was warned of at the openings. */
  readonly warnings: string[] = [];
  /** What was logged about snapshots: "used", or why one was ignored or not written. */
  readonly snapshots: string[] = [];

  private constructor(
    log: EmbeddedLog,
    parameters: StreamParameters,
    make: MakeStage,
    { group, input }: Stage,
  ) {
    this.#log = log;
    this.#parameters = parameters;
    this.#make = make;
    this.#group = group;
    this.#input = input;
  }

  /** The customer windows, from where the group stands. */
  static customers(
    log: EmbeddedLog,
    parameters: StreamParameters,
    snapshotFolder?: string,
  ): Promise<StageDriver> {
    const make = withSnapshots(customers, snapshotFolder);
    return StageDriver.open(log, parameters, make);
  }

  /** The terminal windows, from where the group stands. */
  static terminals(
    log: EmbeddedLog,
    parameters: StreamParameters,
    snapshotFolder?: string,
  ): Promise<StageDriver> {
    const make = withSnapshots(terminalStage, snapshotFolder);
    return StageDriver.open(log, parameters, make);
  }

  /** A stage from where its group stands. */
  static async open(
    log: EmbeddedLog,
    parameters: StreamParameters,
    make: MakeStage,
  ): Promise<StageDriver> {
    const { stage } = await make(contextOf(log, parameters));
    const driver = new StageDriver(log, parameters, make, stage);
    for (let p = 0; p < parameters.partitions; p++) await driver.reopen(p);
    return driver;
  }

  /** Gives a partition up in order, which writes its snapshot where there is a folder. To be followed by reopen(). */
  close(partition: number): void {
    this.#tasks[partition].close?.();
  }

  /** Drops what a partition has in memory and restores it from the log; gives the number of rows replayed. */
  async reopen(partition: number): Promise<number> {
    const [group, input] = [this.#group, this.#input];
    const commit = (await this.#log.committed(group, input))[partition];
    let rows = 0;
    const context = contextOf(this.#log, this.#parameters, {
      ...QUIET,
      info: (message, fields) => {
        if (message !== "partition restored") return;
        rows = Number(fields?.rows);
        if (fields?.snapshot) this.snapshots.push("used");
      },
      warn: (message, fields) => {
        const isSnapshot = message.startsWith("a snapshot was ");
        const why = String(fields?.reason ?? fields?.error);
        if (isSnapshot) this.snapshots.push(why);
        else this.warnings.push(message);
      },
    });
    await context.control.refresh();
    const run = await this.#make(context);
    const task = await run.open(partition, commit);
    this.#runs[partition] = run;
    this.#tasks[partition] = task;
    this.#offsets[partition] = commit?.offset ?? 0;
    this.#metadata[partition] = commit?.metadata;
    this.#pending[partition] = undefined;
    const { start: move } = task;
    if (move) {
      const from = this.#offsets[partition];
      const step = { ...move, next: move.offset, appends: [] };
      await this.#log.commit(group, input, [{ partition, from, step }]);
      this.#offsets[partition] = move.offset;
      this.#metadata[partition] = move.metadata;
    }
    return rows;
  }

  /** Sets a partition's commit as another program would; `undefined` keeps the offset or the metadata. To be followed by reopen(). */
  async damage(
    partition: number,
    offset: number | undefined,
    metadata: string | undefined,
  ): Promise<void> {
    const [group, input] = [this.#group, this.#input];
    const from = this.#offsets[partition];
    const step = {
      next: offset ?? from,
      metadata: metadata ?? this.#metadata[partition] ?? "",
      appends: [],
    };
    await this.#log.commit(group, input, [{ partition, from, step }]);
  }

  /** Deletes a partition's commit, in a log that hides what is deleted. To be followed by reopen(). */
  async lose(partition: number): Promise<void> {
    await this.damage(partition, 0, DELETED);
  }

  /** Makes a step that is never committed, as if the program ended in it: before its rows are stored, or behind that. To be followed by reopen(). */
  async crash(
    partition: number,
    records: number,
    isStored: boolean,
  ): Promise<void> {
    const from = this.#offsets[partition];
    const batch = await this.#log.read(
      this.#input,
      partition,
      from,
      READ_LIMIT,
    );
    if (batch.count === 0) return;
    const step = await this.#tasks[partition].step(batchHead(batch, records));
    if (isStored) await this.#runs[partition].store?.([step]);
  }

  /** Takes up to `records` of a partition; whether the offset has moved. */
  async step(partition: number, records = Infinity): Promise<boolean> {
    const [group, input] = [this.#group, this.#input];
    const from = this.#offsets[partition];
    const batch = this.#pending[partition] ??
      await this.#log.read(input, partition, from, READ_LIMIT);
    if (batch.count === 0) return false;
    const step = await this.#tasks[partition].step(batchHead(batch, records));
    if (step.next === from && step.metadata === this.#metadata[partition]) {
      this.#pending[partition] = batch;
      return false;
    }
    await this.#runs[partition].store?.([step]);
    await this.#log.commit(group, input, [{ partition, from, step }]);
    this.#tasks[partition].committed?.(step);
    let taken = 0;
    while (taken < batch.count && batch.offsets[taken] < step.next) taken++;
    this.#pending[partition] = taken < batch.count
      ? batchTail(batch, taken)
      : undefined;
    this.#offsets[partition] = step.next;
    this.#metadata[partition] = step.metadata;
    if (parseCommit({ ...step, offset: step.next }).head !== null) {
      this.heldBack++;
    }
    if (step.next === from) return false;
    this.steps++;
    return true;
  }

  /** Steps through the partitions in the given order, from its beginning again after each that moved, until none moves. */
  async drain(
    order: readonly number[],
    records = Infinity,
    between: () => Promise<void> = async () => {},
  ): Promise<void> {
    for (let i = 0; i < order.length;) {
      const moved = await this.step(order[i], records);
      if (moved) await between();
      i = moved ? 0 : i + 1;
    }
  }

  /** Whether everything that is in the input has been taken. */
  async done(): Promise<boolean> {
    const ends = await this.#log.endOffsets(this.#input) ?? [];
    return ends.every((end, partition) => this.#offsets[partition] === end);
  }

  /** What has been done, all partitions together, as committed. */
  async counters(): Promise<StageCounters> {
    const [group, input] = [this.#group, this.#input];
    const sum = noCounters();
    for (const commit of await this.#log.committed(group, input)) {
      addCounters(sum, parseCommit(commit).counters);
    }
    return sum;
  }
}

function contextOf(
  log: EmbeddedLog,
  parameters: StreamParameters,
  logger: Logger = QUIET,
): StreamContext {
  const control = new Control(log);
  return { log, control, parameters, logger, signal: NEVER };
}

/** Metadata of a commit that stands for none: hideDeleted() hides it. */
export const DELETED = "deleted";

/** Lets a log show no commits that were deleted. */
export function hideDeleted(log: EmbeddedLog): void {
  const committed = log.committed.bind(log);
  log.committed = async (group, topic) => {
    const commits = await committed(group, topic);
    return commits.map((commit) =>
      commit?.metadata === DELETED ? undefined : commit
    );
  };
}

/** The partitions of a stream, lowest first. */
export function partitionsOf({ partitions }: StreamParameters): number[] {
  return [...Array(partitions).keys()];
}

/** All values of a topic as text, partition by partition. */
export async function valuesOfTopic(
  log: Log,
  topic: string,
): Promise<string[]> {
  return (await topicRecords(log, topic)).flat().map(({ value }) => value);
}

/** The records of the sink, as objects. */
export async function sinkRows(
  log: EmbeddedLog,
): Promise<Record<string, number | string>[]> {
  const values = await valuesOfTopic(log, SINK_TOPIC);
  return values.map((value) => JSON.parse(value));
}
