/**
 * Where payments come from: a folder of day files, one file or stdin in any
 * format, or the simulator. The consumer opens a source and reads batches in
 * order, without knowing which source it is.
 */
import { nextTurn } from "../base/unless_stopped.ts";
import type { MissingKey } from "../features/missing_keys.ts";
import {
  type Customer,
  type Payment,
  readTableRow,
  type Terminal,
} from "../payment/payment.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import { NO_TEXTS, type TextHeap } from "../payment/text_heap.ts";
import {
  openSimulation,
  type Simulation,
  type SimulationChoice,
} from "../simulator/simulation.ts";
import { DayReader, type FileChoice } from "./day_reader.ts";
import { openRawFiles, type RawFileChoice } from "./mapped_source.ts";

/** Some payments of one day, in order of time. */
export interface PaymentBatch {
  /** TX_TIME_DAYS of them all. */
  readonly day: number;
  /** How many they are. */
  readonly length: number;
  /** TX_TIME_SECONDS of each, never descending. */
  readonly timeSeconds: Int32Array;
  /** What ids and kept fields that are texts refer to. */
  readonly texts: TextHeap;
  /** Fills `into` with payment `index`. */
  read(index: number, into: Payment): void;
  /** Puts the kept fields of payment `index` into cells, from `at` on. */
  readKept(index: number, cells: Float64Array, at: number): void;
}

/** The customers and terminals. */
export interface Profiles {
  /** The customers, ascending; undefined where they are not known. */
  readonly customers: readonly Customer[] | undefined;
  /** The terminals, ascending; undefined where they are not known. */
  readonly terminals: readonly Terminal[] | undefined;
}

/** Rows that were left out because they cannot be used. */
export interface SkippedRows {
  /** How many, by reason. */
  readonly byReason: ReadonlyMap<string, number>;
  /** What is wrong with the first of them, with their places. */
  readonly first: readonly string[];
  /** Whether a definition says that they are no payments, and not --skip-bad-rows. */
  readonly isByDefinition: boolean;
  /** Of the payments that were used, keys of declared features that most lack. */
  readonly missingKeys?: readonly MissingKey[];
}

/** Payments for one pass, in order of TX_DATETIME, then TRANSACTION_ID; those that a definition maps in order of TX_DATETIME, then as their rows. */
export interface PaymentSource {
  /** What the payments look like. */
  readonly shape: PaymentShape;
  /** Whether they have TX_FRAUD; where labels arrive later, that of some may be FRAUD_UNKNOWN. */
  readonly isLabelled: boolean;
  /** Midnight of day 0, seconds since 1970; undefined before the first batch where the payments determine it. */
  readonly startSeconds: number | undefined;
  /** A payment whose TX_FRAUD is FRAUD_UNKNOWN is genuine if its TX_TIME_SECONDS is not greater; undefined before the first batch, and where there are no such payments. */
  readonly matureSeconds: number | undefined;
  /** Progress of the pass, in days or files. */
  readonly progress: {
    readonly done: number;
    /** 0 where it is not known, or is only one. */
    readonly total: number;
  };
  /** Rows left out so far. */
  readonly skipped: SkippedRows;
  /** The customers and terminals. Throws DataError. */
  profiles(): Promise<Profiles>;
  /**
   * The payments, day after day; a day with very many comes in parts. The
   * signal ends them by throwing its reason. Where all rows are read before the
   * first batch, `reading` is called with their number from time to time.
   * Throws DataError for what cannot be read.
   */
  batches(
    signal: AbortSignal,
    reading?: (rows: number) => void,
  ): AsyncGenerator<PaymentBatch>;
}

/** Payments of files, by the handbook's columns or by a definition, or simulated ones. */
export type PaymentChoice =
  | { readonly kind: "files"; readonly files: FileChoice }
  | { readonly kind: "raw"; readonly files: RawFileChoice }
  | {
    readonly kind: "simulated";
    readonly simulation: SimulationChoice;
    /** The day that the pass begins with, and the TRANSACTION_ID of its first payment; by default those of the first day. */
    readonly from?: SimulatedStart;
  };

/** Where a pass over simulated payments begins. */
export interface SimulatedStart {
  /** The day. */
  readonly day: number;
  /** TRANSACTION_ID of its first payment. */
  readonly firstId: number;
  /** How many days before the last payment of the days before it the pass begins, for labels that arrive later than their payments; not at all by default. */
  readonly daysBefore?: number;
}

/**
 * Opens a source. The handbook's simulation runs before this returns, and a
 * signal cannot interrupt it. Throws DataError for missing files, ConfigError
 * for an invalid simulation.
 */
export async function openPayments(
  choice: PaymentChoice,
): Promise<PaymentSource> {
  if (choice.kind === "raw") return await openRawFiles(choice.files);
  return choice.kind === "files"
    ? await DayReader.open(choice.files)
    : simulatedPayments(choice.simulation, choice.from);
}

/** The simulator as a source; without end where it has none. */
function simulatedPayments(
  choice: SimulationChoice,
  from: SimulatedStart = { day: 0, firstId: 0 },
): PaymentSource {
  const simulation = openSimulation(choice);
  const { customers, terminals, days, startSeconds } = simulation;
  const progress = { done: 0, total: days };
  return {
    shape: HANDBOOK_SHAPE,
    isLabelled: true,
    startSeconds,
    matureSeconds: undefined,
    progress,
    skipped: { byReason: new Map(), first: [], isByDefinition: false },
    profiles: () => Promise.resolve({ customers, terminals }),
    async *batches(signal) {
      const first = rewound(simulation, from);
      let nextId = first.firstId;
      for (let { day } = first; days === 0 || day < days; day++) {
        const table = simulation.day(day, nextId);
        yield {
          day,
          length: table.length,
          timeSeconds: table.timeSeconds,
          texts: NO_TEXTS,
          read: (index, into) => readTableRow(table, index, startSeconds, into),
          readKept() {},
        };
        nextId += table.length;
        progress.done = day + 1;
        await nextTurn(signal);
      }
    },
  };
}

/** The start of a pass, `daysBefore` the newest day before it that has payments. */
function rewound(
  simulation: Simulation,
  { day, firstId, daysBefore }: SimulatedStart,
): SimulatedStart {
  if (daysBefore === undefined) return { day, firstId };
  for (let left = daysBefore; left >= 0 && day > 0;) {
    const count = simulation.count(--day);
    firstId -= count;
    if (left < daysBefore || count > 0) left--;
  }
  return { day, firstId };
}
