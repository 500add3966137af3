/**
 * Counts payments that have no value in a key of declared features. Features of
 * that key do not count them; where most payments lack it, another key was
 * probably intended.
 */
import type { Place } from "../definition/definition_node.ts";
import type { NamedValue } from "../definition/expression.ts";
import type { FeatureDeclaration } from "../definition/feature_declarations.ts";
import { NO_TEXT } from "../payment/text_heap.ts";
import { type DeclaredFeatures, keyName } from "./declared_features.ts";

/** A key, and one of the features that have it. */
export interface FeatureKey {
  /** The name of the feature. */
  readonly feature: string;
  /** The fields of the key. */
  readonly by: readonly string[];
  /** Where the definition names the key; undefined where its text is not known. */
  readonly place?: Place;
}

/** A key that most payments lack. */
export interface MissingKey extends FeatureKey {
  /** Payments without a value. */
  readonly missing: number;
  /** All payments. */
  readonly payments: number;
}

/** The keys of declarations. */
export function keysOfDeclarations(
  declarations: readonly FeatureDeclaration[],
): FeatureKey[] {
  return declarations.flatMap((one) =>
    one.kind === "expression"
      ? []
      : [{ feature: one.name, by: one.by, place: one.placeOf("by") }]
  );
}

/** The keys of features that are resolved. */
export function keysOfFeatures(
  { aggregates, columns }: DeclaredFeatures,
): FeatureKey[] {
  return aggregates.map(({ column, by }) => ({
    feature: columns[column].name,
    by,
  }));
}

/** Counts payments by the keys that they lack. */
export class MissingKeys {
  readonly #keys: {
    readonly key: FeatureKey;
    readonly fields: readonly NamedValue[];
    missing: number;
  }[] = [];
  #payments = 0;

  /** Of keys of payments whose fields are `values`; see paymentValues(). Keys that no payment lacks cost nothing. */
  constructor(
    keys: readonly FeatureKey[],
    values: ReadonlyMap<string, NamedValue>,
  ) {
    const byName = new Map(
      keys.toReversed().map((key) => [keyName(key.by), key]),
    );
    for (const key of byName.values()) {
      const fields = key.by.flatMap((field) => {
        const value = values.get(field);
        return value?.nullable ? [value] : [];
      });
      if (fields.length > 0) this.#keys.push({ key, fields, missing: 0 });
    }
  }

  /** Payments counted. */
  get payments(): number {
    return this.#payments;
  }

  /** Counts the payment in the row that begins at `at`. */
  add(cells: Float64Array, at: number): void {
    this.#payments++;
    for (const one of this.#keys) {
      const isMissing = one.fields.some(({ cell, type }) => {
        const value = cells[at + cell];
        return type === "text" ? value === NO_TEXT : Number.isNaN(value);
      });
      if (isMissing) one.missing++;
    }
  }

  /** The keys that more than half of the payments lack. */
  most(): MissingKey[] {
    const payments = this.#payments;
    return this.#keys
      .filter(({ missing }) => missing > payments / 2)
      .map(({ key, missing }) => ({ ...key, missing, payments }));
  }
}
