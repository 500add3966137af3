/**
 * The manifest of a folder of days: of which stream the files are, how far in
 * each partition they go, and what each file holds, with checksums. A file, or
 * a part of one, that the manifest does not list does not count.
 */
import { join } from "node:path";
import { DataError } from "../base/error.ts";
import { readIfThere, replaceDurably } from "../base/durable_file.ts";
import { PRIVATE_FILE } from "../base/sqlite/private_file.ts";
import { crc32c } from "../base/crc32c.ts";
import type { RecordMark } from "../log/record_batch.ts";

/** Version of the manifests that are written. */
const VERSION = 2;

/** Form of the files. */
export type DayFormat = "jsonl" | "csv";

/** What a folder holds of one partition. */
export interface PartitionFiles {
  /** Offset of the first record that the log still had when the folder was created. */
  begin: number;
  /** Offset of the next record. */
  offset: number;
  /** Greatest TX_TIME_SECONDS of the rows up to the offset. */
  progress: number;
  /** The last record taken; null before the first, and in folders of an older version until then. */
  mark: RecordMark | null;
}

/** A file in the manifest. */
export interface KnownFile {
  /** Its length, or how much of a growing file counts. */
  bytes: number;
  /** CRC-32C of these bytes. */
  check: number;
}

/** A file that grows. */
export interface GrowingFile extends KnownFile {
  /** TX_TIME_DAYS of its rows. */
  readonly day: number;
}

/** What a folder of days holds. */
export interface Manifest {
  /** Version of its form. */
  readonly version: 2;
  /** Which stream it is: StreamIdentity.id. */
  readonly stream: string;
  /** Form of the files. */
  readonly format: DayFormat;
  /** Each partition. */
  readonly partitions: PartitionFiles[];
  /** The growing files, by date. */
  readonly parts: Record<string, GrowingFile>;
  /** The complete files, by date. */
  readonly complete: Record<string, KnownFile>;
  /** Names of files to remove, because the folder is filled again. */
  removing: string[];
}

/** A damaged folder of days; the message names the file, and the caller adds what to do. */
export class FolderDamage extends DataError {}

/** A manifest of version 1: without stream, checksums and marks. */
interface OldManifest {
  readonly version: 1;
  readonly format: DayFormat;
  readonly offsets: readonly number[];
  readonly progress: readonly number[];
  readonly parts: Readonly<Record<string, { bytes: number; day: number }>>;
  readonly complete: readonly string[];
}

/** The manifest of a folder that holds nothing yet. */
export function emptyManifest(
  { stream, format, partitions }: {
    readonly stream: string;
    readonly format: DayFormat;
    readonly partitions: number;
  },
): Manifest {
  return {
    version: VERSION,
    stream,
    format,
    partitions: Array.from({ length: partitions }, () => ({
      begin: 0,
      offset: 0,
      progress: 0,
      mark: null,
    })),
    parts: {},
    complete: {},
    removing: [],
  };
}

/** Where a folder's manifest is. */
export function manifestPath(folder: string): string {
  return join(folder, "manifest.json");
}

/**
 * Reads a folder's manifest; undefined if there is none. Version 1 names no
 * stream and has no checksums: its files are trusted. Throws FolderDamage.
 */
export function readManifest(
  folder: string,
  stream: string,
): Manifest | undefined {
  const path = manifestPath(folder);
  const bytes = readIfThere(path);
  if (!bytes) return undefined;
  let found: { version?: unknown; check?: unknown };
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged(path);
  }
  const { check, ...manifest } = found ?? {};
  if (manifest.version === VERSION && check === checkOf(manifest)) {
    return manifest as Manifest;
  }
  if (check === undefined && isOld(manifest)) {
    return fromOld(manifest, folder, stream);
  }
  if (typeof manifest.version === "number" && manifest.version > VERSION) {
    throw new FolderDamage(
      `${path} is a manifest of version ${manifest.version}, this program ` +
        `reads up to version ${VERSION}`,
    );
  }
  throw damaged(path);
}

/** Writes a folder's manifest, durably. */
export function writeManifest(folder: string, manifest: Manifest): void {
  const checked = { ...manifest, check: checkOf(manifest) };
  const text = JSON.stringify(checked, null, 1) + "\n";
  replaceDurably(
    manifestPath(folder),
    new TextEncoder().encode(text),
    PRIVATE_FILE,
  );
}

/** Offset of the next record of each partition that a folder of days needs; undefined if there is none yet. */
export function manifestOffsets(folder: string): readonly number[] | undefined {
  return readManifest(folder, "")?.partitions.map(({ offset }) => offset);
}

/** Checksum over everything that a manifest says. */
function checkOf(manifest: unknown): number {
  return crc32c(new TextEncoder().encode(JSON.stringify(manifest)));
}

function damaged(path: string): FolderDamage {
  return new FolderDamage(`${path} is damaged or not of this program`);
}

function isOld(found: object): found is OldManifest {
  const { version, format, offsets, progress, parts, complete } =
    found as Partial<OldManifest>;
  const areNumbers = (values: unknown) =>
    Array.isArray(values) &&
    values.every((value) => Number.isSafeInteger(value) && value >= 0);
  return version === 1 && (format === "jsonl" || format === "csv") &&
    areNumbers(offsets) && areNumbers(progress) &&
    offsets?.length === progress?.length &&
    typeof parts === "object" && parts !== null &&
    Object.values(parts).every(({ bytes, day }) => areNumbers([bytes, day])) &&
    Array.isArray(complete) &&
    [...Object.keys(parts), ...complete].every(isDate);
}

function fromOld(old: OldManifest, folder: string, stream: string): Manifest {
  const known = (name: string, length?: number): KnownFile => {
    const bytes = readIfThere(join(folder, name));
    if (!bytes || bytes.length < (length ?? 0)) {
      throw new FolderDamage(
        `${join(folder, name)} is ${bytes ? "too short" : "missing"}`,
      );
    }
    const counted = bytes.subarray(0, length);
    return { bytes: counted.length, check: crc32c(counted) };
  };
  return {
    ...emptyManifest({
      stream,
      format: old.format,
      partitions: old.offsets.length,
    }),
    partitions: old.offsets.map((offset, partition) => ({
      begin: 0,
      offset,
      progress: old.progress[partition],
      mark: null,
    })),
    parts: Object.fromEntries(
      Object.entries(old.parts).map(([date, { bytes, day }]) => [
        date,
        { ...known(`${date}.part`, bytes), day },
      ]),
    ),
    complete: Object.fromEntries(
      old.complete.map((date) => [date, known(`${date}.${old.format}`)]),
    ),
  };
}

/** Whether a text is a date as the files are named. */
export function isDate(text: unknown): boolean {
  return typeof text === "string" && /^\d{4,6}-\d\d-\d\d$/.test(text);
}
