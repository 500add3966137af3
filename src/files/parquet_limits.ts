/**
 * Limits on what a Parquet file may claim. A few bytes can stand for gigabytes
 * (a long run of one value, a page that decompresses to more than memory
 * holds), so the headers of all pages are checked before any is decoded.
 */
import type { AsyncBuffer, CompressionCodec, RowGroup } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { DataError } from "../base/error.ts";
import { checkUnpacked } from "./parquet_codecs.ts";

/** Most bytes of a column in one row group, as they lie in the file. */
const COLUMN_BYTES_MAX = 256 * 1024 * 1024;

/** Most bytes of a decompressed page; writers make pages of about 1 MiB. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Most values of a page; runs of one value make long ones. */
const PAGE_VALUES_MAX = 4 * 1024 * 1024;

/**
 * Checks the pages of some columns of a row group in `file`. Throws DataError
 * with `name` for a size over its limit, and an Error for damage.
 *
 * @internal (deno doc --lint would want hyparquet documented)
 */
export async function checkPages(
  file: AsyncBuffer,
  group: RowGroup,
  columns: readonly { readonly name: string }[],
  name: string,
): Promise<void> {
  for (const { name: field } of columns) {
    const chunk = group.columns.find(({ meta_data: column }) => {
      return column?.path_in_schema[0] === field;
    });
    const column = chunk?.meta_data;
    if (!column) throw new Error(`a row group lacks the column ${field}`);
    const start = Number(column.dictionary_page_offset) ||
      Number(column.data_page_offset);
    const length = Number(column.total_compressed_size);
    const check = (what: string, found: number, max: number) => {
      if (found <= max) return;
      throw new DataError(
        `${name}: ${found} ${what} of ${field}, more than the ${max} allowed; ` +
          "write the file with smaller row groups",
      );
    };
    check("bytes in a row group", length, COLUMN_BYTES_MAX);
    const bytes = await file.slice(start, start + length);
    const rows = Number(group.num_rows);
    const values = await countValues(bytes, rows, column.codec, check);
    if (values !== Number(group.num_rows)) {
      throw new Error(
        `${values} values of ${field} in a group of ${group.num_rows} rows`,
      );
    }
  }
}

/** Counts the values in the pages of a column, up to those of `rows` rows. */
async function countValues(
  bytes: ArrayBuffer,
  rows: number,
  codec: CompressionCodec,
  check: (what: string, found: number, max: number) => void,
): Promise<number> {
  const reader = { view: new DataView(bytes), offset: 0 };
  let values = 0;
  // The last byte can't be a page; hyparquet ends there, too.
  while (reader.offset < bytes.byteLength - 1 && values < rows) {
    const header = parquetHeader(reader);
    const size = header.uncompressed_page_size;
    const stored = header.compressed_page_size;
    check("bytes in a page", size, PAGE_BYTES_MAX);
    const data = header.data_page_header ?? header.data_page_header_v2;
    const count = data?.num_values ?? header.dictionary_page_header?.num_values;
    if (
      !(size >= 0 && stored >= 0 && count !== undefined && count >= 0) ||
      stored > bytes.byteLength - reader.offset
    ) throw new Error("an invalid page header");
    check("values in a page", count, PAGE_VALUES_MAX);
    if (data) values += count;
    const second = header.data_page_header_v2;
    // Levels come before the compressed part.
    const levels = (second?.definition_levels_byte_length ?? 0) +
      (second?.repetition_levels_byte_length ?? 0);
    if (second?.is_compressed !== false && levels <= stored) {
      const packed = new Uint8Array(bytes, reader.offset, stored)
        .subarray(levels);
      await checkUnpacked(codec, packed, size - levels);
    }
    reader.offset += stored;
  }
  return values;
}
