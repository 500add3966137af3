/** Definitions: what is accepted, the hash of what they mean, and every message with its place. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError } from "../../src/base/error.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { longDeclaration } from "../../src/definition/feature_declarations.ts";
import {
  DEFINITION_SCHEMA,
  openDefinition,
  readDefinition,
} from "../../src/definition/read_definition.ts";
import {
  canonicalJson,
  definitionHash,
  sourceFields,
  type StreamDefinition,
} from "../../src/definition/stream_definition.ts";
import { isLong } from "../long.ts";
import { testWriting } from "../permission.ts";
import { schemaAccepts } from "./schema_check.ts";

const SHORT = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  TX_FRAUD: fraud
`;

/** The definition with the line of a key in payment replaced, or one added. */
function withPayment(line: string): string {
  const key = line.trimStart().split(":")[0];
  const lines = SHORT.trimEnd().split("\n");
  const at = lines.findIndex((one) => one.startsWith(`  ${key}:`));
  if (at < 0) lines.push(line);
  else lines[at] = line;
  return lines.join("\n") + "\n";
}

function hash(text: string): string {
  return definitionHash(readDefinition(text, "s"));
}

Deno.test("defaults are filled in", () => {
  const { payment, labels, features } = readDefinition(SHORT, "s");
  assert.deepEqual(payment, {
    transactionId: { from: ["id"], join: null, type: "text", hmac: false },
    time: { from: ["time"], join: null, format: "iso", zone: "UTC" },
    customerId: { from: ["card"], join: null, type: "text", hmac: false },
    terminalId: { from: ["shop"], join: null, type: "text", hmac: false },
    amount: {
      from: "amount",
      decimals: 2,
      currency: null,
      prefix: null,
      decimal: ".",
      thousands: null,
      refunds: false,
    },
    fraud: { from: "fraud", true: null, false: null },
    scenario: null,
    keep: [],
    drop: [],
  });
  assert.deepEqual(labels, { from: "payment", delaySeconds: 604_800 });
  assert.deepEqual(features, { include: "handbook", declared: [] });
  const later = readDefinition(SHORT.replace(/.*TX_FRAUD.*\n/, ""), "s");
  assert.deepEqual(later.labels, {
    from: "stream",
    delaySeconds: 604_800,
    graceSeconds: 86_400,
    matureSeconds: 604_800,
  });
  assert.ok(!canonicalJson(later).includes("mature"));
});

Deno.test("the built-in definitions are read, and come back from their canonical JSON", () => {
  assert.deepEqual(Object.keys(BUILT_IN_DEFINITIONS), [
    "handbook",
    "live",
    "sparkov",
    "tabformer",
  ]);
  for (const name of Object.keys(BUILT_IN_DEFINITIONS)) {
    const definition = openDefinition(name);
    const again = readDefinition(canonicalJson(definition), "json");
    assert.deepEqual(again, definition);
  }
});

Deno.test("the hashes of the built-in definitions never change", () => {
  // Streams on disk carry them: a change here makes those streams unreadable.
  const hashes = Object.keys(BUILT_IN_DEFINITIONS).map((name) => [
    name,
    definitionHash(openDefinition(name)).slice(0, 16),
  ]);
  assert.deepEqual(Object.fromEntries(hashes), {
    handbook: "fb7f02e294ff4613",
    live: "74d279c420689a66",
    sparkov: "761d0e42acbafb60",
    tabformer: "c07a9185c8e3843c",
  });
});

Deno.test("comments, order, quotes, line ends and short forms do not change the hash", () => {
  const expected = hash(SHORT);
  const same = [
    `\uFEFF# a comment\n${SHORT}`,
    SHORT.replaceAll("\n", "\r\n"),
    SHORT.replace("id\n", "'id' # comment\n"),
    SHORT + "features: { include: handbook }\nlabels:\n  from: payment\n",
    SHORT + "labels: { from: payment, delay: 168h }\n",
    SHORT.split("\n").filter((line) => line !== "version: 1").join("\n") +
    "version: 1\n",
    withPayment("  CUSTOMER_ID: { from: card, type: text, hmac: false }"),
    withPayment("  CUSTOMER_ID: { type: text, from: [card] }"),
    withPayment("  TX_DATETIME: { from: time, zone: Z }"),
    withPayment("  TX_DATETIME: { from: time, zone: Etc/UTC, format: iso }"),
    withPayment("  TX_AMOUNT: { refunds: false, from: amount, decimals: 2 }"),
    withPayment("  keep: {}"),
    withPayment("  drop: []"),
    JSON.stringify({
      payment: Object.fromEntries(
        SHORT.split("\n").slice(2, -1).map((line) => line.trim().split(": ")),
      ),
      version: 1,
    }),
  ];
  for (const text of same) assert.equal(hash(text), expected, text);
  const keep = hash(withPayment("  keep: { a: text, b: number, C: flag }"));
  assert.equal(
    hash(withPayment("  keep: { C: { type: flag }, b: number, a: text }")),
    keep,
  );
  assert.equal(
    hash(withPayment("  drop: [b, a]")),
    hash(withPayment("  drop: [a, b]")),
  );
  const other = [
    withPayment("  CUSTOMER_ID: { from: card, type: number }"),
    withPayment("  CUSTOMER_ID: Card"),
    withPayment("  TX_DATETIME: { from: time, zone: Europe/Berlin }"),
    withPayment("  TX_AMOUNT: { from: amount, refunds: true }"),
    withPayment("  drop: all"),
    withPayment("  drop: [other]"),
    withPayment("  TRANSACTION_ID: { from: row }"),
    withPayment("  TRANSACTION_ID: { from: [row] }"),
    withPayment("  TRANSACTION_ID: row"),
    SHORT + "labels: { from: payment, delay: 8d }",
    SHORT + "labels: { from: stream }",
    SHORT + "features: { include: none }",
  ];
  const hashes = other.map(hash);
  // A field called row, in either of its two forms.
  assert.equal(hashes[7], hashes[8]);
  assert.equal(new Set([expected, ...hashes]).size, other.length);
});

Deno.test("random definitions come back from their canonical JSON, and the schema accepts them", () => {
  const field = fc.stringMatching(/^[a-z][a-z ]{0,8}[a-z]$/);
  const fields = fc.uniqueArray(field, { minLength: 2, maxLength: 3 });
  const id = fc.oneof(
    field,
    fc.record({ from: field, type: fc.constantFrom("text", "number") }),
    fc.record({ from: fields, join: fc.constantFrom("-", " ", ": ") }),
  );
  const time = fc.oneof(
    field,
    fc.record({
      from: field,
      format: fc.constantFrom("iso", "yyyy-MM-dd'T'HH:mm", "d.M.yyyy H:mm"),
      zone: fc.constantFrom("UTC", "Europe/Berlin", "+05:30"),
    }),
    fc.record({ from: field, format: fc.constantFrom("epoch-s", "epoch-us") }),
  );
  const flag = fc.oneof(
    field,
    fc.record({
      from: field,
      true: fc.constantFrom("Yes", "1", ["Y", "y"]),
      false: fc.constantFrom("No", ["N", "0"]),
    }),
  );
  const definition = fc.record({
    version: fc.constant(1),
    payment: fc.record({
      TRANSACTION_ID: fc.oneof(id, fc.constant({ from: "row" })),
      TX_DATETIME: time,
      CUSTOMER_ID: id,
      TERMINAL_ID: id,
      TX_AMOUNT: fc.oneof(
        field,
        fc.record({
          from: field,
          decimals: fc.integer({ min: 0, max: 4 }),
          currency: fc.constantFrom("USD", "JPY"),
          prefix: fc.constantFrom("$", "EUR "),
          thousands: fc.constantFrom(",", "'"),
          refunds: fc.boolean(),
        }, { requiredKeys: ["from"] }),
      ),
      TX_FRAUD: flag,
      keep: fc.dictionary(
        fc.stringMatching(/^k[a-z]{0,5}$/),
        fc.constantFrom<unknown>(
          ...["text", "number", "flag", "time"],
          { from: "a", type: "time", format: "epoch-ms" },
          { type: "flag", true: "on", false: "off" },
        ),
        { maxKeys: 4 },
      ),
      drop: fc.uniqueArray(fc.stringMatching(/^X[A-Z]{0,3}$/)),
    }),
    labels: fc.constantFrom<unknown>(
      { from: "payment" },
      { from: "payment", delay: "14d" },
      { from: "stream", delay: "3d", grace: "10m" },
      { from: "stream", delay: "7d", mature: "45d" },
    ),
    features: fc.constantFrom<unknown>(
      { include: "handbook" },
      { include: "none" },
      {
        CARD_TX: { count: "payments", by: "CUSTOMER_ID", over: "10m" },
        MEAN: {
          ...{ mean: "TX_AMOUNT", by: ["TERMINAL_ID", "CUSTOMER_ID"] },
          ...{ over: "1h", where: "TX_AMOUNT > 5", include_self: false },
        },
        RISK: { share: "TX_FRAUD", by: "TERMINAL_ID", over: "30d" },
        RATIO: { expression: "TX_AMOUNT / MEAN" },
      },
    ),
  });
  fc.assert(
    fc.property(definition, (document) => {
      const text = JSON.stringify(document);
      const read = readDefinition(text, "s");
      const canonical = canonicalJson(read);
      assert.deepEqual(plain(readDefinition(canonical, "s")), plain(read));
      assert.equal(canonicalJson(readDefinition(canonical, "s")), canonical);
      assert.ok(schemaAccepts(DEFINITION_SCHEMA, document), text);
      assert.ok(schemaAccepts(DEFINITION_SCHEMA, JSON.parse(canonical)), text);
    }),
    { numRuns: isLong ? 20_000 : 300 },
  );
});

/** A definition without the places of what it declares. */
function plain({ features, ...definition }: StreamDefinition) {
  const declared = features.declared.map(longDeclaration);
  return { ...definition, features: { ...features, declared } };
}

/** What is wrong, the definition, and the message behind "s:". */
const REFUSED: readonly (readonly [text: string, message: string])[] = [
  [
    "",
    "1:1: the definition must have keys and values, such as { version: 1, payment: { … } }, not nothing",
  ],
  [
    "# nothing\n",
    "1:1: the definition must have keys and values, such as { version: 1, payment: { … } }, not nothing",
  ],
  [
    "- a\n",
    "1:1: the definition must have keys and values, such as { version: 1, payment: { … } }, not a list",
  ],
  [
    "version: 1\n",
    "1:1: the definition lacks payment: where the fields of a payment come from; write for example { version: 1, payment: { … } }",
  ],
  [
    SHORT.replace("version: 1", "version: 2"),
    '1:10: version must be 1, not "2"',
  ],
  [
    SHORT.replace("version: 1", 'version: "1"'),
    '1:10: version must be 1, not "1"',
  ],
  [
    SHORT.replace("version", "versoin"),
    "1:1: the definition has no key 'versoin'; its keys are version, payment, labels, features",
  ],
  [
    SHORT.replace(/.*TERMINAL_ID.*\n/, ""),
    "3:3: payment lacks TERMINAL_ID: the terminal or merchant; write for example { TRANSACTION_ID: id, TX_DATETIME: time, … }",
  ],
  [
    withPayment("  CUSTOMER_ID:"),
    "5:14: CUSTOMER_ID must be the name of a field in your data, not nothing",
  ],
  [
    withPayment("  CUSTOMER_ID: [a, b]"),
    "5:16: CUSTOMER_ID must be the name of a field in your data, not a list",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, kind: text }"),
    "5:27: CUSTOMER_ID has no key 'kind'; its keys are from, join, type, hmac",
  ],
  [
    withPayment("  CUSTOMER_ID: { type: text }"),
    "5:16: CUSTOMER_ID lacks from: name of the field in your data, or several to join; write for example { from: card_number, type: text }",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, type: string }"),
    '5:33: type must be text or number, not "string"',
  ],
  [
    withPayment("  CUSTOMER_ID: { from: [a, b] }"),
    `5:16: 'from' lists 2 fields: add 'join', the text between them, such as join: "-"`,
  ],
  [
    withPayment("  CUSTOMER_ID: { from: [a, a], join: x }"),
    "5:28: from lists 'a' twice; remove one",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: [], join: x }"),
    "5:24: from must have 1 to 8 items, not 0",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, join: x }"),
    "5:16: 'join' has no effect with one field; leave it out, or list the fields in 'from'",
  ],
  [
    withPayment('  CUSTOMER_ID: { from: [a, b], join: "" }'),
    "5:38: join must be text, not nothing",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: [a, b], join: x, type: number }"),
    "5:16: an id with join is text; leave 'type: number' out",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, hmac: yes }"),
    '5:33: hmac must be true or false, not "yes"',
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, hmac: 'true' }"),
    '5:33: hmac must be true or false, not "true"',
  ],
  [
    withPayment("  CUSTOMER_ID: { from: a, hmac: true, type: number }"),
    "5:16: an id with hmac is text; leave 'type: number' out",
  ],
  [
    withPayment("  CUSTOMER_ID: { from: shop, hmac: true }"),
    "3:3: 'shop' is replaced by a pseudonym (hmac: true) and also read without one, which would store it; remove one of the two",
  ],
  [
    withPayment("  TRANSACTION_ID: { from: row, type: number }"),
    "3:19: TRANSACTION_ID { from: row } takes no other key; write { from: [row] } for a field of that name",
  ],
  [
    withPayment("  TX_DATETIME: { from: t, format: YYYY-MM-dd }"),
    "4:35: format 'YYYY-MM-dd': 'YYYY' has no meaning here; known are yyyy, yy, MM, M, MMM, MMMM, dd, d, HH, H, hh, h, a, mm, m, ss, s, S, SSS, EEE, EEEE, XXX, X and Z; quote other letters, such as 'T'",
  ],
  [
    withPayment("  TX_DATETIME: { from: t, zone: CEST }"),
    '4:33: zone must be a zone such as UTC, Europe/Berlin or +02:00, not "CEST"',
  ],
  [
    withPayment("  TX_DATETIME: { from: t, zone: europe/berlin }"),
    '4:33: zone must be a zone such as UTC, Europe/Berlin or +02:00, not "europe/berlin"',
  ],
  [
    withPayment("  TX_DATETIME: { from: t, zone: Europe/Nowhere }"),
    '4:33: zone must be a zone such as UTC, Europe/Berlin or +02:00, not "Europe/Nowhere"',
  ],
  [
    withPayment("  TX_DATETIME: { from: t, format: epoch-s, zone: UTC }"),
    "4:16: 'zone' has no effect with epoch-s, which counts from 1970 UTC; leave it out",
  ],
  [
    withPayment("  TX_AMOUNT: { from: a, decimals: 5 }"),
    '7:35: decimals must be a whole number from 0 to 4, not "5"',
  ],
  [
    withPayment("  TX_AMOUNT: { from: a, currency: dollars }"),
    '7:35: currency must be a code such as USD, not "dollars"',
  ],
  [
    withPayment("  TX_AMOUNT: { from: a, thousands: x }"),
    `7:36: thousands must be one character such as ',', not "x"`,
  ],
  [
    withPayment("  TX_AMOUNT: { from: a, thousands: '.' }"),
    "7:14: 'thousands' and 'decimal' are both '.'; change one",
  ],
  [
    withPayment("  TX_AMOUNT: { from: a, decimal: x }"),
    `7:34: decimal must be '.' or ',', not "x"`,
  ],
  [
    withPayment("  TX_AMOUNT: { from: [a, b] }"),
    "7:22: from must be the name of a field in your data, not a list",
  ],
  [
    withPayment("  TX_FRAUD: { from: f, false: No }"),
    "8:13: 'false' has no effect without 'true'; add the text that means 1",
  ],
  [
    withPayment("  TX_FRAUD: { from: f, true: [a, b], false: b }"),
    "8:13: 'b' cannot mean both true and false; remove it from one",
  ],
  [
    withPayment("  keep: { 1st: text }"),
    "9:11: keep: the name '1st' must be a letter, then up to 63 letters, digits and _",
  ],
  [
    withPayment("  keep: { a: string }"),
    '9:14: a must be text, number, flag or time, not "string"',
  ],
  [
    withPayment("  keep: { a: text, A: text }"),
    "9:20: keep: 'a' and 'A' differ only in case; rename one",
  ],
  [
    withPayment("  keep: { Tx_Amount: text }"),
    "9:11: keep: the name 'Tx_Amount' belongs to a field or feature of the stream; choose another, such as MY_Tx_Amount: { from: Tx_Amount, type: text }",
  ],
  [
    withPayment("  keep: { score: number }"),
    "9:11: keep: the name 'score' belongs to a field or feature of the stream; choose another, such as MY_score: { from: score, type: text }",
  ],
  ...["RULES", "Shadow_Rules", "SHADOW_SCORES", "THRESHOLD"].map((
    name,
  ): [string, string] => [
    withPayment(`  keep: { ${name}: text }`),
    `9:11: keep: the name '${name}' belongs to a field or feature of the stream; choose another, such as MY_${name}: { from: ${name}, type: text }`,
  ]),
  [
    withPayment("  keep: { a: { from: b } }"),
    "9:14: a lacks type: text, number, flag or time; write for example { from: mcc, type: text }",
  ],
  [
    withPayment("  keep: { a: { type: text, zone: UTC } }"),
    "9:14: 'zone' has no effect with 'type: text'; it is for times",
  ],
  [
    withPayment("  keep: { a: { type: time, true: 1 } }"),
    "9:14: 'true' has no effect with 'type: time'; it is for flags",
  ],
  [
    withPayment("  keep: [a, b]"),
    "9:9: keep must have keys and values, such as { category: text, city_pop: number }, not a list",
  ],
  [
    withPayment("  drop: [card]"),
    "3:3: drop lists 'card', which the definition also reads; remove it from one of the two",
  ],
  [
    SHORT + "labels: { from: payment, grace: 1d }",
    "9:9: 'grace' has no effect with 'from: payment'; leave it out",
  ],
  [
    SHORT + "labels: { from: payment, mature: 7d }",
    "9:9: 'mature' has no effect with 'from: payment'; leave it out",
  ],
  [
    SHORT + "labels: { from: stream, mature: 36h }",
    "9:9: 'mature' must be whole days, such as 45d",
  ],
  [
    SHORT + "labels: { from: stream, grace: 2d, mature: 1d }",
    "9:9: 'mature' must not be shorter than 'grace'; change one of the two",
  ],
  [
    SHORT + "labels: { from: payment, delay: 7 }",
    '9:33: delay must be a duration like 90s, 10m, 1h or 7d, from 1m to 60d, not "7"',
  ],
  [
    SHORT + "labels: { from: payment, delay: 61d }",
    '9:33: delay must be a duration like 90s, 10m, 1h or 7d, from 1m to 60d, not "61d"',
  ],
  [
    SHORT + "labels: { from: payment, delay: 36h }",
    "9:9: features { include: handbook } needs a label delay in whole days, such as 7d",
  ],
  [
    SHORT + "labels: { from: stream, delay: 7d, grace: 7d }",
    "9:9: 'grace' must be shorter than 'delay'; change one of the two",
  ],
  [
    SHORT + "labels: { delay: 7d }",
    "9:9: labels lacks from: payment: the label stands in the payment; stream: labels arrive later on their own; write for example { from: payment, delay: 7d }",
  ],
  [
    SHORT.replace(/.*TX_FRAUD.*\n/, "") + "labels: { from: payment }",
    "8:9: labels { from: payment } needs TX_FRAUD in payment; add it, or write from: stream where labels arrive later",
  ],
  [
    SHORT + "labels: { from: stream }\nfeatures: { include: extended }",
    "9:9: features { include: extended } needs labels { from: payment }; write include: handbook",
  ],
  [
    SHORT +
    "features:\n  CARD_TX: { count: payments, by: CUSTOMER_ID, per: 10m }",
    "10:48: CARD_TX has no key 'per'; its keys are count, sum, mean, min, max, distinct, share, seconds_since, expression, by, over, delay, where, include_self, decimals, order",
  ],
  [
    SHORT + "features:\n  CARD_TX: { by: CUSTOMER_ID, over: 10m }",
    "10:3: CARD_TX must say what it computes: count, sum, mean, min, max, distinct, share, seconds_since or expression; write for example { count: payments, by: CUSTOMER_ID, over: 10m }",
  ],
  [
    SHORT + "features:\n  1H: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "10:3: features: the name '1H' must be a letter, then up to 63 letters, digits and _",
  ],
  [
    SHORT +
    "features:\n  LONG: { count: payments, by: CUSTOMER_ID, over: 80d, delay: 11d }",
    "10:51: LONG: 'over' and 'delay' together may be at most 90d; shorten one of the two",
  ],
  [
    SHORT + "features: { include: all }",
    '9:22: include must be handbook, extended or none, not "all"',
  ],
  // YAML itself.
  [
    SHORT + "  TX_FRAUD: other\n",
    '9:3: the key "TX_FRAUD" stands here twice; remove one',
  ],
  [
    SHORT + "\tkeep: {}\n",
    "9:1: tab characters must not be used in indentation; indent with spaces",
  ],
  [
    SHORT.replace("card", "&card card"),
    "5:16: anchors and aliases are not accepted; write the value itself",
  ],
  [
    SHORT.replace("card", "*card"),
    "5:16: anchors and aliases are not accepted; write the value itself",
  ],
  [
    SHORT.replace("card", "!!str card"),
    "5:16: tags are not accepted; leave the tag out, or put quotes around a value that begins with '!'",
  ],
  [
    SHORT + "---\nversion: 1\n",
    "9:1: a second document begins; write one definition per file",
  ],
  [
    SHORT.replace("version: 1", "? [version]\n: 1"),
    "1:3: a key must be a word, not a list or nothing; fix the YAML",
  ],
  [
    SHORT + "<<: { a: b }\n",
    "9:1: the definition has no key '<<'; its keys are version, payment, labels, features",
  ],
];

Deno.test("every error names the line, the column and what to write", () => {
  for (const [text, message] of REFUSED) {
    assert.throws(() => readDefinition(text, "s"), (error: Error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.message, `s:${message}`, text);
      return true;
    });
  }
});

Deno.test("hostile YAML is refused at once", () => {
  const lol = Array.from({ length: 9 }, (_, level) => {
    const before = level === 0 ? "lol" : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array(9).fill(before).join(", ")}]`;
  }).join("\n");
  const cases: [string, RegExp][] = [
    [lol, /^s:1:5: anchors and aliases/],
    ["[".repeat(60_000), /^s:1:\d+: nesting exceeded maxDepth/],
    ["{a: ".repeat(15_000), /^s:1:\d+: nesting exceeded maxDepth/],
    ["a: 'x", /^s:1:\d+: unexpected end/],
    ["a: \0", /^s:1:4: null byte/],
    [
      "#".repeat(10_000_000),
      /^s: it has 10000000 bytes and may have at most 65536; check that/,
    ],
    ["ü".repeat(40_000), /may have at most 65536/],
    [`a${"\n".repeat(60_000)}b: [`, /^s:60001:/],
    [SHORT.replace("card", "x".repeat(300)), /^s:5:16: CUSTOMER_ID must be/],
    [SHORT + "x".repeat(60_000) + ": 1\n", /^s:9:1: /],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => readDefinition(text, "s"), (error: Error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, expected);
      assert.ok(error.message.length < 400, error.message);
      return true;
    });
  }
});

Deno.test("random bytes are a definition or a ConfigError", () => {
  const piece = fc.constantFrom(
    ...[
      "version: 1",
      "payment:",
      "  keep:",
      "{",
      "}",
      "[",
      "]",
      ":",
      "-",
      "\n",
    ],
    ...["'", '"', "&a", "*a", "!x", "|", ">", "?", "\t", "  ", "#", "a", "\r"],
    ...["%YAML 1.2", "---", "...", "\uFEFF", "\u2028", "🙂", SHORT],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      try {
        readDefinition(pieces.join(""), "s");
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, /^s:[1-9]\d*:[1-9]\d*: \S/);
      }
    }),
    { numRuns: isLong ? 100_000 : 1000 },
  );
});

Deno.test("sourceFields() has each field that is read once", () => {
  const { payment } = openDefinition("tabformer");
  assert.deepEqual(sourceFields(payment), [
    ...["Year", "Month", "Day", "Time", "User", "Card", "Merchant Name"],
    ...["Amount", "Is Fraud?", "Errors?", "MCC", "Use Chip"],
  ]);
});

testWriting("a definition is read from a file, within bounds", async () => {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(path, SHORT);
    assert.equal(definitionHash(openDefinition(path)), hash(SHORT));
    await Deno.writeFile(path, new Uint8Array([0xff, 0xfe, 0x20]));
    assert.throws(
      () => openDefinition(path),
      /:1:1: the definition is not UTF-8/,
    );
    await Deno.writeTextFile(path, "#".repeat(70_000));
    assert.throws(
      () => openDefinition(path),
      /has 70000 bytes and may have at/,
    );
  } finally {
    await Deno.remove(path);
  }
  assert.throws(() => openDefinition(path), /there is no such file or folder/);
});

Deno.test("the schema refuses what is certainly wrong", () => {
  const base = {
    version: 1,
    payment: {
      TRANSACTION_ID: "id",
      TX_DATETIME: "time",
      CUSTOMER_ID: "card",
      TERMINAL_ID: "shop",
      TX_AMOUNT: "amount",
    },
  };
  assert.ok(schemaAccepts(DEFINITION_SCHEMA, base));
  for (
    const wrong of [
      {},
      { ...base, version: 2 },
      { ...base, other: 1 },
      { ...base, payment: {} },
      { ...base, payment: { ...base.payment, TX_AMOUNT: { from: [] } } },
      { ...base, payment: { ...base.payment, keep: { "1": "text" } } },
      { ...base, payment: { ...base.payment, keep: { a: "string" } } },
      { ...base, labels: { from: "payment", delay: "a week" } },
      { ...base, features: { COUNT: { total: 1 } } },
    ]
  ) assert.ok(!schemaAccepts(DEFINITION_SCHEMA, wrong), JSON.stringify(wrong));
});
