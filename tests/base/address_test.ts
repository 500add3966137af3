import assert from "node:assert/strict";
import { addressOf, isLoopback, writtenHost } from "../../src/base/address.ts";

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

Deno.test("a host of IPv6 stands in brackets, also in a permission", () => {
  assert.equal(writtenHost("::1"), "[::1]");
  assert.equal(writtenHost("127.0.0.1"), "127.0.0.1");
  assert.equal(addressOf("::1", 8090), "http://[::1]:8090");
});
