/**
 * Bits flipped and files cut: each damage of store.db, its WAL and
 * registry.json is named, heals, or changes nothing. FRAUDSTREAM_LONG=1 tries
 * about 1,500.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { Control } from "../../src/stream/control.ts";
import { endCheck } from "../../src/stream/end_check.ts";
import {
  changeRegistry,
  readRegistry,
} from "../../src/scoring/model_registry.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { emptyPredictions } from "../../src/payment/prediction.ts";
import { seeds } from "../long.ts";
import { testWriting } from "../permission.ts";
import {
  batchSum,
  featuresSum,
  type OpenFolder,
  openFolder,
  parametersOf,
} from "../roles/pipeline.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  copyFolder,
  type Damage,
  type DamageResult,
  flipBit,
  truncate,
  tryDamage,
} from "./damage.ts";

const DATA = {
  parameters: {
    ...HANDBOOK_PARAMETERS,
    customers: 20,
    terminals: 40,
    days: 12,
    radius: 20,
  },
  rng: "handbook",
  seed: "",
} as const;
const PARAMETERS = parametersOf(2);
const PACE = { kind: "max" } as const;
const RIGHT = batchSum(DATA, HANDBOOK_FEATURES);

/** Runs the stream until so many more payments are stored, or to its end. */
async function run(open: OpenFolder, rows = Infinity): Promise<void> {
  const { context, store } = open;
  const stop = new AbortController();
  const own = () => ({
    ...context,
    signal: stop.signal,
    control: new Control(context.log),
  });
  let written = 0;
  const stored = (_cells: Float64Array, _width: number, count: number) => {
    if ((written += count) >= rows) stop.abort();
  };
  await Promise.all([
    runProducer(own(), { data: DATA, pace: PACE }),
    runProcessor(own(), undefined),
    runWriter(own(), { store, startSeconds: undefined, clears: true, stored }),
  ]);
}

/** Predictions, a metric and a verdict, so that every table has rows. */
async function fillOthers({ store }: OpenFolder): Promise<void> {
  const table = store.predictions();
  const rows = emptyPredictions(200);
  rows.count = 200;
  for (let row = 0; row < rows.count; row++) {
    rows.cells.set([row, 1e9, 1, 2, 0.5, 1e9 % 86_400, 0.25, row % 2], row * 8);
    rows.versions[row] = "0123456789ab";
  }
  await table.write(rows);
  await table.writeMetrics([{ day: 1, version: "a", metric: "b", value: 2 }]);
  await store.lookUp().addVerdict({
    transactionId: 7,
    decidedAt: "2026-03-01T12:00:00.000Z",
    label: 1,
    analyst: "Ada",
    note: "unusual",
  });
}

/** Goes on with a folder to the end of its stream, and reads all that it stores. */
async function resume(path: string): Promise<string> {
  await using open = await openFolder(path, PARAMETERS);
  const { store, log } = open;
  await run(open);
  const predictions = await Array.fromAsync(store.predictions().rows());
  const verdicts = await store.lookUp().verdicts(7);
  return JSON.stringify({
    sum: await featuresSum(store),
    end: await endCheck({
      log,
      offsetsCountRecords: true,
      store: async () => ({ payments: await store.status() }),
    }),
    predictions: predictions.map(({ count }) => count),
    metrics: await store.predictions().metrics(),
    verdicts,
  });
}

/** Three folders at half of their stream: as a kill leaves it, closed, and with its WAL taken over and still there. */
async function makeSources(folder: string) {
  const made = join(folder, "made");
  const killed = join(folder, "killed");
  const closed = join(folder, "closed");
  Deno.mkdirSync(made);
  {
    await using open = await openFolder(made, PARAMETERS);
    await run(open, 100);
    await fillOthers(open);
  }
  {
    await using open = await openFolder(made, PARAMETERS);
    await run(open, 150);
    copyFolder(made, killed);
  }
  copyFolder(made, closed);
  return { killed, closed, expected: await resume(made) };
}

testWriting(
  "a store that has not been damaged is right at the end",
  async () => {
    await using folder = temporaryFolder();
    const { killed, closed, expected } = await makeSources(folder.path);
    const { sum, end } = JSON.parse(expected);
    assert.equal(sum, RIGHT);
    assert.deepEqual(end, { kind: "compared", differences: [] });
    assert.ok(Deno.statSync(join(killed, "store.db-wal")).size > 16_000);
    assert.equal(await resume(killed), expected);
    assert.equal(await resume(closed), expected);
  },
);

testWriting(
  "a flipped bit or a cut of store.db or its WAL is named, heals or is harmless, never silent",
  async () => {
    await using folder = temporaryFolder();
    const { killed, closed, expected } = await makeSources(folder.path);
    const found: Record<string, DamageResult["kind"][]> = {};
    for (
      const [kind, source, damage, few, many] of [
        ["flip store.db", closed, flipBit("store.db"), 24, 600],
        ["cut store.db", closed, truncate("store.db"), 4, 150],
        ["flip WAL", killed, flipBit("store.db-wal"), 10, 300],
        ["cut WAL", killed, truncate("store.db-wal"), 4, 150],
        ["flip shm", killed, flipBit("store.db-shm"), 2, 50],
      ] as const
    ) {
      found[kind] = await tryAll(source, kind, damage, expected, few, many);
    }
    const flips = found["flip store.db"];
    assert.ok(flips.length === 1 || flips.includes("detected"));
    // What a WAL loses is stored again.
    assert.ok(found["flip WAL"].every((kind) => kind === "harmless"));
    assert.ok(found["cut WAL"].every((kind) => kind === "harmless"));
  },
);

async function tryAll(
  source: string,
  kind: string,
  damage: Damage,
  expected: string,
  few: number,
  many: number,
): Promise<DamageResult["kind"][]> {
  const kinds: DamageResult["kind"][] = [];
  for (const seed of seeds(few, many)) {
    const trial = {
      source,
      seed,
      damage,
      resume,
      expected,
      named: /store\.db/,
    };
    const result = await tryDamage(trial);
    kinds.push(result.kind);
    assert.ok(
      result.kind === "harmless" || result.kind === "detected",
      `${kind}, FRAUDSTREAM_SEED=${seed}: ${result.kind}, ${result.detail}`,
    );
  }
  return kinds;
}

testWriting(
  "a flipped bit or a cut of registry.json is named or harmless",
  async () => {
    await using folder = temporaryFolder();
    const source = join(folder.path, "models");
    await changeRegistry(source, (registry) => ({
      ...registry,
      champion: "0123456789ab",
      decidedDay: 31,
      history: [{
        day: 30,
        action: "added",
        version: "0123456789ab",
        champion: "0123456789ab",
        reason: "the first",
        metrics: { AUC: 0.875 },
      }],
    }));
    const expected = JSON.stringify(readRegistry(source));
    for (
      const damage of [flipBit("registry.json"), truncate("registry.json")]
    ) {
      for (const seed of seeds(25, 300)) {
        const { kind, detail } = await tryDamage({
          source,
          seed,
          damage,
          resume: (path) => Promise.resolve(JSON.stringify(readRegistry(path))),
          expected,
          named: /registry\.json/,
        });
        assert.ok(
          kind === "harmless" || kind === "detected",
          `FRAUDSTREAM_SEED=${seed}: ${kind}, ${detail}`,
        );
      }
    }
  },
);

testWriting(
  "a registry without a checksum, of an older version, is read",
  async () => {
    await using folder = temporaryFolder();
    await changeRegistry(folder.path, (registry) => ({
      ...registry,
      decidedDay: 3,
    }));
    const path = join(folder.path, "registry.json");
    const { checksum, ...older } = JSON.parse(Deno.readTextFileSync(path));
    assert.equal(typeof checksum, "number");
    Deno.writeTextFileSync(path, JSON.stringify(older));
    assert.equal(readRegistry(folder.path).decidedDay, 3);
    const changed = { ...older, checksum, decidedDay: 4 };
    Deno.writeTextFileSync(path, JSON.stringify(changed));
    assert.throws(() => readRegistry(folder.path), /registry\.json/);
  },
);
