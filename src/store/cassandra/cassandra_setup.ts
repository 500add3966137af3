/**
 * Prepares a keyspace for the store: creates missing tables and adds the
 * features' columns to an existing table of payments. Existing columns are
 * checked and never altered.
 */
import { backoffMs, type Clock, REAL_CLOCK } from "../../base/clock.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import type { Table } from "../tables.ts";
import {
  addColumnsCql,
  createKeyspaceCql,
  createTableCql,
  type FoundColumn,
  missingColumns,
  type OtherTables,
  otherTables,
  type PaymentTables,
  probeCql,
  tablesOf,
  withFoundIds,
} from "./cassandra_schema.ts";
import type { SchemaSettings } from "./cassandra_settings.ts";

/** Runs a statement with text values; returns all its rows. */
export type Execute = (
  cql: string,
  values?: readonly string[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** The tables of a keyspace as they are, or as they will be created. */
export interface FoundTables extends OtherTables {
  /** The tables of payments; they exist. */
  readonly payments: PaymentTables;
}

/** How long nodes may take to know a table that the schema has, and the pauses between two looks, milliseconds. */
const KNOWN_MS = 30_000;
const PAUSE_MS = { min: 20, max: 1000 };

/**
 * Creates the payments' tables if they are missing; returns all tables as they
 * are, once they answer. Throws ConfigError if one has another form.
 */
export async function ensureSchema(
  execute: Execute,
  settings: SchemaSettings,
  features: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
  clock: Clock = REAL_CLOCK,
): Promise<FoundTables> {
  const { keyspace } = settings;
  const known = await execute(
    "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?",
    [keyspace],
  );
  // Not IF NOT EXISTS alone, which needs the right to create keyspaces.
  if (known.length === 0) await execute(createKeyspaceCql(settings));
  const found = await columnsOf(execute, keyspace);
  const asFound = <T extends Table>(table: T): T =>
    withFoundIds(table, found.get(table.name));
  const made = tablesOf(features, shape);
  const payments: PaymentTables = {
    transactions: asFound(made.transactions),
    byCustomer: asFound(made.byCustomer),
    byTerminal: asFound(made.byTerminal),
    fraudsByDay: asFound(made.fraudsByDay),
  };
  const { predictions, metrics, verdicts, labels, positions } = otherTables(
    shape,
  );
  const needed = [
    ...Object.values(payments),
    positions,
    ...shape.hasLabels ? [labels] : [],
  ];
  await makeTables(execute, keyspace, needed, found, clock);
  return {
    payments,
    predictions: asFound(predictions),
    metrics,
    verdicts: asFound(verdicts),
    labels: asFound(labels),
    positions,
  };
}

/** Creates missing tables, and missing columns of existing ones; they answer then. Throws ConfigError if one has another form. */
export async function ensureTables(
  execute: Execute,
  keyspace: string,
  tables: readonly Table[],
): Promise<void> {
  const found = await columnsOf(execute, keyspace);
  await makeTables(execute, keyspace, tables, found, REAL_CLOCK);
}

async function makeTables(
  execute: Execute,
  keyspace: string,
  all: readonly Table[],
  found: Map<string, FoundColumn[]>,
  clock: Clock,
): Promise<void> {
  // All are checked before any is changed.
  const missing = all.map((table) => {
    const columns = found.get(table.name);
    return columns && missingColumns(keyspace, table, columns);
  });
  const deadline = clock.now() + KNOWN_MS;
  const known = (cql: string) =>
    untilKnown(() => execute(cql), deadline, clock);
  for (const [i, table] of all.entries()) {
    const columns = missing[i];
    // The keyspace may be another's too.
    if (!columns) await known(createTableCql(keyspace, table));
    else if (columns.length > 0) {
      try {
        await execute(addColumnsCql(keyspace, table, columns));
      } catch (error) {
        // Another writer that started at the same time may have been faster.
        const now = (await columnsOf(execute, keyspace)).get(table.name) ?? [];
        if (missingColumns(keyspace, table, now).length > 0) throw error;
      }
    }
  }
  for (const table of all) await known(probeCql(keyspace, table));
}

/**
 * Runs a statement when the node knows its keyspace, table and columns. What
 * another process is creating stands in the schema a moment before that.
 */
async function untilKnown(
  run: () => Promise<unknown>,
  deadline: number,
  clock: Clock,
): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      await run();
      return;
    } catch (error) {
      if (!isUnknown(error) || clock.now() > deadline) throw error;
    }
    await clock.sleep(backoffMs(attempt, PAUSE_MS, clock));
  }
}

/** Whether a node says that it does not know a keyspace, a table or a column; "Unknown CF" is a server error about a table that is just being created. */
function isUnknown(error: unknown): boolean {
  return error instanceof Error &&
    /(does not|doesn't) exist|unconfigured table|undefined column|unknown CF/i
      .test(
        error.message,
      );
}

async function columnsOf(
  execute: Execute,
  keyspace: string,
): Promise<Map<string, FoundColumn[]>> {
  const rows = await execute(
    "SELECT table_name, column_name, type, kind FROM system_schema.columns " +
      "WHERE keyspace_name = ?",
    [keyspace],
  );
  const found = new Map<string, FoundColumn[]>();
  for (const row of rows) {
    const table = String(row.table_name);
    const columns = found.get(table) ?? [];
    found.set(table, columns);
    columns.push({
      name: String(row.column_name),
      type: String(row.type),
      kind: String(row.kind),
    });
  }
  return found;
}
