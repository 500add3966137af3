/**
 * Opens the store that the settings name. What the other kind needs is not
 * even loaded: a run on the embedded store starts without Cassandra's driver.
 */
import { join } from "node:path";
import type { FeatureParameters } from "../features/parameters.ts";
import type { CassandraSettings } from "./cassandra_settings.ts";
import { EmbeddedStore } from "./embedded.ts";
import type { Store, StoreReport } from "./store.ts";

/** Which store, and how it is used. */
export type StoreSettings =
  | {
    /** One SQLite file in a data folder. */
    readonly kind: "embedded";
    /** The data folder. */
    readonly folder: string;
    /** Whether every commit waits for the disk. */
    readonly durable: boolean;
  }
  | CassandraSettings;

/** The SQLite file of an embedded store. */
export function storePath(folder: string): string {
  return join(folder, "store.db");
}

/**
 * Opens a store, making what is missing. `report` is told when the store stops
 * answering and when it answers again. Throws ConfigError for settings that do
 * not fit, StoreError if it cannot be reached.
 */
export async function openStore(
  settings: StoreSettings,
  features: FeatureParameters,
  report: StoreReport,
): Promise<Store> {
  switch (settings.kind) {
    case "embedded":
      return new EmbeddedStore({
        path: storePath(settings.folder),
        features,
        durable: settings.durable,
      });
    case "cassandra": {
      const { openCassandraStore } = await import("./cassandra.ts");
      return await openCassandraStore(
        settings,
        features,
        (message, fields) => report("warning", message, fields),
      );
    }
  }
}
