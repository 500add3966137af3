/** The stream across threads: what comes back, what fails, and how much crosses at a time. */
import assert from "node:assert/strict";
import { LogError } from "../../src/base/error.ts";
import { Problem } from "../../src/api/problem.ts";
import {
  answering,
  type ApiCall,
  type ApiReply,
  remoteApi,
} from "../../src/api/remote_api.ts";
import { MemoryApi } from "./memory_api.ts";

/** A stream and the same behind a crossing, where everything is copied as between threads. */
function across(stream = new MemoryApi()) {
  const calls: (readonly ApiCall[])[] = [];
  const replies: (readonly ApiReply[])[] = [];
  const { shape, definition, featureNames } = stream;
  const remote = remoteApi({ shape, definition, featureNames }, (batch) => {
    calls.push(batch);
    answer(structuredClone(batch));
  });
  const answer = answering(stream, (batch) => {
    replies.push(batch);
    remote.receive(structuredClone(batch));
  });
  return { stream, api: remote.api, calls, replies };
}

Deno.test("calls reach the stream with their arguments, and get its values", async () => {
  const { stream, api } = across();
  const answer = await api.score("{}", true);
  assert.deepEqual(answer, await stream.score("{}", true));
  assert.deepEqual(stream.calls[0], { method: "score", args: ["{}", true] });
  assert.deepEqual(await api.metrics(), await stream.metrics());
  assert.equal(await api.notReady(), undefined);
  stream.waitsFor = "the stages are not ready";
  assert.equal(await api.notReady(), stream.waitsFor);
  assert.equal(api.definition, stream.definition);
});

Deno.test("problems and errors keep their kind", async () => {
  const { stream, api } = across();
  const members = { REASON: "late" };
  stream.failure = new Problem("rejected", "too late", {
    members,
    retryAfter: 3,
  });
  await assert.rejects(api.payment("1"), (error) => {
    assert.ok(error instanceof Problem);
    const { kind, message, retryAfter } = error;
    assert.deepEqual(
      { kind, message, members: error.members, retryAfter },
      { kind: "rejected", message: "too late", members, retryAfter: 3 },
    );
    return true;
  });
  stream.failure = new Problem("not-found", "no such list");
  await assert.rejects(
    api.list("blocked"),
    (error) => error instanceof Problem && error.retryAfter === undefined,
  );
  stream.failure = new LogError("the log is gone");
  await assert.rejects(api.rules(), (error) => {
    assert.ok(error instanceof LogError);
    assert.equal(error.message, "the log is gone");
    return true;
  });
});

Deno.test("what is asked and answered at one moment crosses together", async () => {
  const { stream, api, calls, replies } = across();
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.wait = promise;
  const answers = Array.from({ length: 100 }, () => api.score("{}", false));
  const rules = api.rules();
  assert.equal((await rules).version, null); // not held up by the others
  resolve();
  await Promise.all(answers);
  assert.deepEqual(calls.map(({ length }) => length), [101]);
  assert.deepEqual(replies.map(({ length }) => length), [1, 100]);
});
