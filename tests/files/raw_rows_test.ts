/** Rows with any columns, of CSV, JSON lines and Parquet. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { DataError } from "../../src/base/error.ts";
import type { RawValue } from "../../src/definition/rejection.ts";
import { rawRows } from "../../src/files/raw_rows.ts";
import type { TableFormat } from "../../src/files/table_encoder.ts";
import { testWriting } from "../permission.ts";

/** What a file holds: its columns, and per row its line and the values of some fields, or why it cannot be read. */
async function read(
  content: string | Uint8Array,
  fields: readonly string[],
  format?: TableFormat,
): Promise<
  { columns: readonly string[]; rows: unknown[][]; rests: string[] }
> {
  const path = await Deno.makeTempFile();
  const rows: unknown[][] = [];
  const rests: string[] = [];
  const isRest = (field: string) => field !== "a" && field !== "";
  let columns: readonly string[] = [];
  try {
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(path, bytes);
    const { signal } = new AbortController();
    const source = { path, name: "data", format };
    for await (const batch of rawRows(source, { name: "data", signal })) {
      columns = batch.columns;
      for (let index = 0; index < batch.length; index++) {
        const values: RawValue[] = [];
        const defect = batch.values(index, fields, values);
        rows.push([batch.line(index), ...defect ? [defect.reason] : values]);
        if (!defect) rests.push(batch.rest(index, isRest));
      }
    }
  } finally {
    await Deno.remove(path);
  }
  return { columns, rows, rests };
}

testWriting("CSV: any columns, quotes, separators", async () => {
  const text = 'a,"b, c",d\r\n1,"x ""y""\n z",\r\n2,3\r\n4,"5,6\r\n7,8,9\r\n';
  const { columns, rows } = await read(text, ["b, c", "a"]);
  assert.deepEqual(columns, ["a", "b, c", "d"]);
  assert.deepEqual(rows, [
    [2, 'x "y"\n z', "1"],
    [4, "wrong number of columns"],
    [5, "broken quotes"],
    [6, "8", "7"],
  ]);
  const tabs = await read("a\tb\n00012345678901234567\t1,5\n", ["a", "b"]);
  assert.deepEqual(tabs.rows, [[2, "00012345678901234567", "1,5"]]);
  const gzip = await read(gzipSync("\uFEFFa;b\n1;2\n"), ["a"]);
  assert.deepEqual(gzip.rows, [[2, "1"]]);
});

testWriting("CSV: a field without a column, or with two", async () => {
  await assert.rejects(
    read("a,b\n1,2\n", ["a", "c"]),
    (error: Error) =>
      error instanceof DataError &&
      error.message ===
        "data: no column 'c', which the definition reads; the columns are " +
          "'a', 'b'",
  );
  await assert.rejects(
    read("a,b,a\n1,2,3\n", ["a"]),
    /data: two columns are named 'a'/,
  );
  await assert.rejects(read("", []), /data:1:1: the file is empty/);
  await assert.rejects(read("text\nmore\n", []), /data:1:1: the header has no/);
});

testWriting("JSON lines: digits are kept", async () => {
  const text =
    '{"card":4111111111111111111,"a":1.5,"t":"x","b":true,"n":null,"o":{}}\n' +
    '{"card":12,"a":-0.1234567890123456789,"__proto__":5}\n[1]\nx\n';
  const { columns, rows } = await read(
    text,
    ["card", "a", "t", "b", "n", "o", "toString"],
  );
  assert.deepEqual(columns, ["card", "a", "t", "b", "n", "o"]);
  assert.deepEqual(rows, [
    [1, "4111111111111111111", 1.5, "x", true, null, {}, undefined],
    [
      2,
      12,
      "-0.1234567890123456789",
      ...Array(5).fill(undefined),
    ],
    [3, "not JSON"],
    [4, "not JSON"],
  ]);
});

testWriting("the other fields are JSON, with their digits", async () => {
  const rest = async (content: string | Uint8Array, format?: TableFormat) => {
    const { rests } = await read(content, [], format);
    return rests;
  };
  assert.deepEqual(
    await rest('b,"q ""1""",b,a,\n1,007,2,x,y\n,"é\n",,,\n'),
    [
      '"b":"1","q \\"1\\"":"007"',
      '"b":"","q \\"1\\"":"é\\n"',
    ],
  );
  assert.deepEqual(
    await rest(
      '{"a":1,"n":12345678901234567890,"o":{"m":[0.12345678901234567891]}}\n' +
        '{"a":1}\n{"t":"x\\u0000","z":null,"f":1.50}\n',
    ),
    [
      '"n":12345678901234567890,"o":{"m":[0.12345678901234567891]}',
      "",
      '"t":"x\\u0000","z":null,"f":1.5',
    ],
  );
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "big", data: [4111111111111111111n], type: "INT64" },
      { name: "float", data: [0.1], type: "FLOAT" },
      { name: "a", data: ["x"], type: "STRING" },
      { name: "text", data: ["y"], type: "STRING" },
    ],
  }));
  assert.deepEqual(await rest(bytes, "parquet"), [
    '"big":4111111111111111111,"float":0.1,"text":"y"',
  ]);
});

testWriting("Parquet: the types of columns", async () => {
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "big", data: [4111111111111111111n, -5n], type: "INT64" },
      { name: "text", data: ["a", null], type: "STRING", nullable: true },
      { name: "float", data: [0.1, 134.09], type: "FLOAT" },
      { name: "when", data: [new Date(1500), new Date(0)], type: "TIMESTAMP" },
      { name: "yes", data: [true, false], type: "BOOLEAN" },
    ],
  }));
  const fields = ["yes", "big", "text", "float", "when"];
  const { columns, rows } = await read(bytes, fields, "parquet");
  assert.deepEqual(columns, ["big", "text", "float", "when", "yes"]);
  const when = (row: unknown[]) => {
    const value = row.at(-1);
    return value instanceof Date ? value.getTime() : Date.parse(`${value}Z`);
  };
  assert.deepEqual(rows.map((row) => [...row.slice(0, -1), when(row)]), [
    [1, true, 4111111111111111111n, "a", 0.1, 1500],
    [2, false, -5n, rows[1][3], 134.09, 0],
  ]);
  assert.ok(rows[1][3] === null || rows[1][3] === undefined);
  await assert.rejects(read(bytes, ["x"], "parquet"), /no column 'x'/);
  await assert.rejects(
    read(new TextEncoder().encode("no"), [], "parquet"),
    /not a readable Parquet file/,
  );
});
