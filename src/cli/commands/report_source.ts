/**
 * Where a report's payments come from: simulated in memory, files, or a store;
 * block after block with their features, and the profiles where they are known.
 */
import { DataError } from "../../base/error.ts";
import { FeatureOperator } from "../../features/feature_operator.ts";
import { fromCells, PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../../features/parameters.ts";
import { DayReader } from "../../files/day_reader.ts";
import {
  parseCustomer,
  parseTerminal,
  readCustomers,
  readTerminals,
} from "../../files/profile_reader.ts";
import type { TableFormat } from "../../files/table_encoder.ts";
import { type Log, type LogReport, READ_LIMIT } from "../../log/log.ts";
import { recordValue } from "../../log/record_batch.ts";
import { CUSTOMER_TOPIC, TERMINAL_TOPIC } from "../../stream/topics.ts";
import { openSimulation } from "../../simulator/simulation.ts";
import type { Store } from "../../store/store.ts";
import { formatDate } from "../../payment/calendar.ts";
import {
  type Customer,
  type Payment,
  readTableRow,
  type Terminal,
} from "../../payment/payment.ts";
import type { BadRows } from "../output/bad_rows.ts";
import {
  type Connection,
  sameStreamFlags,
  storePlace,
} from "../flags/connection_flags.ts";
import type { DataFlags } from "../flags/data_flags.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { openStoredRows, openStoredStream, warnings } from "./stored_stream.ts";
import { counted, writeError } from "../output/terminal.ts";

/** Payments with their feature values, valid until the next block. */
export interface FeatureBlock {
  /** Number of payments. */
  readonly count: number;
  /** Fills `into` with payment `index`. */
  read(index: number, into: Payment): void;
  /** Feature values; those of payment i begin at `first` + i · `width`. */
  readonly values: Float64Array;
  /** See `values`. */
  readonly first: number;
  /** See `values`. */
  readonly width: number;
}

/** Payments with features, and who pays where. */
export interface ReportSource {
  /** Where they come from, for people. */
  readonly description: string;
  /** Which features they have. */
  readonly features: FeatureParameters;
  /** The customers, ascending; undefined where they are not known. */
  readonly customers: readonly Customer[] | undefined;
  /** The terminals, ascending; undefined where they are not known. */
  readonly terminals: readonly Terminal[] | undefined;
  /** The payments, for one pass, which the signal ends by throwing its reason. */
  blocks(signal: AbortSignal): AsyncGenerator<FeatureBlock>;
}

/** Payments in files. */
export interface FilesChoice {
  /** Folder, file, or - for stdin. */
  readonly path: string;
  /** Format where the name does not tell. */
  readonly inputFormat: TableFormat | undefined;
  /** Whether bad rows are left out. */
  readonly skipBadRows: boolean;
  /** Midnight of the first day; undefined for what the first row says. */
  readonly startSeconds: number | undefined;
}

/** Payments computed at once. */
const BLOCK_ROWS = 4096;

/** Simulates a data set. What is done before it returns lets no signal be heard. */
export function simulatedSource(
  flags: DataFlags,
  features: FeatureParameters,
): ReportSource {
  using progress = openProgress("simulating", 100);
  const simulation = openSimulation({
    ...flags,
    onProgress: (done) => progress.update(Math.round(100 * done)),
  });
  const { customers, terminals, days, startSeconds } = simulation;
  async function* blocks(signal: AbortSignal): AsyncGenerator<FeatureBlock> {
    const computing = new FeatureBlocks(features);
    using progress = openProgress("statistics", days);
    let nextId = 0;
    for (let day = 0; day < days; day++) {
      const table = simulation.day(day, nextId);
      yield* computing.of(table.length, (index, into) => {
        readTableRow(table, index, startSeconds, into);
      });
      nextId += table.length;
      progress.update(day + 1, counted(nextId, "payment"));
      await nextTurn(signal);
    }
  }
  const description = describe(flags);
  return { description, features, customers, terminals, blocks };
}

function describe({ parameters, rng, seed }: DataFlags): string {
  const { customers, terminals, days, startSeconds, radius } = parameters;
  const chance = rng === "handbook"
    ? "simulated as in the handbook"
    : `simulated with seed '${seed}'`;
  return `${chance}, ${counted(customers, "customer")}, ` +
    `${counted(terminals, "terminal")}, ${counted(days, "day")} from ` +
    `${formatDate(startSeconds)}, radius ${radius}`;
}

/** Lets signals be heard, and throws the reason if one was. */
async function nextTurn(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
}

/** Opens payments in files, and the profiles beside them. Throws DataError. */
export async function fileSource(
  { path, ...options }: FilesChoice,
  features: FeatureParameters,
  signal: AbortSignal,
): Promise<ReportSource> {
  const reader = await DayReader.open(path, { ...options, signal });
  const isFolder = reader.sources.every((source) => source.path !== path);
  const customers = isFolder ? await readCustomers(path) : undefined;
  const terminals = isFolder ? await readTerminals(path) : undefined;
  async function* blocks(): AsyncGenerator<FeatureBlock> {
    const computing = new FeatureBlocks(features);
    const files = reader.sources.length;
    using progress = openProgress("statistics", files > 1 ? files : 0);
    let rows = 0;
    for await (const day of reader.days()) {
      yield* computing.of(day.length, (index, into) => day.read(index, into));
      rows += day.length;
      progress.update(reader.sourcesRead, counted(rows, "payment"));
    }
    writeError(skippedRows(reader));
  }
  const name = path === "-" ? "stdin" : path;
  const description = `payments in ${name}`;
  return { description, features, customers, terminals, blocks };
}

/** Computes features of payments, in the same memory block after block. */
class FeatureBlocks {
  readonly #operator: FeatureOperator;
  readonly #layout: TotalsLayout;
  readonly #width: number;
  readonly #totals: Float64Array;
  readonly #values: Float64Array;
  readonly #row: Float64Array;

  constructor(parameters: FeatureParameters) {
    this.#operator = new FeatureOperator(parameters);
    this.#layout = totalsLayout(parameters);
    this.#width = featureCount(parameters);
    this.#totals = new Float64Array(BLOCK_ROWS * this.#width);
    this.#values = new Float64Array(BLOCK_ROWS * this.#width);
    this.#row = new Float64Array(this.#width);
  }

  /** The next `length` payments, which `read` fills in by index. */
  *of(
    length: number,
    read: (index: number, into: Payment) => void,
  ): Generator<FeatureBlock> {
    const width = this.#width;
    const values = this.#values;
    for (let from = 0; from < length; from += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, length - from);
      const readBlock = (index: number, into: Payment) =>
        read(from + index, into);
      this.#operator.processBlock(count, readBlock, this.#totals);
      for (let at = 0; at < count * width; at += width) {
        totalsToValues(this.#totals, this.#layout, this.#row, at);
        values.set(this.#row, at);
      }
      yield { count, read: readBlock, values, first: 0, width };
    }
  }
}

/**
 * Opens what a stream has stored, hands it to `use`, and closes it. Throws
 * DataError if there is nothing.
 */
export async function withStoredSource<T>(
  connection: Connection,
  badRows: BadRows,
  use: (source: ReportSource) => Promise<T>,
): Promise<T> {
  const report = warnings("report");
  await using stream = await openStoredStream(connection, report);
  const store = await openStoredRows(connection, stream, report);
  if (!store || !stream.parameters) {
    throw new DataError(
      `nothing is stored in ${storePlace(connection)} yet; run the writer ` +
        `first: fraudstream run ${sameStreamFlags(connection)}`,
    );
  }
  await using _closed = store;
  const { log, parameters: { features } } = stream;
  return await use({
    description: `the store in ${storePlace(connection)}`,
    features,
    customers: await readTopic(
      log,
      CUSTOMER_TOPIC,
      report,
      parseCustomer,
      (customer) => {
        return customer.customerId;
      },
    ),
    terminals: await readTopic(
      log,
      TERMINAL_TOPIC,
      report,
      parseTerminal,
      (terminal) => {
        return terminal.terminalId;
      },
    ),
    blocks: (signal) => storedBlocks(store, features, badRows, signal),
  });
}

async function* storedBlocks(
  store: Store,
  features: FeatureParameters,
  badRows: BadRows,
  signal: AbortSignal,
): AsyncGenerator<FeatureBlock> {
  const width = PAYMENT_CELLS + featureCount(features);
  using progress = openProgress("statistics", 0);
  let rows = 0;
  for await (const { cells, count } of store.rows(signal, badRows.handle)) {
    yield {
      count,
      read: (index, into) => fromCells(cells, index * width, into),
      values: cells,
      first: PAYMENT_CELLS,
      width,
    };
    rows += count;
    progress.update(0, counted(rows, "payment"));
    await nextTurn(signal);
  }
}

/**
 * The newest record of each profile in a topic, ascending; undefined if there
 * is none. What another program has written there is left out, with a word.
 */
async function readTopic<T>(
  log: Log,
  topic: string,
  report: LogReport,
  parse: (json: string, place: string) => T,
  idOf: (profile: T) => number,
): Promise<T[] | undefined> {
  const ends = await log.endOffsets(topic) ?? [];
  const byId = new Map<number, T>();
  for (const [partition, end] of ends.entries()) {
    for (let offset = 0; offset < end;) {
      const batch = await log.read(topic, partition, offset, READ_LIMIT);
      for (let index = 0; index < batch.count; index++) {
        const json = new TextDecoder().decode(recordValue(batch, index));
        const place = `${topic}/${partition}/${batch.offsets[index]}`;
        try {
          const profile = parse(json, place);
          byId.set(idOf(profile), profile);
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
          report("warning", "a record that is no profile was left out", {
            place,
            error: error.message,
          });
        }
      }
      if (batch.next <= offset) break;
      offset = batch.next;
    }
  }
  if (byId.size === 0) return undefined;
  return [...byId.values()].sort((a, b) => idOf(a) - idOf(b));
}
