/**
 * The least that an HTTP server of this program takes: hono answers every
 * payment with the same text. bench/api_bench.ts compares the API with it.
 *
 *   deno run --allow-net=127.0.0.1 bench/http_floor.ts PORT
 */
import { Hono } from "hono";

const ANSWER = JSON.stringify({
  TRANSACTION_ID: 4711,
  DECISION: "approve",
  SCORE: 0.0022092231247102033,
  ALERT: 0,
  REASONS: [],
  RULES: [],
  SHADOW_RULES: [],
  CONTRIBUTIONS: null,
  SHADOW_SCORES: null,
  MODEL_VERSION: "41f4f1f38084",
  RULES_VERSION: null,
  LISTS_VERSION: null,
  THRESHOLD: 0.5,
  RECORD: { PARTITION: 0, OFFSET: 12 },
});

const app = new Hono();
app.get("/readyz", (c) => c.text("ready"));
app.post("/v1/score", async (c) => {
  await c.req.text();
  return c.body(ANSWER, 200, { "Content-Type": "application/json" });
});
Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => {},
}, app.fetch);
