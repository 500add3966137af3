import assert from "node:assert/strict";
import { withoutPrefix } from "../../src/log/prefixed_log.ts";

Deno.test("reports name groups as the program knows them", () => {
  const told: unknown[] = [];
  const report = withoutPrefix((...line) => told.push(line), "mine-");
  report("info", "assigned", { group: "mine-readers", topic: "mine-t" });
  report("warning", "other", { group: "readers", error: "mine-x" });
  report("info", "none", {});
  assert.deepEqual(told, [
    ["info", "assigned", { group: "readers", topic: "mine-t" }],
    ["warning", "other", { group: "readers", error: "mine-x" }],
    ["info", "none", {}],
  ]);
});
