/**
 * Reads rows of the embedded store's tables whatever ids and values others
 * have put there, numbers among them that a double cannot hold.
 */
import type { StatementSync } from "node:sqlite";
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import type { StoredRow } from "../stored_row.ts";

/** Most rows of a page. */
export const PAGE_ROWS = 4096;

/** A whole table in order of transaction_id, its primary key, in pages. */
export async function* pagesById(
  sqlite: Sqlite,
  table: string,
): AsyncGenerator<readonly StoredRow[]> {
  const page = sqlite.prepare(
    `SELECT * FROM ${table} WHERE transaction_id > ? ` +
      `ORDER BY transaction_id LIMIT ${PAGE_ROWS}`,
  );
  let last: number | bigint = -Infinity;
  for (;;) {
    const rows: StoredRow[] = await sqlite.retry(() => allRows(page, [last]));
    if (rows.length === 0) return;
    yield rows;
    last = rows[rows.length - 1].transaction_id as number | bigint;
  }
}

/** All rows of a statement; a number that a double cannot hold is a bigint. */
export function allRows(
  statement: StatementSync,
  values: readonly (number | bigint | string)[],
): StoredRow[] {
  try {
    return statement.all(...values);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_OUT_OF_RANGE") throw error;
  }
  statement.setReadBigInts(true);
  try {
    return statement.all(...values).map(withNumbers);
  } finally {
    statement.setReadBigInts(false);
  }
}

function withNumbers(row: StoredRow): StoredRow {
  const entries = Object.entries(row).map(([name, value]) => {
    const fits = typeof value === "bigint" &&
      Number.isSafeInteger(Number(value));
    return [name, fits ? Number(value) : value];
  });
  return Object.fromEntries(entries);
}
