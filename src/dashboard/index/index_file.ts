/**
 * Where an index of alerts lies: a file that one process has for itself. A
 * second page of the same stream takes the next free place in the folder. The
 * file is a cache: what is wrong with it ends with a new one.
 */
import { join } from "node:path";
import { makeFolder } from "../../base/durable_file.ts";
import { type FolderLock, LockHeldError, takeLock } from "../../base/lock.ts";
import { PRIVATE_FOLDER } from "../../base/sqlite/private_file.ts";
import { Sqlite } from "../../base/sqlite/sqlite.ts";

/** Pages of one stream that keep their index; further ones make theirs for the time they run. */
const PLACES = 8;
/** Pages of the file that are kept in memory, KiB. */
const CACHE_KIB = 64 * 1024;
/** Version of the tables. Another one is made again from the log. */
const VERSION = 4;

/** The index could not be read or written. */
export class IndexError extends Error {
  /** The class's name, for messages. */
  override readonly name = "IndexError";
}

/** Ends the message about a file that is damaged. */
const MADE_AGAIN = "it is made again from the log";

/** Whether an error says that the file itself is damaged. */
export function isDamage(error: unknown): boolean {
  return error instanceof IndexError && error.message.endsWith(MADE_AGAIN);
}

/** A file that this process has for itself until it is disposed of. */
export class IndexFile implements Disposable {
  readonly #path: string;
  readonly #lock: FolderLock | undefined;
  /** A folder that goes with the process. */
  readonly #temporary: string | undefined;

  private constructor(
    path: string,
    lock: FolderLock | undefined,
    temporary?: string,
  ) {
    this.#path = path;
    this.#lock = lock;
    this.#temporary = temporary;
  }

  /** Takes a free place in a folder, which is made; without a folder, or where none is free, a temporary one. */
  static take(folder: string | undefined): IndexFile {
    if (folder !== undefined) {
      makeFolder(folder, PRIVATE_FOLDER);
      for (let place = 1; place <= PLACES; place++) {
        const name = place === 1 ? "alerts" : `alerts-${place}`;
        try {
          const lock = takeLock(join(folder, `${name}.lock`), "a page");
          return new IndexFile(join(folder, `${name}.sqlite`), lock);
        } catch (error) {
          if (!(error instanceof LockHeldError)) throw error;
        }
      }
    }
    const temporary = Deno.makeTempDirSync({ prefix: "fraudstream-page-" });
    const path = join(temporary, "alerts.sqlite");
    return new IndexFile(path, undefined, temporary);
  }

  /** Opens the file, making its tables if it is new. Throws IndexError, or ConfigError for a file of another version. */
  open(schema: string): Sqlite {
    const sqlite = new Sqlite({
      path: this.#path,
      what: "index of alerts",
      version: VERSION,
      schema,
      restore: MADE_AGAIN,
      // What a power cut takes is read from the log again.
      durable: false,
      error: (message, options) => new IndexError(message, options),
    });
    // Alerts have no order in most of their indexes: so much is written at once.
    sqlite.db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    return sqlite;
  }

  /** Removes the file, which is closed. */
  remove(): void {
    for (const suffix of ["", "-wal", "-shm"]) {
      try {
        Deno.removeSync(this.#path + suffix);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  /** Gives the place free. */
  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    if (this.#temporary === undefined) return;
    try {
      Deno.removeSync(this.#temporary, { recursive: true });
    } catch {
      // The system removes temporary files too.
    }
  }
}
