import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { Thread } from "../../src/base/thread.ts";
import { testReading } from "../permission.ts";
import type { Work } from "./thread_worker.ts";

/** A thread, with what it sends as it comes. */
function start(work: Work): {
  thread: Thread<Work, number, number>;
  sent: number[];
  begun: Promise<void>;
} {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const sent: number[] = [];
  const thread = new Thread<Work, number, number>({
    module: new URL("./thread_worker.ts", import.meta.url),
    name: "the test's thread",
    work,
    received: (message) => {
      sent.push(message);
      resolve();
    },
  });
  return { thread, sent, begun };
}

testReading("what a thread sends comes before its end", async () => {
  const { thread, sent } = start("add up");
  for (const more of [1, 2, 3, 0]) thread.send(more);
  await thread.ended;
  assert.deepEqual(sent, [1, 3, 6]);
});

for (const work of ["wait", "pass the stop on"] as const) {
  testReading(`a stop reaches the work, which may ${work}`, async () => {
    const { thread, begun } = start(work);
    await begun;
    assert.equal(await thread.stop(60_000), true);
    await thread.ended;
  });
}

testReading("a thread that does not stop is ended", async () => {
  const { thread, begun } = start("hang");
  await begun;
  assert.equal(await thread.stop(1), false);
  await thread.ended;
});

testReading("an error crosses with its class and its stack", async () => {
  const { thread } = start("refuse");
  await assert.rejects(thread.ended, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, "--this cannot be");
    assert.match(error.stack ?? "", /thread_worker\.ts/);
    return true;
  });
  // A stop after the end says nothing of the failure.
  assert.equal(await thread.stop(60_000), true);
});

testReading("what is thrown and no error becomes one", async () => {
  const { thread } = start("reject with a text");
  await assert.rejects(thread.ended, { message: "no error at all" });
});

testReading("an error that nothing catches names the thread", async () => {
  const { thread } = start("throw elsewhere");
  await assert.rejects(thread.ended, {
    message: /^the test's thread: .*out of nowhere/,
  });
});
