import assert from "node:assert/strict";
import { EventStream } from "../../../src/dashboard/server/event_stream.ts";

const text = new TextDecoder();

async function next(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<string> {
  const { value } = await reader.read();
  return text.decode(value);
}

function open(stream: EventStream): ReadableStreamDefaultReader<Uint8Array> {
  const body = stream.open("first");
  assert.ok(body);
  return body.getReader();
}

Deno.test("an event is made once, however many listen, and not at all for nobody", async () => {
  const stream = new EventStream(10);
  let made = 0;
  const make = () => String(++made);
  stream.send(make);
  assert.equal(made, 0);
  const readers = [open(stream), open(stream), open(stream)];
  stream.send(make);
  assert.equal(made, 1);
  for (const reader of readers) {
    assert.equal(await next(reader), "data: first\n\n");
    assert.equal(await next(reader), "data: 1\n\n");
  }
});

Deno.test("a slow page gets the newest state when it reads again, and no queue grows for it", async () => {
  const stream = new EventStream(10);
  const slow = open(stream);
  for (let i = 1; i <= 1000; i++) stream.send(() => String(i));
  assert.ok(stream.skipped >= 998, `${stream.skipped} skipped`);
  assert.equal(await next(slow), "data: first\n\n");
  assert.equal(await next(slow), "data: 1\n\n");
  const waiting = next(slow);
  stream.send(() => "1001");
  assert.equal(await waiting, "data: 1001\n\n");
});

Deno.test("a page that leaves is forgotten; too many are not let in", async () => {
  const stream = new EventStream(2);
  const [first] = [open(stream), open(stream)];
  assert.equal(stream.open("x"), undefined);
  await first.cancel();
  assert.equal(stream.clients, 1);
  open(stream);
  stream.close();
  assert.equal(stream.clients, 0);
});

Deno.test("who may no longer listen is ended at the next event, and alone", async () => {
  const stream = new EventStream(10);
  let may = true;
  const body = stream.open("first", () => may);
  assert.ok(body);
  const leaving = body.getReader();
  const staying = open(stream);
  await next(leaving);
  may = false;
  stream.send(() => "second");
  assert.equal((await leaving.read()).done, true);
  assert.equal(await next(staying), "data: first\n\n");
  assert.equal(await next(staying), "data: second\n\n");
  assert.equal(stream.clients, 1);
});
