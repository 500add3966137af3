import assert from "node:assert/strict";
import { ConfigError } from "../../../src/base/error.ts";
import {
  addressOf,
  checkExposure,
  isLoopback,
  portsToTry,
} from "../../../src/dashboard/server/exposure.ts";

Deno.test("checkExposure() lets only this machine in without a token", () => {
  const page = { port: undefined, token: undefined, behindProxy: false };
  for (const host of ["127.0.0.1", "127.8.9.10", "localhost", "::1"]) {
    checkExposure({ ...page, host });
    assert.ok(isLoopback(host));
  }
  for (
    const host of ["0.0.0.0", "::", "192.168.0.7", "127.0.0.1.example", "shop"]
  ) {
    assert.throws(() => checkExposure({ ...page, host }), ConfigError);
    checkExposure({ ...page, host, token: "0123456789abcdef" });
  }
});

Deno.test("checkExposure() takes no token that can be guessed", () => {
  const page = { host: "127.0.0.1", port: 1, behindProxy: false };
  assert.throws(
    () => checkExposure({ ...page, token: "secret" }),
    /fewer than 16/,
  );
});

Deno.test("the default port makes room, a port that was asked for does not", () => {
  assert.deepEqual(portsToTry(9000), [9000]);
  assert.deepEqual(portsToTry(0), [0]);
  assert.deepEqual(portsToTry(undefined).slice(0, 3), [8080, 8081, 8082]);
  assert.equal(addressOf("::1", 8080), "http://[::1]:8080");
});

Deno.test("checkExposure() takes a proxy before the page for others' way in", () => {
  const page = { host: "127.0.0.1", port: 1, behindProxy: true };
  const without = { ...page, token: undefined };
  assert.throws(() => checkExposure(without), /--behind-proxy opens the page/);
  checkExposure({ ...page, token: "0123456789abcdef" });
});
