import assert from "node:assert/strict";
import { errors } from "cassandra-driver";
import { ConfigError, StoreError } from "../../../src/base/error.ts";
import {
  connectError,
  isTimeout,
  isTransient,
  reasonOf,
  requestError,
} from "../../../src/store/cassandra/cassandra_error.ts";
import { settingsOf } from "../../integration/cassandra_keyspace.ts";

const SETTINGS = settingsOf("10.0.0.1:9042");

/** The driver's own error objects. */
function response(code: number, message = "no"): Error {
  return new errors.ResponseError(code, message);
}
function noHost(...inner: unknown[]): Error {
  const byHost = inner.map((error, i) => [`10.0.0.${i + 1}:9042`, error]);
  return new errors.NoHostAvailableError(Object.fromEntries(byHost), "none");
}
const timedOut = new errors.OperationTimedOutError("too long", "10.0.0.1");

Deno.test("what passes by itself is told from what does not", () => {
  const socket = Object.assign(new Error("Socket was closed"), {
    isSocketError: true,
  });
  const passing = [
    noHost(),
    timedOut,
    socket,
    new errors.BusyConnectionError("10.0.0.1", 1, 1),
    // What the driver throws while it prepares a statement without a connection.
    new Error("No connection available"),
    ...[0x0000, 0x1000, 0x1001, 0x1002, 0x1100, 0x1200, 0x1500]
      .map((code) => response(code)),
  ];
  for (const error of passing) assert.ok(isTransient(error), String(error));
  const lasting = [
    ...[0x2000, 0x2100, 0x2200, 0x2300].map((code) => response(code)),
    new errors.AuthenticationError("no"),
    new TypeError("a mistake of ours"),
    "text",
  ];
  for (const error of lasting) assert.ok(!isTransient(error), String(error));
});

Deno.test("a timeout is seen, also among what several nodes said", () => {
  assert.ok(isTimeout(timedOut));
  assert.ok(isTimeout(response(0x1200)));
  assert.ok(isTimeout(noHost(new Error("gone"), timedOut)));
  assert.ok(!isTimeout(noHost(new Error("gone"))));
  assert.ok(!isTimeout(response(0x1100)));
});

Deno.test("a reason is one line with what each node said", () => {
  const error = noHost(
    new Error("refused\n  by it"),
    "considered as DOWN",
    null,
  );
  assert.equal(
    reasonOf(error),
    "10.0.0.1:9042: refused by it; 10.0.0.2:9042: considered as DOWN",
  );
});

Deno.test("a login that is refused, with the user and never the password", () => {
  const error = noHost(new errors.AuthenticationError("bad credentials"));
  const user = { name: "ann", password: "secret" };
  const told = connectError(error, { ...SETTINGS, user });
  assert.ok(told instanceof StoreError);
  assert.match(told.message, /refused the login: .* the user 'ann'/);
  assert.doesNotMatch(told.message, /secret/);
  assert.match(
    connectError(error, SETTINGS).message,
    /it wants a user and a password, and none are set/,
  );
});

Deno.test("another data centre is wrong use, and the message has those that there are", () => {
  const error = noHost(
    new Error(
      "localDataCenter was configured as 'datacenter1', but only found hosts " +
        "in data centers: [east, west]",
    ),
  );
  const told = connectError(error, SETTINGS);
  assert.ok(told instanceof ConfigError);
  assert.match(told.message, /at 10\.0\.0\.1:9042, which has east, west; /);
});

Deno.test("a request that fails for good says what was done and what to do", () => {
  const told = requestError(response(0x2100, "ann may not"), "writing x");
  assert.ok(told instanceof StoreError);
  assert.match(told.message, /^Cassandra, writing x: ann may not; grant it/);
  assert.match(
    requestError(noHost("DOWN"), "reading x").message,
    /reading x: 10\.0\.0\.1:9042: DOWN; look at the cluster and start again/,
  );
});

Deno.test("errors that are not the driver's stay what they are", () => {
  const mistake = new TypeError("a mistake of ours");
  assert.equal(requestError(mistake, "x"), mistake);
  const own = new StoreError("told already");
  assert.equal(requestError(own, "x"), own);
});
