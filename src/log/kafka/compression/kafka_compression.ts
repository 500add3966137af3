/** Kafka's five codecs, bounded: what inflates beyond all measure is refused before it fills the memory. */
import { unpackGzip } from "./gzip.ts";
import { unpackLz4 } from "./lz4.ts";
import { unpackSnappy } from "./snappy.ts";
import { unpackZstd } from "./zstd.ts";

/** A batch may inflate to so many bytes; brokers take a mebibyte by default. */
export const INFLATED_MAX = 64 << 20;

/** Undoes a compression; throws Error for damage, or if more than `bytesMax` come of it. */
type Unpack = (packed: Uint8Array, bytesMax: number) => Uint8Array;

const CODECS: readonly { readonly name: string; readonly unpack: Unpack }[] = [
  { name: "none", unpack: (packed) => packed },
  { name: "gzip", unpack: unpackGzip },
  { name: "snappy", unpack: unpackSnappy },
  { name: "lz4", unpack: unpackLz4 },
  { name: "zstd", unpack: unpackZstd },
];

/**
 * The records of a batch as they were before its codec; a sentence that goes on
 * from "the batch" where they cannot be had.
 */
export function inflate(
  packed: Uint8Array,
  codec: number,
): Uint8Array | string {
  const known = CODECS[codec];
  if (!known) return `is compressed by an unknown codec, number ${codec}`;
  try {
    return known.unpack(packed, INFLATED_MAX);
  } catch {
    return `cannot be decompressed (${known.name}): it is damaged, or ` +
      `unpacks to more than ${INFLATED_MAX >> 20} MiB`;
  }
}
