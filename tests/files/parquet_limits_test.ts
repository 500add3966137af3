import assert from "node:assert/strict";
import type { RowGroup } from "hyparquet";
import { checkPages } from "../../src/files/parquet_limits.ts";

/** A number as Thrift's compact protocol has it. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = 2 * value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes.push(rest % 128 | 128);
  }
  return [...bytes, rest];
}

/** The header of a data page without content that claims so much. */
function page(bytes: number, values: number): number[] {
  return [
    ...[0x15, 0],
    ...[0x15, ...varint(bytes)],
    ...[0x15, 0],
    // The page's own header is field 5.
    ...[0x2c, 0x15, ...varint(values), 0x15, 0, 0x15, ...varint(3)],
    ...[0x15, ...varint(3), 0],
    0,
  ];
}

function check(pages: number[], rows: number, claimed?: number): Promise<void> {
  const bytes = Uint8Array.from([...pages, 0]);
  const group = {
    num_rows: BigInt(rows),
    columns: [{
      meta_data: {
        path_in_schema: ["TX_AMOUNT"],
        data_page_offset: 0n,
        total_compressed_size: BigInt(claimed ?? bytes.length),
      },
    }],
  } as unknown as RowGroup;
  const file = {
    byteLength: bytes.length,
    slice: (start: number, end?: number) => bytes.slice(start, end).buffer,
  };
  return checkPages(file, group, [{ name: "TX_AMOUNT" }], "t.parquet");
}

Deno.test("checkPages() lets pages of a usual size pass", async () => {
  await assert.doesNotReject(check(page(1_000_000, 1000), 1000));
  const pages = [...page(8000, 600), ...page(8000, 400)];
  await assert.doesNotReject(check(pages, 1000));
});

Deno.test("checkPages() refuses what would take gigabytes, before it is decoded", async () => {
  const refusals: [Promise<void>, string][] = [
    [check(page(1_500_000_000, 10), 10), "1500000000 bytes in a page"],
    [check(page(100, 500_000_000), 500_000_000), "500000000 values in a page"],
    [
      check(page(100, 10), 10, 4_500_000_000),
      "4500000000 bytes in a row group",
    ],
  ];
  for (const [refused, what] of refusals) {
    await assert.rejects(refused, (error: Error) => {
      assert.equal(error.name, "DataError");
      assert.ok(error.message.startsWith(`t.parquet: ${what} of TX_AMOUNT, `));
      assert.match(error.message, /; write the file with smaller row groups$/);
      return true;
    });
  }
});

Deno.test("checkPages() notices pages that don't hold the group's rows", async () => {
  await assert.rejects(check(page(100, 7), 10), /7 values of TX_AMOUNT in a /);
  await assert.rejects(check(page(100, 11), 10), /11 values of TX_AMOUNT in /);
});
