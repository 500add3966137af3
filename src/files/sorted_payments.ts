/**
 * Payments of files with any columns, mapped by a definition and sorted by time
 * in bounded memory. Payments of the same second keep the order of the input.
 * Rows that are no payments are passed on with the reason.
 */
import { DataError } from "../base/error.ts";
import { hasManyDigits } from "../base/exact_json.ts";
import { midnightOf } from "../definition/mapped_row.ts";
import {
  emptyMappedPayment,
  type MappedPayment,
  PaymentMapper,
} from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { INT_MAX } from "../payment/payment.ts";
import type { DaySource } from "./day_source.ts";
import { IdSet } from "./id_set.ts";
import { JsonSorter } from "./json_sorter.ts";
import type { RawBatch } from "./raw_batch.ts";
import { rawRows } from "./raw_rows.ts";
import type { RowDefect } from "./row_batch.ts";

/** What is sorted, and how. */
export interface SortChoice {
  /** The inputs, in their order. */
  readonly sources: readonly DaySource[];
  /** How rows become payments. */
  readonly definition: StreamDefinition;
  /** Key of the pseudonyms, where the definition has any. */
  readonly hmacKey: Uint8Array | undefined;
  /** Midnight of the first day, seconds since 1970; that of the first payment if undefined. */
  readonly startSeconds: number | undefined;
  /** Bytes of payments that are sorted in memory; 64 MiB if undefined. */
  readonly memoryBytes?: number | undefined;
  /** Folder of the temporary file for what does not fit; the system's own if undefined. */
  readonly folder: string | undefined;
  /** Whether the fields that the definition does not name are taken along. */
  readonly hasRest: boolean;
  /** Called with each row that is no payment. */
  readonly rejected: (row: RejectedRow) => void;
}

/** A row that is no payment. */
export interface RejectedRow {
  /** Its input. */
  readonly source: DaySource;
  /** Where it was read, with `index`. */
  readonly batch: RawBatch;
  /** Its place in `batch`. */
  readonly index: number;
  /** What is wrong with it. */
  readonly defect: RowDefect;
}

const MEMORY_BYTES = 64 << 20;

/** Most fields that the definition does not name. */
const REST_MAX = 1000;

/** Places in a payment while it is sorted; the kept values follow, then the rest. */
export const SORTED = {
  /** TX_DATETIME, seconds since 1970. */
  time: 0,
  /** TRANSACTION_ID. */
  id: 1,
  /** CUSTOMER_ID. */
  customer: 2,
  /** TERMINAL_ID. */
  terminal: 3,
  /** TX_AMOUNT in minor units. */
  units: 4,
  /** TX_FRAUD, or FRAUD_UNKNOWN. */
  fraud: 5,
  /** TX_FRAUD_SCENARIO, 0 where there is none. */
  scenario: 6,
  /** The first kept value. */
  kept: 7,
} as const;

/** A payment while it is sorted: SORTED, the kept values, and the rest as an object or its text. */
export type SortedRow = (string | number | null | Record<string, RawValue>)[];

/** Reads payments, then gives them in order, once. Dispose it. */
export class SortedPayments {
  readonly #choice: SortChoice;
  readonly #mapper: PaymentMapper;
  readonly #sorter: JsonSorter;
  readonly #ids: IdSet | undefined;
  readonly #isRest: (field: string) => boolean;
  readonly #payment = emptyMappedPayment();
  readonly #values: RawValue[] = [];
  #first: Extreme = { seconds: Infinity, place: "" };
  #last: Extreme = { seconds: -Infinity, place: "" };
  /** Names of the fields that the definition does not name, in order of their first row. */
  readonly rest = new Set<string>();
  /** Rows read. */
  rows = 0;
  /** Frauds among them. */
  frauds = 0;

  /** Has read nothing yet. */
  constructor(choice: SortChoice) {
    const { definition, hmacKey, memoryBytes = MEMORY_BYTES, folder } = choice;
    const { transactionId } = definition.payment;
    this.#choice = choice;
    this.#mapper = new PaymentMapper(definition, hmacKey);
    this.#sorter = new JsonSorter({ memoryBytes, folder });
    // Numbers of rows cannot repeat.
    this.#ids = transactionId.from === "row" ? undefined : new IdSet();
    this.#isRest = (field) => this.#mapper.isRest(field);
  }

  /** Reads all inputs, and gives the number of rows read from time to time. The signal ends it by throwing its reason. Throws DataError for what cannot be read. */
  async *read(signal: AbortSignal): AsyncGenerator<number> {
    for (const source of this.#choice.sources) {
      const { name } = source;
      for await (const batch of rawRows(source, { name, signal })) {
        const restOf = this.#restReader(source, batch);
        for (let index = 0; index < batch.length; index++) {
          this.#take(source, batch, index, restOf);
        }
        yield this.rows;
      }
    }
    signal.throwIfAborted();
  }

  /** Time of the newest payment, seconds since 1970; -Infinity where there is none. */
  get newestSeconds(): number {
    return this.#last.seconds;
  }

  /** Midnight of the first day, seconds since 1970; undefined where no row is a payment. Throws DataError where they span too long. */
  start(): number | undefined {
    const { seconds } = this.#first;
    if (seconds === Infinity) return undefined;
    const start = this.#choice.startSeconds ?? midnightOf(seconds);
    if (this.#last.seconds - start <= INT_MAX) return start;
    const shown = ({ seconds, place }: Extreme) =>
      `${formatDatetime(seconds)} (${place})`;
    throw new DataError(
      `the payments span more than 68 years, from ${shown(this.#first)} to ` +
        `${shown(this.#last)}; correct the wrong time, or reject those ` +
        "before or 68 years after a day with --start",
    );
  }

  /** The payments in order of time, some at a time. Throws DataError when the temporary file fails. */
  sorted(): Generator<SortedRow[]> {
    return this.#sorter.sorted() as Generator<SortedRow[]>;
  }

  /** Removes the temporary file, if there is one. */
  [Symbol.dispose](): void {
    this.#sorter[Symbol.dispose]();
  }

  #take(
    source: DaySource,
    batch: RawBatch,
    index: number,
    restOf: (index: number) => string,
  ): void {
    const payment = this.#payment;
    const row = ++this.rows;
    const defect = batch.values(index, this.#mapper.fields, this.#values) ??
      this.#mapper.map(this.#values, row, payment) ?? this.#span(payment) ??
      this.#duplicate(payment);
    if (defect !== undefined) {
      this.#choice.rejected({ source, batch, index, defect });
      return;
    }
    const { datetimeSeconds: seconds } = payment;
    if (payment.fraud === 1) this.frauds++;
    if (seconds < this.#first.seconds || seconds > this.#last.seconds) {
      const extreme = { seconds, place: `${source.name}:${batch.line(index)}` };
      if (seconds < this.#first.seconds) this.#first = extreme;
      if (seconds > this.#last.seconds) this.#last = extreme;
    }
    this.#sorter.add(seconds, sortedJson(payment, restOf(index)));
  }

  #span({ datetimeSeconds }: MappedPayment): RowDefect | undefined {
    const { startSeconds } = this.#choice;
    if (startSeconds === undefined) return undefined;
    const seconds = datetimeSeconds - startSeconds;
    if (seconds >= 0 && seconds <= INT_MAX) return undefined;
    return {
      reason: "out of range",
      message: `TX_DATETIME ${formatDatetime(datetimeSeconds)} is not in the ` +
        "68 years from --start on",
    };
  }

  #duplicate({ transactionId }: MappedPayment): RowDefect | undefined {
    if (this.#ids === undefined || this.#ids.add(transactionId)) {
      return undefined;
    }
    return {
      reason: "duplicate TRANSACTION_ID",
      message: `TRANSACTION_ID ${transactionId} came before`,
    };
  }

  /** How the fields that the definition does not name are found in the rows of a batch. */
  #restReader(
    { format }: DaySource,
    batch: RawBatch,
  ): (index: number) => string {
    const { hasRest, definition } = this.#choice;
    if (!hasRest || definition.payment.drop === "all") return () => "";
    const named = batch.columns.filter(this.#isRest);
    for (const field of named) this.#note(field);
    const rest = (index: number) => batch.rest(index, this.#isRest);
    if (format === "csv" || format === "parquet") {
      return named.length === 0 ? () => "" : rest;
    }
    // Lines of JSON may have different fields.
    return (index) => {
      const text = rest(index);
      for (const field of Object.keys(JSON.parse(`{${text}}`))) {
        this.#note(field);
      }
      return text;
    };
  }

  #note(field: string): void {
    this.rest.add(field);
    if (this.rest.size <= REST_MAX) return;
    throw new DataError(
      `the rows have more than ${REST_MAX} fields that the definition does ` +
        "not name; list those that you need in 'keep', and write 'drop: all'",
    );
  }
}

/** The first or the last payment. */
interface Extreme {
  readonly seconds: number;
  readonly place: string;
}

function sortedJson(payment: MappedPayment, rest: string): string {
  const json = JSON.stringify([
    payment.datetimeSeconds,
    payment.transactionId,
    payment.customerId,
    payment.terminalId,
    payment.amountUnits,
    payment.fraud,
    payment.scenario,
    ...payment.kept,
  ]);
  if (rest === "") return json;
  const object = `{${rest}}`;
  const value = hasManyDigits(rest) ? JSON.stringify(object) : object;
  return `${json.slice(0, -1)},${value}]`;
}
