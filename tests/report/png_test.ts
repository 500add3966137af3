import assert from "node:assert/strict";
import { openPngRenderer } from "../../src/report/png.ts";
import { label } from "../../src/dashboard/page/shape.js";
import { standaloneSvg } from "../../src/report/svg.ts";
import { testReading } from "../permission.ts";

const WORDING = { id: "a", title: "A title", description: "" };

/** A figure of a text alone. */
function figureOf(text: string): string {
  const shapes = [label(text, 10, 40)];
  return standaloneSvg({ width: 100, height: 60, shapes }, WORDING, "a test");
}

testReading("PNG has its signature and twice the figure's size", async () => {
  const render = await openPngRenderer();
  const svg = figureOf("1,234 ÷ 50");
  const png = render(svg);
  assert.deepEqual(
    [...png.subarray(0, 8)],
    [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  );
  const view = new DataView(png.buffer, png.byteOffset);
  const size = [view.getUint32(16), view.getUint32(20)];
  const given = /width="(\d+)" height="(\d+)"/.exec(svg)?.slice(1);
  assert.deepEqual(size, given?.map((length) => 2 * Number(length)));
});

testReading(
  "PNG is drawn with the packaged font, the same bytes each time",
  async () => {
    const render = await openPngRenderer();
    const again = await openPngRenderer();
    const empty = render(figureOf(""));
    const drawn = render(figureOf("frauds"));
    assert.notDeepEqual(drawn, empty, "text is drawn at all");
    assert.deepEqual(again(figureOf("frauds")), drawn);
  },
);
