/** The reference features of a stream whose labels arrive later, through SIGKILLs. */
import assert from "node:assert/strict";
import { chance, forEachSeed, isLong } from "../long.ts";
import { openFolder, referenceSum, sinkSum } from "../roles/pipeline.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import { recordKey } from "../../src/log/record_batch.ts";
import { CELL } from "../../src/payment/payment_cells.ts";
import { verifyStore } from "../../src/stream/verify_store.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { TRANSACTION_LABEL_TOPIC } from "../../src/stream/topics.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { labelParameters, SETS } from "./label_stream.ts";

const PROGRAM = new URL("label_stream.ts", import.meta.url).pathname;
const KILLS_MAX = 20;

/** Runs the program until it ends by itself, with up to `kills` SIGKILLs before; returns how many there were. */
async function runKilled(
  folder: string,
  [partitions, set]: [number, string],
  kills: number,
  random: () => number,
): Promise<number> {
  for (let killed = 0;;) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--allow-read", "--allow-write"],
        ...[PROGRAM, folder, String(partitions), set],
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const timer = killed < kills
      ? setTimeout(() => child.kill("SIGKILL"), 600 + 2_400 * random())
      : undefined;
    const { success, signal, stderr } = await child.output();
    clearTimeout(timer);
    if (success) return killed;
    assert.equal(signal, "SIGKILL", new TextDecoder().decode(stderr));
    killed++;
  }
}

async function check(
  partitions: number,
  set: "A" | "B" | "DEFAULT",
  kills: number,
  seed: number,
): Promise<void> {
  await using folder = temporaryFolder();
  const random = chance(seed);
  const killed = await runKilled(folder.path, [partitions, set], kills, random);
  assert.ok(killed > 0, "the program was never killed");
  const parameters = labelParameters(partitions);
  await using opened = await openFolder(folder.path, parameters);
  assert.equal(await sinkSum(opened.log, parameters), referenceSum(set));
  const { timeSeconds: times, scenario } =
    simulateHandbook(SETS[set].parameters).table;
  // Those that are known after the last payment are published last.
  const payments = times.length;
  assert.deepEqual(await labelledIds(opened.log, payments), {
    ids: payments,
    greatest: payments - 1,
    labels: payments,
  });
  const { store, context } = opened;
  assert.deepEqual(await store.labels().status(), { rows: payments });
  let next = 0;
  for await (const { cells, count } of store.rows()) {
    const width = cells.length / STORE_PAGE;
    for (let at = 0; at < count * width; at += width) {
      assert.equal(cells[at + CELL.id], next);
      assert.equal(cells[at + CELL.fraud], scenario[next++] > 0 ? 1 : 0);
    }
  }
  assert.equal(next, payments);
  await context.control.refresh();
  const verified = await verifyStore({
    ...context,
    parameters,
    store,
    compared() {},
  });
  const { first, equal, ...others } = verified.labels ?? { first: ["none"] };
  assert.deepEqual([first, equal], [[], payments]);
  assert.deepEqual(new Set(Object.values(others)), new Set([0]));
}

/** Rows of a page of the store. */
const STORE_PAGE = 4096;

/** How many labels were accepted, of how many payments, and the greatest of their ids. */
async function labelledIds(log: Log, payments: number) {
  const seen = new Uint8Array(payments);
  const decoder = new TextDecoder();
  let labels = 0;
  const ends = await log.endOffsets(TRANSACTION_LABEL_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, TRANSACTION_LABEL_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        seen[Number(decoder.decode(recordKey(batch, i)))] = 1;
        labels++;
      }
    }
  }
  const ids = seen.reduce((sum, is) => sum + is, 0);
  return { ids, greatest: seen.lastIndexOf(1), labels };
}

Deno.test("labels among the payments give the reference features, whatever SIGKILL interrupts", async () => {
  await forEachSeed(1, 3, async (seed) => {
    await check(3, "B", isLong ? KILLS_MAX : 6, seed);
  });
});

Deno.test({
  name:
    "the default set's labels give its reference features on 1, 3 and 4 partitions through 20 SIGKILLs",
  ignore: !isLong,
  fn: async () => {
    for (const partitions of [1, 3, 4]) {
      await check(partitions, "DEFAULT", KILLS_MAX, partitions);
    }
  },
});
