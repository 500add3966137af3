/**
 * Sorts rows by TRANSACTION_ID in bounded memory: sorted runs in a temporary
 * file, merged as they are read. (A merge sort writes each row once; a B-tree
 * filled in random order would write each of its pages many times.)
 */
import { StoreError } from "../base/error.ts";
import type { StoreRows } from "./store.ts";

/** Rows that a run holds, and that all runs together hold in memory while they are merged. */
const RUN_ROWS = 65_536;

/** Rows returned at once. */
const PAGE_ROWS = 4096;

/** Fewest rows of a run that are read at once. */
const BLOCK_ROWS_MIN = 16;

/** How a spool is made. */
export interface RowSpoolOptions {
  /** Cells per row; the first is the TRANSACTION_ID. */
  readonly width: number;
  /** Rows of a run, for tests. */
  readonly runRows?: number;
}

/** Rows to be sorted. */
export class RowSpool implements AsyncDisposable {
  readonly #width: number;
  readonly #run: Float64Array;
  readonly #sorted: Float64Array;
  readonly #runRows: number[] = [];
  #count = 0;
  #file: { readonly path: string; readonly handle: Deno.FsFile } | undefined;

  /** An empty spool; the file is created when memory no longer suffices. */
  constructor({ width, runRows = RUN_ROWS }: RowSpoolOptions) {
    this.#width = width;
    this.#run = new Float64Array(runRows * width);
    this.#sorted = new Float64Array(runRows * width);
  }

  /** Takes rows; one call at a time. */
  async add({ cells, count }: StoreRows): Promise<void> {
    const width = this.#width;
    const capacity = this.#run.length / width;
    for (let from = 0; from < count;) {
      const taken = Math.min(count - from, capacity - this.#count);
      this.#run.set(
        cells.subarray(from * width, (from + taken) * width),
        this.#count * width,
      );
      this.#count += taken;
      from += taken;
      if (this.#count === capacity) await this.#writeRun();
    }
  }

  /** All rows, ascending; the cells are valid until the next. Nothing may be added afterwards. */
  async *rows(): AsyncGenerator<StoreRows> {
    const width = this.#width;
    if (this.#runRows.length === 0) {
      this.#sort();
      for (let from = 0; from < this.#count; from += PAGE_ROWS) {
        const to = Math.min(this.#count, from + PAGE_ROWS);
        const cells = this.#sorted.subarray(from * width, to * width);
        yield { cells, count: to - from };
      }
      return;
    }
    if (this.#count > 0) await this.#writeRun();
    yield* this.#merged();
  }

  async *#merged(): AsyncGenerator<StoreRows> {
    const width = this.#width;
    const heap = new RunHeap();
    const runs = this.#openRuns();
    for (const run of runs) if (await this.#next(run)) heap.push(run);
    const cells = new Float64Array(PAGE_ROWS * width);
    let count = 0;
    for (let run = heap.first; run; run = heap.first) {
      const row = run.block.subarray(run.at, run.at + width);
      cells.set(row, count * width);
      run.at += width;
      // There is something to wait for only once in many rows.
      const more = run.at < run.end || await this.#next(run);
      if (more) heap.settleFirst();
      else heap.removeFirst();
      if (++count < PAGE_ROWS) continue;
      yield { cells, count };
      count = 0;
    }
    if (count > 0) yield { cells, count };
  }

  #openRuns(): Run[] {
    const blockRows = Math.max(
      BLOCK_ROWS_MIN,
      Math.floor(this.#run.length / this.#width / this.#runRows.length),
    );
    let offset = 0;
    return this.#runRows.map((rows) => {
      const cells = rows * this.#width;
      const run = {
        block: new Float64Array(Math.min(rows, blockRows) * this.#width),
        at: 0,
        end: 0,
        offset,
        left: cells,
      };
      offset += cells * Float64Array.BYTES_PER_ELEMENT;
      return run;
    });
  }

  /** Reads the next block of a run; false at its end. */
  async #next(run: Run): Promise<boolean> {
    if (run.left === 0) return false;
    const cells = Math.min(run.left, run.block.length);
    const bytes = new Uint8Array(run.block.buffer, 0, 8 * cells);
    await this.#inFile(async (file) => {
      await file.seek(run.offset, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const read = await file.read(bytes.subarray(at));
        if (read === null) throw new Error("it ends too early");
        at += read;
      }
    });
    run.offset += bytes.length;
    run.left -= cells;
    run.at = 0;
    run.end = cells;
    return true;
  }

  async #writeRun(): Promise<void> {
    this.#sort();
    const cells = this.#sorted.subarray(0, this.#count * this.#width);
    const bytes = new Uint8Array(cells.buffer, 0, cells.byteLength);
    await this.#inFile(async (file) => {
      await file.seek(0, Deno.SeekMode.End);
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at));
      }
    });
    this.#runRows.push(this.#count);
    this.#count = 0;
  }

  #sort(): void {
    const width = this.#width;
    const run = this.#run;
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row)
      .sort((a, b) => run[a * width] - run[b * width]);
    for (const [to, from] of order.entries()) {
      const row = run.subarray(from * width, (from + 1) * width);
      this.#sorted.set(row, to * width);
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

/** A sorted run that is being read. */
interface Run {
  /** Cells that have been read. */
  readonly block: Float64Array;
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

  get first(): Run | undefined {
    return this.#runs[0];
  }

  push(run: Run): void {
    const runs = this.#runs;
    let at = runs.push(run) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (idOf(runs[parent]) <= idOf(runs[at])) return;
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
      const child = right < runs.length && idOf(runs[right]) < idOf(runs[left])
        ? right
        : left;
      if (idOf(runs[at]) <= idOf(runs[child])) return;
      [runs[at], runs[child]] = [runs[child], runs[at]];
      at = child;
    }
  }
}

function idOf({ block, at }: Run): number {
  return block[at];
}
