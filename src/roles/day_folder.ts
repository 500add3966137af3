/**
 * A folder with one file an event day that grows exactly once: see files.ts.
 * A flush is: append to the .part files and sync them, then replace the
 * manifest. Whatever happens in between, the manifest tells what counts.
 */
import { join } from "node:path";
import { DataError } from "../error/error.ts";
import {
  FeatureJsonReader,
  FeatureJsonWriter,
  fromCells,
  TRANSACTION_CELLS,
} from "../features/feature_row.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
} from "../features/parameters.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { PRIVATE_FILE } from "../sqlite/private_file.ts";
import { ByteWriter } from "../transaction/byte_writer.ts";
import { formatDate, formatDatetime } from "../transaction/calendar.ts";
import {
  DAY_SECONDS,
  emptyTransaction,
  type Transaction,
  TRANSACTION_FIELDS,
} from "../transaction/transaction.ts";

/** How a folder of days is opened. */
export interface DayFolderOptions {
  /** The folder; it must exist. */
  readonly path: string;
  /** Form of the rows. */
  readonly format: "jsonl" | "csv";
  /** The features of the rows. */
  readonly features: FeatureParameters;
  /** Partitions that the rows come from. */
  readonly partitions: number;
  /** How far ahead of its partition's progress a row is plausible, seconds. */
  readonly maxGapSeconds: number;
}

interface Manifest {
  readonly version: 1;
  readonly format: "jsonl" | "csv";
  readonly offsets: number[];
  /** Greatest TX_TIME_SECONDS of each partition's rows up to its offset. */
  readonly progress: number[];
  /** The growing files: length in bytes and number of the day. */
  readonly parts: Record<string, { bytes: number; day: number }>;
  readonly complete: string[];
}

const FULL_BYTES = 8 << 20;

/** The files of one folder; nothing is held open between flushes. */
export class DayFolder {
  readonly #options: DayFolderOptions;
  readonly #manifest: Manifest;
  readonly #pending = new Map<string, ByteWriter>();
  readonly #reader: FeatureJsonReader;
  readonly #json: FeatureJsonWriter;
  readonly #cells: Float64Array;
  readonly #row = emptyTransaction();
  #pendingBytes = 0;
  #changed = false;

  private constructor(options: DayFolderOptions, manifest: Manifest) {
    const { features } = options;
    this.#options = options;
    this.#manifest = manifest;
    this.#reader = new FeatureJsonReader(features);
    this.#json = new FeatureJsonWriter(features);
    this.#cells = new Float64Array(TRANSACTION_CELLS + featureCount(features));
  }

  /** Opens a folder where the manifest says it stands, or begins one. */
  static open(options: DayFolderOptions): DayFolder {
    const { path, format, partitions } = options;
    const manifest = readManifest(join(path, "manifest.json")) ?? {
      version: 1,
      format,
      offsets: Array(partitions).fill(0),
      progress: Array(partitions).fill(0),
      parts: {},
      complete: [],
    };
    if (manifest.format !== format) {
      throw new DataError(
        `${path} holds ${manifest.format} files, not ${format}: choose ` +
          `another folder for --files`,
      );
    }
    if (manifest.offsets.length !== partitions) {
      throw new DataError(
        `${path} holds the files of a stream with ` +
          `${manifest.offsets.length} partitions, not ${partitions}: choose ` +
          `another folder for --files`,
      );
    }
    const folder = new DayFolder(options, manifest);
    folder.#restore();
    return folder;
  }

  /** Offset of the next record of each partition. */
  get offsets(): readonly number[] {
    return this.#manifest.offsets;
  }

  /** Whether a flush is due to bound the memory. */
  get full(): boolean {
    return this.#pendingBytes > FULL_BYTES;
  }

  /** Takes all records of a batch, but those that the writer makes dead letters of: unreadable or implausible. */
  append(
    partition: number,
    batch: RecordBatch,
    startSeconds: number | undefined,
  ): void {
    for (let i = 0; i < batch.count; i++) {
      const defect = this.#reader.read(
        batch.bytes,
        valueStart(batch, i),
        valueEnd(batch, i),
        startSeconds,
        this.#cells,
        0,
      );
      if (!defect && this.#isPlausible(partition)) this.#appendRow();
    }
    this.#manifest.offsets[partition] = batch.next;
    this.#changed = true;
  }

  /** Whether the row in the cells is no more than the gap ahead; moves the progress if so. */
  #isPlausible(partition: number): boolean {
    const { progress } = this.#manifest;
    const time = this.#cells[5];
    if (time > progress[partition] + this.#options.maxGapSeconds) return false;
    if (time > progress[partition]) progress[partition] = time;
    return true;
  }

  #appendRow(): void {
    fromCells(this.#cells, 0, this.#row);
    const date = formatDate(this.#row.datetimeSeconds);
    let writer = this.#pending.get(date);
    if (!writer) {
      writer = new ByteWriter(65_536);
      this.#pending.set(date, writer);
      this.#open(date);
    }
    const before = writer.length;
    const values = this.#cells.subarray(TRANSACTION_CELLS);
    if (this.#options.format === "jsonl") {
      this.#json.write(writer, this.#row, values);
    } else writer.ascii(csvLine(this.#row, values));
    writer.ascii("\n");
    this.#pendingBytes += writer.length - before;
  }

  /** Makes a day known to the manifest, taking a complete one up again. */
  #open(date: string): void {
    const { parts, complete } = this.#manifest;
    if (date in parts) return;
    const day = Math.floor(this.#row.timeSeconds / DAY_SECONDS);
    const at = complete.indexOf(date);
    if (at < 0) {
      parts[date] = { bytes: 0, day };
      return;
    }
    complete.splice(at, 1);
    const bytes = Deno.readFileSync(this.#finalPath(date))
      .subarray(this.#header().length);
    const mode = PRIVATE_FILE;
    Deno.writeFileSync(this.#partPath(date), bytes, { mode });
    parts[date] = { bytes: bytes.length, day };
  }

  /** Puts everything taken so far on disk. */
  flush(): void {
    if (!this.#changed) return;
    for (const [date, writer] of this.#pending) {
      const part = this.#manifest.parts[date];
      using file = Deno.openSync(this.#partPath(date), {
        write: true,
        create: true,
        mode: PRIVATE_FILE,
      });
      file.seekSync(part.bytes, Deno.SeekMode.Start);
      writeAll(file, writer.view());
      file.syncSync();
      part.bytes += writer.length;
    }
    this.#pending.clear();
    this.#pendingBytes = 0;
    this.#saveManifest();
    this.#changed = false;
  }

  /** Whether a growing file belongs to a day below `days`. */
  hasBefore(days: number): boolean {
    return Object.values(this.#manifest.parts).some(({ day }) => day < days);
  }

  /** Completes the days below `days` and gives their dates; call after flush(). */
  complete(days: number): string[] {
    const { parts, complete } = this.#manifest;
    const dates = Object.keys(parts).filter((date) => parts[date].day < days)
      .sort();
    for (const date of dates) this.#sortInto(date, parts[date].bytes);
    for (const date of dates) {
      delete parts[date];
      complete.push(date);
    }
    if (dates.length === 0) return dates;
    this.#saveManifest();
    for (const date of dates) Deno.removeSync(this.#partPath(date));
    return dates;
  }

  #sortInto(date: string, bytes: number): void {
    const part = Deno.readFileSync(this.#partPath(date)).subarray(0, bytes);
    const lines = new TextDecoder().decode(part).split("\n");
    lines.pop(); // what follows the last newline
    const prefix = this.#options.format === "jsonl"
      ? '{"TRANSACTION_ID":'.length
      : 0;
    const keyed = lines.map((line) => ({
      line,
      id: Number.parseInt(line.slice(prefix, prefix + 17)),
    }));
    keyed.sort((a, b) => a.id - b.id);
    const text = this.#header() + keyed.map(({ line }) => line + "\n").join("");
    replaceFile(this.#finalPath(date), new TextEncoder().encode(text));
  }

  #header(): string {
    if (this.#options.format === "jsonl") return "";
    const names = featureNames(this.#options.features);
    return [...TRANSACTION_FIELDS, ...names].join(",") + "\n";
  }

  /** Cuts off or removes what the manifest does not know. */
  #restore(): void {
    const { path } = this.#options;
    const { parts } = this.#manifest;
    for (const { name } of [...Deno.readDirSync(path)]) {
      if (!name.endsWith(".part")) continue;
      const part = parts[name.slice(0, -".part".length)];
      if (part) Deno.truncateSync(join(path, name), part.bytes);
      else Deno.removeSync(join(path, name));
    }
  }

  #saveManifest(): void {
    const text = JSON.stringify(this.#manifest, null, 1) + "\n";
    const path = join(this.#options.path, "manifest.json");
    replaceFile(path, new TextEncoder().encode(text));
  }

  #partPath(date: string): string {
    return join(this.#options.path, `${date}.part`);
  }

  #finalPath(date: string): string {
    return join(this.#options.path, `${date}.${this.#options.format}`);
  }
}

/** Offset of the next record of each partition that a folder of days needs; undefined if there is none yet. */
export function manifestOffsets(folder: string): readonly number[] | undefined {
  return readManifest(join(folder, "manifest.json"))?.offsets;
}

function readManifest(path: string): Manifest | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    const manifest = JSON.parse(text) as Manifest;
    if (manifest.version === 1) return manifest;
  } catch {
    // Said below: it is no manifest.
  }
  throw new DataError(
    `${path} is not the manifest of a --files folder; choose another folder`,
  );
}

function csvLine(row: Transaction, values: Float64Array): string {
  const { transactionId, customerId, terminalId, amount, timeSeconds } = row;
  const datetime = formatDatetime(row.datetimeSeconds);
  const days = Math.floor(timeSeconds / DAY_SECONDS);
  return `${transactionId},${datetime},${customerId},${terminalId},${amount},` +
    `${timeSeconds},${days},${row.fraud},${row.scenario},${values.join(",")}`;
}

/** Writes beside, syncs, and renames: the file is old or new, never half. */
function replaceFile(path: string, bytes: Uint8Array): void {
  const beside = `${path}.partial`;
  {
    using file = Deno.openSync(beside, {
      write: true,
      create: true,
      mode: PRIVATE_FILE,
      truncate: true,
    });
    writeAll(file, bytes);
    file.syncSync();
  }
  Deno.renameSync(beside, path);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    written += file.writeSync(bytes.subarray(written));
  }
}
