import assert from "node:assert/strict";
import { openComparedFiles } from "../../src/files/compared_files.ts";
import { compareRows } from "../../src/files/row_difference.ts";
import { type TableColumn } from "../../src/files/table_encoder.ts";
import { TableWriter } from "../../src/files/table_writer.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const COLUMNS: readonly TableColumn[] = [
  { name: "TRANSACTION_ID", kind: "int32" },
  { name: "TX_DATETIME", kind: "timestamp" },
  { name: "CITY", kind: "text", nullable: true },
  { name: "RATIO", kind: "double", nullable: true },
  { name: "CONTRIBUTIONS", kind: "json", nullable: true },
];

const VALUES = [
  [1, 2, 3],
  [1_522_540_831, 1_522_540_831, 1_522_540_900],
  ['Łódź, "old"', null, "x"],
  [0.1 + 0.2, null, -7],
  ['{"RATIO":0.25}', null, null],
];

async function write(path: string, rows = [0, 1, 2]): Promise<string> {
  const format = path.slice(path.lastIndexOf(".") + 1);
  assert.ok(format === "csv" || format === "jsonl" || format === "parquet");
  await using writer = await TableWriter.open(path, format, COLUMNS);
  const columns = VALUES.map((column) => rows.map((row) => column[row]));
  // deno-lint-ignore no-explicit-any
  await writer.write(columns as any, rows.length);
  await writer.close();
  return path;
}

async function difference(a: string, b: string) {
  const { signal } = new AbortController();
  await using one = await openComparedFiles(a, signal);
  await using other = await openComparedFiles(b, signal);
  return await compareRows(one, other, { tolerance: 0 });
}

testWriting(
  "a table is the same in every format, and in a folder of parts",
  async () => {
    await using folder = temporaryFolder();
    const paths = await Promise.all(
      ["csv", "jsonl", "parquet"].map((format) =>
        write(`${folder.path}/table.${format}`)
      ),
    );
    const parts = `${folder.path}/parts`;
    Deno.mkdirSync(parts);
    await write(`${parts}/1.parquet`, [0, 1]);
    await write(`${parts}/2.parquet`, [2]);
    for (const a of [...paths, parts]) {
      for (const b of [...paths, parts]) {
        const found = await difference(a, b);
        assert.deepEqual(found.columns, [], `${a} ${b}`);
        assert.deepEqual(found.rows, { a: 3, b: 3, both: 3 });
        assert.equal(found.compared, 4);
      }
    }
  },
);

testWriting(
  "rows that cannot be read are refused with their place",
  async () => {
    await using folder = temporaryFolder();
    const good = await write(`${folder.path}/good.csv`);
    const bad = `${folder.path}/bad.csv`;
    Deno.writeTextFileSync(bad, "TRANSACTION_ID,RATIO\n1,0.5\n2,0.5,7\n");
    await assert.rejects(difference(good, bad), {
      name: "DataError",
      message: `line 3 of ${bad}: 3 columns where the header has 2`,
    });
    Deno.writeTextFileSync(bad, "");
    await assert.rejects(
      difference(good, bad),
      /bad\.csv:1:1: the file is empty/,
    );
    const parts = `${folder.path}/parts`;
    Deno.mkdirSync(parts);
    await write(`${parts}/1.csv`);
    Deno.writeTextFileSync(`${parts}/2.csv`, "TRANSACTION_ID,RATIO\n9,0.5\n");
    await assert.rejects(
      difference(parts, good),
      /2\.csv lacks the column TX_DATETIME, which the files before have/,
    );
    await assert.rejects(difference(`${folder.path}/none.csv`, good), {
      name: "DataError",
    });
  },
);
