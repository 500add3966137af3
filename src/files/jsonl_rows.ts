/**
 * Payments from JSON lines: one object per line, with the public field names
 * as keys; other keys are ignored.
 */
import { DataError } from "../base/error.ts";
import type { Payment } from "../payment/payment.ts";
import { PaymentJsonReader, paymentValues } from "../payment/payment_json.ts";
import { fillFields } from "../payment/validation.ts";
import { type ByteSource, type LineBlock, lineBlocks } from "./line_block.ts";
import type {
  FieldPlace,
  RowBatch,
  RowDefect,
  RowOptions,
} from "./row_batch.ts";

/** Rows of a stream of JSON lines, batch after batch. Throws DataError for CSV. */
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
  readonly #known = new PaymentJsonReader();

  constructor(block: LineBlock) {
    this.#block = block;
  }

  get length(): number {
    return this.#block.starts.length;
  }

  line(index: number): number {
    return this.#block.firstLine + index;
  }

  read(index: number, into: Payment): RowDefect | undefined {
    const { bytes, starts } = this.#block;
    const end = (starts[index + 1] ?? bytes.length) - 1;
    const known = this.#known.scan(bytes, starts[index], end, into);
    return known ? undefined : this.#parse(index, into);
  }

  #parse(index: number, into: Payment): RowDefect | undefined {
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
    return fillFields(paymentValues(fields), into);
  }

  place(index: number, field: string): FieldPlace {
    const column = this.#block.text(index).indexOf(`"${field}"`) + 1 || 1;
    return { line: this.line(index), column };
  }
}
