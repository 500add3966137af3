import assert from "node:assert/strict";
import { join } from "node:path";
import { temporaryFolder } from "../temporary_folder.ts";
import { type Outcome, runMain, testRunning } from "./program_runner.ts";

/** A new window title, an erased screen and a turned order, by two kinds of escape. */
const HOSTILE = "\x1b]0;evil\x07\x9b2J\x7f\u202e\u2067\u200b";
const SHOWN = /\\u001b\]0;evil\\u0007\\u009b2J\\u007f\\u202e\\u2067\\u200b/;

/** Everything but line breaks that a terminal would obey or hide. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Asserts that the hostile text is shown escaped, and nothing raw. */
function assertShown({ stdout, stderr }: Outcome): void {
  assert.doesNotMatch(stdout, OBEYED);
  assert.doesNotMatch(stderr, OBEYED);
  assert.match(stdout + stderr, SHOWN);
}

testRunning("texts of a registry are shown escaped", async () => {
  await using folder = temporaryFolder();
  const entry = {
    day: 1,
    action: "promoted",
    version: HOSTILE,
    champion: HOSTILE,
    reason: `${HOSTILE}\n* fake line`,
  };
  const registry = {
    format: "fraudstream-models",
    formatVersion: 1,
    champion: HOSTILE,
    decidedDay: 1,
    ended: false,
    history: [entry],
  };
  Deno.writeTextFileSync(
    join(folder.path, "registry.json"),
    JSON.stringify(registry),
  );
  const models = (...flags: string[]) =>
    runMain(["models", `--models=${folder.path}`, ...flags]);
  const table = await models();
  assertShown(table);
  assert.doesNotMatch(table.stdout, /^\* fake line/m);
  const json = await models("--json");
  assertShown(json);
  assert.deepEqual(JSON.parse(json.stdout).history, [entry]);
  assertShown(await models(`--promote=${HOSTILE}`));
  const history = [{ ...entry, action: HOSTILE }];
  Deno.writeTextFileSync(
    join(folder.path, "registry.json"),
    JSON.stringify({ ...registry, history }),
  );
  const refused = await models();
  assert.equal(refused.code, 1);
  assertShown(refused);
});

testRunning(
  "cells, names of files and flags in errors are shown escaped",
  async () => {
    await using folder = temporaryFolder();
    const header = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID," +
      "TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n";
    const csv = join(folder.path, "payments.csv");
    Deno.writeTextFileSync(csv, `${header}${HOSTILE},x,1,1,1,1,1,0,0\n`);
    const named = join(folder.path, `${HOSTILE}.csv`);
    const features = (file: string) =>
      runMain(["features", `--in=${file}`, "--out=-"]);
    const cell = await features(csv);
    assert.equal(cell.code, 1);
    assertShown(cell);
    assertShown(await features(named));
    assertShown(await runMain(["status", `--data=${named}`]));
    assertShown(
      await runMain(["status", "--log=kafka", `--topic-prefix=${HOSTILE}`]),
    );
    assertShown(await runMain(["run", `--rate=${HOSTILE}`]));
    assertShown(await runMain(["run", `--role=${HOSTILE}`]));
    assertShown(await runMain([HOSTILE]));
    assertShown(
      await features(named).then(() =>
        runMain(["--debug", "features", `--in=${named}`, "--out=-"])
      ),
    );
  },
);
