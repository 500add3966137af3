/**
 * What the tables of a keyspace that are filled from a topic have in common:
 * their positions. A stream's positions are one partition, so that a topic's
 * are removed at once. Nothing here knows the driver.
 */
import {
  positionOf,
  positionRow,
  type StoredTable,
  type StreamPosition,
} from "../positions.ts";
import { objectCheck, objectValues } from "../stored_row.ts";
import {
  type ObjectTable,
  type PositionRow,
  positionTable,
  type Table,
} from "../tables.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import type { OtherTables } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { rowWrites } from "./cassandra_writes.ts";

/** Tables of one keyspace that are filled from a topic. */
export abstract class CassandraTable implements
  Pick<
    StoredTable,
    "positions" | "savePositions" | "clear"
  > {
  readonly #session: CassandraSession;
  readonly #tables: readonly Table[];
  /** As it is created. */
  readonly #positions: OtherTables["positions"];
  /** Without the column of the checksum. */
  readonly #position: ObjectTable<PositionRow>;

  /** The tables that clear() empties; they need not exist before. */
  constructor(
    session: CassandraSession,
    { positions }: Pick<OtherTables, "positions">,
    shape: PaymentShape,
    tables: readonly Table[],
  ) {
    this.#session = session;
    this.#positions = positions;
    this.#position = positionTable(shape);
    this.#tables = tables;
  }

  /** See StoredTable. */
  async positions(signal?: AbortSignal): Promise<StreamPosition[]> {
    const { keyspace } = this.#session;
    const cql = `SELECT * FROM ${keyspace}.${this.#positions.name}`;
    const place = `keyspace ${keyspace}`;
    const rows = await this.#session.all(cql, [], signal);
    return rows.map((row) => positionOf(row, place, this.#position));
  }

  /** See StoredTable; called once the rows of these positions are stored. */
  async savePositions(
    positions: readonly StreamPosition[],
    signal?: AbortSignal,
  ): Promise<void> {
    const table = this.#positions;
    const rows = positions.map(positionRow).map((row) =>
      objectValues(table.columns, row, objectCheck(this.#position, row))
    );
    const writes = rowWrites(this.#session.keyspace, table, rows);
    await this.#session.send(writes, signal);
  }

  /** See StoredTable. */
  async clear(topic: string): Promise<void> {
    await this.#removePositions(topic);
    for (const table of this.#tables) await this.#session.truncate(table);
  }

  async #removePositions(topic: string): Promise<void> {
    const cql =
      `DELETE FROM ${this.#session.keyspace}.${this.#positions.name} ` +
      "WHERE stream = ? AND topic = ?";
    const streams = new Set(
      (await this.positions()).map(({ stream }) => stream),
    );
    const writes = [...streams].map((stream) => ({
      cql,
      rows: [{ values: [stream, topic] }],
      release() {},
    }));
    await this.#session.send(writes, undefined);
  }
}
