/**
 * Writes a table to a file or stdout, batch after batch, in any of the
 * formats. The file appears under its name only when it is complete.
 */
import { OutputFile } from "../base/output_file.ts";
import { parquetEncoder } from "./parquet_encoder.ts";
import {
  type ColumnValues,
  csvEncoder,
  jsonlEncoder,
  type TableColumn,
  type TableEncoder,
  type TableFormat,
} from "./table_encoder.ts";

/** Rows encoded at once; larger pieces only cost memory. */
const PIECE_ROWS = 4096;

/** A table being written. Close it when complete, else abort it. */
export class TableWriter {
  readonly #encoder: TableEncoder;
  readonly #output: OutputFile;
  readonly #columns: number;

  private constructor(
    encoder: TableEncoder,
    output: OutputFile,
    columns: number,
  ) {
    this.#encoder = encoder;
    this.#output = output;
    this.#columns = columns;
  }

  /** Opens a table at a path, or at stdout for "-". Throws DataError. */
  static async open(
    target: string,
    format: TableFormat,
    columns: readonly TableColumn[],
  ): Promise<TableWriter> {
    const output = await OutputFile.open(target);
    return new TableWriter(
      encoderOf(format, columns),
      output,
      columns.length,
    );
  }

  /**
   * Appends rows 0 … length - 1 of a batch of columns, in the order of the
   * table's columns; the batch may be reused afterwards. Throws DataError when
   * the target is full or gone, and OutputClosedError when stdout's reader has
   * closed it.
   */
  async write(values: readonly ColumnValues[], length: number): Promise<void> {
    if (values.length !== this.#columns) {
      throw new TypeError(
        `${values.length} columns for a table of ${this.#columns}`,
      );
    }
    for (let from = 0; from < length; from += PIECE_ROWS) {
      const to = Math.min(length, from + PIECE_ROWS);
      await this.#output.write(this.#encoder.encode(values, from, to));
    }
  }

  /** Writes the rest and moves the file to its place. Throws like write(). */
  async close(): Promise<void> {
    await this.#output.write(this.#encoder.finish());
    await this.#output.close();
  }

  /** Drops what was written; does nothing after close(). */
  abort(): Promise<void> {
    return this.#output.abort();
  }

  /** Aborts unless closed: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }
}

function encoderOf(
  format: TableFormat,
  columns: readonly TableColumn[],
): TableEncoder {
  switch (format) {
    case "csv":
      return csvEncoder(columns);
    case "jsonl":
      return jsonlEncoder(columns);
    case "parquet":
      return parquetEncoder(columns);
  }
}
