/**
 * Sorts any number of JSON values by a time, in bounded memory; values of the
 * same time keep their order. What does not fit in memory is written to a
 * temporary file in sorted runs, which are merged (an external merge sort). A
 * value stays JSON text until it leaves, so it takes its own length.
 */
import { FIRST_SECOND } from "../payment/calendar.ts";
import { sink } from "./row_sorter.ts";
import { TemporaryFile } from "./temporary_file.ts";

/** In how much memory is sorted, and where. */
export interface JsonSorterOptions {
  /** Bytes of text that are held in memory; a single value may be longer. */
  readonly memoryBytes: number;
  /** Folder of the temporary file; the system's own if undefined. */
  readonly folder: string | undefined;
}

/** In the file, time and length stand before each value. */
const HEAD_BYTES = 12;

/** A run is written in pieces of about this size. */
const WRITE_BYTES = 1 << 20;

/** All runs together are read with buffers of about this size. */
const READ_BYTES = 64 << 20;

/** The least buffer of a run. */
const RUN_BYTES_MIN = 64 << 10;

/** Values that leave together have about this many bytes. */
const BLOCK_BYTES = 1 << 20;

/**
 * Places of a run's values: a sort key has 25 bits for them beside 39 for the
 * time, enough for all seconds of the calendar.
 */
const PLACES_MAX = 2 ** 25;
const LOW_TIME = 2 ** 7;

const COMMA = 44;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A sorted run in the temporary file: its first byte, and the one behind it. */
interface Run {
  readonly start: number;
  readonly end: number;
}

/** Takes JSON values in any order and returns them in order of time, once. Dispose it. */
export class JsonSorter {
  readonly #options: JsonSorterOptions;
  readonly #runs: Run[] = [];
  #file: TemporaryFile | undefined;
  #fileBytes = 0;
  /** The values in memory, side by side. */
  #text: Uint8Array<ArrayBuffer>;
  #textBytes = 0;
  /** Where each value begins, and behind the last. */
  #starts = new Uint32Array(1024);
  /** Sort keys of 64 bits, low half first as typed arrays have them. */
  #keys = new Uint32Array(2048);
  #count = 0;

  /** Makes an empty sorter. */
  constructor(options: JsonSorterOptions) {
    this.#options = options;
    this.#text = new Uint8Array(options.memoryBytes);
  }

  /** Adds the text of a JSON value. `time` is in seconds since 1970. Throws DataError when the temporary file can't be written. */
  add(time: number, json: string): void {
    const most = 3 * json.length;
    if (this.#textBytes + most > this.#text.length) this.#spill();
    else if (this.#count === PLACES_MAX) this.#spill();
    if (most > this.#text.length) this.#text = new Uint8Array(most);
    const at = this.#count++;
    if (this.#count === this.#starts.length) this.#grow();
    const room = this.#text.subarray(this.#textBytes);
    this.#textBytes += ENCODER.encodeInto(json, room).written;
    this.#starts[at + 1] = this.#textBytes;
    const second = time - FIRST_SECOND;
    const high = Math.floor(second / LOW_TIME);
    this.#keys[2 * at] = (second - high * LOW_TIME) * PLACES_MAX + at;
    this.#keys[2 * at + 1] = high;
  }

  /** All values in order, some at a time. Throws DataError when the temporary file fails. */
  *sorted(): Generator<unknown[]> {
    const block = new JsonBlock();
    if (this.#runs.length === 0) {
      for (const { start, end } of this.#inOrder()) {
        if (block.take(this.#text.subarray(start, end))) yield block.values();
      }
    } else {
      this.#spill();
      // It is not needed for the merge.
      this.#text = new Uint8Array(0);
      for (const run of mergeRuns(this.#openFile(), this.#runs)) {
        if (block.take(run.value)) yield block.values();
      }
    }
    if (block.length > 0) yield block.values();
  }

  /** Removes the temporary file, if there is one. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }

  #openFile(): TemporaryFile {
    return this.#file ??= new TemporaryFile(this.#options.folder);
  }

  /** The values in memory, in order. */
  *#inOrder(): Generator<{ time: number; start: number; end: number }> {
    const keys = this.#keys;
    new BigUint64Array(keys.buffer, 0, this.#count).sort();
    for (let at = 0; at < this.#count; at++) {
      const low = keys[2 * at];
      const place = low % PLACES_MAX;
      const time = keys[2 * at + 1] * LOW_TIME + (low - place) / PLACES_MAX +
        FIRST_SECOND;
      const start = this.#starts[place];
      yield { time, start, end: this.#starts[place + 1] };
    }
  }

  /** Moves the values in memory to the temporary file, as a sorted run. */
  #spill(): void {
    if (this.#count === 0) return;
    const file = this.#openFile();
    const start = this.#fileBytes;
    let piece = new Uint8Array(WRITE_BYTES);
    let view = new DataView(piece.buffer);
    let filled = 0;
    const write = () => {
      file.append(piece.subarray(0, filled));
      this.#fileBytes += filled;
      filled = 0;
    };
    for (const value of this.#inOrder()) {
      const length = value.end - value.start;
      if (filled + HEAD_BYTES + length > piece.length) {
        write();
        if (HEAD_BYTES + length > piece.length) {
          piece = new Uint8Array(HEAD_BYTES + length);
          view = new DataView(piece.buffer);
        }
      }
      view.setFloat64(filled, value.time);
      view.setUint32(filled + 8, length);
      piece.set(
        this.#text.subarray(value.start, value.end),
        filled + HEAD_BYTES,
      );
      filled += HEAD_BYTES + length;
    }
    write();
    this.#runs.push({ start, end: this.#fileBytes });
    this.#count = 0;
    this.#textBytes = 0;
  }

  #grow(): void {
    const starts = new Uint32Array(2 * this.#starts.length);
    starts.set(this.#starts);
    this.#starts = starts;
    const keys = new Uint32Array(2 * this.#keys.length);
    keys.set(this.#keys);
    this.#keys = keys;
  }
}

/** Values that are parsed together, which is faster than one by one. */
class JsonBlock {
  #bytes = new Uint8Array(BLOCK_BYTES);
  /** Bytes taken, each value with a comma behind it. */
  length = 0;

  /** Takes a copy of a value; returns whether the block is full. */
  take(value: Uint8Array): boolean {
    const length = this.length + value.length + 1;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(value, this.length);
    this.#bytes[length - 1] = COMMA;
    this.length = length;
    return length >= BLOCK_BYTES / 2;
  }

  /** The values taken, which leave the block. */
  values(): unknown[] {
    const text = DECODER.decode(this.#bytes.subarray(0, this.length - 1));
    this.length = 0;
    return JSON.parse(`[${text}]`);
  }
}

/** Merges sorted runs by a binary heap of their current values. */
function* mergeRuns(
  file: TemporaryFile,
  runs: readonly Run[],
): Generator<RunReader> {
  const bytes = Math.max(RUN_BYTES_MIN, Math.floor(READ_BYTES / runs.length));
  const heap = runs.map((run, index) => new RunReader(file, run, index, bytes));
  const before = (left: RunReader, right: RunReader) =>
    left.time === right.time
      ? left.index < right.index
      : left.time < right.time;
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, at, before);
  while (heap.length > 0) {
    const [first] = heap;
    yield first;
    if (!first.advance()) {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) heap[0] = last;
    }
    sink(heap, 0, before);
  }
}

/** The position of the merge in one run. */
class RunReader {
  readonly #file: TemporaryFile;
  #buffer: Uint8Array;
  #view: DataView;
  /** The next byte of the file. */
  #next: number;
  readonly #end: number;
  #filled = 0;
  /** Where the value behind the current one begins in the buffer. */
  #at = 0;
  /** Number of the run; of equal times, those of earlier runs come first. */
  readonly index: number;
  /** Time of the current value. */
  time = 0;
  /** Text of the current value, valid until the next. */
  value: Uint8Array;

  constructor(file: TemporaryFile, run: Run, index: number, bytes: number) {
    const length = Math.min(bytes, run.end - run.start);
    this.#file = file;
    this.#buffer = new Uint8Array(length);
    this.#view = new DataView(this.#buffer.buffer);
    this.#next = run.start;
    this.#end = run.end;
    this.index = index;
    this.value = this.#buffer;
    this.advance();
  }

  /** Goes to the next value; false at the end. */
  advance(): boolean {
    if (this.#at + HEAD_BYTES > this.#filled && !this.#fill(HEAD_BYTES)) {
      return false;
    }
    const length = HEAD_BYTES + this.#view.getUint32(this.#at + 8);
    if (this.#at + length > this.#filled) this.#fill(length);
    this.time = this.#view.getFloat64(this.#at);
    const end = this.#at + length;
    this.value = this.#buffer.subarray(this.#at + HEAD_BYTES, end);
    this.#at = end;
    return true;
  }

  /** Moves the rest to the front of the buffer and fills it, to at least `least` bytes; false at the end of the run. */
  #fill(least: number): boolean {
    const rest = this.#buffer.subarray(this.#at, this.#filled);
    if (rest.length === 0 && this.#next === this.#end) return false;
    if (least > this.#buffer.length) {
      const larger = new Uint8Array(least);
      larger.set(rest);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    } else this.#buffer.copyWithin(0, this.#at, this.#filled);
    const room = this.#buffer.length - rest.length;
    const count = Math.min(room, this.#end - this.#next);
    this.#file.read(
      this.#buffer.subarray(rest.length, rest.length + count),
      this.#next,
    );
    this.#next += count;
    this.#filled = rest.length + count;
    this.#at = 0;
    return true;
  }
}
