/**
 * One process a role: a lock of the operating system's that dies with the
 * process. SQLite's exclusive lock on a small file serves, since it is there
 * on every platform; the holder's process id stands in the file beside it.
 */
import { DatabaseSync } from "node:sqlite";
import { DataError } from "../error/error.ts";

/** A lock that is held until it is disposed of or the process ends. */
export interface FolderLock extends Disposable {
  /** The lock's file. */
  readonly path: string;
}

/**
 * Takes the lock `path`; throws DataError naming the holder's process id if
 * another process has it. `what` says for people what is being taken.
 */
export function takeLock(path: string, what: string): FolderLock {
  const holder = `${path}.pid`;
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotCapable
      ? "Deno was not given the permission; add --allow-read and " +
        "--allow-write for its folder before main.ts"
      : "check that its folder exists and may be written";
    throw new DataError(
      `${path} cannot be opened for locking ${what}: ${reason}`,
      { cause },
    );
  }
  try {
    database.exec("PRAGMA busy_timeout = 0");
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    throw new DataError(
      `another process (pid ${readHolder(holder)}) already runs ${what}; ` +
        `stop it or choose another folder`,
      { cause },
    );
  }
  Deno.writeTextFileSync(holder, `${Deno.pid}\n`);
  return {
    path,
    [Symbol.dispose]: () => database.close(),
  };
}

function readHolder(path: string): string {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return "unknown"; // it has the lock but has not written its id yet
  }
}
