/**
 * The compressions of Parquet pages. Each gives exactly as many bytes as the
 * page's header says, or fails: what a page holds can't take more memory.
 */
import {
  brotliDecompressSync,
  gunzipSync,
  type InputType,
  type ZlibOptions,
} from "node:zlib";
import type { CompressionCodec, Compressors, FileMetaData } from "hyparquet";

/** Codecs that hyparquet reads by itself. */
const BUILT_IN: readonly CompressionCodec[] = ["UNCOMPRESSED", "SNAPPY"];

/**
 * What the columns of a file need, loaded only then. Throws an Error for a
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
