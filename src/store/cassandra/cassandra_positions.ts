/** The positions in a keyspace: one partition a stream, so that a topic's are removed at once. Nothing here knows the driver. */
import { positionOf, positionRow, type StreamPosition } from "../positions.ts";
import { objectCheck, objectValues } from "../stored_row.ts";
import { POSITIONS } from "../tables.ts";
import { OTHER_TABLES } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { rowWrites } from "./cassandra_writes.ts";

/** All positions. Throws StoreError if one is damaged. */
export async function storedPositions(
  session: CassandraSession,
): Promise<StreamPosition[]> {
  const { keyspace } = session;
  const cql = `SELECT * FROM ${keyspace}.${POSITIONS.name}`;
  const place = `keyspace ${keyspace}`;
  return (await session.all(cql)).map((row) => positionOf(row, place));
}

/** Writes positions; call when their rows are stored. */
export async function savePositions(
  session: CassandraSession,
  positions: readonly StreamPosition[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { columns } = OTHER_TABLES.positions;
  const rows = positions.map(positionRow).map((row) =>
    objectValues(columns, row, objectCheck(POSITIONS, row))
  );
  const writes = rowWrites(session.keyspace, OTHER_TABLES.positions, rows);
  await session.send(writes, signal);
}

/** Removes all positions in a topic. */
export async function removePositions(
  session: CassandraSession,
  topic: string,
): Promise<void> {
  const cql = `DELETE FROM ${session.keyspace}.${POSITIONS.name} ` +
    "WHERE stream = ? AND topic = ?";
  const positions = await storedPositions(session);
  const streams = new Set(positions.map(({ stream }) => stream));
  const writes = [...streams].map((stream) => ({
    cql,
    rows: [{ values: [stream, topic] }],
    release() {},
  }));
  await session.send(writes, undefined);
}
