import assert from "node:assert/strict";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import {
  UnlabelledJsonReader,
  UnlabelledJsonWriter,
  WITHDRAWN,
} from "../../src/payment/label_record.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";

const START = Date.UTC(2018, 3, 1) / 1000;
const PAYMENT: Payment = {
  transactionId: 2 ** 40,
  datetimeSeconds: START + 90_061,
  customerId: 7,
  terminalId: 8,
  amount: 12.34,
  timeSeconds: 90_061,
  fraud: 0,
  scenario: 0,
};
const PAYMENT_JSON = '{"TRANSACTION_ID":1099511627776,' +
  '"TX_DATETIME":"2018-04-02 01:01:01","CUSTOMER_ID":7,"TERMINAL_ID":8,' +
  '"TX_AMOUNT":12.34,"TX_TIME_SECONDS":90061,"TX_TIME_DAYS":1}';

function written(write: (json: UnlabelledJsonWriter, to: ByteWriter) => void) {
  const writer = new ByteWriter();
  write(new UnlabelledJsonWriter(), writer);
  return new TextDecoder().decode(writer.view());
}

/** What a reader makes of a text: the record, or the message of its defect. */
function read(text: string) {
  const bytes = new TextEncoder().encode(text);
  const reader = new UnlabelledJsonReader();
  const row = emptyPayment();
  const defect = reader.read(bytes, 0, bytes.length, START, row);
  if (defect) return defect.message;
  return reader.isLabel ? { row, known: reader.knownSeconds } : { row };
}

/** A label record with other members. */
function labelWith(more: object): string {
  return JSON.stringify({ ...JSON.parse(PAYMENT_JSON), ...more });
}

Deno.test("a payment without a label is written so, and read without one whatever it says", () => {
  assert.equal(written((json, to) => json.write(to, PAYMENT)), PAYMENT_JSON);
  assert.deepEqual(read(PAYMENT_JSON), { row: PAYMENT });
  const more = { TX_FRAUD: 1, TX_FRAUD_SCENARIO: 3, x: 1 };
  assert.deepEqual(read(labelWith(more)), { row: PAYMENT });
  assert.deepEqual(read(labelWith({ TX_FRAUD: "?" })), { row: PAYMENT });
});

Deno.test("a label record is read as it was written, a withdrawal too", () => {
  for (const [fraud, scenario] of [[0, 0], [1, 3], [WITHDRAWN, 0]]) {
    const row = { ...PAYMENT, fraud, scenario };
    const text = written((json, to) => json.writeLabel(to, row, 100_000));
    assert.deepEqual(read(text), { row, known: 100_000 });
    const spelled = JSON.stringify(JSON.parse(text), null, 1);
    assert.deepEqual(read(spelled), { row, known: 100_000 });
  }
  const accepted = written((json, to) =>
    json.writeLabel(to, { ...PAYMENT, fraud: 1 }, 100_000, 100_001)
  );
  assert.deepEqual(JSON.parse(accepted), {
    ...JSON.parse(PAYMENT_JSON),
    TX_FRAUD: 1,
    TX_FRAUD_SCENARIO: 0,
    KNOWN_AT: "2018-04-02 03:46:40",
    KNOWN_TIME: "2018-04-02 03:46:41",
  });
});

Deno.test("a label record of another program may leave the scenario out and write the time otherwise", () => {
  const known = 100_000;
  const row = { ...PAYMENT, fraud: 1 };
  for (
    const KNOWN_AT of ["2018-04-02T03:46:40Z", "2018-04-02T05:46:40+02:00"]
  ) {
    const text = labelWith({ TX_FRAUD: true, KNOWN_AT });
    assert.deepEqual(read(text), { row, known });
  }
});

Deno.test("a label record that cannot be right is refused with the reason", () => {
  const KNOWN_AT = "2018-04-02 03:46:40";
  assert.match(String(read(labelWith({ KNOWN_AT }))), /TX_FRAUD is missing/);
  assert.match(
    String(read(labelWith({ TX_FRAUD: 2, KNOWN_AT }))),
    /TX_FRAUD 2 is not in 0…1/,
  );
  for (const wrong of ["yesterday", "2018-02-30 00:00:00", {}, null]) {
    assert.match(
      String(read(labelWith({ TX_FRAUD: 1, KNOWN_AT: wrong }))),
      /KNOWN_AT .* is not a date and time/,
    );
  }
  assert.match(
    String(read(labelWith({ TX_FRAUD: 1, KNOWN_AT: "2018-03-31 23:59:59" }))),
    /KNOWN_AT is before the first day/,
  );
  const spelled = PAYMENT_JSON.slice(0, -1) +
    ',"TX_FRAUD":,"TX_FRAUD_SCENARIO":0,"KNOWN_AT":"2018-04-02 03:46:40"}';
  assert.equal(typeof read(spelled), "string");
});
