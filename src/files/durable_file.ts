/**
 * Files that survive a power cut: what a function here has returned from is on
 * disk, content and name. Errors are DataError, one line with what to do.
 */
import { dirname } from "node:path";
import { fileError } from "./file_error.ts";

/** Writes bytes into a file from a position on, making it if it is missing. Call syncFolder() for a new one's name; it gets `mode`. */
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

/** Replaces a file, or makes it: whoever opens it finds the old or the new content, never a part. */
export function replaceDurably(
  path: string,
  bytes: Uint8Array,
  mode: number,
): void {
  const beside = partialPath(path);
  try {
    using file = Deno.openSync(beside, {
      write: true,
      create: true,
      truncate: true,
      mode,
    });
    writeAll(file, bytes);
    file.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
  }
  try {
    Deno.renameSync(beside, path);
  } catch (error) {
    throw fileError(error, "write", path);
  }
  syncFolder(dirname(path));
}

/** Where replaceDurably() writes; a power cut may leave it behind. */
export function partialPath(path: string): string {
  return `${path}.partial`;
}

/** Puts the names of a folder's files on disk. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  try {
    using folder = Deno.openSync(path, { read: true });
    folder.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
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

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    written += file.writeSync(bytes.subarray(written));
  }
}
