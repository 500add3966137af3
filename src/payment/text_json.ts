/** Texts of a heap as JSON strings: as they are, with only what must be escaped escaped, as JSON.stringify does. */
import type { ByteWriter } from "../base/byte_writer.ts";
import { type TextHeap, textLength, textStart } from "./text_heap.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

/** Appends the text that a cell refers to as a JSON string. */
export function writeJsonText(
  writer: ByteWriter,
  texts: TextHeap,
  cell: number,
): void {
  const from = textStart(cell);
  const to = from + textLength(cell);
  const { bytes } = texts;
  let isPlain = true;
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) {
      isPlain = false;
      break;
    }
  }
  if (isPlain) writer.quoted(bytes, from, to);
  else writer.bytes(ENCODER.encode(JSON.stringify(texts.text(cell))));
}

const ENCODER = new TextEncoder();
