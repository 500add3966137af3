import assert from "node:assert/strict";
import {
  isCount,
  isObject,
  isOptional,
  parsedJson,
} from "../../src/base/json_shape.ts";

Deno.test("parsedJson() gives what text or bytes say, and undefined for what is not JSON", () => {
  assert.deepEqual(parsedJson('{"a":[1]}'), { a: [1] });
  assert.deepEqual(parsedJson(new TextEncoder().encode(' "é" ')), "é");
  for (const text of ["", "{", "undefined", "{}{}", "NaN", "\u0000"]) {
    assert.equal(parsedJson(text), undefined, text);
    assert.equal(parsedJson(new TextEncoder().encode(text)), undefined, text);
  }
  assert.equal(parsedJson(Uint8Array.of(0xff, 0xfe)), undefined);
});

Deno.test("isCount(), isObject() and isOptional() take what they name and nothing else", () => {
  const all = [0, 7, 2 ** 53 - 1, -1, 0.5, 2 ** 53, NaN, "1", null, {}, []];
  assert.deepEqual(all.filter(isCount), [0, 7, 2 ** 53 - 1]);
  assert.deepEqual(all.filter(isObject), [{}, []]);
  assert.deepEqual(
    [undefined, 1, "1"].map((value) => isOptional(value, isCount)),
    [true, true, false],
  );
});
