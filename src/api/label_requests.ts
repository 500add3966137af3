/** Labels in the bodies of requests, appended to the label topic all or none. */
import { DataError } from "../base/error.ts";
import { turns } from "../base/turns.ts";
import {
  labelObject,
  type LabelRow,
  labelTextRows,
} from "../files/label_rows.ts";
import type { Log } from "../log/log.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { StreamParameters } from "../stream/control.ts";
import { APPEND_LABELS, LabelAppender } from "../stream/label_records.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import { Problem } from "./problem.ts";
import type { BodyFormat } from "./stream_api.ts";

/** SOURCE of a label that names none. */
const SOURCE = "api";

/** Takes the labels of requests. */
export class LabelRequests {
  readonly #log: Log;
  readonly #shape: PaymentShape;
  readonly #signal: AbortSignal;
  readonly #appender: LabelAppender;
  readonly #inTurn = turns();

  /** Appends to the label topic of a stream until the signal. */
  constructor({ log, parameters, signal }: {
    readonly log: Log;
    readonly parameters: StreamParameters;
    readonly signal: AbortSignal;
  }) {
    const { partitions } = parameters;
    this.#log = log;
    this.#shape = shapeOfStream(parameters);
    this.#signal = signal;
    this.#appender = new LabelAppender({ log, partitions, signal });
  }

  /** Appends the labels in a body, all or none: `{"ACCEPTED":2}`. Throws Problem, LogError, or the signal's reason. */
  async add(body: string, format: BodyFormat): Promise<string> {
    if (!this.#shape.hasLabels) {
      throw new Problem(
        "rejected",
        "the payments of this stream carry their labels; labels that come " +
          "later need another stream, whose definition has " +
          "'labels: { from: stream }'",
      );
    }
    const labels = await this.#read(body, format);
    await this.#inTurn(() => this.#appender.append(labels, SOURCE));
    await this.#log.sync();
    return JSON.stringify({ ACCEPTED: labels.length });
  }

  async #read(body: string, format: BodyFormat): Promise<LabelRow[]> {
    const shape = this.#shape;
    if (format === "json") {
      const label = labelObject(body, shape);
      if (!("message" in label)) return [label];
      throw refused(label.message, { REASON: label.reason });
    }
    const labels: LabelRow[] = [];
    try {
      const rows = labelTextRows(body, {
        format: format === "csv" ? "csv" : "jsonl",
        ...{ shape, signal: this.#signal },
        refused: (line, { reason, message }) =>
          refused(`line ${line}: ${message}`, { LINE: line, REASON: reason }),
      });
      for await (const some of rows) {
        labels.push(...some);
        if (labels.length > APPEND_LABELS) throw tooMany();
      }
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new Problem("bad-request", error.message);
    }
    if (labels.length > 0) return labels;
    throw new Problem("bad-request", "the body has no labels; send at least 1");
  }
}

function refused(
  message: string,
  members: Readonly<Record<string, string | number>>,
): Problem {
  return new Problem(
    "rejected",
    `${message}; no label was taken: correct it and send all of them again`,
    { members },
  );
}

function tooMany(): Problem {
  return new Problem(
    "too-large",
    `a request may have at most ${APPEND_LABELS} labels; send several`,
  );
}
