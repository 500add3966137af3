/**
 * A view of the page, as the server sees it: its scripts, its tab and its
 * routes. A view is one file in this folder and one script in page/. The type
 * of each answer is declared here on the server, and `deno task check:page`
 * checks the script against it.
 */
import { Buffer } from "node:buffer";
import { CheckedJson } from "../../base/checked_json.ts";
import { DataError, StoreError } from "../../base/error.ts";
import { unlessLate } from "../../base/unless_stopped.ts";
import type { LatencySummary } from "../../base/latency.ts";
import type { Log } from "../../log/log.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import type { LookUp, StoredPayment } from "../../store/look_up.ts";
import type { ModelMetric } from "../../store/tables.ts";
import {
  type Control,
  labelDays,
  type StreamParameters,
} from "../../stream/control.ts";
import type { LiveReader } from "../server/live_reader.ts";
import type { IdKind } from "../../payment/payment_shape.ts";
import { idFrom } from "../index/alert_filter.ts";
import type { AlertIndex } from "../index/alert_index.ts";
import type { UsualOf } from "./alert_reasons.ts";
import type { CaseWriter } from "./case_writer.ts";
import type { LiveState } from "./live_state.ts";

/** A view: its scripts and its routes. */
export interface PageView {
  /** The scripts in page/ that only this view needs, by file name. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Its tab, which links to "#/" and the name; undefined for a view that another view links to. */
  readonly tab?: {
    /** The name in the address. */
    readonly name: string;
    /** The word that people read. */
    readonly title: string;
    /** Id of the element that the page writes a number into. */
    readonly badge?: string;
  };
  /** Adds its routes. The server has checked token, origin and key before it calls them. */
  readonly serve?: (router: Router, page: Page) => void;
}

/** What views read and write. */
export interface Page {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** What the roles agreed on. */
  readonly parameters: StreamParameters;
  /** ISO 4217 code of the stream's amounts; undefined where they have no currency. */
  readonly currency: string | undefined;
  /** Follows the topics of the stream. */
  readonly reader: LiveReader;
  /** The newest part of the stream, which the reader keeps. */
  readonly state: LiveState;
  /** Alerts, cases and sums, which the reader keeps. */
  readonly index: AlertIndex;
  /** Writes what people do with cases. */
  readonly cases: CaseWriter;
  /** What is usual for a model's inputs. */
  readonly usualOf: UsualOf;
  /** The store; undefined as long as it cannot be reached. */
  readonly lookUp: () => LookUp | undefined;
  /** How long the store may take for one answer, in milliseconds; 10 s without it. */
  readonly storeMs?: number;
  /** From published to stored, where that is measured. */
  readonly latency: () => LatencySummary | undefined;
  /** What the trainer has stored of the models. */
  readonly metrics: () => Promise<readonly ModelMetric[]>;
  /** The registry's folder; undefined where there is none. */
  readonly models: string | undefined;
  /** What runs in this process, for people. */
  readonly process: {
    /** Threads by name. */
    readonly threads: readonly string[];
    /** Where the log is. */
    readonly log: string;
    /** Where the store is. */
    readonly store: string;
  };
  /** The page's own server. */
  readonly server: () => ServerFacts;
}

/** How the page's server stands. */
export interface ServerFacts {
  /** Pages that listen. */
  readonly clients: number;
  /** Events that slow pages have missed. */
  readonly skipped: number;
  /** Seconds since it started. */
  readonly upSeconds: number;
  /** Whether it asks for a token. */
  readonly guarded: boolean;
}

/** A requested payment, card, terminal or dead letter does not exist: status 404. */
export class NotThereError extends Error {
  /** The class's name, for messages. */
  override readonly name = "NotThereError";
}

/** What is known of how a payment has turned out, in a stream whose labels arrive later. */
export interface Outcome {
  /** TX_FRAUD; undefined as long as it is pending. */
  readonly fraud?: 0 | 1;
  /** When its label was known, as TX_DATETIME is written; undefined for a payment without one, which is taken for genuine once the delay has passed and labels have come at all. */
  readonly knownAt?: string;
}

/** A moment of the stream. */
export interface Moment {
  /** As TX_TIME_SECONDS. */
  readonly timeSeconds: number;
  /** Seconds since 1970; Infinity for everything that the page knows. */
  readonly knownSeconds: number;
}

/** What was known of a payment at a moment, in a stream whose labels arrive later. */
export function outcomeOf(
  { index, parameters }: Page,
  id: TransactionId,
  timeSeconds: number,
  at: Moment,
): Outcome {
  const label = index.queries.label(id, at.knownSeconds);
  if (label) {
    const { fraud, knownSeconds } = label;
    return { fraud, knownAt: formatDatetime(knownSeconds) };
  }
  const delay = labelDays(parameters) * DAY_SECONDS;
  const isOld = timeSeconds <= at.timeSeconds - delay;
  return isOld && index.hasLabels ? { fraud: 0 } : {};
}

/** This moment of a page's stream. */
export function newestMoment({ index }: Page): Moment {
  return { timeSeconds: index.timeSeconds, knownSeconds: Infinity };
}

/** A payment of the past, with what was known of it at some time. */
export interface PastPayment extends Omit<StoredPayment, "fraud" | "scenario"> {
  /** Whether its label was known at that time: the delay had passed, or the label had arrived. */
  readonly known: boolean;
  /** TX_FRAUD; undefined where it was not known, unless truth=1. */
  readonly fraud?: 0 | 1;
  /** When its label was known, where labels arrive later. */
  readonly knownAt?: string;
  /** TX_FRAUD_SCENARIO; with truth=1 only. */
  readonly scenario?: number;
}

/** A stored payment with its label if that was known at a moment. */
export function pastPayment(
  page: Page,
  { fraud, scenario, ...payment }: StoredPayment,
  at: Moment,
  truth: boolean,
): PastPayment {
  const { transactionId, timeSeconds } = payment;
  if (shapeOfStream(page.parameters).hasLabels) {
    const outcome = outcomeOf(page, transactionId, timeSeconds, at);
    return { ...payment, known: outcome.fraud !== undefined, ...outcome };
  }
  if (fraud < 0) return { ...payment, known: false };
  const delay = labelDays(page.parameters) * DAY_SECONDS;
  const known = timeSeconds <= at.timeSeconds - delay;
  const label = fraud === 1 ? 1 : 0;
  if (truth) return { ...payment, known, fraud: label, scenario };
  return known ? { ...payment, known, fraud: label } : { ...payment, known };
}

/** What GET /api/session says of the page's session. */
export interface SessionView {
  /** What every write must carry, in the header x-fraudstream-key. */
  readonly key: string;
  /** The name of the token that was entered; undefined where it has none. */
  readonly who?: string;
}

/** The request that a route answers. */
export interface Question {
  /** The part of the path that stands for `:name`. */
  part(name: string): string;
  /** The query parameters. */
  query(): Readonly<Record<string, string>>;
  /** Whose token the visitor has; undefined where that has no name. */
  readonly who: string | undefined;
  /** The JSON object in the body. Throws DataError for anything else. */
  body(): Promise<Readonly<Record<string, unknown>>>;
}

/** Adds a route whose JSON answer has the type that `Answers` declares for its path. */
export type AddRoute<Answers> = <Path extends keyof Answers & string>(
  path: Path,
  make: (asked: Question) => Answers[Path] | Promise<Answers[Path]>,
) => void;

/** A view adds its routes to it. */
export type Router = <Answers extends Record<keyof Answers, object>>() => {
  /** Answers GET, by status 200. */
  readonly get: AddRoute<Answers>;
  /** Answers POST, by status 201. */
  readonly post: AddRoute<Answers>;
};

/** Checks what a body holds; throws DataError. */
export const BODY: CheckedJson = new CheckedJson((what) => new DataError(what));

/** How long a store may take for one answer, in milliseconds. */
const STORE_MS = 10_000;

/** Asks the store. Throws DataError before it has been reached, and StoreError if it does not answer in time. */
export async function askStore<T>(
  { lookUp, storeMs = STORE_MS }: Pick<Page, "lookUp" | "storeMs">,
  ask: (store: LookUp) => Promise<T>,
): Promise<T> {
  const found = lookUp();
  if (!found) {
    throw new DataError("the store has not been reached yet; try again");
  }
  return await unlessLate(
    ask(found),
    storeMs,
    () => new StoreError("the store does not answer; try again later"),
  );
}

/** The id in a part of a path, whose texts a page writes as "~" and base64url of their UTF-8 where an address might change them. Throws DataError, which names `what`. */
export function idAsked(
  asked: Question,
  kind: IdKind,
  what: string,
): TransactionId {
  const part = asked.part("id");
  if (kind === "number" || !part.startsWith("~")) {
    return idFrom(part, kind, what);
  }
  const bytes = Buffer.from(part.slice(1), "base64url");
  return idFrom(bytes.toString("utf8"), kind, what);
}

/** The id in a value of a body. Throws DataError, which names `what`. */
export function idGiven(
  value: unknown,
  kind: IdKind,
  what: string,
): TransactionId {
  return kind === "number"
    ? BODY.whole(value, what)
    : idFrom(BODY.string(value, what), kind, what);
}

/** Whether a request asks for the simulation's truth: labels that nobody knew, scenarios, compromised terminals. */
export function isTruth(asked: Question): boolean {
  return asked.query().truth === "1";
}

/** How long an answer is shared between pages, in milliseconds. */
const SHARED_MS = 1000;

/** An answer that is computed at most once per SHARED_MS, for any number of pages. */
export function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  let until = -Infinity;
  return () => {
    const now = performance.now();
    if (!made || now > until) {
      made = make();
      until = now + SHARED_MS;
      made.catch(() => until = -Infinity);
    }
    return made;
  };
}
