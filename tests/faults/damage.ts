/**
 * Damages files of a data folder, one random bit, byte count or row at a time,
 * and looks at what becomes of it: whoever reads the folder must either say
 * what is damaged or give the right result all the same.
 *
 *   const result = await tryDamage({ source, seed, damage, resume, expected })
 *
 * copies the folder `source`, damages the copy with `damage`, lets `resume` go
 * on with it, and compares what it gives with `expected`. Any file of a folder
 * will do: flipBit() and truncate() take a path, changeRow() a SQLite file.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** Where chance comes from: whole numbers from 0 to below `end`. */
export type Chance = (end: number) => number;

/** Damages something in a folder; says what it did. */
export type Damage = (folder: string, chance: Chance) => string;

/** What became of a damaged folder. */
export interface DamageResult {
  /**
   * harmless: the right result; detected: an error that names the file;
   * unnamed: an error that does not; silent: another result without an error.
   */
  readonly kind: "harmless" | "detected" | "unnamed" | "silent";
  /** What was done, and the error or the wrong result. */
  readonly detail: string;
}

/** How a damage is tried. */
export interface DamageTrial {
  /** The folder, which stays as it is. */
  readonly source: string;
  /** Makes chance repeatable. */
  readonly seed: number;
  /** What is done to the copy. */
  readonly damage: Damage;
  /** Goes on with the copy; gives its result, or throws. */
  readonly resume: (folder: string) => Promise<string>;
  /** The right result. */
  readonly expected: string;
  /** What a message must contain to name what was damaged. */
  readonly named: RegExp;
}

/** Damages a copy of a folder and goes on with it. */
export async function tryDamage(trial: DamageTrial): Promise<DamageResult> {
  const { source, seed, damage, resume, expected, named } = trial;
  await using folder = temporaryFolder();
  copyFolder(source, folder.path);
  const words = new SeededSource(`damage ${seed}`);
  const chance = (end: number) => Math.floor(words.double() * end);
  const done = damage(folder.path, chance);
  try {
    const result = await resume(folder.path);
    if (result === expected) return { kind: "harmless", detail: done };
    return { kind: "silent", detail: `${done}: ${result}` };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const kind = named.test(message) ? "detected" : "unnamed";
    return { kind, detail: `${done}: ${message}` };
  }
}

/** Copies the files of a folder, as a kill of its processes would leave them. */
export function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isFile, isDirectory } of Deno.readDirSync(from)) {
    if (isFile) Deno.copyFileSync(join(from, name), join(to, name));
    if (isDirectory) copyFolder(join(from, name), join(to, name));
  }
}

/** Flips one bit of a file. */
export function flipBit(file: string): Damage {
  return (folder, chance) => {
    const path = join(folder, file);
    const bytes = Deno.readFileSync(path);
    const at = chance(bytes.length);
    const bit = chance(8);
    bytes[at] ^= 1 << bit;
    Deno.writeFileSync(path, bytes);
    return `bit ${bit} of byte ${at} of ${file} flipped`;
  };
}

/** Cuts a file somewhere. */
export function truncate(file: string): Damage {
  return (folder, chance) => {
    const path = join(folder, file);
    const size = chance(Deno.statSync(path).size);
    Deno.truncateSync(path, size);
    return `${file} cut to ${size} bytes`;
  };
}

/** Deletes a random row of a table of a SQLite file, past all checks. */
export function deleteRow(file: string, table: string): Damage {
  return (folder, chance) =>
    inDatabase(join(folder, file), (database) => {
      database.exec("PRAGMA foreign_keys = OFF");
      const [row, where] = randomRow(database, table, "1", chance);
      database.exec(`DELETE FROM ${table} WHERE ${where}`);
      return `row ${row} of ${table} deleted`;
    });
}

/** Changes one value of a random row of a table, past all checks. */
export function changeRow(
  file: string,
  table: string,
  column: string,
): Damage {
  return (folder, chance) =>
    inDatabase(join(folder, file), (database) => {
      database.exec("PRAGMA foreign_keys = OFF");
      const [row, where] = randomRow(database, table, column, chance);
      const found = database.prepare(
        `SELECT ${column} AS value FROM ${table} WHERE ${where}`,
      ).get()?.value;
      const update = database.prepare(
        `UPDATE OR IGNORE ${table} SET ${column} = ? WHERE ${where}`,
      );
      // A value that another row has must stay that row's: another one then.
      while (update.run(changed(found, chance)).changes === 0);
      return `${column} of row ${row} of ${table} changed`;
    });
}

/** A row whose column is not null: its number and what selects it. */
function randomRow(
  database: DatabaseSync,
  table: string,
  column: string,
  chance: Chance,
): [number, string] {
  const from = `FROM ${table} WHERE ${column} IS NOT NULL`;
  const count = database.prepare(`SELECT count(*) AS n ${from}`).get();
  const row = chance(Number(count?.n));
  const key = keyOf(table);
  return [row, `(${key}) IN (SELECT ${key} ${from} LIMIT 1 OFFSET ${row})`];
}

/** A value with one bit or character changed. */
function changed(
  value: unknown,
  chance: Chance,
): number | string | Uint8Array {
  if (value instanceof Uint8Array && value.length > 0) {
    const bytes = value.slice();
    bytes[chance(bytes.length)] ^= 1 << chance(8);
    return bytes;
  }
  if (typeof value === "string" && value.length > 0) {
    const at = chance(value.length);
    const code = value.charCodeAt(at) ^ 1;
    return value.slice(0, at) + String.fromCharCode(code) + value.slice(at + 1);
  }
  return Number(value ?? 0) ^ (1 << chance(12));
}

/** What tells the rows of a table apart. */
function keyOf(table: string): string {
  if (table === "partition_state") return "topic, partition";
  if (table === "group_offset") return "consumer_group, topic, partition";
  return table === "producer" ? "id" : "rowid";
}
