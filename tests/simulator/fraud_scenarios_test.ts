import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { requireEnoughForScenarios } from "../../src/simulator/fraud_scenarios.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";

function check(customers: number, terminals: number): void {
  requireEnoughForScenarios({ ...HANDBOOK_PARAMETERS, customers, terminals });
}

Deno.test("requireEnoughForScenarios() is content with 3 customers and 2 terminals", () => {
  assert.doesNotThrow(() => check(3, 2));
});

Deno.test("requireEnoughForScenarios() refuses 2 customers, or 1 terminal, and says how many there are", () => {
  assert.throws(
    () => check(2, 50),
    (error) =>
      error instanceof ConfigError &&
      error.message.includes("50 terminals and 2 customers"),
  );
  assert.throws(() => check(50, 1), ConfigError);
});
