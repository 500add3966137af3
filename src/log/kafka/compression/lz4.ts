/**
 * LZ4 frames as Kafka's clients write them. Blocks may refer to the blocks
 * before them, and few frames say how long their content is. Checksums are
 * ignored: Kafka's own covers the bytes. Source: lz4_Frame_format.md and
 * lz4_Block_format.md of the LZ4 project.
 */

const FRAME_MAGIC = 0x184d2204;
/** The lowest four bits of a skippable frame's magic number are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const VERSION = 1;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY_ID = 0x01;
/** The highest bit of a block's size: the block is not compressed. */
const PLAIN_BLOCK = 0x8000_0000;
const MATCH_MIN = 4;

/** Decompresses; throws RangeError if it is damaged or unpacks to more than `bytesMax`. */
export function unpackLz4(packed: Uint8Array, bytesMax: number): Uint8Array {
  const { buffer, byteOffset, length } = packed;
  const view = new DataView(buffer, byteOffset, length);
  const out = new Output(Math.min(4 * length, bytesMax), bytesMax);
  // DataView throws RangeError wherever a frame is cut off.
  for (let at = 0; at < length;) {
    const magic = view.getUint32(at, true);
    if ((magic & ~15) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + view.getUint32(at + 4, true);
    } else if (magic === FRAME_MAGIC) {
      at = unpackFrame(packed, view, at, out);
    } else throw new RangeError("it is not an LZ4 frame");
  }
  return out.bytes.subarray(0, out.length);
}

/** What has been decompressed so far. */
class Output {
  readonly #most: number;
  bytes: Uint8Array;
  length = 0;

  constructor(expected: number, most: number) {
    this.#most = most;
    this.bytes = new Uint8Array(expected);
  }

  /** Makes room for this many more bytes. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    if (needed > this.#most) {
      throw new RangeError(`it unpacks to more than ${this.#most} bytes`);
    }
    const longer = Math.min(
      Math.max(needed, 2 * this.bytes.length),
      this.#most,
    );
    const bytes = new Uint8Array(longer);
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
  }
}

/** Decompresses the frame at `from` and says where it ends. */
function unpackFrame(
  packed: Uint8Array,
  view: DataView,
  from: number,
  out: Output,
): number {
  const flags = view.getUint8(from + 4);
  if (flags >> 6 !== VERSION) throw new RangeError("its version is unknown");
  if (flags & DICTIONARY_ID) throw new RangeError("it needs a dictionary");
  // Magic, flags, block size, perhaps the content size, header checksum.
  let at = from + 7 + (flags & CONTENT_SIZE ? 8 : 0);
  const start = out.length;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const end = at + (word & ~PLAIN_BLOCK);
    if (end > packed.length) throw new RangeError("a block is cut off");
    if (word & PLAIN_BLOCK) {
      out.reserve(end - at);
      out.bytes.set(packed.subarray(at, end), out.length);
      out.length += end - at;
    } else unpackBlock(packed, at, end, out, start);
    at = end + (flags & BLOCK_CHECKSUM ? 4 : 0);
  }
  return at + (flags & CONTENT_CHECKSUM ? 4 : 0);
}

/** Decompresses a block, which may refer to the frame's output from `start` on. */
function unpackBlock(
  packed: Uint8Array,
  from: number,
  end: number,
  out: Output,
  start: number,
): void {
  let at = from;
  /** A length of which four bits are known: where all are set, bytes follow. */
  const lengthOf = (bits: number): number => {
    if (bits < 15) return bits;
    let length = bits;
    for (;;) {
      if (at >= end) throw new RangeError("a length is cut off");
      const byte = packed[at++];
      length += byte;
      if (byte < 255) return length;
    }
  };
  while (at < end) {
    const token = packed[at++];
    const literals = lengthOf(token >> 4);
    if (at + literals > end) throw new RangeError("a block is damaged");
    out.reserve(literals);
    out.bytes.set(packed.subarray(at, at + literals), out.length);
    out.length += literals;
    at += literals;
    if (at === end) return; // the last sequence is literals only
    const distance = packed[at] | packed[at + 1] << 8;
    at += 2;
    const match = lengthOf(token & 15) + MATCH_MIN;
    const source = out.length - distance;
    if (at > end || distance === 0 || source < start) {
      throw new RangeError("a block is damaged");
    }
    out.reserve(match);
    copyMatch(out.bytes, source, out.length, match);
    out.length += match;
  }
}

/** Copies earlier output, which may overlap with what it writes. */
function copyMatch(
  bytes: Uint8Array,
  source: number,
  target: number,
  length: number,
): void {
  if (source + length <= target) {
    bytes.copyWithin(target, source, source + length);
  } else for (let i = 0; i < length; i++) bytes[target + i] = bytes[source + i];
}
