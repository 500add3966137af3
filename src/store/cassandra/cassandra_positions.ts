/** The table of positions in a keyspace. Nothing here knows the driver. */
import { insertCql, POSITIONS } from "./cassandra_schema.ts";
import type { Write } from "./cassandra_writes.ts";
import {
  POSITION_TABLE,
  positionOf,
  positionValues,
  type StreamPosition,
} from "../positions.ts";

/** What a connected store does for its positions. */
export interface PositionAccess {
  /** The keyspace. */
  readonly keyspace: string;
  /** Sends writes until all are stored. */
  readonly send: (
    writes: Iterable<Write>,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
  /** Gives all rows of a statement without values. */
  readonly all: (
    cql: string,
  ) => Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** The positions of one keyspace. */
export class CassandraPositions {
  readonly #access: PositionAccess;

  /** Uses a connected store that has the table. */
  constructor(access: PositionAccess) {
    this.#access = access;
  }

  /** All positions. Throws StoreError if one is damaged. */
  async all(): Promise<StreamPosition[]> {
    const { keyspace, all } = this.#access;
    const rows = await all(`SELECT * FROM ${keyspace}.${POSITION_TABLE}`);
    return rows.map((row) => positionOf(row, `keyspace ${keyspace}`));
  }

  /** Writes positions; call when their rows are stored. */
  save(
    positions: readonly StreamPosition[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { keyspace, send } = this.#access;
    const cql = insertCql(keyspace, POSITIONS);
    return send(
      positions.map((position) => writeOf(cql, positionValues(position))),
      signal,
    );
  }

  /** Removes all positions in a topic. */
  async remove(topic: string): Promise<void> {
    const { keyspace, send } = this.#access;
    const cql = `DELETE FROM ${keyspace}.${POSITION_TABLE} ` +
      "WHERE stream = ? AND topic = ?";
    const streams = new Set((await this.all()).map(({ stream }) => stream));
    await send(
      [...streams].map((stream) => writeOf(cql, [stream, topic])),
      undefined,
    );
  }
}

/** A request of one row, numbers as the driver wants a bigint. */
function writeOf(cql: string, row: (string | number | null)[]): Write {
  const values = row.map((value) =>
    typeof value === "number" ? BigInt(value) : value
  );
  return { cql, rows: [{ values }], release() {} };
}
