/** Definitions that are suggested from names and values. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DataError } from "../../src/base/error.ts";
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  type SampleColumn,
  suggestDefinition,
} from "../../src/definition/suggestion.ts";
import { isLong } from "../long.ts";

/** The columns of lines of CSV without quotes. */
function columnsOf(...lines: string[]): SampleColumn[] {
  const [names, ...rows] = lines.map((line) => line.split(","));
  return names.map((name, at) => ({
    name,
    values: rows.map((row) => row[at]).filter((value) => value !== ""),
  }));
}

/** The lines of the suggestion without comments. */
function suggested(columns: readonly SampleColumn[]): string[] {
  return suggestDefinition(columns, "data.csv").split("\n")
    .filter((line) => line !== "" && !/^ *#/.test(line));
}

const SPARKOV = columnsOf(
  ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender," +
    "street,city,state,zip,lat,long,city_pop,job,dob,trans_num,unix_time," +
    "merch_lat,merch_long,is_fraud",
  "0,2019-01-01 00:00:18,2703186189652095,fraud_Rippin,misc_net,4.97,Jen," +
    "Banks,F,561 Perry,Moravian,NC,28654,36.07,-81.17,3495,Nurse,1988-03-09," +
    "0b242abb,1325376018,36.01,-82.04,0",
  "1,2019-01-01 00:00:44,630423337322,fraud_Heller,grocery_pos,107.23,Ann," +
    "Gill,F,43039 Riley,Orient,WA,99160,48.88,-118.21,149,Cook,1978-06-21," +
    "1f76529f,1325376044,49.15,-118.18,1",
);

const TABFORMER = columnsOf(
  "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name," +
    "Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?",
  "0,0,2002,9,1,06:21,$134.09,Swipe Transaction,3527213246127876953," +
    "La Verne,CA,91750.0,5300,,No",
  "0,0,2002,9,11,06:42,$-38.48,Swipe Transaction,-727612092139916043," +
    "Monterey Park,CA,91754.0,5411,,Yes",
);

Deno.test("Sparkov's columns", () => {
  assert.deepEqual(suggested(SPARKOV), [
    "version: 1",
    "payment:",
    "  TRANSACTION_ID: { from: trans_num, type: text }",
    '  TX_DATETIME: { from: trans_date_trans_time, format: "iso", zone: UTC }',
    "  CUSTOMER_ID: { from: cc_num, type: text }",
    "  TERMINAL_ID: { from: merchant, type: text }",
    "  TX_AMOUNT: { from: amt, decimals: 2 }",
    "  TX_FRAUD: is_fraud",
    "  keep:",
    "    category: text",
    "    city_pop: number",
    "  drop: [first, last, gender, street, dob]",
    "labels: { from: payment, delay: 7d }",
    "features: { include: handbook }",
  ]);
});

Deno.test("TabFormer's columns", () => {
  assert.deepEqual(suggested(TABFORMER), [
    "version: 1",
    "payment:",
    "  TRANSACTION_ID: { from: row }",
    '  TX_DATETIME: { from: [Year, Month, Day, Time], join: " ", format: ' +
    '"yyyy M d HH:mm", zone: UTC }',
    '  CUSTOMER_ID: { from: [User, Card], join: "-" }',
    "  TERMINAL_ID: { from: Merchant Name, type: text }",
    '  TX_AMOUNT: { from: Amount, decimals: 2, prefix: "$", refunds: true }',
    '  TX_FRAUD: { from: "Is Fraud?", true: Yes, false: No }',
    "  keep:",
    "    use_chip: { from: Use Chip, type: text }",
    "    mcc: { from: MCC, type: text }",
    '    errors: { from: "Errors?", type: text }',
    "labels: { from: payment, delay: 7d }",
    "features: { include: handbook }",
  ]);
});

Deno.test("a suggestion maps the rows that it was made from", () => {
  for (const columns of [SPARKOV, TABFORMER]) {
    const text = suggestDefinition(columns, "data.csv");
    const mapper = new PaymentMapper(readDefinition(text, "suggestion"));
    for (const row of [0, 1]) {
      const values = mapper.fields.map((field) =>
        columns.find(({ name }) => name === field)?.values[row]
      );
      assert.equal(
        mapper.map(values, row + 1, emptyMappedPayment()),
        undefined,
      );
    }
  }
});

Deno.test("every guess has a comment, and doubts are named", () => {
  const text = suggestDefinition(
    columnsOf(
      "id,when,date,card_number,shop,amount",
      "1,x,03/04/2024 10:00:00,4111111111111111,A,1.234,50".replace(",50", ""),
      "2,x,05/06/2024 11:00:00,5500005555555559,B,2.345",
    ),
    "data.csv",
  );
  const lines = text.split("\n");
  for (const key of ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID"]) {
    const at = lines.findIndex((line) => line.startsWith(`  ${key}:`));
    assert.match(lines[at - 1], /^ {2}# \S/, key);
  }
  assert.match(text, /# date: .*'dd\/MM\/yyyy HH:mm:ss': day or month first\?/);
  assert.match(text, /# card_number: .*Looks like card numbers: 'hmac: true'/);
  assert.match(text, /CUSTOMER_ID: \{ from: card_number, type: text \}/);
  assert.match(text, /TRANSACTION_ID: \{ from: "?id"?, type: number \}/);
  assert.match(text, /# No column looks like a label/);
  assert.match(text, /labels: \{ from: stream/);
});

Deno.test("counts, decimal commas, and numbers of cards", () => {
  const [, , , time, card, , amount] = suggested([
    { name: "ts", values: ["1700000000123", "1700000001456"] },
    { name: "account", values: ["12", "7"] },
    { name: "merchant", values: ["A"] },
    { name: "value", values: ["1.234,50", "7,00"] },
  ]);
  assert.equal(
    time,
    '  TX_DATETIME: { from: "ts", format: "epoch-ms" }'.replace('"ts"', "ts"),
  );
  assert.equal(card, "  CUSTOMER_ID: { from: account, type: number }");
  assert.equal(
    amount,
    '  TX_AMOUNT: { from: value, decimals: 2, decimal: ",", thousands: "." }',
  );
});

Deno.test("data without a card, a terminal or a time is refused with the reason", () => {
  const ulb = columnsOf(
    `Time,${Array.from({ length: 28 }, (_, n) => `V${n + 1}`)},Amount,Class`,
    `0,${Array(28).fill("0.5")},149.62,0`,
  );
  const paysim = columnsOf(
    "step,type,amount,nameOrig,nameDest,isFraud",
    "1,PAYMENT,9839.64,C1231006815,M1979787155,0",
  );
  const cases: [SampleColumn[], RegExp][] = [
    [
      ulb,
      /^data.csv: no column looks like a card or customer \(Time, V1, .*…\); this is the ULB credit card data set/,
    ],
    [
      paysim,
      /^data.csv: no column looks like a date and time \(step, type, /,
    ],
    [
      columnsOf("timestamp,card,amount", "2024-01-01 00:00:00,1,2"),
      /no column looks like a terminal or merchant/,
    ],
    [
      columnsOf("timestamp,card,shop", "2024-01-01 00:00:00,1,2"),
      /no column looks like an amount/,
    ],
    [columnsOf("a,b", "1,2"), /no column looks like a card or customer/],
  ];
  for (const [columns, message] of cases) {
    assert.throws(() => suggestDefinition(columns, "data.csv"), (error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("whatever the names and values, a suggestion is a definition", () => {
  const name = fc.oneof(
    fc.constantFrom(
      ...["id", "row", "Card", "card#", "user", "TS", "date", "time", "Shop:"],
      ...["amount", "Value", "fraud?", "class", "mcc", "e-mail", "", "true"],
    ),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  const value = fc.constantFrom(
    ...["1", "007", "1.5", "$1,234.50", "2024-01-01 00:00:00", "01/02/2024"],
    ...["10:00", "Yes", "No", "0", "x", "1700000000", "4111111111111111"],
  );
  const column = fc.record({
    name,
    values: fc.array(value, { maxLength: 3 }),
  });
  const known: SampleColumn[] = [
    { name: "card_id", values: ["1"] },
    { name: "timestamp", values: ["1700000000"] },
    { name: "merchant", values: ["A"] },
    { name: "amt", values: ["1"] },
  ];
  fc.assert(
    fc.property(
      fc.array(column),
      fc.string({ unit: "binary" }),
      (more, source) => {
        const others = more.filter(({ name }, at) =>
          more.findIndex((one) => one.name === name) === at
        );
        const text = suggestDefinition([...others, ...known], source);
        readDefinition(text, "suggestion");
      },
    ),
    { numRuns: isLong ? 20_000 : 500 },
  );
});
