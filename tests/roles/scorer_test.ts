/** The scorer on the embedded log: right, exactly once, and without a gap when the model changes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/base/error.ts";
import { FeatureJsonReader } from "../../src/features/feature_row.ts";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import {
  type AlertPolicy,
  DEFAULT_POLICY,
} from "../../src/scoring/alert_policy.ts";
import {
  formatModelFile,
  type TrainedModel,
} from "../../src/learning/file/model_file.ts";
import { scorerOf } from "../../src/learning/kinds/kinds.ts";
import { readRange } from "../../src/log/log.ts";
import {
  batchHead,
  RecordBatchBuilder,
  valueEnd,
  valueStart,
} from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";
import { PREDICTION_CELLS } from "../../src/payment/prediction.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, modelOf, treesModel, writeModel } from "./models.ts";
import {
  type OpenFolder,
  openMemory,
  openProcessed,
  parametersOf,
  produce,
  QUIET,
  runBehind,
  SET_A,
  withIdMax,
} from "./pipeline.ts";

const WIDTH = PAYMENT_CELLS + featureCount(HANDBOOK_FEATURES);

function scoringOf(
  path: string,
  policy: AlertPolicy = DEFAULT_POLICY,
  explain: "alerts" | "all" = "alerts",
): ScoringSettings {
  return { model: { kind: "file", path }, policy, explain };
}

/** Runs the scorer, then the writer of predictions. */
async function score(
  { context, store }: OpenFolder,
  scoring: ScoringSettings,
): Promise<void> {
  await runScorer(context, { scoring, startSeconds: undefined });
  await storePredictions({ context, store });
}

async function storePredictions(
  { context, store }: Pick<OpenFolder, "context" | "store">,
): Promise<void> {
  await runPredictionWriter(context, {
    store: store.predictions(),
    startSeconds: undefined,
    stored: new AbortController().signal,
  });
}

/** Runs the scorer again and again, each time stopped after a step or so, until all is scored. */
async function scoreInPieces(
  folder: OpenFolder,
  scoring: ScoringSettings,
): Promise<number> {
  const { log } = folder;
  const consume = log.consume.bind(log);
  const read = log.read.bind(log);
  log.read = (topic, partition, offset) =>
    read(topic, partition, offset, { records: 1, bytes: 1 });
  let starts = 0;
  for (let done = false; !done; starts++) {
    const stop = new AbortController();
    log.consume = (options) =>
      consume({
        ...options,
        open: async (partition, commit) => {
          const task = await options.open(partition, commit);
          return {
            step: (batch) => {
              stop.abort(); // after the step in hand
              // However large the processor's steps happened to be.
              return task.step(batchHead(batch, 100));
            },
          };
        },
        idle: async () => done = await options.idle(),
      });
    const { signal } = stop;
    const context = { ...folder.context, control: new Control(log), signal };
    await runScorer(context, { scoring, startSeconds: undefined });
    assert.ok(starts < 1000, "the scorer does not come to an end");
  }
  log.consume = consume;
  log.read = read;
  await storePredictions(folder);
  return starts;
}

/** All rows of the sink topic by TRANSACTION_ID. */
async function sinkRows(
  folder: OpenFolder,
): Promise<Map<number, Float64Array>> {
  const { log } = folder;
  const reader = new FeatureJsonReader(HANDBOOK_FEATURES);
  const rows = new Map<number, Float64Array>();
  const ends = await log.endOffsets(SINK_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, SINK_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const cells = new Float64Array(WIDTH);
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        if (reader.read(batch.bytes, from, to, undefined, cells, 0)) continue;
        rows.set(cells[0], cells);
      }
    }
  }
  return rows;
}

/** The score of each payment, one at a time. */
async function batchScores(
  folder: OpenFolder,
  model: TrainedModel,
): Promise<Map<number, number>> {
  const scorer = scorerOf(model.body, model.inputs);
  const scores = new Map<number, number>();
  for (const [id, cells] of await sinkRows(folder)) {
    const values = Float64Array.of(
      cells[4],
      ...cells.subarray(PAYMENT_CELLS),
    );
    const score = new Float64Array(1);
    await scorer.score(values, 1, score);
    scores.set(id, score[0]);
  }
  return scores;
}

interface Stored {
  readonly id: number;
  readonly score: number;
  readonly alert: number;
  readonly version: string;
  readonly why: string | null;
}

async function stored({ store }: OpenFolder): Promise<Stored[]> {
  const found: Stored[] = [];
  for await (const page of store.predictions().rows()) {
    for (let row = 0; row < page.count; row++) {
      const [id, , , , , , score, alert] = page.cells.subarray(
        row * PREDICTION_CELLS,
      );
      const version = page.versions[row];
      found.push({ id, score, alert, version, why: page.contributions[row] });
    }
  }
  return found;
}

for (
  const [kind, make] of [
    ["linear", linearModel],
    ["trees", treesModel],
  ] as const
) {
  testWriting(
    `${kind}: live predictions are those of batch scoring, bit for bit, each payment once`,
    async () => {
      await using files = temporaryFolder();
      await using folder = await openProcessed(3);
      const path = join(files.path, "model.json");
      const model = make();
      writeModel(path, model);
      await score(folder, scoringOf(path));
      const expected = await batchScores(folder, model);
      const found = await stored(folder);
      assert.deepEqual(new Map(found.map((p) => [p.id, p.score])), expected);
      assert.equal(found.length, expected.size);
      assert.ok(found.some(({ alert }) => alert === 1));
      for (const { score, alert, version, why } of found) {
        assert.equal(alert, score >= 0.5 ? 1 : 0);
        assert.equal(version, model.version);
        assert.equal(why !== null, alert === 1);
      }
      const status = await readStatus(folder.log, folder.context.control);
      assert.deepEqual(discrepancies(status), []);
      assert.deepEqual(await folder.store.predictions().status(), {
        rows: expected.size,
        alerts: found.filter(({ alert }) => alert === 1).length,
      });
    },
  );
}

testWriting(
  "contributions are the strongest five, strongest first, and with the rest they make the margin",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(3);
    const path = join(files.path, "model.json");
    const model = linearModel();
    writeModel(path, model);
    await score(folder, scoringOf(path, DEFAULT_POLICY, "all"));
    const rows = await sinkRows(folder);
    const scorer = scorerOf(model.body, model.inputs);
    for (const { id, why } of await stored(folder)) {
      const cells = rows.get(id) ?? new Float64Array(WIDTH);
      const values = Float64Array.of(
        cells[4],
        ...cells.subarray(PAYMENT_CELLS),
      );
      const into = new Float64Array(values.length);
      scorer.explain?.(values, 0, into);
      const expected = model.inputs.map((name, i) => [name, into[i]] as const)
        .filter(([, pushed]) => pushed !== 0)
        .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, 5);
      assert.deepEqual(Object.entries(JSON.parse(why ?? "{}")), expected);
    }
  },
);

for (
  const policy of [
    DEFAULT_POLICY,
    { kind: "cards", perDay: 9 },
    { kind: "payments", perDay: 9 },
  ] as const
) {
  testWriting(
    `a scorer stopped after every step predicts what one does that is never stopped: ${policy.kind}`,
    async () => {
      await using files = temporaryFolder();
      const path = join(files.path, "model.json");
      writeModel(path, linearModel());
      const scoring = scoringOf(path, policy);
      await using whole = await openProcessed(3);
      await score(whole, scoring);
      await using pieces = await openProcessed(3);
      const starts = await scoreInPieces(pieces, scoring);
      assert.ok(starts > 3, `only ${starts} starts`);
      assert.deepEqual(await stored(pieces), await stored(whole));
    },
  );
}

testWriting(
  "another model is used from the next batch on: every payment has one prediction, of one of the two",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(3);
    const path = join(files.path, "model.json");
    const [first, second] = [linearModel(1), linearModel(-1)];
    writeModel(path, first);
    let steps = 0;
    // The clock that the watch waits for goes with the steps.
    const now = performance.now;
    performance.now = () => now.call(performance) + 1000 * steps;
    try {
      const { log } = folder;
      const read = log.read.bind(log);
      log.read = (topic, partition, offset) => {
        if (topic === SINK_TOPIC && ++steps === 5) writeModel(path, second);
        if (topic === SINK_TOPIC && steps === 9) {
          Deno.writeTextFileSync(path, "{");
        }
        return read(topic, partition, offset, { records: 1, bytes: 1 });
      };
      await score(folder, scoringOf(path));
    } finally {
      performance.now = now;
    }
    const byVersion = new Map([
      [first.version, await batchScores(folder, first)],
      [second.version, await batchScores(folder, second)],
    ]);
    const found = await stored(folder);
    assert.equal(found.length, byVersion.get(first.version)?.size);
    for (const { id, score, version } of found) {
      assert.equal(score, byVersion.get(version)?.get(id));
    }
    // The broken file that came last is refused: the second model stays.
    assert.deepEqual(
      [...new Set(found.map(({ version }) => version))].sort(),
      [first.version, second.version].sort(),
    );
  },
);

testWriting(
  "a threshold that was applied to the stream counts instead of the flag's",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(3);
    const path = join(files.path, "model.json");
    writeModel(path, linearModel());
    const threshold = 0.05;
    await folder.context.control.applyThreshold(threshold, 0);
    await score(folder, scoringOf(path));
    const found = await stored(folder);
    assert.ok(found.some(({ score }) => score >= threshold && score < 0.5));
    assert.ok(found.some(({ score }) => score < threshold));
    for (const { score, alert } of found) {
      assert.equal(alert === 1, score >= threshold);
    }
  },
);

testWriting(
  "a model of other features is refused, in one line that names the flag",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openMemory(parametersOf(1));
    const path = join(files.path, "model.json");
    const { body, inputs } = linearModel();
    const features = HANDBOOK_FEATURES;
    const cases = [
      [modelOf(body, { ...features, delayDays: 9 }), /--delay=9 .* --delay=7/],
      [
        modelOf(body, { ...features, useLabels: false }),
        /trained with --no-labels and this stream was created without it/,
      ],
      [modelOf(body, features, inputs.toReversed()), /another order/],
    ] as const;
    for (const [model, message] of cases) {
      Deno.writeTextFileSync(path, formatModelFile(model));
      await assert.rejects(score(folder, scoringOf(path)), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    }
  },
);

testWriting(
  "what is no prediction becomes a dead letter of the prediction topic, and the rest is stored",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openProcessed(3);
    const path = join(files.path, "model.json");
    writeModel(path, linearModel());
    const { log, context } = folder;
    const good = {
      TRANSACTION_ID: 999_999,
      TX_DATETIME: "2018-04-01 00:00:09",
      CUSTOMER_ID: 1,
      TERMINAL_ID: 1,
      TX_AMOUNT: 1,
      TX_TIME_SECONDS: 9,
      SCORE: 0.5,
      ALERT: 1,
      MODEL_VERSION: "elsewhere",
    };
    const poison = [
      ["garbage", "not JSON"],
      [{ ...good, SCORE: 2 }, "out of range"],
      [{ ...good, SCORE: undefined }, "missing field"],
      [{ ...good, MODEL_VERSION: 7 }, "wrong type"],
      [{ ...good, CONTRIBUTIONS: ["TX_AMOUNT"] }, "wrong type"],
      [{ ...good, TX_TIME_SECONDS: 10 }, "time mismatch"],
      [
        {
          ...good,
          TX_DATETIME: "2099-01-01 00:00:00",
          TX_TIME_SECONDS: 2_548_368_000 - 2 ** 31,
        },
        "time mismatch",
      ],
      [
        {
          ...good,
          TX_DATETIME: "2028-04-01 00:00:00",
          TX_TIME_SECONDS: 315_619_200,
        },
        "implausible",
      ],
    ] as const;
    const records = new RecordBatchBuilder();
    const encoder = new TextEncoder();
    for (const [value] of poison) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      records.add(encoder.encode("k"), encoder.encode(text), 0);
    }
    const producer = await log.producer("somebody");
    await producer.append([{ topic: PREDICTION_TOPIC, partition: 1, records }]);
    await score(folder, scoringOf(path));
    const letters = [];
    for await (const letter of readDeadLetters(log)) letters.push(letter);
    assert.deepEqual(
      letters.map(({ topic, partition, offset, reason }) => {
        return { topic, partition, offset, reason };
      }),
      poison.map(([, reason], offset) => {
        return { topic: PREDICTION_TOPIC, partition: 1, offset, reason };
      }),
    );
    const expected = await batchScores(folder, linearModel());
    assert.equal((await stored(folder)).length, expected.size);
    const status = await readStatus(log, context.control);
    assert.equal(status.deadLetters, poison.length);
    assert.deepEqual(discrepancies(status), []);
  },
);

testWriting(
  "a poison record of the sink topic is one dead letter, though writer and scorer both read it",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openMemory(parametersOf(2));
    const path = join(files.path, "model.json");
    writeModel(path, treesModel());
    const records = new RecordBatchBuilder();
    records.add(new Uint8Array(0), new TextEncoder().encode("{}"), 0);
    const producer = await folder.log.producer("somebody");
    await producer.append([{ topic: SINK_TOPIC, partition: 0, records }]);
    await produce(folder, SET_A);
    await runBehind(folder);
    await score(folder, scoringOf(path));
    const status = await readStatus(folder.log, folder.context.control);
    assert.equal(status.deadLetters, 1);
    const [, , writer, scorer] = status.stages;
    assert.equal(scorer.counters.deadLettered, writer.counters.deadLettered);
    assert.equal(scorer.counters.emitted, writer.counters.emitted);
    let letters = 0;
    for await (const letter of readDeadLetters(folder.log)) {
      assert.equal(letter.topic, SINK_TOPIC);
      letters++;
    }
    assert.equal(letters, 1);
  },
);

Deno.test("a stream that nobody scores has no predictions, and its writer ends", async () => {
  await using folder = await openMemory(parametersOf(1));
  await runPredictionWriter({ ...folder.context, logger: QUIET }, {
    store: folder.store.predictions(),
    startSeconds: undefined,
    stored: AbortSignal.abort(),
  });
  const status = await readStatus(folder.log, folder.context.control);
  assert.equal(status.stages.length, 3);
  assert.deepEqual(await folder.store.predictions().status(), {
    rows: 0,
    alerts: 0,
  });
});

testWriting(
  "predictions whose ids the store's table does not take are dead letters",
  async () => {
    await using models = temporaryFolder();
    const path = join(models.path, "model.json");
    writeModel(path, linearModel());
    await using folder = await openMemory(parametersOf(2));
    await produce(folder, SET_A);
    await runBehind(folder);
    await runScorer(folder.context, {
      scoring: scoringOf(path),
      startSeconds: undefined,
    });
    await runPredictionWriter(folder.context, {
      store: withIdMax(folder.store.predictions(), 2000),
      startSeconds: undefined,
      stored: new AbortController().signal,
    });
    assert.equal((await folder.store.predictions().status()).rows, 2001);
    const letters = await Array.fromAsync(readDeadLetters(folder.log));
    assert.equal(letters.length, 554);
    assert.ok(
      letters.every(({ topic, reason }) =>
        topic === PREDICTION_TOPIC && reason === "id too large"
      ),
    );
  },
);
