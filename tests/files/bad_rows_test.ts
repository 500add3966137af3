import assert from "node:assert/strict";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  FIRST,
  HEADER,
  ids,
  NEXT_DAY,
  readAll,
  readText,
  SECOND,
} from "./small_files.ts";

/** What is wrong, the file, and the message. */
const REFUSALS: [string, string, RegExp][] = [
  ["an empty file", "", /^t\.csv:1:1: the file is empty; it must begin with /],
  [
    "a missing column",
    `${HEADER.replace("TX_AMOUNT,", "")}\n`,
    /^t\.csv:1:1: the header lacks TX_AMOUNT; required are TRANS/,
  ],
  [
    "a column named twice",
    `${HEADER},TX_FRAUD\n`,
    /^t\.csv:1:118: the header names TX_FRAUD twice; rename or remove /,
  ],
  [
    "no header",
    `${FIRST}\n`,
    /^t\.csv:1:1: the first line is a row, not a header; put a header /,
  ],
  [
    "too few columns",
    `${HEADER}\n${FIRST}\n1,2018-04-01 01:11:00\n`,
    /^t\.csv:3:1: 2 columns where the header has 9; fix the row, or leave such rows out with --skip-bad-rows$/,
  ],
  [
    "too many columns",
    `${HEADER}\n${FIRST},7\n`,
    /^t\.csv:2:1: 10 columns where the header has 9; fix /,
  ],
  [
    "an empty line",
    `${HEADER}\n\n${FIRST}\n`,
    /^t\.csv:2:1: the line is empty; fix /,
  ],
  [
    "a word for a number",
    `${HEADER}\n${FIRST.replace(",38,", ",x,")}\n`,
    /^t\.csv:2:25: TERMINAL_ID "x" is not a whole number; fix /,
  ],
  [
    "a number that JavaScript alone would take",
    `${HEADER}\n${FIRST.replace(",38,", ",0x26,")}\n`,
    /^t\.csv:2:25: TERMINAL_ID "0x26" is not a whole number; fix /,
  ],
  [
    "an empty field",
    `${HEADER}\n${FIRST.replace(",146,", ",,")}\n`,
    /^t\.csv:2:28: TX_AMOUNT "" is not a number; fix /,
  ],
  [
    "part of a cent",
    `${HEADER}\n${FIRST.replace(",146,", ",1.005,")}\n`,
    /^t\.csv:2:28: TX_AMOUNT 1\.005 is not a whole number of cents; fix /,
  ],
  [
    "a date that isn't one",
    `${HEADER}\n${FIRST.replace("04-01", "02-30")}\n`,
    /^t\.csv:2:3: TX_DATETIME "2018-02-30 00:07:56" is not a date and time /,
  ],
  [
    "times that don't agree",
    `${HEADER}\n${FIRST}\n${SECOND.replace("4260", "4261")}\n`,
    /^t\.csv:3:32: TX_TIME_SECONDS 4261 after the start 2018-04-01 00:00:00 is not .*; fix .*; if the start, taken from the first row, is wrong, give it with --start$/,
  ],
  [
    "a start that isn't midnight",
    `${HEADER}\n${FIRST.replace("476", "477")}\n`,
    /^t\.csv:2:32: TX_TIME_SECONDS 477 has another time of day than /,
  ],
  [
    "an open quote",
    `${HEADER}\n${FIRST}\n"${SECOND}\n${NEXT_DAY}\n`,
    /^t\.csv:3:1: a quote that isn't closed; fix /,
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

testWriting(
  "DayReader skips, counts and shows bad rows when asked",
  async () => {
    const text = [
      HEADER,
      FIRST,
      `"${SECOND}`,
      "",
      "1,2",
      SECOND.replace("2.08", "x"),
      SECOND,
      SECOND,
      NEXT_DAY,
      FIRST,
    ].join("\n");
    const { reader, days } = await readText(text, { skipBadRows: true });
    assert.deepEqual(ids(days), [[0, 1], [2]]);
    assert.deepEqual(Object.fromEntries(reader.skipped.byReason), {
      "broken quotes": 1,
      "empty line": 1,
      "wrong number of columns": 1,
      "wrong type": 1,
      "duplicate TRANSACTION_ID": 2,
    });
    const shown = reader.skipped.first.map((row) => row.replace(/^.*\//, ""));
    assert.deepEqual(shown, [
      "t.csv:3:1: a quote that isn't closed",
      "t.csv:4:1: the line is empty",
      "t.csv:5:1: 2 columns where the header has 9",
    ]);
  },
);

testWriting(
  "DayReader refuses a wrong header also when it skips rows",
  async () => {
    await assert.rejects(
      readText(`${HEADER}\n`.replaceAll(",", "|"), { skipBadRows: true }),
      /the header lacks TRANSACTION_ID/,
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
    /^DataError: t\.csv:15002:1: 1 column where /,
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
    message: `${path}:1:1: TX_DATETIME is missing; fix the row, or leave ` +
      "such rows out with --skip-bad-rows",
  });
  Deno.writeTextFileSync(path, '{"X":1,"TRANSACTION_ID":"0x"}\n');
  await assert.rejects(readAll(path), (error: Error) => {
    return error.message.startsWith(`${path}:1:8: TRANSACTION_ID "0x" is not`);
  });
});
