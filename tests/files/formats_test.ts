import assert from "node:assert/strict";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { CompressionCodec, FileMetaData } from "hyparquet";
import {
  checkUnpacked,
  parquetCompressors,
} from "../../src/files/parquet_codecs.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linesOfA, paymentsIn, paymentsOf } from "./payments.ts";
import { dataPath } from "./sets.ts";

const QUALITY = constants.BROTLI_PARAM_QUALITY;
const LINES = linesOfA(300);
const PAYMENTS = paymentsOf(LINES);
const START = Date.UTC(2018, 3, 1) / 1000;
const encoder = new TextEncoder();

type Fields = readonly string[];

/** CSV of the payments, each row's fields changed. */
function csv(
  change: (fields: Fields, header: boolean) => Fields,
  separator = ",",
  lineEnd = "\n",
): string {
  return LINES.map((line, at) => {
    return change(line.split(","), at === 0).join(separator) + lineEnd;
  }).join("");
}

const same = (fields: Fields) => fields;

/** Changes field `at` of the rows, not of the header. */
function field(at: number, change: (value: string) => string) {
  return (fields: Fields, header: boolean) => {
    return header ? fields : fields.with(at, change(fields[at]));
  };
}

const without = (...places: number[]) => (fields: Fields) => {
  return fields.filter((_, at) => !places.includes(at));
};

const withoutScenario = PAYMENTS.map((row) => ({ ...row, scenario: 0 }));

const secondsOf = (text: string) => Date.parse(`${text.replace(" ", "T")}Z`);

/** The local time of a zone `hours` east of UTC, with its offset. */
function inZone(text: string, hours: number, offset: string): string {
  const local = new Date(secondsOf(text) + hours * 3_600_000).toISOString();
  return local.slice(0, 19) + offset;
}

/** What is written, its name, its content, and the payments if some fields are lost. */
const FORMS: [string, string, string | Uint8Array, Payment[]?][] = [
  ["canonical CSV", "t.csv", csv(same)],
  ["a byte order mark and CR LF", "t.csv", `\ufeff${csv(same, ",", "\r\n")}`],
  ["semicolons", "t.csv", csv(same, ";")],
  [
    "semicolons and decimal commas",
    "t.csv",
    csv(field(4, (amount) => amount.replace(".", ",")), ";"),
  ],
  ["tabs", "t.csv", csv(same, "\t")],
  [
    "every field quoted",
    "t.csv",
    csv((fields) => fields.map((value) => `"${value}"`)),
  ],
  [
    "an index column without a name",
    "t.csv",
    csv((fields, header) => [header ? "" : "7", ...fields]),
  ],
  [
    "a name in quotes with commas, line breaks and quotes",
    "t.csv",
    csv((fields, header) => {
      return header
        ? [...fields, "MERCHANT"]
        : [...fields, '"Café ""Zum Löwen"", 🍺\r\n\n2nd floor"'];
    }),
  ],
  [
    "T between date and time",
    "t.csv",
    csv(field(1, (t) => t.replace(" ", "T"))),
  ],
  ["T and Z", "t.csv", csv(field(1, (t) => t.replace(" ", "T") + "Z"))],
  ["microseconds", "t.csv", csv(field(1, (t) => `${t}.123456`))],
  ["an offset of zero", "t.csv", csv(field(1, (t) => `${t}+00:00`))],
  ["an offset east", "t.csv", csv(field(1, (t) => inZone(t, 5.5, "+05:30")))],
  ["an offset west", "t.csv", csv(field(1, (t) => inZone(t, -7, "-0700")))],
  ["times in minutes", "t.csv", csv(field(1, (t) => t.slice(0, 16)))],
  [
    "seconds since 1970",
    "t.csv",
    csv(field(1, (t) => String(secondsOf(t) / 1000))),
  ],
  [
    "milliseconds since 1970",
    "t.csv",
    csv(field(1, (t) => String(secondsOf(t) + 999))),
  ],
  [
    "nanoseconds since 1970",
    "t.csv",
    csv(field(1, (t) => `${secondsOf(t)}999999`)),
  ],
  [
    "labels as words",
    "t.csv",
    csv(field(7, (label) => label === "1" ? "True" : "False")),
  ],
  [
    "floats in whole columns",
    "t.csv",
    csv((fields, header) =>
      header
        ? fields
        : fields.map((value, at) => at === 1 || at === 4 ? value : `${value}.0`)
    ),
  ],
  [
    "leading zeros",
    "t.csv",
    csv(field(0, (id) => id.padStart(9, "0"))),
  ],
  ["no derivable column", "t.csv", csv(without(5, 6, 8)), withoutScenario],
  ["TX_TIME_DAYS alone", "t.csv", csv(without(5))],
  ["gzip", "t.csv.gz", gzipSync(csv(same))],
  ["gzip by content", "t.csv", gzipSync(csv(same))],
  [
    "gzip of two members",
    "t.csv.gz",
    Uint8Array.from([
      ...gzipSync(csv(same).slice(0, 5000)),
      ...gzipSync(csv(same).slice(5000)),
    ]),
  ],
  ["zstd without compression", "t.csv.zst", storedZstd(csv(same))],
  [
    "JSON lines with numbers as text",
    "t.jsonl",
    jsonl((record) => {
      return Object.fromEntries(
        Object.entries(record).map(([key, value]) => [key, String(value)]),
      );
    }),
  ],
  [
    "JSON lines with epochs and booleans",
    "t.jsonl",
    jsonl((record) => ({
      ...record,
      TX_DATETIME: secondsOf(String(record.TX_DATETIME)),
      TX_FRAUD: record.TX_FRAUD === 1,
    })),
  ],
  ["JSON lines by content", "payments", jsonl((record) => record)],
  ["JSON lines in gzip", "t.jsonl.gz", gzipSync(jsonl((record) => record))],
];

function jsonl(
  change: (record: Record<string, unknown>) => Record<string, unknown>,
): string {
  const names = LINES[0].split(",");
  return LINES.slice(1).map((line) => {
    const values = line.split(",");
    const record = Object.fromEntries(names.map((name, at) => {
      return [name, at === 1 ? values[at] : Number(values[at])];
    }));
    return JSON.stringify(change(record)) + "\n";
  }).join("");
}

/** A zstd frame of stored blocks of up to 1,000 bytes, as RFC 8878 has it. */
function storedZstd(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const out = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
  for (let at = 0; at < bytes.length; at += 1000) {
    const block = bytes.subarray(at, at + 1000);
    const last = at + 1000 >= bytes.length ? 1 : 0;
    const head = last | (block.length << 3);
    out.push(head & 255, (head >> 8) & 255, head >> 16, ...block);
  }
  return Uint8Array.from(out);
}

for (const [form, name, content, payments = PAYMENTS] of FORMS) {
  testWriting(`payments are the same from ${form}`, async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/${name}`;
    const bytes = typeof content === "string"
      ? encoder.encode(content)
      : content;
    Deno.writeFileSync(path, bytes);
    const read = await paymentsIn(path);
    assert.deepEqual(read.payments, payments);
    assert.equal(read.reader.startSeconds, START);
  });
}

/** The files in tests/data/formats that hold the same 200 payments. */
const FILES = [
  "payments.csv.zst",
  "polars.parquet",
  ..."none snappy gzip zstd lz4 brotli".split(" ")
    .map((codec) => `pandas_${codec}.parquet`),
  "label_boolean.parquet",
  ..."s ms us ns int96 text epoch".split(" ")
    .map((unit) => `time_${unit}.parquet`),
  "ids_text.parquet",
  "ids_unsigned.parquet",
  "labels_double.parquet",
  "pages_v2.parquet",
];

for (const name of FILES) {
  testReading(`payments are the same from ${name}`, async () => {
    const { payments } = await paymentsIn(dataPath(`formats/${name}`));
    assert.deepEqual(payments, PAYMENTS.slice(0, 200));
  });
}

for (const name of ["amount_float", "amount_decimal"]) {
  testReading(`amounts are whole cents from ${name}.parquet`, async () => {
    const { payments } = await paymentsIn(dataPath(`formats/${name}.parquet`));
    const cents = PAYMENTS.slice(0, 200).map(({ amount, ...row }) => {
      return { ...row, amount: Math.round(amount * 100) / 100 };
    });
    assert.deepEqual(payments, cents);
  });
}

testReading(
  "payments are the same from Parquet without derivable columns",
  async () => {
    const path = dataPath("formats/derivable_missing.parquet");
    const { payments } = await paymentsIn(path);
    assert.deepEqual(payments, withoutScenario.slice(0, 200));
  },
);

testWriting("Parquet is found by its content", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/payments`;
  Deno.copyFileSync(dataPath("formats/polars.parquet"), path);
  const { payments } = await paymentsIn(path);
  assert.deepEqual(payments, PAYMENTS.slice(0, 200));
});

testWriting("a folder may hold compressed day files", async () => {
  await using folder = temporaryFolder();
  const [header, ...rows] = LINES;
  for (
    const day of new Set(rows.map((row) => row.split(",")[1].slice(0, 10)))
  ) {
    const lines = rows.filter((row) => row.includes(day));
    const text = [header, ...lines].join("\n");
    Deno.writeFileSync(`${folder.path}/${day}.csv.gz`, gzipSync(text));
  }
  const { payments } = await paymentsIn(folder.path);
  assert.deepEqual(payments, PAYMENTS);
});

testWriting("the start is the first day where no row states it", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  const lines = csv(without(5, 6, 8)).trimEnd().split("\n");
  const [header, ...rows] = lines;
  const later = [header, ...rows.slice(-100).toReversed()];
  Deno.writeTextFileSync(path, later.join("\n"));
  const { reader } = await paymentsIn(path);
  const first = Math.min(...PAYMENTS.slice(-100).map((p) => p.datetimeSeconds));
  assert.equal(reader.startSeconds, Math.floor(first / 86_400) * 86_400);
  const given = await paymentsIn(path, { startSeconds: START });
  assert.equal(given.reader.startSeconds, START);
  assert.equal(given.payments[0].timeSeconds, first - START);
  await assert.rejects(
    paymentsIn(path, { startSeconds: START + 365 * 86_400 }),
    /t\.csv:\d+:1: TX_DATETIME .* is not in the 2147483647 seconds from the start 2019-04-01/,
  );
});

/** Values that are ambiguous, or exact in no reading: the form and what is said. */
const REFUSED: [string, string, RegExp][] = [
  [
    "a thousand or a decimal",
    csv(field(4, () => "1.234"), ";"),
    /t\.csv:2:\d+: TX_AMOUNT "1\.234" may mean thousands or decimals; fix/,
  ],
  [
    "decimal commas among points",
    csv(field(4, () => "1.5"), ";") +
    "999;2018-05-01 00:00:00;1;1;1,5;0;0;0;0\n",
    /t\.csv:302:29: TX_AMOUNT "1,5" has the decimal mark ',', rows above have '\.'/,
  ],
  [
    "a decimal comma in a file of commas",
    csv(field(4, () => '"1,5"')),
    /t\.csv:2:\d+: TX_AMOUNT "1,5" is not a number/,
  ],
  [
    "a date in the order of nobody knows whom",
    csv(field(1, () => "03/04/2018 10:00")),
    /t\.csv:2:3: TX_DATETIME "03\/04\/2018 10:00" is not a date and time/,
  ],
  [
    "a date without a time of day",
    csv(field(1, (time) => time.slice(0, 10))),
    /t\.csv:2:3: TX_DATETIME "2018-04-01" is not a date and time/,
  ],
  [
    "more digits than a double has",
    csv(field(0, (id) => `900719925474099${id.padStart(4, "0")}`)),
    /t\.csv:2:1: TRANSACTION_ID \d+ is not in 0…9007199254740991/,
  ],
  [
    "a pipe as separator",
    csv(same, "|"),
    /t\.csv:1:1: the header lacks TRANSACTION_ID, TX_DATETIME, /,
  ],
  ["UTF-16", `\xff\xfeT\0R\0A\0`, /t\.csv:1:1: UTF-16 text; save the file as/],
];

for (const [form, content, message] of REFUSED) {
  testWriting(`DayReader refuses ${form}`, async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.csv`;
    const bytes = form === "UTF-16"
      ? Uint8Array.from(content, (character) => character.charCodeAt(0))
      : encoder.encode(content);
    Deno.writeFileSync(path, bytes);
    await assert.rejects(paymentsIn(path), { name: "DataError", message });
  });
}

testReading(
  "DayReader refuses Parquet that is not exact and says where",
  async () => {
    const refusals: [string, RegExp][] = [
      [
        "dates",
        /: TX_DATETIME is a column of dates without a time of day; write /,
      ],
      ["null", /:row 1: TX_AMOUNT .* is not a number; fix/],
      ["cents", /:row 1: TX_AMOUNT 1\.00499\d+ is not a whole number of cents/],
      ["many", /:row 2: TRANSACTION_ID 0 has come already in .*:row 1; remove/],
    ];
    for (const [name, message] of refusals) {
      const path = dataPath(`formats/refused_${name}.parquet`);
      await assert.rejects(paymentsIn(path), { name: "DataError", message });
    }
  },
);

testWriting("DayReader refuses damaged and foreign compressions", async () => {
  await using folder = temporaryFolder();
  const gzip = gzipSync(csv(same));
  const zstd = Deno.readFileSync(dataPath("formats/payments.csv.zst"));
  const flipped = zstd.slice();
  flipped[zstd.length >> 1] ^= 4;
  const large = zstd.slice();
  large[5] = 0xff;
  const refusals: [Uint8Array, RegExp][] = [
    [
      gzip.subarray(0, 500),
      /: the gzip data is damaged or cut off \(unexpected/,
    ],
    [
      gzip.with(-6, gzip[gzip.length - 6] ^ 1),
      /: the gzip data is damaged or cut off \(incorrect/,
    ],
    [
      zstd.subarray(0, 2000),
      /: the zstd data is damaged or cut off \(unexpected/,
    ],
    [flipped, /: the zstd data is damaged or cut off \(/],
    [large, /: the zstd data needs a window of \d+ bytes, more than 134217728/],
    [encoder.encode("PK\x03\x04 and so on"), /: a ZIP archive or an Excel /],
    [encoder.encode("BZh91AY and so on"), /: compressed with bzip2; save it/],
  ].map(([bytes, message]) => [
    Uint8Array.from(bytes as Iterable<number>),
    message as RegExp,
  ]);
  for (const [bytes, message] of refusals) {
    const path = `${folder.path}/t.csv`;
    Deno.writeFileSync(path, bytes);
    await assert.rejects(
      paymentsIn(path, { skipBadRows: true }),
      { name: "DataError", message },
    );
  }
});

testWriting("a gzip bomb is refused before it grows", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  Deno.writeFileSync(path, gzipSync(new Uint8Array(64 * 1024 * 1024)));
  await assert.rejects(paymentsIn(path), {
    name: "DataError",
    message: /t\.csv:1:1: line longer than 65536 bytes; /,
  });
});

testWriting("a zstd bomb is refused before it grows", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv.zst`;
  // 36,000 blocks of one byte, repeated 131,072 times each: 4.7 GB.
  const head = (1 << 1) | (131_072 << 3);
  const block = [head & 255, (head >> 8) & 255, head >> 16, 97];
  const blocks = Array.from({ length: 36_000 }, () => block).flat();
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...blocks];
  Deno.writeFileSync(path, Uint8Array.from(frame));
  await assert.rejects(paymentsIn(path), {
    name: "DataError",
    message: /t\.csv\.zst:1:1: line longer than 65536 bytes; /,
  });
});

Deno.test("a compressed Parquet page gives no more than its header says", async () => {
  const large = new Uint8Array(32 * 1024 * 1024);
  const packed: [CompressionCodec, Uint8Array][] = [
    ["GZIP", gzipSync(large)],
    ["BROTLI", brotliCompressSync(large, { params: { [QUALITY]: 1 } })],
  ];
  for (const [codec, bytes] of packed) {
    const metadata = {
      row_groups: [{ columns: [{ meta_data: { codec } }] }],
    } as unknown as FileMetaData;
    const compressors = await parquetCompressors(metadata);
    await assert.rejects(async () => {
      await checkUnpacked(codec, bytes, 1000);
      compressors[codec]?.(bytes, 1000);
    });
    await checkUnpacked(codec, bytes, large.length);
    assert.equal(
      compressors[codec]?.(bytes, large.length).length,
      large.length,
    );
  }
});

testWriting("zstd frames follow one another, with others to skip", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  const text = csv(same);
  const skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
  Deno.writeFileSync(
    path,
    Uint8Array.from([
      ...skippable,
      ...storedZstd(text.slice(0, 777)),
      ...skippable,
      ...storedZstd(text.slice(777)),
    ]),
  );
  assert.deepEqual((await paymentsIn(path)).payments, PAYMENTS);
});

/** Seed of the random changes; FRAUDSTREAM_SEED repeats a run. */
const SEED = Number(Deno.env.get("FRAUDSTREAM_SEED") ?? 1);

testWriting(
  `flipped bits in Parquet are errors of one line, or harmless (seed ${SEED})`,
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.parquet`;
    const whole = Deno.readFileSync(dataPath("formats/polars.parquet"));
    let state = SEED;
    for (let round = 0; round < 150; round++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      const bytes = whole.slice();
      bytes[state % bytes.length] ^= 1 << (state >>> 28 & 7);
      Deno.writeFileSync(path, bytes);
      try {
        await paymentsIn(path);
      } catch (error) {
        assert.ok(error instanceof Error);
        assert.equal(error.name, "DataError", `round ${round}: ${error.stack}`);
        assert.doesNotMatch(error.message, /\n/);
      }
    }
  },
);
