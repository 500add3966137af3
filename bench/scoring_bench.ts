/**
 * What a scored payment costs in one thread, part by part: reading the sink
 * record, scoring, writing the prediction, reading it, storing it. Each figure
 * is the best of many batches, so other work on the machine hardly shows.
 *
 *   deno run --allow-read bench/scoring_bench.ts --model=FILE
 */
import {
  FeatureJsonReader,
  FeatureJsonWriter,
} from "../src/features/feature_row.ts";
import { fromCells, PAYMENT_CELLS } from "../src/payment/payment_cells.ts";
import { FeatureOperator } from "../src/features/feature_operator.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../src/features/parameters.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  valueEnd,
  valueStart,
} from "../src/log/record_batch.ts";
import {
  decodeBatch,
  encodeBatch,
  sealBatch,
} from "../src/log/embedded/batch_codec.ts";
import { modelInUse, openModel } from "../src/scoring/open_model.ts";
import {
  PredictionJsonReader,
  PredictionJsonWriter,
} from "../src/payment/prediction_json.ts";
import { EmbeddedStore } from "../src/store/embedded/embedded_store.ts";
import { emptyPredictions } from "../src/payment/prediction.ts";
import { emptyPayment } from "../src/payment/payment.ts";
import { readFlags } from "./bench_flags.ts";
import { print } from "./figures.ts";

const ROWS = 4096;
const REPEATS = 60;
const FEATURES = HANDBOOK_FEATURES;
const WIDTH = PAYMENT_CELLS + featureCount(FEATURES);

/** Microseconds a row of the fastest of many repeats. */
async function cost(work: () => void | Promise<void>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const began = performance.now();
    const pending = work();
    if (pending) await pending;
    best = Math.min(best, performance.now() - began);
  }
  return best * 1000 / ROWS;
}

/** Rows like those of the sink topic: payments of some cards at some terminals. */
function sinkRows(): RecordBatchBuilder {
  const records = new RecordBatchBuilder();
  const json = new FeatureJsonWriter(FEATURES);
  const operator = new FeatureOperator(FEATURES);
  const row = emptyPayment();
  const totals = new Float64Array(featureCount(FEATURES));
  const values = new Float64Array(featureCount(FEATURES));
  for (let i = 0; i < ROWS; i++) {
    row.transactionId = i + 1_000_000;
    row.timeSeconds = i * 60;
    row.datetimeSeconds = Date.UTC(2018, 3, 1) / 1000 + row.timeSeconds;
    row.customerId = (i * 7919) % 500;
    row.terminalId = (i * 104_729) % 300;
    row.amount = (i * 7907) % 20_000 / 100;
    row.fraud = i % 97 === 0 ? 1 : 0;
    operator.process(row, totals);
    totalsToValues(totals, totalsLayout(FEATURES), values);
    records.writer.whole(row.terminalId);
    records.endKey();
    json.write(records.writer, row, values);
    records.endRecord(row.datetimeSeconds * 1000);
  }
  return records;
}

function batchOf(records: RecordBatchBuilder): RecordBatch {
  const encoded = encodeBatch(records);
  const { count } = encoded;
  const place = { topic: 1, partition: 0, base: 0, next: count, key: null };
  sealBatch(encoded, place);
  const batch = decodeBatch(encoded.data, place, true);
  if (!batch) throw new Error("the batch cannot be read");
  return batch;
}

async function main(): Promise<void> {
  const { model: path } = readFlags({ model: "" });
  const { scorer, cells: places, version } = await modelInUse(
    openModel(path),
    FEATURES,
  );
  const width = places.length;
  const sink = batchOf(sinkRows());
  const cells = new Float64Array(ROWS * WIDTH);
  const reader = new FeatureJsonReader(FEATURES);
  const read = await cost(() => {
    for (let i = 0; i < ROWS; i++) {
      const [from, to] = [valueStart(sink, i), valueEnd(sink, i)];
      const at = i * WIDTH;
      const defect = reader.read(sink.bytes, from, to, undefined, cells, at);
      if (defect) throw new Error(defect.message);
    }
  });
  const values = new Float64Array(ROWS * width);
  const scores = new Float64Array(ROWS);
  const gather = await cost(() => {
    for (let row = 0; row < ROWS; row++) {
      for (let i = 0; i < width; i++) {
        values[row * width + i] = cells[row * WIDTH + places[i]];
      }
    }
  });
  const score = await cost(() => scorer.score(values, ROWS, scores));
  const into = new Float64Array(width);
  const explain = await cost(() => {
    for (let row = 0; row < ROWS; row += 64) {
      scorer.explain?.(values, row * width, into);
    }
  });
  const records = new RecordBatchBuilder();
  const json = new PredictionJsonWriter();
  const row = emptyPayment();
  const write = await cost(() => {
    records.clear();
    for (let i = 0; i < ROWS; i++) {
      fromCells(cells, i * WIDTH, row);
      records.writer.whole(row.transactionId);
      records.endKey();
      json.write(records.writer, cells, i * WIDTH, {
        score: scores[i],
        alert: false,
        version,
        inputs: scorer.inputs,
        contributions: undefined,
      });
      records.endRecord(row.datetimeSeconds * 1000);
    }
  });
  const deflate = await cost(() => void encodeBatch(records));
  const predictions = batchOf(records);
  const rows = emptyPredictions(ROWS);
  const back = new PredictionJsonReader();
  const readBack = await cost(() => {
    for (let i = 0; i < ROWS; i++) {
      const [from, to] = [valueStart(predictions, i), valueEnd(predictions, i)];
      const defect = back.read(predictions.bytes, from, to, rows, i);
      if (defect) throw new Error(defect.message);
    }
  });
  rows.count = ROWS;
  await using store = new EmbeddedStore({
    path: ":memory:",
    features: FEATURES,
    durable: false,
  });
  const insert = await cost(() => store.predictions().write(rows));
  const parts = {
    "read the sink record": read,
    "cells to inputs": gather,
    "score": score,
    "write the prediction": write,
    "deflate the batch": deflate,
    "read the prediction": readBack,
    "store it (SQLite)": insert,
    "an explanation, by itself": explain * 64,
  };
  for (const [part, microseconds] of Object.entries(parts)) {
    print(`${part.padEnd(26)} ${microseconds.toFixed(2)} µs`);
  }
}

if (import.meta.main) await main();
