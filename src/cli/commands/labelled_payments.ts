/**
 * Labelled payments for the commands that learn, from files or simulated: one
 * loader, through the same features as every other command.
 */
import { ConfigError } from "../../base/error.ts";
import { FeatureOperator } from "../../features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../../features/parameters.ts";
import { DayReader } from "../../files/day_reader.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import {
  AMOUNT_INPUT,
  type LabelledPayments,
  PaymentsBuilder,
} from "../../learning/data/payments.ts";
import { openSimulation } from "../../simulator/simulation.ts";
import {
  emptyPayment,
  type Payment,
  readTableRow,
} from "../../payment/payment.ts";
import {
  DATA_FLAGS,
  type DataOptions,
  readDataFlags,
} from "../flags/data_flags.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "../flags/flag.ts";
import { oneOf } from "../flags/flag_value.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { counted, writeError } from "../output/terminal.ts";

/** Which days are needed. */
export interface DayChoice {
  /** Day behind the last one that is read; Infinity for all. */
  readonly endDay: number;
  /** How many of the days read last are kept; the windows see them all. */
  readonly spanDays: number;
}

/** Rows computed at once. */
const BLOCK_ROWS = 4096;

/** The flags that say how payments in files are read. */
export const INPUT_FLAGS = {
  flags: {
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --in, else as it begins",
    },
    skipBadRows: {
      help: "leave out rows that can't be used, and report them",
    },
  },
} as const satisfies FlagGroup;

/** The flags that say where payments come from; without --in the data flags do. */
export const PAYMENT_FLAGS = {
  title: "Payments",
  flags: {
    in: {
      value: "<path>",
      help: "folder of day files (YYYY-MM-DD), a file, or - for stdin",
      default: "the data flags' set, made in memory",
    },
    ...INPUT_FLAGS.flags,
  },
} as const satisfies FlagGroup;

/** What these flags and the data flags give. */
export type PaymentOptions = FlagValues<typeof PAYMENT_FLAGS> & DataOptions;

/** Data flags that have no meaning for payments from files. */
const { start: _start, ...SIMULATED } = DATA_FLAGS.flags;

/** The inputs of models on these features: the amount, then the features. */
export function inputNames(parameters: FeatureParameters): string[] {
  return [AMOUNT_INPUT, ...featureNames(parameters)];
}

/** Reads or simulates payments and computes their features. Throws ConfigError and DataError. */
export async function loadPayments(
  options: PaymentOptions,
  parameters: FeatureParameters,
  choice: DayChoice,
): Promise<LabelledPayments> {
  if (options.in === undefined) {
    return simulatePayments(options, parameters, choice);
  }
  const [foreign] = givenFlags({ flags: SIMULATED }, options);
  if (foreign !== undefined) {
    throw new ConfigError(
      `${foreign} says what to simulate, but --in=${options.in} reads ` +
        "payments; leave one of them out",
    );
  }
  using stop = listenForStop();
  try {
    return await readPayments(
      options.in,
      options,
      parameters,
      choice,
      stop.signal,
    );
  } catch (error) {
    throwIfStopped(stop.signal, () => "the payments were not read to the end");
    throw error;
  }
}

async function readPayments(
  path: string,
  options: PaymentOptions,
  parameters: FeatureParameters,
  choice: DayChoice,
  signal: AbortSignal,
): Promise<LabelledPayments> {
  const reader = await DayReader.open(path, {
    startSeconds: options.start,
    skipBadRows: options.skipBadRows ?? false,
    inputFormat: options.inputFormat,
    signal,
  });
  const files = reader.sources.length;
  using progress = openProgress("features", files > 1 ? files : 0);
  let gathering: Gathering | undefined;
  let rows = 0;
  for await (const day of reader.days()) {
    if (day.day >= choice.endDay) break;
    gathering ??= new Gathering(parameters, reader.startSeconds ?? 0, choice);
    gathering.add(day.day, day.length, (row, into) => day.read(row, into));
    rows += day.length;
    progress.update(reader.sourcesRead, counted(rows, "payment"));
  }
  signal.throwIfAborted();
  writeError(skippedRows(reader));
  gathering ??= new Gathering(parameters, options.start ?? 0, choice);
  return gathering.finish();
}

function simulatePayments(
  options: PaymentOptions,
  parameters: FeatureParameters,
  choice: DayChoice,
): LabelledPayments {
  const flags = readDataFlags(options);
  const { days, startSeconds } = flags.parameters;
  const endDay = Math.min(choice.endDay, days === 0 ? Infinity : days);
  if (endDay === Infinity) {
    throw new ConfigError(
      "--days=0 never ends and all days are needed here; give a number of days",
    );
  }
  // The work until the first day and that on the days, half a bar each.
  using progress = openProgress("payments", 100);
  const simulation = openSimulation({
    ...flags,
    onProgress: (done) => progress.update(Math.round(50 * done), "simulating"),
  });
  const gathering = new Gathering(parameters, startSeconds, choice);
  let nextId = 0;
  for (let day = 0; day < endDay; day++) {
    const table = simulation.day(day, nextId);
    gathering.add(day, table.length, (row, into) => {
      readTableRow(table, row, startSeconds, into);
    });
    nextId += table.length;
    progress.update(Math.round(50 + 50 * (day + 1) / endDay), "features");
  }
  return gathering.finish();
}

/** Computes the features of day after day and keeps those that are needed. */
class Gathering {
  readonly #operator: FeatureOperator;
  readonly #builder: PaymentsBuilder;
  readonly #layout: TotalsLayout;
  readonly #width: number;
  readonly #totals: Float64Array;
  readonly #values: Float64Array;
  readonly #row = emptyPayment();

  constructor(
    parameters: FeatureParameters,
    startSeconds: number,
    { spanDays }: DayChoice,
  ) {
    this.#operator = new FeatureOperator(parameters);
    this.#builder = new PaymentsBuilder(
      inputNames(parameters),
      startSeconds,
      spanDays,
    );
    this.#layout = totalsLayout(parameters);
    this.#width = featureCount(parameters);
    this.#totals = new Float64Array(BLOCK_ROWS * this.#width);
    this.#values = new Float64Array(this.#width);
  }

  /** Adds a day's payments, which `read` fills in by index. */
  add(
    day: number,
    length: number,
    read: (row: number, into: Payment) => void,
  ): void {
    this.#builder.startDay(day, length);
    const row = this.#row;
    for (let from = 0; from < length; from += BLOCK_ROWS) {
      const block = Math.min(BLOCK_ROWS, length - from);
      this.#operator.processBlock(
        block,
        (index, into) => read(from + index, into),
        this.#totals,
      );
      for (let index = 0; index < block; index++) {
        const at = index * this.#width;
        totalsToValues(this.#totals, this.#layout, this.#values, at);
        read(from + index, row);
        this.#builder.add(row, this.#values);
      }
    }
  }

  finish(): LabelledPayments {
    return this.#builder.finish();
  }
}
