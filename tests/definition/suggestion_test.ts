/** Definitions that are suggested from names and values. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DataError } from "../../src/base/error.ts";
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import type { SampleColumn } from "../../src/definition/sample_column.ts";
import { suggestDefinition } from "../../src/definition/suggestion.ts";
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

Deno.test("the feature that a suggestion shows in a comment can be declared", () => {
  const text = suggestDefinition(SPARKOV, "data.csv");
  const declared = text.replace(
    /# (CARD_TX_1H: .*)\nfeatures: \{ include: handbook \}\n/,
    "features:\n  include: handbook\n  $1\n",
  );
  const { declared: features } = readDefinition(declared, "s.yaml").features;
  assert.deepEqual(features.map(({ name }) => name), ["CARD_TX_1H"]);
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
  assert.match(
    text,
    /# date: .*'dd\/MM\/yyyy HH:mm:ss', since no day is above 12: day or month first\?/,
  );
  assert.match(text, /# card_number: .*Looks like card numbers: 'hmac: true'/);
  assert.match(text, /CUSTOMER_ID: \{ from: card_number, type: text \}/);
  assert.match(text, /TRANSACTION_ID: \{ from: "?id"?, type: number \}/);
  assert.match(text, /# No column looks like a label/);
  assert.match(text, /labels: \{ from: stream/);
});

/** The suggestion for columns that say everything but the time, and this one. */
function timeLines(time: SampleColumn, ...more: SampleColumn[]): string[] {
  const text = suggestDefinition([
    time,
    ...more,
    { name: "card", values: ["1"] },
    { name: "shop", values: ["A"] },
    { name: "amount", values: ["1.50"] },
  ], "data.csv");
  const lines = text.split("\n");
  const at = lines.findIndex((line) => line.startsWith("  TX_DATETIME:"));
  return [lines[at].trim(), lines[at - 1].trim()];
}

/** A value for each of some days of January 2024, the day where `date` has 'D'. */
function january(date: string, days: readonly number[]): string[] {
  return days.map((day) => date.replace("D", String(day).padStart(2, "0")));
}

Deno.test("days above 12 decide whether the day or the month comes first", () => {
  const cases: [string, readonly number[], string][] = [
    ["D.01.2024 10:00:00", [1, 2, 3], "dd.MM.yyyy HH:mm:ss"],
    ["D.01.2024 10:00:00", [1, 2, 30], "dd.MM.yyyy HH:mm:ss"],
    ["01.D.2024 10:00:00", [1, 2, 30], "MM.dd.yyyy HH:mm:ss"],
    ["D/01/2024 10:00", [1, 2, 30], "dd/MM/yyyy HH:mm"],
    ["01/D/2024 10:00", [1, 2, 30], "MM/dd/yyyy HH:mm"],
    ["1/D/24 9:05 PM", [11, 12, 30], "M/d/yy h:mm a"],
    ["D.1.24 9:05", [11, 12, 30], "d.M.yy H:mm"],
    ["01/D/2024 10:00", [1, 2, 3], "MM/dd/yyyy HH:mm"],
  ];
  for (const [date, days, format] of cases) {
    const [line, why] = timeLines({ name: "ts", values: january(date, days) });
    assert.ok(line.includes(`format: "${format}"`), `${date}: ${line}`);
    const isOpen = Math.max(...days) < 13;
    assert.equal(/day or month first\?/.test(why), isOpen, `${date}: ${why}`);
  }
});

Deno.test("a few wrong times do not hide the format, and are counted", () => {
  const days = Array.from({ length: 28 }, (_, day) => day + 1);
  const values = january("D.01.2024 10:00:00", days);
  const [line, why] = timeLines({
    name: "ts",
    values: [...values, "unknown", "30.02.2024 10:00:00"],
  });
  assert.match(line, /format: "dd\.MM\.yyyy HH:mm:ss"/);
  assert.match(
    why,
    /2 of 30 values are no such times: these rows are rejected/,
  );
});

Deno.test("a time is found by its values where no name is known", () => {
  const value = "2024-01-01 10:00:00";
  const [one] = timeLines({ name: "Zeitpunkt", values: [value] });
  assert.match(one, /from: Zeitpunkt, format: "iso"/);
  const [line, why] = timeLines(
    { name: "versandt", values: ["01.02.2024 09:00"] },
    { name: "bezahlt", values: ["01.02.2024 08:00"] },
    { name: "dob", values: [value] },
  );
  assert.match(line, /from: versandt, format: "dd\.MM\.yyyy HH:mm"/);
  assert.match(why, /or is it bezahlt\?/);
  // A number is no time, unless its name says so.
  const number = { name: "code", values: ["1700000000"] };
  assert.throws(() => timeLines(number), /no column looks like a date/);
  const [count] = timeLines({ name: "sold_at", values: number.values });
  assert.match(count, /from: sold_at, format: "epoch-s"/);
  for (const name of ["ordered_at", "order_date", "OrderDate", "paid_on"]) {
    const [line] = timeLines(
      { name: "shipped", values: ["2024-01-02 10:00:00"] },
      { name, values: [value] },
    );
    assert.ok(line.includes(`from: ${name},`), line);
  }
});

Deno.test("a date and a time of day in two columns, and a date alone", () => {
  const date = { name: "Buchungstag", values: ["30.01.2024", "31.01.2024"] };
  const clock = { name: "Uhrzeit", values: ["08:15", "9:30"] };
  const [both] = timeLines(date, clock);
  assert.match(
    both,
    /from: \[Buchungstag, Uhrzeit\], join: " ", format: "dd\.MM\.yyyy H:mm"/,
  );
  const [alone, why] = timeLines(date);
  assert.match(alone, /from: Buchungstag, format: "dd\.MM\.yyyy"/);
  assert.match(why, /without a time of day/);
});

Deno.test("shoppers, buyers and numbers of orders are found", () => {
  const core = [
    { name: "ordered_at", values: ["2024-01-01 10:00:00"] },
    { name: "total_amount", values: ["1.50"] },
  ];
  const cards = [
    "shopper",
    "buyer_id",
    "BuyerNo",
    "shopper_hash",
    "card_token",
  ];
  for (const card of cards) {
    for (const id of ["order_no", "order_id", "OrderNumber", "invoice_ref"]) {
      const lines = suggested([
        ...core,
        { name: id, values: ["A-1", "A-2", "A-3"] },
        { name: card, values: ["x", "y", "x"] },
        { name: "merchant_code", values: ["m"] },
      ]);
      assert.deepEqual(lines.slice(2, 6).map((line) => line.trim()), [
        `TRANSACTION_ID: { from: ${id}, type: text }`,
        'TX_DATETIME: { from: ordered_at, format: "iso", zone: UTC }',
        `CUSTOMER_ID: { from: ${card}, type: text }`,
        "TERMINAL_ID: { from: merchant_code, type: text }",
      ]);
    }
  }
});

Deno.test("texts that all differ are ids, whatever their name", () => {
  const rows = Array.from({ length: 20 }, (_, row) => row);
  const core = [
    { name: "ts", values: rows.map((row) => `2024-01-01 10:00:${row + 10}`) },
    { name: "card", values: rows.map((row) => String(row % 3)) },
    { name: "shop", values: rows.map((row) => `S${row % 3}`) },
    { name: "amount", values: rows.map((row) => `${row}.50`) },
    { name: "note", values: rows.map((row) => `thanks for ${row}`) },
    { name: "score", values: rows.map((row) => `0.${row}`) },
    { name: "email", values: rows.map((row) => `c${row}@example.com`) },
  ];
  const line = (columns: SampleColumn[]) =>
    suggested(columns).find((one) => one.includes("TRANSACTION_ID"))?.trim();
  assert.equal(line(core), "TRANSACTION_ID: { from: row }");
  const beleg = { name: "Beleg", values: rows.map((row) => `B-${row}-x`) };
  assert.equal(
    line([...core, beleg]),
    "TRANSACTION_ID: { from: Beleg, type: text }",
  );
});

Deno.test("missing and repeated ids are counted", () => {
  const rows = Array.from({ length: 200 }, (_, row) => row);
  const core = [
    { name: "ts", values: rows.map(() => "2024-01-01 10:00:00") },
    { name: "card", values: ["1"], missing: 199 },
    { name: "shop", values: rows.map((row) => `S${row % 3}`) },
    { name: "amount", values: rows.map((row) => `${row}.50`) },
  ];
  const comment = (id: SampleColumn) => {
    const lines = suggestDefinition([...core, id], "data.csv").split("\n");
    const at = lines.findIndex((one) => one.includes("TRANSACTION_ID:"));
    return lines.slice(at - 1, at + 1).join("\n");
  };
  const values = rows.map((row) => `o-${row}`);
  const few = { name: "order_no", values: values.slice(3), missing: 3 };
  assert.match(
    comment(few),
    /3 of 200 rows have no value: they are rejected.*\n.*from: order_no/,
  );
  const twice = { name: "order_no", values: [...values.slice(1), "o-5"] };
  assert.match(
    comment(twice),
    /1 of 200 values came before: its row is rejected.*\n.*from: order_no/,
  );
  const half = { name: "order_no", values: values.slice(100), missing: 100 };
  assert.match(
    comment(half),
    /100 of 200 rows have no order_no.*\n.*from: row/,
  );
});

Deno.test("amounts: a few that are none are counted, and refunds are named", () => {
  const amounts = (...values: string[]) =>
    suggestDefinition([
      { name: "ts", values: ["2024-01-01 10:00:00"] },
      { name: "card", values: ["1"] },
      { name: "shop", values: ["A"] },
      { name: "amount", values },
    ], "data.csv");
  const good = Array.from({ length: 20 }, (_, row) => `${row},50`);
  assert.match(
    amounts(...good, "n/a"),
    /1 of 21 values is no amount: its row is rejected.*\n.*decimal: ","/,
  );
  assert.match(
    amounts(...good),
    /# amount: .*a negative amount would be rejected; 'refunds: true'/i,
  );
  assert.throws(
    () => amounts("12,50 €", "13,50 €"),
    /no column looks like an amount \(.*\); amount has "12,50 €"/,
  );
});

Deno.test("names that were nested are known by their last words", () => {
  const lines = suggested([
    { name: "event", values: ["paid", "paid"] },
    { name: "payload_id", values: ["A-1", "A-2"] },
    { name: "payload.paidAt", values: ["2024-01-01T10:00:00Z"] },
    { name: "payload_amount_value", values: ["1.5"] },
    { name: "payloadBuyerId", values: ["k1", "k2"] },
    { name: "payload_buyer_email", values: ["k1@example.com"] },
    { name: "payload_merchant_code", values: ["m", "m"] },
    { name: "payload_merchant_name", values: ["Shop", "Shop"] },
  ]);
  assert.deepEqual(lines.slice(2, 8).map((line) => line.trim()), [
    "TRANSACTION_ID: { from: payload_id, type: text }",
    'TX_DATETIME: { from: "payload.paidAt", format: "iso", zone: UTC }',
    "CUSTOMER_ID: { from: payloadBuyerId, type: text }",
    "TERMINAL_ID: { from: payload_merchant_code, type: text }",
    "TX_AMOUNT: { from: payload_amount_value, decimals: 2 }",
    "drop: [payload_buyer_email]",
  ]);
});

Deno.test("fields that hold objects are named, with what to do", () => {
  const columns = [
    { name: "event", values: ["paid"] },
    { name: "payload", values: ["{}"], isNested: true },
  ];
  assert.throws(
    () => suggestDefinition(columns, "data.jsonl"),
    /\(event, payload\); payload holds further fields, and only .*YOUR_DATA\.md/,
  );
});

Deno.test("labels that some payments lack arrive later", () => {
  const columns = (missing: number): SampleColumn[] => [
    { name: "ts", values: ["2024-01-01 10:00:00"] },
    { name: "card", values: ["1"] },
    { name: "shop", values: ["A"] },
    { name: "amount", values: ["1.50"] },
    { name: "fraud", values: ["1", "0"], missing },
  ];
  const later = suggestDefinition(columns(1998), "data.csv");
  assert.match(
    later,
    /1,998 of 2,000 rows have no label.*mature.*\n.*TX_FRAUD/,
  );
  assert.match(later, /\nlabels: \{ from: stream, delay: 7d, grace: 1d \}/);
  assert.doesNotMatch(later, /rejected\.\n.*TX_FRAUD/);
  const carried = suggestDefinition(columns(0), "data.csv");
  assert.match(carried, /\nlabels: \{ from: payment, delay: 7d \}/);
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
