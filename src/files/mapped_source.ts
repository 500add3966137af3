/**
 * Payments of files with any columns as a source: mapped by a definition, and in
 * order of time whatever the order of the rows. Rows that are no payments are
 * left out and counted.
 */
import { DataError } from "../base/error.ts";
import { nextTurn } from "../base/unless_stopped.ts";
import { shapeOf } from "../definition/definition_shape.ts";
import { putMappedPayment } from "../definition/mapped_row.ts";
import {
  emptyMappedPayment,
  type KeptValue,
  type MappedPayment,
} from "../definition/payment_mapper.ts";
import {
  labelSecondsOf,
  type StreamDefinition,
} from "../definition/stream_definition.ts";
import { paymentValues } from "../features/declared_features.ts";
import {
  keysOfDeclarations,
  type MissingKey,
  MissingKeys,
} from "../features/missing_keys.ts";
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { CELL, fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { readingDefinition } from "./import_folder.ts";
import type {
  PaymentBatch,
  PaymentSource,
  Profiles,
  SkippedRows,
} from "./payment_source.ts";
import { findRawSources } from "./raw_sources.ts";
import {
  type RejectedRow,
  SORTED,
  SortedPayments,
  type SortedRow,
} from "./sorted_payments.ts";
import type { TableFormat } from "./table_encoder.ts";

/** Files with any columns, and how they are read. */
export interface RawFileChoice {
  /** A file, a folder of files, a folder that an import has written, or "-" for stdin. */
  readonly path: string;
  /** Format of the input, if not that of its name. */
  readonly inputFormat: TableFormat | undefined;
  /** How rows become payments. */
  readonly definition: StreamDefinition;
  /** Key of the pseudonyms, where the definition has any. */
  readonly hmacKey: Uint8Array | undefined;
  /** Midnight of the stream's first day, seconds since 1970; that of the first payment if undefined. */
  readonly startSeconds: number | undefined;
  /** Bytes of payments that are sorted in memory. */
  readonly memoryBytes?: number;
  /** Folder of the temporary file for what does not fit; the system's own if undefined. */
  readonly sortFolder?: string | undefined;
}

/** Opens the files. Throws DataError for missing ones, and ConfigError for an import by another definition. */
export async function openRawFiles(
  choice: RawFileChoice,
): Promise<PaymentSource> {
  const { path, inputFormat, sortFolder: folder } = choice;
  const sources = await findRawSources(path, inputFormat);
  const definition = readingDefinition(path, choice.definition);
  const keys = missingKeysOf(choice.definition);
  const skipped = new Rejections(keys);
  let startSeconds = choice.startSeconds;
  let matureSeconds: number | undefined;
  const progress = { done: 0, total: 0 };
  return {
    shape: shapeOf(choice.definition),
    isLabelled: definition.payment.fraud !== null,
    get startSeconds() {
      return startSeconds;
    },
    get matureSeconds() {
      return matureSeconds;
    },
    progress,
    skipped,
    profiles: () => Promise.resolve(NO_PROFILES),
    async *batches(signal, reading) {
      using payments = new SortedPayments({
        ...choice,
        definition,
        sources,
        folder,
        hasRest: false,
        rejected: (row) => skipped.add(row),
      });
      for await (const rows of payments.read(signal)) reading?.(rows);
      const start = payments.start();
      if (start === undefined) {
        throw new DataError(
          `${sources[0].name}: no row is a payment; ${skipped.first[0] ?? ""}`,
        );
      }
      startSeconds = start;
      matureSeconds = payments.newestSeconds - start -
        labelSecondsOf(definition);
      const rows = new Rows(definition, start, keys);
      for (const sorted of payments.sorted()) {
        yield* rows.days(sorted);
        await nextTurn(signal);
      }
    },
  };
}

const NO_PROFILES: Profiles = { customers: undefined, terminals: undefined };

/** Counts the payments that lack a key of a definition's features. */
function missingKeysOf(definition: StreamDefinition): MissingKeys {
  return new MissingKeys(
    keysOfDeclarations(definition.features.declared),
    paymentValues(shapeOf(definition), PAYMENT_CELLS),
  );
}

/** Counts rows that are no payments, and keeps the first of each reason. */
class Rejections implements SkippedRows {
  readonly byReason = new Map<string, number>();
  readonly first: string[] = [];
  readonly isByDefinition = true;
  readonly #keys: MissingKeys;

  constructor(keys: MissingKeys) {
    this.#keys = keys;
  }

  get missingKeys(): MissingKey[] {
    return this.#keys.most();
  }

  add({ source, batch, index, defect }: RejectedRow): void {
    const { reason, message } = defect;
    const count = this.byReason.get(reason) ?? 0;
    this.byReason.set(reason, count + 1);
    if (count > 0) return;
    this.first.push(`${source.name}:${batch.line(index)}: ${message}`);
  }
}

/** Makes rows of cells of payments that were sorted. */
class Rows {
  readonly #shape: PaymentShape;
  readonly #startSeconds: number;
  readonly #keys: MissingKeys;
  readonly #payment = emptyMappedPayment();

  constructor(
    definition: StreamDefinition,
    startSeconds: number,
    keys: MissingKeys,
  ) {
    const { fraud, scenario } = definition.payment;
    // Labels count here that a stream takes from elsewhere.
    this.#shape = {
      ...shapeOf(definition),
      hasFraud: fraud !== null,
      hasScenario: scenario !== null,
    };
    this.#startSeconds = startSeconds;
    this.#keys = keys;
  }

  /** Consecutive payments, split by days. */
  *days(rows: readonly SortedRow[]): Generator<PaymentBatch> {
    const width = PAYMENT_CELLS + this.#shape.kept.length;
    const cells = new Float64Array(rows.length * width);
    const texts = new TextHeap();
    rows.forEach((row, at) => {
      fill(row, this.#payment);
      putMappedPayment(
        this.#payment,
        this.#shape,
        this.#startSeconds,
        cells,
        at * width,
        texts,
      );
      this.#keys.add(cells, at * width);
    });
    const dayAt = (row: number) =>
      Math.floor(cells[row * width + CELL.time] / DAY_SECONDS);
    for (let from = 0; from < rows.length;) {
      const day = dayAt(from);
      let to = from + 1;
      while (to < rows.length && dayAt(to) === day) to++;
      yield new RowsOfDay(day, cells.subarray(from * width, to * width), {
        width,
        texts,
      });
      from = to;
    }
  }
}

/** Payments of one day as rows of cells. */
class RowsOfDay implements PaymentBatch {
  readonly day: number;
  readonly length: number;
  readonly texts: TextHeap;
  readonly #cells: Float64Array;
  readonly #width: number;

  constructor(
    day: number,
    cells: Float64Array,
    { width, texts }: { readonly width: number; readonly texts: TextHeap },
  ) {
    this.day = day;
    this.length = cells.length / width;
    this.texts = texts;
    this.#cells = cells;
    this.#width = width;
  }

  get timeSeconds(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, row) => {
      return this.#cells[row * this.#width + CELL.time];
    });
  }

  read(index: number, into: Payment): void {
    fromCells(this.#cells, index * this.#width, into);
  }

  readKept(index: number, cells: Float64Array, at: number): void {
    const from = index * this.#width + PAYMENT_CELLS;
    for (let kept = 0; kept < this.#width - PAYMENT_CELLS; kept++) {
      cells[at + kept] = this.#cells[from + kept];
    }
  }
}

function fill(row: SortedRow, payment: MappedPayment): void {
  payment.datetimeSeconds = row[SORTED.time] as number;
  payment.transactionId = row[SORTED.id] as number | string;
  payment.customerId = row[SORTED.customer] as number | string;
  payment.terminalId = row[SORTED.terminal] as number | string;
  payment.amountUnits = row[SORTED.units] as number;
  payment.fraud = row[SORTED.fraud] as number;
  payment.scenario = row[SORTED.scenario] as number;
  payment.kept.length = 0;
  for (let at = SORTED.kept; at < row.length; at++) {
    payment.kept.push(row[at] as KeptValue);
  }
}
