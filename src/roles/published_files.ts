/**
 * Which files a stream has published from, as the control topic holds them, and
 * whether they are still the same. Files may grow while they are read, and more
 * may come after them; what has been published must not change.
 */
import { counted, thousands } from "../base/counted.ts";
import { ConfigError } from "../base/error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import type { DaySource } from "../files/day_source.ts";
import { type FileStamp, stampFile } from "../files/file_stamp.ts";
import type { Append } from "../log/log.ts";
import { type Control, controlRecords } from "../stream/control.ts";

/** What to do about data that has changed. */
export const OTHER_DATA: string =
  "give the data as it was, or start a new stream " +
  "with another --data folder (on Kafka another --topic-prefix)";

/** The files of a producer. */
export class PublishedFiles {
  readonly #control: Control;
  readonly #sources: readonly DaySource[];
  readonly #known = new Map<number, FileStamp>();
  #current: number | undefined;

  /** Knows of the files what the control topic holds. */
  constructor(control: Control, sources: readonly DaySource[]) {
    this.#control = control;
    this.#sources = sources;
  }

  /** Throws ConfigError if one of the files up to number `last` is another one, or a finished one has grown. */
  async requireSame(last: number): Promise<void> {
    for (let number = 0; number <= last; number++) {
      const stamp = this.#control.file(number);
      if (!stamp) continue;
      this.#known.set(number, stamp);
      const change = await this.#change(number, stamp);
      if (change === undefined) continue;
      // Further rows of the file that is being read are still to come.
      if (change.grownBytes > 0 && number === last) continue;
      throw new ConfigError(
        `${this.#nameOf(number, stamp)} ${change.what} since its rows were ` +
          `published; ${OTHER_DATA}`,
      );
    }
  }

  /** What has come after the end of a stream that is complete, for people; undefined for nothing. */
  async afterEnd(): Promise<string | undefined> {
    for (const number of this.#sources.keys()) {
      const stamp = this.#control.file(number);
      if (stamp) {
        const change = await this.#change(number, stamp);
        if (change) return `${this.#nameOf(number, stamp)} ${change.what}`;
      } else if (this.#control.file(0)) {
        return `${this.#sources[number].name} has been added`;
      }
    }
    return undefined;
  }

  /** The records to append with the first rows of a file, and then whenever a file has been left. */
  async entering(number: number): Promise<Append[]> {
    if (number === this.#current) return [];
    const left = this.#current;
    this.#current = number;
    return await this.#stamp(left === undefined ? [number] : [left, number]);
  }

  /** The records to append behind the last row. */
  async ended(): Promise<Append[]> {
    const unknown = this.#sources.keys().filter((number) =>
      number === this.#current || !this.#known.has(number)
    );
    return await this.#stamp([...unknown]);
  }

  /** Stamps files as they are now, those that are not known so. */
  async #stamp(numbers: readonly number[]): Promise<Append[]> {
    const records = controlRecords();
    let count = 0;
    for (const number of numbers) {
      const { path } = this.#sources[number];
      const stamp = path === STANDARD_STREAM
        ? undefined
        : await stampFile(path);
      if (!stamp || stamp.bytes === this.#known.get(number)?.bytes) continue;
      this.#known.set(number, stamp);
      records.putFile(number, stamp);
      count++;
    }
    return count > 0 ? records.appends() : [];
  }

  /** How a file differs from what it was; undefined if it does not. */
  async #change(
    number: number,
    { name, bytes, sha256 }: FileStamp,
  ): Promise<
    { readonly what: string; readonly grownBytes: number } | undefined
  > {
    const path = this.#sources[number]?.path;
    if (path === undefined) return { what: "is missing", grownBytes: 0 };
    const now = await stampFile(path);
    if (now?.name !== name) {
      const what = `has another file in its place (${now?.name ?? path})`;
      return { what, grownBytes: 0 };
    }
    if (now.bytes < bytes) {
      const had = thousands(bytes);
      const what = `has ${counted(now.bytes, "byte")} and had ${had}`;
      return { what, grownBytes: 0 };
    }
    const before = await stampFile(path, bytes);
    if (before?.sha256 !== sha256) {
      return { what: "has changed", grownBytes: 0 };
    }
    if (now.bytes === bytes) return undefined;
    const grownBytes = now.bytes - bytes;
    return { what: `has grown by ${counted(grownBytes, "byte")}`, grownBytes };
  }

  #nameOf(number: number, { name }: FileStamp): string {
    const source = this.#sources[number];
    return source?.name.endsWith(name) ? source.name : name;
  }
}
