/**
 * Models fitted to, and scoring, the handbook's split of its default set
 * (67,240 and 58,264 payments), on one thread; beside scikit-learn and XGBoost
 * where Python is at hand.
 *
 *   deno run --allow-env=PYTHON --allow-run --allow-read --allow-write \
 *     bench/learning_bench.ts [--peer] [--runs=N]
 *
 * --peer runs bench/peers/learning.py with the Python of the
 * variable PYTHON (default python3), which needs scikit-learn and xgboost.
 *
 * Times are of the processor, theirs as ours, so that other work on the machine
 * counts less. Ours include the compiler's and collector's threads.
 */
import process from "node:process";
import {
  loadPayments,
  readPaymentInput,
} from "../src/cli/commands/labelled_payments.ts";
import type { Settings } from "../src/learning/kinds/model_kind.ts";
import { fitModel, scorerOf } from "../src/learning/kinds/kinds.ts";
import type {
  Examples,
  ModelBody,
  Scorer,
} from "../src/learning/kinds/model.ts";
import type { TreesPart } from "../src/learning/kinds/trees.ts";
import { examplesOf } from "../src/learning/data/payments.ts";
import {
  endDayOf,
  HANDBOOK_PERIOD,
  splitPayments,
} from "../src/learning/data/split.ts";
import { readFlags } from "./bench_flags.ts";
import {
  figure,
  markdownTable,
  median,
  print,
  range,
  tell,
} from "./figures.ts";

/** XGBoost's own defaults. */
const XGBOOST: Settings = {
  trees: 100,
  depthMax: 6,
  learningRate: 0.3,
  rowShare: 1,
  childWeightMin: 1,
};

/** Name, which the peers' lines begin with, and what is fitted. */
const FITS: readonly [string, string, Settings][] = [
  ["logistic regression", "logistic-regression", {}],
  ["decision tree, depth 2", "decision-tree", {}],
  ["decision tree, no limit", "decision-tree", { depthMax: 0 }],
  ["random forest, theirs", "random-forest", { depthMax: 0, leafRowsMin: 1 }],
  ["random forest, ours", "random-forest", {}],
  ["boosting, theirs", "gradient-boosting", XGBOOST],
  ["boosting, depth 3", "gradient-boosting", {
    ...XGBOOST,
    depthMax: 3,
    learningRate: 0.1,
  }],
  ["boosting, ours", "gradient-boosting", {}],
];

/** Models whose scores are timed in batches, one by one, and explained. */
const SCORED: readonly [string, string, Settings][] = [
  ["logistic regression", "logistic-regression", {}],
  ["boosting, 50 trees of depth 3", "gradient-boosting", {
    ...XGBOOST,
    trees: 50,
    depthMax: 3,
  }],
  ["boosting, 100 trees of depth 3", "gradient-boosting", {
    ...XGBOOST,
    depthMax: 3,
  }],
  ["boosting, our defaults", "gradient-boosting", {}],
  ["random forest, our defaults", "random-forest", {}],
];

const ALONE_ROWS = 20_000;
const EXPLAINED_ROWS = 200;

/** What was measured of a fit, in seconds. */
interface Seconds {
  readonly fit: number[];
  readonly predict: number[];
}

async function main(): Promise<void> {
  const { runs, peer: withPeer } = readFlags({ runs: 5, peer: false });
  const payments = await loadPayments(readPaymentInput({}), {
    endDay: endDayOf(HANDBOOK_PERIOD),
    spanDays: endDayOf(HANDBOOK_PERIOD) - HANDBOOK_PERIOD.startDay,
  });
  const split = splitPayments(payments, HANDBOOK_PERIOD);
  const train = examplesOf(payments, split.train);
  const test = examplesOf(payments, split.test);
  const rows = rowsOf(test);
  tell(`${train.rows} payments to learn from, ${test.rows} to score`);
  const peers = new Map<string, Seconds>();
  if (withPeer) await runPeers(train, test, peers);
  const ours = new Map<string, Seconds>();
  for (let run = -1; run < runs; run++) { // the first one warms up
    for (const [name, kind, settings] of FITS) {
      const began = processorSeconds();
      const body = fitModel(kind, train, settings);
      const fitted = processorSeconds();
      scoreAll(scorerOf(body, train.inputs), rows, test.rows);
      const done = processorSeconds();
      if (run < 0) continue;
      note(ours, name, fitted - began, done - fitted);
    }
  }
  printFits(ours, peers);
  printScoring(train, rows, test.rows, runs);
}

/** The values of the examples, row after row. */
function rowsOf({ rows, columns }: Examples): Float64Array {
  const width = columns.length;
  const values = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < width; at++) {
      values[row * width + at] = columns[at][row];
    }
  }
  return values;
}

function scoreAll(scorer: Scorer, values: Float64Array, rows: number): void {
  scorer.score(values, rows, new Float64Array(rows));
}

function note(
  into: Map<string, Seconds>,
  name: string,
  fit: number,
  predict: number,
): void {
  const seconds = into.get(name) ?? { fit: [], predict: [] };
  seconds.fit.push(fit);
  seconds.predict.push(predict);
  into.set(name, seconds);
}

async function runPeers(
  train: Examples,
  test: Examples,
  into: Map<string, Seconds>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const write = (name: string, bytes: ArrayBufferView) =>
      Deno.writeFile(
        `${folder}/${name}`,
        new Uint8Array(bytes.buffer as ArrayBuffer),
      );
    await write("train.bin", rowsOf(train));
    await write("test.bin", rowsOf(test));
    await write("labels.bin", train.labels);
    const script = new URL("./peers/learning.py", import.meta.url);
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.env.get("PYTHON") ?? "python3",
      {
        args: [script.pathname, folder, String(train.inputs.length)],
        env: { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
      },
    ).output();
    if (!success) {
      const why = new TextDecoder().decode(stderr).trim().split("\n").pop();
      print(`peers not measured: ${why}`);
      return;
    }
    for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
      const { name, fit, predict } = JSON.parse(line);
      note(into, name, fit, predict);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function printFits(
  ours: ReadonlyMap<string, Seconds>,
  peers: ReadonlyMap<string, Seconds>,
): void {
  const seconds = (values: readonly number[]) =>
    range(values, (value) => value.toFixed(value < 0.1 ? 3 : 2));
  const cells = (name: string, of: Seconds) => [
    name,
    seconds(of.fit),
    median(of.fit).toFixed(2),
    seconds(of.predict),
  ];
  const table = [["model", "fit, s", "median", "predict all, s"]];
  for (const [name, measured] of ours) {
    table.push(cells(name, measured));
    for (const [peer, theirs] of peers) {
      if (peer !== name && !peer.startsWith(`${name};`)) continue;
      const method = peer.slice(name.length + 2);
      const who = method ? `XGBoost, ${method}` : "scikit-learn";
      table.push(cells(`… ${who}`, theirs));
    }
  }
  print(markdownTable(table));
}

function printScoring(
  train: Examples,
  values: Float64Array,
  rows: number,
  runs: number,
): void {
  const table = [["model", "nodes", "batch, µs/row", "alone, µs", "why, µs"]];
  for (const [name, kind, settings] of SCORED) {
    const body = fitModel(kind, train, settings);
    const scorer = scorerOf(body, train.inputs);
    const micros: [number[], number[], number[]] = [[], [], []];
    for (let run = -1; run < runs; run++) {
      const measured = [
        timed(rows, () => scoreAll(scorer, values, rows)),
        timed(ALONE_ROWS, () => scoreAlone(scorer, values)),
        timed(EXPLAINED_ROWS, () => explain(scorer, values)),
      ];
      if (run >= 0) measured.forEach((value, at) => micros[at].push(value));
    }
    table.push([
      name,
      figure(nodesOf(body)),
      ...micros.map((of) => range(of, (value) => value.toPrecision(2))),
    ]);
  }
  print(markdownTable(table));
}

/** Microseconds a row. */
function timed(rows: number, work: () => void): number {
  const began = processorSeconds();
  work();
  return (processorSeconds() - began) * 1e6 / rows;
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function scoreAlone(scorer: Scorer, values: Float64Array): void {
  const width = scorer.inputs.length;
  const score = new Float64Array(1);
  for (let row = 0; row < ALONE_ROWS; row++) {
    scorer.score(values.subarray(row * width, (row + 1) * width), 1, score);
  }
}

function explain(scorer: Scorer, values: Float64Array): void {
  const width = scorer.inputs.length;
  const into = new Float64Array(width);
  for (let row = 0; row < EXPLAINED_ROWS; row++) {
    scorer.explain?.(values, row * width, into);
  }
}

function nodesOf(body: ModelBody): number {
  if (!("ensemble" in body)) return 1;
  const { ensemble } = body as TreesPart;
  return ensemble.trees.reduce((sum, { input }) => sum + input.length, 0);
}

if (import.meta.main) await main();
