import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { DataError } from "../../src/base/error.ts";
import { fileError } from "../../src/base/file_error.ts";
import type { TableColumn } from "../../src/files/table_encoder.ts";
import { TableWriter } from "../../src/files/table_writer.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const COLUMNS: readonly TableColumn[] = [
  { name: "ID", kind: "int64" },
  { name: "AT", kind: "text" },
  { name: "COUNT", kind: "int32" },
  { name: "AMOUNT", kind: "double" },
];

const ROWS = [
  new Float64Array([0, 9007199254740991]),
  ["2018-04-01 00:00:31", "2018-04-01 00:02:10"],
  new Int32Array([7, 2147483647]),
  new Float64Array([285.79999999999995, 1e-7]),
];

async function write(
  path: string,
  format: "csv" | "jsonl" | "parquet",
): Promise<void> {
  await using writer = await TableWriter.open(path, format, COLUMNS);
  await writer.write(ROWS, 2);
  await writer.close();
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

testWriting(
  "TableWriter writes CSV with header, LF and number text",
  async () => {
    await using folder = temporaryFolder();
    await write(`${folder.path}/t.csv`, "csv");
    assert.equal(
      Deno.readTextFileSync(`${folder.path}/t.csv`),
      "ID,AT,COUNT,AMOUNT\n" +
        "0,2018-04-01 00:00:31,7,285.79999999999995\n" +
        "9007199254740991,2018-04-01 00:02:10,2147483647,1e-7\n",
    );
  },
);

testWriting(
  "TableWriter writes JSON lines with the keys in order",
  async () => {
    await using folder = temporaryFolder();
    await write(`${folder.path}/t.jsonl`, "jsonl");
    assert.equal(
      Deno.readTextFileSync(`${folder.path}/t.jsonl`),
      '{"ID":0,"AT":"2018-04-01 00:00:31","COUNT":7,"AMOUNT":285.79999999999995}\n' +
        '{"ID":9007199254740991,"AT":"2018-04-01 00:02:10","COUNT":2147483647,"AMOUNT":1e-7}\n',
    );
  },
);

testWriting(
  "TableWriter writes Parquet that another reader reads",
  async () => {
    await using folder = temporaryFolder();
    await write(`${folder.path}/t.parquet`, "parquet");
    const file = Deno.readFileSync(`${folder.path}/t.parquet`).buffer;
    assert.deepEqual(
      parquetMetadata(file).schema.slice(1).map(({ type }) => type),
      ["INT64", "BYTE_ARRAY", "INT32", "DOUBLE"],
    );
    assert.deepEqual(await parquetReadObjects({ file }), [
      { ID: 0n, AT: ROWS[1][0], COUNT: 7, AMOUNT: 285.79999999999995 },
      {
        ID: 9007199254740991n,
        AT: ROWS[1][1],
        COUNT: 2147483647,
        AMOUNT: 1e-7,
      },
    ]);
  },
);

/** A time, a text and a number of which each may be missing, and JSON. */
const TYPED: readonly TableColumn[] = [
  { name: "AT", kind: "timestamp" },
  { name: "UNTIL", kind: "timestamp", nullable: true },
  { name: "NOTE", kind: "text", nullable: true },
  { name: "COUNT", kind: "int32", nullable: true },
  { name: "ID", kind: "int64", nullable: true },
  { name: "WHY", kind: "json", nullable: true },
];

const TYPED_ROWS = [
  [1522540831, -1],
  [null, 1522540800],
  ["a,b", null],
  [null, 7],
  [9007199254740991, null],
  ['{"A":1.5}', null],
];

testWriting(
  "TableWriter writes times, JSON and null by the format",
  async () => {
    await using folder = temporaryFolder();
    for (const format of ["csv", "jsonl", "parquet"] as const) {
      const path = `${folder.path}/t.${format}`;
      await using writer = await TableWriter.open(path, format, TYPED);
      await writer.write(TYPED_ROWS, 2);
      await writer.close();
    }
    assert.equal(
      Deno.readTextFileSync(`${folder.path}/t.csv`),
      "AT,UNTIL,NOTE,COUNT,ID,WHY\n" +
        '2018-04-01 00:00:31,,"a,b",,9007199254740991,"{""A"":1.5}"\n' +
        "1969-12-31 23:59:59,2018-04-01 00:00:00,,7,,\n",
    );
    assert.equal(
      Deno.readTextFileSync(`${folder.path}/t.jsonl`),
      '{"AT":"2018-04-01T00:00:31Z","UNTIL":null,"NOTE":"a,b","COUNT":null,' +
        '"ID":9007199254740991,"WHY":{"A":1.5}}\n' +
        '{"AT":"1969-12-31T23:59:59Z","UNTIL":"2018-04-01T00:00:00Z",' +
        '"NOTE":null,"COUNT":7,"ID":null,"WHY":null}\n',
    );
    const file = Deno.readFileSync(`${folder.path}/t.parquet`).buffer;
    const rows = await parquetReadObjects({ file });
    assert.deepEqual(rows.map((row) => Object.values(row)), [
      [
        new Date("2018-04-01T00:00:31Z"),
        null,
        "a,b",
        null,
        9007199254740991n,
        '{"A":1.5}',
      ],
      [
        new Date("1969-12-31T23:59:59Z"),
        new Date("2018-04-01T00:00:00Z"),
        null,
        7,
        null,
        null,
      ],
    ]);
  },
);

testWriting(
  "TableWriter cuts a long Parquet table into row groups",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.parquet`;
    const column = [{ name: "N", kind: "int32" }] as const;
    const numbers = Int32Array.from({ length: 50_000 }, (_, n) => n);
    {
      await using writer = await TableWriter.open(path, "parquet", column);
      for (let batch = 0; batch < 3; batch++) {
        await writer.write([numbers], numbers.length);
      }
      await writer.close();
    }
    const file = Deno.readFileSync(path).buffer;
    const groups = parquetMetadata(file).row_groups.map((group) =>
      group.num_rows
    );
    assert.deepEqual(groups, [65536n, 65536n, 18928n]);
    const rows = await parquetReadObjects({ file });
    assert.ok(rows.every(({ N }, at) => N === at % 50_000));
  },
);

for (const format of ["csv", "jsonl", "parquet"] as const) {
  testWriting(`TableWriter writes an empty ${format} table`, async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.${format}`;
    {
      await using writer = await TableWriter.open(path, format, COLUMNS);
      await writer.close();
    }
    const bytes = Deno.readFileSync(path);
    if (format === "parquet") {
      assert.deepEqual(await parquetReadObjects({ file: bytes.buffer }), []);
    } else {
      const text = new TextDecoder().decode(bytes);
      assert.equal(text, format === "csv" ? "ID,AT,COUNT,AMOUNT\n" : "");
    }
  });
}

testWriting("TableWriter shows a file only when it is complete", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  Deno.writeTextFileSync(path, "old");
  await using writer = await TableWriter.open(path, "csv", COLUMNS);
  await writer.write(ROWS, 2);
  assert.deepEqual(names(folder.path), ["t.csv", "t.csv.partial"]);
  assert.equal(Deno.readTextFileSync(path), "old");
  await writer.close();
  assert.deepEqual(names(folder.path), ["t.csv"]);
  assert.notEqual(Deno.readTextFileSync(path), "old");
});

testWriting(
  "TableWriter.abort() leaves the old file and nothing else",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.csv`;
    Deno.writeTextFileSync(path, "old");
    const writer = await TableWriter.open(path, "csv", COLUMNS);
    await writer.write(ROWS, 2);
    await writer.abort();
    await writer.abort();
    assert.deepEqual(names(folder.path), ["t.csv"]);
    assert.equal(Deno.readTextFileSync(path), "old");
  },
);

testWriting("TableWriter tells of a folder that does not exist", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/no/t.csv`;
  await assert.rejects(TableWriter.open(path, "csv", COLUMNS), {
    name: "DataError",
    message:
      `cannot write ${path}: its folder does not exist; make the folder first`,
  });
});

testWriting("TableWriter tells of a target that is a folder", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  Deno.mkdirSync(path);
  await assert.rejects(write(path, "csv"), DataError);
  assert.deepEqual(names(folder.path), ["t.csv"]);
});

Deno.test("fileError() names the Deno flag that is missing", () => {
  const refused = new Deno.errors.NotCapable("Requires write access");
  assert.equal(
    fileError(refused, "write", "out/t.csv").message,
    "cannot write out/t.csv: Deno was not given the permission; add " +
      "--allow-write=out/t.csv (or a folder above it) before main.ts, or " +
      "start the program by './fraudstream --anywhere'",
  );
  assert.match(
    fileError(refused, "write", "/dev/stdout").message,
    /^cannot write \/dev\/stdout: .* or - for standard input or output$/,
  );
  assert.match(fileError(refused, "list", "in").message, /--allow-read=in /);
});

Deno.test("fileError() tells of a folder that can't be written to", () => {
  const denied = Object.assign(new Error("os error 13"), { code: "EACCES" });
  assert.match(
    fileError(denied, "write", "t.csv").message,
    /^cannot write t.csv: permission denied; check /,
  );
  const readOnly = Object.assign(new Error("os error 30"), { code: "EROFS" });
  assert.match(
    fileError(readOnly, "write", "t.csv").message,
    /^cannot write t.csv: the file system is read-only; /,
  );
});

Deno.test("fileError() tells of a full disk", () => {
  const full = Object.assign(new Error("os error 28"), { code: "ENOSPC" });
  assert.equal(
    fileError(full, "write", "t.csv").message,
    "cannot write t.csv: no space left on the device; make room and run again",
  );
});

Deno.test("fileError() passes a DataError as it is", () => {
  const told = new DataError("told");
  assert.equal(fileError(told, "read", "t.csv"), told);
});
