/**
 * Requeues a dead letter: an edited copy of its row passes the pipeline's
 * checks and is appended to the topic that it came from. The same atomic append
 * records in the control topic where it went, so that no letter is requeued
 * twice by mistake.
 */
import { DataError } from "../base/error.ts";
import { parseExactly } from "../base/exact_json.ts";
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import { CELL, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import type { Log } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { RecordBatchBuilder } from "../log/record_batch.ts";
import { emptyPayment, type TransactionId } from "../payment/payment.ts";
import {
  PaymentJsonReader,
  ShapedJsonReader,
} from "../payment/payment_json.ts";
import { HANDBOOK_SHAPE } from "../payment/payment_shape.ts";
import { readSaidLabel } from "../payment/said_label.ts";
import { TextHeap } from "../payment/text_heap.ts";
import type { Defect } from "../payment/validation.ts";
import {
  type Control,
  controlRecords,
  type Requeued,
  type StreamParameters,
} from "./control.ts";
import { type DeadLetter, letterId, letterValue } from "./dead_letters.ts";
import {
  implausible,
  isLate,
  isPlausible,
  late,
  whyNotTaken,
} from "./checks.ts";
import { parseCommit } from "./commit.ts";
import { shapeOfStream } from "./stream_definition.ts";
import {
  CUSTOMER_GROUP,
  LABEL_TOPIC,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "./topics.ts";

/** Header of a requeued record: the source of its dead letter, topic/partition/offset. */
export const REQUEUED_HEADER = "fraudstream-requeued-from";

/** What is requeued, and where. */
export interface RequeueOptions {
  /** The log of the stream. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** What its roles agreed on. */
  readonly parameters: StreamParameters;
  /** The dead letter. */
  readonly letter: DeadLetter;
  /** The edited row. */
  readonly json: string;
  /** What to do with a letter that was requeued before. */
  readonly again: "refuse" | "append";
}

/** Topics whose records are edited: payments, rows with features, and what is said about payments. */
const EDITABLE = [TRANSACTION_TOPIC, SINK_TOPIC, LABEL_TOPIC];

/** The parts of an edited row that decide where it goes. */
interface Row {
  /** Its key: the id of its card or terminal, of a label that of its payment. */
  readonly key: Uint8Array;
  /** TX_TIME_SECONDS. */
  readonly timeSeconds: number;
  /** TX_DATETIME, seconds since 1970; of what is said about a payment the clock's time. */
  readonly datetimeSeconds: number;
  /** Of a label, TRANSACTION_ID and KNOWN_AT, as TX_TIME_SECONDS. */
  readonly label?: {
    readonly transactionId: TransactionId;
    readonly knownSeconds: number;
  } | undefined;
}

/** Why a letter cannot be edited; undefined if it can. */
export function whyNotEditable(letter: DeadLetter): string | undefined {
  if (letter.reason === "unreadable batch") {
    return "it stands for a whole batch that cannot be read; let its producer " +
      "send the records again";
  }
  if (EDITABLE.includes(letter.topic)) return undefined;
  if (letter.topic === PREDICTION_TOPIC) {
    return `${letter.topic} holds what models have said, which nobody edits; ` +
      "the scorer has its own prediction there for every payment";
  }
  if (letter.topic === TRANSACTION_LABEL_TOPIC) {
    return `${letter.topic} is internal: it holds the labels that were ` +
      "accepted; './fraudstream label' says what a payment was";
  }
  return letter.topic === REPARTITION_TOPIC
    ? `${letter.topic} is internal: it holds packs of rows in a binary form, ` +
      "which cannot be edited; the payments of a pack are still in " +
      TRANSACTION_TOPIC
    : `${letter.topic} is another program's topic, to which nothing is ` +
      "written here; let its producer publish the corrected payment";
}

/**
 * Appends the edited row and returns where it went. Throws DataError if the
 * pipeline would refuse it again, or if the letter was requeued before.
 */
export async function requeue(options: RequeueOptions): Promise<Requeued> {
  const { log, control, letter, again } = options;
  const id = letterId(letter);
  const reason = whyNotEditable(letter);
  if (reason) throw new DataError(`${id} cannot be requeued: ${reason}`);
  // It becomes the only writer before it reads what others have requeued.
  const producer = await log.producer("fraudstream-requeue");
  await control.refresh();
  const before = control.requeued(id);
  if (before && again === "refuse") {
    throw new DataError(
      `${id} was requeued already, to ${before.topic} partition ` +
        `${before.partition}; --force does it once more`,
    );
  }
  const json = compact(options.json, id);
  const bytes = new TextEncoder().encode(json);
  const isSaid = letter.topic === LABEL_TOPIC;
  const row = isSaid ? readSaid(bytes, options) : readRow(bytes, options);
  const partition = partitionFor(row, options);
  if (!isSaid) await checkTime(row, partition, options);
  const original = letterValue(letter);
  const isConflict = letter.reason === "conflicting id";
  if (isConflict && original && json === compact(original, id)) {
    throw refused(id, "the row is unchanged, so its id still conflicts");
  }
  const { topic } = letter;
  const ends = await log.endOffsets(topic) ?? [];
  const place = { topic, partition, fromOffset: ends[partition] };
  const records = new RecordBatchBuilder();
  records.writer.bytes(row.key);
  records.endKey();
  records.writer.bytes(bytes);
  records.endRecord(row.datetimeSeconds * 1000);
  const note = controlRecords();
  note.putRequeued(id, place);
  const headers = { [REQUEUED_HEADER]: id };
  await producer.append([
    { topic, partition, records, headers },
    ...note.appends(),
  ]);
  return place;
}

/** Where the row goes: back to the letter's partition, unless the stream knows that its payment belongs to another. */
function partitionFor(
  { key }: Row,
  { parameters: { partitioner, partitions }, letter }: RequeueOptions,
): number {
  const isPayment = letter.topic === TRANSACTION_TOPIC;
  if (!isPayment || !partitioner) return letter.partition;
  return partitionOf(key, partitions, partitioner);
}

/** The row without the spaces and line ends that editing brings. */
function compact(json: string, id: string): string {
  try {
    return JSON.stringify(parseExactly(json));
  } catch (cause) {
    throw refused(id, `it is not JSON (${(cause as Error).message})`);
  }
}

/** Reads the row as its stage will. */
function readRow(
  bytes: Uint8Array,
  { control, parameters, letter }: RequeueOptions,
): Row {
  const start = control.begun;
  const isPayment = letter.topic === TRANSACTION_TOPIC;
  const shape = shapeOfStream(parameters);
  const { features } = parameters;
  const cells = new Float64Array(featureRowCells(features, shape));
  const texts = new TextHeap();
  let defect: Defect | undefined;
  let label: Row["label"];
  if (!isPayment) {
    const reader = new FeatureJsonReader(features, shape);
    defect = reader.read(bytes, 0, bytes.length, start, cells, 0, texts);
  } else if (shape === HANDBOOK_SHAPE) {
    const payment = emptyPayment();
    const reader = new PaymentJsonReader();
    defect = reader.read(bytes, 0, bytes.length, start, payment);
    toCells(payment, cells, 0);
  } else {
    const reader = new ShapedJsonReader(shape);
    defect = reader.read(bytes, 0, bytes.length, start);
    cells.set(reader.cells.subarray(0, PAYMENT_CELLS));
    texts.wrap(reader.texts.bytes);
    const { isLabel, knownSeconds } = reader;
    const id = cells[CELL.id];
    const transactionId = shape.transactionId === "text"
      ? texts.text(id) ?? ""
      : id;
    if (!defect && isLabel) label = { transactionId, knownSeconds };
  }
  if (defect) throw refused(letterId(letter), defect.message);
  const id = cells[isPayment ? CELL.customer : CELL.terminal];
  const kind = isPayment ? shape.customerId : shape.terminalId;
  return {
    key: kind === "text"
      ? texts.view(id)
      : new TextEncoder().encode(String(id)),
    timeSeconds: cells[CELL.time],
    datetimeSeconds: cells[CELL.datetime],
    label,
  };
}

/** Reads what is said about a payment as the label intake will; whether the payment is there by now, only the store says. */
function readSaid(
  bytes: Uint8Array,
  { parameters, letter }: RequeueOptions,
): Row {
  const shape = shapeOfStream(parameters);
  const said = readSaidLabel(bytes, 0, bytes.length, shape);
  if ("reason" in said) throw refused(letterId(letter), said.message);
  return {
    key: new TextEncoder().encode(String(said.transactionId)),
    timeSeconds: 0,
    datetimeSeconds: Math.floor(Date.now() / 1000),
  };
}

/** Refuses a row that is too far ahead of its partition, or too late for it. */
async function checkTime(
  { timeSeconds, label }: Row,
  partition: number,
  { log, parameters, letter }: RequeueOptions,
): Promise<void> {
  const payments = letter.topic === TRANSACTION_TOPIC;
  const group = payments ? CUSTOMER_GROUP : WRITER_GROUP;
  const commit = (await log.committed(group, letter.topic))[partition];
  const { progress } = parseCommit(commit);
  const newest = `the newest payment of partition ${partition}, at ${progress}`;
  const id = letterId(letter);
  if (label) {
    const { transactionId, knownSeconds } = label;
    const payment = { transactionId, timeSeconds };
    const why = whyNotTaken(payment, knownSeconds, progress, parameters);
    if (why) throw refused(id, why.message);
    return;
  }
  if (!isPlausible(timeSeconds, progress, parameters)) {
    const subject = `TX_TIME_SECONDS ${timeSeconds} is`;
    throw refused(id, implausible(subject, parameters, newest).message);
  }
  if (payments && isLate(timeSeconds, progress, parameters)) {
    const made = `${newest}: the features of later payments are made already`;
    throw refused(id, late(timeSeconds, parameters, made).message);
  }
}

function refused(id: string, reason: string): DataError {
  return new DataError(
    `${id}: the edited row would be a dead letter again: ${reason}`,
  );
}
