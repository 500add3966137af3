/**
 * A definition's YAML as plain nodes that know their line and column. YAML has
 * features that make a file hard to judge: anchors, aliases, tags, merge keys,
 * several documents. They are refused, as are duplicate keys and files beyond a
 * bound. Plain scalars stay text: the reader of a value decides what it is.
 */
import {
  EVENT_ALIAS,
  EVENT_DOCUMENT,
  EVENT_POP,
  EVENT_SCALAR,
  EVENT_SEQUENCE,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import { ConfigError } from "../base/error.ts";
import { show } from "../base/checked_json.ts";

/** Most bytes of a definition. */
export const DEFINITION_BYTES_MAX: number = 64 * 1024;

/** Where a node stands. */
export interface Place {
  /** Name of the file, for messages. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column in UTF-16 units, from 1. */
  readonly column: number;
}

/** A text, number or word. */
export interface ScalarNode {
  /** Distinguishes the nodes. */
  readonly kind: "scalar";
  /** Where it begins. */
  readonly place: Place;
  /** The text; of a plain scalar as it is written. */
  readonly text: string;
  /** Whether it is written without quotes, so that it may be a number or a word. */
  readonly plain: boolean;
  /** Where a part of the text stands, by its offset in UTF-16 units; also in a text of several lines. */
  readonly placeAt: (offset: number) => Place;
}

/** A list. */
export interface ListNode {
  /** Distinguishes the nodes. */
  readonly kind: "list";
  /** Where it begins. */
  readonly place: Place;
  /** The items. */
  readonly items: readonly DefinitionNode[];
}

/** Keys with values, each key once. */
export interface MapNode {
  /** Distinguishes the nodes. */
  readonly kind: "map";
  /** Where it begins. */
  readonly place: Place;
  /** The entries in the order of the file. */
  readonly entries: readonly MapEntry[];
}

/** A key and its value. */
export interface MapEntry {
  /** The key. */
  readonly key: string;
  /** Where the key stands. */
  readonly place: Place;
  /** The value; an empty plain scalar where there is none. */
  readonly value: DefinitionNode;
}

/** A value of a definition. */
export type DefinitionNode = ScalarNode | ListNode | MapNode;

/** The error about something in a definition: "stream.yaml:3:5: …". */
export function definitionError(
  { file, line, column }: Place,
  message: string,
): ConfigError {
  return new ConfigError(`${file}:${line}:${column}: ${message}`);
}

/** The nodes of a YAML text; `file` is its name in messages. Throws ConfigError. */
export function parseNodes(text: string, file: string): DefinitionNode {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > DEFINITION_BYTES_MAX) {
    throw new ConfigError(
      `${file}: it has ${bytes} bytes and may have at most ` +
        `${DEFINITION_BYTES_MAX}; check that this is the right file, or ` +
        "declare less in it",
    );
  }
  return new NodeReader(text.replace(/^\uFEFF/, ""), file).read();
}

/** Deepest nesting; a definition has four levels. */
const DEPTH_MAX = 16;

type ParserEvent = ReturnType<typeof parseEvents>[number];

/** What to do about what the parser says, by how it begins. */
const YAML_ADVICE: readonly (readonly [begin: string, advice: string])[] = [
  ["tab characters", "indent with spaces"],
  [
    "deficient indentation",
    "close the bracket before this line, or indent the line further than " +
    "the key that the bracket belongs to",
  ],
  [
    "missed comma between flow",
    "put a comma between the keys, and quotes around an expression",
  ],
  [
    "bad indentation of a mapping",
    "indent keys of one level alike, and put quotes around a text that " +
    "begins with a quote or has ': '",
  ],
  ["tag suffix", "put quotes around a value that begins with '!'"],
];

/**
 * How far in a scalar, as it is written, what follows `before` stands. YAML
 * folds line breaks and indentation, so letters are counted and blanks are not.
 */
function writtenOffset(written: string, before: string, style: number): number {
  const escaped = style === SCALAR_STYLE.DOUBLE_QUOTED
    ? /\\(\S)/g
    : style === SCALAR_STYLE.SINGLE_QUOTED
    ? /'(')/g
    : undefined;
  const letters = escaped ? written.replaceAll(escaped, " $1") : written;
  let left = before.replaceAll(/\s/g, "").length;
  let end = 0;
  for (const { 0: letter, index } of letters.matchAll(/\S/g)) {
    if (left-- === 0) return index;
    end = index + letter.length;
  }
  return end;
}

/** Makes nodes of the events of the parser. */
class NodeReader {
  readonly #text: string;
  readonly #file: string;
  readonly #lineStarts: readonly number[];
  #events: readonly ParserEvent[] = [];
  #next = 0;
  /** Offset behind the last node, where an empty one stands. */
  #offset = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
    this.#lineStarts = [
      0,
      ...text.matchAll(/\n/g).map(({ index }) => index + 1),
    ];
  }

  read(): DefinitionNode {
    this.#events = this.#parse();
    const [first, ...others] = this.#events.filter(({ type }) =>
      type === EVENT_DOCUMENT
    );
    if (first === undefined) return this.#empty();
    if (others.length > 0) {
      throw this.#error(
        this.#text.indexOf("\n---") + 1,
        "a second document begins; write one definition per file",
      );
    }
    this.#next = 1;
    return this.#node();
  }

  #parse(): readonly ParserEvent[] {
    try {
      return parseEvents(this.#text, { maxDepth: DEPTH_MAX });
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const reason = error.reason.replaceAll(/\s+/g, " ").slice(0, 200);
      const advice = YAML_ADVICE.find(([begin]) => reason.startsWith(begin));
      throw this.#error(
        error.mark?.position ?? 0,
        `${reason}; ${advice?.[1] ?? "fix the YAML"}`,
      );
    }
  }

  #node(): DefinitionNode {
    const event = this.#events[this.#next++];
    if (event.type === EVENT_ALIAS) throw this.#noAnchors(event.anchorStart);
    if (event.type === EVENT_DOCUMENT || event.type === EVENT_POP) {
      return this.#empty();
    }
    if (event.anchorStart >= 0) throw this.#noAnchors(event.anchorStart);
    if (event.tagStart >= 0) {
      throw this.#error(
        event.tagStart,
        "tags are not accepted; leave the tag out, or put quotes around a " +
          "value that begins with '!'",
      );
    }
    if (event.type === EVENT_SCALAR) return this.#scalar(event);
    this.#offset = event.start;
    const place = this.#place(event.start);
    return event.type === EVENT_SEQUENCE
      ? { kind: "list", place, items: this.#items() }
      : { kind: "map", place, entries: this.#entries() };
  }

  #scalar(event: ScalarEvent): ScalarNode {
    const { valueStart, valueEnd, style } = event;
    if (valueStart < 0) return this.#empty();
    const isQuoted = style === SCALAR_STYLE.SINGLE_QUOTED ||
      style === SCALAR_STYLE.DOUBLE_QUOTED;
    this.#offset = valueEnd;
    const text = getScalarValue(this.#text, event);
    const written = this.#text.slice(valueStart, valueEnd);
    return {
      kind: "scalar",
      // The parser counts from behind the quote.
      place: this.#place(isQuoted ? valueStart - 1 : valueStart),
      text,
      plain: style === SCALAR_STYLE.PLAIN,
      placeAt: (offset) =>
        this.#place(
          valueStart + writtenOffset(written, text.slice(0, offset), style),
        ),
    };
  }

  #items(): DefinitionNode[] {
    const items: DefinitionNode[] = [];
    while (!this.#ended()) items.push(this.#node());
    return items;
  }

  #entries(): MapEntry[] {
    const entries: MapEntry[] = [];
    const keys = new Set<string>();
    while (!this.#ended()) {
      const key = this.#node();
      const { place } = key;
      if (key.kind !== "scalar" || key.text === "") {
        throw definitionError(
          place,
          "a key must be a word, not a list or nothing; fix the YAML",
        );
      }
      if (keys.has(key.text)) {
        throw definitionError(
          place,
          `the key ${show(key.text)} stands here twice; remove one`,
        );
      }
      keys.add(key.text);
      entries.push({ key: key.text, place, value: this.#node() });
    }
    return entries;
  }

  /** Whether the list or map ends here. */
  #ended(): boolean {
    if (this.#events[this.#next].type !== EVENT_POP) return false;
    this.#next++;
    return true;
  }

  #empty(): ScalarNode {
    const place = this.#place(this.#offset);
    return {
      kind: "scalar",
      place,
      text: "",
      plain: true,
      placeAt: () => place,
    };
  }

  #noAnchors(offset: number): Error {
    return this.#error(
      offset - 1,
      "anchors and aliases are not accepted; write the value itself",
    );
  }

  #error(offset: number, message: string): Error {
    return definitionError(this.#place(offset), message);
  }

  #place(offset: number): Place {
    const starts = this.#lineStarts;
    let line = 1;
    for (let high = starts.length; line < high;) {
      const middle = Math.ceil((line + high) / 2);
      if (starts[middle - 1] <= offset) line = middle;
      else high = middle - 1;
    }
    return { file: this.#file, line, column: offset - starts[line - 1] + 1 };
  }
}

/** A node for a message, not too long. */
export function showNode(node: DefinitionNode): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "keys and values";
  return node.text === "" ? "nothing" : show(node.text);
}
