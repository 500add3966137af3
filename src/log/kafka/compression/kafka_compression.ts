/** Kafka's five codecs with a bound: input that inflates too much is refused before it fills the memory. */
import { unpackGzip } from "./gzip.ts";
import { unpackLz4 } from "./lz4.ts";
import { unpackSnappy } from "./snappy.ts";
import { unpackZstd } from "./zstd.ts";

/** Most bytes that a batch may inflate to; brokers accept 1 MiB by default. */
export const INFLATED_MAX = 64 << 20;

/** Undoes a compression; throws Error for damage, or if it unpacks to more than `bytesMax`. */
type Unpack = (packed: Uint8Array, bytesMax: number) => Uint8Array;

const CODECS: readonly { readonly name: string; readonly unpack: Unpack }[] = [
  { name: "none", unpack: (packed) => packed },
  { name: "gzip", unpack: unpackGzip },
  { name: "snappy", unpack: unpackSnappy },
  { name: "lz4", unpack: unpackLz4 },
  { name: "zstd", unpack: unpackZstd },
];

/**
 * The records of a batch as they were before its codec; or, if they cannot be
 * read, a phrase that continues "the batch".
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
