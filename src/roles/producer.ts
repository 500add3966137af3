/**
 * The producer: publishes the customers and terminals once, then the payments
 * of day after day, at its pace. Each batch of payments and the position
 * behind it are one atomic append, so that a restart goes on exactly there.
 */
import { ConfigError } from "../base/error.ts";
import type { Append } from "../log/log.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import { RecordBatchBuilder } from "../log/record_batch.ts";
import { openSimulation, type Simulation } from "../simulator/simulation.ts";
import {
  emptyPayment,
  type PaymentTable,
  readTableRow,
} from "../payment/payment.ts";
import { formatDate } from "../payment/calendar.ts";
import { profileJson } from "../payment/profile_json.ts";
import { PaymentJsonWriter } from "../payment/payment_json.ts";
import {
  type ControlRecords,
  controlRecords,
  type ProducerPosition,
  type StreamParameters,
} from "../stream/control.ts";
import { openPacer } from "./pacer.ts";
import type { RunSettings } from "./role.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import {
  CUSTOMER_TOPIC,
  TERMINAL_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** Payments in one append at most. */
const BATCH_ROWS = 4096;

/** How the producer is run. */
export interface ProducerOptions {
  /** What is simulated. */
  readonly data: RunSettings["data"];
  /** How fast. */
  readonly pace: RunSettings["pace"];
  /** Told after each append which TRANSACTION_ID comes next. */
  readonly published?: (nextId: number) => void;
}

/** Text that is the same for the same data flags only. */
export function fingerprintOf(data: RunSettings["data"]): string {
  const { customers, terminals, days, startSeconds, radius } = data.parameters;
  const seed = data.rng === "seedrandom" ? ` --seed=${data.seed}` : "";
  const start = new Date(startSeconds * 1000).toISOString().slice(0, 10);
  return `--customers=${customers} --terminals=${terminals} --days=${days} ` +
    `--start=${start} --radius=${radius} --rng=${data.rng}${seed}`;
}

/** Publishes until the data end or the context's signal. */
export async function runProducer(
  context: StreamContext,
  options: ProducerOptions,
): Promise<void> {
  const { log, control, logger, signal } = context;
  const producer = await log.producer("fraudstream-producer", signal);
  await control.refresh();
  const fingerprint = fingerprintOf(options.data);
  const { origin } = control;
  if (origin && origin.fingerprint !== fingerprint) {
    throw new ConfigError(
      `this data folder or topic prefix holds the stream of ` +
        `${origin.fingerprint}; give these flags to continue it, or choose ` +
        `another --data folder (on Kafka another --topic-prefix)`,
    );
  }
  if (control.end(TRANSACTION_TOPIC)) {
    logger.info("all payments are published already");
    return;
  }
  const simulation = openSimulation(options.data);
  if (!origin) {
    const { startSeconds } = simulation;
    const agreed = context.parameters.startSeconds;
    if (agreed !== undefined && agreed !== startSeconds) {
      throw new ConfigError(
        `this stream was created with --start=${formatDate(agreed)}, not ` +
          `${formatDate(startSeconds)}: give the producer the same`,
      );
    }
    const records = controlRecords();
    records.put("origin", { startSeconds, fingerprint });
    await producer.append([
      ...records.appends(),
      ...profiles(simulation, context.parameters.partitions),
    ]);
  }
  const position = control.position ?? { nextId: 0, day: 0, row: 0 };
  logger.info("producing", { ...position });
  const batch = new PaymentBatch(context.parameters, simulation);
  const pacer = openPacer(options.pace, signal);
  let { nextId, day, row } = position;
  for (; simulation.days === 0 || day < simulation.days; day++, row = 0) {
    const table = simulation.day(day, nextId - row);
    while (row < table.length) {
      const wanted = Math.min(BATCH_ROWS, table.length - row);
      const rows = await pacer.take(table.timeSeconds, row, wanted);
      if (rows === 0) return; // stopped
      batch.fill(table, row, rows);
      row += rows;
      nextId += rows;
      const records = controlRecords();
      const ends = day === simulation.days - 1 && row === table.length;
      putPosition(records, { nextId, day, row }, ends);
      await producer.append([...batch.appends(), ...records.appends()]);
      options.published?.(nextId);
      if (ends) return;
      if (signal.aborted) return;
    }
  }
  // The last day has no payments: the end stands alone.
  const records = controlRecords();
  putPosition(records, { nextId, day, row: 0 }, true);
  await producer.append(records.appends());
}

function putPosition(
  records: ControlRecords,
  position: ProducerPosition,
  ends: boolean,
): void {
  records.put("position", position);
  if (ends) records.putEnd(TRANSACTION_TOPIC, { rows: position.nextId });
}

function profiles(simulation: Simulation, partitions: number): Append[] {
  const timestampMs = simulation.startSeconds * 1000;
  return [
    ...profileAppends(
      CUSTOMER_TOPIC,
      partitions,
      timestampMs,
      simulation.customers.map((c) => [c.customerId, profileJson(c)] as const),
    ),
    ...profileAppends(
      TERMINAL_TOPIC,
      partitions,
      timestampMs,
      simulation.terminals.map((t) => [t.terminalId, profileJson(t)] as const),
    ),
  ];
}

function profileAppends(
  topic: string,
  partitions: number,
  timestampMs: number,
  records: Iterable<readonly [number, string]>,
): Append[] {
  const partitioner = new IdPartitioner(partitions);
  const builders = Array.from(
    { length: partitions },
    () => new RecordBatchBuilder(),
  );
  for (const [id, json] of records) {
    const builder = builders[partitioner.partition(id)];
    builder.writer.whole(id);
    builder.endKey();
    builder.writer.ascii(json);
    builder.endRecord(timestampMs);
  }
  return builders.flatMap((records, partition) =>
    records.count > 0 ? [{ topic, partition, records }] : []
  );
}

/** The records of one append, by partition. */
class PaymentBatch {
  readonly #partitioner: IdPartitioner;
  readonly #builders: RecordBatchBuilder[];
  readonly #json = new PaymentJsonWriter();
  readonly #row = emptyPayment();
  readonly #startSeconds: number;

  constructor(
    { partitions, partitioner }: StreamParameters,
    simulation: Simulation,
  ) {
    this.#partitioner = new IdPartitioner(partitions, partitioner);
    this.#builders = Array.from(
      { length: partitions },
      () => new RecordBatchBuilder(),
    );
    this.#startSeconds = simulation.startSeconds;
  }

  fill(table: PaymentTable, from: number, rows: number): void {
    for (const builder of this.#builders) builder.clear();
    const payment = this.#row;
    for (let index = from; index < from + rows; index++) {
      readTableRow(table, index, this.#startSeconds, payment);
      const partition = this.#partitioner.partition(payment.customerId);
      const builder = this.#builders[partition];
      builder.writer.whole(payment.customerId);
      builder.endKey();
      this.#json.write(builder.writer, payment);
      builder.endRecord(payment.datetimeSeconds * 1000);
    }
  }

  appends(): Append[] {
    return this.#builders.flatMap((records, partition) =>
      records.count > 0
        ? [{ topic: TRANSACTION_TOPIC, partition, records }]
        : []
    );
  }
}
