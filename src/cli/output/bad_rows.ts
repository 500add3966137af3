/** Rows of a store that another program has made unusable: an error, or left out with --skip-bad-rows. */
import { StoreError } from "../../base/error.ts";
import { type BadRow, badRowText } from "../../store/stored_row.ts";
import type { FlagGroup } from "../flags/flag.ts";
import { writeError } from "./terminal.ts";
import { counted } from "../../base/counted.ts";

/** How many rows are named before the rest is only counted. */
const NAMED_MAX = 5;

/** The flag of commands that read the store. */
export const BAD_ROWS_FLAGS = {
  flags: {
    skipBadRows: { help: "leave out rows that another program has damaged" },
  },
} as const satisfies FlagGroup;

/** How one command handles bad rows. */
export class BadRows {
  readonly #skip: boolean;
  readonly #named: string[] = [];
  #count = 0;

  /** Leaves them out, or throws StoreError at the first. */
  constructor(skip: boolean) {
    this.#skip = skip;
  }

  /** See Store.rows. */
  readonly handle = (row: BadRow): void => {
    if (!this.#skip) {
      throw new StoreError(
        `${badRowText(row)}; it was damaged, or another program has written ` +
          "or changed it: './fraudstream rebuild' fills the store again from " +
          "the log, --skip-bad-rows leaves such rows out",
      );
    }
    if (++this.#count <= NAMED_MAX) this.#named.push(badRowText(row));
  };

  /** Says on stderr what was left out. */
  tell(): void {
    if (this.#count === 0) return;
    const more = this.#count > NAMED_MAX ? ", the first of them:" : ":";
    writeError(
      `skipped ${counted(this.#count, "bad row")} of the store${more}\n` +
        this.#named.map((text) => `  ${text}\n`).join(""),
    );
  }
}
