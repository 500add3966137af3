import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { DAYS_MAX } from "../../src/simulator/customer_day.ts";
import {
  handbookCustomers,
  type HandbookSimulation,
  handbookTerminals,
  simulateHandbook,
} from "../../src/simulator/handbook.ts";
import {
  HANDBOOK_PARAMETERS,
  type SimulatorParameters,
} from "../../src/simulator/parameters.ts";
import { parseDate } from "../../src/payment/calendar.ts";
import moreSets from "../data/more_sets.json" with { type: "json" };
import reference from "../data/reference.json" with { type: "json" };
import {
  customerLines,
  sumOfLines,
  terminalLines,
  transactionLines,
} from "./canonical.ts";

type NamedParameters = typeof reference.sets.A.params;

function parametersOf(named: NamedParameters): SimulatorParameters {
  return {
    customers: named.n_customers,
    terminals: named.n_terminals,
    days: named.nb_days,
    startSeconds: parseDate(named.start_date) ?? NaN,
    radius: named.r,
  };
}

/** A small set, with some of its parameters changed. */
function simulateSmall(
  changed: Partial<SimulatorParameters> = {},
): HandbookSimulation {
  const parameters = parametersOf(reference.sets.A.params);
  return simulateHandbook({ ...parameters, ...changed });
}

function scenarioCounts(scenario: Uint8Array): Record<string, number> {
  const counts: Record<string, number> = { 1: 0, 2: 0, 3: 0 };
  for (const number of scenario) if (number > 0) counts[number]++;
  return counts;
}

const sets = { ...reference.sets, ...moreSets.sets };

for (const [name, set] of Object.entries(sets)) {
  Deno.test(`simulateHandbook() makes set ${name} byte for byte`, () => {
    const parameters = parametersOf(set.params);
    const made = simulateHandbook(parameters);
    assert.equal(made.table.length, set.n_transactions);
    assert.deepEqual(scenarioCounts(made.table.scenario), set.scenario_final);
    assert.deepEqual(made.fraudsAdded, {
      amount: set.scenario_added_by_step["1"],
      terminal: set.scenario_added_by_step["2"],
      customer: set.scenario_added_by_step["3"],
    });
    assert.deepEqual({
      transactions: sumOfLines(
        transactionLines(made.table, made.startSeconds),
      ),
      customers: sumOfLines(customerLines(made.customers)),
      terminals: sumOfLines(terminalLines(made.terminals)),
    }, {
      transactions: set.transactions_csv.sha256,
      customers: set.customers_csv.sha256,
      terminals: set.terminals_csv.sha256,
    });
  });
}

Deno.test("simulateHandbook() begins and ends set B with the published rows", () => {
  const set = reference.sets.B;
  const made = simulateHandbook(parametersOf(set.params));
  const lines = [...transactionLines(made.table, made.startSeconds)];
  assert.deepEqual(lines.slice(1, 6), set.first_5_lines);
  assert.deepEqual(lines.slice(-2), set.last_2_lines);
});

Deno.test("simulateHandbook() draws the same table for another start date", () => {
  const usual = simulateSmall();
  const later = simulateSmall({ startSeconds: Date.UTC(2031, 6, 9) / 1000 });
  assert.deepEqual(later.table, usual.table);
  assert.equal(later.startSeconds, Date.UTC(2031, 6, 9) / 1000);
});

Deno.test("simulateHandbook() of fewer customers and terminals shares their profiles", () => {
  assert.deepEqual(handbookCustomers(5), handbookCustomers(9).slice(0, 5));
  assert.deepEqual(handbookTerminals(5), handbookTerminals(9).slice(0, 5));
});

Deno.test("day() gives the rows of the day, and all days together the table", () => {
  const made = simulateSmall();
  let id = 0;
  for (let day = 0; day < made.days; day++) {
    const rows = made.day(day, id);
    assert.equal(rows.firstId, id);
    for (const time of rows.timeSeconds) {
      assert.equal(Math.floor(time / 86_400), day);
    }
    assert.deepEqual(
      rows.amount,
      made.table.amount.subarray(id, id + rows.length),
    );
    id += rows.length;
  }
  assert.equal(id, made.table.length);
});

Deno.test("day() after the last day is empty", () => {
  const made = simulateSmall();
  assert.equal(made.day(made.days, made.table.length).length, 0);
  assert.equal(made.day(made.days + 5, made.table.length).length, 0);
});

Deno.test("day() refuses a TRANSACTION_ID that is not the table's", () => {
  const made = simulateSmall();
  assert.throws(() => made.day(1, 0), RangeError);
});

Deno.test("simulateHandbook() of one customer on one day needs no scenario", () => {
  const made = simulateSmall({ customers: 1, terminals: 1000, days: 1 });
  assert.deepEqual([...transactionLines(made.table, made.startSeconds)], [
    "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO",
    "0,2018-04-01 07:19:05,0,858,123.59,26345,0,0,0",
    "1,2018-04-01 18:00:16,0,128,77.34,64816,0,0,0",
    "2,2018-04-01 19:02:02,0,908,46.51,68522,0,0,0",
  ]);
});

Deno.test("simulateHandbook() without a terminal in reach gives an empty table", () => {
  const made = simulateSmall({ radius: 0 });
  assert.equal(made.table.length, 0);
  assert.equal(made.day(0, 0).length, 0);
});

Deno.test("simulateHandbook() refuses too few customers or terminals for two days", () => {
  const message =
    /the handbook's fraud scenarios need at least 2 terminals and 3 customers/;
  for (const changed of [{ customers: 2 }, { terminals: 1 }]) {
    assert.throws(() => simulateSmall({ ...changed, days: 2 }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
    assert.doesNotThrow(() => simulateSmall({ ...changed, days: 1 }));
  }
});

Deno.test("simulateHandbook() refuses more days than TX_TIME_SECONDS can count", () => {
  const parameters = { ...HANDBOOK_PARAMETERS, days: DAYS_MAX + 1 };
  assert.throws(() => simulateHandbook(parameters), ConfigError);
});

Deno.test("simulateHandbook() tells its progress, never descending, up to 1", () => {
  const told: number[] = [];
  const parameters = parametersOf(reference.sets.A.params);
  simulateHandbook(parameters, (done) => told.push(done));
  assert.deepEqual(told, told.toSorted((a, b) => a - b));
  assert.equal(told.at(-1), 1);
  assert.ok(told.length >= 10);
});
