/**
 * Sorts rows by TRANSACTION_ID in bounded memory: sorted runs in a temporary
 * file, merged as they are read. A run with texts is its cells, then the texts
 * in the order of its rows, so that a block of rows has its texts in one piece.
 * (A merge sort writes each row once; a B-tree
 * filled in random order would write each of its pages many times.)
 */
import { StoreError } from "../base/error.ts";
import {
  compareTexts,
  NO_TEXT,
  TextHeap,
  textLength,
  textMoved,
  textStart,
} from "../payment/text_heap.ts";
import type { StoreRows } from "./store.ts";

/** Rows that a run holds, and that all runs together hold in memory while they are merged. */
const RUN_ROWS = 65_536;

/** Bytes of texts that end a run before it has all its rows. */
const RUN_TEXT_BYTES = 16 << 20;

/** Rows returned at once. */
const PAGE_ROWS = 4096;

/** Fewest rows of a run that are read at once. */
const BLOCK_ROWS_MIN = 16;

/** How a spool is made. */
export interface RowSpoolOptions {
  /** Cells per row; the first is the TRANSACTION_ID. */
  readonly width: number;
  /** Those that refer to texts; the texts of a row are kept with it. */
  readonly textCells?: readonly number[] | undefined;
  /** Rows of a run, for tests. */
  readonly runRows?: number;
}

/** Rows to be sorted. */
export class RowSpool implements AsyncDisposable {
  readonly #width: number;
  readonly #run: Float64Array;
  readonly #sorted: Float64Array;
  readonly #textCells: readonly number[];
  readonly #texts = new TextHeap();
  readonly #sortedTexts = new TextHeap();
  readonly #runs: SortedRun[] = [];
  #count = 0;
  #file: { readonly path: string; readonly handle: Deno.FsFile } | undefined;

  /** An empty spool; the file is created when memory no longer suffices. */
  constructor({ width, textCells = [], runRows = RUN_ROWS }: RowSpoolOptions) {
    this.#width = width;
    this.#textCells = textCells;
    this.#run = new Float64Array(runRows * width);
    this.#sorted = new Float64Array(runRows * width);
  }

  /** Takes rows; one call at a time. */
  async add({ cells, count, texts = NO_TEXTS }: StoreRows): Promise<void> {
    const width = this.#width;
    const capacity = this.#run.length / width;
    for (let from = 0; from < count;) {
      const taken = Math.min(count - from, capacity - this.#count);
      this.#run.set(
        cells.subarray(from * width, (from + taken) * width),
        this.#count * width,
      );
      this.#copyTexts(this.#run, this.#count, taken, texts, this.#texts);
      this.#count += taken;
      from += taken;
      const isFull = this.#count === capacity ||
        this.#texts.length > RUN_TEXT_BYTES;
      if (isFull) await this.#writeRun();
    }
  }

  /** Copies the texts of `count` rows from row `first` on to another heap. */
  #copyTexts(
    cells: Float64Array,
    first: number,
    count: number,
    from: TextHeap,
    to: TextHeap,
  ): void {
    if (this.#textCells.length === 0) return;
    for (let row = first; row < first + count; row++) {
      for (const cell of this.#textCells) {
        const at = row * this.#width + cell;
        cells[at] = to.copy(cells[at], from);
      }
    }
  }

  /** All rows, ascending, texts by their bytes; they are valid until the next. Nothing may be added afterwards. */
  async *rows(): AsyncGenerator<StoreRows> {
    const width = this.#width;
    const texts = this.#sortedTexts;
    if (this.#runs.length === 0) {
      this.#sort();
      for (let from = 0; from < this.#count; from += PAGE_ROWS) {
        const to = Math.min(this.#count, from + PAGE_ROWS);
        const cells = this.#sorted.subarray(from * width, to * width);
        yield { cells, count: to - from, texts };
      }
      return;
    }
    if (this.#count > 0) await this.#writeRun();
    yield* this.#merged();
  }

  async *#merged(): AsyncGenerator<StoreRows> {
    const width = this.#width;
    const heap = new RunHeap(this.#textCells.includes(0));
    const texts = this.#sortedTexts;
    texts.clear();
    const runs = this.#openRuns();
    for (const run of runs) if (await this.#next(run)) heap.push(run);
    const cells = new Float64Array(PAGE_ROWS * width);
    let count = 0;
    for (let run = heap.first; run; run = heap.first) {
      const row = run.block.subarray(run.at, run.at + width);
      cells.set(row, count * width);
      this.#copyTexts(cells, count, 1, run.texts, texts);
      run.at += width;
      // There is something to wait for only once in many rows.
      const more = run.at < run.end || await this.#next(run);
      if (more) heap.settleFirst();
      else heap.removeFirst();
      if (++count < PAGE_ROWS) continue;
      yield { cells, count, texts };
      texts.clear();
      count = 0;
    }
    if (count > 0) yield { cells, count, texts };
  }

  #openRuns(): Run[] {
    const blockRows = Math.max(
      BLOCK_ROWS_MIN,
      Math.floor(this.#run.length / this.#width / this.#runs.length),
    );
    let offset = 0;
    return this.#runs.map(({ rows, textBytes }) => {
      const left = rows * this.#width;
      const bytes = left * Float64Array.BYTES_PER_ELEMENT;
      const run = {
        block: new Float64Array(Math.min(rows, blockRows) * this.#width),
        texts: new TextHeap(),
        at: 0,
        end: 0,
        offset,
        left,
        textOffset: offset + bytes,
      };
      offset += bytes + textBytes;
      return run;
    });
  }

  /** Reads the next block of a run; false at its end. */
  async #next(run: Run): Promise<boolean> {
    if (run.left === 0) return false;
    const cells = Math.min(run.left, run.block.length);
    const bytes = new Uint8Array(run.block.buffer, 0, 8 * cells);
    await this.#read(bytes, run.offset);
    run.offset += bytes.length;
    run.left -= cells;
    run.at = 0;
    run.end = cells;
    if (this.#textCells.length > 0) await this.#nextTexts(run);
    return true;
  }

  /** Reads the texts of a run's block, which lie side by side. */
  async #nextTexts({ block, end, texts, textOffset }: Run): Promise<void> {
    let [first, last] = [Infinity, 0];
    for (let at = 0; at < end; at += this.#width) {
      for (const cell of this.#textCells) {
        const text = block[at + cell];
        if (text === NO_TEXT) continue;
        first = Math.min(first, textStart(text));
        last = Math.max(last, textStart(text) + textLength(text));
      }
    }
    if (first === Infinity) return;
    const bytes = new Uint8Array(last - first);
    await this.#read(bytes, textOffset + first);
    texts.wrap(bytes);
    for (let at = 0; at < end; at += this.#width) {
      for (const cell of this.#textCells) {
        block[at + cell] = textMoved(block[at + cell], -first);
      }
    }
  }

  /** Fills bytes from a place of the file on. */
  async #read(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#inFile(async (file) => {
      await file.seek(offset, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const read = await file.read(bytes.subarray(at));
        if (read === null) throw new Error("it ends too early");
        at += read;
      }
    });
  }

  async #writeRun(): Promise<void> {
    this.#sort();
    const cells = this.#sorted.subarray(0, this.#count * this.#width);
    const texts = this.#sortedTexts;
    const parts = [
      new Uint8Array(cells.buffer, 0, cells.byteLength),
      texts.bytes.subarray(0, texts.length),
    ];
    await this.#inFile(async (file) => {
      await file.seek(0, Deno.SeekMode.End);
      for (const bytes of parts) {
        for (let at = 0; at < bytes.length;) {
          at += await file.write(bytes.subarray(at));
        }
      }
    });
    this.#runs.push({ rows: this.#count, textBytes: texts.length });
    this.#texts.clear();
    this.#count = 0;
  }

  #sort(): void {
    const width = this.#width;
    const run = this.#run;
    const texts = this.#texts;
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row)
      .sort(
        this.#textCells.includes(0)
          ? (a, b) => compareTexts(run[a * width], texts, run[b * width], texts)
          : (a, b) => run[a * width] - run[b * width],
      );
    const sorted = this.#sortedTexts;
    sorted.clear();
    for (const [to, from] of order.entries()) {
      const row = run.subarray(from * width, (from + 1) * width);
      this.#sorted.set(row, to * width);
      this.#copyTexts(this.#sorted, to, 1, texts, sorted);
    }
  }

  async #inFile(action: (file: Deno.FsFile) => Promise<void>): Promise<void> {
    try {
      if (!this.#file) {
        const path = await Deno.makeTempFile({ prefix: "fraudstream-rows-" });
        const handle = await Deno.open(path, { read: true, write: true });
        this.#file = { path, handle };
      }
      await action(this.#file.handle);
    } catch (error) {
      throw new StoreError(
        `cannot sort rows in the temporary file ${this.#file?.path ?? ""}: ` +
          `${error instanceof Error ? error.message : error}; make room, or ` +
          `set TMPDIR to another folder`,
        { cause: error },
      );
    }
  }

  /** Removes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    file.handle.close();
    await Deno.remove(file.path);
  }
}

/** For rows without texts. */
const NO_TEXTS = new TextHeap();

/** A sorted run in the file. */
interface SortedRun {
  readonly rows: number;
  /** Bytes of its texts, which follow its cells. */
  readonly textBytes: number;
}

/** A sorted run that is being read. */
interface Run {
  /** Cells that have been read. */
  readonly block: Float64Array;
  /** Their texts. */
  readonly texts: TextHeap;
  /** Byte of the file where the run's texts begin. */
  readonly textOffset: number;
  /** Where in the block the next row begins. */
  at: number;
  /** Where the block's cells end. */
  end: number;
  /** Byte of the file where its next block begins. */
  offset: number;
  /** Cells that have not been read. */
  left: number;
}

/** A binary heap of runs; first is the one whose next row has the least id. */
class RunHeap {
  readonly #runs: Run[] = [];
  readonly #compare: (a: Run, b: Run) => number;

  constructor(hasTextIds: boolean) {
    this.#compare = hasTextIds
      ? (a, b) => compareTexts(idOf(a), a.texts, idOf(b), b.texts)
      : (a, b) => idOf(a) - idOf(b);
  }

  get first(): Run | undefined {
    return this.#runs[0];
  }

  push(run: Run): void {
    const runs = this.#runs;
    let at = runs.push(run) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(runs[parent], runs[at]) <= 0) return;
      [runs[parent], runs[at]] = [runs[at], runs[parent]];
      at = parent;
    }
  }

  removeFirst(): void {
    const last = this.#runs.pop();
    if (!last || this.#runs.length === 0) return;
    this.#runs[0] = last;
    this.settleFirst();
  }

  /** Moves the first run to its place after its next row has changed. */
  settleFirst(): void {
    const runs = this.#runs;
    for (let at = 0;;) {
      const left = 2 * at + 1;
      if (left >= runs.length) return;
      const right = left + 1;
      const isRight = right < runs.length &&
        this.#compare(runs[right], runs[left]) < 0;
      const child = isRight ? right : left;
      if (this.#compare(runs[at], runs[child]) <= 0) return;
      [runs[at], runs[child]] = [runs[child], runs[at]];
      at = child;
    }
  }
}

function idOf({ block, at }: Run): number {
  return block[at];
}
