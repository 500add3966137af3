import assert from "node:assert/strict";
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import {
  writeCustomers,
  writeDay,
  writeTerminals,
} from "../../src/files/data_set.ts";
import { gatherPayments } from "../../src/files/labelled_payments.ts";
import {
  openPayments,
  type PaymentChoice,
} from "../../src/files/payment_source.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { openSimulation } from "../../src/simulator/simulation.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const SIMULATION = {
  parameters: {
    customers: 20,
    terminals: 30,
    days: 12,
    startSeconds: 1_522_540_800,
    radius: 10,
  },
  rng: "seedrandom",
  seed: "source",
} as const;

const SIMULATED: PaymentChoice = { kind: "simulated", simulation: SIMULATION };

const NEVER = new AbortController().signal;

/** Everything a source says, read to its end. */
async function readSource(choice: PaymentChoice): Promise<{
  payments: Payment[];
  days: number[];
  startSeconds: number | undefined;
  profiles: unknown;
}> {
  const source = await openPayments(choice);
  const payments: Payment[] = [];
  const days: number[] = [];
  for await (const batch of source.batches(NEVER)) {
    if (batch.length > 0) days.push(batch.day);
    for (let index = 0; index < batch.length; index++) {
      const payment = emptyPayment();
      batch.read(index, payment);
      payments.push(payment);
    }
  }
  const { startSeconds } = source;
  return { payments, days, startSeconds, profiles: await source.profiles() };
}

/** The simulated set as day files. */
async function writeSet(folder: string): Promise<void> {
  const simulation = openSimulation(SIMULATION);
  const { startSeconds } = simulation;
  await writeCustomers(folder, "csv", simulation.customers);
  await writeTerminals(folder, "jsonl", simulation.terminals);
  let nextId = 0;
  for (let day = 0; day < simulation.days; day++) {
    const table = simulation.day(day, nextId);
    const name = new Date(1000 * (startSeconds + day * 86_400)).toISOString();
    await writeDay(folder, name.slice(0, 10), "csv", table, startSeconds);
    nextId += table.length;
  }
}

function filesIn(path: string): PaymentChoice {
  return {
    kind: "files",
    files: {
      path,
      startSeconds: undefined,
      skipBadRows: false,
      inputFormat: undefined,
    },
  };
}

testWriting("a source of files says what the simulated one says", async () => {
  await using folder = temporaryFolder();
  await writeSet(folder.path);
  const simulated = await readSource(SIMULATED);
  assert.ok(simulated.payments.length > 200);
  assert.deepEqual(await readSource(filesIn(folder.path)), simulated);
});

testWriting("a file alone has no profiles", async () => {
  await using folder = temporaryFolder();
  await writeSet(folder.path);
  const source = await openPayments(
    filesIn(join(folder.path, "2018-04-02.csv")),
  );
  assert.deepEqual(await source.profiles(), {
    customers: undefined,
    terminals: undefined,
  });
});

testWriting("what models learn from is the same of both", async () => {
  await using folder = temporaryFolder();
  await writeSet(folder.path);
  const gather = async (choice: PaymentChoice) => {
    const source = await openPayments(choice);
    const { payments } = await gatherPayments(source, {
      features: HANDBOOK_FEATURES,
      days: { endDay: 11, spanDays: 3 },
      signal: NEVER,
      gathered: () => {},
    });
    return payments;
  };
  const payments = await gather(SIMULATED);
  assert.ok(payments.timeSeconds[0] >= 8 * 86_400, "days before the span");
  assert.ok(payments.timeSeconds.every((time) => time < 11 * 86_400));
  assert.deepEqual(await gather(filesIn(folder.path)), payments);
});

Deno.test("a signal ends a simulation without end by its reason", async () => {
  const stop = new AbortController();
  const source = await openPayments({
    kind: "simulated",
    simulation: {
      ...SIMULATION,
      parameters: { ...SIMULATION.parameters, days: 0 },
    },
  });
  let days = 0;
  await assert.rejects(async () => {
    for await (const { day } of source.batches(stop.signal)) {
      assert.equal(day, days++);
      if (days === 3) stop.abort(new Error("enough"));
    }
  }, { message: "enough" });
  assert.equal(days, 3);
});
