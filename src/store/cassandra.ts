/**
 * The store on Apache Cassandra. (Under construction: it says so wherever it
 * is asked for, and no row is lost by that, since the offsets stay.)
 */
import { StoreError } from "../error/error.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import type { CassandraSettings } from "./cassandra_settings.ts";
import type { Store, StoreReport } from "./store.ts";

/** Connects to the cluster; throws StoreError if it cannot be reached. */
export function openCassandraStore(
  settings: CassandraSettings,
  _features: FeatureParameters,
  _report: StoreReport,
): Promise<Store> {
  const nodes = settings.contactPoints.join(", ");
  throw new StoreError(`no connection to ${nodes} yet`);
}
