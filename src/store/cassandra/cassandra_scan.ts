/**
 * Reads a whole table of Cassandra in pages, from several ranges of the ring
 * side by side, so that neither a request nor memory grows with the table.
 */
import { TextHeap } from "../../payment/text_heap.ts";
import type { StoreRows } from "../store.ts";
import type { StoredRow } from "../stored_row.ts";
import { type TokenRange, tokenRanges } from "./token_ranges.ts";

/** A page of rows from the driver. */
export interface Page {
  /** The rows, by column. */
  readonly rows: readonly StoredRow[];
  /** The token of the next page; absent at the end. */
  readonly pageState: string | null | undefined;
}

/** Rows with the texts of their cells. */
export type ScannedRows = StoreRows & { readonly texts: TextHeap };

/** Converts the driver's rows into cells. */
export interface RowReader {
  /** Cells of a row. */
  readonly width: number;
  /** Fills row `index`; false if the row is to be left out. */
  read(row: StoredRow, into: ScannedRows, index: number): boolean;
}

/** How a table is read. */
export interface ScanOptions {
  /** Turns rows into cells. */
  readonly reader: RowReader;
  /** Most rows of a page. */
  readonly pageRows: number;
  /** Ranges that the ring is cut into. */
  readonly ranges: number;
  /** Ranges that are read side by side. */
  readonly atOnce: number;
  /** Reads a page of a range, the first without `pageState`. */
  readonly read: (
    range: TokenRange,
    pageState: string | undefined,
  ) => Promise<Page>;
}

/** All rows, in no order; the cells are valid until the next. */
export async function* scanRing(
  options: ScanOptions,
): AsyncGenerator<StoreRows> {
  const ranges = tokenRanges(options.ranges);
  const lanes = Array.from(
    { length: options.atOnce },
    () => scanRanges(ranges, options),
  );
  const next = (lane: AsyncGenerator<StoreRows>) => {
    const page = lane.next().then((result) => ({ lane, result }));
    page.catch(() => {}); // handled when its turn comes
    return page;
  };
  const turns = lanes.map(next);
  for (let turn = turns.shift(); turn; turn = turns.shift()) {
    const { lane, result } = await turn;
    if (result.done) continue;
    yield result.value;
    turns.push(next(lane));
  }
}

/** Takes ranges until none is left. */
async function* scanRanges(
  ranges: TokenRange[],
  { reader, pageRows, read }: ScanOptions,
): AsyncGenerator<StoreRows> {
  const found = {
    cells: new Float64Array(pageRows * reader.width),
    texts: new TextHeap(),
    count: 0,
  };
  for (let range = ranges.pop(); range; range = ranges.pop()) {
    let pageState: string | undefined;
    do {
      const page = await read(range, pageState);
      found.count = 0;
      found.texts.clear();
      for (const row of page.rows) {
        if (reader.read(row, found, found.count)) found.count++;
      }
      if (found.count > 0) yield found;
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
  }
}
