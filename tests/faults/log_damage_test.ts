/**
 * Bits flipped, rows lost or changed, files cut: each damage of log.db and its
 * WAL is named, or changes nothing. FRAUDSTREAM_LONG=1 tries 2,000.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { Control } from "../../src/stream/control.ts";
import { endCheck } from "../../src/stream/end_check.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { seeds } from "../long.ts";
import { testWriting } from "../permission.ts";
import { inDatabase } from "../base/sqlite/in_database.ts";
import {
  batchSum,
  featuresSum,
  openFolder,
  parametersOf,
  sinkSum,
} from "../roles/pipeline.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  changeRow,
  copyFolder,
  type Damage,
  type DamageResult,
  deleteRow,
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

/** Runs a stream until so many payments are stored; then `look` sees the folder as a kill would leave it. */
async function runUntil(
  path: string,
  rows: number,
  look: () => void,
): Promise<void> {
  const stop = new AbortController();
  await using open = await openFolder(path, PARAMETERS, stop.signal);
  const { context, store } = open;
  const own = () => ({ ...context, control: new Control(context.log) });
  const stored = async () => {
    if ((await store.status()).rows >= rows) stop.abort();
  };
  await Promise.all([
    runProducer(own(), { data: DATA, pace: PACE }),
    runProcessor(own(), undefined),
    runWriter(own(), { store, startSeconds: undefined, stored }),
  ]);
  look();
}

/** Leaves the folder of a stream that was stopped at about a quarter, went on and was killed at about half. */
async function makeHalf(to: string): Promise<void> {
  await using folder = temporaryFolder();
  await runUntil(folder.path, 100, () => {});
  // Both WAL files are still there, and begin in the middle of the stream.
  await runUntil(folder.path, 250, () => copyFolder(folder.path, to));
}

/** Goes on with a folder to the end of its stream; what came of it. */
async function resume(path: string): Promise<string> {
  await using open = await openFolder(path, PARAMETERS);
  const { context, store, log } = open;
  const own = () => ({ ...context, control: new Control(context.log) });
  await runProducer(own(), { data: DATA, pace: PACE });
  await runProcessor(own(), undefined);
  // A log that has been cut back may hold other records than were stored.
  await runWriter(own(), { store, startSeconds: undefined, clears: true });
  const end = await endCheck({ log, offsetsCountRecords: true });
  return JSON.stringify({
    store: await featuresSum(store),
    sink: await sinkSum(log, PARAMETERS),
    end,
  });
}

const RIGHT = batchSum(DATA, HANDBOOK_FEATURES);
const EXPECTED = JSON.stringify({
  store: RIGHT,
  sink: RIGHT,
  end: { kind: "compared", differences: [] },
});

/** The same, and then reads all of the log, as `backup --check` does. */
async function resumeAndVerify(path: string): Promise<string> {
  const result = await resume(path);
  await using open = await openFolder(path, PARAMETERS);
  await open.log.verify();
  return result;
}

/** Tries one kind of damage with some seeds; fails if one is silent or unnamed. */
async function tryAll(
  source: string,
  kind: string,
  damage: Damage,
  tries: readonly number[],
  goOn: typeof resume = resume,
): Promise<DamageResult["kind"][]> {
  const kinds: DamageResult["kind"][] = [];
  for (const seed of tries) {
    const trial = {
      source,
      seed,
      damage,
      resume: goOn,
      expected: EXPECTED,
      named: /log\.db/,
    };
    const result = await tryDamage(trial);
    kinds.push(result.kind);
    const passes = result.kind === "harmless" || result.kind === "detected";
    assert.ok(
      passes,
      `${kind}, FRAUDSTREAM_SEED=${seed}: ${result.kind}, ${result.detail}`,
    );
  }
  return kinds;
}

/**
 * The folder as a kill leaves it; the same with its WAL taken over into
 * log.db and gone, and with its WAL taken over and still there: then a flipped
 * bit mixes pages of two moments.
 */
async function makeSources(folder: string) {
  const killed = join(folder, "killed");
  const closed = join(folder, "closed");
  await makeHalf(killed);
  copyFolder(killed, closed);
  const between = join(folder, "between");
  copyFolder(killed, between);
  const checkpointed = join(folder, "checkpointed");
  inDatabase(join(between, "log.db"), (database) => {
    database.prepare("PRAGMA wal_checkpoint(PASSIVE)").all();
    copyFolder(between, checkpointed);
  });
  await using _ = await openFolder(closed, PARAMETERS);
  return { killed, closed, checkpointed };
}

testWriting("what has not been damaged is right at the end", async () => {
  await using folder = temporaryFolder();
  const { killed, closed } = await makeSources(folder.path);
  assert.ok(Deno.statSync(join(killed, "log.db-wal")).size > 100_000);
  assert.equal(await resume(killed), EXPECTED);
  assert.equal(await resume(closed), EXPECTED);
});

testWriting(
  "a flipped bit or a cut of log.db or its WAL is named or harmless, never silent",
  async () => {
    await using folder = temporaryFolder();
    const { killed, closed, checkpointed } = await makeSources(folder.path);
    const found: Record<string, DamageResult["kind"][]> = {};
    for (
      const [kind, source, damage, few, many] of [
        ["flip log.db", closed, flipBit("log.db"), 24, 600],
        ["cut log.db", closed, truncate("log.db"), 4, 150],
        ["flip log.db of a kill", killed, flipBit("log.db"), 2, 50],
        ["flip WAL", killed, flipBit("log.db-wal"), 10, 400],
        ["cut WAL", killed, truncate("log.db-wal"), 4, 150],
        ["flip checkpointed WAL", checkpointed, flipBit("log.db-wal"), 40, 200],
        ["cut checkpointed WAL", checkpointed, truncate("log.db-wal"), 4, 100],
        ["flip shm", killed, flipBit("log.db-shm"), 2, 50],
      ] as const
    ) found[kind] = await tryAll(source, kind, damage, seeds(few, many));
    for (const kind of ["flip log.db", "flip checkpointed WAL"]) {
      const isOne = found[kind].length === 1; // somebody's FRAUDSTREAM_SEED
      assert.ok(isOne || found[kind].includes("detected"), `${kind}: none`);
    }
  },
);

for (
  const [table, ...columns] of [
    ["topic", "id", "name", "partitions", "compacted"],
    ["partition_state", "start_offset", "next_offset", "checked_from"],
    ["partition_state", "batches", "batch_checks", "checksum"],
    ["batch", "topic", "partition", "base_offset", "next_offset"],
    ["batch", "record_key", "data"],
    ["group_offset", "consumer_group", "next_offset", "metadata"],
    ["producer", "epoch"],
    ["total", "row_count", "row_checks", "checksum"],
  ]
) {
  testWriting(
    `a row of ${table} that is lost or has another ${
      columns.join(", ")
    } is named`,
    async () => {
      await using folder = temporaryFolder();
      const { closed } = await makeSources(folder.path);
      const damages = [
        deleteRow("log.db", table),
        ...columns.map((column) => changeRow("log.db", table, column)),
      ];
      for (const [i, damage] of damages.entries()) {
        const kind = i === 0 ? `${table} lost` : `${table}.${columns[i - 1]}`;
        const kinds = await tryAll(
          closed,
          kind,
          damage,
          seeds(1, 15),
          resumeAndVerify,
        );
        assert.deepEqual([...new Set(kinds)], ["detected"], kind);
      }
    },
  );
}
