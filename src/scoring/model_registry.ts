/**
 * The registry of a stream's models: a folder with one file per version and
 * registry.json, which says which of them is the champion, since which event
 * day, and why. A change holds the lock while it runs. Readers take none, since
 * the file is replaced as a whole.
 */
import { join } from "node:path";
import { type Clock, REAL_CLOCK } from "../base/clock.ts";
import { crc32c } from "../base/crc32c.ts";
import { makeFolder, replaceWhole } from "../base/durable_file.ts";
import { DataError, ModelError } from "../base/error.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../base/sqlite/private_file.ts";
import { CheckedJson } from "../base/checked_json.ts";
import { LockHeldError, takeLock } from "../base/lock.ts";
import {
  type TrainedDays,
  trainedSpan,
} from "../learning/data/trained_days.ts";
import { formatDate, parseDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { type OpenedModel, openModel } from "./open_model.ts";

/** One change of the registry. */
export interface RegistryEntry {
  /** Event day from which on it counts: payments of that day are the first of it. */
  readonly day: number;
  /**
   * added: by hand, from --model; promoted: the trainer's challenger won;
   * kept: it did not; chosen: by hand; rolled back: by hand, to the one before.
   */
  readonly action: "added" | "promoted" | "kept" | "chosen" | "rolled back";
  /** The version concerned: added, trained or chosen. */
  readonly version: string;
  /** The champion afterwards. */
  readonly champion: string;
  /** Why, as text. */
  readonly reason: string;
  /** Clock time of the change, ISO 8601 in UTC; entries of earlier versions of the program lack it, and the dates below. */
  readonly at?: string;
  /** Date of `day`, YYYY-MM-DD. */
  readonly date?: string;
  /** First day that the version was trained on, YYYY-MM-DD. */
  readonly trainedFrom?: string;
  /** Last day that the version was trained on, YYYY-MM-DD. */
  readonly trainedTo?: string;
  /** The metrics that the version was judged by, if it was. */
  readonly metrics?: Readonly<Record<string, number | null>>;
  /** The metrics of the champion at that time. */
  readonly championMetrics?: Readonly<Record<string, number | null>>;
}

const ACTIONS: readonly RegistryEntry["action"][] = [
  "added",
  "promoted",
  "kept",
  "chosen",
  "rolled back",
];

/** What registry.json holds. */
export interface Registry {
  /** Says what the file is. */
  readonly format: "fraudstream-models";
  /** Version of its form. */
  readonly formatVersion: 1;
  /** Version of the model that scores now; null before the first. */
  readonly champion: string | null;
  /** The event day up to which the trainer has decided, so that the model of its payments is known. */
  readonly decidedDay: number;
  /** Whether the stream has ended and the trainer has read all of it. */
  readonly ended: boolean;
  /** The first event day whose metrics may still change, as of the last decision: a trainer that starts again begins with it. Absent in older registries. */
  readonly openDay?: number;
  /** What happened, oldest first. */
  readonly history: readonly RegistryEntry[];
}

const EMPTY: Registry = {
  format: "fraudstream-models",
  formatVersion: 1,
  champion: null,
  decidedDay: 0,
  ended: false,
  history: [],
};

const LOCK_WAIT_MS = 5000;
const LOCK_PAUSE_MS = 20;

/** Most bytes of a registry; a model needs some hundred. */
const REGISTRY_BYTES_MAX = 64 * 2 ** 20;

/** The file that names the champion. */
export function registryPath(folder: string): string {
  return join(folder, "registry.json");
}

/** The file of a version. */
export function versionPath(folder: string, version: string): string {
  return join(folder, `${version}.json`);
}

/** Reads a registry; an empty one where there is none. Throws ModelError if it is damaged. */
export function readRegistry(folder: string): Registry {
  const path = registryPath(folder);
  let text: string;
  try {
    const bytes = readWholeFile(path, REGISTRY_BYTES_MAX);
    text = new TextDecoder().decode(bytes);
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof Deno.errors.NotFound) return EMPTY;
    throw error;
  }
  return parseRegistry(text, path);
}

function parseRegistry(text: string, path: string): Registry {
  const file = new CheckedJson((what) =>
    new ModelError(
      `${path} is not a registry of models that this program reads (${what}); ` +
        `restore it from a copy made by './fraudstream backup', or move its ` +
        `folder away to start a new one`,
    )
  );
  const { checksum, ...rest } = file.object(
    file.parse(text, "it"),
    "it",
  );
  // Older versions wrote none.
  file.check(
    checksum === undefined || checksum === checksumOf(rest),
    "it does not match its checksum",
  );
  file.oneOf(rest.format, [EMPTY.format], "format");
  file.check(rest.formatVersion === 1, "formatVersion must be 1");
  return {
    ...EMPTY,
    champion: rest.champion === null
      ? null
      : file.string(rest.champion, "champion"),
    decidedDay: file.whole(rest.decidedDay, "decidedDay"),
    ended: file.boolean(rest.ended ?? false, "ended"),
    ...rest.openDay !== undefined && {
      openDay: file.whole(rest.openDay, "openDay"),
    },
    history: file.list(rest.history, "history", (entry, what) => {
      return readEntry(file, entry, what);
    }),
  };
}

function readEntry(
  file: CheckedJson,
  value: unknown,
  what: string,
): RegistryEntry {
  const entry = file.object(value, what);
  const text = (name: string) => file.string(entry[name], `${what}.${name}`);
  const metrics = (name: "metrics" | "championMetrics") => {
    if (entry[name] === undefined) return {};
    const found = file.object(entry[name], `${what}.${name}`);
    return {
      [name]: Object.fromEntries(
        Object.entries(found).map(([metric, number]) => [
          metric,
          // JSON has no NaN.
          number === null
            ? null
            : file.number(number, `${what}.${name}.${metric}`),
        ]),
      ),
    };
  };
  return {
    day: file.whole(entry.day, `${what}.day`),
    action: file.oneOf(entry.action, ACTIONS, `${what}.action`),
    version: text("version"),
    champion: text("champion"),
    reason: text("reason"),
    ...Object.fromEntries(
      ["at", "date", "trainedFrom", "trainedTo"]
        .filter((name) => entry[name] !== undefined)
        .map((name) => [name, text(name)]),
    ),
    ...metrics("metrics"),
    ...metrics("championMetrics"),
  };
}

/** CRC-32C of a registry as JSON without spaces. */
function checksumOf(registry: object): number {
  return crc32c(new TextEncoder().encode(JSON.stringify(registry)));
}

/** Opens the model of a version. Throws DataError or ModelError if its file is gone, broken or another version's. */
export function openVersion(folder: string, version: string): OpenedModel {
  const model = openModel(versionPath(folder, version));
  if (model.version === version) return model;
  throw new ModelError(
    `${model.path} holds the model ${model.version}, but the registry says ` +
      `${version}; restore it from a copy made by './fraudstream backup'`,
  );
}

/** Changes a registry under its lock and dates its new entries; returns the new one. */
export async function changeRegistry(
  folder: string,
  change: (registry: Registry) => Registry,
  clock: Clock = REAL_CLOCK,
): Promise<Registry> {
  makeFolder(folder, PRIVATE_FOLDER);
  using _lock = await waitForLock(folder, clock);
  const before = readRegistry(folder);
  const changed = change(before);
  const after = changed === before ? before : {
    ...changed,
    history: changed.history.map((entry, index) =>
      index < before.history.length
        ? entry
        : { ...entry, at: new Date().toISOString() }
    ),
  };
  if (after !== before) {
    const sealed = { ...after, checksum: checksumOf(after) };
    writeText(registryPath(folder), JSON.stringify(sealed, null, 1) + "\n");
  }
  return after;
}

async function waitForLock(folder: string, clock: Clock): Promise<Disposable> {
  const deadline = clock.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      const path = join(folder, "registry.lock");
      return takeLock(path, `a change of the models in ${folder}`);
    } catch (error) {
      const isHeld = error instanceof LockHeldError;
      if (!isHeld || clock.now() > deadline) throw error;
    }
    await clock.sleep(LOCK_PAUSE_MS);
  }
}

/** Writes the file of a version; the same version is the same file. */
export function keepVersion(
  folder: string,
  version: string,
  text: string,
): void {
  makeFolder(folder, PRIVATE_FOLDER);
  writeText(versionPath(folder, version), text);
}

/** Replaces a file as a whole: a reader sees the old or the new one. */
function writeText(path: string, text: string): void {
  replaceWhole(path, new TextEncoder().encode(text), PRIVATE_FILE);
}

/** The model of an event day's payments: the champion of the last entry that counts by then; null before the first. */
export function championAt(registry: Registry, day: number): string | null {
  const { history } = registry;
  for (let at = history.length - 1; at >= 0; at--) {
    if (history[at].day <= day) return history[at].champion;
  }
  return null;
}

/** The first day after `day` from which another entry counts; Infinity if none does. */
export function nextChangeAfter({ history }: Registry, day: number): number {
  return Math.min(
    Infinity,
    ...history.map((entry) => entry.day).filter((later) => later > day),
  );
}

/** The registry with an entry, which may make another version its champion. */
export function withEntry(registry: Registry, entry: RegistryEntry): Registry {
  return {
    ...registry,
    champion: entry.champion,
    history: [...registry.history, entry],
  };
}

/** Who has changed a registry, where nobody gives a name. */
const BY_HAND = "by hand";

/** The registry with a version as champion that `who` has chosen. Throws DataError for a version that it does not have. */
export function chosen(
  registry: Registry,
  version: string,
  who = BY_HAND,
): Registry {
  if (!registry.history.some((entry) => entry.version === version)) {
    throw new DataError(
      `there is no model ${version} in the registry; './fraudstream models' ` +
        `lists those that are`,
    );
  }
  return withEntry(registry, {
    day: registry.decidedDay,
    action: "chosen",
    version,
    champion: version,
    reason: `chosen ${who}`,
    ...datesOf(registry, version),
  });
}

/** The registry with the champion before the present one, as `who` wanted; repeated calls go further back. Throws DataError if there was none. */
export function rolledBack(registry: Registry, who = BY_HAND): Registry {
  const [champion, before] = championsOf(registry).toReversed();
  if (before === undefined) {
    throw new DataError(
      "there is no champion before the current one; " +
        "'./fraudstream models' lists the versions",
    );
  }
  return withEntry(registry, {
    day: registry.decidedDay,
    action: "rolled back",
    version: before,
    champion: before,
    reason: `instead of ${champion}, ${who}`,
    ...datesOf(registry, before),
  });
}

/** The dates of an entry about a version that is known, from the entries before. */
function datesOf(
  { history, decidedDay }: Registry,
  version: string,
): Pick<RegistryEntry, "date" | "trainedFrom" | "trainedTo"> {
  const dated = history.find(({ date }) => date !== undefined);
  const seconds = parseDate(dated?.date ?? "");
  const { trainedFrom, trainedTo } =
    history.find((entry) => entry.version === version) ?? {};
  return {
    ...dated && seconds !== undefined && {
      date: formatDate(seconds + (decidedDay - dated.day) * DAY_SECONDS),
    },
    ...trainedFrom !== undefined && { trainedFrom },
    ...trainedTo !== undefined && { trainedTo },
  };
}

/** The dates of a model's training, for its entry. */
export function trainingDates(
  training: TrainedDays,
): Pick<RegistryEntry, "trainedFrom" | "trainedTo"> {
  const { from, to } = trainedSpan(training);
  return {
    trainedFrom: formatDate(from),
    trainedTo: formatDate(to - DAY_SECONDS),
  };
}

/** The champions that led to the present one, which is the last; those that were rolled back are left out. */
export function championsOf({ history }: Registry): string[] {
  const champions: string[] = [];
  for (const { action, champion } of history) {
    if (action === "rolled back") champions.pop();
    else if (champions.at(-1) !== champion) champions.push(champion);
  }
  return champions;
}
