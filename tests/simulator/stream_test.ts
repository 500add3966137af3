import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, DataError } from "../../src/base/error.ts";
import { NumpyRandom } from "../../src/simulator/random/numpy_random.ts";
import { PythonRandom } from "../../src/simulator/random/python_random.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { DAYS_MAX, drawCustomerDay } from "../../src/simulator/customer_day.ts";
import {
  HANDBOOK_PARAMETERS,
  type SimulatorParameters,
} from "../../src/simulator/parameters.ts";
import { PaymentColumns } from "../../src/simulator/payment_columns.ts";
import type { Simulation } from "../../src/simulator/simulation.ts";
import { streamSimulation } from "../../src/simulator/stream.ts";
import { TerminalGrid } from "../../src/simulator/terminal_grid.ts";
import type { PaymentTable } from "../../src/payment/payment.ts";

const SMALL: SimulatorParameters = {
  ...HANDBOOK_PARAMETERS,
  customers: 60,
  terminals: 100,
  days: 0,
  radius: 15,
};

function open(seed: string, changed: Partial<SimulatorParameters> = {}) {
  return streamSimulation({ ...SMALL, ...changed }, seed);
}

function days(simulation: Simulation, from: number, to: number) {
  const tables: PaymentTable[] = [];
  for (let day = from; day < to; day++) tables.push(simulation.day(day, 0));
  return tables;
}

Deno.test("streamSimulation() gives the same for the same seed", () => {
  assert.deepEqual(open("7").customers, open("7").customers);
  assert.deepEqual(open("7").terminals, open("7").terminals);
  assert.deepEqual(days(open("7"), 0, 5), days(open("7"), 0, 5));
});

Deno.test("streamSimulation() gives other profiles and payments for another seed", () => {
  assert.notDeepEqual(open("7").customers, open("8").customers);
  assert.notDeepEqual(open("7").terminals, open("8").terminals);
  assert.notDeepEqual(days(open("7"), 0, 5), days(open("8"), 0, 5));
});

Deno.test("streamSimulation() gives the same days whatever the horizon", () => {
  const endless = days(open("7", { days: 0 }), 0, 20);
  assert.deepEqual(days(open("7", { days: 20 }), 0, 20), endless);
  assert.deepEqual(days(open("7", { days: 1 }), 0, 20), endless);
});

Deno.test("streamSimulation() gives the same payments for another start date", () => {
  const startSeconds = Date.UTC(2030, 0, 1) / 1000;
  assert.deepEqual(
    days(open("7", { startSeconds }), 0, 5),
    days(open("7"), 0, 5),
  );
});

Deno.test("day() alone equals day() after all days before", () => {
  const inOrder = days(open("7"), 0, 40);
  for (const day of [0, 1, 13, 14, 27, 28, 39]) {
    assert.deepEqual(open("7").day(day, 0), inOrder[day]);
  }
});

Deno.test("day() does not depend on the days asked for before, in any order", () => {
  const inOrder = days(open("7"), 0, 40);
  const asked = fc.array(fc.integer({ min: 0, max: 39 }), { maxLength: 12 });
  fc.assert(
    fc.property(asked, (order) => {
      const simulation = open("7");
      for (const day of order) {
        assert.deepEqual(simulation.day(day, 0), inOrder[day]);
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("day() leaves earlier tables as they were", () => {
  const simulation = open("7");
  const first = simulation.day(0, 0);
  const copy = structuredClone(first);
  simulation.day(1, first.length);
  assert.deepEqual(first, copy);
});

Deno.test("day() numbers its payments from the given TRANSACTION_ID", () => {
  const simulation = open("7");
  const table = simulation.day(3, 2 ** 40);
  assert.equal(table.firstId, 2 ** 40);
  assert.deepEqual({ ...table, firstId: 0 }, simulation.day(3, 0));
});

Deno.test("day() sorts by time, then customer", () => {
  // Many customers, so that equal seconds do occur.
  const table = open("7", { customers: 8000 }).day(2, 0);
  let ties = 0;
  for (let i = 1; i < table.length; i++) {
    const step = table.timeSeconds[i] - table.timeSeconds[i - 1];
    assert.ok(step >= 0);
    if (step > 0) continue;
    ties++;
    assert.ok(table.customerId[i] >= table.customerId[i - 1]);
  }
  assert.ok(ties > 100);
  assert.ok(table.timeSeconds[0] >= 2 * 86_400);
  assert.ok(table.timeSeconds[table.length - 1] < 3 * 86_400);
});

Deno.test("day() pays only at terminals within the radius", () => {
  const simulation = open("7");
  for (const table of days(simulation, 0, 5)) {
    for (let i = 0; i < table.length; i++) {
      const customer = simulation.customers[table.customerId[i]];
      const terminal = simulation.terminals[table.terminalId[i]];
      const dx = customer.x - terminal.x;
      const dy = customer.y - terminal.y;
      assert.ok(Math.sqrt(dx * dx + dy * dy) < 15);
    }
  }
});

Deno.test("day() makes as many payments as the customers' means foretell", () => {
  const simulation = open("7", { customers: 1000, radius: 150 });
  let count = 0;
  for (const table of days(simulation, 0, 60)) count += table.length;
  // A normal time of day, mean 43,200 and deviation 20,000, is inside the day
  // with probability erf(2.16 / sqrt 2), but for the seconds cut.
  const inside = 0.96922;
  let mean = 0;
  for (const c of simulation.customers) mean += c.meanPaymentsPerDay * 60;
  const expected = mean * inside;
  // Five standard deviations of a Poisson count.
  assert.ok(
    Math.abs(count - expected) < 5 * Math.sqrt(expected),
    `${count} payments, ${expected} expected`,
  );
});

Deno.test("day() shares out the scenarios as the handbook's data have them", () => {
  // Per start day 2 of 10,000 terminals for 28 days: about 0.56 % of payments;
  // 3 of 5,000 customers for 14 days, one payment in three: about 0.28 %.
  const simulation = streamSimulation({ ...HANDBOOK_PARAMETERS, days: 0 }, "1");
  const counts = [0, 0, 0, 0];
  let total = 0;
  for (const table of days(simulation, 30, 60)) {
    for (const scenario of table.scenario) counts[scenario]++;
    total += table.length;
  }
  const share = counts.map((count) => count / total);
  assert.ok(share[1] > 0.0001 && share[1] < 0.002, `scenario 1: ${share[1]}`);
  assert.ok(share[2] > 0.003 && share[2] < 0.009, `scenario 2: ${share[2]}`);
  assert.ok(share[3] > 0.001 && share[3] < 0.005, `scenario 3: ${share[3]}`);
});

Deno.test("scenario 3 multiplies by 5 once for each start that picks a payment", () => {
  // Three customers, so that each start hits all of them: a third of the
  // payments for each of 14 starts, and hardly any goes free.
  const simulation = open("7", { customers: 3, radius: 150 });
  let picked = 0;
  let total = 0;
  let several = 0;
  for (const table of days(simulation, 14, 60)) {
    total += table.length;
    for (let i = 0; i < table.length; i++) {
      if (table.scenario[i] !== 3) continue;
      picked++;
      const { meanAmount } = simulation.customers[table.customerId[i]];
      if (table.amount[i] > 25 * meanAmount) several++;
    }
  }
  assert.ok(picked / total > 0.95, `${picked} of ${total}`);
  assert.ok(several / total > 0.5, `${several} of ${total}`);
});

Deno.test("scenario 2 compromises the same terminals for 28 days", () => {
  // Without scenario 3 in the way a terminal's payments of a day are all
  // frauds or none.
  const simulation = open("7", { customers: 400 });
  for (const table of days(simulation, 0, 35)) {
    const byTerminal = new Map<number, Set<boolean>>();
    for (let i = 0; i < table.length; i++) {
      if (table.scenario[i] === 3) continue;
      const kinds = byTerminal.get(table.terminalId[i]) ?? new Set();
      byTerminal.set(
        table.terminalId[i],
        kinds.add(table.scenario[i] === 2),
      );
    }
    for (const kinds of byTerminal.values()) assert.equal(kinds.size, 1);
  }
});

Deno.test("every day starts scenario 2, day 0 too", () => {
  // Two terminals only: each start takes both.
  const simulation = open("7", { terminals: 2, radius: 150 });
  const table = simulation.day(0, 0);
  assert.ok(table.length > 0);
  for (const scenario of table.scenario) assert.ok(scenario >= 2);
});

/** A payment as drawn, and what the scenarios make of it. */
interface Row {
  readonly day: number;
  readonly customer: number;
  readonly terminal: number;
  readonly drawnAmount: number;
  readonly time: number;
  amount: number;
  scenario: number;
}

/** The payments of days 0 … `count` - 1, unlabelled, in the stream's order. */
function drawnRows(simulation: Simulation, seed: string, count: number): Row[] {
  const rows: Row[] = [];
  const { customers, terminals } = simulation;
  const grid = new TerminalGrid(terminals, SMALL.radius);
  for (const customer of customers) {
    const { customerId, x, y } = customer;
    for (let day = 0; day < count; day++) {
      const source = new SeededSource(`${seed}/payments/${customerId}/${day}`);
      const columns = new PaymentColumns(1);
      const chance = {
        numbers: new NumpyRandom(source),
        terminals: new PythonRandom(source),
      };
      drawCustomerDay(customer, grid.within(x, y), day, chance, columns);
      for (let i = 0; i < columns.length; i++) {
        const amount = columns.amount[i];
        rows.push({
          day,
          customer: customerId,
          terminal: columns.terminalId[i],
          drawnAmount: amount,
          time: columns.timeSeconds[i],
          amount,
          scenario: 0,
        });
      }
    }
  }
  // Stable, and drawn customer by customer: equal times stay in that order.
  return rows.sort((a, b) => a.time - b.time);
}

/** The scenarios over all rows at once, as their definitions read. */
function label(rows: Row[], simulation: Simulation, seed: string): void {
  const { customers, terminals } = simulation;
  const starts = rows[rows.length - 1].day;
  for (const row of rows) if (row.drawnAmount > 220) row.scenario = 1;
  for (let start = 0; start <= starts; start++) {
    const random = new PythonRandom(
      new SeededSource(`${seed}/scenario2/${start}`),
    );
    const hit = random.sample(terminals.length, 2);
    for (const row of rows) {
      if (row.day < start || row.day >= start + 28) continue;
      if (hit.includes(row.terminal)) row.scenario = 2;
    }
  }
  for (let start = 0; start <= starts; start++) {
    const random = new PythonRandom(
      new SeededSource(`${seed}/scenario3/${start}`),
    );
    const hit = random.sample(customers.length, 3);
    const candidates = rows.filter((row) =>
      row.day >= start && row.day < start + 14 && hit.includes(row.customer)
    );
    const size = Math.floor(candidates.length / 3);
    for (const pick of random.sample(candidates.length, size)) {
      candidates[pick].scenario = 3;
      candidates[pick].amount *= 5;
    }
  }
}

Deno.test("day() equals the scenarios' definitions over the whole table at once", () => {
  const simulation = open("7", { customers: 300 });
  const rows = drawnRows(simulation, "7", 60);
  label(rows, simulation, "7");
  // The naive table ends with day 59, so its last starts see too little.
  const seen = new Set<number>();
  for (let day = 0; day < 60 - 13; day++) {
    const expected = rows.filter((row) => row.day === day);
    const table = simulation.day(day, 0);
    assert.deepEqual([...table.customerId], expected.map((r) => r.customer));
    assert.deepEqual([...table.terminalId], expected.map((r) => r.terminal));
    assert.deepEqual([...table.timeSeconds], expected.map((r) => r.time));
    assert.deepEqual([...table.scenario], expected.map((r) => r.scenario));
    assert.deepEqual([...table.amount], expected.map((r) => r.amount));
    for (const scenario of table.scenario) seen.add(scenario);
  }
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3]);
});

Deno.test("streamSimulation() refuses fewer than 3 customers or 2 terminals", () => {
  assert.throws(() => open("7", { customers: 2 }), ConfigError);
  assert.throws(() => open("7", { terminals: 1 }), ConfigError);
});

Deno.test("day() is empty when nobody reaches a terminal", () => {
  assert.equal(open("7", { radius: 0 }).day(0, 0).length, 0);
});

Deno.test("day() gives the last day of TX_TIME_SECONDS and refuses the next", () => {
  const simulation = open("7");
  const last = simulation.day(DAYS_MAX - 1, 0);
  assert.ok(last.timeSeconds[0] >= (DAYS_MAX - 1) * 86_400);
  assert.throws(() => simulation.day(DAYS_MAX, 0), DataError);
});

Deno.test("streamSimulation() still makes the payments that seed 42 has always made", () => {
  const table = open("42").day(20, 0);
  assert.deepEqual([108, 191349118, 5211, 1551311, 143], [
    table.length,
    table.timeSeconds.reduce((a, b) => a + b, 0),
    table.terminalId.reduce((a, b) => a + b, 0),
    Math.round(table.amount.reduce((a, b) => a + b, 0) * 100),
    table.scenario.reduce((a, b) => a + b, 0),
  ]);
});
