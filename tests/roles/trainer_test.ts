/** The trainer on the embedded log: what it decides is a function of the log, and people can overrule it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError, ModelError } from "../../src/base/error.ts";
import { challengeDays, compare } from "../../src/learning/judge/challenge.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import {
  championAt,
  championsOf,
  changeRegistry,
  chosen,
  readRegistry,
  type Registry,
  registryPath,
  rolledBack,
} from "../../src/scoring/model_registry.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import type { RunSettings, TrainingSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import { LABEL_TOPIC } from "../../src/stream/topics.ts";
import { runTrainer } from "../../src/roles/trainer.ts";
import { PREDICTION_CELLS } from "../../src/payment/prediction.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, writeModel } from "./models.ts";
import {
  type OpenFolder,
  openMemory,
  openProcessed,
  parametersOf,
  produce,
  SET_B,
} from "./pipeline.ts";

/** The first 45 days of set B, one of its kind. */
const DATA: RunSettings["data"] = {
  ...SET_B,
  parameters: { ...SET_B.parameters, days: 45 },
};

function trainingOf(folder: string, first?: string): TrainingSettings {
  return {
    folder,
    first,
    everyDays: 7,
    trainDays: 14,
    model: { kind: "logistic-regression", settings: {} },
  };
}

/** Scorer, trainer and writer of predictions side by side, until all is done. */
async function learn(
  { context, store }: OpenFolder,
  training: TrainingSettings,
): Promise<void> {
  const own = () => ({ ...context, control: new Control(context.log) });
  await context.control.declareScored();
  await Promise.all([
    runScorer(own(), {
      scoring: {
        model: { kind: "registry", folder: training.folder, waits: true },
        policy: { kind: "cards", perDay: 100 },
        explain: "alerts",
      },
      startSeconds: undefined,
    }),
    runTrainer(own(), {
      training,
      store: store.predictions(),
      startSeconds: undefined,
    }),
    runPredictionWriter(own(), {
      store: store.predictions(),
      startSeconds: undefined,
      stored: new AbortController().signal,
    }),
  ]);
}

/** Score, alert and version of each payment. */
async function predictions({ store }: OpenFolder) {
  const found = new Map<number, [number, string]>();
  for await (const page of store.predictions().rows()) {
    for (let row = 0; row < page.count; row++) {
      const at = row * PREDICTION_CELLS;
      found.set(page.cells[at], [page.cells[at + 6], page.versions[row]]);
    }
  }
  return found;
}

/** A registry without the clock times of its entries. */
function undated(registry: Registry): Registry {
  const history = registry.history.map(({ at: _, ...entry }) => entry);
  return { ...registry, history };
}

testWriting(
  "models, decisions, metrics and scores are a function of the log, whatever its partitions",
  async () => {
    await using files = temporaryFolder();
    const [one, other] = ["one", "other"].map((name) => join(files.path, name));
    await using first = await openProcessed(1, DATA);
    await learn(first, trainingOf(one));
    await using second = await openProcessed(3, DATA);
    await learn(second, trainingOf(other));
    const registry = readRegistry(one);
    assert.deepEqual(undated(readRegistry(other)), undated(registry));
    assert.deepEqual(await predictions(second), await predictions(first));
    const [begin, ...rest] = registry.history;
    assert.equal(begin.day, 14, "7 labelled days are enough to begin with");
    assert.equal(begin.action, "promoted");
    // Day 0 is 2018-04-01; the labels of 7 days are known on day 14.
    assert.equal(begin.date, "2018-04-15");
    assert.equal(begin.trainedFrom, "2018-04-01");
    assert.equal(begin.trainedTo, "2018-04-07");
    for (const { at } of registry.history) {
      assert.equal(new Date(at ?? "").toISOString(), at);
    }
    assert.deepEqual(rest.map(({ day }) => day), [21, 28, 35, 42]);
    assert.ok(rest.some(({ action }) => action === "promoted"));
    for (const { action, metrics, championMetrics } of rest) {
      const { wins } = compare(
        metrics as Parameters<typeof compare>[0],
        championMetrics as Parameters<typeof compare>[1],
      );
      assert.equal(action, wins ? "promoted" : "kept");
    }
    // Whatever day a payment is of, the champion of that day has scored it.
    for await (const page of first.store.predictions().rows()) {
      for (let row = 0; row < page.count; row++) {
        const seconds = page.cells[row * PREDICTION_CELLS + 5];
        const day = Math.floor(seconds / 86_400);
        assert.equal(page.versions[row], championAt(registry, day));
      }
    }
    const status = await readStatus(first.log, first.context.control);
    assert.deepEqual(discrepancies(status), []);
    const unscored = status.stages[3].scoring?.unscored;
    assert.ok(unscored, "what came before the first model is counted");
    assert.equal(
      unscored + (await predictions(first)).size,
      status.stages[3].counters.read,
    );
    const metrics = await first.store.predictions().metrics();
    const days = new Set(metrics.map(({ day }) => day));
    // From the first scored day to the last whose labels are known.
    assert.deepEqual(
      [...days],
      Array.from({ length: 45 - 7 - 1 - 14 + 1 }, (_, i) => 14 + i),
    );
    for (const name of ["alert_precision", "card_precision_100", "score_psi"]) {
      assert.ok(metrics.some(({ metric }) => metric === name), name);
    }
    // Alerts of cards differ with the partitions, which share the quota.
    const withoutAlerts = ({ metric }: { metric: string }) =>
      !metric.startsWith("alert");
    assert.deepEqual(
      (await second.store.predictions().metrics()).filter(withoutAlerts),
      metrics.filter(withoutAlerts),
    );
  },
);

testWriting(
  "a trainer that starts again in the middle decides the same",
  async () => {
    await using files = temporaryFolder();
    const [whole, pieces] = ["whole", "pieces"].map((n) => join(files.path, n));
    await using folder = await openProcessed(2, DATA);
    await learn(folder, trainingOf(whole));
    const stop = new AbortController();
    const { context, store } = folder;
    const options = {
      training: trainingOf(pieces),
      store: store.predictions(),
      startSeconds: undefined,
    };
    const logger = {
      ...context.logger,
      info: (message: string, fields: Record<string, unknown> = {}) => {
        if (message === "champion stays" || fields.day === 28) stop.abort();
      },
    };
    await runTrainer({ ...context, logger, signal: stop.signal }, options);
    assert.ok(!readRegistry(pieces).ended);
    await runTrainer(context, options);
    assert.deepEqual(
      undated(readRegistry(pieces)),
      undated(readRegistry(whole)),
    );
  },
);

testWriting("verdicts of analysts count instead of the labels", async () => {
  await using files = temporaryFolder();
  await using folder = await openProcessed(1, DATA);
  const [before, after] = ["before", "after"].map((n) => join(files.path, n));
  await learn(folder, trainingOf(before));
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  const add = (value: unknown) =>
    records.add(encoder.encode("k"), encoder.encode(JSON.stringify(value)), 0);
  for (let id = 0; id < 2000; id += 2) add({ TRANSACTION_ID: id, LABEL: 1 });
  add("no verdict");
  add({ TRANSACTION_ID: -1, LABEL: 1 });
  add({ TRANSACTION_ID: 1, LABEL: 2 });
  const producer = await folder.log.producer("analyst");
  await producer.append([{ topic: LABEL_TOPIC, partition: 0, records }]);
  await learn(folder, trainingOf(after));
  const [first] = readRegistry(before).history;
  const [second] = readRegistry(after).history;
  assert.notEqual(second.version, first.version);
});

testWriting(
  "--model begins a registry and is passed over where one has begun",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openMemory(parametersOf(1));
    await produce(folder, {
      ...DATA,
      parameters: { ...DATA.parameters, days: 2 },
    });
    await runProcessor(folder.context, undefined);
    const path = join(files.path, "model.json");
    const registry = join(files.path, "models");
    const [first, second] = [linearModel(1), linearModel(2)];
    writeModel(path, first);
    await learn(folder, trainingOf(registry, path));
    assert.equal(readRegistry(registry).champion, first.version);
    assert.ok((await predictions(folder)).size > 0);
    writeModel(path, second);
    await learn(folder, trainingOf(registry, path));
    assert.equal(readRegistry(registry).champion, first.version);
  },
);

testWriting(
  "a version can be chosen, and rolled back further and further",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(1, DATA);
    const registry = join(files.path, "models");
    await learn(folder, trainingOf(registry));
    const before = readRegistry(registry);
    const champions = championsOf(before);
    assert.ok(champions.length >= 2);
    const back = await changeRegistry(registry, rolledBack);
    assert.equal(back.champion, champions.at(-2));
    assert.deepEqual(readRegistry(registry), back);
    const entry = back.history.at(-1);
    const first = before.history.find(({ version }) =>
      version === back.champion
    );
    assert.deepEqual(
      [entry?.date, entry?.trainedFrom, entry?.trainedTo],
      ["2018-05-20", first?.trainedFrom, first?.trainedTo],
    );
    assert.ok(entry?.at !== undefined && entry.at >= (first?.at ?? ""));
    assert.equal(championAt(back, 1000), champions.at(-2));
    assert.equal(championAt(back, back.decidedDay - 1), champions.at(-1));
    const kept = before.history.find(({ action }) => action === "kept");
    if (kept) {
      const now = await changeRegistry(
        registry,
        (state) => chosen(state, kept.version),
      );
      assert.equal(now.champion, kept.version);
      assert.equal(rolledBack(now).champion, champions.at(-2));
    }
    assert.throws(() => chosen(back, "nobody"), DataError);
    let state = before;
    for (const champion of champions.toReversed().slice(1)) {
      state = rolledBack(state);
      assert.equal(state.champion, champion);
    }
    assert.throws(() => rolledBack(state), DataError);
  },
);

testWriting("a damaged registry is told, not begun anew", async () => {
  await using files = temporaryFolder();
  assert.deepEqual(readRegistry(files.path).history, []);
  for (const text of ["{", "[]", '{"format":"fraudstream-models"}']) {
    Deno.writeTextFileSync(registryPath(files.path), text);
    assert.throws(() => readRegistry(files.path), ModelError);
  }
});

Deno.test("a decision uses no label younger than the delay, and judges by days that were not learned from", () => {
  const options = { delayDays: 7, trainDays: 28, hasChampion: true };
  assert.deepEqual(challengeDays(70, options), {
    trainFrom: 28,
    trainTo: 56,
    judgeTo: 63,
  });
  assert.deepEqual(challengeDays(14, { ...options, hasChampion: false }), {
    trainFrom: 0,
    trainTo: 7,
    judgeTo: 7,
  });
  assert.deepEqual(challengeDays(3, options), {
    trainFrom: 0,
    trainTo: 0,
    judgeTo: 0,
  });
});
