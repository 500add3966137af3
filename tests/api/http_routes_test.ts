import assert from "node:assert/strict";
import { openApi } from "./memory_api.ts";

Deno.test("POST /v1/score hands the text on and gives the decision", async () => {
  const { api, post } = openApi();
  const body = '{"TRANSACTION_ID": 1234567890123456789}';
  const response = await post("/v1/score?features=true", body);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(
    response.headers.get("server-timing"),
    "append;dur=0.41, decide;dur=3.2",
  );
  assert.equal((await response.json()).DECISION, "review");
  assert.deepEqual(api.calls, [{ method: "score", args: [body, true] }]);
});

Deno.test("payments and labels come in their formats", async () => {
  const { api, post } = openApi();
  const types = ["application/json", "application/x-ndjson", "text/csv"];
  for (const type of types) {
    const headers = { "content-type": `${type}; charset=UTF-8` };
    const payments = await post("/v1/payments", "{}", headers);
    assert.equal(payments.status, type === "text/csv" ? 415 : 202, type);
    await payments.body?.cancel();
    const labels = await post("/v1/labels", "{}", headers);
    assert.equal(labels.status, 202);
    assert.deepEqual(await labels.json(), { ACCEPTED: 1 });
  }
  assert.deepEqual(api.calls.map(({ method, args }) => [method, args[1]]), [
    ["addPayments", "json"],
    ["addLabels", "json"],
    ["addPayments", "ndjson"],
    ["addLabels", "ndjson"],
    ["addLabels", "csv"],
  ]);
});

Deno.test("payments, cards and terminals are read by their ids", async () => {
  const { api, ask } = openApi();
  for (const kind of ["payments", "customers", "terminals"]) {
    const response = await ask(`/v1/${kind}/17`);
    assert.equal(response.status, 200);
    assert.equal(typeof await response.json(), "object");
    const wrong = await ask(`/v1/${kind}/seventeen`);
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).detail, /^path parameter id: /);
  }
  assert.deepEqual(api.calls.map(({ args }) => args), [["17"], ["17"], ["17"]]);
});

Deno.test("rules are replaced only by who knows their version", async () => {
  const { api, ask } = openApi();
  const put = (headers: Record<string, string>, body = "version: 1") =>
    ask("/v1/rules", {
      method: "PUT",
      body,
      headers: { "content-type": "application/yaml", ...headers },
    });
  const none = await ask("/v1/rules");
  assert.equal(none.headers.get("etag"), null);
  assert.deepEqual(await none.json(), { VERSION: null, YAML: "" });
  const statusOf = async (asked: Promise<Response>) => {
    const response = await asked;
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await statusOf(put({})), 428);
  assert.equal(await statusOf(put({ "if-match": "*" })), 412);
  assert.equal(await statusOf(put({ "if-match": "v10" })), 400);
  const first = await put({ "if-none-match": "*" });
  assert.equal(first.status, 201);
  assert.equal(first.headers.get("etag"), '"v10"');
  await first.body?.cancel();
  assert.equal(await statusOf(put({ "if-none-match": "*" })), 412);
  assert.equal(await statusOf(put({ "if-match": '"v9"' })), 412);
  assert.equal(await statusOf(put({ "if-match": '"v10"' }, "a")), 200);
  assert.equal(await statusOf(put({ "if-match": "*" }, "ab")), 200);
  const known = ask("/v1/rules", { headers: { "if-none-match": 'W/"v2"' } });
  assert.equal(await statusOf(known), 304);
  assert.deepEqual(api.calls.at(-2)?.args, ["ab", "v1", "api"]);
});

Deno.test("lists are listed, read and replaced", async () => {
  const { ask } = openApi();
  const put = (name: string, match: Record<string, string>) =>
    ask(`/v1/lists/${name}`, {
      method: "PUT",
      body: "value\n1\n",
      headers: { "content-type": "text/csv", ...match },
    });
  assert.equal((await put("cards", { "if-none-match": "*" })).status, 201);
  assert.equal((await put("cards", { "if-match": '"v8"' })).status, 200);
  assert.equal((await put("no-name", { "if-match": '"v8"' })).status, 400);
  assert.equal((await ask("/v1/lists/others")).status, 404);
  const list = await ask("/v1/lists/cards");
  assert.equal(list.headers.get("etag"), '"v8"');
  assert.deepEqual(await list.json(), {
    NAME: "cards",
    VERSION: "v8",
    CSV: "value\n1\n",
  });
  assert.equal((await (await ask("/v1/lists")).json()).LISTS.length, 1);
});

Deno.test("health, readiness and metrics", async () => {
  const { api, ask, post } = openApi();
  assert.equal(await (await ask("/healthz")).text(), "ok\n");
  assert.equal(await (await ask("/readyz")).text(), "ready\n");
  api.waitsFor = "the features are made again";
  const waiting = await ask("/readyz");
  assert.equal(waiting.status, 503);
  assert.equal(waiting.headers.get("retry-after"), "1");
  assert.equal((await waiting.json()).detail, api.waitsFor);
  await post("/v1/score", "{}");
  const text = await (await ask("/metrics")).text();
  assert.match(
    text,
    /requests_total\{route="\/v1\/score",method="POST",status="200"\} 1\n/,
  );
  assert.match(
    text,
    /requests_total\{route="\/readyz",method="GET",status="503"\} 1\n/,
  );
  assert.match(
    text,
    /request_seconds_bucket\{le="0\.0025",route="\/v1\/score"\} /,
  );
  assert.match(text, /\nfraudstream_api_requests_in_flight 1\n/);
  assert.match(
    text,
    /# TYPE fraudstream_api_waiting gauge\nfraudstream_api_waiting 7\n/,
  );
});
