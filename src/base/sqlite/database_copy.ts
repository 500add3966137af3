/**
 * Copies of database files that others are writing to. Row by row through
 * SQLite, whose own ways (online backup, VACUUM INTO) the oldest supported
 * Deno does not have: file by file would mix moments.
 */
import { DatabaseSync } from "node:sqlite";
import { makePrivateFile } from "./private_file.ts";

/** A database file as it is at one moment, while others go on writing to it. */
export class DatabaseView implements Disposable {
  readonly #db: DatabaseSync;

  /** The file as it is now; throws SQLite's error if it cannot be read. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
    try {
      this.#db.exec("PRAGMA busy_timeout = 1000");
      this.#db.exec("BEGIN");
      // A transaction sees what was there when it first read something.
      this.#db.prepare("SELECT count(*) FROM sqlite_schema").get();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Makes a new file of what the view shows, mode 600, not yet synced to the disk. */
  copyTo(path: string): void {
    makePrivateFile(path);
    const copy = new DatabaseSync(path);
    try {
      copy.exec("PRAGMA synchronous = OFF");
      // Whoever opens the copy to check it then need not change it.
      copy.exec("PRAGMA journal_mode = WAL");
      copy.exec("PRAGMA foreign_keys = OFF");
      copy.exec("BEGIN");
      for (const table of this.#schema("type = 'table'")) {
        copy.exec(table.sql);
        this.#copyRows(table.name, copy);
      }
      for (const { sql } of this.#schema("type <> 'table'")) copy.exec(sql);
      const version = this.#db.prepare("PRAGMA user_version").get();
      copy.exec(`PRAGMA user_version = ${Number(version?.user_version)}`);
      copy.exec("COMMIT");
    } finally {
      copy.close(); // which takes its WAL into the file
    }
  }

  #schema(where: string): { name: string; sql: string }[] {
    // Without what SQLite makes by itself.
    return this.#db.prepare(
      `SELECT name, sql FROM sqlite_schema WHERE ${where} ` +
        `AND sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    ).all().map(({ name, sql }) => ({ name: String(name), sql: String(sql) }));
  }

  #copyRows(table: string, copy: DatabaseSync): void {
    // One statement per table, since iterate() works only once in Deno 2.4.
    const select = this.#db.prepare(`SELECT * FROM "${table}"`);
    // Whole numbers as such, also where a column could hold others.
    select.setReadBigInts(true);
    const columns = this.#db.prepare(`PRAGMA table_info("${table}")`).all();
    const places = columns.map(() => "?").join(", ");
    const insert = copy.prepare(`INSERT INTO "${table}" VALUES (${places})`);
    for (const row of select.iterate()) {
      insert.run(...Object.values(row) as (bigint | string | null)[]);
    }
  }

  /** Closes the view. */
  [Symbol.dispose](): void {
    this.#db.close();
  }
}
