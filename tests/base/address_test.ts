import assert from "node:assert/strict";
import { addressOf, isLoopback } from "../../src/base/address.ts";

Deno.test("isLoopback() knows addresses that only this machine reaches", () => {
  for (const host of ["127.0.0.1", "127.8.9.10", "localhost", "::1"]) {
    assert.ok(isLoopback(host), host);
  }
  for (
    const host of ["0.0.0.0", "::", "192.168.0.7", "127.0.0.1.example", "shop"]
  ) assert.ok(!isLoopback(host), host);
});

Deno.test("addressOf() puts IPv6 addresses into brackets", () => {
  assert.equal(addressOf("::1", 8080), "http://[::1]:8080");
  assert.equal(addressOf("shop", 443, "https"), "https://shop:443");
});
