import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bytesField,
  concatenate,
  integerField,
  integersField,
  integersOf,
  messageField,
  payloadsOf,
  readFields,
  textField,
  textOf,
  textsOf,
} from "../../../src/learning/onnx/protobuf.ts";

const NUMBER = fc.integer({ min: 1, max: 2 ** 29 - 1 });
const INTEGER = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -200, max: 200 }),
  fc.constantFrom(127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 35, -(2 ** 40)),
);

Deno.test("readFields() reads the examples of the format's description", () => {
  // a = 150; b = "testing"; f = [3, 270, 86942], from protobuf.dev/programming-guides/encoding.
  const bytes = Uint8Array.of(
    ...[0x08, 0x96, 0x01],
    ...[0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67],
    ...[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
  );
  const fields = readFields(bytes);
  assert.deepEqual(fields.map(({ number }) => number), [1, 2, 6]);
  assert.deepEqual(integersOf(fields, 1), [150]);
  assert.equal(textOf(fields, 2), "testing");
  assert.deepEqual(integersOf(fields, 6), [3, 270, 86942]);
  const written = concatenate([
    integerField(1, 150),
    textField(2, "testing"),
    integersField(6, [3, 270, 86942]),
  ]);
  assert.deepEqual(written, bytes);
});

Deno.test("what was written is read again", () => {
  fc.assert(
    fc.property(
      NUMBER,
      INTEGER,
      fc.array(INTEGER),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array(),
      (number, integer, integers, text, bytes) => {
        const one = readFields(integerField(number, integer));
        assert.equal(one[0].number, number);
        assert.deepEqual(integersOf(one, number), [integer]);
        const apart = concatenate(
          integers.map((value) => integerField(number, value)),
        );
        assert.deepEqual(integersOf(readFields(apart), number), integers);
        const packed = integersField(number, integers);
        assert.deepEqual(integersOf(readFields(packed), number), integers);
        const message = messageField(number, [
          textField(1, text),
          bytesField(2, bytes),
        ]);
        const [inner] = payloadsOf(readFields(message), number);
        const fields = readFields(inner);
        assert.deepEqual(textsOf(fields, 1), [text]);
        assert.deepEqual(payloadsOf(fields, 2), [bytes]);
      },
    ),
  );
});

Deno.test("fields keep their bytes, also of kinds that are not looked into", () => {
  const parts = [
    Uint8Array.of(0x09, 1, 2, 3, 4, 5, 6, 7, 8),
    Uint8Array.of(0x15, 1, 2, 3, 4),
    textField(3, "text"),
    integerField(4, -1),
  ];
  const fields = readFields(concatenate(parts));
  assert.deepEqual(fields.map(({ encoded }) => encoded), parts);
});

Deno.test("what is no message is a RangeError, whatever the bytes", () => {
  const broken = [
    [0x00],
    [0x08],
    [0x08, 0x80],
    [0x12, 0x05, 0x61],
    [0x0b],
    [0x09, 1, 2],
    [0x08, ...new Array(10).fill(0xff), 0x01],
  ];
  for (const bytes of broken) {
    assert.throws(() => readFields(Uint8Array.from(bytes)), RangeError);
  }
  let messages = 0;
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
    try {
      const fields = readFields(bytes);
      assert.deepEqual(
        concatenate(fields.map(({ encoded }) => encoded)),
        bytes,
      );
      messages++;
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }));
  assert.ok(messages > 0);
});
