/** Verdicts leave a stream as a file and come into another. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const SET = ["--customers=50", "--terminals=100", "--days=3", "--radius=10"];

const FILE = `TRANSACTION_ID,LABEL,WHO,AT,NOTE,WITHDRAWN_AT,WITHDRAWN_BY
5,1,ann,2026-01-02T03:04:05Z,"a, b",,
6,0,,2026-01-02T03:04:06.5Z,,2026-01-02 04:00:00,cy
6,1,bob,,,,
`;

async function done(...args: string[]): Promise<[string, string]> {
  const { code, stdout, stderr } = await runMain(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return [stdout, stderr];
}

testRunning(
  "verdicts are exported and taken into another stream, in every format, once",
  async () => {
    await using folder = temporaryFolder();
    const streams = ["one", "other"].map((name) =>
      `--data=${join(folder.path, name)}`
    );
    const [one, other] = streams;
    for (const stream of streams) {
      await done("run", ...SET, "--rate=max", stream);
    }
    const path = join(folder.path, "in.csv");
    Deno.writeTextFileSync(path, FILE);
    const take = ["verdicts", `--in=${path}`, "--who=bank", one];
    const [, first] = await done(...take);
    assert.equal(first, "3 verdicts taken, 1 withdrawal\n");
    const [, second] = await done(...take);
    assert.equal(second, "0 verdicts taken; 3 verdicts known already\n");
    const all = ["export", "--table=verdicts", "--out=-"];
    const [text] = await done(...all, one);
    assert.match(
      text,
      /^EVENT_ID,.*\n[0-9a-f-]{36},5,1,ann,2026-01-02T03:04:05\.000Z,"a, b",,,,\n[0-9a-f-]{36},6,0,bank,2026-01-02T03:04:06\.500Z,,,2026-01-02T04:00:00\.000Z,cy,[0-9a-f-]{36}\n[0-9a-f-]{36},6,1,bob,20[^,]*Z,,,,,\n$/,
    );
    for (const [at, format] of ["parquet", "jsonl", "csv"].entries()) {
      const file = join(folder.path, `verdicts.${format}`);
      await done("export", "--table=verdicts", `--out=${file}`, one);
      const [, taken] = await done("verdicts", `--in=${file}`, other);
      assert.equal(
        taken,
        at === 0
          ? "3 verdicts taken, 1 withdrawal\n"
          : "0 verdicts taken; 3 verdicts known already\n",
      );
      assert.equal((await done(...all, other))[0], text);
    }
  },
);

testRunning(
  "a file of verdicts that cannot be used is told by its row",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    await done("run", ...SET, "--rate=max", data);
    const path = join(folder.path, "v.csv");
    const header = "TRANSACTION_ID,LABEL,WHO,AT\n";
    const cases: [string, RegExp][] = [
      [
        "x,1,ann,\n",
        /v\.csv: row 1: TRANSACTION_ID is not the id of a payment/,
      ],
      ["5,2,ann,\n", /row 1: LABEL is not 0 or 1/],
      ["5,1,ann,\n5,1,,\n", /row 2: WHO is missing \(or give --who\)/],
      ["5,1,ann,yesterday\n", /AT is not a time like 2026-11-30T03:12:45Z/],
      ["999999,1,ann,\n", /row 1: the store has no payment 999999/],
    ];
    for (const [rows, message] of cases) {
      Deno.writeTextFileSync(path, header + rows);
      const { code, stderr } = await runMain([
        "verdicts",
        `--in=${path}`,
        data,
      ]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
      assert.match(
        stderr,
        /fix the row, or leave such rows out with --skip-bad-/,
      );
    }
    const rows = cases.map(([rows]) => rows).join("");
    Deno.writeTextFileSync(path, header + rows);
    const [, told] = await done(
      "verdicts",
      `--in=${path}`,
      "--skip-bad-rows",
      data,
    );
    assert.match(told, /^1 verdict taken\nskipped 5 bad rows\n {2}.*: row 1: /);
    assert.equal((await runMain(["verdicts", data])).code, 2);
  },
);

testRunning(
  "verdicts on payments with text ids are exported and taken, in every format",
  async () => {
    await using folder = temporaryFolder();
    const [definition, raw, path] = ["yaml", "csv", "in.csv"].map((name) =>
      join(folder.path, `own.${name}`)
    );
    Deno.writeTextFileSync(definition, OWN_DEFINITION);
    Deno.writeTextFileSync(
      raw,
      `id,at,card,shop,amt\n4999999999999999999,2019-01-01 00:00:01,c,s,1\n` +
        `"a,""b""",2019-01-01 00:00:02,c,s,2\n`,
    );
    const streams = ["one", "other"].map((name) =>
      `--data=${join(folder.path, name)}`
    );
    const [one, other] = streams;
    for (const stream of streams) {
      const run = ["run", `--in=${raw}`, `--definition=${definition}`];
      await done(...run, "--role=producer,processor,writer", stream);
    }
    Deno.writeTextFileSync(
      path,
      "TRANSACTION_ID,LABEL,WHO,AT\n" +
        "4999999999999999999,1,ann,2026-01-02T03:04:05Z\n" +
        `"a,""b""",0,bob,2026-01-02T03:04:06Z\n`,
    );
    const take = ["verdicts", `--in=${path}`, one];
    assert.equal((await done(...take))[1], "2 verdicts taken\n");
    const all = ["export", "--table=verdicts", "--out=-"];
    const [text] = await done(...all, one);
    assert.match(
      text,
      /\n[0-9a-f-]{36},4999999999999999999,1,ann,.*\n[0-9a-f-]{36},"a,""b""",0,bob,.*\n$/,
    );
    for (const [at, format] of ["parquet", "jsonl", "csv"].entries()) {
      const file = join(folder.path, `verdicts.${format}`);
      await done("export", "--table=verdicts", `--out=${file}`, one);
      const [, taken] = await done("verdicts", `--in=${file}`, other);
      assert.match(taken, at === 0 ? /^2 verdicts taken/ : /^0 verdicts taken/);
      assert.equal((await done(...all, other))[0], text);
    }
  },
);

const OWN_DEFINITION = `version: 1
payment:
  TRANSACTION_ID: { from: id, type: text }
  TX_DATETIME: { from: at, format: "yyyy-MM-dd HH:mm:ss", zone: UTC }
  CUSTOMER_ID: { from: card, type: text }
  TERMINAL_ID: { from: shop, type: text }
  TX_AMOUNT: { from: amt, decimals: 2 }
labels: { from: stream, delay: 7d, grace: 1d }
`;
