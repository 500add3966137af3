/** The table of positions in a SQLite file. */
import type { StatementSync } from "node:sqlite";
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import {
  POSITION_COLUMNS,
  POSITION_TABLE,
  positionOf,
  positionValues,
  type StreamPosition,
} from "../positions.ts";

/** Makes the table. */
export const POSITION_SCHEMA = `
CREATE TABLE ${POSITION_TABLE} (
  stream TEXT NOT NULL,
  topic TEXT NOT NULL,
  topic_partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  mark_offset INTEGER,
  mark_check INTEGER,
  last_id INTEGER,
  metadata TEXT NOT NULL,
  row_check INTEGER NOT NULL,
  PRIMARY KEY (stream, topic, topic_partition)
) STRICT, WITHOUT ROWID;`;

/** The positions of one SQLite file. */
export class EmbeddedPositions {
  readonly #sqlite: Sqlite;
  readonly #path: string;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  /** Uses an open file that has the table; its path is for messages. */
  constructor(sqlite: Sqlite, path: string) {
    this.#sqlite = sqlite;
    this.#path = path;
    this.#put = sqlite.prepare(
      `INSERT OR REPLACE INTO ${POSITION_TABLE} ` +
        `(${POSITION_COLUMNS.join(", ")}) ` +
        `VALUES (${POSITION_COLUMNS.map(() => "?").join(", ")})`,
    );
    this.#remove = sqlite.prepare(
      `DELETE FROM ${POSITION_TABLE} WHERE topic = ?`,
    );
  }

  /** Writes positions; call within the transaction of their rows. */
  put(positions: readonly StreamPosition[]): void {
    for (const position of positions) {
      this.#put.run(...positionValues(position));
    }
  }

  /** Writes positions in a transaction of their own. */
  async save(positions: readonly StreamPosition[]): Promise<void> {
    await this.#sqlite.transaction(() => this.put(positions));
  }

  /** Removes the positions in a topic; call within the transaction that removes the rows. */
  remove(topic: string): void {
    this.#remove.run(topic);
  }

  /** All positions. Throws StoreError if one is damaged. */
  async all(): Promise<StreamPosition[]> {
    const rows = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(`SELECT * FROM ${POSITION_TABLE}`).all()
    );
    return rows.map((row) => positionOf(row, this.#path));
  }
}
