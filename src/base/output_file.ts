/**
 * Where bytes are written: a path or stdout. A path is written beside its
 * target as NAME.partial and renamed when it is complete, so a reader of NAME
 * sees a complete file, and a stopped program leaves the old one.
 */
import { partialPath } from "./durable_file.ts";
import { DataError } from "./error.ts";
import { fileError } from "./file_error.ts";

/** The name that stands for stdout, or for stdin where something is read. */
export const STANDARD_STREAM = "-";

/** Bytes gathered before a write: fewer system calls, still little memory. */
const BLOCK_BYTES = 256 * 1024;

/**
 * The reader of stdout has closed it, as `head` does when it has read enough.
 * This is not a failure: the command line ends quietly.
 */
export class OutputClosedError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "OutputClosedError";
}

/** The first bytes of every SQLite file. */
const DATABASE_MAGIC = "SQLite format 3\0";

/**
 * Throws DataError where a file would replace a database, or what belongs to
 * one: a log or a store that a mistyped name must not destroy.
 */
function refuseDatabase(target: string): void {
  const database = target.replace(/-(wal|shm)$/, "");
  const start = new Uint8Array(DATABASE_MAGIC.length);
  try {
    using file = Deno.openSync(database);
    if (!file.statSync().isFile) return;
    file.readSync(start);
  } catch {
    return; // it does not exist, or opening reports the problem
  }
  if (new TextDecoder().decode(start) !== DATABASE_MAGIC) return;
  throw new DataError(
    `${target} belongs to a database, such as a log or a store; choose ` +
      `another name`,
  );
}

/** An output being written. Close it when complete, else abort it. */
export class OutputFile {
  readonly #target: string;
  readonly #file: Deno.FsFile | undefined;
  readonly #blocks: Uint8Array[] = [];
  #blockBytes = 0;
  #open = true;

  private constructor(target: string, file: Deno.FsFile | undefined) {
    this.#target = target;
    this.#file = file;
  }

  /**
   * Opens NAME.partial beside the target, or stdout for "-". An existing
   * target stays as it is until close(). Throws DataError.
   */
  static async open(target: string): Promise<OutputFile> {
    if (target === STANDARD_STREAM) return new OutputFile(target, undefined);
    refuseDatabase(target);
    try {
      const file = await Deno.open(partialPath(target), {
        write: true,
        create: true,
        truncate: true,
      });
      return new OutputFile(target, file);
    } catch (error) {
      throw fileError(error, "write", target);
    }
  }

  /** Appends bytes, which must not change afterwards. Throws DataError, or OutputClosedError when stdout's reader has gone. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#blocks.push(bytes);
    this.#blockBytes += bytes.length;
    if (this.#blockBytes >= BLOCK_BYTES) await this.#flush();
  }

  /** Writes the rest and moves the file to its place. Throws like write(). */
  async close(): Promise<void> {
    await this.#flush();
    this.#open = false;
    if (this.#file === undefined) return;
    try {
      this.#file.close();
      await Deno.rename(partialPath(this.#target), this.#target);
    } catch (error) {
      await removeQuietly(partialPath(this.#target));
      throw fileError(error, "write", this.#target);
    }
  }

  /** Drops the partial file; the target stays as it was. Does nothing after close() or abort(). */
  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#blocks.length = 0;
    if (this.#file === undefined) return;
    this.#file.close();
    await removeQuietly(partialPath(this.#target));
  }

  /** Aborts unless closed: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }

  async #flush(): Promise<void> {
    const sink = this.#file ?? Deno.stdout;
    try {
      for (const block of this.#blocks) {
        for (let at = 0; at < block.length;) {
          at += await sink.write(block.subarray(at));
        }
      }
    } catch (error) {
      if (
        this.#file === undefined && error instanceof Deno.errors.BrokenPipe
      ) {
        throw new OutputClosedError("stdout was closed", {
          cause: error,
        });
      }
      const shown = this.#file === undefined ? "stdout" : this.#target;
      throw fileError(error, "write", shown);
    }
    this.#blocks.length = 0;
    this.#blockBytes = 0;
  }
}

/** Writes a whole output: a path or stdout. Throws as OutputFile does. */
export async function writeOutput(
  target: string,
  bytes: Uint8Array,
): Promise<void> {
  await using output = await OutputFile.open(target);
  await output.write(bytes);
  await output.close();
}

/** Used while another error is thrown, which this one must not hide. */
async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // The first error is the one to report; a remaining .partial file is
    // visible by itself.
  }
}
