/** How far a stream is, where another program publishes its payments. */
import assert from "node:assert/strict";
import { Control } from "../../src/stream/control.ts";
import { readStatus } from "../../src/stream/status.ts";
import { testWriting } from "../permission.ts";
import { openFolder, parametersOf } from "../roles/pipeline.ts";
import { appendPayments, paymentAt, StageDriver } from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";

testWriting(
  "the start of another program's payments is known once a row is made of one",
  async () => {
    await using folder = temporaryFolder();
    const parameters = parametersOf(2);
    await using opened = await openFolder(folder.path, parameters);
    const { log } = opened;
    const payment = paymentAt(90_000, { customerId: 3 });
    await appendPayments(log, 1, ["no payment", payment]);
    const control = new Control(log);
    const before = await readStatus(log, control);
    assert.equal(before.startSeconds, undefined);
    for (const make of [StageDriver.customers, StageDriver.terminals]) {
      await (await make.call(StageDriver, log, parameters)).drain([0, 1]);
    }
    const { startSeconds, simulated, stages } = await readStatus(log, control);
    assert.equal(startSeconds, payment.datetimeSeconds - payment.timeSeconds);
    assert.equal(simulated, false);
    assert.equal(stages[1].progress, 90_000);
  },
);
