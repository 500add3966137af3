/**
 * Where a report's payments come from: simulated in memory, files, or a store;
 * block after block with their features, and the profiles where they are known.
 */
import { DataError } from "../../base/error.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import { fromCells, PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../../features/parameters.ts";
import {
  type FeatureBlock,
  FeatureBlocks,
} from "../../files/payment_features.ts";
import type {
  PaymentChoice,
  PaymentSource,
} from "../../files/payment_source.ts";
import { parseCustomer, parseTerminal } from "../../files/profile_reader.ts";
import { type Log, type LogReport, READ_LIMIT } from "../../log/log.ts";
import { recordValue } from "../../log/record_batch.ts";
import { CUSTOMER_TOPIC, TERMINAL_TOPIC } from "../../stream/topics.ts";
import type { Store } from "../../store/store.ts";
import { formatDate } from "../../payment/calendar.ts";
import type { Customer, Terminal } from "../../payment/payment.ts";
import type { BadRows } from "../output/bad_rows.ts";
import {
  type Connection,
  sameStreamFlags,
  storePlace,
} from "../flags/connection_flags.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { openStoredRows, openStoredStream, warnings } from "./stored_stream.ts";
import { counted, writeError } from "../output/terminal.ts";

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

/** The payments of a source, with features that are computed. */
export async function computedSource(
  source: PaymentSource,
  choice: PaymentChoice,
  features: FeatureParameters,
): Promise<ReportSource> {
  async function* blocks(signal: AbortSignal): AsyncGenerator<FeatureBlock> {
    const computing = new FeatureBlocks(features);
    using progress = openProgress("statistics", source.progress.total);
    let rows = 0;
    for await (const batch of source.batches(signal)) {
      yield* computing.values(batch);
      rows += batch.length;
      progress.update(source.progress.done, counted(rows, "payment"));
    }
    writeError(skippedRows(source.skipped));
  }
  return {
    ...await source.profiles(),
    description: describe(choice),
    features,
    blocks,
  };
}

function describe(choice: PaymentChoice): string {
  if (choice.kind === "files") {
    const { path } = choice.files;
    return `payments in ${path === STANDARD_STREAM ? "stdin" : path}`;
  }
  const { parameters, rng, seed } = choice.simulation;
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
          report("warning", "left out a record that is not a profile", {
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
