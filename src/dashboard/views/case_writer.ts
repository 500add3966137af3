/**
 * Writes what people do with cases: into the log first, then it waits until
 * the index has read it, so that every answer afterwards has it.
 */
import { DataError } from "../../base/error.ts";
import { type CaseEvent, NOTE_MAX, WHO_MAX } from "../../payment/case_json.ts";
import { appendCaseSteps, type CaseStep } from "../../stream/case_events.ts";
import type { Log } from "../../log/log.ts";
import { BODY, type Question, turns } from "./page_view.ts";

/** A step without what the writer adds: id and time of the event. */
export interface NewCaseStep extends Omit<CaseStep, "event"> {
  /** The event. */
  readonly event: Omit<CaseEvent, "eventId" | "at">;
}

/** Appends steps, all or nothing, and gives their events once the index has them. */
export type WriteCases = (
  steps: readonly NewCaseStep[],
) => Promise<CaseEvent[]>;

/** Reads the cases to their end, and until the index has these events. */
export type ReadCases = (eventIds: readonly string[]) => Promise<void>;

/** Writes the cases of one page process. */
export class CaseWriter {
  readonly #log: Log;
  readonly #read: ReadCases;
  readonly #turn = turns();
  #lastMs = 0;

  /** `read` brings what was appended into the index. */
  constructor(log: Log, read: ReadCases) {
    this.#log = log;
    this.#read = read;
  }

  /** Looks at cases and writes, with nothing else written by this process meanwhile. */
  inTurn<T>(work: (write: WriteCases) => Promise<T>): Promise<T> {
    return this.#turn(async () => {
      await this.#read([]);
      return await work((steps) => this.#write(steps));
    });
  }

  async #write(steps: readonly NewCaseStep[]): Promise<CaseEvent[]> {
    if (steps.length === 0) return [];
    // The time tells the order of a payment's events.
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    const at = new Date(this.#lastMs).toISOString();
    const whole = steps.map(({ event, ...step }) => ({
      ...step,
      event: { ...event, eventId: crypto.randomUUID(), at },
    }));
    await appendCaseSteps(this.#log, whole);
    const events = whole.map(({ event }) => event);
    await this.#read(events.map(({ eventId }) => eventId));
    return events;
  }
}

/** Who does something: the name of the token, or else the one that the body gives. Throws DataError without any. */
export function whoOf(
  { who }: Question,
  body: Readonly<Record<string, unknown>>,
): string {
  if (who !== undefined) return who;
  const name = BODY.string(body.who ?? "", "who").trim();
  if (name !== "" && name.length <= WHO_MAX) return name;
  throw new DataError(`who must be a name of up to ${WHO_MAX} characters`);
}

/** The label that a body gives. Throws DataError for anything else. */
export function readLabelOf(
  { label }: Readonly<Record<string, unknown>>,
): 0 | 1 {
  if (label === 0 || label === 1) return label;
  throw new DataError("label must be 1 (fraud) or 0 (no fraud)");
}

/** The note that a body gives, empty without one. Throws DataError if it is too long. */
export function readNote(body: Readonly<Record<string, unknown>>): string {
  const note = BODY.string(body.note ?? "", "note").trim();
  if (note.length <= NOTE_MAX) return note;
  throw new DataError(`note must be text of up to ${NOTE_MAX} characters`);
}
