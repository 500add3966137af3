/**
 * An existing stream, opened for reading: its log, what its roles have agreed
 * on, and its store. Nothing is created.
 */
import { shapeOfStream } from "./stream_definition.ts";
import { rest } from "../base/clock.ts";
import { DataError, LogError, StoreError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import type { Log, LogReport } from "../log/log.ts";
import { logPath, type LogSettings, openLog } from "../log/open_log.ts";
import {
  Control,
  type StreamOrigin,
  type StreamParameters,
} from "./control.ts";
import {
  endCheck,
  type EndCheckResult,
  type StoredCounts,
} from "./end_check.ts";
import { CHAIN, CONTROL_TOPIC, TRANSACTION_TOPIC } from "./topics.ts";
import { RESTORE_ADVICE } from "../base/sqlite/sqlite.ts";
import {
  openStore,
  storePath,
  type StoreSettings,
} from "../store/open_store.ts";
import type { Store } from "../store/store.ts";

/** How often to check whether another process has begun a stream, in milliseconds. */
const LOOK_MS = 200;

/** Where a stream is. */
export interface Connection {
  /** The data folder, where log or store are in one. */
  readonly folder: string | undefined;
  /** Where the log is. */
  readonly log: LogSettings;
  /** Where the store is. */
  readonly store: StoreSettings;
}

/** An existing stream. */
export interface StoredStream extends AsyncDisposable {
  /** Its log. */
  readonly log: Log;
  /** Its control topic, refreshed once; undefined before a role has run. */
  readonly control: Control | undefined;
  /** What its roles agreed on; undefined before one has run. */
  readonly parameters: StreamParameters | undefined;
}

/** Opens an existing stream; throws DataError if there is no data folder, LogError if the log cannot be reached. */
export async function openStoredStream(
  connection: Connection,
  report: LogReport,
): Promise<StoredStream> {
  const { log: settings, store } = connection;
  if (settings.kind === "kafka") return await openStream(connection, report);
  const { folder } = settings;
  const hasStore = store.kind === "embedded" && store.folder === folder &&
    isThere(storePath(folder));
  const lost = () =>
    new DataError(
      `${logPath(folder)} is missing or empty, though ${storePath(folder)} ` +
        `exists; ${RESTORE_ADVICE}`,
    );
  if (!isThere(logPath(folder))) {
    if (hasStore) throw lost();
    throw new DataError(
      `there is no data folder ${folder}; start './fraudstream run' first or ` +
        `name another with --data`,
    );
  }
  const stream = await openStream(connection, report);
  if (stream.parameters || !hasStore) return stream;
  await stream[Symbol.asyncDispose]();
  throw lost();
}

/** Opens a stream, making an embedded log if there is none in the folder, which exists. */
export async function openStream(
  connection: Connection,
  report: LogReport,
): Promise<StoredStream> {
  const log = await openLog(connection.log, report);
  const close = () => log[Symbol.asyncDispose]();
  try {
    const begun = await log.endOffsets(CONTROL_TOPIC);
    const control = begun && new Control(log, report);
    await control?.refresh();
    const parameters = control?.parameters;
    return { log, control, parameters, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a stream holds before a run. */
export interface RecordedStream {
  /** What its roles agreed on. */
  readonly parameters: StreamParameters;
  /** The stream that our producer has begun; undefined where it has begun none. */
  readonly origin: StreamOrigin | undefined;
  /** Whether all payments of our producer are published. */
  readonly isComplete: boolean;
  /** Control.scoringFlags. */
  readonly scoringFlags: Readonly<Record<string, string>> | undefined;
}

/** What a stream holds on record; undefined where no role has run, nor does within `waitMs`. */
export async function findRecorded(
  connection: Connection,
  report: LogReport,
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<RecordedStream | undefined> {
  const { log } = connection;
  const deadline = performance.now() + waitMs;
  for (;;) {
    if (log.kind === "kafka" || isThere(logPath(log.folder))) {
      await using opened = await openLog(log, report);
      const control = new Control(opened); // warnings come when the stream is opened
      if (await opened.endOffsets(CONTROL_TOPIC)) await control.refresh();
      const { parameters, origin, scoringFlags } = control;
      const isComplete = control.end(TRANSACTION_TOPIC) !== undefined;
      if (parameters) return { parameters, origin, isComplete, scoringFlags };
    }
    if (performance.now() >= deadline || signal.aborted) return undefined;
    await rest(LOOK_MS, signal);
  }
}

/** Opens the store of a stream; undefined if nothing can have been stored yet. */
export async function openStoredRows(
  { store: settings }: Connection,
  { parameters, control }: StoredStream,
  report: LogReport,
): Promise<Store | undefined> {
  if (!parameters) return undefined;
  if (settings.kind === "embedded" && !isThere(storePath(settings.folder))) {
    return undefined;
  }
  const shape = shapeOfStream(parameters);
  const { features } = parameters;
  const store = await openStore(settings, features, report, { shape });
  try {
    await requireOwnStore(store, control?.identity?.id);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** Throws StoreError if the store says that its rows are another stream's. */
async function requireOwnStore(
  store: Store,
  stream: string | undefined,
): Promise<void> {
  if (stream === undefined) return; // from a version without stream identities
  const foreign = (await store.positions())
    .find((position) => position.stream !== stream);
  if (!foreign) return;
  throw new StoreError(
    `the store holds the rows of another stream (${foreign.stream}; the log ` +
      `is that of ${stream}): put the store that belongs to this log back, ` +
      `name another --data folder or --keyspace, or run './fraudstream ` +
      `rebuild', which clears the store and fills it from this log`,
  );
}

/** Counts what a store holds. */
export async function countStored(store: Store): Promise<StoredCounts> {
  return {
    payments: await store.status(),
    predictions: await store.predictions().status(),
    labels: await store.labels().status(),
  };
}

/**
 * Compares all counts of a stream (see end_check.ts), those of the store where
 * they are given. Throws LogError or StoreError if one of the two cannot be
 * read.
 */
export async function checkEnd(
  { log: { kind } }: Pick<Connection, "log">,
  { log, control }: Pick<StoredStream, "log" | "control">,
  store: (() => Promise<StoredCounts>) | undefined,
): Promise<EndCheckResult> {
  await control?.requireTopics(CHAIN); // else the counts would be misread
  return await endCheck({
    log,
    offsetsCountRecords: kind === "embedded",
    store,
  });
}

/** Throws LogError if an end check found a difference. */
export function requireAgreement(result: EndCheckResult): void {
  if (result.kind === "in flight" || result.differences.length === 0) return;
  throw new LogError(
    `the counts of this stream do not agree: ${result.differences.join("; ")}`,
  );
}

/** Whether there is a file or folder. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (error instanceof Deno.errors.NotADirectory) return false;
    throw fileError(error, "read", path);
  }
}
