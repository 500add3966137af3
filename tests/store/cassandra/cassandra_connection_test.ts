/** The driver's connection for the topology, with nodes that are made up. */
import assert from "node:assert/strict";
// @ts-types="../../../src/store/cassandra/cassandra_driver_control_connection.d.ts"
import ControlConnection from "cassandra-driver/lib/control-connection.js";
import "../../../src/store/cassandra/cassandra_session.ts";

/** One that connects at once, except when told to fail; it counts its refreshes. */
function connectionOf(failures: number) {
  const made = { refreshes: 0, isConnected: false };
  const connection = Object.assign(Object.create(ControlConnection.prototype), {
    _isShuttingDown: false,
    log: () => {},
    emit: () => {},
    _profileManager: {
      getDefaultLoadBalancing: () => ({
        newQueryPlan: (
          _: unknown,
          __: unknown,
          done: (...all: unknown[]) => void,
        ) => done(null, [].values()),
      }),
    },
    _reconnectionPolicy: { newSchedule: () => undefined },
    async _refreshControlConnection() {
      await Promise.resolve();
      Object.assign(this, { host: {}, connection: {} });
    },
    _refreshHosts: () => Promise.resolve(),
    _registerToConnectionEvents: () => Promise.resolve(),
    _setHealthListeners(host: unknown) {
      made.refreshes++;
      if (made.refreshes <= failures) throw new TypeError("made up");
      assert.ok(host);
      made.isConnected = true;
    },
  });
  return { connection: connection as ControlConnection, made };
}

Deno.test("two refreshes at the same time are one", async () => {
  const { connection, made } = connectionOf(0);
  const first = connection._refresh();
  await Promise.resolve();
  await Promise.all([first, connection._refresh()]);
  assert.deepEqual(made, { refreshes: 1, isConnected: true });
  await connection._refresh();
  assert.equal(made.refreshes, 2);
});

Deno.test("a refresh that fails is repeated", async () => {
  const { connection, made } = connectionOf(1);
  await connection._refresh();
  assert.equal(made.isConnected, false);
  const { promise, resolve } = Promise.withResolvers<void>();
  const { _refresh } = connection;
  connection._refresh = async (...hosts) => {
    await _refresh.apply(connection, hosts);
    resolve();
  };
  await promise;
  assert.deepEqual(made, { refreshes: 2, isConnected: true });
});
