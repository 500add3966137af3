import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { WireReader, WireWriter } from "../../../src/log/kafka/kafka_wire.ts";

/** A value, how it is written and how it is read. */
interface Field {
  readonly value: unknown;
  write(w: WireWriter): WireWriter;
  read(r: WireReader): unknown;
}

function field<T>(
  values: fc.Arbitrary<T>,
  write: (w: WireWriter, value: T) => WireWriter,
  read: (r: WireReader) => T,
): fc.Arbitrary<Field> {
  return values.map((value) => ({
    value,
    write: (w) => write(w, value),
    read,
  }));
}

const integers = (bits: number) =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const int64s = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, -(2 ** 32), 2 ** 32, -(2 ** 32) - 1, 2 ** 31),
);
const texts = fc.string({ maxLength: 200, unit: "binary" });
const nullable = fc.option(texts);
const some = fc.uint8Array({ maxLength: 200 });
const strings = fc.array(texts, { maxLength: 5 });

const fields = fc.oneof(
  field(integers(8), (w, v) => w.int8(v), (r) => r.int8()),
  field(integers(16), (w, v) => w.int16(v), (r) => r.int16()),
  field(integers(32), (w, v) => w.int32(v), (r) => r.int32()),
  field(int64s, (w, v) => w.int64(v), (r) => r.int64()),
  field(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    (w, v) => w.bigint(v),
    (r) => r.bigint(),
  ),
  field(fc.boolean(), (w, v) => w.boolean(v), (r) => r.boolean()),
  field(
    fc.oneof(fc.nat(2 ** 31 - 1), fc.constantFrom(127, 128, 16383, 16384)),
    (w, v) => w.varuint(v),
    (r) => r.varuint(),
  ),
  field(nullable, (w, v) => w.string(v), (r) => r.string()),
  field(nullable, (w, v) => w.compactString(v), (r) => r.compactString()),
  field(some, (w, v) => w.data(v), (r) => new Uint8Array(r.data())),
  field(
    strings,
    (w, v) => w.array(v, (text) => w.string(text)),
    (r) => r.array(() => r.string() ?? ""),
  ),
  field(
    strings,
    (w, v) => w.compactArray(v, (text) => w.compactString(text).noTags()),
    (r) =>
      r.compactArray(() => {
        const text = r.compactString() ?? "";
        r.tags();
        return text;
      }),
  ),
);
const structures = fc.array(fields, { maxLength: 12 });

function written(structure: readonly Field[]): Uint8Array {
  const w = new WireWriter(1);
  for (const each of structure) each.write(w);
  return w.bytes();
}

function hex(w: WireWriter): string {
  return Buffer.from(w.bytes()).toString("hex");
}

Deno.test("what WireWriter writes WireReader reads, wherever it lies", () => {
  fc.assert(fc.property(structures, fc.nat(9), (structure, shift) => {
    const bytes = written(structure);
    const memory = new Uint8Array(bytes.length + shift + 3);
    memory.set(bytes, shift);
    const r = new WireReader(memory.subarray(shift, shift + bytes.length));
    for (const { value, read } of structure) {
      assert.deepEqual(read(r), value);
    }
    assert.throws(() => r.int8(), RangeError);
  }));
});

Deno.test("whatever is cut off throws RangeError", () => {
  fc.assert(fc.property(structures, fc.nat(), (structure, cut) => {
    const bytes = written(structure);
    if (bytes.length === 0) return;
    const r = new WireReader(bytes.subarray(0, cut % bytes.length));
    assert.throws(() => {
      for (const { read } of structure) read(r);
    }, RangeError);
  }));
});

Deno.test("any bytes are read to their end or throw RangeError, soon", () => {
  const reads = fc.array(fields.map(({ read }) => read), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(fc.property(some, reads, (bytes, reads) => {
    const r = new WireReader(bytes);
    try {
      for (const read of reads) read(r);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }));
});

Deno.test("a list that says it is longer than the bytes makes no room for it", () => {
  const before = Deno.memoryUsage().rss;
  for (const length of [2 ** 24, 2 ** 26, 2 ** 31 - 1]) {
    const array = new WireWriter().int32(length).bytes();
    const compact = new WireWriter().varuint(length).bytes();
    const plain = new WireReader(array);
    assert.throws(() => plain.array(() => plain.int8()), RangeError);
    const flexible = new WireReader(compact);
    assert.throws(
      () => flexible.compactArray(() => flexible.int8()),
      RangeError,
    );
  }
  const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 50, `${grown} MiB`);
});

Deno.test("the bytes are those of Kafka's protocol guide", () => {
  const w = () => new WireWriter();
  assert.equal(hex(w().int8(-1)), "ff");
  assert.equal(hex(w().int16(-2)), "fffe");
  assert.equal(hex(w().int32(258)), "00000102");
  assert.equal(hex(w().int64(-1)), "ffffffffffffffff");
  assert.equal(hex(w().int64(2 ** 40 + 1)), "0000010000000001");
  assert.equal(hex(w().bigint(-(2n ** 63n))), "8000000000000000");
  assert.equal(hex(w().varuint(300)), "ac02");
  assert.equal(hex(w().varuint(2 ** 31 - 1)), "ffffffff07");
  assert.equal(hex(w().string("é")), "0002c3a9");
  assert.equal(hex(w().string(null)), "ffff");
  assert.equal(hex(w().compactString("a")), "0261");
  assert.equal(hex(w().compactString("")), "01");
  assert.equal(hex(w().compactString(null)), "00");
  assert.equal(hex(w().data(null)), "ffffffff");
  assert.equal(hex(w().data(Uint8Array.of(7))), "0000000107");
  const list = w();
  assert.equal(hex(list.array([1, 2], (i) => list.int8(i))), "000000020102");
  const compact = w();
  assert.equal(hex(compact.compactArray([1], (i) => compact.int8(i))), "0201");
  assert.equal(hex(w().noTags()), "00");
});

Deno.test("null stands for no bytes and no items, and tagged fields are skipped", () => {
  const w = new WireWriter().data(null).int32(-1).varuint(0);
  w.varuint(2).varuint(0).varuint(3).raw(new Uint8Array(3));
  w.varuint(9).varuint(0).int8(42);
  const r = new WireReader(w.bytes());
  assert.equal(r.data().length, 0);
  assert.deepEqual(r.array(() => r.int8()), []);
  assert.deepEqual(r.compactArray(() => r.int8()), []);
  r.tags();
  assert.equal(r.int8(), 42);
});
