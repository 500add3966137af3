/**
 * Types of the driver's connection for the topology of a cluster, as far as
 * cassandra_connection.ts uses it; the package declares those of its client
 * only.
 */

/** The connection by which a client follows the nodes and the schema. */
export default class ControlConnection {
  /** Whether the client is being closed. */
  readonly _isShuttingDown: boolean;
  /** Connects to another node; with a query plan, to the next of it. */
  _refresh(hosts?: Iterator<unknown>): Promise<void>;
}
