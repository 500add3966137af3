/**
 * The SQLite code that log and store share: opening a file in WAL mode,
 * transactions that wait for the write lock without blocking the thread, and
 * errors that say what to do.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Clock, REAL_CLOCK } from "../clock.ts";
import { ConfigError } from "../error.ts";
import { makePrivateFile } from "./private_file.ts";

/** How a database file is opened. */
export interface SqliteOptions {
  /** The file. */
  readonly path: string;
  /** What is in it, for messages: 'log' or 'store'. */
  readonly what: string;
  /** Version of the tables; a file of another version is refused. */
  readonly version: number;
  /** Upgrades a file of an older version, inside a transaction. */
  readonly upgrade?: (db: DatabaseSync) => void;
  /** The oldest version that `upgrade` takes; the one before by default. */
  readonly oldest?: number;
  /** What to do about a damaged file, if not to restore it; ends messages. */
  readonly restore?: string;
  /** Statements that make the tables of an empty file. */
  readonly schema: string;
  /** Whether every commit waits for the disk (synchronous=FULL). */
  readonly durable: boolean;
  /** Memory for pages of the file, KiB; SQLite's default, 2,000, where it is left out. */
  readonly cacheKiB?: number | undefined;
  /** Pages of the WAL from which on a commit copies them into the database, which takes tens of milliseconds; 4,000 by default. */
  readonly checkpointPages?: number | undefined;
  /** Bytes of a page of a new file; SQLite's default, 4,096, where it is left out. */
  readonly pageBytes?: number | undefined;
  /** Creates the error of this file's owner. */
  readonly error: (message: string, options?: ErrorOptions) => Error;
  /** Ends the wait for a lock: a wait that lasts a while longer throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once for each lock that has been waited for long. */
  readonly waiting?: (message: string) => void;
  /** How long that is, milliseconds; 30 s by default. */
  readonly waitingAfterMs?: number;
  /** What waits for a lock; the machine's by default. */
  readonly clock?: Clock;
}

/** What to do about a damaged file; ends messages. */
export const RESTORE_ADVICE: string =
  "restore the data folder from a copy made by './fraudstream backup', or " +
  "start again in another --data folder";

/** How long another process may take to create or upgrade the tables, in milliseconds. */
const OPEN_WAIT_MS = 30_000;
const CHECKPOINT_PAGES = 4000;
const WAITING_AFTER_MS = 30_000;
/** A stopped role still gets a lock that becomes free within this time. */
const STOPPED_WAIT_MS = 2000;

/** One connection to one SQLite file. */
export class Sqlite {
  /** The connection, for statements. */
  readonly db: DatabaseSync;
  readonly #options: SqliteOptions;
  readonly #statements: Record<string, StatementSync | undefined> = {};

  /** Opens the file, making its tables if it is new; throws ConfigError for a file of another version. */
  constructor(options: SqliteOptions) {
    this.#options = options;
    makePrivateFile(options.path);
    try {
      this.db = new DatabaseSync(options.path);
    } catch (error) {
      throw this.translated(error);
    }
    try {
      this.#prepareWaiting();
    } catch (error) {
      this.db.close();
      throw this.translated(error);
    }
  }

  /** Waits for another process that switches to WAL mode, which SQLite does not. */
  #prepareWaiting(): void {
    const deadline = performance.now() + OPEN_WAIT_MS;
    for (;;) {
      try {
        return this.#prepare();
      } catch (error) {
        if (!isLocked(error) || performance.now() > deadline) throw error;
        this.#rollback();
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }

  #prepare(): void {
    const { version, durable, cacheKiB, pageBytes, checkpointPages } =
      this.#options;
    this.db.exec("PRAGMA busy_timeout = 1");
    // An existing file keeps its own.
    if (pageBytes) this.db.exec(`PRAGMA page_size = ${pageBytes}`);
    this.db.exec("PRAGMA journal_mode = WAL");
    this.db.exec(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.db.exec(
      `PRAGMA wal_autocheckpoint = ${checkpointPages ?? CHECKPOINT_PAGES}`,
    );
    if (cacheKiB) this.db.exec(`PRAGMA cache_size = -${cacheKiB}`);
    // Only a process that creates or upgrades the tables needs the lock, which
    // another process may hold for long.
    if (this.#version() === version) return;
    this.db.exec("BEGIN IMMEDIATE");
    this.#makeTables(this.#version());
    this.db.exec("COMMIT");
  }

  #version(): number {
    const row = this.db.prepare("PRAGMA user_version").get();
    return Number(row?.user_version);
  }

  #makeTables(found: number): void {
    const { version, schema, upgrade, path, what } = this.#options;
    const { oldest = version - 1 } = this.#options;
    if (found === version) return;
    const tables = this.db.prepare("SELECT count(*) AS n FROM sqlite_schema")
      .get();
    if (found === 0 && Number(tables?.n) === 0) {
      this.db.exec(schema);
    } else if (upgrade && found >= oldest && found < version) {
      upgrade(this.db);
    } else {
      const then = found > version
        ? "use the newer version of this program that has written it"
        : "choose another --data folder";
      throw new ConfigError(
        `${path} holds a ${what} of version ${found}, this program reads ` +
          `version ${version}; ${then}`,
      );
    }
    this.db.exec(`PRAGMA user_version = ${version}`);
  }

  /** Prepares a statement; a file whose tables are damaged is refused as translated() says. */
  prepare(sql: string): StatementSync {
    try {
      return this.db.prepare(sql);
    } catch (error) {
      throw this.translated(error);
    }
  }

  /**
   * Runs `body` in a write transaction: all or nothing, no await inside.
   * `doing` says for errors where something was damaged.
   */
  transaction<T>(body: () => T, doing?: string): Promise<T> {
    // Without an await: another task must not find the connection in a
    // transaction.
    return this.retry(() => this.#within("BEGIN IMMEDIATE", body), doing);
  }

  /** Runs `body` in a read transaction: everything that it reads is of one moment; no await inside. */
  snapshot<T>(body: () => T, doing?: string): Promise<T> {
    return this.retry(() => this.#within("BEGIN", body), doing);
  }

  #within<T>(begin: "BEGIN" | "BEGIN IMMEDIATE", body: () => T): T {
    this.#statement(begin).run();
    try {
      const result = body();
      this.#statement("COMMIT").run();
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  /** A statement of each transaction: parsing it takes longer than running it. */
  #statement(sql: "BEGIN" | "BEGIN IMMEDIATE" | "COMMIT"): StatementSync {
    return this.#statements[sql] ??= this.db.prepare(sql);
  }

  #rollback(): void {
    try {
      this.db.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself already (disk full, I/O error).
    }
  }

  /**
   * Runs `action`, and retries it while another connection holds the lock. A
   * lock ends with its process, so its holder is alive and will release it,
   * even if a person has to continue it first. So only the signal ends the
   * waiting.
   */
  async retry<T>(action: () => T, doing?: string): Promise<T> {
    const {
      signal,
      waiting,
      waitingAfterMs = WAITING_AFTER_MS,
      clock = REAL_CLOCK,
    } = this.#options;
    const began = clock.now();
    let warned = false;
    let stopped = Infinity;
    for (;;) {
      try {
        return action();
      } catch (error) {
        if (!isLocked(error)) throw this.translated(error, doing);
      }
      const now = clock.now();
      if (signal?.aborted) stopped = Math.min(stopped, now);
      if (now > stopped + STOPPED_WAIT_MS) throw signal?.reason;
      if (!warned && now > began + waitingAfterMs) {
        warned = true;
        waiting?.(this.#waitingFor(now - began));
      }
      // Not ended by the signal: a lock that is free in a moment is still taken.
      await clock.sleep(now > began + 1000 ? 20 : 1);
    }
  }

  #waitingFor(waitedMs: number): string {
    const { path, what } = this.#options;
    return `another process has held the lock of the ${what} ${path} for ` +
      `${Math.floor(waitedMs / 1000)} s and is still running; waiting ` +
      `until it releases it or ends`;
  }

  /** An error as a message for the user; `doing` says where something was damaged. */
  translated(error: unknown, doing?: string): Error {
    const { path, what, restore = RESTORE_ADVICE, error: make } = this.#options;
    if (error instanceof Deno.errors.NotCapable) {
      return make(
        `the ${what} ${path}: Deno was not given the permission; add ` +
          `--allow-read and --allow-write for its folder before main.ts`,
        { cause: error },
      );
    }
    if (!(error instanceof Error) || !isSqliteError(error)) {
      return error instanceof Error ? error : new Error(String(error));
    }
    const { message } = error;
    const advice = ADVICE.find(([pattern]) => pattern.test(message))?.[1];
    if (advice !== undefined) {
      return make(`the ${what} ${path}: ${advice}`, { cause: error });
    }
    // The statements are correct, so whatever else SQLite refuses is damage.
    return make(
      `the ${what} ${path} is damaged or not a database (${message}` +
        `${doing === undefined ? "" : `, ${doing}`}); ${restore}`,
      { cause: error },
    );
  }

  /** Closes the connection. */
  close(): void {
    this.db.close();
  }
}

function isLocked(error: unknown): boolean {
  return /database (table )?is locked/.test(String(error));
}

function isSqliteError(error: Error): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "ERR_SQLITE_ERROR" ||
    code === "ERR_OUT_OF_RANGE" || // an integer beyond 2^53, which is never stored
    /database|sqlite|disk I\/O/i.test(error.message) &&
      error.name === "Error";
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /disk I\/O/,
    "the operating system could not read or write it; check the disk and " +
    `start again, or ${RESTORE_ADVICE}`,
  ],
  [
    /database or disk is full/,
    "the disk is full; free some space and start again, nothing is lost",
  ],
  [
    /readonly database/,
    "it cannot be written; make the folder and its files writable",
  ],
  [
    /unable to open/,
    "it cannot be opened; check that the folder exists and may be written",
  ],
  [
    /is locked/,
    "another process has been making or upgrading its tables for 30 s; wait " +
    "for it or stop it",
  ],
];
