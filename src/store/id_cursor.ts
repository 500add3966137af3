/**
 * Finds rows by TRANSACTION_ID in pages that ascend by it, for ids that ascend
 * as well. So what a store, or a sorted topic, holds about payments is joined
 * with them, a page of each in memory.
 */
import type { PaymentShape } from "../payment/payment_shape.ts";
import { compareTexts, NO_TEXTS, type TextHeap } from "../payment/text_heap.ts";

/** Rows whose first cell is the TRANSACTION_ID. */
export interface IdRows {
  /** The cells. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
  /** What cells of texts refer to. */
  readonly texts?: TextHeap | undefined;
}

/** A place in pages of rows. */
export class IdCursor<Page extends IdRows> {
  readonly #pages: AsyncIterator<Page>;
  readonly #hasTextIds: boolean;
  readonly #width: number;
  #page: Page | undefined;
  #row = 0;
  #ended = false;
  #isFound = false;

  /** Begins before the first of some pages, of rows of `width` cells. */
  constructor(
    pages: AsyncIterable<Page>,
    width: number,
    { transactionId }: Pick<PaymentShape, "transactionId">,
  ) {
    this.#pages = pages[Symbol.asyncIterator]();
    this.#hasTextIds = transactionId === "text";
    this.#width = width;
  }

  /** The page with the row that was looked for last; undefined where there is none. */
  get page(): Page | undefined {
    return this.#isFound ? this.#page : undefined;
  }

  /** The place of that row in the page. */
  get row(): number {
    return this.#row;
  }

  /** Moves to the first row with an id, which a cell holds; whether there is one. */
  async find(id: number, texts: TextHeap = NO_TEXTS): Promise<boolean> {
    while (!this.reaches(id, texts)) await this.nextPage();
    return this.#isFound;
  }

  /** The same without waiting; false where the row may be in the next page: take it and ask again. */
  reaches(id: number, texts: TextHeap = NO_TEXTS): boolean {
    this.#isFound = false;
    if (this.#ended) return true;
    const page = this.#page;
    if (!page) return false;
    for (; this.#row < page.count; this.#row++) {
      const own = page.cells[this.#row * this.#width];
      const order = this.#hasTextIds
        ? compareTexts(own, page.texts ?? NO_TEXTS, id, texts)
        : own - id;
      if (order < 0) continue;
      this.#isFound = order === 0;
      return true;
    }
    return false;
  }

  /** Takes the next page: call it while reaches() is false. */
  async nextPage(): Promise<void> {
    const { value, done } = await this.#pages.next();
    this.#ended = done === true;
    this.#page = done ? undefined : value;
    this.#row = 0;
  }

  /** Moves behind the row that was found. */
  pass(): void {
    this.#row++;
  }
}
