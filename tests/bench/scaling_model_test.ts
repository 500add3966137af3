import assert from "node:assert/strict";
import {
  carriedPerSecond,
  CLUSTER,
  MEASURED,
  needsOf,
  type Rates,
  simulateFailure,
  tables,
} from "../../bench/scaling_model.ts";
import { testReading } from "../permission.ts";

const PAGE = new URL("../../docs/SCALING.md", import.meta.url);
const DAY = 86_400;
const CUSTOMER_DAYS = 30 + 1 / 24;

testReading("docs/SCALING.md shows the tables of the model", () => {
  const page = Deno.readTextFileSync(PAGE);
  for (const [name, table] of Object.entries(tables(MEASURED, CLUSTER))) {
    assert.ok(
      page.includes(table),
      `the table '${name}' differs: deno run bench/scaling_model.ts`,
    );
  }
});

testReading("docs/SCALING.md says how many payments a process carries", () => {
  const page = Deno.readTextFileSync(PAGE).replaceAll(/\s+/g, " ");
  const carried = Math.floor(carriedPerSecond(MEASURED, CLUSTER) / 10) * 10;
  assert.ok(carried >= 200, `${carried} payments per second`);
  assert.ok(
    page.includes(`16 GiB carries ${carried} payments per second`),
    `it carries ${carried}`,
  );
});

Deno.test("memory is what the payments in reach of the windows take", () => {
  const { ledgerBytes, customerBytes, terminalBytes } = MEASURED;
  const { stateBytes } = needsOf(1, MEASURED, CLUSTER);
  const ledger = 2 * DAY * ledgerBytes;
  const customers = CUSTOMER_DAYS * DAY * customerBytes;
  const terminals = 44 * DAY * terminalBytes;
  const all = ledger + customers + terminals;
  assert.equal(Math.round(stateBytes), Math.round(all));
});

Deno.test("needs grow with the payments, processes to the next whole one", () => {
  const [small, large] = [1000, 10_000].map((perSecond) =>
    needsOf(perSecond, MEASURED, CLUSTER)
  );
  assert.ok(Math.abs(large.stateBytes / small.stateBytes - 10) < 1e-9);
  assert.ok(Math.abs(large.logBytes / small.logBytes - 10) < 1e-9);
  assert.equal(
    large.processes,
    Math.ceil(large.stateBytes / CLUSTER.processBytes),
  );
});

Deno.test("a replay takes its rows' cores, beside what the survivor has to do", () => {
  // One of two dies: the other has its whole load, and does twice its own.
  const perSecond = 1000;
  const own = perSecond / 2;
  const spare = 1 - own * MEASURED.processorMicros / 1e6;
  const rows = own * DAY;
  const work = (rows * (CUSTOMER_DAYS + 2) * MEASURED.customerReplayMicros +
    rows * 44 * MEASURED.terminalReplayMicros) / 1e6;
  const expected = CLUSTER.detectSeconds + work / spare;
  const { restoredSeconds } = simulateFailure(
    perSecond,
    2,
    "replay",
    MEASURED,
    CLUSTER,
  );
  assert.ok(Math.abs(restoredSeconds - expected) <= 2);
});

Deno.test("what came while nobody took it is worked off by what is to spare", () => {
  const rates: Rates = { ...MEASURED, processorMicros: 1000 };
  // Two processes of 300 a second each can do 1,000: then one has 600 to do.
  const { recoveredSeconds } = simulateFailure(
    600,
    2,
    "standby",
    rates,
    CLUSTER,
  );
  // 300 · t waiting after t seconds, 700 a second worked off from the 30th on.
  const expected = 700 * CLUSTER.detectSeconds / (700 - 300);
  assert.ok(recoveredSeconds !== undefined);
  assert.ok(Math.abs(recoveredSeconds - expected) <= 2);
});

Deno.test("who has nothing to spare never recovers", () => {
  const rates: Rates = { ...MEASURED, processorMicros: 1000 };
  const recovery = simulateFailure(1200, 2, "standby", rates, CLUSTER);
  assert.equal(recovery.recoveredSeconds, undefined);
});
