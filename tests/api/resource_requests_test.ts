import assert from "node:assert/strict";
import { Problem } from "../../src/api/problem.ts";
import { ResourceRequests } from "../../src/api/resource_requests.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { runWriter } from "../../src/roles/writer.ts";
import {
  openMemory,
  openProcessed,
  parametersOf,
  produce,
  runBehind,
  SET_A,
} from "../roles/pipeline.ts";

Deno.test("payments, cards and terminals are found with features and their latest payments", async () => {
  await using folder = await openProcessed(2, SET_A);
  const { log, store, context } = folder;
  await runWriter(context, { store, startSeconds: undefined });
  const { parameters } = context;
  const requests = new ResourceRequests({ log, store, parameters });
  const payment = JSON.parse(await requests.payment("0"));
  assert.equal(payment.TRANSACTION_ID, 0);
  assert.equal(payment.PREDICTION, null);
  assert.equal(payment.LABEL, null);
  assert.deepEqual(payment.LABELS, []);
  assert.deepEqual(
    Object.keys(payment.FEATURES),
    featureNames(HANDBOOK_FEATURES),
  );
  for (const kind of ["customer", "terminal"] as const) {
    const key = kind === "customer" ? "CUSTOMER_ID" : "TERMINAL_ID";
    const found = JSON.parse(await requests[kind](String(payment[key])));
    assert.equal(found[key], payment[key]);
    const { PAYMENTS: all } = found;
    assert.ok(all.length > 1 && all.length <= 50, `${all.length}`);
    const times = all.map((one: Record<string, number>) => one.TX_TIME_SECONDS);
    assert.deepEqual(times, times.toSorted((a: number, b: number) => b - a));
    assert.ok(
      all.every((one: Record<string, number>) => one[key] === payment[key]),
    );
    const newest = JSON.parse(
      await requests.payment(String(all[0].TRANSACTION_ID)),
    );
    assert.deepEqual(found.FEATURES, newest.FEATURES);
  }
  const odd = [
    ...["", "x", "-1", "1.5", "01", "\0", "é", "9007199254740993"],
    ...["9007199254740991", "1".repeat(200), "%00"],
  ];
  for (const id of odd) {
    for (const kind of ["payment", "customer", "terminal"] as const) {
      await assert.rejects(
        requests[kind](id),
        (error) => error instanceof Problem && error.kind === "not-found",
        `${kind} ${id}`,
      );
    }
  }
});

Deno.test("a payment whose labels arrive later has the label that counts", async () => {
  const parameters: StreamParameters = {
    ...parametersOf(2),
    features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
  };
  await using folder = await openMemory(parameters);
  await produce(folder, SET_A);
  await runBehind(folder);
  const { log, store } = folder;
  const label = { transactionId: 0, scenario: 0, partition: 0 };
  await store.labels().write([
    {
      ...{ ...label, fraud: 0, offset: 1 },
      knownAt: "2018-04-02 00:00:00",
      knownTime: "2018-04-03 00:00:00",
    },
    {
      ...{ ...label, fraud: 1, offset: 2 },
      knownAt: "2018-04-05 00:00:00",
      knownTime: "2018-04-06 00:00:00",
    },
  ]);
  const requests = new ResourceRequests({ log, store, parameters });
  const found = JSON.parse(await requests.payment("0"));
  assert.deepEqual(found.LABEL, {
    KNOWN_AT: "2018-04-05 00:00:00",
    TX_FRAUD: 1,
  });
  assert.equal(found.TX_FRAUD, 1);
  assert.deepEqual(found.LABELS, [
    { KNOWN_AT: "2018-04-02 00:00:00", TX_FRAUD: 0 },
    { KNOWN_AT: "2018-04-05 00:00:00", TX_FRAUD: 1 },
  ]);
  const card = JSON.parse(await requests.customer(String(found.CUSTOMER_ID)));
  assert.equal(card.PAYMENTS.at(-1).CUSTOMER_ID, found.CUSTOMER_ID);
  const other = JSON.parse(await requests.payment("1"));
  assert.equal(other.TX_FRAUD, null);
  assert.equal(other.LABEL, null);
  assert.deepEqual(other.LABELS, []);
});
