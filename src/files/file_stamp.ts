/**
 * What a file was when it was read: its name, its length, and a digest of its
 * first and last bytes. A file that has grown at its end since is still the
 * same one. A change in its middle that keeps the length is not noticed.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { fileError } from "../base/file_error.ts";

/** What is remembered of a file. */
export interface FileStamp {
  /** Its name, without the folder. */
  readonly name: string;
  /** How long it was. */
  readonly bytes: number;
  /** SHA-256 of its first and its last EDGE_BYTES, as 64 hexadecimal digits. */
  readonly sha256: string;
}

/** How much of each end is looked at. */
const EDGE_BYTES = 64 * 1024;

/** The stamp of the file at `path`, or of its first `length` bytes; undefined for a pipe, and for a file that is shorter. Throws DataError. */
export async function stampFile(
  path: string,
  length?: number,
): Promise<FileStamp | undefined> {
  try {
    using file = await Deno.open(path);
    const { isFile, size } = await file.stat();
    const bytes = length ?? size;
    if (!isFile || size < bytes) return undefined;
    const hash = createHash("sha256");
    hash.update(await bytesAt(file, 0, Math.min(EDGE_BYTES, bytes)));
    const tail = Math.max(0, bytes - EDGE_BYTES);
    hash.update(await bytesAt(file, tail, bytes - tail));
    return { name: basename(path), bytes, sha256: hash.digest("hex") };
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

async function bytesAt(
  file: Deno.FsFile,
  at: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.seek(at, Deno.SeekMode.Start);
  for (let filled = 0; filled < length;) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) return bytes.subarray(0, filled);
    filled += count;
  }
  return bytes;
}
