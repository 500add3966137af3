/**
 * CSV by RFC 4180 cut into records: fields may be quoted, and quoted ones may
 * hold separators, doubled quotes and line breaks. A quote that is never
 * closed, or closed in the middle of a field, breaks only its own line.
 */
import type { LineBlock } from "./line_block.ts";

/** What separates the fields of a record. */
export type Separator = "," | ";" | "\t";

/** Longest record, its line breaks included; a quote that is still open then is broken. */
const RECORD_BYTES_MAX = 64 * 1024;

const QUOTE = 34;
const LF = 10;

/** Consecutive records, each ended by the LF before `ends`. */
export interface CsvRecords {
  /** The bytes that they lie in. */
  readonly bytes: Uint8Array;
  /** Offset of each record. */
  readonly starts: readonly number[];
  /** Offset behind each record's last LF. */
  readonly ends: readonly number[];
  /** Number of the line where each begins, from 1. */
  readonly lines: readonly number[];
  /** Whether there is a quote in any of them. */
  readonly quoted: boolean;
}

const OPEN = -1;
const BROKEN = -2;

/** Cuts blocks of lines into records; a record may continue in the next block. */
export class CsvCutter {
  readonly #separator: Separator;
  readonly #separatorByte: number;
  readonly #isRecord: (fields: readonly string[]) => boolean;
  #rest = new Uint8Array(0);
  #restLine = 1;

  /**
   * Cuts records with this separator. `isRecord` judges the fields of a
   * possible record of several lines: if it is not one, a stray quote has
   * joined lines, and only the first of them is broken.
   */
  constructor(
    separator: Separator,
    isRecord: (fields: readonly string[]) => boolean,
  ) {
    this.#separator = separator;
    this.#separatorByte = separator.charCodeAt(0);
    this.#isRecord = isRecord;
  }

  /** The records that end in `block`. */
  cut(block: LineBlock): CsvRecords {
    if (this.#rest.length > 0) {
      const bytes = new Uint8Array(this.#rest.length + block.bytes.length);
      bytes.set(this.#rest);
      bytes.set(block.bytes, this.#rest.length);
      return this.#cut(bytes, this.#restLine, false);
    }
    const { bytes, firstLine, starts } = block;
    if (bytes.includes(QUOTE)) return this.#cut(bytes, firstLine, false);
    const ends = starts.slice(1);
    ends.push(bytes.length);
    const lines = starts.map((_, index) => firstLine + index);
    return { bytes, starts, ends, lines, quoted: false };
  }

  /** What remains after the last block: lines after a quote that never closes. */
  finish(): CsvRecords {
    return this.#cut(this.#rest, this.#restLine, true);
  }

  #cut(bytes: Uint8Array, firstLine: number, ended: boolean): CsvRecords {
    const starts: number[] = [];
    const ends: number[] = [];
    const lines: number[] = [];
    let line = firstLine;
    let at = 0;
    this.#rest = new Uint8Array(0);
    while (at < bytes.length) {
      let end = this.#end(bytes, at);
      if (end === OPEN && !ended && bytes.length - at < RECORD_BYTES_MAX) {
        this.#rest = bytes.slice(at);
        this.#restLine = line;
        break;
      }
      const lineEnd = bytes.indexOf(LF, at) + 1;
      if (end > lineEnd && !this.#joins(bytes.subarray(at, end - 1))) {
        end = BROKEN;
      }
      // Broken quotes: the line alone is the record, and is refused when read.
      if (end < 0) end = lineEnd;
      starts.push(at);
      ends.push(end);
      lines.push(line);
      for (let i = lineEnd; i <= end; i = bytes.indexOf(LF, i) + 1) {
        line++;
        if (i === end) break;
      }
      at = end;
    }
    return { bytes, starts, ends, lines, quoted: true };
  }

  /** Whether lines that a quote joins are one record. */
  #joins(record: Uint8Array): boolean {
    const text = new TextDecoder().decode(record);
    const fields = splitRecord(text, this.#separator);
    return fields !== undefined && this.#isRecord(fields);
  }

  /** Offset behind the record at `at`, OPEN if its last quote is open at the end, or BROKEN. */
  #end(bytes: Uint8Array, at: number): number {
    for (let i = at;;) {
      if (bytes[i] === QUOTE) {
        i = closingQuote(bytes, i + 1) + 1;
        if (i === 0) return OPEN;
        if (bytes[i] !== this.#separatorByte && bytes[i] !== LF) return BROKEN;
      }
      while (bytes[i] !== this.#separatorByte && bytes[i] !== LF) i++;
      if (bytes[i++] !== LF) continue;
      return i - at > RECORD_BYTES_MAX ? BROKEN : i;
    }
  }
}

/** Offset of the quote that closes a field whose text begins at `at`; -1 if none does. */
function closingQuote(bytes: Uint8Array, at: number): number {
  for (let i = at;;) {
    i = bytes.indexOf(QUOTE, i);
    if (i < 0 || bytes[i + 1] !== QUOTE) return i;
    i += 2;
  }
}

/**
 * The fields of a record's text, without its last line break; undefined if its
 * quotes are broken. Quotes inside a field that does not begin with one are
 * plain characters.
 */
export function splitRecord(
  text: string,
  separator: Separator,
): string[] | undefined {
  if (!text.includes('"')) return text.split(separator);
  const fields: string[] = [];
  for (let at = 0;;) {
    let end: number;
    if (text[at] === '"') {
      const field = /"([^"]*(?:""[^"]*)*)"/y;
      field.lastIndex = at;
      const match = field.exec(text);
      if (match === null) return undefined;
      end = at + match[0].length;
      if (end < text.length && text[end] !== separator) return undefined;
      fields.push(match[1].replaceAll('""', '"'));
    } else {
      end = text.indexOf(separator, at);
      if (end < 0) end = text.length;
      fields.push(text.slice(at, end));
    }
    if (end === text.length) return fields;
    at = end + 1;
  }
}
