/**
 * Writes what people do with cases: into the log first, then it waits until
 * the index has read it, so that every answer afterwards has it.
 */
import { DataError, LogError } from "../../base/error.ts";
import { turns } from "../../base/turns.ts";
import { unlessLate } from "../../base/unless_stopped.ts";
import type { TransactionId } from "../../payment/payment.ts";
import { type CaseEvent, NOTE_MAX, WHO_MAX } from "../../payment/case_json.ts";
import {
  type AppendCaseSteps,
  asCaseWriter,
  type CaseStep,
} from "../../stream/case_events.ts";
import type { Log } from "../../log/log.ts";
import { BODY, type Question } from "./page_view.ts";

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

/** How long the log may take for one action, in milliseconds; the page's connections last longer. */
const PATIENCE_MS = 20_000;

/** One action. */
interface Turn {
  /** Ids of its events, the same in each attempt: an append that was taken all the same is not taken twice. */
  readonly ids: string[];
  /** Whether it was given up. */
  isLate: boolean;
  /** Whether anything may have been appended. */
  hasBegun: boolean;
}

/** Writes the cases of one page process. */
export class CaseWriter {
  readonly #log: Log;
  readonly #read: ReadCases;
  readonly #eventsOf: (transactionId: TransactionId) => readonly CaseEvent[];
  readonly #patienceMs: number;
  readonly #turn = turns();
  #lastMs = 0;

  /** `read` brings what was appended into the index, `eventsOf` gives what that has of a payment. */
  constructor(
    { log, read, eventsOf, patienceMs = PATIENCE_MS }: {
      readonly log: Log;
      readonly read: ReadCases;
      readonly eventsOf: (transactionId: TransactionId) => readonly CaseEvent[];
      /** How long anything may take before it is given up, in milliseconds. */
      readonly patienceMs?: number;
    },
  ) {
    this.#log = log;
    this.#read = read;
    this.#eventsOf = eventsOf;
    this.#patienceMs = patienceMs;
  }

  /**
   * Looks at cases as they stand in the log and writes once, with nothing
   * written by anybody meanwhile: where another process has written, `work` is
   * called again. Throws LogError where the log does not answer in time;
   * nothing is written after that if it had not begun.
   */
  async inTurn<T>(work: (write: WriteCases) => Promise<T>): Promise<T> {
    const turn: Turn = { ids: [], isLate: false, hasBegun: false };
    return await unlessLate(
      this.#turn(() =>
        asCaseWriter(this.#log, (append) => this.#work(work, append, turn))
      ),
      this.#patienceMs,
      () => {
        turn.isLate = true;
        return new LogError(
          turn.hasBegun
            ? "the log does not answer, so it is not known whether this was " +
              "saved; look again in a moment"
            : "the log does not answer, and nothing was saved; try again later",
        );
      },
    );
  }

  async #work<T>(
    work: (write: WriteCases) => Promise<T>,
    append: AppendCaseSteps,
    turn: Turn,
  ): Promise<T> {
    await this.#read([]);
    return await work(async (steps) => {
      if (turn.isLate) throw new LogError("this was given up");
      turn.hasBegun = true;
      const whole = this.#complete(steps, turn.ids);
      if (whole.length > 0) await append(whole);
      const events = whole.map(({ event }) => event);
      await this.#read(events.map(({ eventId }) => eventId));
      return events;
    });
  }

  /** Adds id and time. */
  #complete(steps: readonly NewCaseStep[], ids: string[]): CaseStep[] {
    // The time tells the order of a payment's events, whatever clock those before had.
    this.#lastMs = Math.max(
      Date.now(),
      this.#lastMs + 1,
      ...steps.flatMap(({ event }) => this.#eventsOf(event.transactionId))
        .map(({ at }) => Date.parse(at) + 1),
    );
    const at = new Date(this.#lastMs).toISOString();
    return steps.map(({ event, ...step }, index) => {
      const eventId = ids[index] ??= crypto.randomUUID();
      return { ...step, event: { ...event, eventId, at } };
    });
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
