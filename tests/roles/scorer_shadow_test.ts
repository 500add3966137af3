/** Shadow models and shadow rules on the embedded log: they are recorded and compared, and change nothing, whatever fails or is killed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_POLICY } from "../../src/scoring/alert_policy.ts";
import { compareShadows } from "../../src/scoring/shadow_comparison.ts";
import { featureRowCells } from "../../src/features/feature_row.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { Control } from "../../src/stream/control.ts";
import { readStatus, scorerStatus } from "../../src/stream/status.ts";
import { predictionRows, sinkRows } from "../../src/stream/topic_rows.ts";
import { PREDICTION_TOPIC } from "../../src/stream/topics.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, treesModel, writeModel } from "./models.ts";
import { type OpenFolder, openProcessed, QUIET } from "./pipeline.ts";
import { replayed, valuesOf } from "./rules_replay.ts";

const PARTITIONS = 3;
const THRESHOLD = 0.4;

/** Scores all payments; every third commit fails once, after its records were appended or not. */
async function scoreKilled(
  folder: OpenFolder,
  scoring: ScoringSettings,
): Promise<void> {
  const { log } = folder;
  const commit = log.commit.bind(log);
  let commits = 0;
  log.commit = (...args) =>
    ++commits % 3 === 0 ? Promise.reject(new Error("killed")) : commit(...args);
  for (let starts = 0;; starts++) {
    assert.ok(starts < 1000, "the scorer does not come to an end");
    const context = { ...folder.context, control: new Control(log) };
    try {
      await runScorer(context, { scoring, startSeconds: undefined });
      break;
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "killed") throw error;
    }
  }
  log.commit = commit;
}

const LIVE_RULES = `version: 1
rules:
  - id: large
    when: TX_AMOUNT > 150
    then: decline
    reason: A large amount.
  - id: likely
    when: SCORE > 0.9
    then: review
    reason: A high score.
`;

const SHADOW_RULES = `${LIVE_RULES}
  - id: night
    priority: 100
    when: TX_DURING_NIGHT == 1.0
    then: approve
    reason: At night.
    state: shadow
  - id: any
    when: SCORE >= 0.0
    then: decline
    reason: Everything.
    state: shadow
`;

/** What is live in predictions: all but what shadows add, and the version of the rules, which is that of the whole file. */
function livePart(found: readonly (readonly string[])[]): string[][] {
  return found.map((values) =>
    values.map((value) =>
      value.replace(/,"SHADOW_SCORES":\{[^}]*\}/, "")
        .replace(/,"SHADOW_RULES":\[[^\]]*\]/, "")
        .replace(/("RULES_VERSION":")[^"]*/, "$1")
    )
  );
}

testWriting(
  "shadow models and rules, broken ones among them, are recorded beside the live ones and change nothing; kills and a replay give the same bytes",
  async () => {
    await using files = temporaryFolder();
    const path = (name: string) => join(files.path, name);
    writeModel(path("live.json"), linearModel());
    writeModel(path("tilted.json"), linearModel(0.5));
    writeModel(path("trees.json"), treesModel());
    // Its scores are not numbers.
    writeModel(path("odd.json"), linearModel(1e308));
    Deno.writeTextFileSync(path("broken.json"), "{");
    Deno.writeTextFileSync(path("live.yaml"), LIVE_RULES);
    Deno.writeTextFileSync(path("shadow.yaml"), SHADOW_RULES);
    const live: ScoringSettings = {
      model: { kind: "file", path: path("live.json") },
      rules: { path: path("live.yaml"), who: "anna" },
      policy: DEFAULT_POLICY,
      explain: "alerts",
    };
    const paths = ["tilted", "odd", "trees", "broken", "missing"]
      .map((name) => path(`${name}.json`));
    const scoring: ScoringSettings = {
      ...live,
      rules: { path: path("shadow.yaml"), who: "anna" },
      shadows: { paths, threshold: THRESHOLD },
    };
    await using plain = await openProcessed(PARTITIONS);
    await runScorer(plain.context, { scoring: live, startSeconds: undefined });
    await using shadowed = await openProcessed(PARTITIONS);
    const warned: string[] = [];
    const logger = { ...QUIET, warn: (text: string) => void warned.push(text) };
    const context = { ...shadowed.context, logger };
    await runScorer(context, { scoring, startSeconds: undefined });
    assert.equal(warned.length, 3, warned.join("; "));
    const found = await valuesOf(shadowed.log, PREDICTION_TOPIC);
    const expectedLive = await valuesOf(plain.log, PREDICTION_TOPIC);
    assert.deepEqual(livePart(found), livePart(expectedLive));
    assert.equal(expectedLive.flat().join().includes("SHADOW"), false);

    await using killed = await openProcessed(PARTITIONS);
    await scoreKilled(killed, scoring);
    assert.deepEqual(await valuesOf(killed.log, PREDICTION_TOPIC), found);
    assert.deepEqual(await replayed(shadowed, scoring), found);

    // The counters are what the records say.
    const said = found.flat().map((value) => JSON.parse(value));
    assert.ok(said.length > 1000);
    assert.ok(said.every(({ SHADOW_RULES }) => SHADOW_RULES.includes("any")));
    assert.ok(said.some(({ SHADOW_RULES }) => SHADOW_RULES.includes("night")));
    const versions = [linearModel(0.5).version, treesModel().version];
    const expected = versions.map((version) => {
      const alerts = said.map((one) => [
        one.SHADOW_SCORES[version] >= THRESHOLD,
        one.ALERT === 1,
      ]);
      const number = (own: boolean, live?: boolean) =>
        alerts.filter((one) =>
          one[0] === own && (live === undefined || one[1] === live)
        ).length;
      return {
        version,
        scored: said.length,
        alerts: number(true),
        gained: number(true, false),
        lost: number(false, true),
      };
    });
    assert.ok(expected.some(({ gained }) => gained > 0));
    assert.ok(expected.some(({ lost }) => lost > 0));
    for (const { log, context } of [shadowed, killed]) {
      const status = await readStatus(log, context.control);
      const { alerts, shadows } = scorerStatus(status)?.scoring ?? {};
      assert.deepEqual(shadows, expected);
      assert.equal(alerts, said.filter(({ ALERT }) => ALERT === 1).length);
    }

    // So is the comparison, which reads the log.
    const { log, context: { parameters, control } } = shadowed;
    const startSeconds = await control.startSeconds(undefined) ?? 0;
    const stream = { log, parameters, startSeconds };
    const compared = await compareShadows({
      payments: sinkRows(stream),
      predictions: predictionRows(stream),
      shape: HANDBOOK_SHAPE,
      width: featureRowCells(HANDBOOK_FEATURES, HANDBOOK_SHAPE),
      threshold: THRESHOLD,
      matureSeconds: undefined,
    });
    assert.deepEqual(
      compared.map(({ version, total }) => ({
        version,
        scored: total.payments,
        alerts: total.shadow.alerts,
        gained: total.gained,
        lost: total.lost,
      })),
      expected,
    );
    for (const { total, days } of compared) {
      assert.ok(total.frauds > 0 && total.live.auc > 0 && total.shadow.auc > 0);
      const sum = [...days.values()].reduce(
        (sum, { gained }) => sum + gained,
        0,
      );
      assert.equal(sum, total.gained);
    }
  },
);
