/**
 * The history of cases in the log: events of the case topic, each verdict with
 * its label in the label topic, in one append. Labels that have no event behind
 * them, of an older version or another program, count as verdicts too.
 */
import { rest } from "../base/clock.ts";
import { LogError } from "../base/error.ts";
import { UNSTOPPED } from "../base/unless_stopped.ts";
import {
  type CaseEvent,
  caseEventJson,
  readCaseEvent,
} from "../payment/case_json.ts";
import {
  labelJson,
  type LabelRecord,
  readLabel,
} from "../payment/label_json.ts";
import type { IdKind } from "../payment/payment_shape.ts";
import { type Append, type Log, readRange } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { idAppends, type IdRecord } from "./id_records.ts";
import { CASE_TOPIC, LABEL_TOPIC } from "./topics.ts";

/** An event, and the label that the payment has from it on, where it changes that. */
export interface CaseStep {
  /** The event. */
  readonly event: CaseEvent;
  /** The payment's label from now on, null for none; undefined where the event changes none. */
  readonly label?: 0 | 1 | null;
  /** Event time of the payment, milliseconds since 1970. */
  readonly timestampMs: number;
}

/** The id of the process that writes cases: a newer writer fences the one before. */
const PRODUCER = "fraudstream-verdicts";
/** How often a writer tries that others fence. */
const ATTEMPTS = 10;
/** The longest pause before the second attempt; before each later one as much more. */
const PAUSE_MS = 20;

/** Appends events and their labels, all or nothing. Throws LogError. */
export type AppendCaseSteps = (steps: readonly CaseStep[]) => Promise<void>;

/**
 * Calls `work` as the only writer of cases: what it appends is refused where
 * another process has become the writer meanwhile, and then `work` is called
 * again. So what it has read since it was called is still the newest when its
 * append is taken. Throws LogError, and what `work` throws.
 */
export async function asCaseWriter<T>(
  log: Log,
  work: (append: AppendCaseSteps) => Promise<T>,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      const producer = await log.producer(PRODUCER);
      return await work(async (steps) => {
        await producer.append(await appendsOfSteps(log, steps));
      });
    } catch (error) {
      const isFenced = error instanceof LogError && error.isFenced;
      if (attempt === ATTEMPTS || !isFenced) throw error;
    }
    // Two that go on at once would fence each other again.
    await rest(Math.random() * attempt * PAUSE_MS, UNSTOPPED);
  }
}

/** Appends events and their labels, all or nothing, whatever others append meanwhile. Throws LogError. */
export async function appendCaseSteps(
  log: Log,
  steps: readonly CaseStep[],
): Promise<void> {
  await asCaseWriter(log, (append) => append(steps));
}

async function appendsOfSteps(
  log: Log,
  steps: readonly CaseStep[],
): Promise<Append[]> {
  return [
    ...await appendsOf(
      log,
      CASE_TOPIC,
      steps.map(({ event }) => ({
        id: event.transactionId,
        json: caseEventJson(event),
        timestampMs: Date.parse(event.at),
      })),
    ),
    ...await appendsOf(
      log,
      LABEL_TOPIC,
      steps.flatMap(({ event, label, timestampMs }) =>
        label === undefined ? [] : [{
          id: event.transactionId,
          json: labelJson(labelOf(event, label)),
          timestampMs,
        }]
      ),
    ),
  ];
}

function labelOf(event: CaseEvent, label: 0 | 1 | null): LabelRecord {
  const { transactionId, at, who, note, eventId } = event;
  return { transactionId, label, analyst: who, note, decidedAt: at, eventId };
}

/** Records in the partitions of a topic, which has as many as it was created with. */
async function appendsOf(
  log: Log,
  topic: string,
  records: readonly IdRecord[],
): Promise<Append[]> {
  if (records.length === 0) return [];
  const ends = await log.endOffsets(topic) ?? [];
  return idAppends(topic, Math.max(1, ends.length), records);
}

/** The events in a batch of the case topic or of the label topic, of payments whose ids are numbers or texts; other records are skipped. */
export function caseEventsOf(
  topic: string,
  partition: number,
  batch: RecordBatch,
  idKind: IdKind = "number",
): CaseEvent[] {
  const found: CaseEvent[] = [];
  for (let i = 0; i < batch.count; i++) {
    const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
    const event = topic === CASE_TOPIC
      ? readCaseEvent(batch.bytes, from, to, idKind)
      : eventOf(
        readLabel(batch.bytes, from, to, idKind),
        `${LABEL_TOPIC}/${partition}/${batch.offsets[i]}`,
      );
    if (event) found.push(event);
  }
  return found;
}

/** The verdict in a label that has no event behind it; a verdict without a label withdraws those before. */
function eventOf(
  record: LabelRecord | undefined,
  eventId: string,
): CaseEvent | undefined {
  if (!record || record.eventId !== undefined) return undefined;
  const { transactionId, analyst, decidedAt, note, label } = record;
  const event = { eventId, transactionId, who: analyst, at: decidedAt, note };
  return { ...event, kind: "verdict", ...label !== null && { label } };
}

/** A verdict with what became of it. */
export interface Decision extends CaseEvent {
  /** The undo that took it back; undefined for one that stands. */
  readonly undone: CaseEvent | undefined;
}

/** All verdicts that people have ever given, in order of time, with those that were taken back; ids of payments are numbers or texts. */
export async function readDecisions(
  log: Log,
  idKind: IdKind = "number",
): Promise<Decision[]> {
  const events: CaseEvent[] = [];
  for (const topic of [CASE_TOPIC, LABEL_TOPIC]) {
    const [state] = await log.topics([topic]);
    for (const [partition, end] of state?.endOffsets.entries() ?? []) {
      const start = state?.startOffsets[partition] ?? 0;
      for await (const batch of readRange(log, topic, partition, start, end)) {
        events.push(...caseEventsOf(topic, partition, batch, idKind));
      }
    }
  }
  const undos = new Map(events.flatMap((event) => {
    return event.undoes === undefined ? [] : [[event.undoes, event]];
  }));
  return events.filter(({ kind }) => kind === "verdict")
    .sort(inOrder)
    .map((event) => ({ ...event, undone: undos.get(event.eventId) }));
}

/** Events in the order in which they count: by their time, whatever partition they lie in. */
export function inOrder(a: CaseEvent, b: CaseEvent): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  return a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0;
}

/** How a case stands. */
export interface CaseStanding {
  /** The newest verdict that was not taken back; undefined for none. */
  readonly verdict: CaseEvent | undefined;
  /** Who has claimed it. */
  readonly assignee: string | undefined;
  /** Clock time until which it is snoozed, ISO 8601, though that may have passed. */
  readonly snoozedUntil: string | undefined;
}

/** What events of one payment, in any order, come to. */
export function standingOf(events: readonly CaseEvent[]): CaseStanding {
  const undone = new Set(events.map(({ undoes }) => undoes));
  let verdict: CaseEvent | undefined;
  let assignee: string | undefined;
  let snoozedUntil: string | undefined;
  for (const event of [...events].sort(inOrder)) {
    if (undone.has(event.eventId)) continue;
    const { kind } = event;
    if (kind === "claim") assignee = event.who;
    else if (kind === "release") assignee = undefined;
    else if (kind === "snooze") snoozedUntil = event.until;
    else if (kind === "verdict") {
      verdict = event.label === undefined ? undefined : event;
    }
  }
  return { verdict, assignee, snoozedUntil };
}
