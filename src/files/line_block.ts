/**
 * A byte stream cut into blocks of whole lines. Memory is bounded: a block is
 * some 256 KiB, and a line longer than 64 KiB is an error. Byte order marks
 * and CR LF line ends are refused here, or removed where they are overlooked.
 */
import { DataError } from "../error/error.ts";
import { fileError } from "./file_error.ts";
import type { RowOptions } from "./row_batch.ts";

/** Bytes of the longest line allowed, its line end included. */
export const LINE_BYTES_MAX = 64 * 1024;

const BLOCK_BYTES = 256 * 1024;
const LF = 10;
const CR = 13;

/** Where bytes come from; both Deno.FsFile and Deno.stdin are one. */
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

  /** The block without its first line. */
  withoutFirst(): LineBlock {
    const from = this.starts[1] ?? this.bytes.length;
    return new LineBlock(
      this.bytes.subarray(from),
      this.firstLine + 1,
      this.starts.slice(1).map((start) => start - from),
    );
  }
}

/** Cuts a stream into blocks of whole lines. Throws DataError with file:line:column. */
export async function* lineBlocks(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<LineBlock> {
  const cleaner = new LineCleaner(options);
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
    const block = cleaner.clean(buffer.slice(0, whole), firstLine);
    buffer.copyWithin(0, whole, filled);
    filled -= whole;
    firstLine += block.starts.length;
    yield block;
  }
}

async function readSome(
  source: ByteSource,
  into: Uint8Array,
  { name, signal }: RowOptions,
): Promise<number | null> {
  signal.throwIfAborted();
  // A read from a pipe can't be called off, only left behind.
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

/** Checks each line's length and takes away what may be overlooked. */
class LineCleaner {
  readonly #options: RowOptions;
  #crlfSeen = false;

  constructor(options: RowOptions) {
    this.#options = options;
  }

  clean(bytes: Uint8Array, firstLine: number): LineBlock {
    if (firstLine === 1) bytes = this.#withoutMark(bytes);
    if (bytes.includes(CR)) bytes = this.#withoutCr(bytes, firstLine);
    const starts = lineStarts(bytes);
    starts.forEach((start, index) => {
      const end = starts[index + 1] ?? bytes.length;
      if (end - start > LINE_BYTES_MAX) {
        throw tooLong(this.#options.name, firstLine + index);
      }
    });
    return new LineBlock(bytes, firstLine, starts);
  }

  #withoutMark(bytes: Uint8Array): Uint8Array {
    const { name, overlook } = this.#options;
    const [first, second, third] = bytes;
    if (
      first === 0xff && second === 0xfe || first === 0xfe && second === 0xff
    ) {
      throw new DataError(`${name}:1:1: UTF-16 text; save the file as UTF-8`);
    }
    if (first !== 0xef || second !== 0xbb || third !== 0xbf) return bytes;
    if (overlook === undefined) {
      throw new DataError(
        `${name}:1:1: begins with a UTF-8 byte order mark; save the file ` +
          "without it, or overlook it with --skip-bad-rows",
      );
    }
    overlook("UTF-8 byte order mark");
    return bytes.subarray(3);
  }

  #withoutCr(bytes: Uint8Array, firstLine: number): Uint8Array {
    const { name, overlook } = this.#options;
    const kept = new Uint8Array(bytes.length);
    let length = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== CR || bytes[at + 1] !== LF) {
        kept[length++] = bytes[at];
        continue;
      }
      if (overlook === undefined) {
        const line = lineStarts(bytes.subarray(0, at)).length;
        const column = at - bytes.lastIndexOf(LF, at);
        throw new DataError(
          `${name}:${firstLine + Math.max(line, 1) - 1}:${column}: line ends ` +
            "with CR LF; convert the file to LF (dos2unix), or overlook it " +
            "with --skip-bad-rows",
        );
      }
      if (!this.#crlfSeen) overlook("CR LF line ends");
      this.#crlfSeen = true;
    }
    return kept.subarray(0, length);
  }
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
      "check that this is a file of payments, one a line",
  );
}
