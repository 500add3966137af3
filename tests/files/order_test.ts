import assert from "node:assert/strict";
import { FeatureOperator } from "../../src/features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../../src/features/parameters.ts";
import { controlRecords } from "../../src/stream/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { testWriting } from "../permission.ts";
import { openMemory, parametersOf } from "../roles/pipeline.ts";
import { appendPayments, sinkRows, START_SECONDS } from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linesOfA, paymentsIn, paymentsOf } from "./payments.ts";
import { HEADER } from "./small_files.ts";

/** Seed of the random orders; FRAUDSTREAM_SEED repeats a run. */
const SEED = Number(Deno.env.get("FRAUDSTREAM_SEED") ?? 1);

/** The values in another order, the same one for the same seed. */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  const result = [...values];
  let state = seed;
  for (let at = result.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (at + 1));
    [result[at], result[other]] = [result[other], result[at]];
  }
  return result;
}

async function fileOf(
  folder: string,
  lines: readonly string[],
  name = "t.csv",
): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
  return path;
}

/** Features of payments in their order, by id. */
function featuresOf(payments: readonly Payment[]): Map<number, number[]> {
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const layout = totalsLayout(HANDBOOK_FEATURES);
  const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
  const values = new Float64Array(totals.length);
  return new Map(payments.map((row) => {
    operator.process(row, totals);
    totalsToValues(totals, layout, values);
    return [row.transactionId, [...values]];
  }));
}

/** Features of payments by a stream that gets them in order of time, by id. */
async function streamFeatures(
  payments: readonly Payment[],
): Promise<Map<number, number[]>> {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  await appendPayments(log, 0, payments);
  const records = controlRecords();
  records.putEnd(TRANSACTION_TOPIC, { rows: payments.length });
  await (await log.producer("end")).append(records.appends());
  await runProcessor(context, START_SECONDS);
  const names = featureNames(parameters.features);
  const rows = await sinkRows(log);
  return new Map(rows.map((row) => {
    return [
      Number(row.TRANSACTION_ID),
      names.map((name) => Number(row[name])),
    ];
  }));
}

const LINES = linesOfA(Infinity);

for (const sortRows of [undefined, 100]) {
  const memory = sortRows === undefined ? "in memory" : "through a file";
  testWriting(
    `rows of a file in any order count in order of time, sorted ${memory} (seed ${SEED})`,
    async () => {
      await using folder = temporaryFolder();
      const [header, ...rows] = LINES.slice(0, -1);
      const path = await fileOf(folder.path, [header, ...shuffled(rows, SEED)]);
      const { payments } = await paymentsIn(path, { sortRows });
      assert.deepEqual(payments, paymentsOf(LINES));
    },
  );
}

testWriting(
  `features of files are the stream's where ids don't follow time (seed ${SEED})`,
  async () => {
    await using folder = temporaryFolder();
    const [header, ...rows] = LINES.slice(0, -1);
    const ids = shuffled(rows.map((_, at) => 3 * at + 1), SEED);
    const renumbered = rows.map((row, at) =>
      row.replace(/^\d+/, String(ids[at]))
    );
    const ordered = paymentsOf([header, ...renumbered]);
    const path = await fileOf(folder.path, [
      header,
      ...shuffled(renumbered, SEED + 1),
    ]);
    const { payments } = await paymentsIn(path);
    assert.deepEqual(
      payments.map(({ timeSeconds }) => timeSeconds),
      ordered.map(({ timeSeconds }) => timeSeconds),
    );
    assert.deepEqual(featuresOf(payments), await streamFeatures(payments));
  },
);

const row = (id: number, time: string, amount: number) => {
  const [day, clock] = time.split(" ");
  const [hours, minutes] = clock.split(":").map(Number);
  const days = Number(day.slice(8)) - 1;
  const seconds = days * 86_400 + hours * 3600 + minutes * 60;
  return `${id},${time}:00,1,1,${amount},${seconds},${days},0,0`;
};

testWriting(
  "of payments at the same second the lower id comes first",
  async () => {
    await using folder = temporaryFolder();
    const path = await fileOf(folder.path, [
      HEADER,
      row(7, "2018-04-01 08:00", 1),
      row(3, "2018-04-01 08:00", 2),
      row(5, "2018-04-01 07:59", 3),
    ]);
    const { payments } = await paymentsIn(path);
    assert.deepEqual(payments.map((payment) => payment.transactionId), [
      5,
      3,
      7,
    ]);
  },
);

testWriting(
  "ids that begin anew every day are refused with both places",
  async () => {
    for (const [first, second] of [["csv", "csv"], ["csv", "jsonl"]]) {
      await using folder = temporaryFolder();
      await fileOf(folder.path, [
        HEADER,
        row(0, "2018-04-01 08:00", 10),
        row(1, "2018-04-01 12:00", 20),
      ], `2018-04-01.${first}`);
      const again = [
        row(1, "2018-04-02 08:00", 30),
        row(0, "2018-04-02 12:00", 40),
      ];
      const lines = second === "csv"
        ? [HEADER, ...again]
        : again.map((line) => {
          const values = line.split(",");
          const names = HEADER.split(",");
          return JSON.stringify(
            Object.fromEntries(names.map((name, at) => [name, values[at]])),
          );
        });
      await fileOf(folder.path, lines, `2018-04-02.${second}`);
      const line = second === "csv" ? "2:1" : "1:2";
      await assert.rejects(paymentsIn(folder.path), {
        name: "DataError",
        message:
          `${folder.path}/2018-04-02.${second}:${line}: TRANSACTION_ID 1 ` +
          `has come already in ${folder.path}/2018-04-01.csv:3; remove one of ` +
          "the rows, or keep the first of such rows with --skip-bad-rows",
      });
      const { payments, reader } = await paymentsIn(folder.path, {
        skipBadRows: true,
      });
      assert.deepEqual(payments.map((payment) => payment.amount), [10, 20]);
      assert.equal(reader.skipped.byReason.get("duplicate TRANSACTION_ID"), 2);
    }
  },
);

testWriting(
  "an id that comes again in another order is refused, too",
  async () => {
    await using folder = temporaryFolder();
    const path = await fileOf(folder.path, [
      HEADER,
      row(9, "2018-04-02 08:00", 1),
      row(4, "2018-04-01 08:00", 2),
      row(2, "2018-04-03 08:00", 3),
      row(4, "2018-04-03 09:00", 4),
    ]);
    await assert.rejects(
      paymentsIn(path),
      /t\.csv:5:1: TRANSACTION_ID 4 has come already in .*t\.csv:3; remove/,
    );
  },
);

testWriting(
  "a payment before those of an earlier file is refused with both places",
  async () => {
    await using folder = temporaryFolder();
    await fileOf(folder.path, [
      HEADER,
      row(0, "2018-04-01 08:00", 1),
      row(1, "2018-04-02 01:00", 2),
    ], "2018-04-01.csv");
    await fileOf(folder.path, [
      HEADER,
      row(2, "2018-04-02 00:30", 3),
      row(3, "2018-04-02 02:00", 4),
    ], "2018-04-02.csv");
    await assert.rejects(
      paymentsIn(folder.path),
      /2018-04-02\.csv:2:1: TX_DATETIME 2018-04-02 00:30:00, TRANSACTION_ID 2 comes before the last row of an earlier file, .*2018-04-01\.csv:3; put the payments of both files into one; /,
    );
    const { payments } = await paymentsIn(folder.path, { skipBadRows: true });
    assert.deepEqual(payments.map((payment) => payment.transactionId), [
      0,
      1,
      3,
    ]);
  },
);

testWriting("a day may go on in the next file", async () => {
  await using folder = temporaryFolder();
  await fileOf(
    folder.path,
    [HEADER, row(0, "2018-04-02 01:00", 1)],
    "2018-04-01.csv",
  );
  await fileOf(
    folder.path,
    [HEADER, row(1, "2018-04-02 01:00", 2)],
    "2018-04-02.csv",
  );
  const { payments } = await paymentsIn(folder.path);
  assert.deepEqual(payments.map((payment) => payment.transactionId), [0, 1]);
});
