/**
 * Gzip as Kafka's clients write it, by fflate: node:zlib has no bound in the
 * oldest Deno that is supported, whatever its options say.
 */
import { Gunzip } from "fflate";
import { BoundedOutput } from "../../../base/bounded_output.ts";

/** How much is decompressed at once; it unpacks to at most 4 MiB. */
const PIECE_BYTES = 4096;

/** The shortest member: a header of 10 bytes, 2 for no content, 8 behind it. */
const MEMBER_MIN = 20;

/** Decompresses; throws Error if it is damaged or unpacks to more than `bytesMax`. */
export function unpackGzip(packed: Uint8Array, bytesMax: number): Uint8Array {
  if (packed.length < MEMBER_MIN) throw new RangeError("it is cut off");
  const plain = new BoundedOutput(bytesMax);
  const gunzip = new Gunzip((part) => plain.add(part));
  let member = 0;
  gunzip.onmember = () => member = plain.length;
  for (let at = 0; at < packed.length; at += PIECE_BYTES) {
    const end = at + PIECE_BYTES;
    gunzip.push(packed.subarray(at, end), end >= packed.length);
  }
  // The trailer has the length of the content; fflate accepts truncated input.
  const { buffer, byteOffset, length } = packed;
  const said = new DataView(buffer, byteOffset).getUint32(length - 4, true);
  if (plain.length - member !== said) throw new RangeError("it is cut off");
  return plain.bytes();
}
