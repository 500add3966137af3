/** `init` and `check`, as a new user meets them. */
import assert from "node:assert/strict";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { writeRawSet } from "../definition/raw_sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";
import { SHOP_DEFINITION } from "./shop_definition.ts";

const HEADER = "id,time,card,shop,amount,is_fraud,city";
const ROWS = [
  "t1,2024-01-01 10:00:00,4111111111111111111,S1,1.50,0,Bonn",
  "t2,2024-01-01 11:00:00,4111111111111111111,S2,2.50,1,Bonn",
  "t2,2024-01-01 12:00:00,4111111111111111112,S2,3.50,0,Bonn",
  "t4,2024-01-01 13:00:00,4111111111111111112,S2,-3.50,0,Bonn",
  "t5,yesterday,4111111111111111112,S2,3.50,0,Bonn",
  "t6,2024-01-01 14:00:00",
];

testRunning("init writes a definition once", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const first = await runMain(["init", "--template=sparkov"], {
    cwd: folder,
  });
  assert.deepEqual([first.code, first.stdout], [0, ""]);
  assert.match(
    first.stderr,
    /^wrote stream\.yaml; edit it, then: \.\/fraudstr/,
  );
  const path = `${folder}/stream.yaml`;
  const text = await Deno.readTextFile(path);
  assert.equal(text, BUILT_IN_DEFINITIONS.sparkov);
  const second = await runMain(["init"], { cwd: folder });
  assert.equal(second.code, 2);
  assert.match(second.stderr, /^fraudstream: stream\.yaml exists and is not/);
  assert.equal(await Deno.readTextFile(path), text);
  const nowhere = await runMain(["init", `--out=${folder}/no/stream.yaml`]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /its folder does not exist/);
});

testRunning("init prints the schema without writing", async () => {
  const { code, stdout } = await runMain(["init", "--json-schema"], {
    permissions: ["--allow-read"],
  });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout).required, ["version", "payment"]);
});

testRunning("check shows the payments, and why rows are rejected", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  await Deno.writeTextFile(`${folder}/s.yaml`, SHOP_DEFINITION);
  await Deno.writeTextFile(`${folder}/d.csv`, [HEADER, ...ROWS].join("\n"));
  const { code, stdout, stderr } = await runMain(
    ["check", "s.yaml", "--sample=d.csv"],
    { cwd: folder, permissions: ["--allow-read"] },
  );
  assert.deepEqual([code, stderr], [0, ""]);
  const [hash, ...lines] = stdout.split("\n");
  assert.match(hash, /^s\.yaml: SHA-256 [0-9a-f]{64}$/);
  assert.deepEqual(lines, [
    "6 rows read, 2 are payments, 4 rejected",
    "from 2024-01-01 10:00:00 to 2024-01-01 11:00:00 UTC; 1 card, " +
    "2 terminals, 1 fraud",
    "",
    "TRANSACTION_ID          TX_DATETIME          CUSTOMER_ID  TERMINAL_ID" +
    "  TX_AMOUNT  TX_FRAUD",
    "t1              2024-01-01 10:00:00  4111111111111111111  S1       " +
    "         1.50         0",
    "t2              2024-01-01 11:00:00  4111111111111111111  S2       " +
    "         2.50         1",
    "",
    "kept in the log too, unnamed: city",
    "",
    "rejected                  rows  first",
    "duplicate TRANSACTION_ID     1  d.csv:4: TRANSACTION_ID t2 came before",
    'negative amount              1  d.csv:5: amount "-3.50" is negative; ' +
    "'refunds: true' in the definition accepts refunds",
    'invalid time                 1  d.csv:6: time "yesterday" is not an ' +
    "ISO 8601 date and time such as 2024-01-31 09:30:00",
    "wrong number of columns      1  d.csv:7: 2 columns where the header " +
    "has 7",
    "",
  ]);
});

testRunning(
  "check predicts the memory of data in order, and says what is not in order",
  async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    for (const name of ["sparkov", "tabformer"] as const) {
      const path = `${folder}/${name}.csv`;
      await writeRawSet(path, name, { rows: 2000, cards: 40, seed: 3 });
    }
    const check = async (name: string, definition = name) => {
      const sample = `--sample=${folder}/${name}.csv`;
      const { code, stdout } = await runMain(["check", definition, sample]);
      assert.equal(code, 0);
      return stdout;
    };
    const sorted = await check("sparkov");
    assert.match(sorted, /\nledger +2 .* 46\.0 .*\ncard windows +30 /);
    assert.match(sorted, /\nterminal windows +44 .*\n\(the processor's/);
    assert.doesNotMatch(sorted, /not in order/);
    const late = `${folder}/late.yaml`;
    const labels = "labels: { from: stream, delay: 7d, grace: 1d }";
    const text = BUILT_IN_DEFINITIONS.sparkov.replace(/^labels: .*$/m, labels);
    await Deno.writeTextFile(late, text);
    const labelled = await check("sparkov", late);
    assert.match(labelled, /in the sample, and labels as in the sample; texts/);
    const bytesOf = (result: string) =>
      Number(/\nterminal windows .* ([\d.]+) +[\d.]+\n/.exec(result)?.[1]);
    assert.ok(bytesOf(labelled) > bytesOf(sorted) + 40, labelled);
    const byCard = await check("tabformer");
    assert.match(
      byCard,
      /\nnot in order of time: [\d,]+ payments are more than 1h older than one before; '\.\/fraudstream import' sorts/,
    );
    assert.doesNotMatch(byCard, /ledger/);
  },
);

const DEVICES = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  keep: { device: text, category: text }
features:
  DEVICE_TX: { count: payments, by: device, over: 1d }
  CATEGORY_TX: { count: payments, by: [CUSTOMER_ID, category], over: 1d }
`;

testRunning(
  "check names keys of features that most payments lack",
  async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    await Deno.writeTextFile(
      `${folder}/s.yaml`,
      DEVICES,
    );
    const rows = [
      "id,time,card,shop,amount,device,category",
      "a,2024-01-01 10:00:00,c,s,1.00,,food",
      "b,2024-01-01 10:00:01,c,s,1.00,,food",
      "c,2024-01-01 10:00:02,c,s,1.00,phone,",
    ];
    const stdin = new TextEncoder().encode(rows.join("\n"));
    const { code, stdout } = await runMain(
      ["check", `${folder}/s.yaml`, "--sample=-"],
      { stdin },
    );
    assert.equal(code, 0);
    const line =
      /s\.yaml:10:37: DEVICE_TX: device has no value in 2 of 3 payments, which features of that key do not count; choose another key\n/;
    assert.match(stdout, line);
    // The same where their features are computed.
    const computed = await runMain(
      ["features", `--definition=${folder}/s.yaml`, "--in=-", "--out=-"].concat(
        ["--input-format=csv", "--format=csv"],
      ),
      { stdin },
    );
    assert.equal(computed.code, 0, computed.stderr);
    assert.match(computed.stderr, line);
    assert.doesNotMatch(stdout, /category has no value/);
  },
);

testRunning("check takes the key of pseudonyms, and shows them", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const text = SHOP_DEFINITION.replace("card", "{ from: card, hmac: true }");
  await Deno.writeTextFile(`${folder}/s.yaml`, text);
  await Deno.writeTextFile(`${folder}/key`, "k".repeat(32));
  await Deno.writeTextFile(`${folder}/short`, "k".repeat(31));
  const check = async (...flags: string[]) =>
    await runMain(["check", `${folder}/s.yaml`, "--sample=-", ...flags], {
      stdin: new TextEncoder().encode([HEADER, ...ROWS].join("\n")),
    });
  const good = await check(`--hmac-key-file=${folder}/key`);
  assert.equal(good.code, 0);
  assert.doesNotMatch(good.stdout, /4111/);
  const none = await check();
  assert.equal(none.code, 2);
  assert.match(none.stderr, /name the file .* with --hmac-key-file/);
  const short = await check(`--hmac-key-file=${folder}/short`);
  assert.equal(short.code, 2);
  assert.match(short.stderr, /has 31 bytes and needs at least 32/);
});

testRunning("check says what is odd behind the first rows", async () => {
  await using temporary = temporaryFolder();
  const path = `${temporary.path}/the data.csv`;
  // Days above 12 and refunds begin behind the first 3,000 rows.
  const rows = Array.from({ length: 4000 }, (_, row) => {
    const day = String(1 + Math.floor(row / 200)).padStart(2, "0");
    const amount = row === 3999 ? "-2,50" : "12,50";
    return `o-${row};${day}/01/2024 10:00;c${row % 7};s${row % 3};${amount}`;
  });
  const header = "order_no;ordered_at;shopper;shop;amount";
  await Deno.writeTextFile(path, [header, ...rows].join("\n"));
  const { code, stdout, stderr } = await runMain(["check", `--sample=${path}`]);
  assert.equal(code, 0);
  assert.match(stdout, /from: ordered_at, format: "dd\/MM\/yyyy HH:mm"/);
  assert.doesNotMatch(stdout, /day or month first/);
  assert.match(stderr, /^of the first 4,000 rows, 3,999 are payments by /);
  assert.match(
    stderr,
    /\nnegative amount +1 .*data\.csv:4001: .*'refunds: true'.*\n/,
  );
  assert.ok(
    stderr.endsWith(
      `\nSave it, check every line, then: ./fraudstream check stream.yaml ` +
        `--sample="${path}"\n`,
    ),
    stderr,
  );
});

testRunning("check suggests a definition that maps the data", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/d.csv`;
  await Deno.writeTextFile(path, [HEADER, ...ROWS.slice(0, 2)].join("\n"));
  const { code, stdout, stderr } = await runMain([
    "check",
    `--sample=${path}`,
  ]);
  assert.equal(code, 0);
  assert.match(stderr, /^of the first 2 rows, 2 are payments by this sugg/);
  readDefinition(stdout, "suggestion");
  await Deno.writeTextFile(`${folder}/s.yaml`, stdout);
  const checked = await runMain([
    "check",
    `${folder}/s.yaml`,
    `--sample=${path}`,
  ]);
  assert.equal(checked.code, 0);
  assert.match(checked.stdout, /\n2 rows read, 2 are payments, 0 rejected\n/);
});

testRunning("check refuses what cannot work, in one line", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/d.csv`;
  await Deno.writeTextFile(path, [HEADER, ...ROWS].join("\n"));
  await Deno.writeTextFile(`${folder}/s.yaml`, "version: 1\npayments: {}\n");
  await Deno.writeTextFile(
    `${folder}/ulb.csv`,
    "Time,V1,V28,Amount,Class\n" +
      "0,1,2,3,0\n",
  );
  const sample = `--sample=${path}`;
  const cases: [string[], number, RegExp][] = [
    [[], 2, /--sample is needed; for example/],
    [
      [`${folder}/s.yaml`, sample],
      2,
      /s\.yaml:2:1: the definition has no key/,
    ],
    [
      ["a", "b", sample],
      2,
      /check takes one word and flags, not a, b; --help/,
    ],
    [["sparkov", sample], 1, /no column 'trans_num', which the definition/],
    [["handbook", sample, "--hmac-key-file=x"], 2, /has no effect: no id is/],
    [[sample, "--hmac-key-file=x"], 2, /has no effect without a definition/],
    [["--sample=-"], 2, /reads the data twice/],
    [["--sample=/no/file"], 1, /no such file/],
    [[`--sample=${folder}/ulb.csv`], 1, /ULB credit card data set/],
    [[sample, "--rows=0"], 2, /--rows must be a whole number/],
  ];
  for (const [flags, code, line] of cases) {
    const outcome = await runMain(["check", ...flags]);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, line);
    assert.equal(outcome.stdout, "");
    assert.equal(outcome.stderr.trimEnd().split("\n").length, 1);
  }
});

for (const name of ["sparkov", "tabformer"] as const) {
  testRunning(`check ${name} takes a file like the public one`, async () => {
    await using temporary = temporaryFolder();
    const path = `${temporary.path}/raw.csv`;
    await writeRawSet(path, name, { rows: 20_000 });
    const { code, stdout, stderr } = await runMain(
      ["check", name, `--sample=${path}`],
      { permissions: ["--allow-read"] },
    );
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /\n20,000 rows read, 20,000 are payments, 0 rejected/);
    assert.match(stdout, /; \d+ cards, [\d,]+ terminals, \d+ frauds\n/);
  });
}
