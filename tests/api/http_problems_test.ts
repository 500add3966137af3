import assert from "node:assert/strict";
import { StoreError } from "../../src/base/error.ts";
import { Problem, PROBLEM_STATUS } from "../../src/api/problem.ts";
import type { ProblemKind } from "../../src/api/problem.ts";
import { MemoryApi, openApi } from "./memory_api.ts";

Deno.test("a Problem of the stream becomes its document", async () => {
  for (const kind of Object.keys(PROBLEM_STATUS) as ProblemKind[]) {
    const { api, post } = openApi();
    api.failure = new Problem(kind, "because", {
      members: { REASON: "late", LINE: 3 },
      retryAfter: 2,
    });
    const response = await post("/v1/score", "{}");
    assert.equal(response.status, PROBLEM_STATUS[kind]);
    assert.equal(response.headers.get("retry-after"), "2");
    assert.equal(
      response.headers.get("content-type"),
      "application/problem+json",
    );
    const { title, ...document } = await response.json();
    assert.ok(title);
    assert.deepEqual(document, {
      type: `/problems/${kind}`,
      status: PROBLEM_STATUS[kind],
      detail: "because",
      REASON: "late",
      LINE: 3,
    });
  }
});

Deno.test("errors that are no Problem are logged and say nothing internal", async () => {
  for (
    const [error, status] of [
      [new TypeError("secret path"), 500],
      [new StoreError("secret path"), 503],
    ] as const
  ) {
    const { api, post, logger } = openApi();
    api.failure = error;
    const response = await post("/v1/score", "{}");
    assert.equal(response.status, status);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.match(logger.lines.join(), /secret path/);
  }
});

Deno.test("unknown paths get 404, other methods 405 with Allow", async () => {
  const { ask } = openApi();
  assert.equal((await ask("/v1/nothing")).status, 404);
  for (
    const [path, method, allow] of [
      ["/v1/score", "GET", "POST"],
      ["/v1/rules", "DELETE", "GET, HEAD, PUT"],
      ["/v1/lists/cards", "POST", "GET, HEAD, PUT"],
      ["/v1/score", "OPTIONS", "POST"],
    ]
  ) {
    const response = await ask(path, { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), allow);
    assert.equal((await response.json()).type, "/problems/method-not-allowed");
  }
  assert.equal((await ask("/healthz", { method: "HEAD" })).status, 200);
  const { headers } = await ask("/v1/score", { method: "HEAD" });
  assert.equal(headers.get("allow"), "POST");
});

Deno.test("parameters are checked before the stream is asked", async () => {
  const { api, post } = openApi();
  for (
    const query of [
      "features=yes",
      "feature=true",
      "features=true&features=true",
    ]
  ) {
    const response = await post(`/v1/score?${query}`, "{}");
    assert.equal(response.status, 400, query);
    assert.match((await response.json()).detail, /^query parameter/);
  }
  assert.deepEqual(api.calls, []);
});

Deno.test("bodies need their media type, UTF-8 and no coding", async () => {
  const { api, post } = openApi();
  for (
    const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/json; charset=latin1" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ]
  ) assert.equal((await post("/v1/score", "{}", headers)).status, 415);
  const bytes = Uint8Array.of(123, 0xff, 125);
  const response = await post("/v1/score", bytes);
  assert.equal(response.status, 400);
  assert.match((await response.json()).detail, /not UTF-8/);
  assert.deepEqual(api.calls, []);
  assert.equal((await post("/v1/score", "{")).status, 400);
});

Deno.test("a body that is too large is refused, and not read to its end", async () => {
  const { api, post } = openApi({
    bodies: { score: 10, payments: 20, labels: 30, rules: 1, list: 1 },
  });
  assert.equal((await post("/v1/score", " ".repeat(8) + "{}")).status, 200);
  for (
    const [path, bytes] of [["score", 11], ["payments", 21], ["labels", 31]]
  ) {
    const response = await post(`/v1/${path}`, " ".repeat(Number(bytes)));
    assert.equal(response.status, 413);
    assert.match(
      await response.text(),
      new RegExp(`at most ${+bytes - 1} bytes`),
    );
  }
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(4));
    },
  });
  assert.equal((await post("/v1/score", endless)).status, 413);
  assert.ok(pulled < 10, `${pulled} blocks were read`);
  const long = await post("/v1/score", "{}", { "content-length": "11" });
  assert.equal(long.status, 413);
  assert.equal(api.calls.length, 1);
});

Deno.test("an id that is text may have any characters", async () => {
  const { api, ask } = openApi({}, { api: new MemoryApi("sparkov") });
  assert.equal((await ask("/v1/customers/a%2Fb%25%20c")).status, 200);
  assert.deepEqual(api.calls[0].args, ["a/b% c"]);
  assert.equal((await ask(`/v1/customers/${"a".repeat(129)}`)).status, 400);
});
