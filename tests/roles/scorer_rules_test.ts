/** The scorer with rules on the embedded log: what decides changes while it runs, and a replay decides the same. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { batchHead } from "../../src/log/record_batch.ts";
import {
  type AlertPolicy,
  DEFAULT_POLICY,
} from "../../src/scoring/alert_policy.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import {
  backtestStore,
  recordedRules,
} from "../../src/scoring/backtest_store.ts";
import { DecisionRules, ruleRows } from "../../src/scoring/decision_rules.ts";
import { decisionSetting } from "../../src/scoring/decision_source.ts";
import { readRules } from "../../src/scoring/rule_file.ts";
import { refuseBadRow } from "../../src/store/stored_row.ts";
import { Control } from "../../src/stream/control.ts";
import {
  discrepancies,
  readStatus,
  scorerStatus,
} from "../../src/stream/status.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";
import { testWriting } from "../permission.ts";
import { chance, forEachSeed } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, writeModel } from "./models.ts";
import { replayed, valuesOf } from "./rules_replay.ts";
import { type OpenFolder, openProcessed, QUIET } from "./pipeline.ts";

const PARTITIONS = 3;

function scoringOf(
  folder: string,
  model: string | undefined,
  policy: AlertPolicy = DEFAULT_POLICY,
): ScoringSettings {
  return {
    model: model === undefined ? undefined : { kind: "file", path: model },
    rules: { path: join(folder, "rules.yaml"), who: "anna" },
    policy,
    explain: "alerts",
  };
}

/** Replaces a file at once, as a user should. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.part`, text);
  Deno.renameSync(`${path}.part`, path);
}

function writeRules(folder: string, limit: number, blocked: string): void {
  replace(join(folder, "cards.csv"), `value\n${blocked}\n`);
  replace(
    join(folder, "rules.yaml"),
    `version: 1
lists: { cards: cards.csv }
rules:
  - id: blocked
    priority: 10
    when: list("cards", CUSTOMER_ID)
    then: decline
    reason: The card is blocked.
  - id: large
    when: TX_AMOUNT > ${limit}
    then: review
    reason: A large amount.
  - id: night
    when: TX_DURING_NIGHT == 1.0
    then: decline
    reason: At night.
    state: shadow
`,
  );
}

/** The clock that watches of files wait for, moved on with every step. */
class SteppedClock implements Disposable {
  steps = 0;
  readonly #now = performance.now;

  constructor() {
    performance.now = () => this.#now.call(performance) + 1000 * this.steps;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}

/** Runs the scorer until the topic is scored, in steps of 50 records, `before` each step; a step for which it returns "kill" is never committed, and the scorer starts again. */
async function scoreStepwise(
  folder: OpenFolder,
  scoring: ScoringSettings,
  before: (step: number) => "kill" | undefined,
): Promise<void> {
  using clock = new SteppedClock();
  const { log } = folder;
  const consume = log.consume.bind(log);
  const commit = log.commit.bind(log);
  let killed = false;
  log.consume = (options) =>
    consume({
      ...options,
      open: async (partition, commit) => {
        const task = await options.open(partition, commit);
        return {
          committed: (step) => task.committed?.(step),
          step: (batch) => {
            killed = before(++clock.steps) === "kill" || killed;
            return task.step(batchHead(batch, 50));
          },
        };
      },
    });
  log.commit = (group, topic, steps) => {
    if (killed) return Promise.reject(new Error("killed"));
    return commit(group, topic, steps);
  };
  for (let starts = 0;; starts++) {
    assert.ok(starts < 1000, "the scorer does not come to an end");
    killed = false;
    const context = { ...folder.context, control: new Control(log) };
    try {
      await runScorer(context, { scoring, startSeconds: undefined });
      break;
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "killed") throw error;
    }
  }
  log.consume = consume;
  log.commit = commit;
}

interface Said {
  readonly TRANSACTION_ID: number;
  readonly CUSTOMER_ID: number;
  readonly TX_AMOUNT: number;
  readonly SCORE: number | null;
  readonly ALERT: number;
  readonly DECISION: string;
  readonly RULES?: string[];
  readonly SHADOW_RULES?: string[];
  readonly REASONS?: string[];
  readonly RULES_VERSION: string;
  readonly LISTS_VERSION: string;
  readonly THRESHOLD: number | null;
}

async function predictions({ log }: OpenFolder): Promise<Said[]> {
  const values = await valuesOf(log, PREDICTION_TOPIC);
  return values.flat().map((value) => JSON.parse(value));
}

testWriting(
  "rules decide without a model; predictions say what fired and by which versions, and the store has the same",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(PARTITIONS);
    writeRules(files.path, 100, "7");
    const { context, store } = folder;
    const scoring = scoringOf(files.path, undefined);
    await runScorer(context, { scoring, startSeconds: undefined });
    const found = await predictions(folder);
    assert.ok(found.length > 1000);
    for (const one of found) {
      const fired = [
        ...one.CUSTOMER_ID === 7 ? ["blocked"] : [],
        ...one.TX_AMOUNT > 100 ? ["large"] : [],
      ];
      assert.deepEqual(one.RULES ?? [], fired);
      assert.equal((one.REASONS ?? []).length, fired.length);
      assert.equal(
        one.DECISION,
        fired[0] === "blocked" ? "decline" : fired[0] ? "review" : "approve",
      );
      assert.deepEqual([one.SCORE, one.ALERT, one.THRESHOLD], [null, 0, null]);
      assert.equal(one.RULES_VERSION, context.control.decisionState.rules);
    }
    for (const decision of ["decline", "review", "approve"]) {
      assert.ok(found.some(({ DECISION }) => DECISION === decision));
    }
    assert.ok(found.some(({ SHADOW_RULES }) => SHADOW_RULES?.[0] === "night"));
    await runPredictionWriter(context, {
      store: store.predictions(),
      startSeconds: undefined,
      stored: new AbortController().signal,
    });
    let rows = 0;
    const byId = new Map(found.map((one) => [one.TRANSACTION_ID, one]));
    for await (const page of store.predictions().rows()) {
      for (let row = 0; row < page.count; row++, rows++) {
        const one = byId.get(page.cells[row * 8]);
        const decision = page.decisions[row];
        assert.equal(decision?.decision, one?.DECISION);
        assert.deepEqual(JSON.parse(decision?.rules ?? "[]"), one?.RULES ?? []);
        assert.equal(decision?.rulesVersion, one?.RULES_VERSION);
        assert.equal(decision?.listsVersion, one?.LISTS_VERSION);
      }
    }
    assert.equal(rows, found.length);
    const status = await readStatus(folder.log, context.control);
    assert.deepEqual(discrepancies(status), []);
    const of = (decision: string) =>
      found.filter(({ DECISION }) => DECISION === decision).length;
    assert.deepEqual(scorerStatus(status)?.scoring, {
      alerts: 0,
      unscored: 0,
      reviews: of("review"),
      declines: of("decline"),
    });
  },
);

testWriting(
  "without a live rule an alert is reviewed and everything else approved; the threshold is one of the versions",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(PARTITIONS);
    const model = join(files.path, "model.json");
    writeModel(model, linearModel());
    replace(join(files.path, "rules.yaml"), "version: 1\nrules: []\n");
    const scoring = scoringOf(files.path, model, {
      kind: "threshold",
      threshold: 0.4,
    });
    await runScorer(folder.context, { scoring, startSeconds: undefined });
    const found = await predictions(folder);
    for (const { SCORE, ALERT, DECISION, THRESHOLD } of found) {
      assert.equal(ALERT, Number(SCORE) >= 0.4 ? 1 : 0);
      assert.equal(DECISION, ALERT === 1 ? "review" : "approve");
      assert.equal(THRESHOLD, 0.4);
    }
    assert.ok(found.some(({ DECISION }) => DECISION === "review"));
  },
);

testWriting(
  "new rules and lists count from a batch on, broken ones are refused and change nothing, and a replay predicts the same bytes",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(PARTITIONS);
    const model = join(files.path, "model.json");
    writeModel(model, linearModel());
    writeRules(files.path, 100, "7");
    const warned: string[] = [];
    const logger = {
      ...QUIET,
      warn: (_: string, fields?: Readonly<Record<string, unknown>>) => {
        warned.push(String(fields?.error));
      },
    };
    const scoring = scoringOf(files.path, model);
    const path = join(files.path, "rules.yaml");
    const cards = join(files.path, "cards.csv");
    await scoreStepwise(
      { ...folder, context: { ...folder.context, logger } },
      scoring,
      (step) => {
        if (step === 4) writeRules(files.path, 50, "7");
        if (step === 8) replace(path, "version: 1\nrules: [");
        if (step === 12) writeRules(files.path, 50, "7,8");
        if (step === 16) writeRules(files.path, 50, "9");
        if (step === 20) replace(cards, "value\nx\n");
        if (step === 24) replace(cards, "value\n11\n");
        return undefined;
      },
    );
    assert.equal(warned.length, 3, warned.join("\n"));
    assert.match(warned[0], /rules\.yaml:2:/);
    assert.match(warned[1], /cards\.csv:2:1: the row has 2 values/);
    assert.match(warned[2], /cards\.csv:2:1: 'x' is not a number/);
    const { control } = folder.context;
    await control.refresh();
    assert.deepEqual(
      control.decisionChanges.map(({ number, who, items }) => [
        number,
        who,
        items.map(({ what }) => what).join(),
      ]),
      [
        [1, "anna", "rules,list,threshold"],
        [2, "anna", "rules"],
        [3, "anna", "list"],
        [4, "anna", "list"],
      ],
    );
    for (const [at, { items }] of control.decisionChanges.entries()) {
      for (const item of items) {
        if (at === 0) assert.equal(item.before, null);
        else assert.match(String(item.before), /^[0-9a-f]{16}$/);
      }
    }
    const found = await valuesOf(folder.log, PREDICTION_TOPIC);
    const versions = found.map((values) => [
      ...new Set(values.map((value) => {
        const { RULES_VERSION, LISTS_VERSION } = JSON.parse(value);
        return `${RULES_VERSION} ${LISTS_VERSION}`;
      })),
    ]);
    assert.ok(versions.every(({ length }) => length === 4), String(versions));
    // Which version decided from which offset on is on record.
    for (const [partition, values] of found.entries()) {
      for (const { change, from } of control.appliedChanges(partition)) {
        const { state } = control.decisionChanges[change - 1];
        assert.equal(JSON.parse(values[from]).RULES_VERSION, state.rules);
      }
    }
    assert.deepEqual(await replayed(folder, scoring), found);
    await requireNoDifference(folder);
  },
);

/** Stores everything, and evaluates again what decided: nothing may change. */
async function requireNoDifference(folder: OpenFolder): Promise<void> {
  const { context, store } = folder;
  const { control } = context;
  await runWriter(context, { store, startSeconds: undefined });
  await runPredictionWriter(context, {
    store: store.predictions(),
    startSeconds: undefined,
    stored: new AbortController().signal,
  });
  const rows = ruleRows(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
  const { rulesFor } = await recordedRules(control, rows);
  const options = {
    store,
    shape: HANDBOOK_SHAPE,
    rows,
    rulesFor,
    model: undefined,
    threshold: undefined,
    fromSeconds: -Infinity,
    untilSeconds: Infinity,
    onBadRow: refuseBadRow,
    signal: context.signal,
  };
  const { total, examples } = await backtestStore(options);
  const { rows: predicted } = await store.predictions().status();
  assert.equal(total.payments, predicted);
  assert.equal(total.changed, 0);
  assert.deepEqual(total.after, total.before);
  assert.ok(total.before.declines > 0 && total.before.reviews > 0);
  assert.deepEqual(examples, { gained: [], lost: [] });
  // By the newest rules alone there are differences, and examples of them.
  const setting = await decisionSetting(control, control.decisionState);
  const newest = new DecisionRules(setting, rows);
  const other = await backtestStore({ ...options, rulesFor: () => newest });
  const { alertsGained, alertsLost, before, after } = other.total;
  assert.ok(alertsGained > 10 && alertsLost > 0);
  assert.equal(
    before.reviews + before.declines + alertsGained - alertsLost,
    after.reviews + after.declines,
  );
  assert.equal(other.examples.gained.length, 10);
}

testWriting(
  "a scorer that is killed while the rules change predicts what a replay does, each payment once",
  async () => {
    await forEachSeed(3, 40, async (seed) => {
      const random = chance(seed);
      await using files = temporaryFolder();
      await using folder = await openProcessed(PARTITIONS);
      const model = join(files.path, "model.json");
      writeModel(model, linearModel());
      writeRules(files.path, 100, "7");
      const policy: AlertPolicy = random() < 0.5
        ? DEFAULT_POLICY
        : { kind: "payments", perDay: 9 };
      const scoring = scoringOf(files.path, model, policy);
      const { control } = folder.context;
      await scoreStepwise(folder, scoring, () => {
        const chosen = random();
        if (chosen < 0.15) {
          const limit = 20 + Math.floor(random() * 5) * 20;
          writeRules(files.path, limit, String(Math.floor(random() * 50)));
        }
        return random() < 0.1 ? "kill" : undefined;
      });
      await control.refresh();
      assert.ok(control.decisionChanges.length > 1);
      const found = await valuesOf(folder.log, PREDICTION_TOPIC);
      const ids = found.flat().map((value) => JSON.parse(value).TRANSACTION_ID);
      assert.equal(new Set(ids).size, ids.length);
      const ends = await folder.log.endOffsets(SINK_TOPIC) ?? [];
      assert.equal(ids.length, ends.reduce((sum, end) => sum + end, 0));
      assert.deepEqual(await replayed(folder, scoring), found);
    });
  },
);

testWriting(
  "a threshold that the page sets where rules decide is a change like others",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(PARTITIONS);
    const model = join(files.path, "model.json");
    writeModel(model, linearModel());
    writeRules(files.path, 100, "7");
    const scoring = scoringOf(files.path, model);
    const own = new Control(folder.log);
    let applied: Promise<void> | undefined;
    await scoreStepwise(folder, scoring, (step) => {
      if (step === 6) {
        applied = own.applyThreshold(0.1, 0, {
          clock: new Date(0),
          who: "ben",
        });
      }
      return undefined;
    });
    await applied;
    const { control } = folder.context;
    await control.refresh();
    const last = control.decisionChanges.at(-1);
    assert.deepEqual([last?.who, last?.at, last?.items], [
      "ben",
      "1970-01-01T00:00:00.000Z",
      [{ what: "threshold", before: 0.5, after: 0.1 }],
    ]);
    const found = await predictions(folder);
    const thresholds = new Set(found.map(({ THRESHOLD }) => THRESHOLD));
    assert.deepEqual([...thresholds].sort(), [0.1, 0.5]);
    for (const { SCORE, ALERT, THRESHOLD } of found) {
      assert.equal(ALERT, Number(SCORE) >= Number(THRESHOLD) ? 1 : 0);
    }
    assert.deepEqual(
      await replayed(folder, scoring),
      await valuesOf(folder.log, PREDICTION_TOPIC),
    );
  },
);

testWriting(
  "rules that come to a stream which was scored without count from there on, also in a replay",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(PARTITIONS);
    const model = join(files.path, "model.json");
    writeModel(model, linearModel());
    writeRules(files.path, 100, "7");
    const { rules, ...others } = scoringOf(files.path, model);
    let hasRules = false;
    const scoring = {
      ...others,
      get rules() {
        return hasRules ? rules : undefined;
      },
    };
    await scoreStepwise(folder, scoring, (step) => {
      if (step !== 12) return undefined;
      hasRules = true;
      return "kill";
    });
    const found = await valuesOf(folder.log, PREDICTION_TOPIC);
    for (const values of found) {
      const from = values.findIndex((value) => value.includes('"DECISION"'));
      assert.ok(from > 0 && from < values.length - 1);
      values.forEach((value, at) =>
        assert.equal(value.includes('"DECISION"'), at >= from)
      );
    }
    assert.deepEqual(await replayed(folder, scoring), found);
  },
);

/** Lets another program record a change while the last step of a scorer is in flight: nobody applies it. */
function changeInLastStep(
  { log }: OpenFolder,
  change: (control: Control) => Promise<unknown>,
): void {
  const commit = log.commit.bind(log);
  let isChanged = false;
  log.commit = async (group, topic, steps) => {
    const ends = await log.endOffsets(topic) ?? [];
    const taken = await log.committed(group, topic);
    const left = ends.reduce((sum, end, partition) => {
      const step = steps.find((step) => step.partition === partition);
      return sum + end - (step?.step.next ?? taken[partition]?.offset ?? 0);
    }, 0);
    if (left === 0 && !isChanged) {
      isChanged = true;
      await change(new Control(log));
    }
    return await commit(group, topic, steps);
  };
}

for (const hasRules of [true, false]) {
  testWriting(
    `a change that nobody has applied decides nothing again, ${
      hasRules ? "with other rules" : "without rules"
    } before it`,
    async () => {
      await using files = temporaryFolder();
      await using folder = await openProcessed(PARTITIONS);
      const model = join(files.path, "model.json");
      writeModel(model, linearModel());
      writeRules(files.path, 100, "7");
      const { rules, ...others } = scoringOf(files.path, model);
      const scoring = hasRules ? { ...others, rules } : others;
      const yaml = "version: 1\nrules: []\n";
      const { version } = readRules(yaml, "new rules");
      changeInLastStep(folder, (control) =>
        control.recordChange(
          (state) => ({ ...state, rules: version, threshold: 0.1 }),
          { who: "ben", contents: new Map([[version, yaml]]) },
        ));
      await runScorer(folder.context, { scoring, startSeconds: undefined });
      const { control } = folder.context;
      await control.refresh();
      assert.equal(control.decisionChanges.length, hasRules ? 2 : 1);
      const warned: string[] = [];
      const logger = {
        ...QUIET,
        warn: (text: string) => void warned.push(text),
      };
      const context = { ...folder.context, logger };
      assert.deepEqual(
        await replayed({ ...folder, context }, scoring),
        await valuesOf(folder.log, PREDICTION_TOPIC),
      );
      assert.equal(warned.length, PARTITIONS, warned.join("\n"));
      assert.match(warned[0], /the predictions are gone/);
    },
  );
}
