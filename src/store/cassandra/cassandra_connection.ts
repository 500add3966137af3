/**
 * Changes of the driver's connections to nodes.
 *
 * A connection is given up once its answers can no longer be matched with
 * requests. Cassandra answers a request that has waited too long
 * in its queue on stream 0, whatever stream the request came on. The driver
 * takes that for the answer to the request on stream 0, and frees the stream
 * with every such answer. Later several requests share it, and one gets the
 * rows of another.
 *
 * The connection for the topology is refreshed once at a time. Of two
 * refreshes at the same time, one resets what the other has just connected,
 * which then fails where nobody waits for it, and ends the process.
 */
// @ts-types="./cassandra_driver_connection.d.ts"
import Connection from "cassandra-driver/lib/connection.js";
// @ts-types="./cassandra_driver_control_connection.d.ts"
import ControlConnection from "cassandra-driver/lib/control-connection.js";

/** The error of a request that Cassandra took from its queue too late. */
const LATE = /timed out before it could start/;

/** The pause before the topology is asked for again after a failure that the driver does not expect, in milliseconds. */
const REFRESH_PAUSE_MS = 1000;

/** Changes the driver's connections: one with a stray or late answer fails its requests and is closed, and the driver opens another. */
export function giveUpStrayConnections(): void {
  const { prototype } = Connection;
  const { handleResult, freeStreamId } = prototype;
  prototype.handleResult = function (header, error, result) {
    const isStray = header.streamId >= 0 &&
      !this._operations.has(header.streamId);
    handleResult.call(this, header, error, result);
    if (!isStray && !LATE.test(error?.message ?? "")) return;
    this.handleSocketError(new Error("an answer without a request"));
    this.netClient.destroy();
  };
  prototype.freeStreamId = function (header) {
    if (this._operations.has(header.streamId)) freeStreamId.call(this, header);
  };
}

/** Changes the driver's connections for the topology: one refresh at a time, and none fails. */
export function refreshOneAtATime(): void {
  const { prototype } = ControlConnection;
  const { _refresh } = prototype;
  const running = new WeakMap<ControlConnection, Promise<void>>();
  prototype._refresh = function (hosts) {
    // Its own retry, with the rest of its query plan.
    if (hosts) return _refresh.call(this, hosts);
    let refresh = running.get(this);
    if (!refresh) {
      refresh = _refresh.call(this).catch(() => {
        if (this._isShuttingDown) return;
        setTimeout(() => this._refresh(), REFRESH_PAUSE_MS);
      }).finally(() => running.delete(this));
      running.set(this, refresh);
    }
    return refresh;
  };
}
