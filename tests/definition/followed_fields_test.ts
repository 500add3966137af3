/** Where a stream finds its fields in the payments of the one that it follows, and what it refuses. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { followedFields } from "../../src/definition/followed_fields.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";

const FLAG = "--follow=old";

const PAYMENT = {
  TRANSACTION_ID: "id",
  TX_DATETIME: "time",
  CUSTOMER_ID: "card",
  TERMINAL_ID: "shop",
  TX_AMOUNT: "amt",
  TX_FRAUD: "fraud",
};

/** A definition with other fields, and other labels. */
function definition(payment: object = {}, more: object = {}) {
  const content = {
    version: 1,
    payment: { ...PAYMENT, ...payment },
    ...more,
  };
  return readDefinition(JSON.stringify(content), "tests");
}

function fieldsOf(old: object, wanted: object) {
  return followedFields(definition(old), definition(wanted), FLAG);
}

Deno.test("records are taken as they are where both definitions keep the same", () => {
  const keep = { category: "text", age: "number" };
  assert.deepEqual(fieldsOf({ keep }, { keep }), {
    mapping: undefined,
    passed: [],
  });
  assert.equal(fieldsOf({ keep }, {}).mapping, undefined);
  const some = fieldsOf({ keep }, { keep: { age: "number" } });
  assert.equal(some.mapping, undefined);
});

Deno.test("kept fields come from where the followed stream has them", () => {
  const old = { keep: { kind: { from: "category", type: "text" } } };
  const keep = {
    category: "text",
    population: { from: "city_pop", type: "number" },
    place: { from: "shop", type: "text" },
  };
  const { mapping, passed } = fieldsOf(old, { keep, drop: ["x"] });
  assert.deepEqual(
    mapping?.payment.keep.map(({ name, from }) => [name, from]),
    [["category", "kind"], ["place", "TERMINAL_ID"], [
      "population",
      "city_pop",
    ]],
  );
  assert.deepEqual(mapping?.payment.drop, ["x"]);
  assert.deepEqual(mapping?.payment.time.from, ["TX_DATETIME"]);
  assert.deepEqual(passed, ["population"]);
});

const REFUSED: readonly (readonly [string, object, object, RegExp])[] = [
  ["dropped", { drop: ["zip"] }, { keep: { zip: "text" } }, /'zip'.*drops it/],
  ["all dropped", { drop: "all" }, { keep: { zip: "text" } }, /'zip'.*drops/],
  [
    "another type",
    { keep: { age: "number" } },
    { keep: { age: "text" } },
    /'age'.*keeps it as a number, not a text/,
  ],
  [
    "a core field",
    {},
    { keep: { price: { from: "amt", type: "number" } } },
    /'amt'.*another field/,
  ],
  [
    "number and text ids",
    {},
    { CUSTOMER_ID: { from: "card", type: "number" } },
    /CUSTOMER_ID that is a text.* number/,
  ],
  [
    "pseudonyms",
    { CUSTOMER_ID: { from: "card", hmac: true } },
    {},
    /CUSTOMER_ID with hmac: true.* false/,
  ],
  [
    "decimals",
    {},
    { TX_AMOUNT: { from: "amt", decimals: 3 } },
    /decimals: 2.* 3/,
  ],
  [
    "refunds",
    { TX_AMOUNT: { from: "amt", refunds: true } },
    {},
    /refunds: true.* false/,
  ],
  [
    "currencies",
    { TX_AMOUNT: { from: "amt", currency: "USD" } },
    { TX_AMOUNT: { from: "amt", currency: "EUR" } },
    /USD.* EUR/,
  ],
  [
    "scenario",
    {},
    { TX_FRAUD_SCENARIO: "scenario" },
    /'TX_FRAUD_SCENARIO'/,
  ],
];

Deno.test("what a followed stream does not have is refused by name", () => {
  for (const [name, old, wanted, message] of REFUSED) {
    assert.throws(() => fieldsOf(old, wanted), (error: Error) => {
      assert.ok(error instanceof ConfigError, name);
      assert.match(error.message, message, name);
      assert.ok(error.message.startsWith(FLAG), name);
      return true;
    });
  }
  const later = definition({}, { labels: { from: "stream", delay: "7d" } });
  assert.throws(
    () => followedFields(definition(), later, FLAG),
    /labels with from: payment.* stream/,
  );
});
