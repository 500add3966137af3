/** `import`, as a user meets it. */
import assert from "node:assert/strict";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { writeRawSet } from "../definition/raw_sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";
import { SHOP_DEFINITION } from "./shop_definition.ts";

const RAW = [
  "id,time,card,shop,amount,is_fraud,city",
  "t2,2024-01-02 11:00:00,4111111111111111111,S2,2.50,1,Bonn",
  't1,2024-01-01 10:00:00,4111111111111111111,"S, 1",1.50,0,Bonn',
  "t2,2024-01-02 12:00:00,4111111111111111112,S2,3.50,0,Bonn",
  't4,2024-01-02 13:00:00,4111111111111111112,"S, 1",-3.50,0,Bonn',
  "t5,2024-01-02",
].join("\n");

async function prepared(folder: string, definition = SHOP_DEFINITION) {
  await Deno.writeTextFile(`${folder}/stream.yaml`, definition);
  await Deno.writeTextFile(`${folder}/raw.csv`, RAW);
  return (...flags: string[]) =>
    runMain(["import", "--definition=stream.yaml", "--in=raw.csv", ...flags], {
      cwd: folder,
    });
}

testRunning(
  "import writes day files, the definition and the rejects",
  async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    const run = await prepared(folder);
    const { code, stdout, stderr } = await run("--out=data");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(
      stdout,
      /^5 rows read, 2 payments, 1 fraud, 3 rejected\n2024-01-01 to 2024-01-02: 2 day files in data, /,
    );
    assert.match(stdout, /\nduplicate TRANSACTION_ID +1\n/);
    const text = (name: string) => Deno.readTextFile(`${folder}/data/${name}`);
    const header = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID," +
      "TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,city\n";
    assert.equal(
      await text("2024-01-01.csv"),
      header +
        't1,2024-01-01 10:00:00,4111111111111111111,"S, 1",1.5,36000,0,0,Bonn\n',
    );
    assert.equal(
      await text("2024-01-02.csv"),
      header +
        "t2,2024-01-02 11:00:00,4111111111111111111,S2,2.5,126000,1,1,Bonn\n",
    );
    assert.equal(
      await text("rejects.csv"),
      "file,line,reason,message,row\n" +
        "raw.csv,4,duplicate TRANSACTION_ID,TRANSACTION_ID t2 came before," +
        '"t2,2024-01-02 12:00:00,4111111111111111112,S2,3.50,0,Bonn"\n' +
        'raw.csv,5,negative amount,"amount ""-3.50"" is negative; ' +
        "'refunds: true' in the definition accepts refunds\"," +
        '"t4,2024-01-02 13:00:00,4111111111111111112,""S, 1"",-3.50,0,Bonn"\n' +
        "raw.csv,6,wrong number of columns,2 columns where the header has 7," +
        '"t5,2024-01-02"\n',
    );
    assert.equal(await text("definition.yaml"), SHOP_DEFINITION);
    const check = await runMain([
      "check",
      "stream.yaml",
      "--sample=raw.csv",
    ], { cwd: folder });
    const [, hash] = /SHA-256 ([0-9a-f]{64})/.exec(check.stdout) ?? [];
    const manifest = JSON.parse(await text("import.json"));
    assert.equal(manifest.definitionSha256, hash);
    assert.deepEqual(manifest.rejected, {
      "duplicate TRANSACTION_ID": 1,
      "negative amount": 1,
      "wrong number of columns": 1,
    });
    assert.deepEqual(
      [...Deno.readDirSync(`${folder}/data`)].map(({ name }) => name).sort(),
      [
        "2024-01-01.csv",
        "2024-01-02.csv",
        "definition.yaml",
        "import.json",
        "rejects.csv",
      ],
    );
    const sample = await runMain(
      ["check", "stream.yaml", "--sample=data"],
      { cwd: folder },
    );
    assert.match(sample.stdout, /\n2 rows read, 2 are payments, 0 rejected\n/);
    const copied = await runMain([
      "import",
      "--definition=data/definition.yaml",
      "--in=data",
      "--out=copy",
    ], { cwd: folder });
    assert.equal(copied.code, 0, copied.stderr);
    assert.equal(
      await Deno.readTextFile(`${folder}/copy/2024-01-02.csv`),
      await text("2024-01-02.csv"),
    );
    const foreign = await runMain([
      "import",
      "--definition=sparkov",
      "--in=data",
      "--out=foreign",
    ], { cwd: folder });
    assert.equal(foreign.code, 2);
    assert.match(foreign.stderr, /data was imported by another definition/);
    const again = await run("--out=data");
    assert.equal(again.code, 2);
    assert.match(again.stderr, /--out=data is not empty; .* with --force/);
    assert.equal((await run("--out=data", "--force")).code, 0);
  },
);

testRunning("import does not write where it reads", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const run = await prepared(folder);
  for (const out of [".", folder]) {
    const { code, stderr } = await run(`--out=${out}`, "--force");
    assert.equal(code, 2);
    assert.match(stderr, /raw\.csv is read and lies in --out=/);
  }
  assert.equal(await Deno.readTextFile(`${folder}/raw.csv`), RAW);
});

testRunning("import shows no id that has a pseudonym", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  const run = await prepared(
    folder,
    SHOP_DEFINITION.replace("card", "{ from: card, hmac: true }"),
  );
  await Deno.writeTextFile(`${folder}/key`, "k".repeat(32));
  const { code } = await run("--out=data", "--hmac-key-file=key");
  assert.equal(code, 0);
  for (const { name } of Deno.readDirSync(`${folder}/data`)) {
    const text = await Deno.readTextFile(`${folder}/data/${name}`);
    assert.doesNotMatch(text, /4111/, name);
  }
});

testRunning(
  "import reads a folder of files, and says when no row fits",
  async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    await Deno.mkdir(`${folder}/raw`);
    await writeRawSet(`${folder}/raw/fraudTrain.csv`, "sparkov", { rows: 500 });
    await writeRawSet(`${folder}/raw/fraudTest.csv`, "sparkov", {
      rows: 300,
      seed: 2,
    });
    await Deno.writeTextFile(`${folder}/raw/readme.txt`, "not read");
    const run = (definition: string, out: string) =>
      runMain([
        "import",
        `--definition=${definition}`,
        `--in=${folder}/raw`,
        `--out=${folder}/${out}`,
      ]);
    const { code, stdout } = await run("sparkov", "data");
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^800 rows read, 800 payments, \d+ frauds?, 0 rejected/,
    );
    assert.equal(
      await Deno.readTextFile(`${folder}/data/definition.yaml`),
      BUILT_IN_DEFINITIONS.sparkov,
    );
    const wrong = await run("tabformer", "wrong");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /fraudTest\.csv: no column 'Year', which the/);
    assert.deepEqual([...Deno.readDirSync(`${folder}/wrong`)], []);
    const yaml = BUILT_IN_DEFINITIONS.sparkov.replace(
      "yyyy-MM-dd",
      "dd.MM.yyyy",
    );
    await Deno.writeTextFile(`${folder}/s.yaml`, yaml);
    const none = await run(`${folder}/s.yaml`, "none");
    assert.equal(none.code, 1);
    assert.match(
      none.stderr,
      /no row is a payment; .*none\/rejects\.csv says why/,
    );
    const rejects = await Deno.readTextFile(`${folder}/none/rejects.csv`);
    assert.equal(rejects.trimEnd().split("\n").length, 801);
  },
);

testRunning("an import that is stopped is marked as unfinished", async () => {
  await using temporary = temporaryFolder();
  const folder = temporary.path;
  await Deno.writeTextFile(`${folder}/stream.yaml`, SHOP_DEFINITION);
  const child = startProgram([
    "import",
    `--definition=${folder}/stream.yaml`,
    "--in=-",
    `--out=${folder}/data`,
  ]);
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(RAW));
  const isThere = () => {
    try {
      return Deno.statSync(`${folder}/data/rejects.csv.partial`).isFile;
    } catch {
      return false;
    }
  };
  const deadline = Date.now() + 30_000;
  while (!isThere() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGINT");
  const { code, stderr } = await outcomeOf(child);
  await stdin.close().catch(() => {});
  assert.equal(code, 1);
  assert.match(
    stderr,
    /stopped by SIGINT: .*data is not complete, and is marked/,
  );
  const features = await runMain([
    "features",
    `--in=${folder}/data`,
    "--out=-",
  ]);
  assert.match(features.stderr, /'generate' or 'import' was interrupted/);
});
