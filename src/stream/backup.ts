/**
 * A backup: a folder with copies of a running stream's log, store and models,
 * all of one moment, and backup.json, which lists what was copied. That file is
 * written last, so a folder without it is not a finished backup.
 */
import { shapeOfStream } from "./stream_definition.ts";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { ConfigError, DataError, LogError } from "../base/error.ts";
import {
  makeFolder,
  replaceWhole,
  syncFile,
  trySyncFolder,
} from "../base/durable_file.ts";
import { fileError } from "../base/file_error.ts";
import { EmbeddedLog } from "../log/embedded/embedded_log.ts";
import type { LogReport } from "../log/log.ts";
import { logPath } from "../log/open_log.ts";
import { Control } from "./control.ts";
import { CONTROL_TOPIC } from "./topics.ts";
import { DatabaseView } from "../base/sqlite/database_copy.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../base/sqlite/private_file.ts";
import { refuseBadRow } from "../store/stored_row.ts";
import { openStore, storePath } from "../store/open_store.ts";
import type { StreamPosition } from "../store/positions.ts";

const CONTENTS = "backup.json";
const MODELS = "models";
const FORMAT = 1;

/** One file of a backup. */
interface CopiedFile {
  /** Path below the folder, with slashes. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, in hexadecimal. */
  readonly sha256: string;
}

/** What backup.json says. */
interface Contents {
  /** Version of this file's form. */
  readonly format: number;
  /** When the copy was started, ISO 8601. */
  readonly taken: string;
  /** The stream's id; null in a stream that has none yet. */
  readonly stream: string | null;
  /** The files. */
  readonly files: readonly CopiedFile[];
}

/** What a backup holds. */
export interface BackupSummary {
  /** When it was started, ISO 8601. */
  readonly taken: string;
  /** Number of files. */
  readonly files: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Records in the log. */
  readonly records: number;
  /** Payments in the store; undefined where it holds no store. */
  readonly payments: number | undefined;
}

/** What to copy, and where to. */
export interface BackupPlan {
  /** The data folder. */
  readonly from: string;
  /** The folder of the copy, which is made. */
  readonly to: string;
  /** Whether the stream's store is in the data folder, too. */
  readonly withStore: boolean;
}

/**
 * Copies a stream, which may be running, and checks the copy. Throws ConfigError if `to` is in use, DataError,
 * LogError or StoreError if something cannot be read, written or is damaged.
 */
export async function makeBackup(
  { from, to, withStore }: BackupPlan,
  report: LogReport,
): Promise<BackupSummary> {
  makeEmpty(to);
  const taken = new Date().toISOString();
  const copied: string[] = [];
  {
    await using log = new EmbeddedLog({
      path: logPath(from),
      durable: true,
      report,
    });
    const views = await viewsOf(log, [
      ...withStore ? [storePath(from)] : [],
      logPath(from),
    ]);
    using held = new DisposableStack();
    for (const view of views.values()) held.use(view);
    for (const [name, view] of views) {
      const path = join(to, name);
      try {
        view.copyTo(path);
      } catch (error) {
        throw copyError(error, join(from, name), path);
      }
    }
    copied.push(...views.keys());
  }
  // Models do not change; those that the log names existed before its records.
  const models = isThere(join(from, MODELS), "isDirectory")
    ? copyModels(from, to)
    : [];
  const stream = await identityOf(to);
  const files = [...copied, ...models].map((path) => {
    syncFile(join(to, path));
    return { path, ...sumOf(join(to, path)) };
  });
  for (const folder of foldersOf(files)) trySyncFolder(join(to, folder));
  const contents: Contents = { format: FORMAT, taken, stream, files };
  const text = JSON.stringify(contents, null, 2) + "\n";
  replaceWhole(
    join(to, CONTENTS),
    new TextEncoder().encode(text),
    PRIVATE_FILE,
  );
  return await checkBackup(to, report);
}

/**
 * Views of store and log at one moment, while no process can append or commit.
 * So the store holds everything that the log says is stored, and nothing that
 * the log does not hold.
 */
async function viewsOf(
  log: EmbeddedLog,
  paths: readonly string[],
): Promise<Map<string, DatabaseView>> {
  return await log.standing(() => {
    const views = new Map<string, DatabaseView>();
    try {
      for (const path of paths) {
        if (!isThere(path, "isFile")) continue;
        views.set(basename(path), new DatabaseView(path));
      }
    } catch (error) {
      for (const view of views.values()) view[Symbol.dispose]();
      throw error;
    }
    return views;
  });
}

async function identityOf(folder: string): Promise<string | null> {
  await using log = new EmbeddedLog({ path: logPath(folder), durable: true });
  return (await controlOf(log)).identity?.id ?? null;
}

function copyError(error: unknown, from: string, to: string): Error {
  const message = error instanceof Error ? error.message : String(error);
  return new DataError(
    `cannot copy ${from} to ${to}: ${message}; the copy is not finished, ` +
      `remove it`,
    { cause: error },
  );
}

/** Creates a folder, which must be empty if it exists. */
function makeEmpty(folder: string): void {
  makeFolder(folder, PRIVATE_FOLDER);
  let found: Deno.DirEntry | undefined;
  try {
    [found] = Deno.readDirSync(folder);
  } catch (error) {
    throw fileError(error, "list", folder);
  }
  if (found) {
    throw new ConfigError(
      `${folder} is not empty (${found.name}); name a new folder for the copy`,
    );
  }
}

/** Copies the registry of models without its locks. */
function copyModels(from: string, to: string): string[] {
  const names = [...Deno.readDirSync(join(from, MODELS))]
    .filter(({ name, isFile }) => isFile && !/\.lock(\.pid)?$/.test(name))
    .map(({ name }) => name).sort();
  Deno.mkdirSync(join(to, MODELS), { mode: PRIVATE_FOLDER });
  return names.map((name) => {
    const path = `${MODELS}/${name}`;
    try {
      Deno.copyFileSync(join(from, path), join(to, path));
    } catch (error) {
      throw fileError(error, "read", join(from, path));
    }
    return path;
  });
}

/** The control topic of a log, which a stream that has not begun does not have. */
async function controlOf(log: EmbeddedLog): Promise<Control> {
  const control = new Control(log);
  if (await log.endOffsets(CONTROL_TOPIC)) await control.refresh();
  return control;
}

function foldersOf(files: readonly CopiedFile[]): Set<string> {
  return new Set(files.map(({ path }) => join(path, "..")));
}

/**
 * Checks a backup: its files are unchanged, and their contents are complete and
 * consistent. Throws DataError, LogError or StoreError that says what is wrong.
 */
export async function checkBackup(
  folder: string,
  report: LogReport,
): Promise<BackupSummary> {
  const { taken, files, stream } = readContents(folder);
  for (const file of files) requireSame(folder, file);
  await using log = new EmbeddedLog({
    path: logPath(folder),
    durable: true,
    report,
  });
  const records = await log.verify();
  const control = await controlOf(log);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const summary = { taken, files: files.length, bytes, records };
  const hasStore = files.some(({ path }) => path === "store.db");
  if (!hasStore || !control.parameters) {
    return { ...summary, payments: undefined };
  }
  const settings = { kind: "embedded", folder, durable: false } as const;
  const { features } = control.parameters;
  const shape = shapeOfStream(control.parameters);
  await using store = await openStore(settings, features, report, { shape });
  await store.verify();
  const tables = [store, store.predictions()];
  for (const table of tables) {
    for (const position of await table.positions()) {
      await requireReached(folder, log, stream, position);
    }
  }
  let payments = 0;
  for await (const { count } of store.rows()) payments += count;
  const labels = store.labels().labels(undefined, refuseBadRow);
  for await (const _ of labels); // a damaged one is refused
  return { ...summary, payments };
}

/** Throws unless the log reaches as far as the store's positions. */
async function requireReached(
  folder: string,
  log: EmbeddedLog,
  stream: string | null,
  position: StreamPosition,
): Promise<void> {
  const { topic, partition, next } = position;
  if (position.stream !== stream) {
    throw new DataError(
      `the store in ${folder} is of another stream than its log; take ` +
        `another copy`,
    );
  }
  const end = (await log.endOffsets(topic))?.[partition] ?? 0;
  if (next <= end) return;
  throw new LogError(
    `the store in ${folder} reaches offset ${next} of ${topic} partition ` +
      `${partition}, and its log ends at ${end}; take another copy`,
  );
}

function readContents(folder: string): Contents {
  const path = join(folder, CONTENTS);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw fileError(error, "read", path);
    }
    throw new DataError(
      `${folder} is not a finished backup: it has no ${CONTENTS}; take another`,
      { cause: error },
    );
  }
  const contents = parsedContents(text);
  if (contents) return contents;
  throw new DataError(`${path} cannot be read; take another backup`);
}

function isThere(path: string, kind: "isFile" | "isDirectory"): boolean {
  try {
    return Deno.statSync(path)[kind];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError(error, "read", path);
  }
}

function parsedContents(text: string): Contents | undefined {
  try {
    const { format, taken, stream, files } = JSON.parse(text) as Contents;
    const isRight = format === FORMAT && typeof taken === "string" &&
      (stream === null || typeof stream === "string") &&
      Array.isArray(files) && files.every(({ path, size, sha256 }) =>
        typeof path === "string" && !path.includes("..") &&
        typeof size === "number" && typeof sha256 === "string"
      );
    return isRight ? { format, taken, stream, files } : undefined;
  } catch {
    return undefined;
  }
}

/** Throws DataError unless a file is as it was copied. */
function requireSame(folder: string, { path, size, sha256 }: CopiedFile): void {
  const whole = join(folder, path);
  const found = sumOf(whole);
  if (found.size === size && found.sha256 === sha256) return;
  throw new DataError(
    `${whole} is not as it was copied (${found.size} bytes, SHA-256 ` +
      `${found.sha256}): it was damaged, or the copy has been used; take ` +
      `another copy`,
  );
}

function sumOf(path: string): Omit<CopiedFile, "path"> {
  try {
    using file = Deno.openSync(path);
    const hash = createHash("sha256");
    const bytes = new Uint8Array(1 << 20);
    let size = 0;
    for (;;) {
      const read = file.readSync(bytes);
      if (read === null) break;
      hash.update(bytes.subarray(0, read));
      size += read;
    }
    return { size, sha256: hash.digest("hex") };
  } catch (error) {
    throw fileError(error, "read", path);
  }
}
