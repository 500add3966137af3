/** Declared features as a user has them: in files, streams and stores, and where the program is killed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { writeRawSet } from "../definition/raw_sets.ts";
import { chance, seeds } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const HANDBOOK_DECLARED = fileURLToPath(
  new URL(
    "../../examples/definitions/handbook_declared.yaml",
    import.meta.url,
  ),
);

/** Runs a command that must succeed. */
async function succeed(cwd: string, ...args: string[]) {
  const outcome = await runMain(args, { cwd });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

async function bytesOf(...path: string[]): Promise<string> {
  const bytes = await Deno.readFile(join(...path));
  return createHash("sha256").update(bytes).digest("hex");
}

testRunning(
  "the handbook's 14 features, declared one by one, are the built-in ones byte for byte",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const data = ["--customers=200", "--terminals=60", "--days=50"];
    await succeed(path, "generate", ...data, "--out=sim", "--format=csv");
    // Without a currency the built-in ones were the definition 'handbook'.
    const text = (await Deno.readTextFile(HANDBOOK_DECLARED))
      .replace(": TX_AMOUNT\n", ": { from: TX_AMOUNT, currency: USD }\n");
    const [payment] = text.split("features:\n");
    await Deno.writeTextFile(
      join(path, "built_in.yaml"),
      `${payment}features: { include: handbook }\n`,
    );
    await Deno.writeTextFile(join(path, "declared.yaml"), text);
    for (const name of ["built_in", "declared"]) {
      const definition = `--definition=${name}.yaml`;
      for (const format of ["csv", "jsonl", "parquet"]) {
        await succeed(
          path,
          ...["features", definition, "--in=sim", "--with=payment,label"],
          ...[`--out=${name}.${format}`, `--format=${format}`],
        );
      }
      await succeed(
        path,
        ...["run", definition, "--in=sim", `--data=${name}`, "--rate=max"],
        "--role=producer,processor,writer",
      );
      for (const format of ["csv", "jsonl"]) {
        await succeed(
          path,
          ...["export", `--data=${name}`, "--with=payment,label"],
          ...[`--out=${name}.stored.${format}`, `--format=${format}`],
        );
      }
    }
    for (
      const format of ["csv", "jsonl", "parquet", "stored.csv", "stored.jsonl"]
    ) {
      assert.equal(
        await bytesOf(path, `declared.${format}`),
        await bytesOf(path, `built_in.${format}`),
        format,
      );
    }
    const rows = await Deno.readTextFile(join(path, "declared.csv"));
    assert.ok(rows.split("\n").length > 3000);
  },
);

const ROWS = 20_000;
const KILLS = 4;

const DECLARED = `features:
  include: handbook
  CARD_TX_10MIN: { count: payments, by: CUSTOMER_ID, over: 10m }
  CARD_MERCHANTS_1D: { distinct: TERMINAL_ID, by: CUSTOMER_ID, over: 1d }
  CARD_GROCERY_2D:
    sum: TX_AMOUNT
    by: CUSTOMER_ID
    over: 2d
    where: "category == 'grocery_pos'"
  MERCHANT_RISK_3D: { share: TX_FRAUD, by: TERMINAL_ID, over: 3d }
  CATEGORY_MEAN: { mean: TX_AMOUNT, by: category, over: 1h, include_self: false }
  CARD_CATEGORY_MAX:
    { max: TX_AMOUNT, by: [CUSTOMER_ID, category], over: 2d, delay: 1h }
  SINCE: { seconds_since: payments, by: CUSTOMER_ID, over: 5d }
  SPEND_RATIO: { expression: "TX_AMOUNT / CARD_CATEGORY_MAX" }
  order: { expression: "SPEND_RATIO > 2 || city_pop > 100000" }
`;

testRunning(
  `declared features of a stream that is killed ${KILLS} times are those of its file, byte for byte`,
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    await writeRawSet(join(path, "raw.csv"), "sparkov", {
      rows: ROWS,
      seed: 3,
    });
    const [payment] = BUILT_IN_DEFINITIONS.sparkov.split("labels:");
    await Deno.writeTextFile(
      join(path, "stream.yaml"),
      `${payment}labels: { from: payment, delay: 2d }\n${DECLARED}`,
    );
    const definition = "--definition=stream.yaml";
    const columns = "--with=payment,label";
    for (const format of ["csv", "jsonl"]) {
      await succeed(
        path,
        ...["features", definition, "--in=raw.csv", columns],
        ...[`--format=${format}`, `--out=file.${format}`],
      );
    }
    const run = ["run", definition, "--in=raw.csv", "--data=data"];
    const roles = "--role=producer,processor,writer";
    const [seed] = seeds(1, 1);
    const random = chance(seed);
    for (let kill = 0; kill < KILLS; kill++) {
      const target = Math.floor((kill + random()) / KILLS * ROWS);
      const args = [...run, roles, "--rate=6000"];
      const child = startProgram(args, { cwd: path });
      const outcome = outcomeOf(child);
      await child.stdin.close();
      await waitFor(
        join(path, "data"),
        ({ stages }) => stages[1].counters.emitted >= target,
      );
      child.kill(random() < 0.3 ? "SIGTERM" : "SIGKILL");
      await outcome;
    }
    await succeed(path, ...run, roles, "--rate=max");
    for (const format of ["csv", "jsonl"]) {
      await succeed(
        path,
        ...["export", "--data=data", columns, `--out=stored.${format}`],
        `--format=${format}`,
      );
      const linesOf = async (name: string) =>
        (await Deno.readTextFile(join(path, `${name}.${format}`)))
          .trimEnd().split("\n").sort();
      const lines = await linesOf("file");
      assert.ok(lines.length >= ROWS);
      assert.deepEqual(await linesOf("stored"), lines);
    }
    await succeed(path, "status", "--data=data", "--verify");
    await succeed(path, "rebuild", "--data=data");
    await succeed(path, "status", "--data=data", "--verify");
  },
);
