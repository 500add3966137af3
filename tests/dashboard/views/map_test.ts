import assert from "node:assert/strict";
import type { Plane } from "../../../src/dashboard/views/map.ts";
import { openPage, payment } from "../page_fixture.ts";

const DAY = 86_400;

Deno.test("the map counts frauds once their labels are known, and what is compromised only with truth=1", async () => {
  await using page = await openPage();
  page.state.addProfiles("terminal", [{ id: 5, x: 10, y: 20 }]);
  const fraud = { terminalId: 5, fraud: 1, scenario: 2 };
  // With a delay of 7 days, the first is known at noon of day 40, the others not.
  await page.publish([
    payment({ ...fraud, transactionId: 1, timeSeconds: 30 * DAY }),
    payment({ ...fraud, transactionId: 2, timeSeconds: 39 * DAY }),
    payment({ ...fraud, transactionId: 3, timeSeconds: 40.5 * DAY }),
  ]);
  await page.until(() => page.state.timeSeconds === 40.5 * DAY);
  const terminals = async (query: string) => {
    const plane: Plane = await (await page.ask(`/api/map${query}`)).json();
    return plane.terminals;
  };
  const known = await terminals("");
  assert.deepEqual([known.id, known.payments, known.frauds], [[5], [3], [1]]);
  assert.ok(!("compromised" in known));
  assert.deepEqual((await terminals("?truth=1")).compromised, [1]);
  for (const path of ["/api/terminals/5", "/api/cards/3"]) {
    const { terminal, card, payments } = await (await page.ask(path)).json();
    assert.ok(!("compromised" in (terminal ?? card)), path);
    const labels = payments.map((one: { fraud?: number }) => one.fraud);
    assert.deepEqual(labels, [undefined, undefined, 1], path);
  }
});
