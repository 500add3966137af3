/** Labels that are said while SIGKILL ends the intake again and again are taken once each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { takenOffset } from "../../src/stream/commit.ts";
import {
  LABEL_INTAKE_GROUP,
  LABEL_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { chance, forEachSeed, isLong } from "../long.ts";
import { type OpenFolder, openFolder } from "../roles/pipeline.ts";
import {
  appendPayments,
  paymentAt,
  sinkRows,
  START_SECONDS,
  valuesOfTopic,
} from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ALL_SAID } from "./intake_stream.ts";
import { labelParameters } from "./label_stream.ts";

const PROGRAM = new URL("intake_stream.ts", import.meta.url).pathname;
const PARTITIONS = 3;
const PAYMENTS = 3000;
/** Labels said before a program starts, and again while it works. */
const CHUNK = 400;

/** Publishes payments of 20 days, in order of time. */
async function publish({ log }: OpenFolder): Promise<void> {
  const partitioner = new IdPartitioner(PARTITIONS);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const payments = Array.from(
      { length: PAYMENTS },
      (_, transactionId) =>
        paymentAt(Math.floor(transactionId * 20 * DAY_SECONDS / PAYMENTS), {
          transactionId,
          customerId: transactionId % 101,
          terminalId: transactionId % 37,
          amount: 1,
        }),
    ).filter(({ customerId }) =>
      partitioner.partition(customerId) === partition
    );
    await appendPayments(log, partition, payments);
  }
}

/** What is said, by id in order. */
type Said = Map<number, { fraud: number | null; known: string | undefined }[]>;

/** Says something about payments, some of which do not exist. */
async function say(
  { log }: OpenFolder,
  said: Said,
  random: () => number,
): Promise<void> {
  const below = (n: number) => Math.floor(random() * n);
  const producer = await log.producer("labels");
  const builders = Array.from(
    { length: PARTITIONS },
    () => new RecordBatchBuilder(),
  );
  for (let n = 0; n < CHUNK; n++) {
    const id = below(PAYMENTS + 30);
    const fraud = [0, 1, null][below(3)];
    const known = below(4) === 0
      ? undefined
      : formatDatetime(START_SECONDS + below(40 * DAY_SECONDS));
    const json = JSON.stringify({
      TRANSACTION_ID: id,
      TX_FRAUD: fraud,
      KNOWN_AT: known,
    });
    const bytes = new TextEncoder().encode(json);
    builders[id % PARTITIONS].add(new Uint8Array(), bytes, 0);
    said.set(id, [...said.get(id) ?? [], { fraud, known }]);
  }
  await producer.append(builders.map((records, partition) => {
    return { topic: LABEL_TOPIC, partition, records };
  }));
}

function start(folder: string) {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--no-check", "--allow-read"],
      ...["--allow-write", PROGRAM, folder, String(PARTITIONS)],
    ],
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

async function taken({ log }: OpenFolder): Promise<number> {
  const commits = await log.committed(LABEL_INTAKE_GROUP, LABEL_TOPIC);
  return commits.reduce((sum, commit) => sum + takenOffset(commit), 0);
}

/** Says labels while programs take them, each killed once it has begun to; the last one takes the rest. */
async function sayAndKill(
  folder: OpenFolder,
  path: string,
  kills: number,
  random: () => number,
): Promise<Said> {
  const said: Said = new Map();
  for (let killed = 0; killed < kills; killed++) {
    await say(folder, said, random);
    const before = await taken(folder);
    const child = start(path);
    const ended = child.output();
    let isOver = false;
    ended.finally(() => isOver = true);
    while (await taken(folder) === before && !isOver) await delay(5);
    await say(folder, said, random);
    await delay(150 * random());
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself; what it wrote says why.
    }
    const { signal, stderr } = await ended;
    assert.equal(signal, "SIGKILL", new TextDecoder().decode(stderr));
  }
  Deno.writeTextFileSync(join(path, ALL_SAID), "");
  const { success, stderr } = await start(path).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return said;
}

/** Compares what was made of the labels with what was said. */
async function check(folder: OpenFolder, said: Said): Promise<void> {
  const { log, store } = folder;
  const objects = async (topic: string) =>
    (await valuesOfTopic(log, topic)).map((text) => JSON.parse(text));
  const labels = (await objects(TRANSACTION_TOPIC))
    .filter(({ KNOWN_AT }) => KNOWN_AT !== undefined);
  const accepted = await objects(TRANSACTION_LABEL_TOPIC);
  let unknown = 0;
  for (const [id, entries] of said) {
    if (id >= PAYMENTS) {
      unknown += entries.length;
      continue;
    }
    const found = labels.filter((label) => label.TRANSACTION_ID === id);
    assert.deepEqual(
      found.map(({ TX_FRAUD: fraud, KNOWN_AT }, n) => {
        const known = entries[n]?.known === undefined ? undefined : KNOWN_AT;
        return { fraud, known };
      }),
      entries,
      `${id}`,
    );
    assert.equal(
      accepted.filter((label) => label.TRANSACTION_ID === id).length,
      entries.length,
    );
    let newest: { fraud: number | null; KNOWN_AT: string } | undefined;
    for (const { TX_FRAUD: fraud, KNOWN_AT } of found) {
      if (KNOWN_AT >= (newest?.KNOWN_AT ?? "")) newest = { fraud, KNOWN_AT };
    }
    const stored = (await store.labels().newest([id])).get(id);
    assert.equal(stored?.fraud, newest?.fraud ?? undefined);
  }
  assert.ok(unknown > 0);
  const letters = await Array.fromAsync(readDeadLetters(log));
  assert.equal(letters.length, unknown);
  for (const { reason } of letters) assert.equal(reason, "unknown payment");
  assert.equal((await sinkRows(log)).length, PAYMENTS);
}

Deno.test("labels are taken once each, in their order, whatever SIGKILL interrupts", async () => {
  await forEachSeed(1, 3, async (seed) => {
    await using temporary = temporaryFolder();
    const { path } = temporary;
    const random = chance(seed);
    const parameters = labelParameters(PARTITIONS);
    await using folder = await openFolder(path, parameters);
    await publish(folder);
    const kills = isLong ? 20 : 4;
    const said = await sayAndKill(folder, path, kills, random);
    await check(folder, said);
  });
});
