/**
 * Features that a definition declares, as they are written: an aggregate over
 * the payments of a key, or an expression. What they name is checked where the
 * payment's fields and the other features are known (declared_features.ts).
 */
import { formatDuration } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { definitionError, type Place } from "./definition_node.ts";
import { EXPRESSION_LENGTH_MAX } from "./expression.ts";
import {
  durationShape,
  listShape,
  objectShape,
  type Shape,
  type ShapeValue,
  SWITCH_SHAPE,
  textShape,
  wholeShape,
} from "./shape.ts";

/** What an aggregate computes of the payments in its window. */
export const AGGREGATES = [
  "count",
  "sum",
  "mean",
  "min",
  "max",
  "distinct",
  "share",
  "seconds_since",
] as const;

/** What an aggregate computes of the payments in its window. */
export type Aggregate = typeof AGGREGATES[number];

/** What `count` and `seconds_since` are of. */
export const PAYMENTS = "payments";

/** A text in a definition, and where it stands. */
export interface PlacedText {
  /** The text. */
  readonly text: string;
  /** The place of an offset in it, in UTF-16 units. */
  readonly placeAt: (offset: number) => Place;
}

/** An aggregate over a window of the payments of a key. */
export interface AggregateFeature {
  /** Distinguishes it from an expression. */
  readonly kind: Aggregate;
  /** Its name. */
  readonly name: string;
  /** The field that is aggregated, or "payments". */
  readonly of: string;
  /** The fields that make the key. */
  readonly by: readonly string[];
  /** Length of the window. */
  readonly overSeconds: number;
  /** How far its end lies behind the payment; undefined for none, or the labels' for TX_FRAUD. */
  readonly delaySeconds: number | undefined;
  /** The condition under which a payment counts; undefined for every one. */
  readonly where: PlacedText | undefined;
  /** Whether the payment itself counts, where the window ends at it. */
  readonly includeSelf: boolean;
  /** Decimals to which a kept number is summed; undefined for 2, or where something else is. */
  readonly decimals: number | undefined;
  /** Whether the window may count what has arrived, where more than one partition leaves no order by time. */
  readonly byArrival: boolean;
  /** Where its name stands. */
  readonly place: Place;
  /** Where the value of one of its keys stands; where its name does if it has no such key. */
  readonly placeOf: (key: string) => Place;
}

/** A value that follows from fields and other features. */
export interface ExpressionFeature {
  /** Distinguishes it from an aggregate. */
  readonly kind: "expression";
  /** Its name. */
  readonly name: string;
  /** The expression. */
  readonly expression: PlacedText;
  /** Where its name stands. */
  readonly place: Place;
}

/** A declared feature. */
export type FeatureDeclaration = AggregateFeature | ExpressionFeature;

/** Longest window and delay together. */
export const WINDOW_REACH_MAX: number = 90 * DAY_SECONDS;

/** Most features that a definition declares. */
export const DECLARED_FEATURES_MAX = 256;

/** Most fields of a key. */
const KEY_FIELDS_MAX = 4;

/** An expression, as it is written. */
export const EXPRESSION_TEXT: Shape<PlacedText> = {
  read(node, name) {
    if (
      node.kind === "scalar" && node.text !== "" &&
      node.text.length <= EXPRESSION_LENGTH_MAX
    ) return { text: node.text, placeAt: node.placeAt };
    throw definitionError(
      node.place,
      `${name} must be an expression of up to ${EXPRESSION_LENGTH_MAX} ` +
        'characters, such as "TX_AMOUNT > 100"',
    );
  },
  schema: { type: "string", minLength: 1, maxLength: EXPRESSION_LENGTH_MAX },
};

const FIELD = textShape("the name of a field", /^[A-Za-z][A-Za-z0-9_]{0,63}$/);
const ONLY_PAYMENTS = textShape(`the word ${PAYMENTS}`, /^payments$/);

const EXAMPLE = "{ count: payments, by: CUSTOMER_ID, over: 10m }";

const FEATURE = objectShape({
  count: { shape: ONLY_PAYMENTS, about: "count: payments, their number" },
  sum: { shape: FIELD, about: "the sum of a field" },
  mean: { shape: FIELD, about: "the mean of a field; none without payments" },
  min: { shape: FIELD, about: "the least value of a field" },
  max: { shape: FIELD, about: "the greatest value of a field" },
  distinct: {
    shape: FIELD,
    about: "the number of different values of a field",
  },
  share: {
    shape: FIELD,
    about: "the share of payments where TX_FRAUD or a kept flag is 1",
  },
  seconds_since: {
    shape: ONLY_PAYMENTS,
    about: "seconds_since: payments, the time since the one before",
  },
  expression: {
    shape: EXPRESSION_TEXT,
    about: "a value that follows from fields and features, in CEL syntax",
  },
  by: {
    shape: listShape(FIELD, 1, KEY_FIELDS_MAX),
    about: "the field, or the fields, whose equal values share a window",
  },
  over: {
    shape: durationShape(1, WINDOW_REACH_MAX),
    about: "length of the window, 1s to 90d",
  },
  delay: {
    shape: durationShape(0, WINDOW_REACH_MAX),
    about: "how far the window's end lies behind the payment; 0s by default, " +
      "for TX_FRAUD the labels' delay",
  },
  where: {
    shape: EXPRESSION_TEXT,
    about: "the condition under which a payment counts, in CEL syntax",
  },
  include_self: {
    shape: SWITCH_SHAPE,
    about: "whether the payment itself counts; true by default",
  },
  decimals: {
    shape: wholeShape(0, 6),
    about: "decimals to which a kept number is summed; 2 by default",
  },
  order: {
    shape: textShape("the word arrival", /^arrival$/),
    about: "order: arrival counts what has arrived at a later key of several " +
      "partitions; the result then differs from run to run",
  },
}, EXAMPLE);

type FeatureKeys = ShapeValue<typeof FEATURE>;

/** A feature as it is declared under its name. */
export const FEATURE_SHAPE: Shape<
  (name: string, place: Place) => FeatureDeclaration
> = {
  read(node, name) {
    const keys = FEATURE.read(node, name);
    return (name, place) => declarationOf(name, place, keys);
  },
  schema: FEATURE.schema,
};

const OF_AGGREGATES = ["by", "over", "delay", "where", "include_self"] as const;

function declarationOf(
  name: string,
  place: Place,
  keys: FeatureKeys,
): FeatureDeclaration {
  const kinds = ([...AGGREGATES, "expression"] as const)
    .filter((kind) => keys[kind] !== undefined);
  const [kind] = kinds;
  if (kinds.length !== 1) {
    throw definitionError(
      place,
      kinds.length === 0
        ? `${name} must say what it computes: ` +
          `${AGGREGATES.join(", ")} or expression; write for example ${EXAMPLE}`
        : `${name} computes ${
          kinds.join(" and ")
        }; declare one feature for each`,
    );
  }
  if (kind !== "expression") {
    return aggregateOf(name, place, kind, keys);
  }
  const other = ([...OF_AGGREGATES, "decimals", "order"] as const)
    .find((key) => keys[key] !== undefined);
  if (other !== undefined) {
    throw definitionError(
      placesOfKeys(keys, place)(other),
      `${name}: '${other}' has no effect with 'expression'; leave it out`,
    );
  }
  const { expression } = keys;
  if (!expression) throw new Error("an expression without text");
  return { kind, name, expression, place };
}

/** Finds where the values of keys stand. */
function placesOfKeys(
  { node }: FeatureKeys,
  place: Place,
): (key: string) => Place {
  const entries = node.kind === "map" ? node.entries : [];
  return (name) =>
    entries.find(({ key }) => key === name)?.value.place ?? place;
}

function aggregateOf(
  name: string,
  place: Place,
  kind: Aggregate,
  keys: FeatureKeys,
): AggregateFeature {
  const { by, over, delay, where, include_self, decimals, order } = keys;
  const of = keys[kind] ?? "";
  const placeOf = placesOfKeys(keys, place);
  if (by === undefined || over === undefined) {
    const missing = by === undefined ? "by" : "over";
    throw definitionError(
      place,
      `${name} lacks '${missing}'; write for example ` +
        `{ ${kind}: ${of}, by: CUSTOMER_ID, over: 1h }`,
    );
  }
  if (over + (delay ?? 0) > WINDOW_REACH_MAX) {
    throw definitionError(
      placeOf("over"),
      `${name}: 'over' and 'delay' together may be at most ` +
        `${formatDuration(WINDOW_REACH_MAX)}; shorten one of the two`,
    );
  }
  const refuse = (key: string, why: string) =>
    definitionError(
      placeOf(key),
      `${name}: '${key}' has no effect ${why}; leave it out`,
    );
  if (kind === "seconds_since" && include_self !== undefined) {
    throw refuse("include_self", "with 'seconds_since', which looks before it");
  }
  if (include_self === false && delay !== undefined && delay > 0) {
    throw refuse("include_self", "where the window ends before the payment");
  }
  if (decimals !== undefined && kind !== "sum" && kind !== "mean") {
    throw refuse("decimals", "except with 'sum' and 'mean'");
  }
  return {
    kind,
    name,
    of,
    by,
    overSeconds: over,
    delaySeconds: delay,
    where,
    includeSelf: kind !== "seconds_since" && (include_self ?? true),
    decimals,
    byArrival: order !== undefined,
    place,
    placeOf,
  };
}

/** A declaration in its long form, for the canonical JSON. */
export function longDeclaration(
  feature: FeatureDeclaration,
): Record<string, unknown> {
  if (feature.kind === "expression") {
    return { expression: feature.expression.text };
  }
  const { kind, of, by, overSeconds, delaySeconds, where, includeSelf } =
    feature;
  return {
    [kind]: of,
    by,
    over: formatDuration(overSeconds),
    delay: delaySeconds === undefined
      ? undefined
      : formatDuration(delaySeconds),
    where: where?.text,
    include_self: includeSelf || kind === "seconds_since" ? undefined : false,
    decimals: feature.decimals,
    order: feature.byArrival ? "arrival" : undefined,
  };
}
