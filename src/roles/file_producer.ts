/**
 * The producer of payments in files with any columns: maps each row by the
 * stream's definition and publishes it at its pace, in the order of the rows.
 * Each batch and the place behind it are one atomic append, so that a restart
 * continues exactly there.
 */
import { resolve } from "node:path";
import { ConfigError } from "../base/error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { PaymentMapper } from "../definition/payment_mapper.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import { needsHmacKey } from "../definition/stream_definition.ts";
import { readingDefinition } from "../files/import_folder.ts";
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
import { labelSeconds, MappedLabelFeed } from "./label_feed.ts";
import { openPacer } from "./pacer.ts";
import { openProducing, positionAppends, UNSTOPPED } from "./producing.ts";
import type { FileInput, Pace } from "./role.ts";

/** Labels that are known after the last payment, in one append at most. */
const LAST_LABELS = 4096;

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
  const { logger, signal, parameters } = context;
  const { input, pace } = options;
  const { definition } = parameters;
  if (!definition) throw new ConfigError("--in needs --definition");
  const fingerprint = fileFingerprint(input);
  const producing = await openProducing(context, fingerprint);
  if (!producing) return;
  const { producer, origin } = producing;
  const rejected = new Rejections(context);
  let { position } = producing;
  const published = placeOf(position);
  // Payments whose labels are still to come are read again.
  let place = position.labels ? placeOf(position.labels) : published;
  const rows = mappedPayments(
    await findRawSources(input.path, input.format),
    {
      mapper: openMapper(definition, input),
      startSeconds: origin?.startSeconds ?? parameters.startSeconds,
      from: place,
      signal: UNSTOPPED,
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
  let startSeconds = 0;
  try {
    for (;;) {
      const { value: batch, done } = await rows.next();
      if (signal.aborted) return;
      if (done) {
        // Labels that are known after the last payment.
        let ends = labels === undefined;
        do {
          records.clear();
          const count = labels?.due(
            labels.newestSeconds + parameters.maxGapSeconds,
            (payment, knownAt) => {
              records.addLabel(payment, startSeconds, knownAt);
            },
            LAST_LABELS,
          ) ?? 0;
          ends = count < LAST_LABELS;
          position = positionAt(position.nextId, batch, labels?.place);
          await producer.append([
            ...isBegun ? [] : originAppends(0, fingerprint),
            ...records.appends(),
            ...positionAppends(position, ends),
          ]);
          isBegun = true;
        } while (!ends && !signal.aborted);
        if (ends) rejected.report(position);
        return;
      }
      const { payments, places } = batch;
      ({ startSeconds } = batch);
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
  } finally {
    await rows.return(FIRST_PLACE); // closes the file
  }
}

/** The mapping of the files, by the stream's definition or as an import by it has written them. Throws ConfigError or DataError. */
function openMapper(
  recorded: RecordedDefinition,
  { path, hmacKeyFile }: FileInput,
): PaymentMapper {
  const definition = readingDefinition(path, definitionOf(recorded));
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
