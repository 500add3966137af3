import assert from "node:assert/strict";
import fc from "fast-check";
import {
  FeatureJsonReader,
  FeatureJsonWriter,
} from "../../src/features/feature_row.ts";
import {
  fromCells,
  PAYMENT_CELLS,
  toCells,
} from "../../src/payment/payment_cells.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../../src/features/parameters.ts";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { PaymentJsonReader } from "../../src/payment/payment_json.ts";
import { payments, START_SECONDS } from "../payment/rows.ts";

const TWO_WINDOWS: FeatureParameters = {
  set: "handbook",
  windowDays: [2, 60],
  delayDays: 1,
  useLabels: true,
};

const EXTENDED: FeatureParameters = { ...TWO_WINDOWS, set: "extended" };

/** Feature values as they come from totals. */
function valuesOf(parameters: FeatureParameters): fc.Arbitrary<Float64Array> {
  const windows = parameters.windowDays.length;
  const side = fc.array(fc.tuple(fc.nat(5000), fc.nat(10 ** 9)), {
    minLength: windows,
    maxLength: windows,
  });
  const { length } = totalsLayout(parameters).scales;
  const extension = fc.array(fc.nat(10 ** 7), {
    minLength: length,
    maxLength: length,
  });
  return fc.tuple(fc.nat(1), fc.nat(1), side, side, extension).map(
    ([weekend, night, customer, terminal, extension]) => {
      const totals = [
        weekend,
        night,
        ...customer.flat(),
        ...terminal.flatMap(([n, frauds]) => [n, Math.min(n, frauds)]),
        ...extension,
      ];
      const values = new Float64Array(totals.length);
      totalsToValues(totals, totalsLayout(parameters), values);
      return values;
    },
  );
}

function written(
  parameters: FeatureParameters,
  row: Payment,
  values: Float64Array,
): Uint8Array {
  const writer = new ByteWriter(16);
  new FeatureJsonWriter(parameters).write(writer, row, values);
  return writer.view();
}

const AT = 5;

/** The cells of a record, or the reason why there are none. */
function read(parameters: FeatureParameters, bytes: Uint8Array) {
  const reader = new FeatureJsonReader(parameters);
  const cells = new Float64Array(
    AT + PAYMENT_CELLS + featureCount(parameters),
  );
  const defect = reader.read(bytes, 0, bytes.length, START_SECONDS, cells, AT);
  return defect ? defect.reason : [...cells.subarray(AT)];
}

Deno.test("a payment goes through cells unchanged", () => {
  fc.assert(fc.property(payments, (row) => {
    const cells = new Float64Array(3 + PAYMENT_CELLS);
    const back = emptyPayment();
    toCells(row, cells, 3);
    fromCells(cells, 3, back);
    assert.deepEqual(back, row);
  }));
});

for (const parameters of [HANDBOOK_FEATURES, TWO_WINDOWS, EXTENDED]) {
  const { set, windowDays } = parameters;
  Deno.test(`any feature row that is written reads as the same row, ${set} set, windows ${windowDays}`, () => {
    fc.assert(
      fc.property(payments, valuesOf(parameters), (row, values) => {
        const bytes = written(parameters, row, values);
        const cells = new Float64Array(PAYMENT_CELLS);
        toCells(row, cells, 0);
        assert.deepEqual(read(parameters, bytes), [...cells, ...values]);
        const plain = JSON.parse(new TextDecoder().decode(bytes));
        assert.deepEqual(Object.keys(plain).slice(9), featureNames(parameters));
        assert.deepEqual(Object.values(plain).slice(9), [...values]);
      }),
      { numRuns: 500 },
    );
  });
}

Deno.test("a feature row is a payment with more keys", () => {
  fc.assert(fc.property(payments, valuesOf(TWO_WINDOWS), (row, values) => {
    const bytes = written(TWO_WINDOWS, row, values);
    const back = emptyPayment();
    const reader = new PaymentJsonReader();
    const defect = reader.read(bytes, 0, bytes.length, START_SECONDS, back);
    assert.equal(defect, undefined);
    assert.deepEqual(back, row);
  }));
});

Deno.test("other spellings of a feature row read as the same row", () => {
  const values = valuesOf(HANDBOOK_FEATURES);
  fc.assert(
    fc.property(payments, values, fc.boolean(), (row, values, turned) => {
      const bytes = written(HANDBOOK_FEATURES, row, values);
      const entries = Object.entries(
        JSON.parse(new TextDecoder().decode(bytes)),
      );
      if (turned) entries.reverse();
      const object = { more: [1, 2], ...Object.fromEntries(entries) };
      const text = JSON.stringify(object, null, 2);
      assert.deepEqual(
        read(HANDBOOK_FEATURES, new TextEncoder().encode(text)),
        read(HANDBOOK_FEATURES, bytes),
      );
    }),
  );
});

const GOOD = {
  TRANSACTION_ID: 1,
  TX_DATETIME: "2018-04-01 00:01:00",
  CUSTOMER_ID: 2,
  TERMINAL_ID: 3,
  TX_AMOUNT: 4.5,
  TX_TIME_SECONDS: 60,
  TX_TIME_DAYS: 0,
  TX_FRAUD: 0,
  TX_FRAUD_SCENARIO: 0,
  TX_DURING_WEEKEND: 1,
  TX_DURING_NIGHT: 1,
  CUSTOMER_ID_NB_TX_2DAY_WINDOW: 1,
  CUSTOMER_ID_AVG_AMOUNT_2DAY_WINDOW: 4.5,
  CUSTOMER_ID_NB_TX_60DAY_WINDOW: 1,
  CUSTOMER_ID_AVG_AMOUNT_60DAY_WINDOW: 4.5,
  TERMINAL_ID_NB_TX_2DAY_WINDOW: 3,
  TERMINAL_ID_RISK_2DAY_WINDOW: 1 / 3,
  TERMINAL_ID_NB_TX_60DAY_WINDOW: 4,
  TERMINAL_ID_RISK_60DAY_WINDOW: 0.5,
};

/** What becomes of a good record with one text of it replaced, read both ways. */
function readChanged(from: string, to: string) {
  const text = JSON.stringify(GOOD);
  assert.ok(text.includes(from));
  const changed = text.replace(from, to);
  const encoder = new TextEncoder();
  const fast = read(TWO_WINDOWS, encoder.encode(changed));
  const slow = read(TWO_WINDOWS, encoder.encode(changed + " "));
  assert.deepEqual(fast, slow);
  return fast;
}

Deno.test("a feature that is missing is named as that", () => {
  assert.equal(
    readChanged('"TX_DURING_NIGHT":1,', ""),
    "missing field",
  );
  assert.equal(
    readChanged(',"TERMINAL_ID_RISK_60DAY_WINDOW":0.5', ""),
    "missing field",
  );
});

Deno.test("a feature that is no number from 0 on is refused", () => {
  for (const value of ["-0.5", "null", '"0.5"', "true", "1e999"]) {
    assert.equal(
      readChanged('RISK_60DAY_WINDOW":0.5', `RISK_60DAY_WINDOW":${value}`),
      "wrong type",
      value,
    );
  }
});

Deno.test("a count or a flag that is no whole number is refused", () => {
  for (const value of ["1.5", "1e300", "9007199254740992"]) {
    for (
      const name of [
        "TX_DURING_WEEKEND",
        "CUSTOMER_ID_NB_TX_2DAY_WINDOW",
        "CUSTOMER_ID_NB_TX_60DAY_WINDOW",
      ]
    ) {
      assert.equal(
        readChanged(`${name}":1,`, `${name}":${value},`),
        "wrong type",
        `${name} ${value}`,
      );
    }
  }
});

Deno.test("a record whose payment is wrong is refused for that", () => {
  assert.equal(readChanged('"TX_FRAUD":0', '"TX_FRAUD":2'), "out of range");
  assert.equal(readChanged("{", "["), "not JSON");
});
