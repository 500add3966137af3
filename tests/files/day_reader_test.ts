import assert from "node:assert/strict";
import { PAYMENT_COLUMNS } from "../../src/files/data_set.ts";
import { TableWriter } from "../../src/files/table_writer.ts";
import { emptyPayment } from "../../src/payment/payment.ts";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { dataPath } from "./sets.ts";
import {
  FIRST,
  HEADER,
  ids,
  NEXT_DAY,
  readAll,
  readText,
  SECOND,
} from "./small_files.ts";

testReading("DayReader reads a file day by day", async () => {
  const { reader, days } = await readAll(dataPath("A/transactions.csv"));
  assert.equal(days.length, 30);
  assert.equal(days[0].length, 82);
  assert.deepEqual(days.map(({ day }) => day), days.map((_, day) => day));
  assert.equal(reader.startSeconds, Date.UTC(2018, 3, 1) / 1000);
  const row = emptyPayment();
  days[0].read(0, row);
  assert.deepEqual(row, {
    transactionId: 0,
    datetimeSeconds: Date.UTC(2018, 3, 1, 0, 7, 56) / 1000,
    customerId: 2,
    terminalId: 38,
    amount: 146,
    timeSeconds: 476,
    fraud: 0,
    scenario: 0,
  });
});

testWriting(
  "DayReader finds the columns by name and ignores others",
  async () => {
    const { days } = await readText(
      "NOTE,TX_FRAUD_SCENARIO,TX_FRAUD,TX_TIME_DAYS,TX_TIME_SECONDS,TX_AMOUNT," +
        'TERMINAL_ID,CUSTOMER_ID,TX_DATETIME,TRANSACTION_ID\n"a, b",3,1,1,86401' +
        ',285.79999999999995,4,8,2018-04-02 00:00:01,"2"',
    );
    const row = emptyPayment();
    days[0].read(0, row);
    assert.deepEqual(
      [row.transactionId, row.amount, row.scenario, row.fraud, days[0].day],
      [2, 285.79999999999995, 3, 1, 1],
    );
  },
);

testWriting("DayReader gives the rows of a day in order of time", async () => {
  const { days } = await readText(
    `${HEADER}\n${SECOND}\n${FIRST}\n${NEXT_DAY}\n`,
  );
  assert.deepEqual(ids(days), [[0, 1], [2]]);
  assert.deepEqual([...days[0].customerId], [2, 8]);
});

testWriting("DayReader reads the day files of a folder in order", async () => {
  await using folder = temporaryFolder();
  const write = (name: string, text: string) =>
    Deno.writeTextFileSync(`${folder.path}/${name}`, text);
  write("2018-04-03.csv", `${HEADER}\n`);
  write("2018-04-02.csv", `${HEADER}\n${NEXT_DAY}\n`);
  write("2018-04-01.csv", `${HEADER}\n${FIRST}\n${SECOND}\n`);
  write("customers.csv", "not looked at");
  write("2018-04-01.csv.partial", "not looked at");
  const { days } = await readAll(folder.path);
  assert.deepEqual(ids(days), [[0, 1], [2]]);
});

testWriting("DayReader reads JSON lines and Parquet like CSV", async () => {
  await using folder = temporaryFolder();
  const { days } = await readAll(dataPath("A/transactions.csv"));
  const whole = await columnsOf(dataPath("A/transactions.csv"));
  for (const format of ["jsonl", "parquet"] as const) {
    const path = `${folder.path}/t.${format}`;
    {
      await using writer = await TableWriter.open(
        path,
        format,
        PAYMENT_COLUMNS,
      );
      await writer.write(whole.values, whole.length);
      await writer.close();
    }
    const again = await readAll(path);
    assert.deepEqual(ids(again.days), ids(days));
    assert.deepEqual(
      again.days.map(({ amount }) => amount),
      days.map(({ amount }) => amount),
    );
  }
});

/** A canonical file's fields as columns. */
async function columnsOf(path: string) {
  const lines = (await Deno.readTextFile(path)).trim().split("\n").slice(1);
  const rows = lines.map((line) => line.split(","));
  const values = PAYMENT_COLUMNS.map(({ kind }, at) => {
    const texts = rows.map((row) => row[at]);
    return texts.map((text) =>
      kind === "timestamp" ? Date.parse(`${text}Z`) / 1000 : Number(text)
    );
  });
  return { values, length: rows.length };
}

testWriting("DayReader checks every row against the start given", async () => {
  const text = `${HEADER}\n${FIRST}\n`;
  const startSeconds = Date.UTC(2018, 3, 1) / 1000;
  assert.deepEqual(ids((await readText(text, { startSeconds })).days), [[0]]);
  await assert.rejects(
    readText(text, { startSeconds: startSeconds + 86_400 }),
    {
      name: "DataError",
      message: "t.csv:2:32: TX_TIME_SECONDS 476 after the start 2018-04-02 " +
        "00:00:00 is not TX_DATETIME 2018-04-01 00:07:56; fix the row, or " +
        "leave such rows out with --skip-bad-rows",
    },
  );
});

testWriting("DayReader stops with the signal's reason", async () => {
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await assert.rejects(
    readText(`${HEADER}\n${FIRST}\n`, { signal: controller.signal }),
    { message: "enough" },
  );
});
