/** Rows of other people's data as payments. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ConfigError } from "../../src/base/error.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import {
  emptyMappedPayment,
  FRAUD_UNKNOWN,
  type MappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import {
  openDefinition,
  readDefinition,
} from "../../src/definition/read_definition.ts";
import type { RawValue, Rejection } from "../../src/definition/rejection.ts";

const SMALL = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  TX_FRAUD: fraud
`;

/** A row that SMALL maps. */
const ROW: Readonly<Record<string, RawValue>> = {
  id: "t1",
  time: "2024-01-01 00:00:01",
  card: "c1",
  shop: "s1",
  amount: "1.50",
  fraud: "0",
};

/** The payment or the rejection of a row, by the text of a definition. */
function map(
  text: string,
  row: Readonly<Record<string, RawValue>>,
  number = 1,
): MappedPayment | Rejection {
  const mapper = new PaymentMapper(readDefinition(text, "s"));
  const into = emptyMappedPayment();
  const values = mapper.fields.map((field) => row[field]);
  return mapper.map(values, number, into) ?? into;
}

/** What a kept field of the row `value: …` becomes, or the reason of its rejection. */
function kept(declaration: string, value: RawValue): unknown {
  const text = `${SMALL}  keep: { value: ${declaration} }\n`;
  const found = map(text, { ...ROW, value });
  return "reason" in found ? `! ${found.reason}` : found.kept[0];
}

Deno.test("a row of Sparkov", () => {
  const header = ",trans_date_trans_time,cc_num,merchant,category,amt,first," +
    "last,gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num," +
    "unix_time,merch_lat,merch_long,is_fraud";
  const line =
    "0,2019-01-01 00:00:18,2703186189652095,fraud_Rippin,misc_net,4.97," +
    "Jennifer,Banks,F,561 Perry Cove,Moravian Falls,NC,28654,36.0788," +
    "-81.1781,3495,Psychologist,1988-03-09,0b242abb623afc578575680df30655b9," +
    "1325376018,36.011293,-82.048315,0";
  const names = header.split(",");
  const cells = line.split(",");
  const mapper = new PaymentMapper(openDefinition("sparkov"));
  const into = emptyMappedPayment();
  const values = mapper.fields.map((field) => cells[names.indexOf(field)]);
  assert.equal(mapper.map(values, 1, into), undefined);
  assert.deepEqual(into, {
    transactionId: "0b242abb623afc578575680df30655b9",
    datetimeSeconds: Date.parse("2019-01-01T00:00:18Z") / 1000,
    customerId: "2703186189652095",
    terminalId: "fraud_Rippin",
    amountUnits: 497,
    fraud: 0,
    scenario: 0,
    kept: ["misc_net", 3495, 36.0788, -81.1781, 36.011293, -82.048315],
  });
  assert.deepEqual(names.filter((name) => mapper.isRest(name)), [
    ...["city", "state", "zip", "job", "unix_time"],
  ]);
});

Deno.test("a row of TabFormer", () => {
  const mapper = new PaymentMapper(openDefinition("tabformer"));
  const row: Record<string, RawValue> = {
    User: "0",
    Card: "0",
    Year: "2002",
    Month: "9",
    Day: "1",
    Time: "06:21",
    Amount: "$134.09",
    "Use Chip": "Swipe Transaction",
    "Merchant Name": "3527213246127876953",
    MCC: "5300",
    "Errors?": "",
    "Is Fraud?": "No",
  };
  const into = emptyMappedPayment();
  const values = () => mapper.fields.map((field) => row[field]);
  assert.equal(mapper.map(values(), 17, into), undefined);
  assert.deepEqual(into, {
    transactionId: 17,
    datetimeSeconds: Date.parse("2002-09-01T06:21:00Z") / 1000,
    customerId: "0-0",
    terminalId: "3527213246127876953",
    amountUnits: 13409,
    fraud: 0,
    scenario: 0,
    kept: [null, "5300", "Swipe Transaction"],
  });
  Object.assign(row, {
    Amount: "$-99.00",
    "Merchant Name": -1288082279022882052n,
    "Is Fraud?": "Yes",
    "Errors?": "Bad PIN,",
  });
  assert.equal(mapper.map(values(), 18, into), undefined);
  assert.equal(into.amountUnits, -9900);
  assert.equal(into.terminalId, "-1288082279022882052");
  assert.equal(into.fraud, 1);
  assert.deepEqual(into.kept, ["Bad PIN,", "5300", "Swipe Transaction"]);
  row["Is Fraud?"] = "maybe";
  assert.deepEqual(mapper.map(values(), 19, into), {
    reason: "wrong type",
    field: "Is Fraud?",
    message: 'Is Fraud? "maybe" is neither Yes nor No',
  });
});

Deno.test("a row of the handbook keeps its numbers", () => {
  const mapper = new PaymentMapper(openDefinition("handbook"));
  const into = emptyMappedPayment();
  const row: Record<string, RawValue> = {
    TRANSACTION_ID: "12",
    TX_DATETIME: "2018-04-01 00:00:31",
    CUSTOMER_ID: 596,
    TERMINAL_ID: 3156n,
    TX_AMOUNT: 57.16,
    TX_FRAUD: true,
    TX_FRAUD_SCENARIO: "3",
  };
  const values = mapper.fields.map((field) => row[field]);
  assert.equal(mapper.map(values, 1, into), undefined);
  assert.deepEqual(into, {
    transactionId: 12,
    datetimeSeconds: Date.parse("2018-04-01T00:00:31Z") / 1000,
    customerId: 596,
    terminalId: 3156,
    amountUnits: 5716,
    fraud: 1,
    scenario: 3,
    kept: [],
  });
  // What follows from the others is not taken along as a further field.
  assert.ok(!mapper.isRest("TX_TIME_SECONDS"));
});

Deno.test("a row is rejected for its first wrong field", () => {
  const cases: [Record<string, RawValue>, string][] = [
    [{ id: "", time: "x" }, "id is missing or empty"],
    [{ time: undefined }, "time is missing or empty"],
    [
      { time: "2024-13-01 00:00:00" },
      'time "2024-13-01 00:00:00" is not an ISO 8601 date and time such as ' +
      "2024-01-31 09:30:00",
    ],
    [
      { time: 1_700_000_000 },
      "time 1700000000 is not an ISO 8601 date and time such as 2024-01-31 " +
      "09:30:00",
    ],
    [{ card: null }, "card is missing or empty"],
    [{ card: { id: 1 } }, "card {…} is not a whole number or text"],
    [{ shop: ["a"] }, "shop […] is not a whole number or text"],
    [{ amount: "" }, "amount is missing or empty"],
    [{ fraud: "" }, "fraud is missing or empty"],
    [{ fraud: "2" }, 'fraud "2" is neither 1 nor 0'],
    [
      { fraud: "x".repeat(500) },
      `fraud "${"x".repeat(56)}… is neither 1 nor 0`,
    ],
  ];
  for (const [change, message] of cases) {
    const found = map(SMALL, { ...ROW, ...change });
    assert.ok("message" in found);
    assert.equal(found.message, message);
  }
});

Deno.test("times of Parquet, and blanks around values", () => {
  const at = (row: Record<string, RawValue>) => {
    const found = map(SMALL, { ...ROW, ...row });
    return "reason" in found ? found.reason : found.datetimeSeconds;
  };
  assert.equal(at({ time: new Date(1999) }), 1);
  assert.equal(at({ time: new Date(-1) }), -1);
  assert.equal(at({ time: new Date(NaN) }), "invalid time");
  assert.equal(at({ time: " 1970-01-01 00:00:09 " }), 9);
  const epoch = SMALL.replace("time\n", "{ from: time, format: epoch-ms }\n");
  for (const time of [1999, 1999n, "1999", "1999.9", 1999.5]) {
    const found = map(epoch, { ...ROW, time });
    assert.ok(!("reason" in found));
    assert.equal(found.datetimeSeconds, 1);
  }
});

Deno.test("labels that are missing, by the rule of labels", () => {
  const stream = `${SMALL}labels: { from: stream }\n`;
  for (const fraud of ["", null, undefined]) {
    const found = map(stream, { ...ROW, fraud });
    assert.ok(!("reason" in found));
    assert.equal(found.fraud, FRAUD_UNKNOWN);
  }
  const known = map(stream, { ...ROW, fraud: "1" });
  assert.ok(!("reason" in known) && known.fraud === 1);
  const none = map(SMALL.replace(/.*TX_FRAUD.*\n/, ""), ROW);
  assert.ok(!("reason" in none) && none.fraud === FRAUD_UNKNOWN);
});

Deno.test("flags", () => {
  for (
    const value of ["1", "1.0", "true", "True", "TRUE", " 1 ", 1, 1n, true]
  ) {
    assert.equal(kept("flag", value), 1, String(value));
  }
  for (const value of ["0", "0.0", "false", "False", "FALSE", 0, 0n, false]) {
    assert.equal(kept("flag", value), 0, String(value));
  }
  for (const value of ["yes", "2", "-1", {}, "tRuE"]) {
    assert.equal(kept("flag", value), "! wrong type", String(value));
  }
  const yes = "{ type: flag, true: [Yes, Y] }";
  assert.equal(kept(yes, "Y"), 1);
  assert.equal(kept(yes, "anything else"), 0);
  assert.equal(kept(yes, ""), null);
});

Deno.test("kept fields", () => {
  for (const type of ["text", "number", "flag", "time"]) {
    for (const value of ["", null, undefined]) {
      assert.equal(kept(type, value), null);
    }
  }
  assert.equal(kept("text", " a\n"), " a\n");
  assert.equal(kept("text", 12), "12");
  assert.equal(kept("text", 9007199254740993n), "9007199254740993");
  assert.equal(kept("text", false), "false");
  assert.equal(kept("text", new Date(0)), "1970-01-01T00:00:00.000Z");
  assert.equal(kept("text", {}), "! wrong type");
  assert.equal(kept("text", "a\0"), "! invalid text");
  assert.equal(kept("text", "\ud800"), "! invalid text");
  assert.equal(kept("text", "😀".repeat(256)), "😀".repeat(256));
  assert.equal(kept("text", "😀".repeat(256) + "a"), "! out of range");
  assert.equal(kept("number", "-1.5e-3"), -0.0015);
  assert.equal(kept("number", ".5"), 0.5);
  assert.equal(kept("number", " 7 "), 7);
  for (const text of ["-105.9554", "39.678", "007", "0.1", "123456789012345"]) {
    assert.equal(kept("number", text), Number(text));
  }
  assert.equal(kept("number", "5."), 5);
  assert.equal(kept("number", 7n), 7);
  assert.ok(Object.is(kept("number", "-0"), 0));
  for (
    const value of [
      "NaN",
      "Infinity",
      "1e999",
      NaN,
      "0x1",
      "1,5",
      true,
      "-",
      "1-2",
      "1.2.3",
    ]
  ) {
    assert.equal(kept("number", value), "! wrong type", String(value));
  }
  assert.equal(kept("time", "1970-01-01T00:00:01Z"), 1);
  assert.equal(kept("{ type: time, format: epoch-s }", "5"), 5);
  assert.equal(kept("time", "yesterday"), "! invalid time");
});

Deno.test("what travels with the payment", () => {
  const isRest = (text: string, field: string) =>
    new PaymentMapper(readDefinition(text, "s")).isRest(field);
  const keep = `${SMALL}  keep: { mcc: { from: MCC, type: text } }\n`;
  assert.ok(isRest(SMALL, "other"));
  // What is read, has the name of another field of the record, or no name.
  for (const field of ["card", "CUSTOMER_ID", "MCC", "mcc", ""]) {
    assert.ok(!isRest(keep, field), field);
  }
  // A record with it would be a label.
  const labels = (from: string) => `${SMALL}labels: { from: ${from} }\n`;
  for (const field of ["KNOWN_AT", "KNOWN_TIME"]) {
    assert.ok(!isRest(labels("stream"), field), field);
    assert.ok(isRest(SMALL, field), field);
  }
  assert.ok(!isRest(`${SMALL}  drop: [cvv]\n`, "cvv"));
  assert.ok(isRest(`${SMALL}  drop: [cvv]\n`, "other"));
  assert.ok(!isRest(`${SMALL}  drop: all\n`, "other"));
});

Deno.test("pseudonyms replace the card, and need their key", () => {
  const text = SMALL.replace("card", "{ from: card, hmac: true }");
  const definition = readDefinition(text, "s");
  assert.throws(() => new PaymentMapper(definition), ConfigError);
  const key = new TextEncoder().encode("a key of thirty-two bytes or more");
  const mapper = new PaymentMapper(definition, key);
  const into = emptyMappedPayment();
  const values = mapper.fields.map((field) => ROW[field]);
  assert.equal(mapper.map(values, 1, into), undefined);
  assert.equal(
    into.customerId,
    createHmac("sha256", key).update("c1").digest("base64url"),
  );
  assert.equal(into.terminalId, "s1");
});

Deno.test("every built-in definition maps without a key", () => {
  for (const name of Object.keys(BUILT_IN_DEFINITIONS)) {
    assert.ok(new PaymentMapper(openDefinition(name)).fields.length >= 5);
  }
});
