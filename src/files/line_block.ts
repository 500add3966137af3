/**
 * A byte stream cut into blocks of whole lines. Memory is bounded: a block is
 * some 256 KiB, and a line longer than 64 KiB is an error. A UTF-8 byte order
 * mark and the CR of CR LF line ends are removed.
 */
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import type { RowOptions } from "./row_batch.ts";

/** Bytes of the longest line allowed, its line end included. */
export const LINE_BYTES_MAX = 64 * 1024;

const BLOCK_BYTES = 256 * 1024;
const LF = 10;
const CR = 13;

/** A source of bytes, such as Deno.FsFile or Deno.stdin. */
export interface ByteSource {
  /** Fills a part of `into` from its start; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/** Some whole lines of a file. */
export class LineBlock {
  /** The lines, LF after each (after the file's last one too). */
  readonly bytes: Uint8Array;
  /** Number of the first line, from 1. */
  readonly firstLine: number;
  /** Offset of each line in `bytes`. */
  readonly starts: readonly number[];

  /** Makes a block of lines whose offsets are known. */
  constructor(
    bytes: Uint8Array,
    firstLine: number,
    starts: readonly number[],
  ) {
    this.bytes = bytes;
    this.firstLine = firstLine;
    this.starts = starts;
  }

  /** Text of line `index` of the block, without its line end. */
  text(index: number): string {
    const end = this.starts[index + 1] ?? this.bytes.length;
    return new TextDecoder().decode(
      this.bytes.subarray(this.starts[index], end - 1),
    );
  }
}

/** Cuts a stream into blocks of whole lines. Throws DataError with file:line:column. */
export async function* lineBlocks(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<LineBlock> {
  const buffer = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  let firstLine = 1;
  for (let ended = false; !ended;) {
    const count = await readSome(source, buffer.subarray(filled), options);
    if (count === null) {
      ended = true;
      if (filled === 0) return;
      // The buffer has room: what waits is at most one line of 64 KiB.
      if (buffer[filled - 1] !== LF) buffer[filled++] = LF;
    } else filled += count;
    const whole = buffer.subarray(0, filled).lastIndexOf(LF) + 1;
    if (filled - whole > LINE_BYTES_MAX) {
      const lines = lineStarts(buffer.subarray(0, whole)).length;
      throw tooLong(options.name, firstLine + lines);
    }
    if (whole === 0) continue;
    const block = cleanBlock(buffer.slice(0, whole), firstLine, options.name);
    buffer.copyWithin(0, whole, filled);
    filled -= whole;
    firstLine += block.starts.length;
    yield block;
  }
}

/** Reads once. Throws DataError, or the signal's reason as soon as there is one. */
export async function readSome(
  source: ByteSource,
  into: Uint8Array,
  { name, signal }: RowOptions,
): Promise<number | null> {
  signal.throwIfAborted();
  // A read from a pipe cannot be cancelled, only abandoned.
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop);
  const read = source.read(into).catch((error) => {
    throw fileError(error, "read", name);
  });
  try {
    return await Promise.race([read, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Removes the byte order mark and CRs, and checks each line's length. */
function cleanBlock(
  bytes: Uint8Array,
  firstLine: number,
  name: string,
): LineBlock {
  let clean = firstLine === 1 ? withoutMark(bytes, name) : bytes;
  if (clean.includes(CR)) clean = withoutCr(clean);
  const starts = lineStarts(clean);
  starts.forEach((start, index) => {
    const end = starts[index + 1] ?? clean.length;
    if (end - start > LINE_BYTES_MAX) throw tooLong(name, firstLine + index);
  });
  return new LineBlock(clean, firstLine, starts);
}

function withoutMark(bytes: Uint8Array, name: string): Uint8Array {
  const [first, second, third] = bytes;
  if (
    first === 0xff && second === 0xfe || first === 0xfe && second === 0xff
  ) {
    throw new DataError(`${name}:1:1: UTF-16 text; save the file as UTF-8`);
  }
  const marked = first === 0xef && second === 0xbb && third === 0xbf;
  return marked ? bytes.subarray(3) : bytes;
}

/** The bytes without each CR before a LF. */
function withoutCr(bytes: Uint8Array): Uint8Array {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === CR && bytes[at + 1] === LF) continue;
    bytes[length++] = bytes[at];
  }
  return bytes.subarray(0, length);
}

function lineStarts(bytes: Uint8Array): number[] {
  const starts: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    starts.push(at);
    const end = bytes.indexOf(LF, at);
    at = end < 0 ? bytes.length : end + 1;
  }
  return starts;
}

function tooLong(name: string, line: number): DataError {
  return new DataError(
    `${name}:${line}:1: line longer than ${LINE_BYTES_MAX} bytes; ` +
      "check that this is a file of payments, one per line",
  );
}
