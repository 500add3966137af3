import { DatabaseSync } from "node:sqlite";

/** Gives `body` a connection of its own to a database file. */
export function inDatabase<T>(
  path: string,
  body: (database: DatabaseSync) => T,
): T {
  const database = new DatabaseSync(path);
  try {
    return body(database);
  } finally {
    database.close();
  }
}
