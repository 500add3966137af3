/**
 * `fraudstream check`: what a definition makes of the first rows of some data,
 * and which rows it would reject, and why. Without a definition it suggests
 * one.
 */
import { ConfigError, DataError } from "../../base/error.ts";
import { textTable } from "../../base/text_table.ts";
import { UNSTOPPED } from "../../base/unless_stopped.ts";
import { putMappedPayment } from "../../definition/mapped_row.ts";
import {
  emptyMappedPayment,
  type KeptValue,
  type MappedPayment,
  PaymentMapper,
} from "../../definition/payment_mapper.ts";
import {
  openDefinition,
  readDefinition,
} from "../../definition/read_definition.ts";
import { isMissing, type RawValue } from "../../definition/rejection.ts";
import {
  definitionHash,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import type { SampleColumn } from "../../definition/sample_column.ts";
import { suggestDefinition } from "../../definition/suggestion.ts";
import { paymentValues } from "../../features/declared_features.ts";
import type { DeclaredPart } from "../../features/declared_part.ts";
import {
  keysOfDeclarations,
  MissingKeys,
} from "../../features/missing_keys.ts";
import type { DaySource } from "../../files/day_source.ts";
import { readingDefinition } from "../../files/import_folder.ts";
import { findRawSources } from "../../files/raw_sources.ts";
import { rawRows } from "../../files/raw_rows.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { formatDatetime, formatDuration } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { FRAUD_UNKNOWN, PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { TextHeap } from "../../payment/text_heap.ts";
import { declaredSample, predictMemory } from "../../roles/stage_memory.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { HMAC_KEY_FLAG, readHmacKey } from "../flags/definition_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { oneOf, requireFlag, wholeNumber } from "../flags/flag_value.ts";
import { LATENESS_SECONDS, readStreamFlags } from "../flags/stream_flags.ts";
import { missingKeysText } from "../output/skipped_rows.ts";
import { shellWord, writeError, writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

const EXAMPLES = `
Examples:
  ./fraudstream check --sample=payments.csv > stream.yaml
  ./fraudstream check stream.yaml --sample=payments.csv
  ./fraudstream check sparkov --sample=fraudTrain.csv --rows=1000000
`;

const ROWS_MAX = 1_000_000;
const ROWS_DEFAULT = 100_000;

/** Payments that are shown. */
const SHOWN = 5;

/** Rows whose values a suggestion looks at, and up to twice as many. */
const SUGGESTION_ROWS = 1000;

const FLAGS = {
  flags: {
    sample: {
      value: "<path>",
      help: "the data: a file, a folder of files, or - for stdin",
    },
    rows: {
      value: "<n>",
      help: "rows to read",
      read: wholeNumber(1, ROWS_MAX),
      fallback: ROWS_DEFAULT,
      default: `${ROWS_DEFAULT}`,
    },
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --sample, else by its first bytes",
    },
    ...HMAC_KEY_FLAG.flags,
  },
} as const satisfies FlagGroup;

type CheckOptions = FlagValues<typeof FLAGS> & {
  /** Name of the definition's file, or of a built-in one. */
  readonly definition?: string;
};

/** The command. */
export const CHECK_COMMAND: CommandDeclaration = defineCommand({
  name: "check",
  summary: "show what a stream definition makes of some data, or suggest one",
  description:
    "Maps the first rows of your data by a definition and shows the first " +
    "payments, and which rows would be rejected and why. Without a definition " +
    "it prints a suggestion, made from the names of the columns and some " +
    "values. It writes nothing and starts nothing.",
  flags: [FLAGS],
  operands: [{
    key: "definition",
    help: "the file of the definition, or handbook, live, sparkov or " +
      "tabformer; without it one is suggested",
  }],
  examples: EXAMPLES,
  run: check,
});

async function check(options: CheckOptions): Promise<void> {
  const sample = requireFlag(
    "--sample",
    options.sample,
    "check stream.yaml --sample=payments.csv",
  );
  const sources = await findRawSources(sample, options.inputFormat);
  if (options.definition === undefined) {
    if (options.hmacKeyFile !== undefined) {
      throw new ConfigError(
        "--hmac-key-file has no effect without a definition; name its file " +
          "before the flags, or leave it out",
      );
    }
    await suggest(sources, sample, options.rows);
    return;
  }
  const definition = openDefinition(options.definition);
  const reading = readingDefinition(sample, definition);
  const key = readHmacKey(reading, options);
  const mapper = new PaymentMapper(reading, key);
  const parameters = readStreamFlags({ definition }, undefined);
  const sampler = new DeclaredSampler(definition, parameters);
  const found = await mapSample(sources, mapper, options.rows, sampler);
  writeResult(
    `${options.definition}: SHA-256 ${definitionHash(definition)}\n` +
      resultText(found, definition, mapper) +
      missingText(sampler) +
      memoryText(found, parameters, sampler),
  );
  if (found.mapped === 0) {
    throw new DataError(
      `${sample}: no row is a payment; correct the definition by the reasons ` +
        "above",
    );
  }
}

/** Prints a suggestion, and says on stderr what it makes of the data. */
async function suggest(
  sources: readonly DaySource[],
  sample: string,
  rows: number,
): Promise<void> {
  if (sample === "-") {
    throw new ConfigError(
      "a suggestion reads the data twice, which stdin cannot; name a file " +
        "with --sample",
    );
  }
  const text = suggestDefinition(await sampleColumns(sources, rows), sample);
  writeResult(text);
  const mapper = new PaymentMapper(readDefinition(text, "the suggestion"));
  const found = await mapSample(sources, mapper, rows);
  const { read, mapped, rejected } = found;
  writeError(
    `of the first ${counted(read, "row")}, ${thousands(mapped)} are payments ` +
      `by this suggestion\n` +
      (rejected.size === 0 ? "" : `\n${rejectedTable(found)}\n\n`) +
      "Save it, check every line, then: ./fraudstream check stream.yaml " +
      `--sample=${shellWord(sample)}\n`,
  );
}

/** The columns of some data, with the values of up to `rows` rows, evenly thinned out. */
async function sampleColumns(
  sources: readonly DaySource[],
  rows: number,
): Promise<SampleColumn[]> {
  let names: readonly string[] | undefined;
  let kept: (string | undefined)[][] = [];
  let stride = 1;
  let read = 0;
  const nested = new Set<string>();
  const row: RawValue[] = [];
  for (const source of sources) {
    for await (const batch of rawRows(source, rowOptions(source))) {
      // A name that stands twice cannot be asked for.
      names ??= batch.columns.filter((name, _, all) =>
        all.indexOf(name) === all.lastIndexOf(name)
      );
      for (let i = 0; i < batch.length && read < rows; i++, read++) {
        if (read % stride !== 0 || batch.values(i, names, row)) continue;
        kept.push(names.map((name, at) => {
          const value = row[at];
          if (isNested(value)) nested.add(name);
          return isMissing(value) ? undefined : sampleText(value);
        }));
        if (kept.length <= 2 * SUGGESTION_ROWS) continue;
        // What is odd in the data may begin late.
        kept = kept.filter((_, at) => at % 2 === 0);
        stride *= 2;
      }
      if (read >= rows) break;
    }
    if (read >= rows) break;
  }
  if (names === undefined || kept.length === 0) {
    throw new DataError(`${sources[0].name}: no rows`);
  }
  return names.map((name, at) => {
    const values = kept.map((row) => row[at])
      .filter((value) => value !== undefined);
    const missing = kept.length - values.length;
    return { name, values, missing, isNested: nested.has(name) };
  });
}

function isNested(value: RawValue): boolean {
  return typeof value === "object" && value !== null &&
    !(value instanceof Date);
}

function sampleText(value: RawValue): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** What was found in some rows. */
interface Found {
  /** Rows that were read. */
  read: number;
  /** Rows that are payments. */
  mapped: number;
  /** Payments whose label the data say. */
  labelled: number;
  frauds: number;
  /** Of each card, how many payments it has. */
  readonly cards: Map<number | string, number>;
  /** The same of each terminal. */
  readonly terminals: Map<number | string, number>;
  firstSeconds: number;
  lastSeconds: number;
  /** Payments that the stream would reject because a newer one came too long before. */
  late: number;
  /** The first payments. */
  readonly shown: MappedPayment[];
  /** How many rows were rejected for each reason, and the first of them. */
  readonly rejected: Map<string, { count: number; readonly first: string }>;
  /** Columns of the data that travel with the payment. */
  readonly rest: string[];
}

const DUPLICATE = "duplicate TRANSACTION_ID";

async function mapSample(
  sources: readonly DaySource[],
  mapper: PaymentMapper,
  rows: number,
  sampler?: DeclaredSampler,
): Promise<Found> {
  const found: Found = {
    read: 0,
    mapped: 0,
    labelled: 0,
    frauds: 0,
    cards: new Map(),
    terminals: new Map(),
    firstSeconds: Infinity,
    lastSeconds: -Infinity,
    late: 0,
    shown: [],
    rejected: new Map(),
    rest: [],
  };
  const ids = new Set<number | string>();
  const values: RawValue[] = [];
  for (const source of sources) {
    for await (const batch of rawRows(source, rowOptions(source))) {
      if (found.read === 0) {
        found.rest.push(
          ...batch.columns.filter((column) => mapper.isRest(column)),
        );
      }
      for (let i = 0; i < batch.length && found.read < rows; i++) {
        found.read++;
        const into = emptyMappedPayment();
        const wrong = batch.values(i, mapper.fields, values) ??
          mapper.map(values, found.read, into);
        const place = `${source.name}:${batch.line(i)}`;
        if (wrong) {
          reject(found, wrong.reason, `${place}: ${wrong.message}`);
        } else if (ids.has(into.transactionId)) {
          const id = `TRANSACTION_ID ${into.transactionId}`;
          reject(found, DUPLICATE, `${place}: ${id} came before`);
        } else {
          ids.add(into.transactionId);
          take(found, into);
          sampler?.add(into);
        }
      }
      if (found.read >= rows) return found;
    }
  }
  return found;
}

function rowOptions({ name }: DaySource): {
  readonly name: string;
  readonly signal: AbortSignal;
} {
  return { name, signal: UNSTOPPED };
}

function reject(found: Found, reason: string, message: string): void {
  const before = found.rejected.get(reason);
  if (before) before.count++;
  else found.rejected.set(reason, { count: 1, first: message });
}

function take(found: Found, payment: MappedPayment): void {
  const { datetimeSeconds, customerId, terminalId, fraud } = payment;
  found.mapped++;
  if (fraud !== FRAUD_UNKNOWN) found.labelled++;
  if (fraud === 1) found.frauds++;
  countKey(found.cards, customerId);
  countKey(found.terminals, terminalId);
  found.firstSeconds = Math.min(found.firstSeconds, datetimeSeconds);
  if (datetimeSeconds < found.lastSeconds - LATENESS_SECONDS) found.late++;
  found.lastSeconds = Math.max(found.lastSeconds, datetimeSeconds);
  if (found.shown.length < SHOWN) found.shown.push(payment);
}

function countKey<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function resultText(
  found: Found,
  definition: StreamDefinition,
  mapper: PaymentMapper,
): string {
  const { read, mapped, frauds, rejected, rest, late } = found;
  const lines = [
    `${counted(read, "row")} read, ${thousands(mapped)} are payments, ` +
    `${thousands(read - mapped)} rejected`,
  ];
  if (mapped > 0) {
    const { cards, terminals } = found;
    const first = formatDatetime(found.firstSeconds);
    const last = formatDatetime(found.lastSeconds);
    const isLabelled = definition.payment.fraud !== null;
    lines.push(
      `from ${first} to ${last} UTC; ${counted(cards.size, "card")}, ` +
        counted(terminals.size, "terminal") +
        (isLabelled ? `, ${counted(frauds, "fraud")}` : ", no labels"),
      "",
      paymentTable(found.shown, definition).trimEnd(),
    );
  }
  if (mapper.fields.length > 0 && rest.length > 0) {
    lines.push("", `kept in the log too, unnamed: ${rest.join(", ")}`);
  }
  if (rejected.size > 0) lines.push("", rejectedTable(found));
  if (late > 0) {
    lines.push(
      "",
      `not in order of time: ${counted(late, "payment")} ` +
        `${late === 1 ? "is" : "are"} more than ` +
        `${formatDuration(LATENESS_SECONDS)} older than one before; ` +
        "'./fraudstream import' sorts the data for 'run'",
    );
  }
  return lines.join("\n") + "\n";
}

/** The rejected rows by reason, the most frequent first. */
function rejectedTable({ rejected }: Found): string {
  const rows = [...rejected].sort(([, a], [, b]) => b.count - a.count)
    .map(([reason, { count, first }]) => [reason, thousands(count), first]);
  return textTable(["rejected", "rows", "first"], rows).trimEnd();
}

/** The smallest sample whose rate says anything: payments, and seconds from the first to the last. */
const RATE_PAYMENTS = 1000;
const RATE_SECONDS = 3600;

/** Counts payments for the memory of what a definition declares, and those that lack a key of it. */
class DeclaredSampler {
  /** What has counted them. */
  readonly declared: DeclaredPart | undefined;
  /** What has counted those that lack a key. */
  readonly keys: MissingKeys;
  readonly #shape: PaymentShape;
  readonly #cells: Float64Array;
  readonly #texts = new TextHeap();

  constructor(
    { features }: StreamDefinition,
    parameters: StreamParameters,
  ) {
    this.declared = declaredSample(parameters);
    this.#shape = shapeOfStream(parameters);
    this.keys = new MissingKeys(
      keysOfDeclarations(features.declared),
      paymentValues(this.#shape, PAYMENT_CELLS),
    );
    this.#cells = new Float64Array(PAYMENT_CELLS + this.#shape.kept.length);
  }

  add(payment: MappedPayment): void {
    if (!this.declared) return;
    const [cells, texts] = [this.#cells, this.#texts];
    texts.clear();
    putMappedPayment(payment, this.#shape, 0, cells, 0, texts);
    this.declared.count(cells, 0, texts);
    this.keys.add(cells, 0);
  }
}

/** Keys of declared features that most payments lack. */
function missingText({ keys }: DeclaredSampler): string {
  const text = missingKeysText(keys.most());
  return text === "" ? "" : `\n${text}`;
}

/** What the processor's memory will be; nothing for a sample that is small or not in order. */
function memoryText(
  found: Found,
  parameters: StreamParameters,
  { declared }: DeclaredSampler,
): string {
  const { mapped, late, cards, terminals, firstSeconds, lastSeconds } = found;
  const seconds = lastSeconds - firstSeconds;
  const isSmall = mapped < RATE_PAYMENTS || seconds < RATE_SECONDS;
  if (isSmall || late > 0) return "";
  const labels = labelsOf(found);
  const isLater = parameters.features.graceSeconds !== undefined;
  const states = predictMemory(parameters, {
    ...{ seconds, labels },
    ofCards: cards.values(),
    ofTerminals: terminals.values(),
    declared,
  });
  const perDay = Math.round(mapped / seconds * DAY_SECONDS);
  const rows = states.map(({ state, keepSeconds, payments, bytes }) => [
    state,
    (keepSeconds / DAY_SECONDS).toFixed(keepSeconds < DAY_SECONDS ? 2 : 0),
    thousands(payments),
    (bytes / Math.max(1, payments)).toFixed(1),
    (bytes / 2 ** 20).toFixed(1),
  ]);
  const heading = ["memory", "days", "payments", "bytes per payment", "MiB"];
  return "\n" + textTable(heading, rows) +
    `(the processor's, predicted for ${
      thousands(perDay)
    } payments per day as ` +
    "in the sample" + (isLater ? `, and ${labels.about}` : "") +
    "; texts stay in the log)\n";
}

/** Of a hundred payments, how many are frauds where the data have no labels. */
const FRAUDS_OF_100 = 1;

/** Which payments get a label later: those of the data that have one, else all. */
function labelsOf({ mapped, labelled, frauds }: Found) {
  if (labelled === 0) {
    return {
      ...{ labelled: 1, frauds: FRAUDS_OF_100 / 100 },
      about: `a label for every payment, ${FRAUDS_OF_100} in 100 a fraud`,
    };
  }
  return {
    ...{ labelled: labelled / mapped, frauds: frauds / mapped },
    about: "labels as in the sample",
  };
}

/** The payments as a table, with their kept fields. */
function paymentTable(
  payments: readonly MappedPayment[],
  { payment: { amount, fraud, keep } }: StreamDefinition,
): string {
  const heading = [
    ...["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID"],
    amount.currency === null ? "TX_AMOUNT" : `TX_AMOUNT ${amount.currency}`,
    ...fraud ? ["TX_FRAUD"] : [],
    ...keep.map(({ name }) => name),
  ];
  const rows = payments.map((payment) => [
    String(payment.transactionId),
    formatDatetime(payment.datetimeSeconds),
    String(payment.customerId),
    String(payment.terminalId),
    (payment.amountUnits / 10 ** amount.decimals).toFixed(amount.decimals),
    ...fraud ? [payment.fraud < 0 ? "-" : String(payment.fraud)] : [],
    ...keep.map(({ type }, at) => keptText(payment.kept[at], type)),
  ]);
  return textTable(heading, rows.map((cells) => cells.map(short)));
}

function keptText(value: KeptValue, type: string): string {
  if (value === null) return "-";
  return type === "time" && typeof value === "number"
    ? formatDatetime(value)
    : String(value);
}

/** Widest cell, in UTF-16 units. */
const CELL_MAX = 40;

function short(cell: string): string {
  return cell.length > CELL_MAX ? cell.slice(0, CELL_MAX - 1) + "…" : cell;
}
