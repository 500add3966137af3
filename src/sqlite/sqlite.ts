/**
 * What log and store share of SQLite: opening a file in WAL mode, transactions
 * that wait for the write lock without blocking the thread, and errors that
 * say what to do.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError } from "../error/error.ts";
import { makePrivateFile } from "./private_file.ts";

/** How a database file is opened. */
export interface SqliteOptions {
  /** The file. */
  readonly path: string;
  /** What is in it, for messages: 'log' or 'store'. */
  readonly what: string;
  /** Version of the tables; a file of another version is refused. */
  readonly version: number;
  /** Makes a file of the version before one of this version, inside a transaction. */
  readonly upgrade?: (db: DatabaseSync) => void;
  /** What to do about a damaged file, where there is more than to restore it; ends messages. */
  readonly restore?: string;
  /** Statements that make the tables of an empty file. */
  readonly schema: string;
  /** Whether every commit waits for the disk (synchronous=FULL). */
  readonly durable: boolean;
  /** Makes the error of this file's owner. */
  readonly error: (message: string, options?: ErrorOptions) => Error;
}

const LOCK_WAIT_MS = 30_000;

/** One connection to one SQLite file. */
export class Sqlite {
  /** The connection, for statements. */
  readonly db: DatabaseSync;
  readonly #options: SqliteOptions;

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

  /** SQLite does not wait for another process that switches to WAL mode; this does. */
  #prepareWaiting(): void {
    const deadline = performance.now() + LOCK_WAIT_MS;
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
    const { version, schema, durable, path, what, upgrade } = this.#options;
    this.db.exec("PRAGMA busy_timeout = 10000");
    this.db.exec("PRAGMA journal_mode = WAL");
    this.db.exec(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.db.exec("PRAGMA wal_autocheckpoint = 4000");
    this.db.exec("BEGIN IMMEDIATE");
    const row = this.db.prepare("PRAGMA user_version").get();
    const found = Number(row?.user_version);
    const tables = this.db.prepare("SELECT count(*) AS n FROM sqlite_schema")
      .get();
    if (found === 0 && Number(tables?.n) === 0) {
      this.db.exec(schema);
      this.db.exec(`PRAGMA user_version = ${version}`);
    } else if (upgrade && found === version - 1) {
      upgrade(this.db);
      this.db.exec(`PRAGMA user_version = ${version}`);
    } else if (found !== version) {
      throw new ConfigError(
        `${path} holds a ${what} of version ${found}, this program reads ` +
          `version ${version}; choose another --data folder`,
      );
    }
    this.db.exec("COMMIT");
    // From here on a held lock is waited for without blocking the thread.
    this.db.exec("PRAGMA busy_timeout = 1");
  }

  /** Runs `body` in a write transaction: all or nothing, no await inside. */
  transaction<T>(body: () => T): Promise<T> {
    // In one go: another task must not find the connection in a transaction.
    return this.retry(() => {
      this.db.exec("BEGIN IMMEDIATE");
      try {
        const result = body();
        this.db.exec("COMMIT");
        return result;
      } catch (error) {
        this.#rollback();
        throw error;
      }
    });
  }

  #rollback(): void {
    try {
      this.db.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself already (disk full, I/O error).
    }
  }

  /** Runs `action`, again while another connection holds the lock. */
  async retry<T>(action: () => T): Promise<T> {
    const deadline = performance.now() + LOCK_WAIT_MS;
    for (;;) {
      try {
        return action();
      } catch (error) {
        if (!isLocked(error) || performance.now() > deadline) {
          throw this.translated(error);
        }
      }
      await delay(1);
    }
  }

  /** An error as people should read it. */
  translated(error: unknown): Error {
    const { path, what, restore, error: make } = this.#options;
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
    const advice = ADVICE.find(([pattern]) => pattern.test(message))?.[1] ??
      message;
    const damaged = restore !== undefined && /not a database|malformed/
      .test(message);
    return make(
      damaged
        ? `the ${what} ${path} is damaged (${message}); ${restore}`
        : `the ${what} ${path}: ${advice}`,
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
    /database|sqlite|disk I\/O/i.test(error.message) &&
      error.name === "Error";
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
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
    /not a database|malformed/,
    "it is damaged or not a database; restore the folder or choose another " +
    "--data",
  ],
  [
    /is locked/,
    "another program has held its lock for 30 s; stop that program",
  ],
];
