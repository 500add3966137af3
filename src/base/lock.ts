/**
 * One process per role: a lock of the operating system that ends with the
 * process. It is SQLite's exclusive lock on a small file, which every platform
 * has. The file beside it names the holder.
 */
import { DatabaseSync } from "node:sqlite";
import { DataError } from "./error.ts";
import { fileError } from "./file_error.ts";
import { makePrivateFile, PRIVATE_FILE } from "./sqlite/private_file.ts";

/** A lock that is held until it is disposed of or the process ends. */
export interface FolderLock extends Disposable {
  /** The lock's file. */
  readonly path: string;
}

/** Another process holds the lock. */
export class LockHeldError extends DataError {}

/**
 * Takes the lock `path`. Throws LockHeldError naming the holder if another
 * process has it, and DataError that says what is wrong with the disk, the
 * folder or the lock's file otherwise. `what` names the locked thing in
 * messages.
 */
export function takeLock(path: string, what: string): FolderLock {
  const holder = `${path}.pid`;
  let database: DatabaseSync | undefined;
  makePrivateFile(path);
  try {
    database = new DatabaseSync(path);
    database.exec("PRAGMA busy_timeout = 0");
    // Nothing is ever written to it, so that a full disk is no obstacle.
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    throw refusal(cause, path, what);
  }
  try {
    writeHolder(holder);
  } catch (error) {
    removeQuietly(holder);
    database.close();
    throw error;
  }
  const held = database;
  return {
    path,
    [Symbol.dispose]: () => {
      removeQuietly(holder);
      held.close();
    },
  };
}

/** Why the lock could not be taken, for messages. */
function refusal(cause: unknown, path: string, what: string): DataError {
  if (cause instanceof Deno.errors.NotCapable) {
    return fileError(cause, "write", path);
  }
  // Deno passes on only SQLite's message, not its code.
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/is locked/.test(message)) {
    return new LockHeldError(
      `another process (${readHolder(`${path}.pid`)}) already runs ${what}; ` +
        "stop it or choose another folder",
      { cause },
    );
  }
  const reason = REASONS.find(([pattern]) => pattern.test(message))?.[1] ??
    message;
  return new DataError(`${path} cannot be locked for ${what}: ${reason}`, {
    cause,
  });
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /disk is full/,
    "no space left on the device; make room and run again",
  ],
  [
    /readonly|read-only/,
    "it cannot be written; make it and its folder writable, or choose " +
    "another folder",
  ],
  [
    /unable to open/,
    "it cannot be opened; check that its folder exists and may be written, " +
    "and that the disk is not full",
  ],
  [
    /not a database|malformed/,
    "the file is damaged; it holds no data: stop all programs that use this " +
    "folder, delete that file and run again",
  ],
  [/I\/O error/, "the disk or its file system fails (I/O error); check it"],
];

/** Writes who holds the lock and since when, on two lines. */
function writeHolder(path: string): void {
  try {
    // The previous holder may have been killed; its id is stale.
    removeQuietly(path);
    const text = `${Deno.pid}\n${new Date().toISOString()}\n`;
    Deno.writeTextFileSync(path, text, { mode: PRIVATE_FILE });
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

function readHolder(path: string): string {
  try {
    const [pid, since] = Deno.readTextFileSync(path).trim().split("\n");
    if (/^\d+$/.test(pid)) {
      return since === undefined ? `pid ${pid}` : `pid ${pid}, since ${since}`;
    }
  } catch {
    // It has the lock but has not written its id yet.
  }
  return "its id is not known yet";
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Not there, or no longer writable: the lock itself is what counts.
  }
}
