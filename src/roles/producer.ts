/**
 * The producer: publishes the customers and terminals once, then the payments
 * of day after day, at its pace. Each batch of payments and the position behind
 * it are one atomic append, so that a restart continues exactly there. Where
 * labels arrive on their own, payments have none, and label records stand among
 * them: known so long after the payment that they count once --delay has passed.
 */
import { ConfigError } from "../base/error.ts";
import { UNSTOPPED } from "../base/unless_stopped.ts";
import type { Append } from "../log/log.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import { RecordBatchBuilder } from "../log/record_batch.ts";
import {
  openPayments,
  type PaymentBatch,
  type PaymentSource,
} from "../files/payment_source.ts";
import { DAY_SECONDS, emptyPayment, type Payment } from "../payment/payment.ts";
import { formatDate } from "../payment/calendar.ts";
import { profileJson } from "../payment/profile_json.ts";
import { toCells } from "../payment/payment_cells.ts";
import { LabelJsonWriter, ShapedJsonWriter } from "../payment/payment_json.ts";
import { labelCells } from "../payment/payment_shape.ts";
import { controlRecords, type StreamParameters } from "../stream/control.ts";
import { fingerprintOf } from "../simulator/fingerprint.ts";
import { LabelFeed, labelSeconds } from "./label_feed.ts";
import { openPacer } from "./pacer.ts";
import { openProducing, positionAppends } from "./producing.ts";
import type { RunSettings } from "./role.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
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
  /** Called after each append with the next TRANSACTION_ID. */
  readonly published?: (nextId: number) => void;
}

/** Publishes until the data end or the context's signal. */
export async function runProducer(
  context: StreamContext,
  options: ProducerOptions,
): Promise<void> {
  const { logger, signal } = context;
  const fingerprint = fingerprintOf(options.data);
  const producing = await openProducing(context, fingerprint);
  if (!producing) return;
  const { producer, origin, position } = producing;
  const knownAfter = labelSeconds(context.parameters);
  const source = await openPayments({
    kind: "simulated",
    simulation: options.data,
    from: {
      day: position.day,
      firstId: position.nextId - position.row,
      ...knownAfter === undefined
        ? {}
        : { daysBefore: Math.ceil(knownAfter / DAY_SECONDS) },
    },
  });
  if (!origin) {
    const { startSeconds = 0 } = source;
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
      ...await profiles(source, context.parameters.partitions),
    ]);
  }
  logger.info("producing", { ...position });
  const records = new PaymentRecords(context.parameters);
  const pacer = openPacer(options.pace, signal);
  const days = source.progress.total;
  let { nextId, row } = position;
  // The producer itself looks at its signal, between two appends.
  for await (const batch of source.batches(UNSTOPPED)) {
    if (signal.aborted) return;
    const { day } = batch;
    if (day < position.day) {
      records.skip(batch, batch.length);
      continue;
    }
    records.skip(batch, row);
    while (row < batch.length) {
      const wanted = Math.min(BATCH_ROWS, batch.length - row);
      const rows = await pacer.take(batch.timeSeconds, row, wanted);
      if (rows === 0) return; // stopped
      records.fill(batch, row, rows);
      row += rows;
      nextId += rows;
      const ends = day === days - 1 && row === batch.length;
      const isLast = ends && knownAfter === undefined;
      await producer.append([
        ...records.appends(),
        ...positionAppends({ nextId, day, row }, isLast),
      ]);
      options.published?.(nextId);
      if (isLast || signal.aborted) return;
    }
    row = 0;
  }
  // Labels that are known after the last payment; none, and the end stands
  // alone, if the last day has no payments.
  let { lastLabels = 0 } = position;
  records.fillLast(lastLabels);
  for (let ends = false; !ends && !signal.aborted;) {
    const count = records.fillLast(BATCH_ROWS);
    ends = count < BATCH_ROWS;
    lastLabels += count;
    const place = { nextId, day: days, row: 0 };
    await producer.append([
      ...records.appends(),
      ...positionAppends(
        lastLabels > 0 ? { ...place, lastLabels } : place,
        ends,
      ),
    ]);
    options.published?.(nextId);
  }
}

async function profiles(
  source: PaymentSource,
  partitions: number,
): Promise<Append[]> {
  const { customers = [], terminals = [] } = await source.profiles();
  const timestampMs = (source.startSeconds ?? 0) * 1000;
  return [
    ...profileAppends(
      CUSTOMER_TOPIC,
      partitions,
      timestampMs,
      customers.map((c) => [c.customerId, profileJson(c)] as const),
    ),
    ...profileAppends(
      TERMINAL_TOPIC,
      partitions,
      timestampMs,
      terminals.map((t) => [t.terminalId, profileJson(t)] as const),
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
class PaymentRecords {
  readonly #partitioner: IdPartitioner;
  readonly #builders: RecordBatchBuilder[];
  readonly #labels: LabelFeed | undefined;
  readonly #maxGapSeconds: number;
  readonly #json: ShapedJsonWriter;
  readonly #labelJson: LabelJsonWriter;
  readonly #row = emptyPayment();
  readonly #cells: Float64Array;
  readonly #places: ReturnType<typeof labelCells>;

  constructor(parameters: StreamParameters) {
    const { partitions, partitioner, maxGapSeconds } = parameters;
    const knownAfter = labelSeconds(parameters);
    this.#partitioner = new IdPartitioner(partitions, partitioner);
    this.#labels = knownAfter === undefined
      ? undefined
      : new LabelFeed(knownAfter);
    this.#maxGapSeconds = maxGapSeconds;
    const shape = shapeOfStream(parameters);
    this.#json = new ShapedJsonWriter(shape);
    this.#labelJson = new LabelJsonWriter(shape, { isAccepted: false });
    this.#places = labelCells(shape);
    this.#cells = new Float64Array(this.#places.width);
    this.#builders = Array.from(
      { length: partitions },
      () => new RecordBatchBuilder(),
    );
  }

  /** Begins with a batch of which the first `rows` are published already, and with them the labels known before the last of those. */
  skip(batch: PaymentBatch, rows: number): void {
    this.#labels?.add(batch);
    if (rows > 0) this.#labels?.due(batch.timeSeconds[rows - 1], () => {});
  }

  fill(batch: PaymentBatch, from: number, rows: number): void {
    for (const builder of this.#builders) builder.clear();
    const payment = this.#row;
    const take = (labelled: Payment, knownSeconds: number) =>
      this.#putLabel(labelled, knownSeconds);
    for (let index = from; index < from + rows; index++) {
      this.#labels?.due(batch.timeSeconds[index], take);
      batch.read(index, payment);
      const partition = this.#partitioner.partition(payment.customerId);
      const builder = this.#builders[partition];
      builder.writer.whole(payment.customerId);
      builder.endKey();
      toCells(payment, this.#cells, 0);
      this.#json.write(builder.writer, this.#cells, 0);
      builder.endRecord(payment.datetimeSeconds * 1000);
    }
  }

  /** Fills itself with up to `limit` labels that are known after the last payment, unless the first stage would refuse them; returns their number. */
  fillLast(limit: number): number {
    for (const builder of this.#builders) builder.clear();
    const labels = this.#labels;
    return labels?.due(
      labels.newestSeconds + this.#maxGapSeconds,
      (labelled, knownSeconds) => this.#putLabel(labelled, knownSeconds),
      limit,
    ) ?? 0;
  }

  #putLabel(payment: Payment, knownSeconds: number): void {
    const partition = this.#partitioner.partition(payment.customerId);
    const builder = this.#builders[partition];
    builder.writer.whole(payment.customerId);
    builder.endKey();
    const start = payment.datetimeSeconds - payment.timeSeconds;
    toCells(payment, this.#cells, 0);
    this.#cells[this.#places.knownAt] = start + knownSeconds;
    this.#labelJson.write(builder.writer, this.#cells, 0);
    builder.endRecord((start + knownSeconds) * 1000);
  }

  appends(): Append[] {
    return this.#builders.flatMap((records, partition) =>
      records.count > 0
        ? [{ topic: TRANSACTION_TOPIC, partition, records }]
        : []
    );
  }
}
