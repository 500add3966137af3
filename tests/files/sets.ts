/** The reference sets' numbers, and a folder of files as one canonical file. */
import { createHash } from "node:crypto";

/** A file's size and sum, as reference.json has them. */
export interface FileSum {
  sha256: string;
  bytes?: number;
}

/** What reference.json says of a set, as far as files are concerned. */
export interface ReferenceSet {
  "n_transactions": number;
  "n_frauds": number;
  "transactions_csv": FileSum;
  "customers_csv": FileSum;
  "terminals_csv": FileSum;
  "day_files"?: Record<string, FileSum>;
  features: { "canonical_csv": FileSum };
}

/** Path of a test data file. */
export function dataPath(name: string): string {
  return new URL(`../data/${name}`, import.meta.url).pathname;
}

/** Reads what is known of a set. */
export function readReference(name: "A" | "B"): ReferenceSet {
  const text = Deno.readTextFileSync(dataPath("reference.json"));
  return JSON.parse(text).sets[name];
}

/** The sum of some bytes. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The sum of a file. */
export function fileSum(path: string): string {
  return sha256(Deno.readFileSync(path));
}

/** Names of the day files of a folder, ascending. */
export function dayFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => /^\d{4}-/.test(name)).sort();
}

/** The CSV day files of a folder in one, with one header. */
export function joinDays(folder: string): string {
  return dayFiles(folder).map((name, at) => {
    const text = Deno.readTextFileSync(`${folder}/${name}`);
    return at === 0 ? text : text.slice(text.indexOf("\n") + 1);
  }).join("");
}
