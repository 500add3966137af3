/** Ids: whole numbers, text, joined parts, pseudonyms. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { ConfigError } from "../../src/base/error.ts";
import { idReader } from "../../src/definition/identifier.ts";
import type { IdMapping } from "../../src/definition/stream_definition.ts";
import type { RawValue } from "../../src/definition/rejection.ts";
import { isLong } from "../long.ts";

const RUNS = { numRuns: isLong ? 100_000 : 1000 };
const TEXT: IdMapping = {
  from: ["card"],
  join: null,
  type: "text",
  hmac: false,
};
const NUMBER: IdMapping = { ...TEXT, type: "number" };
const KEY = new Uint8Array(32).fill(7);

/** The id of a value, or the reason why it is none. */
function read(value: RawValue, mapping = TEXT): number | string {
  const id = idReader(mapping, () => 0, KEY)([value]);
  return typeof id === "object" ? `! ${id.reason}` : id;
}

Deno.test("whole numbers up to 2^53 - 1, against BigInt", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), (number) => {
      const fits = number < 2n ** 53n;
      const expected = fits ? Number(number) : "! out of range";
      assert.equal(read(String(number), NUMBER), expected);
      assert.equal(read(number, NUMBER), expected);
      assert.equal(read(`${number}.0`, NUMBER), expected);
    }),
    RUNS,
  );
  for (const value of ["007", "1.5", "1e3", "x", "-0", 1.5, NaN, true, {}]) {
    assert.equal(read(value, NUMBER), "! wrong type", String(value));
  }
  assert.equal(read("-1", NUMBER), "! out of range");
  assert.equal(read(2 ** 53, NUMBER), "! out of range");
  assert.equal(read(" 12 ", NUMBER), 12);
  assert.ok(Object.is(read(-0, NUMBER), 0));
});

Deno.test("a number read as text keeps all its digits", () => {
  for (
    const digits of [
      "4111111111111111111",
      "-1288082279022882052",
      "0004",
      "9007199254740993",
    ]
  ) assert.equal(read(digits), digits);
  assert.equal(read(-1288082279022882052n), "-1288082279022882052");
  assert.equal(read(12), "12");
  assert.equal(read(-0), "0");
  // A double of that size stands for several numbers.
  assert.equal(read(4111111111111111111), "! wrong type");
  assert.equal(read(1.5), "! wrong type");
});

Deno.test("text is taken as it is, up to 128 bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 80 }), (text) => {
      const bytes = new TextEncoder().encode(text).length;
      const expected = text === ""
        ? "! missing field"
        // deno-lint-ignore no-control-regex
        : /[\x00-\x1f\x7f-\x9f\ufffd]/.test(text)
        ? "! invalid text"
        : bytes > 128
        ? "! out of range"
        : text;
      assert.equal(read(text), expected);
    }),
    RUNS,
  );
  assert.equal(read(" A b "), " A b ");
  assert.equal(read("ü".repeat(64)), "ü".repeat(64));
  assert.equal(read("ü".repeat(65)), "! out of range");
  assert.equal(read("😀".repeat(32)), "😀".repeat(32));
  assert.equal(read("x".repeat(129)), "! out of range");
  for (
    const text of [
      "a\0b",
      "a\nb",
      "a\x7f",
      "\x85",
      "\ud800x",
      "x\udc00",
      "\ufffd",
    ]
  ) {
    assert.equal(read(text), "! invalid text", JSON.stringify(text));
  }
  // Composed and decomposed letters are different ids.
  assert.notEqual(read("\u00e9"), read("e\u0301"));
});

Deno.test("parts are joined, and never become another id", () => {
  const mapping = { ...TEXT, from: ["user", "card"], join: "-" };
  const places = (field: string) => ["card", "user"].indexOf(field);
  const join = idReader(mapping, places, undefined);
  assert.equal(join(["0", "12"]), "12-0");
  assert.equal(join([0, 12n]), "12-0");
  const part = fc.stringMatching(/^[ab-]{1,3}$/);
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), (a, b) => {
      const [first, second] = [join(a), join(b)];
      if (typeof first !== "string" || typeof second !== "string") return;
      assert.equal(first === second, a[0] === b[0] && a[1] === b[1]);
    }),
    RUNS,
  );
  assert.deepEqual(join(["1-2", "3"]), {
    reason: "ambiguous id",
    field: "card",
    message: `card "1-2" holds "-", which joins the parts of an id; choose ` +
      "another 'join'",
  });
  const missing = join(["1", ""]);
  assert.ok(typeof missing === "object" && missing.reason === "missing field");
  const long = join(["x".repeat(70), "y".repeat(70)]);
  assert.ok(typeof long === "object" && long.reason === "out of range");
});

Deno.test("pseudonyms are HMAC-SHA-256 of the UTF-8 text", () => {
  const mapping = { ...TEXT, hmac: true };
  const expected = createHmac("sha256", KEY).update("4111111111111111111")
    .digest("base64url");
  assert.equal(read("4111111111111111111", mapping), expected);
  assert.equal(read(4111111111111111111n, mapping), expected);
  assert.equal(expected.length, 43);
  const reader = idReader(mapping, () => 0, KEY);
  reader(["4111111111111111111"]);
  reader(["4111111111111111112"]);
  assert.equal(reader(["4111111111111111111"]), expected);
});

Deno.test("messages about a pseudonym do not show the id", () => {
  const reader = idReader({ ...TEXT, hmac: true }, () => 0, KEY);
  const rejection = reader(["4111\x001111"]);
  assert.ok(typeof rejection === "object");
  assert.equal(rejection.reason, "invalid text");
  assert.doesNotMatch(rejection.message, /4111/);
});

Deno.test("a key is needed, of 32 bytes or more", () => {
  const mapping = { ...TEXT, hmac: true };
  assert.throws(
    () => idReader(mapping, () => 0, undefined),
    (error: Error) =>
      error instanceof ConfigError &&
      /--hmac-key-file/.test(error.message),
  );
  assert.throws(
    () => idReader(mapping, () => 0, new Uint8Array(31)),
    /has 31 bytes and needs at least 32/,
  );
});
