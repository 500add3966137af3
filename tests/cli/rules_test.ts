/** `run --rules`, `backtest` and `audit` as a user types them, and a scorer that is killed while the rules change. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BUILT_IN_MODEL } from "../../src/scoring/open_model.ts";
import { DEFAULT_POLICY } from "../../src/scoring/alert_policy.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { Control } from "../../src/stream/control.ts";
import { PREDICTION_TOPIC } from "../../src/stream/topics.ts";
import { chance, isLong, seeds } from "../long.ts";
import { QUIET } from "../roles/pipeline.ts";
import { replayed, valuesOf } from "../roles/rules_replay.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { statusOf } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const KILLS = isLong ? 15 : 3;
const [SEED] = seeds(1, 1);

function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.part`, text);
  Deno.renameSync(`${path}.part`, path);
}

function rulesText(limit: number): string {
  return `version: 1
lists: { cards: cards.csv }
rules:
  - id: blocked
    priority: 10
    when: list("cards", CUSTOMER_ID)
    then: decline
    reason: The card is blocked.
  - id: large
    when: TX_AMOUNT > ${limit} || SCORE > 0.9
    then: review
    reason: Large, or suspicious.
`;
}

testRunning(
  "rules decide, backtest shows what others would have, audit who changed them",
  async () => {
    await using files = temporaryFolder();
    const data = join(files.path, "shop");
    const rules = join(files.path, "rules.yaml");
    replace(rules, rulesText(100));
    replace(join(files.path, "cards.csv"), "value,expires\n1,\n5,2018-04-02\n");
    const set = ["--preset=seed", "--days=4", "--rate=max"];
    const run = ["run", ...set, `--data=${data}`];
    const bad = join(files.path, "bad.yaml");
    replace(bad, rulesText(100).replace("TX_AMOUNT", "AMOUNT"));
    const refused = await runMain([...run, `--rules=${bad}`]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^fraudstream: .*bad\.yaml:10:11: the rule large: there is no AMOUNT here; did you mean TX_AMOUNT\?\n$/,
    );
    assert.equal(await statusOf(data), undefined, "something was written");
    const first = await runMain([
      ...run,
      `--rules=${rules}`,
      "--rules-by=anna",
    ]);
    assert.equal(first.code, 0, first.stderr);
    const same = await runMain(["backtest", `--data=${data}`, "--json"]);
    assert.equal(same.code, 0, same.stderr);
    const nothing = JSON.parse(same.stdout);
    assert.equal(nothing.changed, 0);
    assert.ok(nothing.before.declines > 0 && nothing.before.reviews > 0);
    replace(join(files.path, "new.yaml"), rulesText(50));
    const tried = await runMain([
      "backtest",
      `--data=${data}`,
      `--rules=${join(files.path, "new.yaml")}`,
      "--from=2018-04-02",
      "--to=2018-04-03",
    ]);
    assert.equal(tried.code, 0, tried.stderr);
    assert.match(tried.stdout, /^By day\n/m);
    assert.match(tried.stdout, /^large +review +live /m);
    assert.match(tried.stdout, /^2018-04-02 .*\n2018-04-03 .*\n\n/m);
    assert.match(tried.stdout, /alerts gained \d+, lost 0; declines gained 0/);
    // The same as a page, and as a part of the report.
    const newRules = `--rules=${join(files.path, "new.yaml")}`;
    const page = join(files.path, "rules.html");
    const written = await runMain([
      ...["backtest", `--data=${data}`, newRules, `--out=${page}`],
    ]);
    assert.equal(written.code, 0, written.stderr);
    assert.match(Deno.readTextFileSync(page), /<h2 id="rules-h">What each/);
    const report = await runMain(["report", `--data=${data}`, newRules]);
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stdout, /^What the rules would decide; an alert is/m);
    assert.match(report.stdout, /^large +review +\d+/m);
    const unstored = await runMain(["report", newRules]);
    assert.equal(unstored.code, 2);
    assert.match(unstored.stderr, /--rules needs the decisions that a stream/);
    // Another model is judged by the threshold that was recorded.
    const model = [newRules, `--model=${BUILT_IN_MODEL}`];
    const again = await runMain(["backtest", `--data=${data}`, ...model]);
    assert.equal(again.code, 0, again.stderr);
    assert.doesNotMatch(again.stderr, /no threshold is recorded/);
    const audit = await runMain(["audit", `--data=${data}`, "--json"]);
    const { changes } = JSON.parse(audit.stdout);
    assert.equal(changes.length, 1);
    const [{ who, at, items, state }] = changes;
    assert.equal(who, "anna");
    assert.ok(Date.now() - Date.parse(at) < 600_000);
    assert.deepEqual(items.map(({ what }: { what: string }) => what), [
      "rules",
      "list",
      "threshold",
    ]);
    const shown = await runMain([
      "audit",
      `--data=${data}`,
      `--show=${state.rules}`,
    ]);
    assert.equal(shown.stdout, rulesText(100));
    const unknown = await runMain(["audit", `--data=${data}`, "--show=0123"]);
    assert.equal(unknown.code, 1);
    const exported = await runMain([
      ...["export", `--data=${data}`, "--with=prediction", "--out=-"],
    ]);
    assert.match(
      exported.stdout,
      /^.*,CONTRIBUTIONS,DECISION,RULES,SHADOW_RULES,REASONS,RULES_VERSION,LISTS_VERSION,THRESHOLD\n/,
    );
  },
);

testRunning(
  "a backtest with another model says what it takes for a quota of alerts",
  async () => {
    await using files = temporaryFolder();
    const data = `--data=${join(files.path, "shop")}`;
    const rules = join(files.path, "rules.yaml");
    replace(rules, "version: 1\nrules: []\n");
    const ran = await runMain([
      ...["run", "--preset=seed", "--days=2", "--rate=max", data],
      ...["--alert-budget=8", `--rules=${rules}`],
    ]);
    assert.equal(ran.code, 0, ran.stderr);
    const line =
      /^no threshold is recorded for [\d,]+ payments, since alerts /m;
    const tried = (...flags: string[]) =>
      runMain(["backtest", data, `--model=${BUILT_IN_MODEL}`, ...flags]);
    const assumed = await tried();
    assert.match(assumed.stderr, line);
    assert.match(
      assumed.stderr,
      /scores of 0\.5 or more by --model are alerts/,
    );
    const named = await tried("--alert-threshold=0.4");
    assert.equal(named.code, 0, named.stderr);
    assert.doesNotMatch(named.stderr, line);
  },
);

testRunning(
  `${KILLS} SIGKILLs while the rules change: predictions are those of a replay (seed ${SEED})`,
  async () => {
    await using files = temporaryFolder();
    const random = chance(SEED);
    const data = join(files.path, "shop");
    const rules = join(files.path, "rules.yaml");
    replace(rules, rulesText(100));
    replace(join(files.path, "cards.csv"), "value\n1\n");
    const args = [
      ...["run", "--preset=seed", "--days=20", "--rate=700", "--partitions=3"],
      ...[`--data=${data}`, `--rules=${rules}`],
    ];
    for (let kills = 0;; kills++) {
      const child = startProgram(args);
      await child.stdin.close();
      const ended = outcomeOf(child);
      let isOver = false;
      ended.then(() => isOver = true);
      const until = kills < KILLS ? 2 + 3 * random() : Infinity;
      let scored = 0;
      for (let seconds = 0; !isOver && seconds < until;) {
        await delay(500);
        const status = await statusOf(data);
        const now = status?.stages.find(({ name }) => name === "scorer")
          ?.counters.emitted ?? 0;
        if (now > scored) seconds += 0.5;
        scored = now;
        if (random() < 0.5) {
          replace(rules, rulesText(Math.ceil(200 * random())));
        }
      }
      if (!isOver) child.kill("SIGKILL");
      const { code, stderr } = await ended;
      if (isOver && code === 0) break;
      assert.ok(kills < KILLS, stderr);
    }
    const path = join(data, "log.db");
    await using log = new EmbeddedLog({ path, durable: false });
    const control = new Control(log);
    await control.refresh();
    const { parameters } = control;
    assert.ok(parameters);
    const found = await valuesOf(log, PREDICTION_TOPIC);
    const ids = found.flat().map((value) => JSON.parse(value).TRANSACTION_ID);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(control.decisionChanges.length > KILLS);
    const scoring = {
      model: { kind: "file", path: BUILT_IN_MODEL },
      policy: DEFAULT_POLICY,
      explain: "alerts",
    } as const;
    const { signal } = new AbortController();
    const context = { log, control, parameters, logger: QUIET, signal };
    assert.deepEqual(await replayed({ log, context }, scoring), found);
    const backtest = await runMain(["backtest", `--data=${data}`, "--json"]);
    const { changed, payments } = JSON.parse(backtest.stdout);
    assert.deepEqual([changed, payments], [0, ids.length]);
  },
);
