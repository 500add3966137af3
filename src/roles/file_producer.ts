/**
 * The producer of payments in files with any columns: maps each row by the
 * stream's definition and publishes it at its pace, in the order of the rows.
 * Each batch and the place behind it are one atomic append, so that a restart
 * continues exactly there.
 */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { ConfigError, DataError } from "../base/error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { unlessStopped, UNSTOPPED } from "../base/unless_stopped.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { PaymentMapper } from "../definition/payment_mapper.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import {
  needsHmacKey,
  type StreamDefinition,
} from "../definition/stream_definition.ts";
import { readingDefinition } from "../files/import_folder.ts";
import { findRawSources } from "../files/raw_sources.ts";
import type { DaySource } from "../files/day_source.ts";
import {
  FIRST_PLACE,
  type MappedBatch,
  type MappedOptions,
  mappedPayments,
  type RowPlace,
} from "../files/mapped_payments.ts";
import { TABLE_FORMATS } from "../files/table_encoder.ts";
import { formatDuration } from "../payment/calendar.ts";
import type { RowDefect } from "../files/row_batch.ts";
import type { Append, LogProducer } from "../log/log.ts";
import { controlRecords, type ProducerPosition } from "../stream/control.ts";
import { MappedRecords } from "../stream/mapped_records.ts";
import { definitionOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { labelSeconds, MappedLabelFeed } from "./label_feed.ts";
import { openPacer } from "./pacer.ts";
import { openProducing, positionAppends, type Producing } from "./producing.ts";
import { OTHER_DATA, PublishedFiles } from "./published_files.ts";
import type { FileInput, Pace } from "./role.ts";

/** Labels that are known after the last payment, in one append at most. */
const LAST_LABELS = 4096;

/** How the producer is run. */
export interface FileProducerOptions {
  /** The files. */
  readonly input: FileInput;
  /** How fast. */
  readonly pace: Pace;
  /** Called after each append with the greatest TX_TIME_SECONDS of the payments published since the start. */
  readonly published?: (newestSeconds: number) => void;
}

/** The text that records which files a stream publishes: equal texts mean the same files. */
export function fileFingerprint(
  { path, format }: Pick<FileInput, "path" | "format">,
): string {
  const named = `--in=${path === STANDARD_STREAM ? path : resolve(path)}`;
  return format === undefined ? named : `--input-format=${format} ${named}`;
}

/** The path and the format in a text that fileFingerprint() wrote; undefined for another text. */
export function readFileFingerprint(
  text: string,
): Pick<FileInput, "path" | "format"> | undefined {
  const found = /^(?:--input-format=(\w+) )?--in=(.*)$/s.exec(text);
  if (!found) return undefined;
  const [, named, path] = found;
  return { path, format: TABLE_FORMATS.find((format) => format === named) };
}

/** Publishes until the files end or the context's signal. Throws DataError for what cannot be read. */
export async function runFileProducer(
  context: StreamContext,
  options: FileProducerOptions,
): Promise<void> {
  const { logger, signal } = context;
  const { input, pace } = options;
  const fingerprint = fileFingerprint(input);
  const producing = await openProducing(context, fingerprint);
  if (!producing) return await reportAfterEnd(context, input);
  const rejected = new Rejections(context);
  const opened = await openFiles(context, input, producing);
  const rows = opened.rows((defect, place) => rejected.add(defect, place));
  const publisher = new Publisher(context, fingerprint, producing, opened);
  logger.info("producing", { ...publisher.position });
  const pacer = openPacer(pace, signal);
  let newest = 0;
  let reading: ReturnType<typeof rows.next> | undefined;
  try {
    for (;;) {
      // Stdin may bring nothing for hours.
      reading = rows.next();
      const read = await unlessStopped(reading, signal);
      if (read === null || signal.aborted) return;
      reading = undefined;
      const { value: batch, done } = read;
      if (done) {
        const isComplete = await publisher.end(batch, signal);
        if (isComplete) rejected.report(publisher.position);
        return;
      }
      const { payments, startSeconds } = batch;
      const times = Int32Array.from(
        payments,
        ({ datetimeSeconds }) => datetimeSeconds - startSeconds,
      );
      for (let at = publisher.skip(batch); at < times.length;) {
        const count = await pacer.take(times, at, times.length - at);
        if (count === 0) return; // stopped
        await publisher.publish(batch, at, at + count);
        for (const end = at + count; at < end; at++) {
          newest = Math.max(newest, times[at]);
        }
        options.published?.(newest);
        if (signal.aborted) return;
      }
    }
  } finally {
    // Closes the file, but does not wait for what a read may still bring.
    const closed = rows.return(FIRST_PLACE);
    if (reading === undefined) await closed;
    else closed.catch(() => {});
  }
}

/** Appends the payments of files, and their labels where they are published later, each time with the place behind them. */
class Publisher {
  readonly #fingerprint: string;
  readonly #producer: LogProducer;
  readonly #files: PublishedFiles;
  readonly #resumed: LastPayment;
  readonly #published: RowPlace;
  readonly #records: MappedRecords;
  readonly #labels: MappedLabelFeed | undefined;
  readonly #maxGapSeconds: number;
  #position: ProducerPosition;
  #isBegun: boolean;
  #startSeconds = 0;
  // The place behind the payment that was taken last.
  #place: RowPlace;

  constructor(
    { parameters }: StreamContext,
    fingerprint: string,
    { producer, origin, position }: Producing,
    { files, resumed, published, from }: OpenedFiles,
  ) {
    this.#fingerprint = fingerprint;
    this.#producer = producer;
    this.#files = files;
    this.#resumed = resumed;
    this.#published = published;
    this.#place = from;
    this.#position = position;
    this.#isBegun = origin !== undefined;
    this.#records = new MappedRecords(parameters);
    this.#maxGapSeconds = parameters.maxGapSeconds;
    const knownAfter = labelSeconds(parameters);
    this.#labels = knownAfter === undefined
      ? undefined
      : new MappedLabelFeed(knownAfter);
  }

  /** What has been published. */
  get position(): ProducerPosition {
    return this.#position;
  }

  /** Passes the payments of a batch that are published already; returns the index of the first other one. Throws DataError if they are not those. */
  skip(batch: MappedBatch): number {
    const { payments: { length }, places } = batch;
    this.#startSeconds = batch.startSeconds;
    let at = 0;
    for (; at < length && places[at].rows <= this.#published.rows; at++) {
      this.#resumed.see(batch, at);
      this.#pass(batch, at);
    }
    if (at < length) this.#resumed.requireFound();
    return at;
  }

  /** Publishes the payments of a batch from `at` to before `end`, behind the labels that are known before each. */
  async publish(batch: MappedBatch, at: number, end: number): Promise<void> {
    const { payments, rests } = batch;
    this.#records.clear();
    for (let i = at; i < end; i++) {
      this.#addLabels(payments[i].datetimeSeconds);
      this.#records.add(payments[i], this.#startSeconds, rests[i]);
      this.#pass(batch, i);
    }
    const nextId = this.#position.nextId + end - at;
    this.#position = {
      ...positionAt(nextId, this.#place, this.#labels?.place),
      last: digestOf(batch, end - 1),
    };
    const entering = await this.#files.entering(this.#place.file);
    await this.#append(this.#startSeconds, entering, false);
  }

  /** Publishes the labels that are known after the last payment, and the end of the data, which is at `place`; false if it was stopped before. */
  async end(place: RowPlace, signal: AbortSignal): Promise<boolean> {
    this.#resumed.requireFound();
    const endings = await this.#files.ended();
    const labels = this.#labels;
    const { nextId } = this.#position;
    for (;;) {
      this.#records.clear();
      const until = (labels?.newestSeconds ?? 0) + this.#maxGapSeconds;
      const ends = this.#addLabels(until, LAST_LABELS) < LAST_LABELS;
      this.#position = positionAt(nextId, place, labels?.place);
      await this.#append(0, ends ? endings : [], ends);
      if (ends) return true;
      if (signal.aborted) return false;
    }
  }

  /** Adds the labels that are known before a time, seconds since 1970, up to a number; returns how many. */
  #addLabels(datetimeSeconds: number, limit?: number): number {
    return this.#labels?.due(datetimeSeconds, (payment, knownAt) => {
      this.#records.addLabel(payment, this.#startSeconds, knownAt);
    }, limit) ?? 0;
  }

  #pass({ payments, places }: MappedBatch, at: number): void {
    this.#labels?.add(payments[at], this.#place);
    this.#place = places[at];
  }

  /** Appends what is added, before it the stream's origin if it has none yet, behind it the position. */
  async #append(
    originSeconds: number,
    more: readonly Append[],
    ends: boolean,
  ): Promise<void> {
    await this.#producer.append([
      ...this.#isBegun ? [] : originAppends(originSeconds, this.#fingerprint),
      ...this.#records.appends(),
      ...more,
      ...positionAppends(this.#position, ends),
    ]);
    this.#isBegun = true;
  }
}

/** The files of a producer, and where it continues in them. */
interface OpenedFiles {
  readonly files: PublishedFiles;
  /** The payment that must come before new ones do. */
  readonly resumed: LastPayment;
  /** The place behind what is published. */
  readonly published: RowPlace;
  /** Where the rows begin: payments whose labels are still to come are read again. */
  readonly from: RowPlace;
  readonly rows: (
    rejected: MappedOptions["rejected"],
  ) => AsyncGenerator<MappedBatch, RowPlace>;
}

/** Finds the files, which must be those that the stream has published from, and a new stream's in order of time. Throws ConfigError or DataError. */
async function openFiles(
  { control, parameters }: StreamContext,
  input: FileInput,
  { origin, position }: Producing,
): Promise<OpenedFiles> {
  const sources = await findRawSources(input.path, input.format);
  const files = new PublishedFiles(control, sources);
  const published = placeOf(position);
  await files.requireSame(published.file);
  const { labels, last } = position;
  const from = labels
    ? placeOf(labels)
    : last === undefined
    ? published
    : { ...published, row: published.row - 1, rows: published.rows - 1 };
  const reading = {
    mapper: openMapper(definitionOfStream(parameters), input),
    startSeconds: origin?.startSeconds ?? parameters.startSeconds,
    from,
    // The producer itself looks at its signal, between two appends.
    signal: UNSTOPPED,
  };
  const rows: OpenedFiles["rows"] = (rejected) =>
    mappedPayments(sources, { ...reading, rejected });
  if (!origin && input.path !== STANDARD_STREAM) {
    // Whatever the first payment is, those before its day count here.
    const ahead = { ...reading, startSeconds: 0, rejected: () => {} };
    const payments = mappedPayments(sources, ahead);
    await requireOrder(payments, parameters, input.path);
  }
  const resumed = new LastPayment(position, sources);
  return { files, resumed, published, from, rows };
}

/** The mapping of the files, by the stream's definition or as an import by it has written them. Throws ConfigError or DataError. */
function openMapper(
  own: StreamDefinition,
  { path, hmacKeyFile }: FileInput,
): PaymentMapper {
  const definition = readingDefinition(path, own);
  const key = hmacKeyFile !== undefined && needsHmacKey(definition)
    ? readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX)
    : undefined;
  return new PaymentMapper(definition, key);
}

function placeOf(
  { day: file, row, rows = 0, rejected = 0 }: Omit<ProducerPosition, "nextId">,
): RowPlace {
  return { ...FIRST_PLACE, file, row, rows, rejected };
}

function positionAt(
  nextId: number,
  { file: day, ...rest }: RowPlace,
  labels?: RowPlace,
): ProducerPosition {
  const position = { nextId, day, ...rest };
  if (labels === undefined) return position;
  const { file, ...more } = labels;
  return { ...position, labels: { day: file, ...more } };
}

/** Payments whose order is looked at before a stream begins. */
const ORDER_PAYMENTS = 10_000;
/** How many of them may be late in any case. */
const LATE_PAYMENTS = 10;

/** Throws ConfigError if many of the first payments of files are late: such a stream would reject most of its data. */
async function requireOrder(
  payments: AsyncGenerator<MappedBatch, RowPlace>,
  { latenessSeconds }: StreamContext["parameters"],
  path: string,
): Promise<void> {
  let newest = -Infinity;
  let late = 0;
  let count = 0;
  for await (const batch of payments) {
    for (const { datetimeSeconds: time } of batch.payments) {
      if (time < newest - latenessSeconds) late++;
      newest = Math.max(newest, time);
      count++;
    }
    if (count >= ORDER_PAYMENTS) break;
  }
  if (late <= Math.max(LATE_PAYMENTS, count / 10)) return;
  throw new ConfigError(
    `--in=${path} is not in order of time: ${late} of the first ${count} ` +
      `payments are more than --lateness=${formatDuration(latenessSeconds)} ` +
      "older than one before; sort the data with './fraudstream import', and " +
      "give its folder to --in",
  );
}

/** Says what has come to the data of a complete stream, which needs them no more. */
async function reportAfterEnd(
  { control, logger }: StreamContext,
  { path, format }: FileInput,
): Promise<void> {
  const found = findRawSources(path, format).then((sources) =>
    new PublishedFiles(control, sources).afterEnd()
  );
  const reason = await found.catch((error) => {
    if (error instanceof DataError) return undefined;
    throw error;
  });
  if (reason === undefined) return;
  logger.warn("the data is not what the stream was made of", {
    reason: `${reason} since the stream was completed`,
    then: "nothing more is published; start a new stream with another --data " +
      "folder (on Kafka another --topic-prefix)",
  });
}

/** The payment that was published last, which must come again where it was. */
class LastPayment {
  readonly #place: RowPlace;
  readonly #digest: string | undefined;
  readonly #sources: readonly DaySource[];
  #isFound: boolean;

  constructor(position: ProducerPosition, sources: readonly DaySource[]) {
    this.#place = placeOf(position);
    this.#digest = position.last;
    this.#sources = sources;
    this.#isFound = position.last === undefined;
  }

  /** Takes a payment that was published before. */
  see(batch: MappedBatch, at: number): void {
    if (batch.places[at].rows !== this.#place.rows) return;
    this.#isFound ||= digestOf(batch, at) === this.#digest;
  }

  /** Throws ConfigError unless it has come. */
  requireFound(): void {
    if (this.#isFound) return;
    const { file, row } = this.#place;
    const { path, name } = this.#sources[file] ?? this.#sources[0];
    const again = path === STANDARD_STREAM
      ? "stdin must bring the same data again from its beginning"
      : "the data or the key of its pseudonyms has changed";
    throw new ConfigError(
      `${name}: row ${row} is not the payment that was published last, so ` +
        `${again}; ${OTHER_DATA}`,
    );
  }
}

/** What a payment of a batch is recognized by, whatever numbers its ids. */
function digestOf({ payments, rests }: MappedBatch, at: number): string {
  const text = JSON.stringify([payments[at], rests[at]]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function originAppends(startSeconds: number, fingerprint: string): Append[] {
  const records = controlRecords();
  records.put("origin", { startSeconds, fingerprint });
  return records.appends();
}

/** Counts the rows that are no payments, and reports the first of each kind. */
class Rejections {
  readonly #logger: StreamContext["logger"];
  readonly #counts = new Map<string, number>();

  constructor({ logger }: StreamContext) {
    this.#logger = logger;
  }

  add({ reason, message }: RowDefect, place: string): void {
    const count = this.#counts.get(reason) ?? 0;
    this.#counts.set(reason, count + 1);
    if (count > 0) return;
    this.#logger.warn("a row was rejected", {
      reason,
      row: `${place}: ${message}`,
      then: "leaving it out; further ones with this reason are only counted",
    });
  }

  /** Reports how many there were in all. */
  report({ rows = 0, rejected = 0 }: ProducerPosition): void {
    if (rejected === 0) return;
    this.#logger.warn("rows of the data were rejected", {
      rejected,
      rows,
      ...Object.fromEntries(this.#counts),
    });
  }
}
