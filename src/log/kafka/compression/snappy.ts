/**
 * Snappy as Kafka's clients write it: one block, or several behind a header, as
 * snappy-java (xerial) frames them. What a block holds hyparquet decompresses.
 */
import { snappyUncompress } from "hyparquet";

/** The start of a framed stream: bytes that no useful block begins with. */
const MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
/** The magic bytes and two versions. */
const FRAME_HEADER = 16;

/** Decompresses; throws RangeError if it is damaged or unpacks to more than `bytesMax`. */
export function unpackSnappy(
  packed: Uint8Array,
  bytesMax: number,
): Uint8Array {
  const blocks = blocksOf(packed);
  const lengths = blocks.map(lengthOf);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total > bytesMax) throw new RangeError(`${total} bytes are too many`);
  const plain = new Uint8Array(total);
  let at = 0;
  for (const [i, block] of blocks.entries()) {
    const part = plain.subarray(at, at += lengths[i]);
    try {
      snappyUncompress(block, part);
    } catch (cause) {
      throw new RangeError("a block is damaged", { cause });
    }
  }
  return plain;
}

function blocksOf(packed: Uint8Array): Uint8Array[] {
  if (!MAGIC.every((byte, i) => packed[i] === byte)) return [packed];
  const { buffer, byteOffset, length } = packed;
  const view = new DataView(buffer, byteOffset, length);
  const blocks: Uint8Array[] = [];
  for (let at = FRAME_HEADER; at < length;) {
    const from = at + 4;
    const to = from + view.getInt32(at);
    if (to < from || to > length) throw new RangeError("a block is cut off");
    blocks.push(packed.subarray(from, to));
    at = to;
  }
  return blocks;
}

/** How long a block is when it is decompressed: a number with 7 bits per byte before it. */
function lengthOf(block: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    length += (block[i] & 127) * 128 ** i;
    if (block[i] < 128) return length;
  }
  throw new RangeError("a block without its length");
}
