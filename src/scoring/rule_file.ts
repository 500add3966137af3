/**
 * Reads rules.yaml: which rules decide about payments, and which lists they
 * ask. One declaration says what the file may hold and what an editor shows
 * about it. Every error names the file, the line and the column.
 */
import { dirname, isAbsolute, join } from "node:path";
import { ConfigError } from "../base/error.ts";
import { readWholeFile } from "../base/whole_file.ts";
import {
  DEFINITION_BYTES_MAX,
  definitionError,
  type MapNode,
  parseNodes,
  type Place,
  showNode,
} from "../definition/definition_node.ts";
import {
  EXPRESSION_TEXT,
  type PlacedText,
} from "../definition/feature_declarations.ts";
import {
  type JsonSchema,
  objectShape,
  type Shape,
  type ShapeValue,
  tableShape,
  textShape,
  wholeShape,
  wordShape,
} from "../definition/shape.ts";
import { digestOf, openList, type ValueList } from "./list_file.ts";

/** What becomes of a payment, the strictest last. */
export const DECISIONS = ["approve", "review", "decline"] as const;

/** What becomes of a payment. */
export type Decision = typeof DECISIONS[number];

/** Whether a rule decides, is only evaluated, or neither. */
export type RuleState = "live" | "shadow" | "off";

/** A rule. */
export interface Rule {
  /** Its id. */
  readonly id: string;
  /** Of the live rules that fire, those with the greatest number decide. */
  readonly priority: number;
  /** The condition under which it fires. */
  readonly when: PlacedText;
  /** What it decides. */
  readonly then: Decision;
  /** Why, for people. */
  readonly reason: string;
  /** Whether it counts. */
  readonly state: RuleState;
}

/** A list that a file of rules names. */
export interface NamedList {
  /** Its name in rules. */
  readonly name: string;
  /** Its file, relative to that of the rules. */
  readonly path: string;
  /** Where the file is named. */
  readonly place: Place;
}

/** The rules in a file. */
export interface RuleFile {
  /** Its name, for messages. */
  readonly file: string;
  /** Its text. */
  readonly source: string;
  /** The digest of what it says, whatever its comments, spaces and order of keys. */
  readonly version: string;
  /** The rules, in their order. */
  readonly rules: readonly Rule[];
  /** The lists, in their order. */
  readonly lists: readonly NamedList[];
}

/** Most bytes of a file of rules. */
const RULES_BYTES_MAX = DEFINITION_BYTES_MAX;

/** Most rules of a file. */
export const RULES_MAX = 500;

/** Most lists of a file. */
const LISTS_MAX = 50;

/** Longest reason, in UTF-16 units. */
const REASON_MAX = 200;

const ID = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const EXAMPLE = '{ id: large, when: "TX_AMOUNT > 500", then: review, ' +
  "reason: Large amount }";

const REASON: Shape<string> = {
  read(node, name) {
    const text = node.kind === "scalar" ? node.text.trim() : "";
    if (text !== "" && text.length <= REASON_MAX && !/\p{Cc}/u.test(text)) {
      return text;
    }
    throw definitionError(
      node.place,
      `${name} must be one line of up to ${REASON_MAX} characters that says ` +
        `why, not ${showNode(node)}`,
    );
  },
  schema: { type: "string", minLength: 1, maxLength: REASON_MAX },
};

const RULE = objectShape({
  id: {
    shape: textShape(
      "a letter, then up to 63 letters, digits, - and _",
      ID,
    ),
    about: "the name of the rule, unique in the file",
    required: true,
  },
  priority: {
    shape: wholeShape(0, 1_000_000),
    about: "of the live rules that fire, those with the greatest number " +
      "decide; 0 by default",
  },
  when: {
    shape: EXPRESSION_TEXT,
    about: "the condition under which the rule fires, in CEL syntax, over " +
      'fields, features, SCORE and list("name", value)',
    required: true,
  },
  then: {
    shape: wordShape(...DECISIONS),
    about: "approve, review or decline",
    required: true,
  },
  reason: {
    shape: REASON,
    about: "why, in one line; every decision of the rule shows it",
    required: true,
  },
  state: {
    shape: wordShape("live", "shadow", "off"),
    about: "live (the default): the rule decides; shadow: it is evaluated " +
      "and recorded and changes nothing; off: it is not evaluated",
  },
}, EXAMPLE);

type RuleKeys = ShapeValue<typeof RULE>;

const RULES: Shape<readonly RuleKeys[]> = {
  read(node, name) {
    if (node.kind !== "list") {
      throw definitionError(
        node.place,
        `${name} must be a list of rules, such as - ${EXAMPLE}, or [] for ` +
          `none, not ${showNode(node)}`,
      );
    }
    if (node.items.length > RULES_MAX) {
      throw definitionError(
        node.items[RULES_MAX].place,
        `${name} has ${node.items.length} rules and may have at most ` +
          `${RULES_MAX}; delete some`,
      );
    }
    return node.items.map((item) => RULE.read(item, "a rule"));
  },
  schema: { type: "array", maxItems: RULES_MAX, items: RULE.schema },
};

const LISTS = tableShape(
  /^[A-Za-z][A-Za-z0-9_]{0,63}$/,
  "a letter, then up to 63 letters, digits and _",
  LISTS_MAX,
  textShape("the name of a CSV file"),
  "{ blocked_cards: blocked_cards.csv }",
);

const RULE_FILE = objectShape({
  version: {
    shape: wholeShape(1, 1),
    about: "version of this format: 1",
    required: true,
  },
  lists: {
    shape: LISTS,
    about: "the lists that rules ask, each with its CSV file",
  },
  rules: { shape: RULES, about: "the rules", required: true },
}, `{ version: 1, rules: [${EXAMPLE}] }`);

/** The JSON Schema of files of rules, for editors. */
export const RULES_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Rules that decide about payments",
  ...RULE_FILE.schema,
};

/** The rules in a file. Throws ConfigError for what is wrong in it, DataError where it cannot be read. */
export function openRules(path: string): RuleFile {
  const bytes = readWholeFile(path, RULES_BYTES_MAX);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return readRules(text, path);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new ConfigError(
      `${path}:1:1: the file of rules is not UTF-8; save it as UTF-8`,
      { cause },
    );
  }
}

/** The rules in a YAML text; `file` is its name in messages. Throws ConfigError. */
export function readRules(source: string, file: string): RuleFile {
  const keys = RULE_FILE.read(parseNodes(source, file), "the file of rules");
  const ids = new Map<string, number>();
  const rules = keys.rules.map((rule): Rule => {
    const { id, priority = 0, when, then, reason, state = "live" } = rule;
    const before = ids.get(id.toLowerCase());
    if (before !== undefined) {
      throw definitionError(
        placeOfKey(rule, "id"),
        `the rule in line ${before} has the id ${id} already; choose another`,
      );
    }
    ids.set(id.toLowerCase(), placeOfKey(rule, "id").line);
    return { id, priority, when, then, reason, state };
  });
  const lists = (keys.lists ?? []).map(({ key, value, node }) => {
    return { name: key, path: value, place: node.place };
  });
  return { file, source, version: versionOf(rules, lists), rules, lists };
}

/** Where the value of a key of a rule stands. */
function placeOfKey({ node }: RuleKeys, key: string): Place {
  const { entries } = node as MapNode;
  return entries.find((entry) => entry.key === key)?.value.place ?? node.place;
}

/** The digest of what rules say. Where their lists lie is no part of it: a list has its own version. */
function versionOf(
  rules: readonly Rule[],
  lists: readonly NamedList[],
): string {
  return digestOf(JSON.stringify({
    version: 1,
    lists: lists.map(({ name }) => name).sort(),
    rules: rules.map(({ id, priority, when, then, reason, state }) => {
      return { id, priority, when: when.text.trim(), then, reason, state };
    }),
  }));
}

/** The path of a list's file. */
export function listPath({ file }: RuleFile, { path }: NamedList): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** The lists of a file of rules, by name. Throws ConfigError as openList() does; a file that cannot be read is named with its place in the rules. */
export function openLists(rules: RuleFile): Map<string, ValueList> {
  return new Map(rules.lists.map((list) => {
    const path = listPath(rules, list);
    try {
      return [list.name, openList(path)];
    } catch (error) {
      if (error instanceof ConfigError || !(error instanceof Error)) {
        throw error;
      }
      throw definitionError(
        list.place,
        `the list ${list.name}: ${error.message}`,
      );
    }
  }));
}

/** The version of some lists together: the digest of their names and versions; null for none. */
export function listsVersion(
  versions: Readonly<Record<string, string>>,
): string | null {
  const entries = Object.entries(versions).sort(([a], [b]) => a < b ? -1 : 1);
  return entries.length === 0 ? null : digestOf(JSON.stringify(entries));
}
