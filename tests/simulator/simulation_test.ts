import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { openSimulation } from "../../src/simulator/simulation.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { streamSimulation } from "../../src/simulator/stream.ts";

const parameters = {
  ...HANDBOOK_PARAMETERS,
  customers: 30,
  terminals: 50,
  days: 5,
  radius: 20,
};

Deno.test("openSimulation() with the handbook's source gives its table day by day", () => {
  const opened = openSimulation({ parameters, rng: "handbook", seed: "x" });
  const { table } = simulateHandbook(parameters);
  let id = 0;
  for (let day = 0; day < opened.days; day++) {
    const rows = opened.day(day, id);
    assert.deepEqual(
      rows.customerId,
      table.customerId.subarray(id, id + rows.length),
    );
    id += rows.length;
  }
  assert.equal(id, table.length);
});

Deno.test("openSimulation() with seedrandom gives the stream of the seed", () => {
  const opened = openSimulation({ parameters, rng: "seedrandom", seed: "x" });
  assert.deepEqual(
    opened.day(3, 0),
    streamSimulation(parameters, "x").day(3, 0),
  );
  assert.equal(opened.days, 5);
});

Deno.test("openSimulation() opens an endless stream with seedrandom only", () => {
  const endless = { ...parameters, days: 0 };
  const opened = openSimulation({
    parameters: endless,
    rng: "seedrandom",
    seed: "x",
  });
  assert.equal(opened.days, 0);
  assert.throws(
    () => openSimulation({ parameters: endless, rng: "handbook", seed: "x" }),
    (error) =>
      error instanceof ConfigError &&
      error.message ===
        "--days=0 (endless) needs --rng=seedrandom: the handbook's numbering sorts the whole table",
  );
});

Deno.test("openSimulation() tells the handbook's progress", () => {
  const told: number[] = [];
  const onProgress = (done: number) => told.push(done);
  openSimulation({ parameters, rng: "handbook", seed: "", onProgress });
  assert.equal(told.at(-1), 1);
});
