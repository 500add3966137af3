import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte_writer.ts";

function written(write: (writer: ByteWriter) => void, capacity = 1): string {
  const writer = new ByteWriter(capacity);
  write(writer);
  assert.equal(writer.length, writer.view().length);
  return new TextDecoder().decode(writer.view());
}

function assertPrintsAsString(value: number) {
  assert.equal(written((writer) => writer.number(value)), String(value));
}

Deno.test("number() prints any finite double as String() does", () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(finite, assertPrintsAsString), { numRuns: 3000 });
});

Deno.test("number() prints cents as String() does", () => {
  const cents = fc.integer({ min: 0, max: 2 ** 40 });
  fc.assert(
    fc.property(cents, (value) => assertPrintsAsString(value / 100)),
    { numRuns: 3000 },
  );
  for (let value = 0; value <= 10_000; value++) {
    assertPrintsAsString(value / 100);
  }
});

Deno.test("number() prints numbers of up to six decimals, and doubles beside them, as String() does", () => {
  const bits = new BigInt64Array(1);
  const double = new Float64Array(bits.buffer);
  fc.assert(
    fc.property(
      fc.integer({ min: -(10 ** 12), max: 10 ** 12 }),
      fc.constantFrom(0, 1, 3, 4, 6, 7),
      fc.constantFrom(-1n, 0n, 0n, 1n),
      (digits, decimals, step) => {
        double[0] = digits / 10 ** decimals;
        if (double[0] !== 0) bits[0] += step;
        assertPrintsAsString(double[0]);
      },
    ),
    { numRuns: 3000 },
  );
  for (const value of [999_999_999.999999, 1e9 + 1e-6, -39.678, 1e-6, 1.5e-6]) {
    assertPrintsAsString(value);
  }
});

Deno.test("text() writes any text in UTF-8", () => {
  const unit = fc.constantFrom("binary" as const, "grapheme" as const);
  const text = unit.chain((unit) => fc.string({ unit }));
  fc.assert(fc.property(text, (value) => {
    const found = written((writer) => {
      writer.ascii("<");
      writer.text(value);
      writer.ascii(">");
    });
    assert.equal(found, `<${value.toWellFormed()}>`);
  }));
  assert.equal(written((writer) => writer.text("a\ud800b")), "a\ufffdb");
});

Deno.test("number() prints a double beside whole cents with all its digits", () => {
  const bits = new BigInt64Array(1);
  const double = new Float64Array(bits.buffer);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 ** 9 }),
      fc.constantFrom(-2n, -1n, 1n, 2n),
      (cents, step) => {
        double[0] = cents / 100;
        bits[0] += step;
        assertPrintsAsString(double[0]);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("number() prints the awkward numbers as String() does", () => {
  const awkward = [
    0,
    -0,
    -1,
    -0.5,
    0.1 + 0.2,
    285.79999999999995,
    1e-7,
    1e-6,
    5e-324,
    0.005,
    0.015,
    1.005,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 31 + 0.25,
    21_474_836.47,
    21_474_836.48,
    2 ** 53 - 1,
    2 ** 53,
    1e21,
    1.7976931348623157e308,
  ];
  for (const value of awkward) assertPrintsAsString(value);
});

Deno.test("whole() prints every whole number up to 2^53 - 1", () => {
  const print = (value: number) => written((writer) => writer.whole(value));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    assert.equal(print(value), String(value));
  }));
  for (let power = 1; power < 1e16; power *= 10) {
    for (const value of [power - 1, power, power + 1]) {
      if (value > Number.MAX_SAFE_INTEGER) continue;
      assert.equal(print(value), String(value));
    }
  }
  for (const value of [2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1]) {
    assert.equal(print(value), String(value));
  }
});

Deno.test("padded() fills up with leading zeros", () => {
  fc.assert(
    fc.property(fc.nat(99_999), fc.integer({ min: 5, max: 9 }), (n, width) => {
      assert.equal(
        written((writer) => writer.padded(n, width)),
        String(n).padStart(width, "0"),
      );
    }),
  );
});

Deno.test("timeOfDay() prints every second of the day", () => {
  for (let second = 0; second < 86_400; second += 7) {
    const text = new Date(second * 1000).toISOString().slice(11, 19);
    assert.equal(written((writer) => writer.timeOfDay(second)), text);
  }
});

Deno.test("a writer keeps everything while it grows from a single byte", () => {
  const text = written((writer) => {
    for (let i = 0; i < 1000; i++) {
      writer.whole(i);
      writer.ascii(",");
      writer.bytes(new Uint8Array([120, 121]));
    }
  });
  const expected = Array.from({ length: 1000 }, (_, i) => `${i},xy`).join("");
  assert.equal(text, expected);
});

Deno.test("clear() forgets what was written", () => {
  const text = written((writer) => {
    writer.ascii("before");
    writer.clear();
    writer.ascii("after");
  });
  assert.equal(text, "after");
});
