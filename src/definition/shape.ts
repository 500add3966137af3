/**
 * What a definition may hold, as data: each shape reads its value from a node
 * and describes itself as JSON Schema. One declaration therefore decides what
 * the program accepts and what an editor suggests.
 */
import { formatDuration } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import {
  definitionError,
  type DefinitionNode,
  type MapNode,
  showNode,
} from "./definition_node.ts";

/** A part of a JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** How a value is read and described. */
export interface Shape<T> {
  /** The value of a node. `name` is its key, for messages. Throws ConfigError. */
  readonly read: (node: DefinitionNode, name: string) => T;
  /** What an editor checks. */
  readonly schema: JsonSchema;
}

/** What a shape reads. */
export type ShapeValue<S> = S extends Shape<infer T> ? T : never;

/** The error about the value of a key. */
function wrong(node: DefinitionNode, name: string, rule: string): Error {
  return definitionError(
    node.place,
    `${name} must be ${rule}, not ${showNode(node)}`,
  );
}

/** Longest text in a definition, in UTF-16 units. */
const TEXT_MAX = 256;

/** A text that `pattern` matches; `rule` completes "must be". Numbers and words that stand without quotes are their text. */
export function textShape(
  rule: string,
  pattern?: RegExp,
): Shape<string> {
  return {
    read(node, name) {
      const isText = node.kind === "scalar" && node.text !== "" &&
        node.text.length <= TEXT_MAX;
      if (isText && (pattern?.test(node.text) ?? true)) return node.text;
      throw wrong(node, name, rule);
    },
    schema: {
      type: ["string", "number", "boolean"],
      minLength: 1,
      maxLength: TEXT_MAX,
      ...pattern === undefined ? {} : { pattern: pattern.source },
    },
  };
}

/** One of some words. */
export function wordShape<const Word extends string>(
  ...words: readonly Word[]
): Shape<Word> {
  const shown = words.map((word) => /^\w+$/.test(word) ? word : `'${word}'`);
  const rule = `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
  return {
    read(node, name) {
      const found = words.find((word) =>
        node.kind === "scalar" && node.text === word
      );
      if (found !== undefined) return found;
      throw wrong(node, name, rule);
    },
    schema: { enum: words },
  };
}

/** A whole number from `min` to `max`. */
export function wholeShape(min: number, max: number): Shape<number> {
  return {
    read(node, name) {
      const isNumber = node.kind === "scalar" && node.plain &&
        /^-?\d{1,15}$/.test(node.text);
      const value = isNumber ? Number(node.text) : NaN;
      if (value >= min && value <= max) return value;
      throw wrong(
        node,
        name,
        min === max ? `${min}` : `a whole number from ${min} to ${max}`,
      );
    },
    schema: { type: "integer", minimum: min, maximum: max },
  };
}

/** true or false, without quotes. */
export const SWITCH_SHAPE: Shape<boolean> = {
  read(node, name) {
    if (node.kind === "scalar" && node.plain) {
      if (node.text === "true") return true;
      if (node.text === "false") return false;
    }
    throw wrong(node, name, "true or false");
  },
  schema: { type: "boolean" },
};

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: DAY_SECONDS,
};

/** A duration such as 10m, 1h or 7d, in seconds. */
export function durationShape(min: number, max: number): Shape<number> {
  return {
    read(node, name) {
      const match = node.kind === "scalar"
        ? /^(\d{1,9})([smhd])$/.exec(node.text)
        : null;
      const seconds = match ? Number(match[1]) * UNIT_SECONDS[match[2]] : NaN;
      if (seconds >= min && seconds <= max) return seconds;
      throw wrong(
        node,
        name,
        `a duration like 90s, 10m, 1h or 7d, from ${formatDuration(min)} to ` +
          formatDuration(max),
      );
    },
    schema: { type: "string", pattern: "^\\d{1,9}[smhd]$" },
  };
}

/** A list of `min` to `max` different items; also a single item without brackets. */
export function listShape(
  item: Shape<string>,
  min: number,
  max: number,
): Shape<string[]> {
  return {
    read(node, name) {
      if (node.kind === "scalar") return [item.read(node, name)];
      if (node.kind !== "list") throw wrong(node, name, "a list");
      const { length } = node.items;
      if (length < min || length > max) {
        throw definitionError(
          node.place,
          `${name} must have ${min} to ${max} items, not ${length}`,
        );
      }
      const items = node.items.map((one) => item.read(one, name));
      const twice = items.findIndex((one, at) => items.indexOf(one) < at);
      if (twice < 0) return items;
      throw definitionError(
        node.items[twice].place,
        `${name} lists '${items[twice]}' twice; remove one`,
      );
    },
    schema: {
      anyOf: [
        item.schema,
        {
          type: "array",
          items: item.schema,
          minItems: min,
          maxItems: max,
          uniqueItems: true,
        },
      ],
    },
  };
}

/** A key of an object. */
export interface Key<T> {
  /** What its value is. */
  readonly shape: Shape<T>;
  /** One sentence for editors and docs. */
  readonly about: string;
  /** Whether it must be there. */
  readonly required?: true;
}

/** The values of an object: those of keys that are not required may be undefined. */
export type ObjectValue<Keys> =
  & {
    readonly [Name in keyof Keys]: Keys[Name] extends { required: true }
      ? KeyValue<Keys[Name]>
      : KeyValue<Keys[Name]> | undefined;
  }
  & {
    /** The node, for messages about several keys. */
    readonly node: DefinitionNode;
  };

/** What the shape of a key reads. */
export type KeyValue<K> = K extends { shape: Shape<infer T> } ? T : never;

/** The keys of an object by name. */
export type KeyTable = Readonly<Record<string, Key<unknown>>>;

/** An object with certain keys and no others. `example` shows one, and `advice` is about other keys, for messages. */
export function objectShape<const Keys extends KeyTable>(
  keys: Keys,
  example: string,
  advice?: string,
): Shape<ObjectValue<Keys>> {
  const names = Object.keys(keys);
  const required = names.filter((name) => keys[name].required);
  return {
    read(node, name) {
      const map = mapOf(node, name, example);
      const values: Record<string, unknown> = { node };
      for (const known of names) values[known] = undefined;
      for (const { key, place, value } of map.entries) {
        if (!Object.hasOwn(keys, key)) {
          throw definitionError(
            place,
            `${name} has no key ${showKey(key)}; ` +
              (advice ?? `its keys are ${names.join(", ")}`),
          );
        }
        values[key] = keys[key].shape.read(value, key);
      }
      const missing = required.find((key) => values[key] === undefined);
      if (missing !== undefined) {
        throw definitionError(
          node.place,
          `${name} lacks ${missing}: ${keys[missing].about}; write for ` +
            `example ${example}`,
        );
      }
      return values as ObjectValue<Keys>;
    },
    schema: {
      type: "object",
      properties: Object.fromEntries(
        names.map((name) => [name, {
          description: keys[name].about,
          ...keys[name].shape.schema,
        }]),
      ),
      ...required.length > 0 ? { required } : {},
      additionalProperties: false,
    },
  };
}

/** An object whose keys the user chooses: each value is read by `shape`, each key must match `names`. */
export function tableShape<T>(
  names: RegExp,
  rule: string,
  max: number,
  shape: Shape<T>,
  example: string,
): Shape<readonly TableEntry<T>[]> {
  return {
    read(node, name) {
      const map = mapOf(node, name, example);
      if (map.entries.length > max) {
        throw definitionError(
          map.entries[max].place,
          `${name} has ${map.entries.length} keys and may have at most ` +
            `${max}; delete some`,
        );
      }
      return map.entries.map((entry) => {
        if (!names.test(entry.key)) {
          throw definitionError(
            entry.place,
            `${name}: the name ${showKey(entry.key)} must be ${rule}`,
          );
        }
        const value = shape.read(entry.value, entry.key);
        return { key: entry.key, value, node: entry };
      });
    },
    schema: {
      type: "object",
      propertyNames: { pattern: names.source },
      maxProperties: max,
      additionalProperties: shape.schema,
    },
  };
}

/** A key that the user chose. */
export interface TableEntry<T> {
  /** The key. */
  readonly key: string;
  /** Its value. */
  readonly value: T;
  /** Where the key stands. */
  readonly node: { readonly place: DefinitionNode["place"] };
}

/** A short form, which is a scalar or a list, or a long one with keys. */
export function eitherShape<Short, Long>(
  short: Shape<Short>,
  long: Shape<Long>,
): Shape<Short | Long> {
  return {
    read: (node, name) =>
      node.kind === "map" ? long.read(node, name) : short.read(node, name),
    schema: { anyOf: [short.schema, long.schema] },
  };
}

function mapOf(node: DefinitionNode, name: string, example: string): MapNode {
  if (node.kind === "map") return node;
  throw definitionError(
    node.place,
    `${name} must have keys and values, such as ${example}, not ` +
      showNode(node),
  );
}

function showKey(key: string): string {
  return `'${key.length > 60 ? key.slice(0, 57) + "…" : key}'`;
}
