/**
 * Sorts any number of rows in bounded memory. Inputs that fit are sorted in
 * memory; longer ones are written to a temporary file in sorted runs and merged
 * (an external merge sort). A row is some numbers side by side.
 */
import { TemporaryFile } from "./temporary_file.ts";

/** What is sorted, and in how much memory. */
export interface RowSorterOptions {
  /** Numbers of a row. */
  readonly width: number;
  /** Columns to sort by, most significant first; rows equal in all keep their order. */
  readonly keys: readonly number[];
  /** Most rows that are held in memory, 8 · `width` bytes each. */
  readonly memoryRows: number;
  /** Folder of the temporary file; the system's own if undefined. */
  readonly folder?: string | undefined;
}

/** Some consecutive rows, valid until the next ones are read. */
export interface SortedRows {
  /** The rows, `width` numbers each. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
}

/** Rows returned at once, and rows of each run in memory while runs are merged. */
const BLOCK_ROWS = 4096;

/** A sorted run in the temporary file. */
interface Run {
  /** First row, counted in rows of the file. */
  readonly start: number;
  /** Number of rows. */
  readonly rows: number;
}

/** Takes rows in any order and returns them sorted; can be reused. Dispose it. */
export class RowSorter {
  readonly #options: RowSorterOptions;
  readonly #runs: Run[] = [];
  #file: TemporaryFile | undefined;
  #cells: Float64Array;
  #count = 0;
  #ordered = true;

  /** Makes an empty sorter. */
  constructor(options: RowSorterOptions) {
    this.#options = options;
    this.#cells = new Float64Array(
      Math.min(BLOCK_ROWS, options.memoryRows) * options.width,
    );
  }

  /** Numbers of a row. */
  get width(): number {
    return this.#options.width;
  }

  /** Number of rows that have been added. */
  get length(): number {
    let rows = this.#count;
    for (const run of this.#runs) rows += run.rows;
    return rows;
  }

  /** Adds a copy of `row`. Throws DataError when the temporary file can't be written. */
  add(row: ArrayLike<number>): void {
    const { width, memoryRows } = this.#options;
    if (this.#count === memoryRows) this.#spill();
    if (this.#count * width === this.#cells.length) this.#grow();
    const at = this.#count * width;
    for (let column = 0; column < width; column++) {
      this.#cells[at + column] = row[column];
    }
    if (this.#ordered && this.#count > 0) {
      this.#ordered = this.#compare(this.#count - 1, this.#count) <= 0;
    }
    this.#count++;
  }

  /** All rows in order. Throws DataError when the temporary file fails. */
  *sorted(): Generator<SortedRows> {
    if (this.#runs.length === 0) {
      yield* this.#sortedMemory();
      return;
    }
    if (this.#count > 0) this.#spill();
    yield* mergeRuns(this.#openFile(), this.#runs, this.#options);
  }

  /** Forgets all rows and keeps the memory. */
  clear(): void {
    this.#count = 0;
    this.#ordered = true;
    this.#runs.length = 0;
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }

  /** Removes the temporary file, if there is one. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #openFile(): TemporaryFile {
    return this.#file ??= new TemporaryFile(this.#options.folder);
  }

  *#sortedMemory(): Generator<SortedRows> {
    const { width } = this.#options;
    if (this.#ordered) {
      for (let from = 0; from < this.#count; from += BLOCK_ROWS) {
        const count = Math.min(BLOCK_ROWS, this.#count - from);
        const start = from * width;
        const cells = this.#cells.subarray(start, start + count * width);
        yield { cells, count };
      }
      return;
    }
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row);
    order.sort((left, right) => this.#compare(left, right) || left - right);
    const cells = new Float64Array(BLOCK_ROWS * width);
    for (let from = 0; from < this.#count; from += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, this.#count - from);
      for (let row = 0; row < count; row++) {
        const source = order[from + row] * width;
        for (let column = 0; column < width; column++) {
          cells[row * width + column] = this.#cells[source + column];
        }
      }
      yield { cells, count };
    }
  }

  #compare(left: number, right: number): number {
    const { keys, width } = this.#options;
    return compareRows(
      keys,
      this.#cells,
      left * width,
      this.#cells,
      right * width,
    );
  }

  /** Moves the rows in memory to the temporary file, as a sorted run. */
  #spill(): void {
    const file = this.#openFile();
    const start = this.length - this.#count;
    for (const { cells, count } of this.#sortedMemory()) {
      file.append(bytesOf(cells.subarray(0, count * this.#options.width)));
    }
    this.#runs.push({ start, rows: this.#count });
    this.#count = 0;
    this.#ordered = true;
  }

  #grow(): void {
    const { width, memoryRows } = this.#options;
    const rows = Math.min(memoryRows, 2 * this.#count);
    const larger = new Float64Array(rows * width);
    larger.set(this.#cells);
    this.#cells = larger;
  }
}

function compareRows(
  keys: readonly number[],
  left: Float64Array,
  leftAt: number,
  right: Float64Array,
  rightAt: number,
): number {
  for (const key of keys) {
    const difference = left[leftAt + key] - right[rightAt + key];
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The position of the merge in one run. */
class RunReader {
  readonly #file: TemporaryFile;
  readonly #width: number;
  readonly #buffer: Float64Array<ArrayBuffer>;
  #next: number;
  readonly #end: number;
  #filled = 0;
  /** Number of the run; of equal rows, those of earlier runs come first. */
  readonly index: number;
  /** The rows in memory. */
  readonly cells: Float64Array;
  /** Where the current row begins in `cells`. */
  at = 0;

  constructor(file: TemporaryFile, run: Run, index: number, width: number) {
    this.#file = file;
    this.#width = width;
    this.#next = run.start;
    this.#end = run.start + run.rows;
    this.#buffer = new Float64Array(Math.min(BLOCK_ROWS, run.rows) * width);
    this.cells = this.#buffer;
    this.index = index;
    this.#fill();
  }

  /** Goes to the next row; false at the end. */
  advance(): boolean {
    this.at += this.#width;
    return this.at < this.#filled || this.#fill();
  }

  #fill(): boolean {
    const width = this.#width;
    const rows = Math.min(
      this.#buffer.length / width,
      this.#end - this.#next,
    );
    if (rows === 0) return false;
    this.#filled = rows * width;
    const into = bytesOf(this.#buffer.subarray(0, this.#filled));
    this.#file.read(into, 8 * this.#next * width);
    this.#next += rows;
    this.at = 0;
    return true;
  }
}

/** Merges sorted runs by a binary heap of their current rows. */
function* mergeRuns(
  file: TemporaryFile,
  runs: readonly Run[],
  { width, keys }: RowSorterOptions,
): Generator<SortedRows> {
  const before = (left: RunReader, right: RunReader) => {
    const order = compareRows(keys, left.cells, left.at, right.cells, right.at);
    return order === 0 ? left.index < right.index : order < 0;
  };
  const heap = runs.map((run, index) => new RunReader(file, run, index, width));
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, at, before);
  const cells = new Float64Array(BLOCK_ROWS * width);
  let count = 0;
  while (heap.length > 0) {
    const first = heap[0];
    for (let column = 0; column < width; column++) {
      cells[count * width + column] = first.cells[first.at + column];
    }
    count++;
    if (!first.advance()) {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) heap[0] = last;
    }
    sink(heap, 0, before);
    if (count === BLOCK_ROWS || heap.length === 0) {
      yield { cells, count };
      count = 0;
    }
  }
}

/** Moves the item at `from` down a binary heap until none below comes before it. */
export function sink<T>(
  heap: T[],
  from: number,
  before: (left: T, right: T) => boolean,
): void {
  for (let at = from;;) {
    let first = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && before(heap[child], heap[first])) {
        first = child;
      }
    }
    if (first === at) return;
    [heap[at], heap[first]] = [heap[first], heap[at]];
    at = first;
  }
}

function bytesOf(numbers: Float64Array): Uint8Array {
  return new Uint8Array(
    numbers.buffer,
    numbers.byteOffset,
    numbers.byteLength,
  );
}
