/**
 * The bytes of an input: plain, or decompressed from gzip or zstd, as the first
 * bytes show. Everything is read in small pieces, so that a small file that
 * unpacks to gigabytes is never in memory as a whole.
 */
import { Readable } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { type ByteSource, readSome } from "./line_block.ts";
import type { RowOptions } from "./row_batch.ts";
import { isZstd, ZstdSource } from "./zstd_source.ts";

/** An input that has been opened; close it. */
export interface InputStream extends ByteSource {
  /** The first bytes, decompressed: enough to recognize the format. */
  readonly head: Uint8Array;
  /** Whether it was compressed. */
  readonly compressed: boolean;
  /** Ends the decompression; the source stays open. */
  close(): void;
}

const HEAD_BYTES = 4096;
const PIECE_BYTES = 64 * 1024;

/** Other archives and compressions, by their first bytes. */
const UNREADABLE: readonly (readonly [name: string, bytes: string])[] = [
  ["a ZIP archive or an Excel workbook", "PK\x03\x04"],
  ["compressed with bzip2", "BZh"],
  ["compressed with xz", "\xfd7zXZ"],
];

/** Opens the bytes of a source. Throws DataError, or the reason of the signal. */
export async function openInputStream(
  source: ByteSource,
  options: RowOptions,
): Promise<InputStream> {
  const { name } = options;
  const plain = await withHead(source, options);
  const { head } = plain;
  if (head[0] === 0x1f && head[1] === 0x8b) {
    const gunzip = new GunzipSource(plain, name);
    return await withHead(gunzip, options, () => gunzip.close());
  }
  if (isZstd(head)) {
    return await withHead(new ZstdSource(plain, name), options, () => {});
  }
  const start = String.fromCharCode(...head.subarray(0, 8));
  for (const [what, magic] of UNREADABLE) {
    if (!start.startsWith(magic)) continue;
    throw new DataError(
      `${name}: ${what}; save it as CSV, JSON lines or Parquet, plain or ` +
        "compressed with gzip or zstd",
    );
  }
  return plain;
}

/**
 * Reads the first bytes ahead and returns them before the others; `close` ends
 * the decompression.
 */
async function withHead(
  source: ByteSource,
  options: RowOptions,
  close?: () => void,
): Promise<InputStream> {
  const buffer = new Uint8Array(HEAD_BYTES);
  let filled = 0;
  try {
    while (filled < HEAD_BYTES) {
      const count = await readSome(source, buffer.subarray(filled), options);
      if (count === null) break;
      filled += count;
      // A pipe that delivers one line at a time does not delay this.
      if (buffer.subarray(0, filled).includes(10)) break;
    }
  } catch (error) {
    close?.();
    throw error;
  }
  const head = buffer.subarray(0, filled);
  let given = 0;
  return {
    head,
    compressed: close !== undefined,
    close: close ?? (() => {}),
    async read(into) {
      if (given === filled) return await source.read(into);
      const count = Math.min(into.length, filled - given);
      into.set(head.subarray(given, given + count));
      given += count;
      return count;
    },
  };
}

/** A gzip stream of one or more members, decompressed. */
class GunzipSource implements ByteSource {
  readonly #name: string;
  readonly #input: Readable;
  readonly #gunzip: Gunzip;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece = new Uint8Array(0);

  constructor(source: ByteSource, name: string) {
    this.#name = name;
    this.#input = Readable.from(piecesOf(source, name));
    this.#gunzip = createGunzip();
    this.#input.on("error", (error) => this.#gunzip.destroy(error));
    this.#input.pipe(this.#gunzip);
    this.#pieces = this.#gunzip[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#piece.length === 0) {
      const next = await this.#next();
      if (next === undefined) return null;
      this.#piece = next;
    }
    const count = Math.min(into.length, this.#piece.length);
    into.set(this.#piece.subarray(0, count));
    this.#piece = this.#piece.subarray(count);
    return count;
  }

  close(): void {
    this.#input.destroy();
    this.#gunzip.destroy();
  }

  async #next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const { done, value } = await this.#pieces.next();
      return done ? undefined : new Uint8Array(value);
    } catch (error) {
      throw damaged(error, "gzip", this.#name);
    }
  }
}

async function* piecesOf(
  source: ByteSource,
  name: string,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = new Uint8Array(PIECE_BYTES);
    let count: number | null;
    try {
      count = await source.read(piece);
    } catch (error) {
      throw fileError(error, "read", name);
    }
    if (count === null) return;
    yield piece.subarray(0, count);
  }
}

function damaged(error: unknown, format: string, name: string): DataError {
  if (error instanceof DataError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DataError(
    `${name}: the ${format} data is damaged or cut off (${reason}); ` +
      "compress the file again",
    { cause: error },
  );
}
