/**
 * What all producers of payments do: a stream has one origin, which a text
 * identifies, and each append holds the position behind it, so that a restart
 * continues exactly there.
 */
import { ConfigError } from "../base/error.ts";
import type { Append, LogProducer } from "../log/log.ts";
import {
  type Control,
  controlRecords,
  type ProducerPosition,
} from "../stream/control.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { TRANSACTION_TOPIC } from "../stream/topics.ts";

/** The id by which one process at a time publishes the payments of a stream. */
export const PRODUCER = "fraudstream-producer";

/** A producer that has payments to publish. */
export interface Producing {
  /** It appends. */
  readonly producer: LogProducer;
  /** The stream's origin; undefined before the first append. */
  readonly origin: Control["origin"];
  /** Where it continues. */
  readonly position: ProducerPosition;
}

/** Takes over as the producer of the data that `fingerprint` identifies; undefined if all is published. Throws ConfigError if the stream has other data. */
export async function openProducing(
  { log, control, logger, signal }: StreamContext,
  fingerprint: string,
): Promise<Producing | undefined> {
  const producer = await log.producer(PRODUCER, signal);
  await control.refresh();
  control.requireSource();
  const { origin } = control;
  if (origin && origin.fingerprint !== fingerprint) {
    throw new ConfigError(
      `this data folder or topic prefix holds the stream of ` +
        `${origin.fingerprint}; give these flags to continue it, or choose ` +
        `another --data folder (on Kafka another --topic-prefix)`,
    );
  }
  if (control.end(TRANSACTION_TOPIC)) {
    logger.info("all payments are published already");
    return undefined;
  }
  const position = control.position ?? { nextId: 0, day: 0, row: 0 };
  return { producer, origin, position };
}

/** The record of a position, and the end mark if it is the last. */
export function positionAppends(
  position: ProducerPosition,
  ends: boolean,
): Append[] {
  const records = controlRecords();
  records.put("position", position);
  if (ends) records.putEnd(TRANSACTION_TOPIC, { rows: position.nextId });
  return records.appends();
}
