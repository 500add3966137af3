/**
 * What the trainer and the monitor make of labels that arrive late: it is a
 * function of the log, compared with the plain rule, and no label is used before
 * it was known. Trainers that use one too early do not pass.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { TrainingWindow } from "../../src/learning/data/training_window.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import type { Log } from "../../src/log/log.ts";
import { batchHead, emptyBatch } from "../../src/log/record_batch.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import {
  PREDICTION_CELL,
  PREDICTION_CELLS,
} from "../../src/payment/prediction.ts";
import type { TrainingSettings } from "../../src/roles/role.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { runTrainer } from "../../src/roles/trainer.ts";
import {
  openVersion,
  readRegistry,
  type Registry,
} from "../../src/scoring/model_registry.ts";
import type { ModelMetric } from "../../src/store/tables.ts";
import { Control, labelDays } from "../../src/stream/control.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { CONTROL_TOPIC, PREDICTION_TOPIC } from "../../src/stream/topics.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  type Accepted,
  accepted,
  knownPayments,
  type LateStream,
  numberStream,
  publish,
  textStream,
  trainingOf,
} from "./late_training.ts";
import { type OpenFolder, openMemory } from "./pipeline.ts";
import { sinkRows } from "./stages.ts";

const EVERY_DAYS = 4;
const TRAIN_DAYS = 6;
const JUDGED_DAYS = 7;
const OPEN_DAYS = TRAIN_DAYS + JUDGED_DAYS;

function trainingIn(folder: string): TrainingSettings {
  return {
    folder,
    first: undefined,
    everyDays: EVERY_DAYS,
    trainDays: TRAIN_DAYS,
    model: { kind: "logistic-regression", settings: {} },
  };
}

/** A stream whose payments are published and processed. */
async function processed(stream: LateStream): Promise<OpenFolder> {
  const folder = await openMemory(stream.parameters);
  await publish(folder.log, stream, Infinity, async () => {});
  await runProcessor(folder.context, undefined);
  return folder;
}

/** The same while it is learned from, little by little. */
async function learnedLive(
  stream: LateStream,
  registry: string,
): Promise<OpenFolder> {
  const folder = await openMemory(stream.parameters);
  const { log, context } = folder;
  const random = chance(stream.seed);
  const pause = async () => {
    const ms = random() < 0.5 ? 0 : 20 * random();
    await new Promise((resolve) => setTimeout(resolve, ms));
  };
  await Promise.all([
    publish(log, stream, 100, pause),
    runProcessor({ ...context, control: new Control(log) }, undefined),
    learn(folder, registry),
  ]);
  return folder;
}

/** Scores and trains side by side until all is done. */
async function learn(
  { context, store }: OpenFolder,
  registry: string,
): Promise<void> {
  const own = () => ({ ...context, control: new Control(context.log) });
  const predictions = store.predictions();
  await context.control.declareScored();
  await Promise.all([
    runScorer(own(), {
      scoring: {
        model: { kind: "registry", folder: registry, waits: true },
        policy: { kind: "cards", perDay: 10 },
        explain: "alerts",
      },
      startSeconds: undefined,
    }),
    runTrainer(own(), {
      training: trainingIn(registry),
      store: predictions,
      startSeconds: undefined,
    }),
    runPredictionWriter(own(), {
      store: predictions,
      startSeconds: undefined,
      stored: new AbortController().signal,
    }),
  ]);
}

/** A registry without what belongs to the clock and to one run. */
function undated({ openDay: _, ...registry }: Registry) {
  const history = registry.history.map(({ at: _, ...entry }) => entry);
  return { ...registry, history };
}

interface Scored {
  readonly id: number | string;
  readonly day: number;
  readonly version: string;
  readonly score: number;
  readonly alert: number;
}

/** All predictions of a store. */
async function predictionsOf({ store, context }: OpenFolder) {
  const isText = shapeOfStream(context.parameters).transactionId === "text";
  const found: Scored[] = [];
  for await (const page of store.predictions().rows()) {
    for (let row = 0; row < page.count; row++) {
      const cell = (place: keyof typeof PREDICTION_CELL) =>
        page.cells[row * PREDICTION_CELLS + PREDICTION_CELL[place]];
      found.push({
        id: isText ? page.texts.text(cell("id")) ?? "" : cell("id"),
        day: Math.floor(cell("time") / DAY_SECONDS),
        version: page.versions[row],
        score: cell("score"),
        alert: cell("alert"),
      });
    }
  }
  return found;
}

/** Asserts that every decision was made with the labels that were known by then. */
function checkDecisions(
  folder: string,
  data: Accepted,
  { history }: Registry,
): void {
  const mature = labelDays(data.parameters);
  for (const [index, { day, version }] of history.entries()) {
    // What is learned from ends where the labels of all payments are known.
    const to = day - mature - (index === 0 ? 0 : JUDGED_DAYS);
    const from = Math.max(0, to - TRAIN_DAYS);
    const expected = trainingOf(data, { from, to }, day * DAY_SECONDS);
    const training = openVersion(folder, version).trained?.training;
    assert.deepEqual(
      {
        rows: training?.rows,
        frauds: training?.frauds,
        fingerprint: training?.fingerprint,
      },
      expected,
      `day ${day}`,
    );
  }
}

/** The metrics that the plain rule gives for each scored day whose labels are known. */
function expectedMetrics(data: Accepted, scored: readonly Scored[]) {
  const mature = labelDays(data.parameters);
  const end = (Math.max(...scored.map(({ day }) => day)) + 1) * DAY_SECONDS;
  const found: ModelMetric[] = [];
  const versions = Map.groupBy(scored, (s) => `${s.day} ${s.version}`);
  for (const all of versions.values()) {
    const [{ day, version }] = all;
    const known = (day + 1 + mature) * DAY_SECONDS;
    if (known > end) continue;
    const asOf = Math.min(end, known + OPEN_DAYS * DAY_SECONDS);
    const rows = knownPayments(data, { from: day, to: day + 1 }, asOf);
    const labels = new Map(rows.map(({ id, fraud }) => [id, fraud]));
    const pairs = all.map(({ id, score, alert }) => {
      return { score, alert, fraud: labels.get(id) ?? NaN };
    });
    const put = (metric: string, value: number) => {
      if (!Number.isNaN(value)) found.push({ day, version, metric, value });
    };
    const frauds = pairs.filter(({ fraud }) => fraud === 1);
    const genuine = pairs.filter(({ fraud }) => fraud === 0);
    const alerts = pairs.filter(({ alert }) => alert === 1);
    const hits = alerts.filter(({ fraud }) => fraud === 1).length;
    let before = 0;
    for (const { score } of frauds) {
      for (const other of genuine) {
        before += score > other.score ? 1 : score === other.score ? 0.5 : 0;
      }
    }
    put("payments", pairs.length);
    put("frauds", frauds.length);
    put("alert_precision", hits / alerts.length);
    put("alert_recall", hits / frauds.length);
    put("auc_roc", before / (frauds.length * genuine.length));
  }
  return sorted(found);
}

const COMPARED = /^(payments|frauds|alert_precision|alert_recall|auc_roc)$/;

function sorted(metrics: readonly ModelMetric[]): string[] {
  return metrics.filter(({ metric }) => COMPARED.test(metric))
    .map(({ day, version, metric, value }) =>
      `${day} ${version} ${metric} ${value.toPrecision(10)}`
    )
    .sort();
}

/** Compares all that was learned from a stream with the plain rule. */
async function checkStream(folder: OpenFolder, registry: string) {
  const { parameters } = folder.context;
  const data = await accepted(folder.log, parameters);
  const decided = readRegistry(registry);
  checkDecisions(registry, data, decided);
  assert.deepEqual(
    sorted(await folder.store.predictions().metrics()),
    expectedMetrics(data, await predictionsOf(folder)),
  );
  assert.ok(decided.history.length >= 4, "there is something to compare");
}

const STREAMS = { numbers: numberStream, texts: textStream };

for (const [name, parametersOf] of Object.entries(STREAMS)) {
  testWriting(
    `late labels are learned from when they were known, and metrics follow them, as the plain rule has it: ids are ${name}`,
    async () => {
      await forEachSeed(1, 40, async (seed) => {
        await using files = temporaryFolder();
        for (const partitions of [1, 3]) {
          const parameters = parametersOf(partitions);
          const registry = join(files.path, `${partitions}`);
          await using folder = await learnedLive(
            { parameters, seed },
            registry,
          );
          await checkStream(folder, registry);
        }
      });
    },
  );
}

/** Runs something while windows use labels too early in some way. */
async function withMistake(
  mistake: (asOf: number) => number,
  run: () => Promise<void>,
): Promise<void> {
  const { payments } = TrainingWindow.prototype;
  TrainingWindow.prototype.payments = function (from, to, known) {
    const asOf = mistake(known.asOf);
    return payments.call(this, from, to, { ...known, asOf });
  };
  try {
    await run();
  } finally {
    TrainingWindow.prototype.payments = payments;
  }
}

testWriting(
  "a trainer that uses labels too early does not pass",
  async () => {
    const mistakes: Readonly<Record<string, (asOf: number) => number>> = {
      "KNOWN_TIME is ignored": () => Infinity,
      "a day early": (asOf) => asOf + DAY_SECONDS,
    };
    for (const [name, mistake] of Object.entries(mistakes)) {
      await using files = temporaryFolder();
      const stream = { parameters: numberStream(1), seed: 1 };
      await using folder = await processed(stream);
      const run = () =>
        withMistake(mistake, async () => {
          await learn(folder, files.path);
          await checkStream(folder, files.path);
        });
      await assert.rejects(run, assert.AssertionError, name);
    }
  },
);

/** A log that gives few records or none at a time, and ends a run at some moment. */
function unsteady(log: Log, random: () => number, stop: () => void): Log {
  return new Proxy(log, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      // There is nothing to wait for.
      if (name === "changed") return () => Promise.resolve();
      if (name !== "read") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      const read: Log["read"] = async (topic, partition, offset, limit) => {
        const batch = await log.read(topic, partition, offset, limit);
        if (topic === CONTROL_TOPIC || limit.records === 1) return batch;
        if (random() < 0.01) stop();
        const slow = topic === PREDICTION_TOPIC ? 0.8 : 0.3;
        if (random() < slow) return emptyBatch(offset);
        return batchHead(batch, Math.ceil(random() * 300));
      };
      return read;
    },
  });
}

testWriting(
  "a trainer that is stopped again and again, and reads its topics in any order, decides and measures the same",
  async () => {
    await forEachSeed(1, 60, async (seed) => {
      await using files = temporaryFolder();
      const parameters = numberStream(3);
      const [whole, pieces] = ["whole", "pieces"].map((n) =>
        join(files.path, n)
      );
      await using folder = await processed({ parameters, seed });
      await learn(folder, whole);
      await using store = new EmbeddedStore({
        path: ":memory:",
        features: parameters.features,
        shape: shapeOfStream(parameters),
        durable: false,
      });
      const random = chance(seed);
      let runs = 0;
      do {
        const stop = new AbortController();
        const log = unsteady(folder.log, random, () => stop.abort());
        const control = new Control(log);
        await control.refresh();
        await runTrainer(
          { ...folder.context, log, control, signal: stop.signal },
          {
            training: trainingIn(pieces),
            store: store.predictions(),
            startSeconds: undefined,
          },
        );
        runs++;
        assert.ok(runs < 1000, "it comes to an end");
        if (!stop.signal.aborted) break;
      } while (runs > 0);
      assert.ok(runs > 2, `${runs} runs`);
      assert.deepEqual(
        undated(readRegistry(pieces)),
        undated(readRegistry(whole)),
      );
      assert.deepEqual(
        await store.predictions().metrics(),
        await folder.store.predictions().metrics(),
      );
    });
  },
);

testWriting(
  "other labels after a day leave every feature, model and metric made until then as they were",
  async () => {
    await forEachSeed(1, 40, async (seed) => {
      await using files = temporaryFolder();
      const parameters = numberStream(3);
      const day = EVERY_DAYS * (5 + seed % 3);
      const made = async (name: string, changedAfter?: number) => {
        const registry = join(files.path, name);
        await using folder = await processed({
          parameters,
          seed,
          ...changedAfter !== undefined && { changedAfter },
        });
        await learn(folder, registry);
        const until = ({ day: of }: { day: number }) => of < day;
        const mature = labelDays(parameters);
        return {
          features: (await sinkRows(folder.log))
            .filter((row) => Number(row.TX_TIME_DAYS) < day),
          decisions: undated(readRegistry(registry)).history
            .filter(({ day: of }) => of <= day),
          scores: (await predictionsOf(folder)).filter(until),
          metrics: (await folder.store.predictions().metrics())
            .filter(({ day: of }) => of + 1 + mature + OPEN_DAYS <= day),
          all: await folder.store.predictions().metrics(),
        };
      };
      const { all, ...before } = await made("before");
      const { all: otherAll, ...after } = await made(
        "after",
        day * DAY_SECONDS,
      );
      assert.ok(before.decisions.length >= 2 && before.scores.length > 0);
      assert.deepEqual(after, before);
      assert.notDeepEqual(otherAll, all, "the labels make a difference");
    });
  },
);
