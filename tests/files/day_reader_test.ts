import assert from "node:assert/strict";
import {
  DayReader,
  type DayReaderOptions,
} from "../../src/files/day_reader.ts";
import { TRANSACTION_COLUMNS } from "../../src/files/data_set.ts";
import { TableWriter } from "../../src/files/table_writer.ts";
import type { TransactionDay } from "../../src/files/transaction_day.ts";
import { emptyTransaction } from "../../src/transaction/transaction.ts";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { dataPath } from "./sets.ts";

const HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
  "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO";
const FIRST = "0,2018-04-01 00:07:56,2,38,146,476,0,0,0";
const SECOND = "1,2018-04-01 01:11:00,8,4,2.08,4260,0,0,0";
const NEXT_DAY = "2,2018-04-02 00:00:01,8,4,5,86401,1,1,2";

function options(change: Partial<DayReaderOptions> = {}): DayReaderOptions {
  return {
    startSeconds: undefined,
    skipBadRows: false,
    inputFormat: undefined,
    signal: new AbortController().signal,
    ...change,
  };
}

async function readAll(
  path: string,
  change: Partial<DayReaderOptions> = {},
): Promise<{ reader: DayReader; days: TransactionDay[] }> {
  const reader = await DayReader.open(path, options(change));
  return { reader, days: await Array.fromAsync(reader.days()) };
}

/** Ids of each day. */
function ids(days: readonly TransactionDay[]): number[][] {
  return days.map((day) => [...day.transactionId]);
}

/** Reads a text as a CSV file named t.csv; messages begin with its name. */
async function readText(
  text: string,
  change: Partial<DayReaderOptions> = {},
): Promise<{ reader: DayReader; days: TransactionDay[] }> {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  Deno.writeTextFileSync(path, text);
  try {
    return await readAll(path, change);
  } catch (error) {
    if (error instanceof Error) {
      error.message = error.message.replaceAll(`${folder.path}/`, "");
    }
    throw error;
  }
}

testReading("DayReader reads a file day by day", async () => {
  const { reader, days } = await readAll(dataPath("A/transactions.csv"));
  assert.equal(days.length, 30);
  assert.equal(days[0].length, 82);
  assert.deepEqual(days.map(({ day }) => day), days.map((_, day) => day));
  assert.equal(reader.startSeconds, Date.UTC(2018, 3, 1) / 1000);
  const row = emptyTransaction();
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
    const row = emptyTransaction();
    days[0].read(0, row);
    assert.deepEqual(
      [row.transactionId, row.amount, row.scenario, row.fraud, days[0].day],
      [2, 285.79999999999995, 3, 1, 1],
    );
  },
);

testWriting("DayReader sorts a day by TRANSACTION_ID", async () => {
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
        TRANSACTION_COLUMNS,
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
  const values = TRANSACTION_COLUMNS.map(({ kind }, at) => {
    const texts = rows.map((row) => row[at]);
    return kind === "text" ? texts : texts.map(Number);
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
      message: "t.csv:2:30: TX_TIME_SECONDS 476 after the start 2018-04-02 " +
        "00:00:00 is not TX_DATETIME 2018-04-01 00:07:56; mend the row, or " +
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

/** What is wrong, the file, and the message. */
const REFUSALS: [string, string, RegExp][] = [
  ["an empty file", "", /^t\.csv:1:1: the file is empty; it must begin with /],
  [
    "a missing column",
    `${HEADER.replace("TX_AMOUNT,", "")}\n`,
    /^t\.csv:1:1: the header lacks TX_AMOUNT; it must name all of TRANS/,
  ],
  [
    "a column named twice",
    `${HEADER},TX_FRAUD\n`,
    /^t\.csv:1:116: the header names TX_FRAUD twice; rename or remove /,
  ],
  [
    "semicolons",
    `${HEADER}\n${FIRST}\n`.replaceAll(",", ";"),
    /^t\.csv:1:15: the columns are separated by ';'; they must be separated by ','$/,
  ],
  [
    "tabs",
    `${HEADER}\n${FIRST}\n`.replaceAll(",", "\t"),
    /^t\.csv:1:15: the columns are separated by tabs; they must be separated by ','$/,
  ],
  [
    "no header",
    `${FIRST}\n`,
    /^t\.csv:1:1: the first line is a row, not a header; put the header /,
  ],
  [
    "too few columns",
    `${HEADER}\n${FIRST}\n1,2018-04-01 01:11:00\n`,
    /^t\.csv:3:1: 2 columns where the header has 9; mend the row, or leave such rows out with --skip-bad-rows$/,
  ],
  [
    "too many columns",
    `${HEADER}\n${FIRST},7\n`,
    /^t\.csv:2:1: 10 columns where the header has 9; mend /,
  ],
  [
    "an empty line",
    `${HEADER}\n\n${FIRST}\n`,
    /^t\.csv:2:1: the line is empty; mend /,
  ],
  [
    "a word for a number",
    `${HEADER}\n${FIRST.replace(",38,", ",x,")}\n`,
    /^t\.csv:2:25: TERMINAL_ID "x" is not a whole number; mend /,
  ],
  [
    "a number that JavaScript alone would take",
    `${HEADER}\n${FIRST.replace(",38,", ",0x26,")}\n`,
    /^t\.csv:2:25: TERMINAL_ID "0x26" is not a whole number; mend /,
  ],
  [
    "an empty field",
    `${HEADER}\n${FIRST.replace(",146,", ",,")}\n`,
    /^t\.csv:2:28: TX_AMOUNT "" is not a number; mend /,
  ],
  [
    "part of a cent",
    `${HEADER}\n${FIRST.replace(",146,", ",1.005,")}\n`,
    /^t\.csv:2:28: TX_AMOUNT 1\.005 is not a whole number of cents; mend /,
  ],
  [
    "a date that isn't one",
    `${HEADER}\n${FIRST.replace("04-01", "02-30")}\n`,
    /^t\.csv:2:3: TX_DATETIME "2018-02-30 00:07:56" is not a date and time /,
  ],
  [
    "times that don't agree",
    `${HEADER}\n${FIRST}\n${SECOND.replace("4260", "4261")}\n`,
    /^t\.csv:3:30: TX_TIME_SECONDS 4261 after the start 2018-04-01 00:00:00 is not .*; mend .*; if the start, taken from the first row, is wrong, give it with --start$/,
  ],
  [
    "a start that isn't midnight",
    `${HEADER}\n${FIRST.replace("476", "477")}\n`,
    /^t\.csv:2:30: TX_TIME_SECONDS 477 has another time of day than /,
  ],
  [
    "an open quote",
    `${HEADER}\n${FIRST}\n"${SECOND}\n${NEXT_DAY}\n`,
    /^t\.csv:3:1: a quote that isn't closed; mend /,
  ],
  [
    "CR LF",
    `${HEADER}\n${FIRST}\r\n`,
    /^t\.csv:2:41: line ends with CR LF; convert the file to LF \(dos2unix\), or overlook it with --skip-bad-rows$/,
  ],
  [
    "a byte order mark",
    `\ufeff${HEADER}\n`,
    /^t\.csv:1:1: begins with a UTF-8 byte order mark; save the file without /,
  ],
  [
    "a day out of order",
    `${HEADER}\n${FIRST}\n${NEXT_DAY}\n${SECOND}\n`,
    /^t\.csv:4:3: TX_DATETIME is of 2018-04-01, a day before that of the rows above; sort /,
  ],
  [
    "a duplicate",
    `${HEADER}\n${FIRST}\n${SECOND}\n${FIRST}\n`,
    /^t\.csv:4:1: TRANSACTION_ID 0 has come already in t\.csv:2; remove /,
  ],
  [
    "an endless line",
    `${HEADER}\n${FIRST}\n${"1".repeat(70_000)}`,
    /^t\.csv:3:1: line longer than 65536 bytes; /,
  ],
  [
    "an endless line among others",
    `${HEADER}\n${"1".repeat(70_000)}\n${FIRST}\n`,
    /^t\.csv:2:1: line longer than 65536 bytes; /,
  ],
];

for (const [what, text, message] of REFUSALS) {
  testWriting(`DayReader refuses ${what} and says where`, async () => {
    await assert.rejects(readText(text), { name: "DataError", message });
  });
}

testWriting("DayReader skips and counts bad rows when asked", async () => {
  const text = [
    `\ufeff${HEADER}`,
    FIRST,
    `"${SECOND}`,
    "",
    "1,2",
    SECOND.replace("2.08", "x"),
    SECOND,
    SECOND,
    NEXT_DAY,
    FIRST,
  ].join("\r\n");
  const { reader, days } = await readText(text, { skipBadRows: true });
  assert.deepEqual(ids(days), [[0, 1], [2]]);
  assert.deepEqual(Object.fromEntries(reader.skippedRows), {
    "broken quotes": 1,
    "empty line": 1,
    "wrong number of columns": 1,
    "wrong type": 1,
    "duplicate TRANSACTION_ID": 1,
    "out of order": 1,
  });
  assert.deepEqual(Object.fromEntries(reader.oddities), {
    "UTF-8 byte order mark": 1,
    "CR LF line ends": 1,
  });
});

testWriting(
  "DayReader refuses a wrong header also when it skips rows",
  async () => {
    await assert.rejects(
      readText(`${HEADER}\n`.replaceAll(",", ";"), { skipBadRows: true }),
      /separated by ';'/,
    );
  },
);

testWriting("DayReader names the line in a file of many blocks", async () => {
  const lines = Array.from({ length: 20_000 }, (_, id) => {
    return FIRST.replace("0,", `${id},`);
  });
  lines[15_000] = "x";
  await assert.rejects(
    readText(`${HEADER}\n${lines.join("\n")}\n`),
    /^DataError: t\.csv:15002:1: 1 columns where /,
  );
});

testWriting("DayReader tells of a folder without day files", async () => {
  await using folder = temporaryFolder();
  await assert.rejects(readAll(folder.path), {
    message: `${folder.path}: no day file in the folder; payments are looked ` +
      "for in files named YYYY-MM-DD.csv (or .jsonl, .parquet)",
  });
});

testWriting("DayReader tells of two files of one day", async () => {
  await using folder = temporaryFolder();
  for (const format of ["csv", "jsonl"]) {
    Deno.writeTextFileSync(`${folder.path}/2018-04-01.${format}`, "");
  }
  await assert.rejects(readAll(folder.path), /two files of one day/);
});

testReading("DayReader tells of a path that does not exist", async () => {
  await assert.rejects(readAll("no/such.csv"), {
    name: "DataError",
    message: "cannot read no/such.csv: there is no such file or folder; " +
      "check the path",
  });
});

testWriting("DayReader tells of a file that isn't Parquet", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.parquet`;
  Deno.writeTextFileSync(path, "PAR1 but not really");
  await assert.rejects(readAll(path), /not a readable Parquet file/);
});

testWriting("DayReader names line and column in JSON lines", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.jsonl`;
  Deno.writeTextFileSync(path, '{"TRANSACTION_ID":0}\n');
  await assert.rejects(readAll(path), {
    message: `${path}:1:1: TX_DATETIME is missing; mend the row, or leave ` +
      "such rows out with --skip-bad-rows",
  });
  Deno.writeTextFileSync(path, '{"X":1,"TRANSACTION_ID":"0"}\n');
  await assert.rejects(readAll(path), (error: Error) => {
    return error.message.startsWith(`${path}:1:8: TRANSACTION_ID "0" is not`);
  });
});
