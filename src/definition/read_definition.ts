/**
 * Reads a stream's definition. One declaration says which keys there are, what
 * their values are and what an editor shows about them; after it, the rules
 * that join several keys. Every error names the file, the line and the column.
 */
import { ConfigError } from "../base/error.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { DAY_SECONDS, PAYMENT_FIELDS } from "../payment/payment.ts";
import { PREDICTION_RECORD } from "../payment/record_field.ts";
import { BUILT_IN_DEFINITIONS } from "./built_in.ts";
import {
  DEFINITION_BYTES_MAX,
  definitionError,
  parseNodes,
  showNode,
} from "./definition_node.ts";
import {
  DECLARED_FEATURES_MAX,
  FEATURE_SHAPE,
  type FeatureDeclaration,
} from "./feature_declarations.ts";
import {
  durationShape,
  eitherShape,
  type JsonSchema,
  listShape,
  objectShape,
  type Shape,
  type ShapeValue,
  SWITCH_SHAPE,
  tableShape,
  textShape,
  wholeShape,
  wordShape,
} from "./shape.ts";
import {
  type AmountMapping,
  type FeatureInclude,
  type FlagMapping,
  type IdMapping,
  type KeptField,
  type LabelRule,
  type PaymentMapping,
  type RowNumber,
  sourceFields,
  type StreamDefinition,
  type TimeMapping,
} from "./stream_definition.ts";
import { epochUnit, formatDefect } from "./time_format.ts";
import { Zone } from "./zone.ts";

/** Most fields that are kept or dropped. */
const FIELDS_MAX = 64;

/** Most fields that are joined. */
const PARTS_MAX = 8;

const FIELD = textShape("the name of a field in your data");
const FIELDS = listShape(FIELD, 1, PARTS_MAX);
const FROM = {
  shape: FIELD,
  about: "name of the field in your data",
  required: true,
} as const;
const FROM_LIST = {
  shape: FIELDS,
  about: "name of the field in your data, or several to join",
  required: true,
} as const;
const JOIN = {
  shape: textShape("text"),
  about: "text between the fields of a list",
} as const;

/** A zone as Intl knows it, "UTC" in one spelling. */
const ZONE: Shape<string> = {
  read(node, name) {
    const text = node.kind === "scalar" ? node.text : "";
    if (/^(?:UTC|Z|GMT|Etc\/UTC|[+-]00:00)$/.test(text)) return "UTC";
    // Other spellings of a name would be another definition.
    if (
      /^[A-Z][A-Za-z0-9_+-]*(?:\/[A-Z][A-Za-z0-9_+-]*)+$/.test(text) &&
      isZone(text)
    ) {
      return text;
    }
    if (/^[+-]\d\d:[0-5]\d$/.test(text) && isZone(text)) return text;
    throw definitionError(
      node.place,
      `${name} must be a zone such as UTC, Europe/Berlin or +02:00, not ` +
        showNode(node),
    );
  },
  schema: {
    type: "string",
    pattern: "^(UTC|Z|GMT|[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)+|" +
      "[+-]\\d\\d:[0-5]\\d)$",
  },
};

function isZone(name: string): boolean {
  try {
    new Zone(name);
    return true;
  } catch {
    return false;
  }
}

const TIME_FORMAT: Shape<string> = {
  read(node, name) {
    const text = textShape("a format such as yyyy-MM-dd HH:mm:ss")
      .read(node, name);
    const defect = formatDefect(text);
    if (defect === undefined) return text;
    throw definitionError(node.place, `${name} '${text}': ${defect}`);
  },
  schema: {
    type: "string",
    maxLength: 256,
    examples: [
      "iso",
      "epoch-s",
      "epoch-ms",
      "epoch-us",
      "yyyy-MM-dd HH:mm:ss",
      "dd/MM/yyyy HH:mm",
    ],
  },
};

const FORMAT_KEYS = {
  format: {
    shape: TIME_FORMAT,
    about: "iso (the default), epoch-s, epoch-ms, epoch-us, or a pattern of " +
      "Unicode's letters",
  },
  zone: {
    shape: ZONE,
    about: "zone of times without an offset; UTC by default",
  },
} as const;

const FLAG_TEXTS = listShape(textShape("text"), 1, 16);
const FLAG_KEYS = {
  true: {
    shape: FLAG_TEXTS,
    about: "text or texts that mean 1; 1 and true by default",
  },
  false: {
    shape: FLAG_TEXTS,
    about: "text or texts that mean 0; by default 0 and false, or, where " +
      "'true' is given, every other text",
  },
} as const;

const ID_LONG = objectShape({
  from: FROM_LIST,
  join: JOIN,
  type: {
    shape: wordShape("text", "number"),
    about: "text (the default) of up to 128 bytes, or number for whole " +
      "numbers up to 2^53 - 1, which is faster",
  },
  hmac: {
    shape: SWITCH_SHAPE,
    about: "whether a pseudonym (HMAC-SHA-256) replaces the id; needs " +
      "--hmac-key-file",
  },
}, "{ from: card_number, type: text }");

const ID = eitherShape(FIELD, ID_LONG);

const TIME = eitherShape(
  FIELD,
  objectShape(
    { from: FROM_LIST, join: JOIN, ...FORMAT_KEYS },
    "{ from: time, format: iso }",
  ),
);

const AMOUNT = eitherShape(
  FIELD,
  objectShape({
    from: FROM,
    decimals: {
      shape: wholeShape(0, 4),
      about: "decimals of the smallest unit of the currency; 2 by default",
    },
    currency: {
      shape: textShape("a code such as USD", /^[A-Z]{3}$/),
      about: "code of ISO 4217, for display",
    },
    prefix: {
      shape: textShape("text"),
      about: "text before the number, such as $",
    },
    decimal: {
      shape: wordShape(".", ","),
      about: "decimal mark of text; a point by default",
    },
    thousands: {
      shape: textShape("one character such as ','", /^[,.'_ \u00a0\u202f]$/),
      about: "separator of thousands of text; none by default",
    },
    refunds: {
      shape: SWITCH_SHAPE,
      about: "whether amounts may be negative; false by default",
    },
  }, "{ from: amount, decimals: 2 }"),
);

const FLAG = eitherShape(
  FIELD,
  objectShape({ from: FROM, ...FLAG_KEYS }, '{ from: fraud, true: "Yes" }'),
);

const KEPT_TYPE = wordShape("text", "number", "flag", "time");

const KEPT = eitherShape(
  KEPT_TYPE,
  objectShape({
    from: {
      shape: FIELD,
      about: "name of the field in your data, if it is another",
    },
    type: {
      shape: KEPT_TYPE,
      about: "text, number, flag or time",
      required: true,
    },
    ...FORMAT_KEYS,
    ...FLAG_KEYS,
  }, "{ from: mcc, type: text }"),
);

const PAYMENT = objectShape({
  TRANSACTION_ID: {
    shape: ID,
    about: "the unique id of the payment; { from: row } numbers the rows",
    required: true,
  },
  TX_DATETIME: {
    shape: TIME,
    about: "when the payment happened",
    required: true,
  },
  CUSTOMER_ID: { shape: ID, about: "the card or customer", required: true },
  TERMINAL_ID: {
    shape: ID,
    about: "the terminal or merchant",
    required: true,
  },
  TX_AMOUNT: { shape: AMOUNT, about: "the amount", required: true },
  TX_FRAUD: {
    shape: FLAG,
    about: "whether it was fraud; leave it out where labels arrive later",
  },
  TX_FRAUD_SCENARIO: {
    shape: FIELD,
    about: "a whole number that says which kind of fraud it was",
  },
  keep: {
    shape: tableShape(
      /^[A-Za-z][A-Za-z0-9_]{0,63}$/,
      "a letter, then up to 63 letters, digits and _",
      FIELDS_MAX,
      KEPT,
      "{ category: text, city_pop: number }",
    ),
    about: "fields that are kept under their own names",
  },
  drop: {
    shape: listShape(FIELD, 0, FIELDS_MAX),
    about: "fields that are not taken along, or all for every field that the " +
      "definition does not name",
  },
}, "{ TRANSACTION_ID: id, TX_DATETIME: time, … }");

/** Longest label delay: a window of 30 days behind it ends 90 days back. */
const DELAY_MAX = 60 * DAY_SECONDS;

/** Longest time until a payment without a label is genuine: chargebacks come for up to half a year. */
const MATURE_MAX = 365 * DAY_SECONDS;

const LABELS = objectShape({
  from: {
    shape: wordShape("payment", "stream"),
    about: "payment: the label stands in the payment; stream: labels arrive " +
      "later on their own",
    required: true,
  },
  delay: {
    shape: durationShape(60, DELAY_MAX),
    about: "how long after a payment its label counts; 7d by default",
  },
  grace: {
    shape: durationShape(0, DELAY_MAX),
    about: "with from: stream, how long after it is known a label counts; " +
      "1d by default",
  },
  mature: {
    shape: durationShape(DAY_SECONDS, MATURE_MAX),
    about: "with from: stream, when a payment without a label is genuine to " +
      "training and metrics, in whole days; the delay by default",
  },
}, "{ from: payment, delay: 7d }");

const INCLUDE = wordShape("handbook", "extended", "none");
const DECLARED = tableShape(
  /^[A-Za-z][A-Za-z0-9_]{0,63}$/,
  "a letter, then up to 63 letters, digits and _",
  DECLARED_FEATURES_MAX,
  FEATURE_SHAPE,
  "{ CARD_TX_10MIN: { count: payments, by: CUSTOMER_ID, over: 10m } }",
);

/** The features that are included, and those that are declared beside the key of it. */
const FEATURES: Shape<{
  readonly include: FeatureInclude | undefined;
  readonly declared: readonly FeatureDeclaration[];
}> = {
  read(node, name) {
    const isInclude = ({ key }: { readonly key: string }) => key === "include";
    const entries = node.kind === "map" ? node.entries : [];
    const include = entries.find(isInclude);
    const own = node.kind === "map"
      ? { ...node, entries: entries.filter((entry) => !isInclude(entry)) }
      : node;
    return {
      include: include && INCLUDE.read(include.value, include.key),
      declared: DECLARED.read(own, name).map(({ key, value, node }) =>
        value(key, node.place)
      ),
    };
  },
  schema: {
    ...DECLARED.schema,
    maxProperties: DECLARED_FEATURES_MAX + 1,
    properties: {
      include: {
        description:
          "the handbook's 14 features (the default), 21 more, or none",
        ...INCLUDE.schema,
      },
    },
  },
};

const DEFINITION = objectShape({
  version: {
    shape: wholeShape(1, 1),
    about: "version of this format: 1",
    required: true,
  },
  payment: {
    shape: PAYMENT,
    about: "where the fields of a payment come from",
    required: true,
  },
  labels: { shape: LABELS, about: "when labels count" },
  features: { shape: FEATURES, about: "which features there are" },
}, "{ version: 1, payment: { … } }");

/** The JSON Schema of definitions, for editors. */
export const DEFINITION_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Definition of a stream of payments",
  ...DEFINITION.schema,
};

type PaymentKeys = ShapeValue<typeof PAYMENT>;

/**
 * The definition that `name` names: a built-in one, or a file. Throws
 * ConfigError, or DataError for a file that cannot be read.
 */
export function openDefinition(name: string): StreamDefinition {
  return readDefinition(definitionText(name), name);
}

/** The text of the definition that `name` names. Throws like openDefinition(). */
export function definitionText(name: string): string {
  return Object.hasOwn(BUILT_IN_DEFINITIONS, name)
    ? BUILT_IN_DEFINITIONS[name]
    : readText(name);
}

function readText(path: string): string {
  const bytes = readWholeFile(path, DEFINITION_BYTES_MAX);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(
      `${path}:1:1: the definition is not UTF-8; save it as UTF-8`,
      { cause },
    );
  }
}

/** The definition in a YAML text; `file` is its name in messages. Throws ConfigError. */
export function readDefinition(text: string, file: string): StreamDefinition {
  const keys = DEFINITION.read(parseNodes(text, file), "the definition");
  const payment = paymentOf(keys.payment);
  const labels = labelsOf(keys.labels, payment.fraud !== null);
  const { include = "handbook", declared = [] } = keys.features ?? {};
  checkLabels(keys, labels, include);
  return { payment, labels, features: { include, declared } };
}

function paymentOf(keys: PaymentKeys): PaymentMapping {
  const mapping: PaymentMapping = {
    transactionId: transactionIdOf(keys),
    time: timeOf(keys.TX_DATETIME),
    customerId: idOf(keys.CUSTOMER_ID),
    terminalId: idOf(keys.TERMINAL_ID),
    amount: amountOf(keys.TX_AMOUNT),
    fraud: keys.TX_FRAUD === undefined ? null : fraudOf(keys.TX_FRAUD),
    scenario: keys.TX_FRAUD_SCENARIO ?? null,
    keep: keptOf(keys),
    drop: dropOf(keys),
  };
  checkDrop(keys, mapping);
  checkPseudonyms(keys, mapping);
  return mapping;
}

function transactionIdOf(
  { TRANSACTION_ID: keys }: PaymentKeys,
): IdMapping | RowNumber {
  // Without brackets 'row' is no field; a field of that name is [row].
  if (typeof keys === "string" || keys.from.length > 1) return idOf(keys);
  return isWordRow(keys.node) ? rowNumberOf(keys) : idOf(keys);
}

type LongId = ShapeValue<typeof ID_LONG>;

function isWordRow(node: LongId["node"]): boolean {
  const from = node.kind === "map"
    ? node.entries.find(({ key }) => key === "from")?.value
    : undefined;
  return from?.kind === "scalar" && from.text === "row";
}

function rowNumberOf({ node, type, hmac, join }: LongId): RowNumber {
  if (type === undefined && hmac === undefined && join === undefined) {
    return { from: "row" };
  }
  throw definitionError(
    node.place,
    "TRANSACTION_ID { from: row } takes no other key; write { from: [row] } " +
      "for a field of that name",
  );
}

function idOf(keys: ShapeValue<typeof ID>): IdMapping {
  if (typeof keys === "string") {
    return { from: [keys], join: null, type: "text", hmac: false };
  }
  const { node, type = "text", hmac = false } = keys;
  const parts = partsOf(keys);
  if (type === "number" && (hmac || parts.join !== null)) {
    throw definitionError(
      node.place,
      `an id with ${hmac ? "hmac" : "join"} is text; leave 'type: number' out`,
    );
  }
  return { ...parts, type, hmac };
}

/** The fields and the text between them. Throws ConfigError where one of the two is missing. */
function partsOf(
  { node, from, join }: Pick<LongId, "node" | "from" | "join">,
): Pick<IdMapping, "from" | "join"> {
  if (from.length > 1 && join === undefined) {
    throw definitionError(
      node.place,
      `'from' lists ${from.length} fields: add 'join', the text between ` +
        'them, such as join: "-"',
    );
  }
  if (from.length === 1 && join !== undefined) {
    throw definitionError(
      node.place,
      "'join' has no effect with one field; leave it out, or list the fields " +
        "in 'from'",
    );
  }
  return { from, join: join ?? null };
}

function timeOf(keys: ShapeValue<typeof TIME>): TimeMapping {
  if (typeof keys === "string") {
    return { from: [keys], join: null, format: "iso", zone: "UTC" };
  }
  return { ...partsOf(keys), ...formatOf(keys) };
}

function formatOf(
  { node, format = "iso", zone }: Pick<
    Exclude<ShapeValue<typeof TIME>, string>,
    "node" | "format" | "zone"
  >,
): Pick<TimeMapping, "format" | "zone"> {
  if (zone !== undefined && epochUnit(format) !== undefined) {
    throw definitionError(
      node.place,
      `'zone' has no effect with ${format}, which counts from 1970 UTC; ` +
        "leave it out",
    );
  }
  return { format, zone: zone ?? "UTC" };
}

function amountOf(keys: ShapeValue<typeof AMOUNT>): AmountMapping {
  const given = typeof keys === "string" ? undefined : keys;
  const { decimal = ".", thousands = null } = given ?? {};
  if (given && thousands === decimal) {
    throw definitionError(
      given.node.place,
      `'thousands' and 'decimal' are both '${decimal}'; change one`,
    );
  }
  return {
    from: typeof keys === "string" ? keys : keys.from,
    decimals: given?.decimals ?? 2,
    currency: given?.currency ?? null,
    prefix: given?.prefix ?? null,
    decimal,
    thousands,
    refunds: given?.refunds ?? false,
  };
}

function fraudOf(keys: ShapeValue<typeof FLAG>): FlagMapping {
  if (typeof keys === "string") return { from: keys, true: null, false: null };
  return { from: keys.from, ...flagOf(keys) };
}

function flagOf(
  keys: Pick<
    Exclude<ShapeValue<typeof FLAG>, string>,
    "node" | "true" | "false"
  >,
): Pick<FlagMapping, "true" | "false"> {
  const yes = keys.true?.toSorted() ?? null;
  const no = keys.false?.toSorted() ?? null;
  if (yes === null && no !== null) {
    throw definitionError(
      keys.node.place,
      "'false' has no effect without 'true'; add the text that means 1",
    );
  }
  const both = yes?.find((text) => no?.includes(text));
  if (both === undefined) return { true: yes, false: no };
  throw definitionError(
    keys.node.place,
    `'${both}' cannot mean both true and false; remove it from one`,
  );
}

/** Names that a kept field or a declared feature may not have, in lower case: those of columns beside it. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(
  [
    ...PAYMENT_FIELDS,
    ...PREDICTION_RECORD.map(({ name }) => name),
    ...["MODEL_VERSION", "CONTRIBUTIONS", "SHADOW_SCORES", "DECISION", "RULES"],
    ...["SHADOW_RULES", "REASONS", "RULES_VERSION", "LISTS_VERSION"],
    ...["THRESHOLD", "KNOWN_AT", "REASON", "SOURCE", "KNOWN_TIME", "ROW_CHECK"],
  ].map((name) => name.toLowerCase()),
);

/** What the names of features begin with. */
const FEATURE_NAME = /^(?:TX|CUSTOMER_ID|TERMINAL_ID)_/i;

function keptOf({ keep = [] }: PaymentKeys): KeptField[] {
  const seen = new Map<string, string>();
  const fields = keep.map(({ key, value, node: { place } }): KeptField => {
    const name = key.toLowerCase();
    if (RESERVED_NAMES.has(name) || FEATURE_NAME.test(key)) {
      throw definitionError(
        place,
        `keep: the name '${key}' belongs to a field or feature of the stream; ` +
          `choose another, such as MY_${key}: { from: ${key}, type: text }`,
      );
    }
    const before = seen.get(name);
    if (before !== undefined) {
      throw definitionError(
        place,
        `keep: '${before}' and '${key}' differ only in case; rename one`,
      );
    }
    seen.set(name, key);
    return keptFieldOf(key, value);
  });
  return fields.sort((a, b) => a.name < b.name ? -1 : 1);
}

function keptFieldOf(name: string, keys: ShapeValue<typeof KEPT>): KeptField {
  if (typeof keys === "string") {
    return {
      name,
      from: name,
      type: keys,
      time: keys === "time" ? { format: "iso", zone: "UTC" } : null,
      flag: keys === "flag" ? { true: null, false: null } : null,
    };
  }
  const { node, type, from = name } = keys;
  for (const key of ["format", "zone", "true", "false"] as const) {
    const needed = key === "format" || key === "zone" ? "time" : "flag";
    if (keys[key] !== undefined && type !== needed) {
      throw definitionError(
        node.place,
        `'${key}' has no effect with 'type: ${type}'; it is for ${needed}s`,
      );
    }
  }
  return {
    name,
    from,
    type,
    time: type === "time" ? formatOf(keys) : null,
    flag: type === "flag" ? flagOf(keys) : null,
  };
}

function dropOf({ drop, node }: PaymentKeys): readonly string[] | "all" {
  const value = node.kind === "map"
    ? node.entries.find(({ key }) => key === "drop")?.value
    : undefined;
  // In brackets 'all' is a field.
  if (value?.kind === "scalar" && value.text === "all") return "all";
  return drop?.toSorted() ?? [];
}

function checkDrop({ node }: PaymentKeys, mapping: PaymentMapping): void {
  const { drop } = mapping;
  if (drop === "all") return;
  const used = sourceFields(mapping).find((field) => drop.includes(field));
  if (used === undefined) return;
  throw definitionError(
    node.place,
    `drop lists '${used}', which the definition also reads; remove it from ` +
      "one of the two",
  );
}

/** Throws ConfigError where a field becomes a pseudonym in one place and is kept in another. */
function checkPseudonyms({ node }: PaymentKeys, mapping: PaymentMapping): void {
  const { transactionId, customerId, terminalId } = mapping;
  const ids = [transactionId, customerId, terminalId].flatMap((id) =>
    id.from === "row" ? [] : [id]
  );
  const secret = new Set(
    ids.flatMap(({ from, hmac }) => hmac ? from : []),
  );
  const open = [
    ...ids.flatMap(({ from, hmac }) => hmac ? [] : from),
    ...mapping.time.from,
    mapping.amount.from,
    ...mapping.fraud ? [mapping.fraud.from] : [],
    ...mapping.scenario === null ? [] : [mapping.scenario],
    ...mapping.keep.map(({ from }) => from),
  ];
  const leak = open.find((field) => secret.has(field));
  if (leak === undefined) return;
  throw definitionError(
    node.place,
    `'${leak}' is replaced by a pseudonym (hmac: true) and also read without ` +
      "one, which would store it; remove one of the two",
  );
}

const DELAY_DEFAULT = 7 * DAY_SECONDS;
const GRACE_DEFAULT = DAY_SECONDS;

function labelsOf(
  keys: ShapeValue<typeof LABELS> | undefined,
  hasFraud: boolean,
): LabelRule {
  const from = keys?.from ?? (hasFraud ? "payment" : "stream");
  const delaySeconds = keys?.delay ?? DELAY_DEFAULT;
  if (from === "payment") return { from, delaySeconds };
  const graceSeconds = keys?.grace ??
    Math.min(GRACE_DEFAULT, Math.floor(delaySeconds / 2));
  const matureSeconds = keys?.mature ?? delaySeconds;
  return { from, delaySeconds, graceSeconds, matureSeconds };
}

function checkLabels(
  { labels: keys, payment, node }: ShapeValue<typeof DEFINITION>,
  labels: LabelRule,
  include: FeatureInclude,
): void {
  const { place } = keys?.node ?? node;
  const refuse = (message: string) => definitionError(place, message);
  if (labels.from === "payment") {
    if (payment.TX_FRAUD === undefined) {
      throw refuse(
        "labels { from: payment } needs TX_FRAUD in payment; add it, or " +
          "write from: stream where labels arrive later",
      );
    }
    for (const key of ["grace", "mature"] as const) {
      if (keys?.[key] === undefined) continue;
      throw refuse(
        `'${key}' has no effect with 'from: payment'; leave it out`,
      );
    }
  } else if (labels.graceSeconds >= labels.delaySeconds) {
    throw refuse("'grace' must be shorter than 'delay'; change one of the two");
  } else if (labels.matureSeconds < labels.graceSeconds) {
    throw refuse(
      "'mature' must not be shorter than 'grace'; change one of the two",
    );
  } else if (
    keys?.mature !== undefined && labels.matureSeconds % DAY_SECONDS !== 0
  ) {
    throw refuse("'mature' must be whole days, such as 45d");
  }
  if (include === "extended" && labels.from === "stream") {
    throw refuse(
      "features { include: extended } needs labels { from: payment }; write " +
        "include: handbook",
    );
  }
  if (include !== "none" && labels.delaySeconds % DAY_SECONDS !== 0) {
    throw refuse(
      `features { include: ${include} } needs a label delay in whole days, ` +
        "such as 7d",
    );
  }
}
