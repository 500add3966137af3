/** Reads markup as strictly as XML is read, for tests of pages and figures. */
import assert from "node:assert/strict";

/** An element of a page. */
export interface MarkupElement {
  /** Its name. */
  readonly name: string;
  /** Its attributes. */
  readonly attributes: ReadonlyMap<string, string>;
  /** All text within it. */
  text: string;
}

/** Elements of HTML that have no end. */
const VOID = new Set(["meta", "wbr", "br"]);

/** All elements in the order of their beginnings; fails for what is not well-formed. */
export function readMarkup(markup: string): MarkupElement[] {
  const elements: MarkupElement[] = [];
  const open: MarkupElement[] = [];
  let at = 0;
  const tag =
    /<(?:!doctype html|(\/)?([a-zA-Z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/)?)>/g;
  for (const match of markup.matchAll(tag)) {
    addText(open, markup.slice(at, match.index));
    at = match.index + match[0].length;
    const [, ends, name, attributes, closed] = match;
    if (name === undefined) continue;
    if (ends) {
      assert.equal(open.pop()?.name, name, `</${name}> at ${match.index}`);
      continue;
    }
    const element = { name, attributes: readAttributes(attributes), text: "" };
    elements.push(element);
    if (!closed && !VOID.has(name)) open.push(element);
  }
  addText(open, markup.slice(at));
  assert.deepEqual(open.map(({ name }) => name), []);
  return elements;
}

function addText(open: readonly MarkupElement[], text: string): void {
  const inStyle = open.at(-1)?.name === "style";
  if (!inStyle) {
    assert.doesNotMatch(text, /[<>]/, `text: ${text.slice(0, 80)}`);
    assert.doesNotMatch(text, /&(?!(amp|lt|gt|quot|#39);)/, text.slice(0, 80));
  }
  for (const element of open) element.text += text;
}

function readAttributes(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/([\w:-]+)="([^"]*)"/g)) {
    assert.ok(!attributes.has(name), `${name} twice`);
    assert.doesNotMatch(value, /&(?!(amp|lt|gt|quot|#39);)/, value);
    attributes.set(name, value);
  }
  return attributes;
}
