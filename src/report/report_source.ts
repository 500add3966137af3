/**
 * Where a report's payments come from: a source whose features are computed, or
 * a store that has them; block after block, with the profiles where they are
 * known.
 */
import { DataError } from "../base/error.ts";
import { nextTurn } from "../base/unless_stopped.ts";
import { featureRowCells } from "../features/feature_row.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import { FeatureBlocks, type PaymentBlock } from "../files/payment_features.ts";
import type { PaymentSource } from "../files/payment_source.ts";
import { parseCustomer, parseTerminal } from "../files/profile_reader.ts";
import { type Log, type LogReport, READ_LIMIT } from "../log/log.ts";
import { recordValue } from "../log/record_batch.ts";
import {
  type Customer,
  DAY_SECONDS,
  type Terminal,
} from "../payment/payment.ts";
import {
  FRAUD_UNKNOWN,
  fromCells,
  PAYMENT_CELLS,
} from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { NO_TEXTS } from "../payment/text_heap.ts";
import type { Store } from "../store/store.ts";
import type { BadRow } from "../store/stored_row.ts";
import { readCommit } from "../stream/commit.ts";
import {
  CUSTOMER_GROUP,
  CUSTOMER_TOPIC,
  TERMINAL_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** Payments with features, and who pays where. */
export interface ReportSource {
  /** Where they come from, for people. */
  readonly description: string;
  /** Which features they have. */
  readonly features: FeatureParameters;
  /** The form of the payments. */
  readonly shape: PaymentShape;
  /** Where labels arrive later: how many days after a payment it counts as genuine without one; undefined if there are no labels. */
  readonly genuineAfterDays?: number | undefined;
  /** The customers, ascending; undefined where they are not known. */
  readonly customers: readonly Customer[] | undefined;
  /** The terminals, ascending; undefined where they are not known. */
  readonly terminals: readonly Terminal[] | undefined;
  /** How far the pass is; see PaymentSource. */
  readonly progress: PaymentSource["progress"];
  /** The payments, for one pass, which the signal ends by throwing its reason; see PaymentSource.batches for `reading`. */
  blocks(
    signal: AbortSignal,
    reading: (rows: number) => void,
  ): AsyncGenerator<PaymentBlock>;
}

/** The payments of a source, with features that are computed. Throws DataError for profiles that cannot be read. */
export async function computedSource(
  source: PaymentSource,
  description: string,
  features: FeatureParameters,
): Promise<ReportSource> {
  const { shape, isLabelled } = source;
  const hasLabels = shape.hasLabels && isLabelled;
  return {
    ...await source.profiles(),
    description,
    features,
    shape,
    genuineAfterDays: hasLabels ? features.delayDays : undefined,
    get progress() {
      return source.progress;
    },
    async *blocks(signal, reading) {
      const computing = new FeatureBlocks(features, shape);
      for await (const batch of source.batches(signal, reading)) {
        const { matureSeconds } = source;
        for (const block of computing.values(batch)) {
          yield hasLabels ? matured(block, matureSeconds) : block;
        }
      }
    },
  };
}

/** A block whose payments without a label are genuine up to a TX_TIME_SECONDS. */
function matured(
  block: PaymentBlock,
  matureSeconds = -Infinity,
): PaymentBlock {
  return {
    ...block,
    read(index, into) {
      block.read(index, into);
      const isOpen = into.fraud === FRAUD_UNKNOWN;
      if (isOpen && into.timeSeconds <= matureSeconds) into.fraud = 0;
    },
  };
}

/** What a stream has stored. */
export interface StoredPayments {
  /** The stream's log, which has the profiles. */
  readonly log: Log;
  /** Its store. */
  readonly store: Store;
  /** Which features its rows have. */
  readonly features: FeatureParameters;
  /** The form of its payments. */
  readonly shape: PaymentShape;
  /** Where that is, for people. */
  readonly description: string;
  /** See Store.rows. */
  readonly badRow: (row: BadRow) => void;
  /** Gets reports of records that are not profiles. */
  readonly report: LogReport;
}

/** The payments that a stream has stored. */
export async function storedSource(
  { log, store, features, shape, description, badRow, report }: StoredPayments,
): Promise<ReportSource> {
  const customers = await readTopic(log, CUSTOMER_TOPIC, report, parseCustomer);
  const terminals = await readTopic(log, TERMINAL_TOPIC, report, parseTerminal);
  const width = featureRowCells(features, shape);
  const keptAt = width - shape.kept.length;
  const hasLabels = shape.hasLabels && !await store.labels().isEmpty();
  const { delayDays } = features;
  const matureSeconds = hasLabels
    ? await newestTaken(log) - delayDays * DAY_SECONDS
    : undefined;
  return {
    description,
    features,
    shape,
    genuineAfterDays: hasLabels ? delayDays : undefined,
    customers: sortedBy(customers, ({ customerId }) => customerId),
    terminals: sortedBy(terminals, ({ terminalId }) => terminalId),
    progress: { done: 0, total: 0 },
    async *blocks(signal) {
      for await (const page of store.rows(signal, badRow)) {
        const { cells, count, texts = NO_TEXTS } = page;
        const block: PaymentBlock = {
          count,
          texts,
          read: (index, into) => fromCells(cells, index * width, into),
          readKept: (index, into, at) => {
            const from = index * width + keptAt;
            for (let i = 0; i < shape.kept.length; i++) {
              into[at + i] = cells[from + i];
            }
          },
          values: cells,
          first: PAYMENT_CELLS,
          width,
        };
        yield hasLabels ? matured(block, matureSeconds) : block;
        await nextTurn(signal);
      }
    },
  };
}

/** Greatest TX_TIME_SECONDS that the first stage has said to have taken. */
async function newestTaken(log: Log): Promise<number> {
  const commits = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
  return Math.max(
    0,
    ...commits.map((commit) => readCommit(commit)?.progress ?? 0),
  );
}

/** The last of the profiles of each id, ascending; undefined if there is none. */
function sortedBy<T>(
  profiles: readonly T[],
  idOf: (profile: T) => number,
): T[] | undefined {
  const byId = new Map(profiles.map((profile) => [idOf(profile), profile]));
  if (byId.size === 0) return undefined;
  return [...byId.values()].sort((a, b) => idOf(a) - idOf(b));
}

/** The profiles in a topic, the newest last. What another program has written there is left out, with a warning. */
async function readTopic<T>(
  log: Log,
  topic: string,
  report: LogReport,
  parse: (json: string, place: string) => T,
): Promise<T[]> {
  const ends = await log.endOffsets(topic) ?? [];
  const profiles: T[] = [];
  for (const [partition, end] of ends.entries()) {
    for (let offset = 0; offset < end;) {
      const batch = await log.read(topic, partition, offset, READ_LIMIT);
      for (let index = 0; index < batch.count; index++) {
        const json = new TextDecoder().decode(recordValue(batch, index));
        const place = `${topic}/${partition}/${batch.offsets[index]}`;
        try {
          profiles.push(parse(json, place));
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
  return profiles;
}
