import assert from "node:assert/strict";
import { readDataFlags } from "../../src/cli/flags/data_flags.ts";
import manifest from "../../deno.json" with { type: "json" };
import { versionText } from "../../src/cli/version.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

/** Asserts that wrong use is told in one line and exits with 2. */
async function refused(args: string[], line: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runMain(args);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^fraudstream: [^\n]*\n$/);
  assert.match(stderr, line);
}

testRunning(
  "--version prints the versions, and the commit if it is known",
  async () => {
    const { code, stdout, stderr } = await runMain(["--version"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout, `${versionText()}\n`);
    assert.equal(
      stdout,
      `fraudstream ${manifest.version}\n` +
        `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}\n`,
    );
    assert.match(
      versionText("0825bf8"),
      /^fraudstream \d+\.\d+\.\d+ \(commit 0825bf8\)\n/,
    );
  },
);

testRunning(
  "--help of every command fits 80 columns and has examples",
  async () => {
    const commands = buildProgram().commands.map((command) => command.name());
    const helps = [["--help"], ...commands.map((name) => [name, "--help"])];
    for (const args of helps) {
      const { code, stdout, stderr } = await runMain(args);
      assert.deepEqual([code, stderr], [0, ""], args.join(" "));
      for (const line of stdout.split("\n")) {
        assert.ok(line.length <= 80, `${args.join(" ")}: ${line}`);
      }
      if (args.length === 2) assert.match(stdout, /\nExamples?:\n/, args[0]);
    }
  },
);

testRunning("help of a command is its --help", async () => {
  const { stdout } = await runMain(["help", "generate"]);
  assert.equal(stdout, (await runMain(["generate", "--help"])).stdout);
});

testRunning("flags without a command are those of run", async () => {
  const { code, stdout } = await runMain(["--role=producer", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: fraudstream run /);
});

testRunning("a mistyped command or flag gets a suggestion", async () => {
  await refused(["genrate"], /'genrate' \(Did you mean generate\?\)/);
  await refused(
    ["generate", "--custmers=5"],
    /'--custmers' \(Did you mean --customers\?\)/,
  );
  await refused(["features", "--windos=1"], /\(Did you mean --windows\?\)/);
  await refused(
    ["status", "--zzzzzzzz"],
    /'--zzzzzzzz'; --help lists the flags$/m,
  );
  await refused(
    ["zzzzzzzz"],
    /'zzzzzzzz'; '\.\/fraudstream help' lists the comm/,
  );
  await refused(["version"], /'version' \(Did you mean --version\?\)/);
  await refused(["help", "version"], /'version' \(Did you mean --version\?\)/);
  await refused(["runn"], /'runn' \(Did you mean run\?\)/);
  await refused(["help", "stauts"], /'stauts' \(Did you mean status\?\)/);
});

testRunning("what can't work is told with the flag's name", async () => {
  const generate = ["generate", "--out=never-made"];
  const cases: [string, RegExp][] = [
    [
      "--customers=x",
      /--customers must be a whole number from 1 to 2147483647, not 'x'/,
    ],
    ["--customers=0", /--customers must .*, not '0'/],
    ["--customers=1e3", /--customers must .*, not '1e3'/],
    ["--customers=2147483648", /--customers must .*, not '2147483648'/],
    ["--terminals=20000000", /--terminals=20000000 would not fit in memory/],
    ["--customers=10000000", /would not fit in memory/],
    ["--days=-1", /--days must be a whole number from 0 to 24855, not '-1'/],
    ["--days=0", /--days=0 \(endless\) needs --rng=seedrandom/],
    ["--seed=x", /--seed has no effect with --rng=handbook.*--rng=seedrandom/],
    ["--start=2018-02-29", /--start must be a date like 2018-04-01, /],
    ["--start=9999-12-31", /goes beyond the year 9999/],
    ["--radius=0", /--radius must be a number greater than 0 and at most 1000/],
    ["--rng=dice", /--rng must be handbook or seedrandom, not 'dice'/],
    ["--preset=big", /--preset must be handbook, small or seed, not 'big'/],
    ["--format=xml", /--format must be csv, jsonl or parquet, not 'xml'/],
  ];
  for (const [flag, line] of cases) await refused([...generate, flag], line);
  const features = ["features", "--in=x", "--out=never-made"];
  for (const windows of ["7,1", "1,1", "0", "366", "1,", "x"]) {
    await refused([...features, `--windows=${windows}`], /--windows must be /);
  }
  await refused(["run", "--state=x"], /--state has no effect without --log=k/);
  await refused([...features, "--delay=0"], /--delay must .*, not '0'/);
  await refused(["generate"], /--out is needed; for example: \.\/fraudstream /);
  await refused(["features", "--in"], /option '--in <path>' argument missing/);
  await refused(
    ["generate", "data"],
    /generate takes flags only, not data; --help lists them$/m,
  );
});

testRunning("a failure exits with 1 and hides the stack trace", async () => {
  const args = ["features", "--in=no/such", "--out=-"];
  const { code, stderr } = await runMain(args);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    "fraudstream: cannot read no/such: there is no such file or folder; " +
      "check the path\n",
  );
  const debug = await runMain([...args, "--debug"]);
  assert.equal(debug.code, 1);
  assert.match(debug.stderr, /\n +at .*day_source\.ts:\d+/);
  assert.match(debug.stderr, /\ncaused by NotFound/);
});

testRunning("nothing but reading and writing is asked for", async () => {
  await using folder = temporaryFolder();
  const out = `${folder.path}/data`;
  const { code, stderr } = await runMain(
    [
      ...["generate", `--out=${out}`, "--customers=5", "--terminals=5"],
      "--days=2",
    ],
    { permissions: [`--allow-read=${out}`, `--allow-write=${out}`] },
  );
  assert.equal(code, 0, stderr);
});

Deno.test("readDataFlags() lets explicit flags win over the preset", () => {
  const { parameters, rng, seed } = readDataFlags({
    preset: "seed",
    terminals: 7,
  });
  assert.deepEqual(
    [parameters.customers, parameters.terminals, parameters.days, rng, seed],
    [500, 7, 183, "handbook", ""],
  );
});

testRunning(
  "a command that a message shows has the flags of the stream, and runs as it is shown",
  async () => {
    await using folder = temporaryFolder();
    const data = `${folder.path}/my shop`;
    const cases: [string[], string][] = [
      [["status", `--data=${data}`], `./fraudstream run --data="${data}"`],
      [
        ["label", "x.csv", "--data", data],
        `./fraudstream run --data="${data}"`,
      ],
      // Without the flag in the command there is none in the hint.
      [["status"], "./fraudstream run"],
      // models takes --data, and none of the flags of a log.
      [["models", `--data=${data}`], "./fraudstream run --retrain=7d"],
    ];
    for (const [args, command] of cases) {
      const { stderr } = await runMain(args, { cwd: folder.path });
      assert.ok(stderr.includes(`'${command}`), `${args}: ${stderr}`);
    }
    const { stderr } = await runMain(["status", `--data=${data}`], {
      environment: { FRAUDSTREAM_COMMAND: "../fraudstream --anywhere" },
      permissions: ["--allow-read", "--allow-env=FRAUDSTREAM_COMMAND"],
    });
    assert.ok(
      stderr.includes(`'../fraudstream --anywhere run --data="${data}"'`),
      stderr,
    );
  },
);
