/** The part of JSON Schema that the schema of definitions uses; it fails on other keywords. */

type Schema = Readonly<Record<string, unknown>>;
type Check = (rule: never, value: unknown, schema: Schema) => boolean;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isRecord,
  array: Array.isArray,
  integer: Number.isInteger,
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
};

const CHECKS: Readonly<Record<string, Check>> = {
  $schema: () => true,
  title: () => true,
  description: () => true,
  examples: () => true,
  type: (rule: string | string[], value) =>
    [rule].flat().some((type) => TYPES[type](value)),
  enum: (rule: unknown[], value) => rule.includes(value),
  anyOf: (rule: Schema[], value) =>
    rule.some((schema) => schemaAccepts(schema, value)),
  pattern: (rule: string, value) =>
    typeof value !== "string" || new RegExp(rule, "u").test(value),
  minLength: (rule: number, value) =>
    typeof value !== "string" || value.length >= rule,
  maxLength: (rule: number, value) =>
    typeof value !== "string" || value.length <= rule,
  minimum: (rule: number, value) => typeof value !== "number" || value >= rule,
  maximum: (rule: number, value) => typeof value !== "number" || value <= rule,
  minItems: (rule: number, value) =>
    !Array.isArray(value) || value.length >= rule,
  maxItems: (rule: number, value) =>
    !Array.isArray(value) || value.length <= rule,
  uniqueItems: (_: true, value) =>
    !Array.isArray(value) || new Set(value).size === value.length,
  items: (rule: Schema, value) =>
    !Array.isArray(value) || value.every((item) => schemaAccepts(rule, item)),
  required: (rule: string[], value) =>
    !isRecord(value) || rule.every((key) => Object.hasOwn(value, key)),
  properties: (rule: Record<string, Schema>, value) =>
    !isRecord(value) ||
    Object.entries(value).every(([key, item]) =>
      !Object.hasOwn(rule, key) || schemaAccepts(rule[key], item)
    ),
  propertyNames: (rule: Schema, value) =>
    !isRecord(value) ||
    Object.keys(value).every((key) => schemaAccepts(rule, key)),
  maxProperties: (rule: number, value) =>
    !isRecord(value) || Object.keys(value).length <= rule,
  additionalProperties: (rule: false | Schema, value, schema) =>
    !isRecord(value) ||
    Object.entries(value).every(([key, item]) =>
      isRecord(schema.properties) && Object.hasOwn(schema.properties, key) ||
      rule !== false && schemaAccepts(rule, item)
    ),
};

/** Whether a value is one that a schema describes. Throws for a keyword that is not known here. */
export function schemaAccepts(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, rule]) => {
    if (!Object.hasOwn(CHECKS, keyword)) throw new Error(`no ${keyword} here`);
    return CHECKS[keyword](rule as never, value, schema);
  });
}
