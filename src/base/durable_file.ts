/**
 * Files that survive a power cut: once a function here returns, content and
 * name are on disk. Errors are DataError, one line with what to do.
 */
import { dirname, resolve } from "node:path";
import { fileError } from "./file_error.ts";

/** Writes bytes into a file from a position on, making it if it is missing. A new file gets `mode`; call syncFolder() for its name. */
export function writeDurably(
  path: string,
  position: number,
  bytes: Uint8Array,
  mode: number,
): void {
  try {
    using file = Deno.openSync(path, { write: true, create: true, mode });
    file.seekSync(position, Deno.SeekMode.Start);
    writeAll(file, bytes);
    file.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** Replaces or creates a file. A reader finds the old or the new content, never a part. */
export function replaceDurably(
  path: string,
  bytes: Uint8Array,
  mode: number,
): void {
  replace(path, bytes, mode);
  syncFolder(dirname(path));
}

/** The same where the file system may refuse to sync a folder: such a file system keeps names safe itself. */
export function replaceWhole(
  path: string,
  bytes: Uint8Array,
  mode: number,
): void {
  replace(path, bytes, mode);
  trySyncFolder(dirname(path));
}

/** The same as replaceWhole() for content that comes in pieces; a piece may change once it is appended. */
export function replaceByPieces(
  path: string,
  mode: number,
  write: (append: (piece: Uint8Array) => void) => void,
): void {
  replaceBy(path, mode, write);
  trySyncFolder(dirname(path));
}

function replace(path: string, bytes: Uint8Array, mode: number): void {
  replaceBy(path, mode, (append) => append(bytes));
}

/** Removes a partial file after an error. */
function replaceBy(
  path: string,
  mode: number,
  write: (append: (piece: Uint8Array) => void) => void,
): void {
  const beside = partialPath(path);
  try {
    {
      using file = Deno.openSync(beside, {
        write: true,
        create: true,
        truncate: true,
        mode,
      });
      write((piece) => writeAll(file, piece));
      file.syncSync();
    }
    Deno.renameSync(beside, path);
  } catch (error) {
    removeIfThere(beside);
    throw fileError(error, "write", path);
  }
}

/** Removes a file that is no longer needed; does nothing if that fails. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It did not exist, or the next use of its name reports the problem.
  }
}

/** Path of the new content of a file until it is renamed; a power cut may leave it behind. */
export function partialPath(path: string): string {
  return `${path}.partial`;
}

/** Syncs the names of a folder's files to disk. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  try {
    using folder = Deno.openSync(path, { read: true });
    folder.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** The same, if the file system supports it. */
export function trySyncFolder(path: string): void {
  try {
    syncFolder(path);
  } catch {
    // Some file systems refuse, and keep names safe themselves.
  }
}

/** Waits until a file's content is on the disk. */
export function syncFile(path: string): void {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    file.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** The same for a file that may not exist. */
export function syncIfThere(path: string): void {
  if (isThere(path)) syncFile(path);
}

/**
 * Creates a folder and its missing parents, and waits until their names are on
 * the disk; SQLite does that only for its own files.
 */
export function makeFolder(path: string, mode: number): void {
  const missing: string[] = [];
  let above = resolve(path);
  while (!isThere(above)) {
    missing.push(above);
    above = dirname(above);
  }
  try {
    Deno.mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    throw fileError(error, "make", path);
  }
  for (const folder of missing) trySyncFolder(dirname(folder));
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return dirname(path) === path; // the root; mkdir reports the problem
  }
}

/** The bytes of a file; undefined if there is none. */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError(error, "read", path);
  }
}

/**
 * Reads the first `length` bytes of a file in pieces, each valid until the
 * next; fewer come where the file is shorter or missing.
 */
export function* readPieces(
  path: string,
  length: number,
): Generator<Uint8Array> {
  const piece = new Uint8Array(Math.min(length, PIECE_BYTES));
  try {
    using file = Deno.openSync(path);
    for (let left = length; left > 0;) {
      const count = file.readSync(piece.subarray(0, left));
      if (count === null) return;
      yield piece.subarray(0, count);
      left -= count;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(error, "read", path);
  }
}

const PIECE_BYTES = 1 << 20;

/** Writes all bytes, at once. Throws what Deno throws. */
export function writeAll(
  file: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
): void {
  let written = 0;
  while (written < bytes.length) {
    written += file.writeSync(bytes.subarray(written));
  }
}
