/**
 * Zstandard as Kafka's clients write it: frames that mostly do not say how long
 * their content is. fzstd does the work; the frame's headers determine what it
 * allocates and moves, and that is bounded first. Source: RFC 8878.
 */
import { Decompress } from "fzstd";
import { BoundedOutput } from "../../../base/bounded_output.ts";

const FRAME_MAGIC = 0xfd2fb528;
/** The lowest four bits of a skippable frame's magic number are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;
/** Type of a block that is one byte, repeated. */
const REPEATED = 1;
/** The longest window of any level up to 22 is 128 MiB, of any that producers use 8 MiB. */
const WINDOW_MAX = 64 << 20;
/** Every block moves a window; this total is more than any encoder causes. */
const MOVED_MAX = 2 ** 35;

/** Decompresses; throws Error if it is damaged or unpacks to more than `bytesMax`. */
export function unpackZstd(packed: Uint8Array, bytesMax: number): Uint8Array {
  const { buffer, byteOffset, length } = packed;
  const view = new DataView(buffer, byteOffset, length);
  const plain = new BoundedOutput(bytesMax);
  let moved = 0;
  const decompressor = new Decompress((part) => plain.add(part));
  // DataView throws RangeError wherever a frame is cut off.
  for (let at = 0; at < length;) {
    const magic = view.getUint32(at, true);
    if ((magic & ~15) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + view.getUint32(at + 4, true);
      continue;
    }
    if (magic !== FRAME_MAGIC) throw new RangeError("it is not Zstandard");
    const { end, blocks, windowBytes } = frameAt(view, at);
    moved += blocks * windowBytes;
    if (windowBytes > WINDOW_MAX || moved > MOVED_MAX || end > length) {
      throw new RangeError(
        "a frame is damaged or unpacks to far too many bytes",
      );
    }
    decompressor.push(packed.subarray(at, end), true);
    at = end;
  }
  return plain.bytes();
}

/** A frame's measures. */
interface Frame {
  /** Where it ends. */
  readonly end: number;
  /** Number of its blocks. */
  readonly blocks: number;
  /** How far back its blocks may refer. */
  readonly windowBytes: number;
}

function frameAt(view: DataView, from: number): Frame {
  const flags = view.getUint8(from + 4);
  const isSingle = (flags & SINGLE_SEGMENT) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6];
  let at = from + 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][flags & 3];
  const windowBytes = isSingle
    ? contentSize(view, at, sizeBytes)
    : windowOf(view.getUint8(from + 5));
  at += sizeBytes;
  for (let blocks = 1;; blocks++) {
    const header = view.getUint16(at, true) | view.getUint8(at + 2) << 16;
    const size = (header >> 1 & 3) === REPEATED ? 1 : header >> 3;
    at += 3 + size;
    if ((header & 1) === 0) continue;
    const end = at + (flags & CHECKSUM ? 4 : 0);
    return { end, blocks, windowBytes };
  }
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + base / 8 * (descriptor & 7);
}

function contentSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}
