/** Texts beside cells, whatever they hold, and however they are asked for. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { chance, forEachSeed } from "../long.ts";
import {
  compareTexts,
  firstBytes,
  NO_TEXT,
  TextHeap,
} from "../../src/payment/text_heap.ts";

const TEXT = fc.oneof(
  fc.string({ unit: "grapheme-ascii" }),
  fc.string({ unit: "binary" }),
);

Deno.test("a heap gives back every text, prepared or not, also after more are added", () => {
  fc.assert(fc.property(fc.array(TEXT), fc.array(TEXT), (first, second) => {
    const heap = new TextHeap();
    const cells = first.map((text) => heap.addText(text));
    const found = () => cells.map((cell) => heap.text(cell));
    assert.deepEqual(found(), first);
    heap.prepareTexts();
    assert.deepEqual(found(), first);
    cells.push(...second.map((text) => heap.addText(text)));
    assert.deepEqual(found(), [...first, ...second]);
    heap.prepareTexts();
    assert.deepEqual(found(), [...first, ...second]);
    assert.equal(heap.text(NO_TEXT), null);
  }));
});

Deno.test("a heap forgets what was prepared when its bytes are replaced", () => {
  const heap = new TextHeap();
  const cell = heap.addText("abc");
  heap.prepareTexts();
  heap.clear();
  assert.equal(heap.addText("xyz"), cell);
  assert.equal(heap.text(cell), "xyz");
  heap.prepareTexts();
  heap.wrap(new TextEncoder().encode("123"));
  assert.equal(heap.text(cell), "123");
});

Deno.test("the first bytes of texts are in the order of texts", async () => {
  await forEachSeed(5, 200, (seed) => {
    const random = chance(seed);
    const heap = new TextHeap();
    const cells = Array.from({ length: 200 }, () => {
      const length = Math.floor(random() * 9);
      const bytes = Uint8Array.from(
        { length },
        () => [0, 1, 48, 97, 255][Math.floor(random() * 5)],
      );
      return heap.add(bytes, 0, length);
    });
    for (const a of cells) {
      for (const b of cells) {
        const first = firstBytes(a, heap) - firstBytes(b, heap);
        const whole = compareTexts(a, heap, b, heap);
        assert.ok(first === 0 || Math.sign(first) === Math.sign(whole));
      }
    }
  });
});
