import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import {
  CsvCutter,
  type CsvRecords,
  splitRecord,
} from "../../src/files/csv_records.ts";
import { LineBlock } from "../../src/files/line_block.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { paymentsIn } from "./payments.ts";
import { FIRST, HEADER, NEXT_DAY, SECOND } from "./small_files.ts";

/** Blocks of whole lines, so many lines each. */
function blocksOf(text: string, lines: number): LineBlock[] {
  const all = text.split("\n").slice(0, -1).map((line) => line + "\n");
  const blocks: LineBlock[] = [];
  for (let from = 0; from < all.length; from += lines) {
    const parts = all.slice(from, from + lines)
      .map((line) => new TextEncoder().encode(line));
    const starts: number[] = [];
    const bytes: number[] = [];
    for (const part of parts) {
      starts.push(bytes.length);
      bytes.push(...part);
    }
    blocks.push(new LineBlock(Uint8Array.from(bytes), from + 1, starts));
  }
  return blocks;
}

function recordsOf(text: string, lines: number, width: number) {
  const cutter = new CsvCutter(",", (fields) => fields.length === width);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const read = ({ bytes, starts, ends, lines }: CsvRecords) => {
    return starts.map((start, at) => ({
      line: lines[at],
      fields: splitRecord(
        decoder.decode(bytes.subarray(start, ends[at] - 1)),
        ",",
      ),
    }));
  };
  return [
    ...blocksOf(text, lines).flatMap((block) => read(cutter.cut(block))),
    ...read(cutter.finish()),
  ];
}

const value = fc.string({
  unit: fc.constantFrom("a", "ü", "🍺", ",", '"', "\n", " "),
  maxLength: 8,
});

Deno.test("CsvCutter and splitRecord() read what a CSV writer writes, in any blocks", () => {
  const rows = fc.array(fc.tuple(value, value, value), { minLength: 1 });
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 5 }), (rows, lines) => {
      const text = stringify(rows);
      const records = recordsOf(text, lines, 3);
      assert.deepEqual(records.map(({ fields }) => fields), rows);
      assert.deepEqual(parse(text), rows);
      let line = 1;
      for (const [at, record] of records.entries()) {
        assert.equal(record.line, line);
        line += 1 + rows[at].join("").split("\n").length - 1;
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("a stray quote breaks its own line and no other", () => {
  const good = fc.constantFrom("1,2,3", '4,"5, 6",7', '"8\n9",10,"""11"""');
  const bad = fc.constantFrom(
    '1,"2,3',
    '"1",2"3","4',
    '1,2,"3"4',
    '"',
    '1,"2"",3',
  );
  const lines = fc.array(
    fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: bad }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 4 }), (lines, blockLines) => {
      const isGood = (text: string) => /^(1,2,3|4,|"8)/.test(text);
      const whole = lines.filter(isGood).filter((text) => text === "1,2,3");
      const text = lines.map((line) => line + "\n").join("");
      const found = recordsOf(text, blockLines, 3)
        .filter(({ fields }) => fields?.join() === "1,2,3");
      // Two stray quotes with plain rows between them can be one field (RFC
      // 4180), but never if that field makes a record of another width.
      if (lines.filter((line) => !isGood(line)).length <= 1) {
        assert.equal(found.length, whole.length);
      }
    }),
    { numRuns: 400 },
  );
});

const MERCHANTS = [
  `${HEADER},MERCHANT`,
  `${FIRST},"Café ""Zum Löwen"", 2nd floor 🍺"`,
  `${SECOND},"Corner shop`,
  `Main street 5"`,
  `${NEXT_DAY},plain`,
];

async function readLines(lines: readonly string[], skipBadRows = false) {
  await using folder = temporaryFolder();
  const path = `${folder.path}/m.csv`;
  Deno.writeTextFileSync(path, lines.join("\n") + "\n");
  const { reader, payments } = await paymentsIn(path, { skipBadRows });
  return {
    ids: payments.map(({ transactionId }) => transactionId),
    skipped: Object.fromEntries(reader.skipped.byReason),
    first: reader.skipped.first.map((text) => text.replace(/^.*\//, "")),
  };
}

testWriting("a line break in a quoted field is part of the field", async () => {
  assert.deepEqual((await readLines(MERCHANTS)).ids, [0, 1, 2]);
});

testWriting("a line break with CR LF in a quoted field is, too", async () => {
  const lines = MERCHANTS.map((line) => line + "\r");
  assert.deepEqual((await readLines(lines)).ids, [0, 1, 2]);
});

testWriting(
  "a bad row of two lines is dropped whole, and no other",
  async () => {
    const lines = MERCHANTS.with(2, MERCHANTS[2].replace("2.08", "2.085"));
    assert.deepEqual(await readLines(lines, true), {
      ids: [0, 2],
      skipped: { "not whole cents": 1 },
      first: ["m.csv:3:27: TX_AMOUNT 2.085 is not a whole number of cents"],
    });
  },
);

testWriting("a quote that is never closed drops its row alone", async () => {
  const lines = MERCHANTS.with(1, `${FIRST},"Café`).toSpliced(
    2,
    2,
    SECOND + ",x",
  );
  assert.deepEqual(await readLines(lines, true), {
    ids: [1, 2],
    skipped: { "broken quotes": 1 },
    first: ["m.csv:2:1: a quote that isn't closed"],
  });
});

testWriting(
  "a stray quote that another row's would close drops its row alone",
  async () => {
    const lines = MERCHANTS.with(1, `"${FIRST},x`);
    assert.deepEqual((await readLines(lines, true)).ids, [1, 2]);
  },
);

testWriting("a quote around several rows is no value of ours", async () => {
  const lines = [
    MERCHANTS[0],
    `"${FIRST},x`,
    `${SECOND},x`,
    `",2,3,4,5,6,7,8,9,10`,
  ];
  const { ids, skipped } = await readLines(lines, true);
  assert.deepEqual(ids, [1]);
  assert.deepEqual(skipped, { "broken quotes": 2 });
});

testWriting(
  "the place of a value behind a line break is its own line",
  async () => {
    const lines = [
      `MERCHANT,${HEADER}`,
      `"two`,
      `lines",${FIRST.replace("146", "x")}`,
    ];
    await assert.rejects(
      readLines(lines),
      /m\.csv:3:35: TX_AMOUNT "x" is not a/,
    );
  },
);

testWriting("a quote inside a field is a character of it", async () => {
  const lines = [MERCHANTS[0], `${FIRST},5" pipe`, `${SECOND},say "so"`];
  assert.deepEqual((await readLines(lines)).ids, [0, 1]);
});
