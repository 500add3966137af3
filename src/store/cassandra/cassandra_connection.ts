/**
 * Makes the driver give a connection up once its answers can no longer be
 * matched with requests. Cassandra answers a request that has waited too long
 * in its queue on stream 0, whatever stream the request came on. The driver
 * takes that for the answer to the request on stream 0, and frees the stream
 * with every such answer. Later several requests share it, and one gets the
 * rows of another.
 */
// @ts-types="./cassandra_driver_connection.d.ts"
import Connection from "cassandra-driver/lib/connection.js";

/** The error of a request that Cassandra took from its queue too late. */
const LATE = /timed out before it could start/;

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
