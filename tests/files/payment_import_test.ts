/** The import of other people's payments, against what the rows themselves say. */
import assert from "node:assert/strict";
import {
  emptyMappedPayment,
  type MappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import type { RawValue } from "../../src/definition/rejection.ts";
import {
  definitionHash,
  type StreamDefinition,
} from "../../src/definition/stream_definition.ts";
import { splitRecord } from "../../src/files/csv_records.ts";
import { writeDay } from "../../src/files/data_set.ts";
import {
  IMPORT_FORMAT,
  IMPORT_VERSION,
  readingDefinition,
} from "../../src/files/import_folder.ts";
import {
  type ImportChoice,
  type ImportOutcome,
  importPayments,
} from "../../src/files/payment_import.ts";
import { findRawSources } from "../../src/files/raw_sources.ts";
import { rawRows } from "../../src/files/raw_rows.ts";
import { TABLE_FORMATS } from "../../src/files/table_encoder.ts";
import { formatDate } from "../../src/payment/calendar.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { openSimulation } from "../../src/simulator/simulation.ts";
import { rawSet } from "../definition/raw_sets.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const { signal } = new AbortController();

/** Imports some text, sorted in little memory. */
async function imported(
  folder: string,
  text: string,
  definition: string,
  options: Partial<ImportChoice> = {},
): Promise<ImportOutcome> {
  await Deno.writeTextFile(`${folder}/raw.csv`, text);
  await Deno.mkdir(`${folder}/out`, { recursive: true });
  return await importPayments({
    sources: await findRawSources(`${folder}/raw.csv`, undefined),
    definition: readDefinition(definition, "test"),
    hmacKey: undefined,
    folder: `${folder}/out`,
    format: "csv",
    startSeconds: undefined,
    memoryBytes: 20_000,
    signal,
    ...options,
  });
}

/** The values of all rows of the day files, in order. */
async function valuesOf(
  folder: string,
  outcome: ImportOutcome,
  columns: readonly string[] = outcome.columns,
): Promise<RawValue[][]> {
  const all: RawValue[][] = [];
  for (const { name, payments } of outcome.files) {
    const before = all.length;
    const [source] = await findRawSources(`${folder}/out/${name}`, undefined);
    for await (const batch of rawRows(source, { name, signal })) {
      for (let row = 0; row < batch.length; row++) {
        const values: RawValue[] = [];
        assert.equal(batch.values(row, columns, values), undefined);
        all.push(values);
      }
    }
    assert.equal(all.length - before, payments, name);
  }
  return all;
}

testWriting(
  "import writes the handbook's payments as generate does",
  async () => {
    const simulation = openSimulation({
      rng: "seedrandom",
      seed: "import",
      parameters: {
        customers: 60,
        terminals: 40,
        days: 5,
        startSeconds: Date.UTC(2018, 3, 1) / 1000,
        radius: 20,
      },
    });
    const { startSeconds } = simulation;
    for (const format of ["csv", "jsonl"] as const) {
      await using temporary = temporaryFolder();
      const folder = temporary.path;
      await Deno.mkdir(`${folder}/expected`);
      let rows = 0;
      for (let day = 0; day < 5; day++) {
        const table = simulation.day(day, rows);
        rows += table.length;
        const date = formatDate(startSeconds + day * DAY_SECONDS);
        for (const form of new Set([format, "csv"] as const)) {
          await writeDay(
            `${folder}/expected`,
            date,
            form,
            table,
            startSeconds,
          );
        }
      }
      const days = await Promise.all(
        Array.from({ length: 5 }, (_, day) => {
          const date = formatDate(startSeconds + day * DAY_SECONDS);
          return Deno.readTextFile(`${folder}/expected/${date}.csv`);
        }),
      );
      const [header] = days[0].split("\n");
      const lines = days.flatMap((text) => text.trimEnd().split("\n").slice(1));
      const text = [header, ...shuffledSeconds(lines)].join("\n");
      const outcome = await imported(
        folder,
        text,
        BUILT_IN_DEFINITIONS.handbook,
        { format },
      );
      assert.deepEqual([outcome.payments, outcome.rows], [rows, rows]);
      assert.equal(outcome.files.length, 5);
      for (const { name } of outcome.files) {
        assert.equal(
          await Deno.readTextFile(`${folder}/out/${name}`),
          wholeCents(await Deno.readTextFile(`${folder}/expected/${name}`)),
        );
      }
    }
  },
);

/** Amounts such as 493.40000000000003, which the handbook multiplied as doubles, are cents after an import. */
function wholeCents(text: string): string {
  return text.replace(
    /\d+\.\d{10,}/g,
    (amount) => String(Number(Number(amount).toFixed(2))),
  );
}

/** Lines in random order, except that those of the same second stay in theirs. */
function shuffledSeconds(lines: readonly string[]): string[] {
  const random = chance(5);
  const keys = new Map<string, number>();
  return lines.map((line) => {
    const [, second] = line.split(",");
    const key = keys.get(second) ?? random();
    keys.set(second, key);
    return { line, key };
  }).sort((a, b) => a.key - b.key).map(({ line }) => line);
}

testWriting(
  "import sorts by time and keeps the order of ties, in each format",
  async () => {
    const text = [...rawSet("tabformer", { rows: 700, seed: 2 })].join("");
    const [header, ...lines] = text.trimEnd().split("\n");
    const columns = header.split(",");
    const expected = lines.map((line, row) => {
      const cells = splitRecord(line, ",") ?? [];
      const cell = (name: string) => cells[columns.indexOf(name)];
      const [hour, minute] = cell("Time").split(":").map(Number);
      const [year, month, day] = ["Year", "Month", "Day"].map((name) =>
        Number(cell(name))
      );
      const time = Date.UTC(year, month - 1, day, hour, minute) / 1000;
      const values = [
        String(row + 1),
        String(time),
        `${cell("User")}-${cell("Card")}`,
        cell("Merchant Name"),
        String(Number(cell("Amount").replace("$", ""))),
        cell("Is Fraud?") === "Yes" ? "1" : "0",
        cell("Errors?"),
        cell("MCC"),
        cell("Use Chip"),
        cell("Merchant City"),
      ];
      return { time, values };
    }).sort((a, b) => a.time - b.time).map(({ values }) => values);
    for (const format of TABLE_FORMATS) {
      await using temporary = temporaryFolder();
      const folder = temporary.path;
      const outcome = await imported(
        folder,
        text,
        BUILT_IN_DEFINITIONS.tabformer,
        { format },
      );
      assert.deepEqual([...outcome.rejected], []);
      const found = await valuesOf(folder, outcome, [
        ...["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID"],
        ...["TX_AMOUNT", "TX_FRAUD", "errors", "mcc", "use_chip"],
        "Merchant City",
      ]);
      const shown = found.map((values) =>
        values.map((value, at) =>
          at === 1
            ? String(secondsOf(value))
            : value === null || value === undefined
            ? ""
            : String(value)
        )
      );
      assert.deepEqual(shown, expected, format);
    }
  },
);

function secondsOf(value: RawValue): number {
  return (value instanceof Date
    ? value.getTime()
    : Date.parse(`${String(value).replace(" ", "T")}Z`)) / 1000;
}

const SMALL = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: { from: time, format: epoch-s }
  CUSTOMER_ID: card
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: amount
labels: { from: stream, delay: 7d }
`;

testWriting("import keeps each row, as a payment or as a reject", async () => {
  await forEachSeed(15, 500, async (seed) => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    const random = chance(seed);
    const below = (count: number) => Math.floor(random() * count);
    const seen = new Set<string>();
    const payments: { time: number; id: string; note: string }[] = [];
    const rejects: string[] = [];
    const lines = Array.from({ length: below(400) + 1 }, (_, row) => {
      const id = `p${below(300)}`;
      const time = 1_700_000_000 + below(4) * 70_000 + below(3);
      const wrong = below(8) === 0;
      const note = `"a ""${row}"", ${"é".repeat(below(300))}"`;
      const line = `${id},${time},c,${wrong ? "x" : below(9)},1.50,${note}`;
      if (wrong || seen.has(id)) {
        const reason = wrong ? "wrong type" : "duplicate TRANSACTION_ID";
        rejects.push(`${row + 2}|${reason}|${line}`);
      } else {
        seen.add(id);
        const [, text] = splitRecord(`,${note}`, ",") ?? [];
        payments.push({ time, id, note: text });
      }
      return line;
    });
    if (payments.length === 0) return;
    const text = ["id,time,card,shop,amount,note", ...lines].join("\n");
    const outcome = await imported(folder, text, SMALL, {
      memoryBytes: 200 + below(20_000),
    });
    const found = await valuesOf(folder, outcome, ["TRANSACTION_ID", "note"]);
    assert.deepEqual(
      found,
      payments.toSorted((a, b) => a.time - b.time)
        .map(({ id, note }) => [id, note]),
    );
    const path = `${folder}/out/rejects.csv`;
    const [source] = await findRawSources(path, undefined);
    const shown: string[] = [];
    for await (const batch of rawRows(source, { name: path, signal })) {
      const values: RawValue[] = [];
      for (let row = 0; row < batch.length; row++) {
        batch.values(row, ["line", "reason", "row"], values);
        shown.push(values.join("|"));
      }
    }
    assert.deepEqual(shown, rejects);
    assert.equal(outcome.rows, payments.length + rejects.length);
  });
});

/** The payments of some files, as a stream takes them. */
async function mapped(
  path: string,
  definition: StreamDefinition,
): Promise<MappedPayment[]> {
  const mapper = new PaymentMapper(definition, new Uint8Array(32));
  const payments: MappedPayment[] = [];
  const values: RawValue[] = [];
  for (const source of await findRawSources(path, undefined)) {
    for await (const batch of rawRows(source, { name: path, signal })) {
      for (let row = 0; row < batch.length; row++) {
        const into = emptyMappedPayment();
        const wrong = batch.values(row, mapper.fields, values) ??
          mapper.map(values, payments.length + 1, into);
        assert.equal(wrong, undefined);
        payments.push(into);
      }
    }
  }
  return payments;
}

testWriting(
  "day files of an import are read by its definition as the raw file is",
  async () => {
    const { sparkov, tabformer } = BUILT_IN_DEFINITIONS;
    const cases = [
      ["sparkov", sparkov],
      [
        "sparkov",
        sparkov.replace(": cc_num", ": { from: cc_num, hmac: true }"),
      ],
      [
        "sparkov",
        sparkov.replace(
          "city_pop: number",
          "born: { from: dob, type: time, format: yyyy-MM-dd }\n" +
            "    was_fraud: { from: is_fraud, type: flag }",
        ).replace(", dob", ""),
      ],
      ["tabformer", tabformer],
    ] as const;
    for (const [set, yaml] of cases) {
      const rows = set === "tabformer" ? 40 : 600;
      const text = [...rawSet(set, { rows, cards: 20 })].join("");
      const definition = readDefinition(yaml, "test");
      for (const format of TABLE_FORMATS) {
        await using temporary = temporaryFolder();
        const folder = temporary.path;
        const outcome = await imported(folder, text, yaml, {
          format,
          hmacKey: new Uint8Array(32),
        });
        await Deno.writeTextFile(
          `${folder}/out/import.json`,
          JSON.stringify({
            format: IMPORT_FORMAT,
            formatVersion: IMPORT_VERSION,
            definitionSha256: definitionHash(definition),
          }),
        );
        const expected = (await mapped(`${folder}/raw.csv`, definition))
          .sort((a, b) => a.datetimeSeconds - b.datetimeSeconds);
        const reading = readingDefinition(`${folder}/out`, definition);
        assert.deepEqual(await mapped(`${folder}/out`, reading), expected);
        const [{ name, payments }] = outcome.files;
        assert.equal(
          (await mapped(
            `${folder}/out/${name}`,
            readingDefinition(`${folder}/out/${name}`, definition),
          )).length,
          payments,
        );
        assert.equal(
          readingDefinition(`${folder}/raw.csv`, definition),
          definition,
        );
        const other = readDefinition(BUILT_IN_DEFINITIONS.handbook, "test");
        assert.throws(
          () => readingDefinition(`${folder}/out`, other),
          /out was imported by another definition, with the SHA-256 /,
        );
      }
    }
  },
);

testWriting("import keeps the digits of fields without a name", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const row = (id: number, more: string) =>
    `{"id":"${id}","time":${
      1_700_000_000 + id
    },"card":"c","shop":1,"amount":2${more}}`;
  const text = [
    row(2, ',"big":12345678901234567890,"list":[1,"a"]'),
    row(1, ',"name":"x","gone":null'),
  ].join("\n");
  for (const format of TABLE_FORMATS) {
    const outcome = await imported(folder, text, SMALL, {
      format,
      sources: [{ path: `${folder}/raw.csv`, name: "raw", format: "jsonl" }],
    });
    assert.deepEqual(outcome.columns.slice(7), ["big", "list", "name", "gone"]);
    const found = await valuesOf(folder, outcome, ["big", "list", "name"]);
    const [first, second] = found.map((values) =>
      values.map((value) =>
        value === null || value === ""
          ? "-"
          : typeof value === "object"
          ? JSON.stringify(value)
          : String(value)
      )
    );
    assert.deepEqual(first, ["-", "-", "x"], format);
    assert.deepEqual(second, ["12345678901234567890", '[1,"a"]', "-"], format);
  }
});

testWriting("import says which times are too far apart", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const text = "id,time,card,shop,amount\n" +
    "a,1700000000,c,1,1\nb,-700000000,c,1,1\n";
  await assert.rejects(
    imported(folder, text, SMALL),
    /from 1947-10-27 \d\d:\d\d:\d\d \(.*raw\.csv:3\) to 2023-11-14 .*raw\.csv:2/,
  );
  const outcome = await imported(folder, text, SMALL, {
    startSeconds: Date.UTC(2023, 10, 1) / 1000,
  });
  assert.deepEqual([...outcome.rejected], [["out of range", 1]]);
  assert.deepEqual(
    await valuesOf(folder, outcome, ["TRANSACTION_ID", "TX_TIME_DAYS"]),
    [["a", "13"]],
  );
});
