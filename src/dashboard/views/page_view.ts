/**
 * What a view of the page is to the server: its scripts, its place in the bar,
 * and its routes. A view is a file here and a script in page/, listed in
 * views.ts; the type of each answer is written once, here on the server, and
 * the page's script is checked against it.
 */
import { CheckedJson } from "../../base/checked_json.ts";
import { DataError } from "../../base/error.ts";
import type { LatencySummary } from "../../base/latency.ts";
import type { Log } from "../../log/log.ts";
import type { LookUp } from "../../store/look_up.ts";
import type { ModelMetric } from "../../store/tables.ts";
import type { Control, StreamParameters } from "../../stream/control.ts";
import type { LiveReader } from "../server/live_reader.ts";
import type { LiveState } from "./live_state.ts";

/** A view: what it is drawn by, and what it asks for. */
export interface PageView {
  /** The scripts in page/ that only this view needs, by their names there. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Its link in the bar, "#/" and its name; undefined for a view that another leads to. */
  readonly tab?: {
    /** The name in the address. */
    readonly name: string;
    /** The word that people read. */
    readonly title: string;
    /** Id of the element that the page writes a number into. */
    readonly badge?: string;
  };
  /** Adds its routes, which are guarded already. */
  readonly serve?: (router: Router, page: Page) => void;
}

/** What views show, and what they may do. */
export interface Page {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** What the roles agreed on. */
  readonly parameters: StreamParameters;
  /** What is followed. */
  readonly reader: LiveReader;
  /** What that fills. */
  readonly state: LiveState;
  /** The store; undefined as long as it cannot be reached. */
  readonly lookUp: () => LookUp | undefined;
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

/** Something that was asked for by name is not there: status 404. */
export class NotThereError extends Error {
  /** The class's name, for messages. */
  override readonly name = "NotThereError";
}

/** What a route is asked. */
export interface Question {
  /** The part of the path that stands for `:name`. */
  part(name: string): string;
  /** The parameters behind the path. */
  query(): Readonly<Record<string, string>>;
  /** The JSON object that was sent. Throws DataError if none was. */
  body(): Promise<Readonly<Record<string, unknown>>>;
}

/** Adds a route that answers by JSON of the type that `Answers` has for its path. */
export type AddRoute<Answers> = <Path extends keyof Answers & string>(
  path: Path,
  make: (asked: Question) => Answers[Path] | Promise<Answers[Path]>,
) => void;

/** Where a view adds its routes. */
export type Router = <Answers extends Record<keyof Answers, object>>() => {
  /** Answers GET, by status 200. */
  readonly get: AddRoute<Answers>;
  /** Answers POST, by status 201. */
  readonly post: AddRoute<Answers>;
};

/** Checks what a body holds; throws DataError. */
export const BODY: CheckedJson = new CheckedJson((what) => new DataError(what));

/** The store; throws DataError before it has been reached. */
export function storeOf({ lookUp }: Page): LookUp {
  const found = lookUp();
  if (found) return found;
  throw new DataError("the store has not been reached yet; try again");
}

/** A whole number from a path or a query; throws DataError for anything else. */
export function wholeOf(text: string | undefined, what: string): number {
  const value = /^\d{1,15}$/.test(text ?? "") ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new DataError(`${what} must be a whole number`);
}

/** Lets what changes the log happen one after the other: a producer fences the one before. */
export function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}

/** An answer that many pages ask for is made once in so long. */
const SHARED_MS = 1000;

/** An answer that is made at most once in a while, however many ask. */
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
