/**
 * LZ4 and Zstandard frames put together by the book, with every choice that an
 * encoder has: tests say which. (Real encoders' are in kafka_batches.json.)
 */

/** The choices of an LZ4 frame. */
export interface Lz4Options {
  /** Bytes of content in a block, at most. */
  readonly blockBytes: number;
  /** Whether blocks refer to those before them. */
  readonly linked: boolean;
  /** Whether each block has a checksum, which nobody looks at. */
  readonly blockChecksum: boolean;
  /** Whether the content has one. */
  readonly contentChecksum: boolean;
  /** Whether the header says how long the content is. */
  readonly contentSize: boolean;
  /** Whether blocks are left as they are. */
  readonly stored: boolean;
}

/** An LZ4 frame as Kafka's clients write it. */
export function lz4Frame(
  content: Uint8Array,
  options: Partial<Lz4Options> = {},
): Uint8Array {
  const { blockBytes = 65_536, linked = false, stored = false } = options;
  const flags = 0x40 | (linked ? 0 : 0x20) |
    (options.blockChecksum ? 0x10 : 0) | (options.contentSize ? 8 : 0) |
    (options.contentChecksum ? 4 : 0);
  const parts: Uint8Array[] = [le(0x184d2204, 4), Uint8Array.of(flags, 0x40)];
  if (options.contentSize) parts.push(le(content.length, 8));
  // The header's checksum, right for the plain choices: Kafka looks at it.
  parts.push(Uint8Array.of(0x82));
  for (let at = 0; at < content.length; at += blockBytes) {
    const end = Math.min(at + blockBytes, content.length);
    const block = stored
      ? content.subarray(at, end)
      : lz4Block(content, at, end, linked ? 0 : at);
    const word = block.length + (stored ? 0x8000_0000 : 0);
    parts.push(le(word, 4), block);
    if (options.blockChecksum) parts.push(le(0, 4));
  }
  parts.push(le(0, 4));
  if (options.contentChecksum) parts.push(le(0, 4));
  return concatenated(parts);
}

/** A block with the nearest matches that a table of four-byte words finds. */
function lz4Block(
  content: Uint8Array,
  from: number,
  end: number,
  windowStart: number,
): Uint8Array {
  const out: number[] = [];
  const seen = new Map<number, number>();
  const word = (at: number) =>
    content[at] | content[at + 1] << 8 | content[at + 2] << 16 |
    content[at + 3] << 24;
  for (let at = windowStart; at < from; at++) seen.set(word(at), at);
  const sequence = (literals: Uint8Array, match: number, distance: number) => {
    const [a, b] = [Math.min(15, literals.length), Math.min(15, match - 4)];
    out.push(a << 4 | Math.max(0, b));
    if (a === 15) pushLength(out, literals.length - 15);
    out.push(...literals);
    if (match === 0) return;
    out.push(distance & 255, distance >> 8);
    if (b === 15) pushLength(out, match - 4 - 15);
  };
  let anchor = from;
  let at = from;
  // The last five bytes are literals, and no match begins in the last twelve.
  while (at < end - 12) {
    const source = seen.get(word(at));
    seen.set(word(at), at);
    if (source === undefined || at - source > 65_535) {
      at++;
      continue;
    }
    let length = 4;
    while (
      at + length < end - 5 && content[source + length] === content[at + length]
    ) length++;
    sequence(content.subarray(anchor, at), length, at - source);
    at += length;
    anchor = at;
  }
  sequence(content.subarray(anchor, end), 0, 0);
  return Uint8Array.from(out);
}

function pushLength(out: number[], length: number): void {
  let rest = length;
  for (; rest >= 255; rest -= 255) out.push(255);
  out.push(rest);
}

/** The choices of a Zstandard frame. */
export interface ZstdOptions {
  /** Bytes of content in a block, at most; up to 128 KiB. */
  readonly blockBytes: number;
  /** Bytes in which the header says how long the content is; 0 for not at all. */
  readonly sizeBytes: 0 | 1 | 2 | 4 | 8;
  /** Whether the whole content is the window. */
  readonly single: boolean;
  /** Whether there is a checksum, which nobody looks at. */
  readonly checksum: boolean;
  /** Exponent of the window, as the header has it: 10 more. */
  readonly windowLog: number;
}

/** A Zstandard frame whose blocks are as they are, or one byte repeated. */
export function zstdFrame(
  content: Uint8Array,
  options: Partial<ZstdOptions> = {},
): Uint8Array {
  const { blockBytes = 100_000, checksum = false, windowLog = 21 } = options;
  const { single = false, sizeBytes = 0 } = options;
  const code = { 0: 0, 1: 0, 2: 1, 4: 2, 8: 3 }[sizeBytes];
  const flags = code << 6 | (single ? 0x20 : 0) | (checksum ? 4 : 0);
  const parts: Uint8Array[] = [le(0xfd2fb528, 4), Uint8Array.of(flags)];
  if (!single) parts.push(Uint8Array.of((windowLog - 10) << 3));
  const size = content.length - (sizeBytes === 2 ? 256 : 0);
  if (sizeBytes > 0) parts.push(le(size, sizeBytes));
  let at = 0;
  do {
    const block = content.subarray(at, at + blockBytes);
    at += blockBytes;
    const isRepeated = block.length > 1 && block.every((b) => b === block[0]);
    const type = isRepeated ? 1 : 0;
    const last = at >= content.length ? 1 : 0;
    parts.push(le(block.length << 3 | type << 1 | last, 3));
    parts.push(isRepeated ? block.subarray(0, 1) : block);
  } while (at < content.length);
  if (checksum) parts.push(le(0, 4));
  return concatenated(parts);
}

/** A frame that readers of either format leave out. */
export function skippableFrame(content: Uint8Array): Uint8Array {
  return concatenated([le(0x184d2a53, 4), le(content.length, 4), content]);
}

/** Byte arrays one behind the other. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A number as little-endian bytes. */
function le(value: number, bytes: number): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, i) => Math.floor(value / 256 ** i) % 256,
  );
}
