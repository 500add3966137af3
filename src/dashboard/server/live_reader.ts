/**
 * The one reader behind all open pages: follows the topics that the page shows
 * into the index of alerts and the live state, and the status of the stream.
 * The index goes on where it stands; the live state starts a bounded way back.
 * The reader goes on by itself after an outage.
 */
import { rest } from "../../base/clock.ts";
import { LogError } from "../../base/error.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureNames,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { holdsRecord, type Log, type TopicState } from "../../log/log.ts";
import {
  batchHead,
  batchTail,
  type RecordBatch,
  recordMark,
} from "../../log/record_batch.ts";
import type { CaseEvent } from "../../payment/case_json.ts";
import { caseEventsOf } from "../../stream/case_events.ts";
import type { LookUp } from "../../store/look_up.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import type { Store } from "../../store/store.ts";
import type { Control } from "../../stream/control.ts";
import {
  pastScored,
  readStatus,
  type StreamStatus,
} from "../../stream/status.ts";
import {
  CASE_TOPIC,
  CUSTOMER_TOPIC,
  LABEL_TOPIC,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TERMINAL_TOPIC,
  TRANSACTION_LABEL_TOPIC,
} from "../../stream/topics.ts";
import {
  type AlertIndex,
  EMPTY_STEP,
  type IndexPosition,
  type NewLabel,
  type NewPayments,
  type NewPredictions,
} from "../index/alert_index.ts";
import type { LiveState } from "../views/live_state.ts";
import { turns } from "../../base/turns.ts";
import { fillFromStore } from "./store_fill.ts";
import { firstFrom, placesOf, RecordDecoder } from "../views/records.ts";
import type { Reading } from "../views/snapshot.ts";

/** Records of payments, and of predictions, that are read back for the live state: no more than it can bring together. */
const HISTORY_RECORDS = 250_000;
/** What is read of a partition at once. */
const READ_LIMIT = { records: 512, bytes: 1 << 20 };
/** Nobody is answered during a step, so its work is to take so long, milliseconds. */
const STEP_MS = 8;
/** The least and the most records of a partition that a step takes. */
const PART_MIN = 16;
const PART_MAX = 1024;
/** A step that found fewer records than this is calm. */
const CALM_MAX = 256;
/** How often the reader looks where nothing is new. */
const LOOK_MS = 100;
/** How often the status is read. */
const STATUS_MS = 250;
/** After an error the reader tries again in so long. */
const RETRY_MS = 1000;
/** A store that failed is asked again in so long, and reported again in so long. */
const STORE_RETRY_MS = 2000;
const STORE_REPORT_MS = 60_000;
/** The log is read on after so long, whether the store has answered or not. */
const STORE_WAIT_MS = 200;
/** A log that has not answered for so long is a problem. */
const SILENT_MS = 5000;
/** How long the log may take to show what it has taken, and how often the reader looks. */
const SHOWN_MS = 10_000;
const SHOWN_LOOK_MS = 5;
/** Payments that are looked up at once, and verdicts that are stored at once. */
const LOOK_UPS = 50;
/** A scorer that has not moved for so long is not at work. */
const SCORER_MS = 15_000;

/** What the reader follows and where it says what goes wrong. */
export interface LiveReaderOptions {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** The features, whose terminal risk is shown. */
  readonly features: FeatureParameters;
  /** The form of the payments; the handbook's by default. */
  readonly shape?: PaymentShape;
  /** Midnight of the first day for a stream of others. */
  readonly startSeconds: number | undefined;
  /** The live state, which it fills. */
  readonly state: LiveState;
  /** The index of alerts, which it fills. */
  readonly index: AlertIndex;
  /** The store; undefined as long as it cannot be reached. */
  readonly store: () => Store | undefined;
  /** Resolves when those who wait for an answer of this thread have had their turn; at once by default. */
  readonly makeWay?: (signal: AbortSignal) => Promise<void>;
  /** Called once per outage. */
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
  /** A clock in milliseconds; the machine's without it. */
  readonly now?: () => number;
}

/** A topic that is followed. */
interface Followed {
  readonly topic: string;
  /** Whether its records go into the index. */
  readonly isIndexed: boolean;
  /** Records that the live state takes of what is there at the start. */
  readonly history: number;
  /** Where reading stands; undefined before the topic is there. */
  place: Place | undefined;
  /** Offset from which the live state takes records, by partition; it takes none twice. */
  live: number[];
}

/** Where reading stands in a topic. */
interface Place {
  readonly topicId: string | undefined;
  /** Next offset of each partition. */
  readonly offsets: number[];
  /** What has been read of each partition from there on, and not been taken. */
  readonly pending: (RecordBatch | undefined)[];
  /** Where reading began, and the end then: what lies between is history. */
  readonly began: readonly number[];
  readonly ends: readonly number[];
}

/** What a step has read. */
interface Found {
  readonly payments: NewPayments[];
  readonly predictions: NewPredictions[];
  readonly labels: NewLabel[];
  readonly events: CaseEvent[];
  readonly positions: IndexPosition[];
  /** What the live state takes once the index has taken the step. */
  readonly live: (() => void)[];
}

/** Follows the topics of a stream. */
export class LiveReader {
  /** The newest status; undefined before the first. */
  status: StreamStatus | undefined;
  readonly #options: LiveReaderOptions;
  readonly #followed: readonly Followed[];
  readonly #shape: PaymentShape;
  readonly #decoder: RecordDecoder;
  readonly #riskCell: number;
  readonly #inTurn = turns();
  /** The partition with which the next step begins, so that each has its turn. */
  #turn = 0;
  /** Whether the last step took few records: then all places are read at once, and not without a pause. */
  #isCalm = true;
  /** Records of a partition that a step takes: so many that it takes STEP_MS. */
  #part = PART_MIN;
  /** Midnight of the first day, seconds since 1970; undefined before it is known. */
  startSeconds: number | undefined;
  #isVerified = false;
  #hasCaughtUp = false;
  /** Alerts up to this number of arrival have been looked up in the store. */
  #joinedSeq = 0;
  /** Those that were there when the log had been read; undefined before. */
  #historySeq: number | undefined;
  #lookUp: LookUp | undefined;
  #isStoreChecked = false;
  #statusAt = -Infinity;
  #storeAt = -Infinity;
  #storeWork: Promise<boolean> | undefined;
  #storeReportedAt = -Infinity;
  readonly #now: () => number;
  #problem: string | undefined;
  /** When the log was asked that has not answered yet. */
  #askedAt: number | undefined;
  /** The first status. */
  #before: StreamStatus | undefined;
  /** What share of the past is scored, and when that last changed. */
  #past: { readonly share: number; readonly at: number } | undefined;

  /** Reads nothing yet: call run(). */
  constructor(options: LiveReaderOptions) {
    const { features } = options;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.startSeconds = options.startSeconds;
    this.#shape = options.shape ?? HANDBOOK_SHAPE;
    this.#followed = topicsOf(this.#shape);
    this.#decoder = new RecordDecoder(features, this.#shape);
    const longest = Math.max(...features.windowDays);
    this.#riskCell = PAYMENT_CELLS +
      featureNames(features).indexOf(`TERMINAL_ID_RISK_${longest}DAY_WINDOW`);
  }

  /** Why the state is not up to date, in a sentence; undefined if it is. */
  get problem(): string | undefined {
    const askedAt = this.#askedAt;
    const isSilent = askedAt !== undefined &&
      this.#now() - askedAt > SILENT_MS;
    return this.#problem ?? (isSilent ? "the log does not answer" : undefined);
  }

  /** Follows until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const moved = await this.look(signal);
        this.#problem = undefined;
        await rest(moved && !this.#isCalm ? 0 : LOOK_MS, signal);
        if (moved) await this.#options.makeWay?.(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error);
        await rest(RETRY_MS, signal);
      }
    }
  }

  /** Reads some of what is new, once; whether there was anything. Throws LogError, StoreError or IndexError; then it can be called again. */
  async look(signal: AbortSignal): Promise<boolean> {
    this.#askedAt = this.#now();
    const moved = await this.#follow(signal)
      .finally(() => this.#askedAt = undefined);
    const joined = await this.#useStoreMeanwhile();
    this.#judgeHistory();
    return moved || joined;
  }

  async #follow(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    if (now - this.#statusAt >= STATUS_MS) {
      await this.#readStatus();
      this.#statusAt = now;
    }
    return await this.#inTurn(async () => {
      await this.#verify(signal);
      return await this.#step(this.#followed);
    });
  }

  /** The same as #useStore(), but a store that does not answer holds up nothing. */
  async #useStoreMeanwhile(): Promise<boolean> {
    this.#storeWork ??= this.#useStore()
      .finally(() => this.#storeWork = undefined);
    const answered = new AbortController();
    try {
      return await Promise.race([
        this.#storeWork,
        rest(STORE_WAIT_MS, answered.signal).then(() => false),
      ]);
    } finally {
      answered.abort();
    }
  }

  /**
   * Reads the cases to their end, and on until the index has these events.
   * Throws LogError where the log does not show them. Kafka acknowledges a
   * transaction before its readers see it.
   */
  async readCases(eventIds: readonly string[]): Promise<void> {
    const { queries } = this.#options.index;
    const deadline = performance.now() + SHOWN_MS;
    const { signal } = new AbortController();
    for (;;) {
      await this.#readCases();
      if (eventIds.every((id) => queries.event(id))) return;
      if (performance.now() > deadline) {
        throw new LogError(
          "the log has taken this, but does not show it to readers yet; " +
            "load the page again in a moment",
        );
      }
      await rest(SHOWN_LOOK_MS, signal);
    }
  }

  async #readCases(): Promise<void> {
    const cases = this.#followed.filter(({ topic }) =>
      topic === CASE_TOPIC || topic === LABEL_TOPIC
    );
    const { signal } = new AbortController();
    const step = () =>
      this.#inTurn(async () => {
        await this.#verify(signal);
        return await this.#step(cases);
      });
    while (await step()) await rest(0, signal);
  }

  /** Why sums are not those of this moment yet; undefined if they are. */
  get reading(): Reading | undefined {
    if (!this.#hasCaughtUp) return { what: "history", share: this.#share() };
    const past = this.#past;
    if (!past || performance.now() - past.at > SCORER_MS) return undefined;
    return { what: "scoring", share: past.share };
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#options.index.isDamage(error)) {
      this.#restart(message);
      return;
    }
    if (this.#problem === undefined) {
      this.#options.warn("the page cannot follow the stream", {
        error: message,
      });
    }
    this.#problem = message;
  }

  /** Makes the index again. */
  #restart(reason: string): void {
    const { index, warn } = this.#options;
    warn("the index of alerts is made again from the log", { reason });
    index.reset();
    this.#isVerified = false;
    this.#hasCaughtUp = false;
    this.#historySeq = undefined;
    this.#joinedSeq = 0;
    this.#beginAgain();
  }

  /** Reads on where the index stands, which has become another. */
  #beginAgain(): void {
    for (const followed of this.#followed) {
      if (followed.isIndexed) followed.place = undefined;
    }
  }

  async #readStatus(): Promise<void> {
    const { log, control } = this.#options;
    this.status = await readStatus(log, control);
    this.startSeconds = this.status.startSeconds ?? this.startSeconds;
    const share = pastScored(this.#before ??= this.status, this.status);
    const past = this.#past;
    if (share === undefined) this.#past = undefined;
    else if (share !== past?.share) {
      this.#past = { share, at: past ? performance.now() : -Infinity };
    }
  }

  /** Makes sure that the log still holds what the index was made from; else it begins again. */
  async #verify(signal: AbortSignal): Promise<void> {
    if (this.#isVerified) return;
    const { log, index } = this.#options;
    const names = this.#followed.filter(({ isIndexed }) => isIndexed)
      .map(({ topic }) => topic);
    const topics = await log.topics(names);
    const problem = await problemOf(log, index, topics);
    if (problem !== undefined) this.#restart(problem);
    const trimmed = topics.some(({ name, startOffsets }) =>
      startOffsets.some((start, partition) =>
        start > (index.position(name, partition)?.next ?? 0)
      )
    );
    if (trimmed) {
      // That takes as long as the store is large.
      this.#askedAt = undefined;
      await this.#fill(signal);
    }
    this.#isVerified = true;
  }

  /** The beginning of the stream comes from the store where the log has been trimmed. */
  async #fill(signal: AbortSignal): Promise<void> {
    const { log, index, control, features } = this.#options;
    const store = this.#options.store();
    if (!store) {
      throw new Error(
        "the log no longer holds all alerts, and the store has not been " +
          "reached yet",
      );
    }
    const stream = control.identity?.id ?? "";
    const shape = this.#shape;
    await fillFromStore({
      ...{ index, log, store, stream, features, shape, signal },
    });
    this.#joinedSeq = 0;
    this.#beginAgain();
  }

  /**
   * Takes some of what is new, a part of each partition in turn, for so long
   * that others of this thread hardly notice; whether there was anything.
   */
  async #step(topics: readonly Followed[]): Promise<boolean> {
    const { log, index } = this.#options;
    const places: [followed: Followed, place: Place, partition: number][] = [];
    for (const followed of topics) {
      const place = followed.place ??= await this.#begin(followed);
      for (const partition of place?.offsets.keys() ?? []) {
        if (place) places.push([followed, place, partition]);
      }
    }
    const found: Found = {
      payments: [],
      predictions: [],
      labels: [],
      events: [],
      positions: [],
      live: [],
    };
    const moves: (() => void)[] = [];
    const ahead = this.#isCalm ? await this.#readAhead(places) : undefined;
    let taken = 0;
    const began = performance.now();
    let readMs = 0;
    for (let i = 0; i < places.length; i++) {
      if (moves.length > 0 && performance.now() > began + STEP_MS / 2) break;
      const [followed, place, partition] = places[this.#turn++ % places.length];
      const { offsets, pending } = place;
      const offset = offsets[partition];
      const readAt = performance.now();
      const batch = pending[partition] ??
        ahead?.get(place)?.get(partition) ??
        await log.read(followed.topic, partition, offset, READ_LIMIT);
      readMs += performance.now() - readAt;
      if (batch.next === offset) continue;
      if (
        !pending[partition] &&
        await this.#isMissing(followed, partition, batch, offset)
      ) {
        this.#restart(
          `${followed.topic} partition ${partition} has been trimmed beyond ` +
            "what was read",
        );
        return true;
      }
      pending[partition] = batch;
      const part = batchHead(batch, this.#part);
      taken += batch.count;
      this.#decode(followed, partition, part, found);
      moves.push(() => {
        offsets[partition] = part.next;
        pending[partition] = part.count < batch.count
          ? batchTail(batch, part.count)
          : undefined;
      });
    }
    this.#isCalm = taken < CALM_MAX;
    if (moves.length === 0) {
      // The next step takes payments first, so that predictions meet theirs.
      this.#turn = 0;
      return false;
    }
    const { live, ...step } = found;
    if (step.positions.length > 0) {
      await index.commit({ ...EMPTY_STEP, ...step });
    }
    for (const take of live) take();
    for (const move of moves) move();
    // A log may have waited for its brokers.
    const workMs = performance.now() - began - readMs;
    const part = workMs > STEP_MS
      ? this.#part / 2
      : workMs < STEP_MS / 2
      ? this.#part * 2
      : this.#part;
    this.#part = Math.min(PART_MAX, Math.max(PART_MIN, part));
    return true;
  }

  /** Reads what comes next at all places, by place and partition: on Kafka that is one request. */
  async #readAhead(
    places: readonly (readonly [Followed, Place, number])[],
  ): Promise<ReadonlyMap<Place, ReadonlyMap<number, RecordBatch>>> {
    const batches = await this.#options.log.readAll(
      places.map(([{ topic }, { offsets }, partition]) => ({
        topic,
        partition,
        offset: offsets[partition],
      })),
      READ_LIMIT,
    );
    const ahead = new Map<Place, Map<number, RecordBatch>>();
    for (const [i, [, place, partition]] of places.entries()) {
      const found = ahead.get(place) ?? new Map<number, RecordBatch>();
      ahead.set(place, found.set(partition, batches[i]));
    }
    return ahead;
  }

  /** Whether records were trimmed that the index should have read. */
  async #isMissing(
    { topic, isIndexed }: Followed,
    partition: number,
    batch: RecordBatch,
    offset: number,
  ): Promise<boolean> {
    // Kafka's own records leave gaps too, most of them between two reads.
    const first = batch.count > 0 ? batch.offsets[0] : batch.next;
    if (!isIndexed || first === offset) return false;
    const [state] = await this.#options.log.topics([topic]);
    return (state?.startOffsets[partition] ?? 0) > offset;
  }

  /** Where reading begins: where the index stands, or where the live state begins. */
  async #begin(followed: Followed): Promise<Place | undefined> {
    const { topic, isIndexed, history, live } = followed;
    const [state] = await this.#options.log.topics([topic]);
    if (!state) return undefined;
    const { startOffsets: starts, endOffsets: ends, id } = state;
    const each = Math.floor(history / ends.length);
    const began = ends.map((end, partition) => {
      const start = starts[partition];
      live[partition] ??= Math.max(start, end - each);
      const position = this.#options.index.position(topic, partition);
      return Math.max(
        start,
        isIndexed
          ? Math.min(position?.next ?? start, live[partition])
          : live[partition],
      );
    });
    return {
      topicId: id,
      offsets: [...began],
      pending: [],
      began,
      ends: [...ends],
    };
  }

  #decode(
    followed: Followed,
    partition: number,
    batch: RecordBatch,
    found: Found,
  ): void {
    const { topic, isIndexed, live, place } = followed;
    const { state, index } = this.#options;
    const position = index.position(topic, partition);
    const next = position?.next ?? 0;
    const isNew = isIndexed && batch.next > next;
    const liveFrom = live[partition];
    // What is read back was paid long ago by the clock.
    const now = this.reading ? undefined : Date.now() / 1000;
    switch (topic) {
      case CUSTOMER_TOPIC:
      case TERMINAL_TOPIC: {
        const kind = topic === CUSTOMER_TOPIC ? "customer" : "terminal";
        const word = topic === CUSTOMER_TOPIC ? "CUSTOMER" : "TERMINAL";
        const places = placesOf(word, batch);
        found.live.push(() => state.addProfiles(kind, places));
        break;
      }
      case SINK_TOPIC: {
        const rows = this.#decoder.payments(batch, this.startSeconds);
        const first = firstFrom(rows, liveFrom);
        if (isNew) {
          found.payments.push({ ...rows, first: firstFrom(rows, next) });
        }
        const risk = this.#riskCell;
        found.live.push(() => state.addPayments(rows, first, risk, now));
        break;
      }
      case PREDICTION_TOPIC: {
        const rows = this.#decoder.predictions(batch);
        const first = firstFrom(rows, liveFrom);
        if (isNew) {
          found.predictions.push({ ...rows, first: firstFrom(rows, next) });
        }
        found.live.push(() => state.addPredictions(rows, first, now));
        break;
      }
      case TRANSACTION_LABEL_TOPIC: {
        const rows = this.#decoder.labels(batch, this.startSeconds);
        const first = firstFrom(rows, liveFrom);
        const { labels } = rows;
        if (isNew) found.labels.push(...labels.slice(firstFrom(rows, next)));
        found.live.push(() => state.addLabels(labels, first));
        break;
      }
      default: {
        const { transactionId } = this.#shape;
        const events = caseEventsOf(topic, partition, batch, transactionId);
        found.events.push(...events);
      }
    }
    found.live.push(() => live[partition] = Math.max(liveFrom, batch.next));
    if (!isNew) return;
    found.positions.push({
      topic,
      partition,
      topicId: place?.topicId,
      next: batch.next,
      mark: batch.count > 0
        ? recordMark(batch, batch.count - 1)
        : position?.mark,
    });
  }

  /** Looks up payments of new alerts, and stores verdicts; whether there was anything. */
  async #useStore(): Promise<boolean> {
    const lookUp = this.#lookUp ??= this.#options.store()?.lookUp();
    const now = this.#now();
    if (!lookUp || now < this.#storeAt) return false;
    try {
      await this.#checkStored(lookUp);
      const joined = await this.#join(lookUp);
      const stored = await this.#store(lookUp);
      if (!joined && !stored) this.#storeAt = now + LOOK_MS;
      return joined || stored;
    } catch (error) {
      if (this.#options.index.isDamage(error)) throw error;
      this.#storeAt = this.#now() + STORE_RETRY_MS;
      // Rows can fail one after the other.
      if (now - this.#storeReportedAt < STORE_REPORT_MS) return false;
      this.#storeReportedAt = now;
      this.#options.warn("the page cannot use the store", {
        error: error instanceof Error ? error.message : String(error),
      });
      return false;
    }
  }

  /** A store that lacks the newest verdict has been replaced: it gets all of them again. */
  async #checkStored(lookUp: LookUp): Promise<void> {
    if (this.#isStoreChecked) return;
    const { index } = this.#options;
    const newest = index.queries.newestStored();
    if (newest) {
      const kept = await lookUp.verdicts(newest.transactionId);
      if (!kept.some(({ decidedAt }) => decidedAt === newest.at)) {
        await index.forgetStored();
      }
    }
    this.#isStoreChecked = true;
  }

  /** Alerts get what is known of their payments once these are stored. */
  async #join(lookUp: LookUp): Promise<boolean> {
    const { index } = this.#options;
    const wanted = index.queries.unjoined(this.#joinedSeq, LOOK_UPS);
    if (wanted.length === 0) {
      // Those that were not stored yet are looked up again.
      this.#joinedSeq = 0;
      return false;
    }
    // Those behind go on if one of these cannot be read.
    this.#joinedSeq = wanted[wanted.length - 1].seq;
    const found = await Promise.all(
      wanted.map(({ id }) => lookUp.payment(id)),
    );
    const alerted = found.flatMap((stored, i) => {
      if (!stored) return [];
      const { payment, features } = stored;
      const { fraud, scenario } = payment;
      return [{ id: wanted[i].id, fraud, scenario, features }];
    });
    if (alerted.length === 0) return false;
    await index.commit({ ...EMPTY_STEP, alerted });
    return true;
  }

  /** Verdicts go to the store's table, those that were taken back leave it. */
  async #store(lookUp: LookUp): Promise<boolean> {
    const { index: { queries }, index } = this.#options;
    const events = queries.unstored(LOOK_UPS);
    if (events.length === 0) return false;
    for (const event of events) {
      const { undoes } = event;
      const verdict = undoes === undefined ? event : queries.event(undoes);
      if (verdict?.kind !== "verdict" || verdict.label === undefined) continue;
      const { transactionId, at, label, who, note } = verdict;
      const key = { transactionId, decidedAt: at };
      if (undoes !== undefined || queries.isUndone(verdict)) {
        await lookUp.removeVerdict(key);
      } else await lookUp.addVerdict({ ...key, label, analyst: who, note });
    }
    const stored = events.map(({ eventId }) => eventId);
    await index.commit({ ...EMPTY_STEP, stored });
    return true;
  }

  /** History has been read when what was in the log at the start is in the index, its alerts with their payments. */
  #judgeHistory(): void {
    if (this.#hasCaughtUp || !this.status) return;
    // A store that is being asked has not said what it lacks.
    if (this.#share() < 1 || this.#storeWork) return;
    const { queries } = this.#options.index;
    this.#historySeq ??= queries.newestSeq();
    const [oldest] = queries.unjoined(0, 1);
    // The store may lack some, which then stay unknown.
    const isJoined = !oldest || oldest.seq > this.#historySeq ||
      this.#joinedSeq >= this.#historySeq;
    if (isJoined) this.#hasCaughtUp = true;
  }

  /** How much of the history has been read, 0 to 1. */
  #share(): number {
    let [all, left] = [0, 0];
    for (const { place } of this.#followed) {
      for (const [partition, end] of place?.ends.entries() ?? []) {
        const { began, offsets } = place as Place;
        all += Math.max(0, end - began[partition]);
        left += Math.max(0, end - offsets[partition]);
      }
    }
    return all === 0 ? this.#isVerified ? 1 : 0 : 1 - left / all;
  }
}

/** What is followed in a stream whose payments have a shape. */
function topicsOf({ hasLabels }: PaymentShape): Followed[] {
  return [
    follow(CUSTOMER_TOPIC, false, Infinity),
    follow(TERMINAL_TOPIC, false, Infinity),
    follow(CASE_TOPIC, true, 0),
    follow(LABEL_TOPIC, true, 0),
    follow(SINK_TOPIC, true, HISTORY_RECORDS),
    // After the payments, so that most predictions and labels meet theirs.
    follow(PREDICTION_TOPIC, true, HISTORY_RECORDS),
    ...hasLabels
      ? [follow(TRANSACTION_LABEL_TOPIC, true, HISTORY_RECORDS)]
      : [],
  ];
}

function follow(
  topic: string,
  isIndexed: boolean,
  history: number,
): Followed {
  return { topic, isIndexed, history, place: undefined, live: [] };
}

/** Why the index is not one of this log any more; undefined if it is. */
async function problemOf(
  log: Log,
  index: AlertIndex,
  topics: readonly TopicState[],
): Promise<string | undefined> {
  for (const { topic, partition, topicId, next, mark } of index.positions()) {
    const state = topics.find(({ name }) => name === topic);
    const place = `${topic} partition ${partition}`;
    const start = state?.startOffsets[partition];
    const end = state?.endOffsets[partition];
    if (!state || start === undefined || end === undefined) {
      return `there is no ${place} any more`;
    }
    if (topicId !== undefined && state.id !== undefined) {
      if (topicId !== state.id) return `${topic} was created again`;
    }
    if (end < next) return `${place} ends before what was read of it`;
    if (start > next) return `${place} has been trimmed beyond what was read`;
    if (!mark || mark.offset < start) continue;
    if (!await holdsRecord(log, topic, partition, mark)) {
      return `${place} holds other records than were read of it`;
    }
  }
  return undefined;
}
