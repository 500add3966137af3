/**
 * Waiting until files and folders are on the disk: a file that was written,
 * or the name of one that was made or renamed, may be lost in a power cut
 * until then.
 */
import { dirname, resolve } from "node:path";
import { fileError } from "./file_error.ts";

/** Waits until a file's content is on the disk. Throws DataError. */
export function syncFile(path: string): void {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    file.syncSync();
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** The same for a file that may not be there. */
export function syncIfThere(path: string): void {
  if (isThere(path)) syncFile(path);
}

/** Waits until the names in a folder are on the disk, where the system can do that. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return; // which cannot open folders
  try {
    using folder = Deno.openSync(path);
    folder.syncSync();
  } catch {
    // Some file systems refuse: then they keep names in their own way.
  }
}

/**
 * Makes a folder and those above it that are missing, and waits until their
 * names are on the disk; SQLite waits for the names of its own files only.
 */
export function makeFolder(path: string, mode: number): void {
  const missing: string[] = [];
  let above = resolve(path);
  while (!isThere(above)) {
    missing.push(above);
    above = dirname(above);
  }
  Deno.mkdirSync(path, { recursive: true, mode });
  for (const folder of missing) syncFolder(dirname(folder));
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return dirname(path) === path; // the root; mkdir says what is wrong
  }
}

/** Writes a small file as a whole: after a crash it is there complete, or not at all. Throws DataError. */
export function writeWhole(path: string, text: string, mode: number): void {
  const partial = `${path}.partial`;
  try {
    Deno.writeTextFileSync(partial, text, { mode });
    syncFile(partial);
    Deno.renameSync(partial, path);
  } catch (error) {
    throw fileError(error, "write", path);
  }
  syncFolder(dirname(path));
}
