/**
 * Copies of database files that others are writing to. They are copied row by
 * row through SQLite: its online backup and VACUUM INTO do not exist in the
 * oldest supported Deno, and a copy of the files would mix moments.
 */
import { DatabaseSync } from "node:sqlite";
import { makePrivateFile } from "./private_file.ts";

/** A database file as it is at one moment, while others continue to write to it. */
export class DatabaseView implements Disposable {
  readonly #db: DatabaseSync;

  /** The file as it is now; throws SQLite's error if it cannot be read. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
    try {
      this.#db.exec("PRAGMA busy_timeout = 1000");
      this.#db.exec("BEGIN");
      // A transaction sees the state of its first read.
      this.#db.prepare("SELECT count(*) FROM sqlite_schema").get();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Writes what the view shows to a new file, mode 600, not yet synced to the disk. */
  copyTo(path: string): void {
    makePrivateFile(path);
    const copy = new DatabaseSync(path);
    try {
      copy.exec("PRAGMA synchronous = OFF");
      // A later check can then leave the copy unchanged.
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
      copy.close(); // which moves the WAL into the file
    }
  }

  #schema(where: string): { name: string; sql: string }[] {
    // Without SQLite's own tables.
    return this.#db.prepare(
      `SELECT name, sql FROM sqlite_schema WHERE ${where} ` +
        `AND sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    ).all().map(({ name, sql }) => ({ name: String(name), sql: String(sql) }));
  }

  #copyRows(table: string, copy: DatabaseSync): void {
    // One statement per table, since iterate() works only once in Deno 2.4.
    const select = this.#db.prepare(`SELECT * FROM "${table}"`);
    // Whole numbers stay whole, also in columns of other numbers.
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
