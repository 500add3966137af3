/**
 * What a definition's declared features mean for its payments: each name is
 * found, each type fits, no expression needs itself. Errors name the place in
 * the definition.
 */
import { definitionError } from "../definition/definition_node.ts";
import {
  compileExpression,
  type Expression,
  ExpressionError,
  nameAdvice,
  type NamedValue,
} from "../definition/expression.ts";
import {
  type Aggregate,
  type AggregateFeature,
  type ExpressionFeature,
  type FeatureDeclaration,
  PAYMENTS,
  type PlacedText,
  WINDOW_REACH_MAX,
} from "../definition/feature_declarations.ts";
import { RESERVED_NAMES } from "../definition/read_definition.ts";
import { formatDuration } from "../payment/calendar.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";

/** What declared features are checked against. */
export interface DeclaredContext {
  /** The payments. */
  readonly shape: PaymentShape;
  /** After how long the label of a payment counts, in seconds; undefined where there are no labels. */
  readonly labelDelaySeconds: number | undefined;
  /** Whether labels stand in their payments. */
  readonly hasOwnLabels: boolean;
  /** Names of the features that come before the declared ones; none of them is ever missing. */
  readonly included: readonly string[];
}

/** An aggregate with everything filled in. */
export interface ResolvedAggregate {
  /** Place among the declared features. */
  readonly column: number;
  /** What is computed. */
  readonly kind: Aggregate;
  /** Of which field; "payments" for count and seconds_since. */
  readonly of: string;
  /** The fields of its key. */
  readonly by: readonly string[];
  /** Length of the window in seconds. */
  readonly overSeconds: number;
  /** How far its end lies behind the payment, in seconds. */
  readonly delaySeconds: number;
  /** How long after its payment a label that stands in it counts, in seconds; 0 for what is no label. */
  readonly labelDelaySeconds: number;
  /** The condition under which a payment counts. */
  readonly where: string | undefined;
  /** Whether the payment itself counts. */
  readonly includeSelf: boolean;
  /** What a sum is divided by: a kept number or an amount is summed in whole multiples of its inverse. */
  readonly scale: number;
}

/** A column of declared features. */
export interface DeclaredColumn {
  /** Its name. */
  readonly name: string;
  /** Whether it may have no value. */
  readonly nullable: boolean;
  /** Whether its values are whole numbers from 0 on. */
  readonly isWhole: boolean;
  /** Whether it is a mean or a share: files of text have these to 6 decimals, as the handbook's. */
  readonly isRatio: boolean;
}

/** The declared features of a definition. */
export interface DeclaredFeatures {
  /** The columns, in the order of the definition. */
  readonly columns: readonly DeclaredColumn[];
  /** The aggregates. */
  readonly aggregates: readonly ResolvedAggregate[];
  /** The expressions, each behind those that it needs: its column and its text. */
  readonly expressions: readonly {
    readonly column: number;
    readonly text: string;
  }[];
}

const WHOLE: ReadonlySet<string> = new Set([
  "count",
  "distinct",
  "seconds_since",
]);

/** Whether an aggregate belongs to the customers' half. */
export function isOfCustomer({ by }: Pick<ResolvedAggregate, "by">): boolean {
  return by.includes("CUSTOMER_ID");
}

/** Most different keys. */
const KEYS_MAX = 4;

/** The fields of a payment that features may name; the kept ones begin at cell `keptFrom`. */
export function paymentValues(
  shape: PaymentShape,
  keptFrom: number,
): Map<string, NamedValue> {
  const core = (
    name: string,
    cell: number,
    type: NamedValue["type"] = "number",
  ) => [name, { type, cell, nullable: false }] as const;
  return new Map<string, NamedValue>([
    core("TRANSACTION_ID", CELL.id, shape.transactionId),
    core("TX_DATETIME", CELL.datetime),
    core("CUSTOMER_ID", CELL.customer, shape.customerId),
    core("TERMINAL_ID", CELL.terminal, shape.terminalId),
    core("TX_AMOUNT", CELL.amount),
    core("TX_TIME_SECONDS", CELL.time),
    ...shape.kept.map(({ name, type }, i) => {
      const cell = keptFrom + i;
      const value = type === "time" ? "number" : type;
      return [name, { type: value, cell, nullable: true }] as const;
    }),
  ]);
}

/** Checks declared features. Throws ConfigError with the place of what is wrong. */
export function resolveFeatures(
  declarations: readonly FeatureDeclaration[],
  context: DeclaredContext,
): DeclaredFeatures {
  const values = paymentValues(context.shape, 0);
  checkNames(declarations, context, values);
  const aggregates = declarations.flatMap((one, column) =>
    one.kind === "expression" ? [] : resolved(one, column, context, values)
  );
  checkKeys(declarations);
  const order = new ExpressionOrder(declarations, context, values, aggregates);
  return {
    columns: declarations.map((one, column) => {
      const { name, kind } = one;
      return {
        name,
        nullable: order.isNullable(column),
        isWhole: WHOLE.has(kind) || order.isFlag(column),
        isRatio: kind === "mean" || kind === "share",
      };
    }),
    aggregates,
    expressions: order.expressions,
  };
}

function checkNames(
  declarations: readonly FeatureDeclaration[],
  { included }: DeclaredContext,
  values: ReadonlyMap<string, NamedValue>,
): void {
  const taken = new Map<string, string>();
  for (const name of values.keys()) {
    taken.set(name.toLowerCase(), `${name} is a field of the payment`);
  }
  for (const name of included) {
    taken.set(name.toLowerCase(), `${name} is a feature that is included`);
  }
  for (const { name, place } of declarations) {
    const reason = taken.get(name.toLowerCase()) ??
      (RESERVED_NAMES.has(name.toLowerCase())
        ? `${name} is a field of the stream`
        : undefined);
    if (reason !== undefined) {
      throw definitionError(
        place,
        `features: ${reason} already; choose another name`,
      );
    }
    taken.set(name.toLowerCase(), `${name} is declared`);
  }
}

function checkKeys(declarations: readonly FeatureDeclaration[]): void {
  const keys = new Set<string>();
  for (const one of declarations) {
    if (one.kind === "expression") continue;
    keys.add(keyName(one.by));
    if (keys.size <= KEYS_MAX) continue;
    throw definitionError(
      one.placeOf("by"),
      `${one.name} has the fifth key; features may have ${KEYS_MAX} ` +
        `different keys; use ${[...keys].slice(0, KEYS_MAX).join(", ")}`,
    );
  }
}

/** The name of a key: its fields in a fixed order. */
export function keyName(by: readonly string[]): string {
  return by.toSorted().join(" + ");
}

function resolved(
  feature: AggregateFeature,
  column: number,
  context: DeclaredContext,
  values: ReadonlyMap<string, NamedValue>,
): ResolvedAggregate {
  const { name, kind, of, by, overSeconds, where, includeSelf, placeOf } =
    feature;
  for (const field of by) {
    if (values.has(field) && !NO_KEYS.has(field)) continue;
    const fields = [...values.keys()].filter((one) => !NO_KEYS.has(one));
    throw definitionError(
      placeOf("by"),
      `${name}: payments have no field ${field} that can be a key; ` +
        nameAdvice(field, fields),
    );
  }
  checkOf(feature, context, values);
  if (where !== undefined) checkCondition(feature, where, values);
  return {
    column,
    kind,
    of,
    by: by.toSorted(),
    overSeconds,
    delaySeconds: delayOf(feature, context),
    labelDelaySeconds: of === "TX_FRAUD" ? context.labelDelaySeconds ?? 0 : 0,
    where: where?.text,
    includeSelf,
    scale: of === "TX_AMOUNT"
      ? 10 ** context.shape.decimals
      : 10 ** (feature.decimals ?? 2),
  };
}

const NO_KEYS: ReadonlySet<string> = new Set([
  "TRANSACTION_ID",
  "TX_DATETIME",
  "TX_AMOUNT",
  "TX_TIME_SECONDS",
]);

/** Throws ConfigError unless a feature's field fits what it computes. */
function checkOf(
  { name, kind, of, decimals, placeOf }: AggregateFeature,
  { labelDelaySeconds }: DeclaredContext,
  values: ReadonlyMap<string, NamedValue>,
): void {
  if (of === PAYMENTS) return;
  const numbers = [...values].flatMap(([field, { type }]) =>
    type === "number" && (field === "TX_AMOUNT" || !CORE.has(field))
      ? [field]
      : []
  );
  const flags = [...values]
    .flatMap(([field, { type }]) => type === "flag" ? [field] : []);
  const allowed: readonly string[] = kind === "distinct"
    ? [...values.keys()]
    : kind === "share"
    ? [...labelDelaySeconds === undefined ? [] : ["TX_FRAUD"], ...flags]
    : numbers;
  if (!allowed.includes(of)) {
    throw definitionError(
      placeOf(kind),
      allowed.length === 0
        ? `${name}: there is no flag and no label of which to compute a ` +
          "share; keep a flag"
        : `${name}: ${kind} cannot be computed of ${of}` +
          (values.has(of) || of === "TX_FRAUD"
            ? ""
            : ", which is no field of the payment") +
          `; ${nameAdvice(of, allowed)}`,
    );
  }
  if (decimals === undefined || of !== "TX_AMOUNT") return;
  throw definitionError(
    placeOf("decimals"),
    `${name}: the decimals of TX_AMOUNT stand in payment; leave 'decimals' out`,
  );
}

const CORE: ReadonlySet<string> = new Set([
  "TRANSACTION_ID",
  "TX_DATETIME",
  "CUSTOMER_ID",
  "TERMINAL_ID",
  "TX_AMOUNT",
  "TX_TIME_SECONDS",
]);

function delayOf(
  { name, of, overSeconds, delaySeconds, placeOf }: AggregateFeature,
  { labelDelaySeconds, hasOwnLabels }: DeclaredContext,
): number {
  if (of !== "TX_FRAUD" || labelDelaySeconds === undefined) {
    return delaySeconds ?? 0;
  }
  const delay = delaySeconds ?? labelDelaySeconds;
  if (overSeconds + delay > WINDOW_REACH_MAX) {
    throw definitionError(
      placeOf("over"),
      `${name}: 'over' and the delay of the labels (${
        formatDuration(delay)
      }) ` +
        `together may be at most ${formatDuration(WINDOW_REACH_MAX)}; ` +
        "shorten 'over'",
    );
  }
  if (!hasOwnLabels || delay >= labelDelaySeconds) return delay;
  throw definitionError(
    placeOf("delay"),
    `${name}: labels count ${formatDuration(labelDelaySeconds)} after their ` +
      `payments, so 'delay' must be at least that`,
  );
}

function checkCondition(
  { name }: FeatureDeclaration,
  where: PlacedText,
  values: ReadonlyMap<string, NamedValue>,
): void {
  const { type } = compiled(name, where, values);
  if (type === "flag") return;
  throw definitionError(
    where.placeAt(0),
    `${name}: 'where' must be a condition, such as "TX_AMOUNT > 100"`,
  );
}

/** Compiles an expression of a definition. Throws ConfigError with its place. */
function compiled(
  name: string,
  { text, placeAt }: PlacedText,
  values: ReadonlyMap<string, NamedValue>,
): Expression {
  try {
    return compileExpression(text, values);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw definitionError(placeAt(error.offset), `${name}: ${error.message}`);
  }
}

/** Finds an order of expressions in which each follows those that it needs. */
class ExpressionOrder {
  readonly expressions: { column: number; text: string }[] = [];
  readonly #declarations: readonly FeatureDeclaration[];
  readonly #nullable: (boolean | undefined)[] = [];
  readonly #flags = new Set<number>();
  // What an expression may name; the types of features are all numbers.
  readonly #values: Map<string, NamedValue>;
  readonly #columns: ReadonlyMap<string, number>;
  readonly #path: string[] = [];

  constructor(
    declarations: readonly FeatureDeclaration[],
    { included }: DeclaredContext,
    values: ReadonlyMap<string, NamedValue>,
    aggregates: readonly ResolvedAggregate[],
  ) {
    this.#declarations = declarations;
    this.#columns = new Map(declarations.map(({ name }, i) => [name, i]));
    const number = { type: "number", cell: 0, nullable: false } as const;
    this.#values = new Map<string, NamedValue>([
      ...values,
      ...included.map((name) => [name, number] as const),
      ...declarations.map(({ name }) => [name, number] as const),
    ]);
    for (const one of aggregates) {
      this.#nullable[one.column] = isNullable(one, values);
    }
    for (const one of declarations) {
      if (one.kind === "expression") this.#add(one);
    }
  }

  /** Whether the feature of a column may have no value. */
  isNullable(column: number): boolean {
    return this.#nullable[column] ?? true;
  }

  /** Whether the feature of a column is a condition. */
  isFlag(column: number): boolean {
    return this.#flags.has(column);
  }

  #add(feature: ExpressionFeature): void {
    const { name, expression } = feature;
    const column = this.#columns.get(name) ?? 0;
    if (this.#nullable[column] !== undefined) return;
    const before = this.#path.indexOf(name);
    if (before >= 0) {
      const cycle = [...this.#path.slice(before), name].join(" needs ");
      throw definitionError(
        feature.expression.placeAt(0),
        `${cycle}; an expression cannot need itself; take one of the names out`,
      );
    }
    this.#path.push(name);
    for (const needed of compiled(name, expression, this.#values).names) {
      const at = this.#columns.get(needed);
      const other = at === undefined ? undefined : this.#declarations[at];
      if (other?.kind === "expression") this.#add(other);
      if (at === undefined || other === undefined) continue;
      const nullable = this.isNullable(at);
      this.#values.set(needed, { type: "number", cell: 0, nullable });
    }
    this.#path.pop();
    const { type, nullable } = compiled(name, expression, this.#values);
    if (type === "text") {
      throw definitionError(
        expression.placeAt(0),
        `${name}: a feature is a number or a condition, not a text`,
      );
    }
    this.#nullable[column] = nullable;
    if (type === "flag") this.#flags.add(column);
    this.expressions.push({ column, text: expression.text });
  }
}

/** Whether an aggregate may have no value: if it has none over no payments, and may have none. */
function isNullable(
  { kind, of, by, where, delaySeconds, includeSelf }: ResolvedAggregate,
  values: ReadonlyMap<string, NamedValue>,
): boolean {
  if (kind === "seconds_since") return true;
  if (kind !== "mean" && kind !== "min" && kind !== "max") return false;
  const isCounted = includeSelf && delaySeconds === 0 && where === undefined &&
    [of, ...by].every((field) => values.get(field)?.nullable === false);
  return !isCounted;
}

/** What several partitions leave room for. */
export interface PartitionBound {
  /** How many there are. */
  readonly partitions: number;
  /** The least delay of a window of a later key, in seconds. By then all payments in it have arrived from the other partitions. */
  readonly alignedSeconds: number;
  /** Whether the handbook's features are included, whose later key is TERMINAL_ID. */
  readonly hasHandbook: boolean;
}

/** Throws ConfigError if features need what several partitions cannot give. */
export function checkPartitions(
  declarations: readonly FeatureDeclaration[],
  { partitions, alignedSeconds, hasHandbook }: PartitionBound,
): void {
  if (partitions === 1) return;
  const later = new Set<string>(hasHandbook ? ["TERMINAL_ID"] : []);
  for (const one of declarations) {
    if (one.kind === "expression" || isOfCustomer(one)) continue;
    later.add(keyName(one.by));
    if (later.size > 1) {
      throw definitionError(
        one.placeOf("by"),
        `${one.name}: beside keys with CUSTOMER_ID only one other key is ` +
          `possible with ${partitions} partitions, and ` +
          `${[...later][0]} is one; use one partition`,
      );
    }
    if (one.byArrival || (one.delaySeconds ?? 0) >= alignedSeconds) continue;
    if (one.of === "TX_FRAUD" && one.delaySeconds === undefined) continue;
    throw definitionError(
      one.placeOf(one.delaySeconds === undefined ? "over" : "delay"),
      `${one.name}: with ${partitions} partitions payments reach ` +
        `${keyName(one.by)} in no fixed order, so its window must end at ` +
        `least ${formatDuration(alignedSeconds)} before the payment; set ` +
        "'delay', use one partition, or accept results that differ from run " +
        "to run with 'order: arrival'",
    );
  }
}
