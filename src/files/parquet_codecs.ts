/**
 * The compressions of Parquet pages. Each returns exactly as many bytes as the
 * page's header says, or fails, so that a page cannot take more memory.
 */
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  gunzipSync,
  gzipSync,
  type InputType,
  type ZlibOptions,
} from "node:zlib";
import type { CompressionCodec, Compressors, FileMetaData } from "hyparquet";

/** Codecs that hyparquet reads by itself. */
const BUILT_IN: readonly CompressionCodec[] = ["UNCOMPRESSED", "SNAPPY"];

/**
 * Loads the codecs that a file's columns need. Throws an Error for a
 * compression that can't be read.
 *
 * @internal (deno doc --lint would want hyparquet documented)
 */
export async function parquetCompressors(
  metadata: FileMetaData,
): Promise<Compressors> {
  const codecs = new Set(
    metadata.row_groups.flatMap((group) => {
      return group.columns.flatMap(({ meta_data: column }) => {
        return column ? [column.codec] : [];
      });
    }),
  );
  const compressors: Compressors = {};
  for (const codec of codecs) {
    if (BUILT_IN.includes(codec)) continue;
    compressors[codec] = await loadCodec(codec);
  }
  return compressors;
}

/** Whether node:zlib heeds maxOutputLength; that of Deno 2.4 does not. */
const ZLIB_BOUNDED = isZlibBounded();

function isZlibBounded(): boolean {
  try {
    gunzipSync(gzipSync("ab"), { maxOutputLength: 1 });
    return false;
  } catch {
    return true;
  }
}

/**
 * Throws an Error if a page unpacks to more than `length` bytes, where its
 * codec would notice only after allocating them.
 *
 * @internal (deno doc --lint would want hyparquet documented)
 */
export async function checkUnpacked(
  codec: CompressionCodec,
  packed: Uint8Array,
  length: number,
): Promise<void> {
  if (ZLIB_BOUNDED || (codec !== "GZIP" && codec !== "BROTLI")) return;
  const stream = codec === "GZIP" ? createGunzip() : createBrotliDecompress();
  stream.end(packed);
  let found = 0;
  try {
    for await (const piece of stream) {
      found += piece.length;
      if (found > length) throw new Error("a page is larger than it says");
    }
  } finally {
    stream.destroy();
  }
}

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;

async function loadCodec(codec: CompressionCodec): Promise<Decompress> {
  switch (codec) {
    case "GZIP":
      return bounded(gunzipSync);
    case "BROTLI":
      return bounded(brotliDecompressSync);
    case "ZSTD": {
      const { decompress } = await import("fzstd");
      return (input, length) => decompress(input, new Uint8Array(length));
    }
    case "LZ4":
      return (await import("hyparquet-compressors")).decompressLz4;
    case "LZ4_RAW":
      return (await import("hyparquet-compressors")).decompressLz4Raw;
    default:
      throw new Error(
        `compressed with ${codec}; write it with snappy, gzip, zstd, lz4 or ` +
          "brotli",
      );
  }
}

function bounded(
  decompress: (input: InputType, options: ZlibOptions) => Uint8Array,
): Decompress {
  return (input, length) => {
    return decompress(input, { maxOutputLength: Math.max(1, length) });
  };
}
