/**
 * Makes what an embedded log holds survive a power cut, without a commit that
 * waits for the disk. In WAL mode every commit, of any process, is first in the
 * file beside the database, log.db-wal. SQLite copies it from there only after
 * it has synced that file, and writes over it only after it has synced the
 * database. So at any moment a commit is in the synced database or in the WAL,
 * and one fdatasync of the WAL covers all of them.
 *
 * The file is there and stays the same: SQLite makes it when a connection first
 * reads, and removes it only when the last connection closes, while ours is
 * open for longer than this handle. It writes the WAL from the beginning again,
 * but into the same file. And closing a file drops the POSIX locks that this
 * process has on it, but SQLite locks the database and the -shm file, never
 * the WAL; the handle is opened and closed once anyway.
 */
import { dirname } from "node:path";
import { trySyncFolder } from "../../base/durable_file.ts";
import { LogError } from "../../base/error.ts";
import type { LogSync } from "../log.ts";

/** What SQLite calls a database without a file. */
const MEMORY = ":memory:";

/** The WAL of one database file to which a connection is open. */
export class WalSync implements LogSync {
  /** See LogSync. */
  readonly syncs = { count: 0, milliseconds: 0 };
  readonly #path: string;
  #file: Deno.FsFile | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** Opens nothing yet. */
  constructor(databasePath: string) {
    this.#path = `${databasePath}-wal`;
  }

  /**
   * Resolves when what was committed before the call is on the disk. Calls
   * share: one sync runs and one waits for its end, for all who called since.
   * After a failure all fail, because the operating system reports it once and
   * then takes the lost pages for written.
   */
  sync(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#running.then(async () => {
      this.#running = next;
      this.#next = undefined;
      await this.#syncFile();
    });
    this.#next = next;
    return next;
  }

  async #syncFile(): Promise<void> {
    if (this.#path.startsWith(MEMORY)) return; // nothing of it survives
    const began = performance.now();
    try {
      this.#file ??= this.#open();
      await this.#file.syncData();
      this.syncs.count++;
      this.syncs.milliseconds += performance.now() - began;
    } catch (cause) {
      throw new LogError(
        `the operating system could not write ${this.#path} to the disk ` +
          `(${cause instanceof Error ? cause.message : cause}); check the ` +
          `disk and start again`,
        { cause },
      );
    }
  }

  #open(): Deno.FsFile {
    // Some systems sync only what may be written.
    const file = Deno.openSync(this.#path, { read: true, write: true });
    trySyncFolder(dirname(this.#path)); // the process that made it may have died before
    return file;
  }

  /** Waits for a running sync and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#next ?? this.#running).catch(() => {});
    this.#file?.close();
    this.#file = undefined;
  }
}
