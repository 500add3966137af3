/**
 * A temporary file to sort in, which a killed program does not leave behind
 * where the system can remove open files.
 */
import { DataError } from "../base/error.ts";
import { fileError, fileErrorReason } from "../base/file_error.ts";

/** A private file of bytes. Dispose it. */
export class TemporaryFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #removed = false;

  /** Makes an empty file in a folder, or in the system's own. Throws DataError. */
  constructor(folder: string | undefined) {
    try {
      this.#path = Deno.makeTempFileSync({
        ...folder !== undefined && { dir: folder },
        prefix: "fraudstream-sort-",
      });
      this.#file = Deno.openSync(this.#path, { read: true, write: true });
    } catch (error) {
      if (folder !== undefined) throw fileError(error, "write", folder);
      const reason = error instanceof Deno.errors.NotCapable
        ? "Deno was not given the permission; add --allow-write=/tmp, or where " +
          "TMPDIR points to, before main.ts"
        : fileErrorReason(error, "write", "");
      throw new DataError(
        "cannot write a temporary file to sort payments that do not fit in " +
          `memory: ${reason}, or set TMPDIR to another folder`,
        { cause: error },
      );
    }
    this.#remove();
  }

  /** Writes bytes at the end. Throws DataError. */
  append(bytes: Uint8Array): void {
    try {
      this.#file.seekSync(0, Deno.SeekMode.End);
      for (let at = 0; at < bytes.length;) {
        at += this.#file.writeSync(bytes.subarray(at));
      }
    } catch (error) {
      throw fileError(error, "write", `${this.#path} (for sorting)`);
    }
  }

  /** Fills `into` with the bytes from `start` on. Throws DataError. */
  read(into: Uint8Array, start: number): void {
    try {
      this.#file.seekSync(start, Deno.SeekMode.Start);
      for (let at = 0; at < into.length;) {
        const count = this.#file.readSync(into.subarray(at));
        if (count === null) throw new Error("the file ends early");
        at += count;
      }
    } catch (error) {
      throw fileError(error, "read", `${this.#path} (for sorting)`);
    }
  }

  /** Closes and removes it. */
  [Symbol.dispose](): void {
    this.#file.close();
    this.#remove();
  }

  /** Open files can be removed on POSIX systems; on others this succeeds once it is closed. */
  #remove(): void {
    if (this.#removed) return;
    try {
      Deno.removeSync(this.#path);
      this.#removed = true;
    } catch {
      // It is tried again on closing; the system cleans its folder too.
    }
  }
}
