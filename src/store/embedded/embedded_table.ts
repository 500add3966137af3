/**
 * The tables of one SQLite file: a table of rows of cells that is filled from a
 * topic, and a table of objects. Rows are readable whatever ids and values
 * other programs have written, including numbers that a double cannot hold.
 */
import type { StatementSync } from "node:sqlite";
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import {
  TRANSACTION_ID_MAX,
  type TransactionId,
} from "../../payment/payment.ts";
import { ascendingPieces, ColumnValues } from "../cell_rows.ts";
import {
  positionOf,
  positionRow,
  type RowTable,
  type StoredTable,
  type StreamPosition,
} from "../positions.ts";
import {
  type BadRowHandler,
  objectCheck,
  objectValues,
  refuseBadRow,
  type StoredRow,
  StoredRowReader,
} from "../stored_row.ts";
import {
  type CellTable,
  checkedColumns,
  type ObjectTable,
  type PositionRow,
  POSITIONS,
  type Table,
  type TableRows,
  writtenColumns,
} from "../tables.ts";
import { insertSql } from "./embedded_schema.ts";

/** Most rows of a page. */
const PAGE_ROWS = 4096;

/** An open file. */
export interface StoreFile {
  /** Its connection. */
  readonly sqlite: Sqlite;
  /** Its path, for messages. */
  readonly path: string;
  /** Writes its table of positions. */
  readonly positions: ObjectWriter<PositionRow>;
  /** That table. */
  readonly positionTable: ObjectTable<PositionRow>;
}

/** How a table of cells is used. */
export interface CellTableOptions<Rows> {
  /** The table. */
  readonly table: CellTable;
  /** Creates it, and what belongs to it, if it does not exist. */
  readonly schema: string;
  /** Rows that one statement writes; more gain nothing. */
  readonly rowsAtOnce: number;
  /** Allocates this many rows. */
  readonly room: (count: number) => Rows;
}

/** A statement that writes rows, and room for their values. */
export interface Insert {
  /** The statement. */
  readonly statement: StatementSync;
  /** The values of all its rows. */
  readonly values: (number | string | null)[];
}

/** A table that is filled from a topic. A missing one reads as empty. */
export class FilledTable implements StoredTable {
  /** See StoredTable. */
  readonly idMax: number = TRANSACTION_ID_MAX;
  readonly #file: StoreFile;
  readonly #name: string;

  /** A table of an open file. */
  constructor(file: StoreFile, { name }: Table) {
    this.#file = file;
    this.#name = name;
  }

  /** See StoredTable. */
  async positions(): Promise<StreamPosition[]> {
    const { sqlite, path, positionTable: table } = this.#file;
    const rows = await select(sqlite, `SELECT * FROM ${table.name}`);
    return rows.map((row) => positionOf(row, path, table));
  }

  /** See StoredTable. */
  async savePositions(positions: readonly StreamPosition[]): Promise<void> {
    await this.#file.sqlite.transaction(() => this.putPositions(positions));
  }

  /** Writes positions; call within a transaction. */
  protected putPositions(positions: readonly StreamPosition[]): void {
    this.#file.positions.put(positions.map(positionRow));
  }

  /** See StoredTable. */
  async holds(transactionId: TransactionId): Promise<boolean> {
    return (await this.#select("1", "WHERE transaction_id = ?", transactionId))
      .length > 0;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    return (await this.#select("1", "LIMIT 1")).length === 0;
  }

  /** See StoredTable; `sql` is run in the same transaction where the table exists. */
  async clear(topic: string, sql = ""): Promise<void> {
    const { sqlite } = this.#file;
    const isThere = await this.isThere();
    await sqlite.transaction(() => {
      if (isThere) sqlite.db.exec(`DELETE FROM ${this.#name}; ${sql}`);
      sqlite.db.prepare(`DELETE FROM ${POSITIONS.name} WHERE topic = ?`)
        .run(topic);
    });
  }

  /** The number of rows, and the sum of a column. */
  async count(column: string): Promise<{ rows: number; sum: number }> {
    const what = `count(*) AS n, coalesce(sum(${column}), 0) AS total`;
    const [row] = await this.#select(what);
    return { rows: Number(row?.n ?? 0), sum: Number(row?.total ?? 0) };
  }

  /** Whether the table exists. */
  async isThere(): Promise<boolean> {
    const sql = "SELECT 1 FROM sqlite_schema WHERE name = ?";
    return (await select(this.#file.sqlite, sql, this.#name)).length > 0;
  }

  async #select(
    what: string,
    rest = "",
    ...values: TransactionId[]
  ): Promise<StoredRow[]> {
    if (!await this.isThere()) return [];
    const sql = `SELECT ${what} FROM ${this.#name} ${rest}`;
    return await select(this.#file.sqlite, sql, ...values);
  }
}

/** A table of cells, which the first write creates. */
export class EmbeddedTable<Rows extends TableRows> extends FilledTable
  implements RowTable<Rows> {
  readonly #file: StoreFile;
  readonly #options: CellTableOptions<Rows & { count: number }>;
  readonly #columns: ColumnValues;
  #statements: { one: Insert; many: Insert } | undefined;

  /** A table of an open file. */
  constructor(
    file: StoreFile,
    options: CellTableOptions<Rows & { count: number }>,
  ) {
    const { table } = options;
    super(file, table);
    this.#file = file;
    this.#options = options;
    this.#columns = new ColumnValues(table, writtenColumns(table));
  }

  /** See RowTable. */
  async write(
    rows: Rows,
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    if (rows.count === 0) return await this.savePositions(positions);
    const { one, many } = this.#statements ?? await this.make();
    const { table, rowsAtOnce } = this.#options;
    const pieces = ascendingPieces(rows, table, rowsAtOnce);
    rows.texts?.prepareTexts();
    await this.#file.sqlite.transaction(() => {
      for (const piece of pieces) {
        const { statement, values } = piece.length === 1 ? one : many;
        let to = 0;
        for (const row of piece) {
          to = this.#columns.fill(values, to, rows, row);
        }
        statement.run(...values);
      }
      this.putPositions(positions);
    });
  }

  /** Creates the table unless it exists. */
  async make(): Promise<{ one: Insert; many: Insert }> {
    const { sqlite } = this.#file;
    const { table, schema, rowsAtOnce } = this.#options;
    await sqlite.transaction(() => sqlite.db.exec(schema));
    const insert = (rows: number): Insert => ({
      statement: sqlite.prepare(insertSql(table, rows)),
      values: Array(rows * writtenColumns(table).length).fill(null),
    });
    this.#statements = { one: insert(1), many: insert(rowsAtOnce) };
    return this.#statements;
  }

  /** See RowTable. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<Rows> {
    if (!await this.isThere()) return;
    const { sqlite, path } = this.#file;
    const { table, room } = this.#options;
    const found = room(PAGE_ROWS);
    const reader = new StoredRowReader(`${path}, table ${table.name}`, table);
    for await (const page of pagesById(sqlite, table)) {
      signal?.throwIfAborted();
      found.count = 0;
      found.texts?.clear();
      for (const row of page) {
        const bad = reader.read(row, found, found.count);
        if (bad) onBadRow(bad);
        else found.count++;
      }
      yield found;
    }
  }
}

/** Writes objects of one table. */
export class ObjectWriter<T> {
  readonly #table: ObjectTable<T>;
  readonly #statement: StatementSync;

  /** For an existing table. */
  constructor(sqlite: Sqlite, table: ObjectTable<T>) {
    this.#table = table;
    this.#statement = sqlite.prepare(insertSql(table));
  }

  /** Writes objects; call within a transaction. */
  put(objects: readonly T[]): void {
    const columns = checkedColumns(this.#table);
    for (const object of objects) {
      const check = objectCheck(this.#table, object);
      this.#statement.run(...objectValues(columns, object, check));
    }
  }
}

/** All rows of a statement; a number that a double cannot hold is a bigint. */
export function select(
  sqlite: Sqlite,
  sql: string,
  ...values: (number | string)[]
): Promise<StoredRow[]> {
  return sqlite.retry(() => allRows(sqlite.db.prepare(sql), values));
}

/** A whole table in order of transaction_id, its key, in pages. */
async function* pagesById(
  sqlite: Sqlite,
  { name, shape }: CellTable,
): AsyncGenerator<readonly StoredRow[]> {
  const page = sqlite.prepare(
    `SELECT * FROM ${name} WHERE transaction_id > ? ` +
      `ORDER BY transaction_id LIMIT ${PAGE_ROWS}`,
  );
  let last: number | bigint | string = shape.transactionId === "text"
    ? ""
    : -Infinity;
  for (;;) {
    const rows: StoredRow[] = await sqlite.retry(() => allRows(page, [last]));
    if (rows.length === 0) return;
    yield rows;
    last = rows[rows.length - 1].transaction_id as typeof last;
  }
}

/** All rows of a statement; see select(). */
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
