import assert from "node:assert/strict";
import { partsOf, PaymentTable } from "../../src/cli/output/payment_table.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { emptyPayment } from "../../src/payment/payment.ts";
import { featureRowCells } from "../../src/features/feature_row.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
  toCells,
} from "../../src/payment/payment_cells.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { IdCursor } from "../../src/store/id_cursor.ts";
import { TEXT_SHAPE } from "../store/own_shape_contract.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../src/payment/prediction.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** A page of predictions: TRANSACTION_ID and score. */
function pageOf(rows: readonly (readonly [id: number, score: number])[]) {
  const page: PredictionRows = emptyPredictions(rows.length);
  rows.forEach(([id, score], row) => {
    page.cells[row * PREDICTION_CELLS + PREDICTION_CELL.id] = id;
    page.cells[row * PREDICTION_CELLS + PREDICTION_CELL.score] = score;
    page.versions[row] = "v1";
  });
  page.count = rows.length;
  return page;
}

testWriting(
  "a payment without a prediction has null, wherever it stands",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/t.jsonl`;
    const table = new PaymentTable({
      parts: ["features", "prediction"],
      features: HANDBOOK_FEATURES,
      format: "jsonl",
      partlyPredicted: true,
    });
    assert.equal(table.paymentCells, 1);
    const cursor = new IdCursor(pages(), PREDICTION_CELLS, HANDBOOK_SHAPE);
    const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
    const found: boolean[] = [];
    await using writer = await table.open(path, "jsonl");
    // In two batches, as a store gives its rows.
    for (const ids of [[1, 2], [3, 4, 6, 7]]) {
      table.clear(ids.length);
      for (const id of ids) {
        table.add(Float64Array.of(id), 0, totals);
        found.push(await cursor.find(id));
        table.predict(cursor.page, cursor.row);
      }
      await table.write(writer);
    }
    await writer.close();
    assert.deepEqual(found, [false, true, true, false, true, false]);
    const rows = Deno.readTextFileSync(path).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      rows.map((row) => [row.TRANSACTION_ID, row.SCORE, row.MODEL_VERSION]),
      [
        [1, null, null],
        [2, 0.25, "v1"],
        [3, 0.5, "v1"],
        [4, null, null],
        [6, 1, "v1"],
        [7, null, null],
      ],
    );
  },
);

async function* pages(): AsyncGenerator<PredictionRows> {
  yield await Promise.resolve(pageOf([[2, 0.25], [3, 0.5]]));
  yield pageOf([]);
  // 5 is a payment that the store does not have.
  yield pageOf([[5, 0.75], [6, 1]]);
}

testWriting("--with adds a payment's fields in their order", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  const table = new PaymentTable({
    parts: ["features", ...partsOf("label"), ...partsOf("payment")],
    features: { ...HANDBOOK_FEATURES, windowDays: [7] },
    format: "csv",
  });
  assert.equal(table.paymentCells, PAYMENT_CELLS);
  const cells = new Float64Array(PAYMENT_CELLS);
  toCells(
    {
      ...emptyPayment(),
      transactionId: 9,
      datetimeSeconds: 1522540831,
      customerId: 3,
      terminalId: 4,
      amount: 5.5,
      timeSeconds: 86_431,
      fraud: 1,
      scenario: 2,
    },
    cells,
    0,
  );
  await using writer = await table.open(path, "csv");
  table.clear(1);
  // Flags, then count and cents of each window.
  table.add(cells, 0, Float64Array.of(1, 0, 2, 701, 0, 0));
  await table.write(writer);
  await writer.close();
  assert.equal(
    Deno.readTextFileSync(path),
    "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
      "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO," +
      "TX_DURING_WEEKEND,TX_DURING_NIGHT,CUSTOMER_ID_NB_TX_7DAY_WINDOW," +
      "CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW,TERMINAL_ID_NB_TX_7DAY_WINDOW," +
      "TERMINAL_ID_RISK_7DAY_WINDOW\n" +
      "9,2018-04-01 00:00:31,3,4,5.5,86431,1,1,2,1,0,2,3.505,0,0\n",
  );
});

testWriting(
  "text ids and kept fields are texts and nulls, and predictions are found by the bytes of the id",
  async () => {
    await using folder = temporaryFolder();
    const features = HANDBOOK_FEATURES;
    const width = featureRowCells(features, TEXT_SHAPE);
    const ids = ["\uE000", "😀"]; // in UTF-16 the other way round
    const texts = new TextHeap();
    const cells = new Float64Array(width * ids.length);
    for (const [row, id] of ids.entries()) {
      const at = row * width;
      cells[at + CELL.id] = texts.addText(id);
      cells[at + CELL.customer] = texts.addText("12345678901234567890");
      cells[at + CELL.terminal] = texts.addText('"a", b');
      cells[at + CELL.fraud] = FRAUD_UNKNOWN;
      const kept = row === 0
        ? [texts.addText("1, 2"), 1.5, 1, 0]
        : [NO_TEXT, NaN, NaN, NaN];
      cells.set(kept, at + width - kept.length);
    }
    const page = pageOf([[0, 0.25]]);
    page.cells[0] = page.texts.addText(ids[1]);
    const lines: Record<string, string> = {};
    for (const format of ["csv", "jsonl"] as const) {
      const path = `${folder.path}/t.${format}`;
      const table = new PaymentTable({
        parts: ["label", ...partsOf("payment"), "prediction"],
        features,
        format,
        partlyPredicted: true,
        shape: TEXT_SHAPE,
      });
      const cursor = new IdCursor(only(page), PREDICTION_CELLS, TEXT_SHAPE);
      await using writer = await table.open(path, format);
      table.clear(ids.length);
      for (let at = 0; at < cells.length; at += width) {
        table.add(cells, at, new Float64Array(), 0, texts);
        await cursor.find(cells[at], texts);
        table.predict(cursor.page, cursor.row);
      }
      await table.write(writer);
      await writer.close();
      lines[format] = Deno.readTextFileSync(path);
    }
    const [header, first, second] = lines.csv.split("\n");
    assert.equal(
      header,
      "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
        "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,Order,city_pop,is_new,since," +
        "SCORE,ALERT,MODEL_VERSION,CONTRIBUTIONS",
    );
    const zero = "1970-01-01 00:00:00";
    const ours = `${zero},12345678901234567890,"""a"", b",0,0,0,`;
    assert.equal(first, `\uE000,${ours},"1, 2",1.5,1,${zero},,,,`);
    assert.match(second, /^😀,.*,,,,,,0\.25,/u);
    const [one, two] = lines.jsonl.trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      [one.TRANSACTION_ID, one.CUSTOMER_ID, one.TX_FRAUD, one.Order],
      ["\uE000", "12345678901234567890", null, "1, 2"],
    );
    assert.deepEqual(
      [one.is_new, one.since, one.SCORE],
      [1, "1970-01-01T00:00:00Z", null],
    );
    assert.deepEqual([two.Order, two.since, two.SCORE], [null, null, 0.25]);
  },
);

async function* only(page: PredictionRows): AsyncGenerator<PredictionRows> {
  yield await Promise.resolve(page);
}
