/**
 * Payments from JSON lines as raw rows: one object a line, with the public
 * field names as keys; other keys are ignored.
 */
import { DataError } from "../error/error.ts";
import { TRANSACTION_FIELDS } from "../transaction/transaction.ts";
import { type ByteSource, type LineBlock, lineBlocks } from "./line_block.ts";
import type { BrokenRow, RowBatch, RowOptions } from "./row_batch.ts";

/** Raw rows of a stream of JSON lines, batch after batch. Throws DataError for a CSV in disguise. */
export async function* jsonlRows(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  for await (const block of lineBlocks(source, options)) {
    if (block.firstLine === 1 && !block.text(0).trimStart().startsWith("{")) {
      throw new DataError(
        `${options.name}:1:1: not a JSON object; each line must be one, or ` +
          "name the format with --input-format=csv",
      );
    }
    yield new JsonlBatch(block);
  }
}

class JsonlBatch implements RowBatch {
  readonly #block: LineBlock;

  constructor(block: LineBlock) {
    this.#block = block;
  }

  get length(): number {
    return this.#block.starts.length;
  }

  get firstLine(): number {
    return this.#block.firstLine;
  }

  read(index: number, values: unknown[]): BrokenRow | undefined {
    let record: unknown;
    try {
      record = JSON.parse(this.#block.text(index));
    } catch {
      return { reason: "not JSON", message: "the line is not JSON" };
    }
    if (typeof record !== "object" || record === null) {
      return { reason: "not JSON", message: "the line is not a JSON object" };
    }
    const fields = record as Readonly<Record<string, unknown>>;
    for (let field = 0; field < TRANSACTION_FIELDS.length; field++) {
      values[field] = fields[TRANSACTION_FIELDS[field]];
    }
    return undefined;
  }

  column(index: number, field: string): number {
    return this.#block.text(index).indexOf(`"${field}"`) + 1 || 1;
  }
}
