/**
 * A zstd stream, decompressed block after block. The frames are parsed here
 * (RFC 8878, section 3), so that their declared sizes are checked before memory
 * is taken for them; fzstd decodes the blocks, of at most 128 KiB each, and
 * xxhash-wasm computes the checksum of the content.
 */
import { Decompress } from "fzstd";
import loadXxhash, { type XXHash, type XXHashAPI } from "xxhash-wasm";
import { DataError } from "../base/error.ts";
import type { ByteSource } from "./line_block.ts";

/** Largest window that is accepted, as in the zstd program: 128 MiB. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;
const BLOCK_BYTES_MAX = 128 * 1024;
const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const HEADER_BYTES_MAX = 18;
const CHECKSUM_BYTES = 4;

/** Whether bytes begin as a zstd stream does. */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  const magic = firstWord(head);
  return magic === FRAME_MAGIC || isSkippable(magic);
}

/** The number in the first four bytes. */
function firstWord(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(0, true);
}

function isSkippable(magic: number): boolean {
  return (magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC;
}

/** The decompressed bytes of a zstd stream of one or more frames. */
export class ZstdSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #name: string;
  #buffer = new Uint8Array(2 * BLOCK_BYTES_MAX);
  #from = 0;
  #to = 0;
  #frame: Frame | undefined;
  #output: Uint8Array[] = [];

  /** Reads from `source`; `name` is for messages. */
  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  /** Fills a part of `into`; null at the end. Throws DataError for damaged data. */
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#output.length === 0) {
      const more = this.#frame === undefined
        ? await this.#nextFrame()
        : await this.#nextBlock(this.#frame);
      if (!more) return null;
    }
    const [piece] = this.#output;
    const count = Math.min(into.length, piece.length);
    into.set(piece.subarray(0, count));
    if (count === piece.length) this.#output.shift();
    else this.#output[0] = piece.subarray(count);
    return count;
  }

  /** Begins the next frame; false at the end of the stream. */
  async #nextFrame(): Promise<boolean> {
    await this.#fill(HEADER_BYTES_MAX);
    if (this.#from === this.#to) return false;
    this.#need(8);
    const magic = firstWord(this.#buffer.subarray(this.#from, this.#to));
    if (isSkippable(magic)) {
      const size = firstWord(this.#buffer.subarray(this.#from + 4, this.#to));
      this.#from += 8;
      await this.#skip(size);
      return true;
    }
    if (magic !== FRAME_MAGIC) throw this.#damaged("no frame where one begins");
    const { create64 } = await loadXxhash();
    this.#frame = this.#readHeader(create64);
    return true;
  }

  #readHeader(hash: XXHashAPI["create64"]): Frame {
    const bytes = this.#buffer.subarray(this.#from, this.#to);
    const descriptor = bytes[4];
    const single = (descriptor & 0x20) !== 0;
    const sizeCode = descriptor >> 6;
    const sizeBytes = sizeCode === 0 ? (single ? 1 : 0) : 1 << sizeCode;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
    const sizeAt = (single ? 5 : 6) + dictionaryBytes;
    const length = sizeAt + sizeBytes;
    this.#need(length);
    let window = 0;
    if (single) {
      for (let at = sizeBytes - 1; at >= 0; at--) {
        window = window * 256 + bytes[sizeAt + at];
      }
      if (sizeCode === 1) window += 256;
    } else {
      const base = 2 ** (10 + (bytes[5] >> 3));
      window = base + base / 8 * (bytes[5] & 7);
    }
    if (window > WINDOW_BYTES_MAX) {
      throw new DataError(
        `${this.#name}: the zstd data needs a window of ${window} bytes, more ` +
          `than ${WINDOW_BYTES_MAX}; compress the file without --ultra or --long`,
      );
    }
    const header = bytes.slice(0, length);
    this.#from += length;
    const checksum = (descriptor & 4) !== 0 ? hash() : undefined;
    const decoder = new Decompress((piece) => {
      if (piece.length === 0) return;
      const copy = piece.slice();
      checksum?.update(copy);
      this.#output.push(copy);
    });
    return { decoder, header, checksum };
  }

  /** Decodes the next block of a frame. */
  async #nextBlock(frame: Frame): Promise<boolean> {
    await this.#fill(3);
    this.#need(3);
    const [first, second, third] = this.#buffer.subarray(this.#from);
    const last = (first & 1) !== 0;
    const kind = (first >> 1) & 3;
    const size = (first >> 3) | (second << 5) | (third << 13);
    if (kind === 3 || size > BLOCK_BYTES_MAX) {
      throw this.#damaged("a block that zstd does not know");
    }
    const length = 3 + (kind === 1 ? 1 : size) +
      (last && frame.checksum ? CHECKSUM_BYTES : 0);
    await this.#fill(length);
    this.#need(length);
    const block = this.#buffer.slice(this.#from, this.#from + length);
    this.#from += length;
    try {
      if (frame.header) frame.decoder.push(joined(frame.header, block), last);
      else frame.decoder.push(block, last);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw this.#damaged(reason);
    }
    frame.header = undefined;
    if (last) this.#endFrame(frame, block.subarray(-CHECKSUM_BYTES));
    return true;
  }

  #endFrame({ checksum }: Frame, stored: Uint8Array): void {
    this.#frame = undefined;
    if (checksum === undefined) return;
    const computed = Number(checksum.digest() & 0xffff_ffffn);
    if (firstWord(stored) !== computed) throw this.#damaged("wrong checksum");
  }

  /** Reads until `bytes` are there, or the source ends. */
  async #fill(bytes: number): Promise<void> {
    if (this.#from + bytes > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    while (this.#to - this.#from < bytes) {
      const count = await this.#source.read(this.#buffer.subarray(this.#to));
      if (count === null) return;
      this.#to += count;
    }
  }

  async #skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) {
      await this.#fill(1);
      this.#need(1);
      const count = Math.min(left, this.#to - this.#from);
      this.#from += count;
      left -= count;
    }
  }

  #need(bytes: number): void {
    if (this.#to - this.#from >= bytes) return;
    throw this.#damaged("unexpected end of file");
  }

  #damaged(reason: string): DataError {
    return new DataError(
      `${this.#name}: the zstd data is damaged or cut off (${reason}); ` +
        "compress the file again",
    );
  }
}

/** A frame whose blocks are being decoded. */
interface Frame {
  readonly decoder: Decompress;
  /** Hash of the content, where four bytes of it follow the last block. */
  readonly checksum: XXHash<bigint> | undefined;
  /** Passed to the decoder with the first block. */
  header: Uint8Array | undefined;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
