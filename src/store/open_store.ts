/**
 * Opens the store that the settings ask for. The Cassandra client is loaded
 * only where it is needed, so that a run without a server starts at once.
 */
import { join } from "node:path";
import type { FeatureParameters } from "../features/parameters.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { CassandraSettings } from "./cassandra/cassandra_settings.ts";
import { EmbeddedStore } from "./embedded/embedded_store.ts";
import type { Store } from "./store.ts";
import type { OutageReport } from "../base/outage.ts";

/** Where the store is and how it is reached. */
export type StoreSettings =
  | {
    /** A SQLite file in a folder. */
    readonly kind: "embedded";
    /** The data folder, which exists. */
    readonly folder: string;
    /** Whether every commit waits for the disk. */
    readonly durable: boolean;
  }
  | CassandraSettings;

/** The SQLite file of an embedded store. */
export function storePath(folder: string): string {
  return join(folder, "store.db");
}

/** How a store is opened. */
export interface OpenStoreOptions {
  /** The form of the payments; the handbook's where it is left out. */
  readonly shape?: PaymentShape | undefined;
  /** Ends a wait for the lock of an embedded store: its reason is thrown a while after the abort. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the store for these features, making its table if there is none; the
 * caller closes it. Throws ConfigError if it holds other features or fields,
 * StoreError if it cannot be reached as the settings say.
 */
export async function openStore(
  settings: StoreSettings,
  features: FeatureParameters,
  report: OutageReport,
  { shape, signal }: OpenStoreOptions = {},
): Promise<Store> {
  if (settings.kind === "embedded") {
    const { folder, durable } = settings;
    const path = storePath(folder);
    return new EmbeddedStore({
      path,
      features,
      shape,
      durable,
      signal,
      report,
    });
  }
  const { openCassandraStore } = await import("./cassandra/cassandra_store.ts");
  return await openCassandraStore(settings, features, report, shape);
}
