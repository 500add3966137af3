import assert from "node:assert/strict";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import type { Append, Log } from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import {
  type DeadLetter,
  letterId,
  letterValue,
  readDeadLetters,
} from "../../src/stream/dead_letters.ts";
import {
  requeue,
  REQUEUED_HEADER,
  whyNotEditable,
} from "../../src/stream/requeue.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import {
  CUSTOMER_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
  runAll,
  runBehind,
  SET_A,
} from "../roles/pipeline.ts";
import {
  partitionsOf,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "../roles/stages.ts";

/** Set A through every stage on one partition, after bytes that are no row in the given topics. */
async function finished(garbage: readonly string[]): Promise<OpenFolder> {
  const folder = await openMemory(parametersOf(1));
  for (const topic of garbage) await append(folder.log, topic, "garbage");
  await runAll(folder, SET_A);
  return folder;
}

async function append(log: EmbeddedLog, topic: string, value: string) {
  const records = new RecordBatchBuilder();
  records.add(new Uint8Array(), new TextEncoder().encode(value), 0);
  const producer = await log.producer("tests");
  await producer.append([{ topic, partition: 0, records }]);
}

async function letterOf(log: Log, topic: string): Promise<DeadLetter> {
  for await (const letter of readDeadLetters(log)) {
    if (letter.topic === topic) return letter;
  }
  throw new Error(`no dead letter of ${topic}`);
}

/** TX_TIME_SECONDS of the newest payment. */
async function newest(log: Log): Promise<number> {
  const [commit] = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
  return parseCommit(commit).progress;
}

/** A payment with a time, as somebody edits it: over several lines. */
function edited(time: number, changed: Record<string, unknown> = {}): string {
  return JSON.stringify(
    {
      TRANSACTION_ID: 2555,
      TX_DATETIME: formatDatetime(START_SECONDS + time),
      CUSTOMER_ID: 1,
      TERMINAL_ID: 2,
      TX_AMOUNT: 3.5,
      TX_TIME_SECONDS: time,
      TX_TIME_DAYS: Math.floor(time / 86_400),
      TX_FRAUD: 0,
      TX_FRAUD_SCENARIO: 0,
      ...changed,
    },
    null,
    2,
  ) + "\n";
}

function optionsOf(
  { log, context }: OpenFolder,
  letter: DeadLetter,
  json: string,
) {
  const control = new Control(log);
  const { parameters } = context;
  return { log, control, parameters, letter, json, again: "refuse" } as const;
}

Deno.test("an edited payment goes through every stage, also of a finished stream", async () => {
  await using folder = await finished([TRANSACTION_TOPIC]);
  const { log } = folder;
  const letter = await letterOf(log, TRANSACTION_TOPIC);
  const json = edited(await newest(log));
  const options = optionsOf(folder, letter, json);
  const place = await requeue(options);
  assert.deepEqual(place, {
    topic: TRANSACTION_TOPIC,
    partition: 0,
    fromOffset: 2556,
  });
  await runBehind(folder);
  assert.equal((await folder.store.status()).rows, 2556);
  const status = await readStatus(log, new Control(log));
  assert.deepEqual(discrepancies(status), []);
  assert.deepEqual(
    status.stages.map(({ counters, lag }) => [counters.emitted, lag]),
    [[2556, 0], [2556, 0], [2556, 0]],
  );
  await options.control.refresh();
  assert.deepEqual(options.control.requeued(letterId(letter)), place);
});

Deno.test("stages that run side by side wait for a requeued payment", async () => {
  await using folder = await finished([TRANSACTION_TOPIC]);
  const letter = await letterOf(folder.log, TRANSACTION_TOPIC);
  const json = edited(await newest(folder.log));
  await requeue(optionsOf(folder, letter, json));
  await runAll(folder, SET_A);
  assert.equal((await folder.store.status()).rows, 2556);
});

Deno.test("an edited row of the sink goes to the writer alone", async () => {
  await using folder = await finished([SINK_TOPIC]);
  const { log } = folder;
  const letter = await letterOf(log, SINK_TOPIC);
  const last = (await valuesOfTopic(log, SINK_TOPIC)).at(-1) ?? "";
  const row = { ...JSON.parse(last), TRANSACTION_ID: 2555 };
  await requeue(optionsOf(folder, letter, JSON.stringify(row)));
  await runBehind(folder);
  assert.equal((await folder.store.status()).rows, 2556);
});

Deno.test("the record carries its origin, its key and its time", async () => {
  await using folder = await finished([TRANSACTION_TOPIC]);
  const { log } = folder;
  const appended: Append[] = [];
  const watched = new Proxy<Log>(log, {
    get: (target, name: keyof Log) =>
      name === "producer"
        ? () =>
          Promise.resolve({
            append: (appends: readonly Append[]) => {
              appended.push(...appends);
              return Promise.resolve();
            },
          })
        : (target[name] as () => unknown).bind(target),
  });
  const letter = await letterOf(log, TRANSACTION_TOPIC);
  const time = await newest(log);
  await requeue({ ...optionsOf(folder, letter, edited(time)), log: watched });
  const [{ headers, records }] = appended;
  assert.deepEqual(headers, { [REQUEUED_HEADER]: "transaction_topic/0/0" });
  assert.equal(records.timestamps[0], (START_SECONDS + time) * 1000);
  const text = new TextDecoder().decode(records.writer.view());
  assert.equal(text, "1" + JSON.stringify(JSON.parse(edited(time))));
});

Deno.test("a letter is requeued once, more often by force only", async () => {
  await using folder = await finished([TRANSACTION_TOPIC]);
  const letter = await letterOf(folder.log, TRANSACTION_TOPIC);
  const options = optionsOf(folder, letter, edited(await newest(folder.log)));
  await requeue(options);
  await assert.rejects(
    requeue(options),
    /transaction_topic\/0\/0 was requeued already, .*--force/,
  );
  await requeue({ ...options, again: "append" });
  await runBehind(folder);
  const status = await readStatus(folder.log, new Control(folder.log));
  assert.equal(status.stages[0].counters.duplicates, 1);
  assert.equal((await folder.store.status()).rows, 2556);
});

Deno.test("what would be a dead letter again is refused, nothing appended", async () => {
  await using folder = await finished([TRANSACTION_TOPIC]);
  const { log } = folder;
  const letter = await letterOf(log, TRANSACTION_TOPIC);
  const now = await newest(log);
  const cases: [string, RegExp][] = [
    ["garbage", /it is not JSON/],
    [edited(now, { TX_AMOUNT: -1 }), /TX_AMOUNT/],
    [edited(now, { TX_TIME_DAYS: 1 }), /TX_TIME_DAYS/],
    [edited(now - 3601), /--lateness\) behind/],
    [edited(now + 401 * 86_400), /--max-gap\) ahead/],
  ];
  const before = await log.endOffsets(TRANSACTION_TOPIC);
  for (const [json, message] of cases) {
    await assert.rejects(requeue(optionsOf(folder, letter, json)), (error) => {
      assert.match(String(error), /would be a dead letter again/);
      assert.match(String(error), message);
      return true;
    });
  }
  assert.deepEqual(await log.endOffsets(TRANSACTION_TOPIC), before);
  const conflict = { ...letter, reason: "conflicting id" } as const;
  const value = btoa(edited(now));
  await assert.rejects(
    requeue(optionsOf(folder, { ...conflict, value }, edited(now))),
    /its id still conflicts/,
  );
});

Deno.test("packs of the repartition are internal and can't be requeued", async () => {
  await using folder = await finished([REPARTITION_TOPIC]);
  const letter = await letterOf(folder.log, REPARTITION_TOPIC);
  const json = edited(await newest(folder.log));
  await assert.rejects(
    requeue(optionsOf(folder, letter, json)),
    /transaction_by_terminal_topic is internal/,
  );
});

Deno.test("what nobody can edit is said with the reason", () => {
  const letter: DeadLetter = {
    topic: SINK_TOPIC,
    partition: 0,
    offset: 0,
    reason: "implausible",
    message: "",
    key: "",
    value: "/w==", // no text has this byte
  };
  assert.equal(letterValue(letter), undefined);
  assert.equal(whyNotEditable(letter), undefined);
  const reasons: readonly [Partial<DeadLetter>, RegExp][] = [
    [{ topic: PREDICTION_TOPIC }, /holds what models have said/],
    [
      { topic: TRANSACTION_LABEL_TOPIC },
      /is internal.*'\.\/fraudstream label'/,
    ],
    [{ topic: "elsewhere" }, /^elsewhere is another program.s topic/],
    [{ reason: "unreadable batch" }, /a whole batch that cannot be read/],
  ];
  for (const [change, reason] of reasons) {
    assert.match(String(whyNotEditable({ ...letter, ...change })), reason);
  }
});

/** Appends a payment with its amount as text to a partition, whose key is that, and gives its letter. */
async function misfit(
  folder: OpenFolder,
  partition: number,
  customer: number,
  key = String(customer),
): Promise<{ letter: DeadLetter; json: string }> {
  const { log, context: { parameters } } = folder;
  const right = edited(1000, { CUSTOMER_ID: customer });
  const wrong = edited(1000, { CUSTOMER_ID: customer, TX_AMOUNT: "x" });
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  records.add(encoder.encode(key), encoder.encode(wrong), 0);
  const producer = await log.producer("tests");
  await producer.append([{ topic: TRANSACTION_TOPIC, partition, records }]);
  const customers = await StageDriver.customers(log, parameters);
  await customers.drain(partitionsOf(parameters));
  return { letter: await letterOf(log, TRANSACTION_TOPIC), json: right };
}

for (const partitioner of ["murmur2", "crc32", undefined] as const) {
  Deno.test(`a payment goes back to its letter's partition, partitioner ${partitioner}`, async () => {
    const parameters = { ...parametersOf(4), partitioner };
    for (const customer of [1, 2, 3, 4, 5]) {
      await using folder = await openMemory(parameters);
      const key = new TextEncoder().encode(String(customer));
      const partition = partitionOf(key, 4, partitioner ?? "crc32");
      const { letter, json } = await misfit(folder, partition, customer);
      const place = await requeue(optionsOf(folder, letter, json));
      assert.equal(place.partition, partition);
      const customers = await StageDriver.customers(folder.log, parameters);
      await customers.drain([partition]);
      const { emitted, deadLettered } = await customers.counters();
      assert.deepEqual([emitted, deadLettered], [1, 1]);
    }
  });
}

Deno.test("a payment that lay in another partition than its card's goes to the right one, with the right key", async () => {
  const parameters = { ...parametersOf(4), partitioner: "crc32" } as const;
  await using folder = await openMemory(parameters);
  const { letter, json } = await misfit(folder, 0, 7, "");
  const { partition } = await requeue(optionsOf(folder, letter, json));
  assert.equal(
    partition,
    partitionOf(new TextEncoder().encode("7"), 4, "crc32"),
  );
  const customers = await StageDriver.customers(folder.log, parameters);
  await customers.drain([partition]);
  assert.equal((await customers.counters()).emitted, 1);
});
