/**
 * The records of a followed stream's transaction_topic, as those of a stream
 * with another definition. They stay in their partition and their order. Where
 * both definitions keep the same fields, they are taken as they are; otherwise
 * the kept fields are mapped again. What the stages of the followed stream
 * refuse is taken as it is, so that the stages here refuse it as well.
 */
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";
import { type JsonRow, jsonRow, putValues, restOf } from "../files/json_row.ts";
import { jsonMember } from "../files/raw_batch.ts";
import type { Append } from "../log/log.ts";
import {
  type RecordBatch,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import { amountUnits } from "../payment/validation.ts";
import type { StreamParameters } from "./control.ts";
import { MappedRecords } from "./mapped_records.ts";
import { Placement } from "./placement.ts";
import { shapeOfStream } from "./stream_definition.ts";

/** What the records are read and written by. */
export interface FollowedRecordsOptions {
  /** The parameters of the followed stream. */
  readonly old: StreamParameters;
  /** Those of the stream that follows it. */
  readonly parameters: StreamParameters;
  /** See FollowedFields. */
  readonly mapping: StreamDefinition | undefined;
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** The records of one append, by partition. */
export class FollowedRecords {
  readonly #records: MappedRecords;
  readonly #remapper: Remapper | undefined;

  /** Reads and writes by these options. */
  constructor({ old, parameters, mapping }: FollowedRecordsOptions) {
    this.#records = new MappedRecords(parameters);
    this.#remapper = mapping && new Remapper(old, mapping, this.#records);
  }

  /** Forgets all records. */
  clear(): void {
    this.#records.clear();
  }

  /** Adds the records of a partition. */
  add(batch: RecordBatch, partition: number): void {
    const remapper = this.#remapper;
    for (let at = 0; at < batch.count; at++) {
      if (remapper) remapper.add(batch, at, partition);
      else this.#records.copy(batch, at, partition);
    }
  }

  /** Names of kept fields in the data of the followed stream that no record had so far. */
  get unseen(): readonly string[] {
    return this.#remapper?.unseen ?? [];
  }

  /** What to append. */
  appends(): Append[] {
    return this.#records.appends();
  }
}

/** Maps the kept fields of records again. */
class Remapper {
  /** See FollowedRecords. */
  unseen: readonly string[];
  readonly #records: MappedRecords;
  readonly #mapping: StreamDefinition;
  readonly #reader: ShapedJsonReader;
  readonly #shape: PaymentShape;
  readonly #placements: readonly Placement[];
  readonly #mapper: PaymentMapper;
  readonly #values: RawValue[] = [];
  readonly #payment = emptyMappedPayment();

  constructor(
    old: StreamParameters,
    mapping: StreamDefinition,
    records: MappedRecords,
  ) {
    const shape = shapeOfStream(old);
    this.#records = records;
    this.#mapping = mapping;
    this.unseen = mapping.payment.keep.map(({ from }) => from);
    this.#reader = new ShapedJsonReader(shape);
    this.#shape = shape;
    this.#placements = Array.from(
      { length: old.partitions },
      (_, partition) => new Placement(old, partition),
    );
    this.#mapper = new PaymentMapper(mapping);
  }

  add(batch: RecordBatch, at: number, partition: number): void {
    const reader = this.#reader;
    const { bytes } = batch;
    const [from, to] = [valueStart(batch, at), valueEnd(batch, at)];
    const { cells, texts } = reader;
    const isRefused = batch.unreadable?.has(batch.offsets[at]) ||
      reader.read(bytes, from, to, undefined) !== undefined ||
      this.#placements[partition].check(
          batch,
          at,
          cells[CELL.customer],
          this.#shape.customerId === "text" ? texts : undefined,
        ) !== undefined;
    const row = isRefused
      ? undefined
      : jsonRow(DECODER.decode(recordValue(batch, at)));
    if (!row) {
      this.#records.copy(batch, at, partition);
      return;
    }
    if (this.unseen.length > 0) {
      this.unseen = this.unseen.filter((field) => !row.has(field));
    }
    const payment = this.#payment;
    putValues(row, this.#mapper.fields, this.#values);
    if (this.#mapper.keep(this.#values, payment)) {
      const value = this.#withKept(row);
      this.#records.copy(batch, at, partition, value);
      return;
    }
    this.#putCore();
    const start = cells[CELL.datetime] - cells[CELL.time];
    if (reader.isLabel) {
      this.#records.addLabel(payment, start, start + reader.knownSeconds);
    } else {
      const rest = restOf(row, (field) => this.#mapper.isRest(field));
      this.#records.add(payment, start, rest);
    }
  }

  /** Takes the fields of the payment itself as they were read: they mean the same in both definitions. */
  #putCore(): void {
    const { cells, texts } = this.#reader;
    const { transactionId, customerId, terminalId, decimals } = this.#shape;
    const payment = this.#payment;
    const id = (type: "number" | "text", cell: number) =>
      type === "text" ? texts.text(cell) ?? "" : cell;
    payment.transactionId = id(transactionId, cells[CELL.id]);
    payment.datetimeSeconds = cells[CELL.datetime];
    payment.customerId = id(customerId, cells[CELL.customer]);
    payment.terminalId = id(terminalId, cells[CELL.terminal]);
    payment.amountUnits = amountUnits(cells[CELL.amount], 10 ** decimals);
    payment.fraud = cells[CELL.fraud];
    payment.scenario = cells[CELL.scenario];
  }

  /** A record with the kept fields as they were found, which the first stage will refuse for the one that cannot be mapped. */
  #withKept(row: JsonRow): Uint8Array {
    const members = new Map(
      row.fields().map((field) => [field, row.get(field)]),
    );
    for (const { name, from } of this.#mapping.payment.keep) {
      members.set(name, row.get(from));
    }
    const json = [...members].map(([name, value]) => jsonMember(name, value));
    return new TextEncoder().encode(`{${json.join(",")}}`);
  }
}
