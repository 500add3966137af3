import assert from "node:assert/strict";
import {
  Door,
  KEY_HEADER,
  visitOf,
} from "../../../src/dashboard/server/guard.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A visit with these headers from an address. */
function visit(headers: Record<string, string>, address = "192.0.2.1") {
  return visitOf(new Headers(headers), address, false);
}

function showing(token: string, address?: string) {
  return visit({ authorization: `Bearer ${token}` }, address);
}

/** Shows a wrong token so often from an address. */
function wrong(door: Door, address: string, times: number): void {
  for (let i = 0; i < times; i++) door.admits(showing("wrong", address));
}

/** What a browser sends back of a cookie. */
function sentBack(cookie: string | undefined): Record<string, string> {
  return { cookie: cookie?.split(";")[0] ?? "" };
}

Deno.test("tokens of an address are looked at again after a minute", () => {
  let now = 0;
  const door = new Door([{ name: undefined, token: TOKEN }], () => now);
  wrong(door, "192.0.2.1", 20);
  assert.equal(door.admits(showing(TOKEN)), "too often");
  now += MINUTE_MS;
  assert.equal(door.admits(showing(TOKEN)), "too often");
  now += 1;
  assert.equal(door.admits(showing(TOKEN)), "yes");
  wrong(door, "192.0.2.1", 19);
  assert.equal(door.admits(showing(TOKEN)), "yes");
});

Deno.test("an IPv6 network of 64 bits counts as one address", () => {
  const door = new Door([{ name: undefined, token: TOKEN }]);
  for (let i = 0; i < 20; i++) wrong(door, `2001:db8::${i.toString(16)}`, 1);
  const admitted = (address: string) => door.admits(showing(TOKEN, address));
  assert.equal(admitted("2001:db8:0:0:1:2:3:4"), "too often");
  assert.equal(admitted("2001:db8:0:1::1"), "yes");
  wrong(door, "::ffff:192.0.2.7", 20);
  assert.equal(admitted("192.0.2.7"), "too often");
  assert.equal(admitted("192.0.2.8"), "yes");
});

Deno.test("any number of strangers neither fill the memory nor keep others out", () => {
  const door = new Door([{ name: undefined, token: TOKEN }]);
  for (let i = 0; i < 5000; i++) {
    wrong(door, `10.${i >> 8}.${i & 255}.1`, 20);
  }
  assert.equal(door.admits(showing(TOKEN, "192.0.2.1")), "yes");
  // The newest of them are still known.
  assert.equal(door.admits(showing(TOKEN, "10.19.135.1")), "too often");
});

Deno.test("a session ends after its time, its stream and its key with it", () => {
  let now = 0;
  const door = new Door([{ name: undefined, token: TOKEN }], () => now);
  const entered = door.enter(TOKEN, visit({}));
  assert.ok(typeof entered === "object");
  const page = visit(sentBack(entered.cookie));
  const key = door.session(page)?.key ?? "";
  const writing = visit({ ...sentBack(entered.cookie), [KEY_HEADER]: key });
  assert.ok(door.mayWrite(writing) && door.stillAdmits(page));
  now += 12 * HOUR_MS;
  assert.equal(door.admits(page), "no");
  assert.ok(!door.mayWrite(writing) && !door.stillAdmits(page));
  assert.equal(door.session(page), undefined);
});

Deno.test("of too many sessions the oldest is dropped", () => {
  const door = new Door([]);
  const cookies = Array.from({ length: 1001 }, () => {
    return sentBack(door.session(visit({}))?.cookie);
  });
  const goesOn = (cookie: Record<string, string>) =>
    door.session(visit(cookie))?.cookie === undefined;
  assert.ok(goesOn(cookies[1000]) && goesOn(cookies[1]));
  assert.ok(!goesOn(cookies[0]));
});

Deno.test("a key is of no use to another server", () => {
  const [door, other] = [new Door([]), new Door([])];
  const begun = door.session(visit({}));
  const page = { ...sentBack(begun?.cookie), [KEY_HEADER]: begun?.key ?? "" };
  assert.ok(door.mayWrite(visit(page)));
  assert.ok(!other.mayWrite(visit(page)));
});
