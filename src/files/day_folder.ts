/**
 * A folder with one file an event day that grows exactly once: see files.ts.
 * A flush is: append to the .part files and sync them, then replace the
 * manifest. Whatever happens in between, the manifest says what counts, and
 * nothing is removed before what replaces it is on disk.
 */
import { join } from "node:path";
import { DataError } from "../base/error.ts";
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import {
  partialPath,
  readIfThere,
  readPieces,
  replaceDurably,
  syncFolder,
  writeDurably,
} from "../base/durable_file.ts";
import { fileError } from "../base/file_error.ts";
import { crc32c } from "../base/crc32c.ts";
import {
  type RecordBatch,
  recordMark,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { PRIVATE_FILE } from "../base/sqlite/private_file.ts";
import { ByteWriter } from "../base/byte_writer.ts";
import { formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { DayLines } from "./day_lines.ts";
import {
  type DayFormat,
  emptyManifest,
  FolderDamage,
  isDate,
  type KnownFile,
  type Manifest,
  type PartitionFiles,
  readManifest,
  writeManifest,
} from "./day_manifest.ts";

/** How a folder of days is opened. */
export interface DayFolderOptions {
  /** The folder; it must exist. */
  readonly path: string;
  /** Form of the rows. */
  readonly format: DayFormat;
  /** Which stream the rows are of: StreamIdentity.id. */
  readonly stream: string;
  /** The features of the rows. */
  readonly features: FeatureParameters;
  /** The form of the payments. */
  readonly shape: PaymentShape;
  /** Partitions that the rows come from. */
  readonly partitions: number;
  /** How far ahead of its partition's progress a row is plausible, seconds. */
  readonly maxGapSeconds: number;
}

const FULL_BYTES = 8 << 20;

/** The files of one folder; nothing is held open between flushes. */
export class DayFolder {
  readonly #options: DayFolderOptions;
  readonly #pending = new Map<string, ByteWriter>();
  readonly #reader: FeatureJsonReader;
  readonly #lines: DayLines;
  readonly #cells: Float64Array;
  readonly #texts = new TextHeap();
  #manifest: Manifest;
  #pendingBytes = 0;
  #changed = false;
  readonly #unverified: string[] = [];
  /** Whether there are files whose names may not be on disk yet. */
  #named = false;

  private constructor(options: DayFolderOptions, manifest: Manifest) {
    const { features, shape } = options;
    this.#options = options;
    this.#manifest = manifest;
    this.#reader = new FeatureJsonReader(features, shape);
    this.#lines = new DayLines(options);
    this.#cells = new Float64Array(featureRowCells(features, shape));
  }

  /**
   * Opens a folder where the manifest says it stands, or begins one. Throws
   * DataError if it is another stream's or has another form, and FolderDamage
   * if a file is not as it was left: of complete days only the length is
   * looked at here, see verifyNext().
   */
  static open(options: DayFolderOptions): DayFolder {
    const { path, stream } = options;
    const found = readManifest(path, stream);
    const manifest = found ?? emptyManifest(options);
    if (found) checkOptions(found, options);
    const folder = new DayFolder(options, manifest);
    folder.#finishRemoving();
    folder.#refuseUnknownDays(found !== undefined);
    for (const [date, part] of Object.entries(manifest.parts)) {
      folder.#check(`${date}.part`, part);
    }
    for (const [date, file] of Object.entries(manifest.complete)) {
      folder.#checkLength(folder.#finalName(date), file);
    }
    folder.#unverified.push(...Object.keys(manifest.complete));
    folder.#cutBack();
    // One of an older version has its checksums from now on.
    if (found) writeManifest(path, manifest);
    return folder;
  }

  /** What the folder holds of each partition. */
  get partitions(): readonly Readonly<PartitionFiles>[] {
    return this.#manifest.partitions;
  }

  /** Offset of the next record of each partition. */
  get offsets(): readonly number[] {
    return this.#manifest.partitions.map(({ offset }) => offset);
  }

  /** Whether a flush is due to bound the memory. */
  get full(): boolean {
    return this.#pendingBytes > FULL_BYTES;
  }

  /** Begins an empty folder at the first records that the log still has. */
  beginAt(offsets: readonly number[]): void {
    for (const [partition, offset] of offsets.entries()) {
      Object.assign(this.#manifest.partitions[partition], {
        begin: offset,
        offset,
      });
    }
  }

  /** Removes all files that the manifest knows: the folder is filled again from the beginning. */
  startOver(): void {
    const { parts, complete } = this.#manifest;
    this.#manifest = emptyManifest(this.#options);
    this.#manifest.removing.push(
      ...Object.keys(parts).map((date) => `${date}.part`),
      // A reopened day has its former file besides, until it is replaced.
      ...Object.keys({ ...parts, ...complete }).map((date) =>
        this.#finalName(date)
      ),
    );
    writeManifest(this.#options.path, this.#manifest);
    this.#finishRemoving();
  }

  /**
   * Reads one more of the days that were complete when the folder was opened;
   * false if there are no more. Throws FolderDamage if it is not as it was
   * written.
   */
  verifyNext(): boolean {
    const date = this.#unverified.pop();
    if (date === undefined) return false;
    const file = this.#manifest.complete[date];
    if (file) this.#check(this.#finalName(date), file);
    return true;
  }

  /** Takes all records of a batch, except those that the writer makes dead letters of: unreadable or implausible. */
  append(
    partition: number,
    batch: RecordBatch,
    startSeconds: number | undefined,
  ): void {
    for (let i = 0; i < batch.count; i++) {
      this.#texts.clear();
      const defect = this.#reader.read(
        batch.bytes,
        valueStart(batch, i),
        valueEnd(batch, i),
        startSeconds,
        this.#cells,
        0,
        this.#texts,
      );
      if (!defect && this.#isPlausible(partition)) this.#appendRow();
    }
    const position = this.#manifest.partitions[partition];
    position.offset = batch.next;
    if (batch.count > 0) position.mark = recordMark(batch, batch.count - 1);
    this.#changed = true;
  }

  /** Whether the row in the cells is no more than the gap ahead; moves the progress if so. */
  #isPlausible(partition: number): boolean {
    const position = this.#manifest.partitions[partition];
    const time = this.#cells[CELL.time];
    if (time > position.progress + this.#options.maxGapSeconds) return false;
    if (time > position.progress) position.progress = time;
    return true;
  }

  #appendRow(): void {
    const date = formatDate(this.#cells[CELL.datetime]);
    let writer = this.#pending.get(date);
    if (!writer) {
      writer = new ByteWriter(65_536);
      this.#pending.set(date, writer);
      this.#open(date);
    }
    const before = writer.length;
    this.#lines.write(writer, this.#cells, this.#texts);
    this.#pendingBytes += writer.length - before;
  }

  /** Adds a day to the manifest, and reopens a complete one. */
  #open(date: string): void {
    const { parts, complete } = this.#manifest;
    if (date in parts) return;
    const day = Math.floor(this.#cells[CELL.time] / DAY_SECONDS);
    parts[date] = { bytes: 0, check: 0, day };
    const file = complete[date];
    if (!file) return;
    const bytes = this.#readKnown(this.#finalName(date), file)
      .subarray(this.#lines.header.length);
    delete complete[date];
    this.#appendTo(date, bytes);
  }

  /** Syncs everything taken so far to disk. */
  flush(): void {
    if (!this.#changed) return;
    for (const [date, writer] of this.#pending) {
      this.#appendTo(date, writer.view());
    }
    if (this.#named) syncFolder(this.#options.path);
    this.#named = false;
    writeManifest(this.#options.path, this.#manifest);
    this.#pending.clear();
    this.#pendingBytes = 0;
    this.#changed = false;
  }

  #appendTo(date: string, bytes: Uint8Array): void {
    const part = this.#manifest.parts[date];
    if (part.bytes === 0) this.#named = true;
    writeDurably(this.#pathOf(`${date}.part`), part.bytes, bytes, PRIVATE_FILE);
    part.bytes += bytes.length;
    part.check = crc32c(bytes, part.check);
  }

  /** Whether a growing file belongs to a day below `days`. */
  hasBefore(days: number): boolean {
    return Object.values(this.#manifest.parts).some(({ day }) => day < days);
  }

  /** Completes the days below `days` and returns their dates; call after flush(). */
  complete(days: number): string[] {
    const { parts, complete } = this.#manifest;
    const dates = Object.keys(parts).filter((date) => parts[date].day < days)
      .sort();
    for (const date of dates) complete[date] = this.#sortInto(date);
    for (const date of dates) delete parts[date];
    if (dates.length === 0) return dates;
    writeManifest(this.#options.path, this.#manifest);
    for (const date of dates) remove(this.#pathOf(`${date}.part`));
    return dates;
  }

  /** Writes a day's file from its part: the rows by TRANSACTION_ID. This keeps all rows of the day in memory, about twice their bytes. */
  #sortInto(date: string): KnownFile {
    const { parts } = this.#manifest;
    const part = this.#readKnown(`${date}.part`, parts[date]);
    const bytes = this.#lines.sorted(part);
    replaceDurably(this.#pathOf(this.#finalName(date)), bytes, PRIVATE_FILE);
    return { bytes: bytes.length, check: crc32c(bytes) };
  }

  /** The bytes of a file that count. Throws FolderDamage if they are not as they were written. */
  #readKnown(name: string, file: KnownFile): Uint8Array {
    this.#check(name, file);
    const found = readIfThere(this.#pathOf(name));
    return (found ?? new Uint8Array()).subarray(0, file.bytes);
  }

  /** Throws FolderDamage unless the bytes of a file that count are as they were written. */
  #check(name: string, { bytes, check }: KnownFile): void {
    const path = this.#pathOf(name);
    let [length, sum] = [0, 0];
    for (const piece of readPieces(path, bytes)) {
      length += piece.length;
      sum = crc32c(piece, sum);
    }
    if (length < bytes) this.#checkLength(name, { bytes, check });
    if (sum === check) return;
    throw new FolderDamage(`${path} is damaged: its checksum is wrong`);
  }

  #checkLength(name: string, { bytes }: KnownFile): void {
    const path = this.#pathOf(name);
    let size: number;
    try {
      size = Deno.statSync(path).size;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw fileError(error, "read", path);
      }
      throw new FolderDamage(`${path} is missing`);
    }
    if (size === bytes) return;
    throw new FolderDamage(
      `${path} has ${size} bytes, it should have ${bytes}`,
    );
  }

  /** Throws DataError for a day's file that the manifest does not know: it may be another program's, and would be replaced one day. */
  #refuseUnknownDays(found: boolean): void {
    const { parts, complete } = this.#manifest;
    const { path } = this.#options;
    const ending = `.${this.#options.format}`;
    for (const name of this.#names()) {
      const date = name.slice(0, -ending.length);
      if (!name.endsWith(ending) || !isDate(date)) continue;
      if (date in parts || date in complete) continue;
      throw new DataError(
        found
          ? `${path} holds ${name}, which its manifest.json does not know: ` +
            "move that file to another folder"
          : `${path} holds ${name} but no manifest.json: choose an empty ` +
            "folder for --files, which is filled from the log",
      );
    }
  }

  /** Truncates or removes what the manifest does not list. */
  #cutBack(): void {
    const { parts } = this.#manifest;
    for (const name of this.#names()) {
      const path = this.#pathOf(name);
      const date = name.slice(0, name.lastIndexOf("."));
      if (name.endsWith(".part") && isDate(date)) {
        if (date in parts) truncate(path, parts[date].bytes);
        else remove(path);
      }
      // A partial day file, which a start would sort again.
      const half = isDate(name.slice(0, name.indexOf("."))) &&
        name === partialPath(this.#finalName(name.slice(0, name.indexOf("."))));
      if (half) remove(path);
    }
  }

  #finishRemoving(): void {
    if (this.#manifest.removing.length === 0) return;
    for (const name of this.#manifest.removing) remove(this.#pathOf(name));
    syncFolder(this.#options.path);
    this.#manifest.removing = [];
    writeManifest(this.#options.path, this.#manifest);
  }

  #names(): string[] {
    const { path } = this.#options;
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch (error) {
      throw fileError(error, "list", path);
    }
  }

  #finalName(date: string): string {
    return `${date}.${this.#options.format}`;
  }

  #pathOf(name: string): string {
    return join(this.#options.path, name);
  }
}

/** Throws DataError unless a folder is the stream's and has the form that is wanted. */
function checkOptions(
  { stream, format, partitions }: Manifest,
  options: DayFolderOptions,
): void {
  const { path } = options;
  if (stream !== options.stream) {
    throw new DataError(
      `${path} holds the files of another stream (${stream}, this one is ` +
        `${options.stream}): choose another folder for --files, or delete ` +
        "this one if that stream is gone",
    );
  }
  if (format !== options.format) {
    throw new DataError(
      `${path} holds ${format} files, not ${options.format}: choose ` +
        `another folder for --files`,
    );
  }
  if (partitions.length !== options.partitions) {
    throw new DataError(
      `${path} holds the files of a stream with ${partitions.length} ` +
        `partitions, not ${options.partitions}: choose another folder for ` +
        `--files`,
    );
  }
}

function truncate(path: string, bytes: number): void {
  try {
    Deno.truncateSync(path, bytes);
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(error, "remove", path);
  }
}
