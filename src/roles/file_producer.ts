/**
 * The producer of payments in files with any columns: maps each row by the
 * stream's definition and publishes it at its pace, in the order of the rows.
 * Each batch and the place behind it are one atomic append, so that a restart
 * continues exactly there.
 */
import { join, resolve } from "node:path";
import { ConfigError } from "../base/error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { parsedJson } from "../base/json_shape.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { PaymentMapper } from "../definition/payment_mapper.ts";
import { importedDefinition } from "../definition/imported_definition.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import { IMPORT_FILES } from "../files/data_set.ts";
import { findRawSources } from "../files/raw_sources.ts";
import {
  FIRST_PLACE,
  mappedPayments,
  type RowPlace,
} from "../files/mapped_payments.ts";
import type { RowDefect } from "../files/row_batch.ts";
import type { Append } from "../log/log.ts";
import { controlRecords, type ProducerPosition } from "../stream/control.ts";
import { MappedRecords } from "../stream/mapped_records.ts";
import {
  definitionOf,
  type RecordedDefinition,
} from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { TRANSACTION_TOPIC } from "../stream/topics.ts";
import { labelSeconds, MappedLabelFeed } from "./label_feed.ts";
import { openPacer } from "./pacer.ts";
import type { FileInput, Pace } from "./role.ts";

/** How the producer is run. */
export interface FileProducerOptions {
  /** The files. */
  readonly input: FileInput;
  /** How fast. */
  readonly pace: Pace;
  /** Called after each append with the number of payments published so far. */
  readonly published?: (payments: number) => void;
}

/** The text that records which files a stream publishes: equal texts mean the same files. */
export function fileFingerprint({ path }: FileInput): string {
  return `--in=${path === STANDARD_STREAM ? path : resolve(path)}`;
}

/** The path in a text that fileFingerprint() wrote; undefined for another text. */
export function fingerprintPath(text: string): string | undefined {
  return text.startsWith("--in=") ? text.slice("--in=".length) : undefined;
}

/** Publishes until the files end or the context's signal. Throws DataError for what cannot be read. */
export async function runFileProducer(
  context: StreamContext,
  options: FileProducerOptions,
): Promise<void> {
  const { log, control, logger, signal, parameters } = context;
  const { input, pace } = options;
  const { definition } = parameters;
  if (!definition) throw new ConfigError("--in needs --definition");
  const producer = await log.producer("fraudstream-producer", signal);
  await control.refresh();
  const { origin } = control;
  const fingerprint = fileFingerprint(input);
  if (origin && origin.fingerprint !== fingerprint) {
    throw new ConfigError(
      `this data folder or topic prefix holds the stream of ` +
        `${origin.fingerprint}; give these flags to continue it, or choose ` +
        `another --data folder (on Kafka another --topic-prefix)`,
    );
  }
  if (control.end(TRANSACTION_TOPIC)) {
    logger.info("all payments are published already");
    return;
  }
  const rejected = new Rejections(context);
  let position = control.position ?? { nextId: 0, day: 0, row: 0 };
  const published = placeOf(position);
  // Payments whose labels are still to come are read again.
  let place = position.labels ? placeOf(position.labels) : published;
  const rows = mappedPayments(
    await findRawSources(input.path, input.format),
    {
      mapper: openMapper(definition, input),
      startSeconds: origin?.startSeconds ?? parameters.startSeconds,
      from: place,
      signal: unstopped,
      rejected: (defect, place) => rejected.add(defect, place),
    },
  );
  logger.info("producing", { ...position });
  const records = new MappedRecords(parameters);
  const knownAfter = labelSeconds(parameters);
  const labels = knownAfter === undefined
    ? undefined
    : new MappedLabelFeed(knownAfter);
  const pacer = openPacer(pace, signal);
  let isBegun = origin !== undefined;
  for (;;) {
    const { value: batch, done } = await rows.next();
    if (signal.aborted) return;
    if (done) {
      position = positionAt(position.nextId, batch);
      await producer.append([
        ...isBegun ? [] : originAppends(0, fingerprint),
        ...positionAppends(position, true),
      ]);
      rejected.report(position);
      return;
    }
    const { startSeconds, payments, places } = batch;
    const next = (at: number) => {
      labels?.add(payments[at], place);
      place = places[at];
    };
    const times = Int32Array.from(
      payments,
      ({ datetimeSeconds }) => datetimeSeconds - startSeconds,
    );
    let at = 0;
    while (at < times.length && places[at].rows <= published.rows) next(at++);
    while (at < times.length) {
      const count = await pacer.take(times, at, times.length - at);
      if (count === 0) return; // stopped
      records.clear();
      for (const end = at + count; at < end; at++) {
        labels?.due(payments[at].datetimeSeconds, (payment, knownAt) => {
          records.addLabel(payment, startSeconds, knownAt);
        });
        records.add(payments[at], startSeconds, batch.rests[at]);
        next(at);
      }
      position = positionAt(position.nextId + count, place, labels?.place);
      await producer.append([
        ...isBegun ? [] : originAppends(startSeconds, fingerprint),
        ...records.appends(),
        ...positionAppends(position, false),
      ]);
      isBegun = true;
      options.published?.(position.nextId);
      if (signal.aborted) return;
    }
  }
}

/** The producer itself looks at its signal, between two appends. */
const unstopped = new AbortController().signal;

/** The mapping of the files: the stream's definition, or that of the columns which an import by it has written. Throws ConfigError or DataError. */
function openMapper(
  recorded: RecordedDefinition,
  { path, hmacKeyFile }: FileInput,
): PaymentMapper {
  const definition = definitionOf(recorded);
  const imported = importedBy(path);
  if (imported === recorded.sha256) {
    return new PaymentMapper(importedDefinition(definition));
  }
  if (imported !== undefined) {
    throw new ConfigError(
      `${path} was imported by the definition with SHA-256 ${imported}, not ` +
        `by the stream's with SHA-256 ${recorded.sha256}: name ` +
        `--definition=${join(path, IMPORT_FILES.definition)} for a new stream`,
    );
  }
  const key = hmacKeyFile === undefined
    ? undefined
    : readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX);
  return new PaymentMapper(definition, key);
}

const MANIFEST_BYTES_MAX = 64 << 20;

/** SHA-256 of the definition by which a folder was imported; undefined for files that no import has written. */
function importedBy(path: string): string | undefined {
  const manifest = join(path, IMPORT_FILES.manifest);
  try {
    Deno.statSync(manifest);
  } catch {
    return undefined;
  }
  const bytes = readWholeFile(manifest, MANIFEST_BYTES_MAX);
  const found = parsedJson(bytes) as
    | { definitionSha256?: unknown }
    | undefined;
  return String(found?.definitionSha256);
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

function originAppends(startSeconds: number, fingerprint: string): Append[] {
  const records = controlRecords();
  records.put("origin", { startSeconds, fingerprint });
  return records.appends();
}

function positionAppends(position: ProducerPosition, ends: boolean): Append[] {
  const records = controlRecords();
  records.put("position", position);
  if (ends) records.putEnd(TRANSACTION_TOPIC, { rows: position.nextId });
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
