import assert from "node:assert/strict";
import { threadNames } from "../../src/roles/supervisor.ts";
import type { RunSettings } from "../../src/roles/role.ts";

Deno.test("threads are named as they run: what decides for an API is in its thread on an embedded log", () => {
  const roles = ["api", "processor", "writer", "scorer"] as const;
  const embedded = {
    log: { kind: "embedded", folder: "data", durable: true },
    workers: 1,
  } as const satisfies Pick<RunSettings, "log" | "workers">;
  assert.deepEqual(threadNames(roles, embedded), [
    "api (with processor, scorer)",
    "writer",
  ]);
  assert.deepEqual(threadNames(roles.slice(1), embedded), roles.slice(1));
  assert.deepEqual(threadNames(["processor"], { ...embedded, workers: 2 }), [
    "processor-1",
    "processor-2",
  ]);
});
