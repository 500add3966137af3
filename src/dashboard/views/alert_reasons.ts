/** Why alerts have their scores: sentences from what the index holds of them and from what the model's file calls usual. */
import type { DeclaredFeatures } from "../../features/declared_features.ts";
import { featureNames } from "../../features/parameters.ts";
import {
  type Reason,
  type Reasons,
  reasonsOf,
} from "../../learning/explain/reasons.ts";
import type { UsualValues } from "../../learning/explain/usual_values.ts";
import type { IndexedAlert } from "../index/alert_queries.ts";
import type { Page } from "./page_view.ts";

/** What is usual for the inputs of a model, by its version; undefined where its file does not say. */
export type UsualOf = (version: string) => UsualValues | undefined;

/** What the reasons of a score are made of. */
export type Explained =
  & Pick<IndexedAlert, "cents" | "contributions" | "model">
  & {
    /** The payment's features in the order of their names; undefined before it is known. */
    readonly features: ArrayLike<number> | undefined;
  };

/** Says why a payment has its score; nothing before it is known, or where nothing says what moved the score. */
export function alertReasons(
  { cents, features, contributions, model }: Explained,
  { parameters: { features: parameters }, usualOf, currency, index }: Pick<
    Page,
    "parameters" | "usualOf" | "currency" | "index"
  >,
): Reasons {
  if (!features) return { raised: [], lowered: [] };
  const values = Object.fromEntries(
    featureNames(parameters).map((name, i) => [name, features[i]]),
  );
  const { windowDays, delayDays, decimals, declared } = parameters;
  const { raised, lowered } = reasonsOf(
    { TX_AMOUNT: cents / index.queries.scale, ...values },
    contributions,
    usualOf(model),
    {
      ...{ windowDays, delayDays },
      ...currency !== undefined && { currency },
      ...decimals !== undefined && { decimals },
      ...declared && { declared },
    },
  );
  const written = (reason: Reason) =>
    isExpression(reason.feature, declared) ? reason : capitalized(reason);
  return { raised: raised.map(written), lowered: lowered.map(written) };
}

/** Whether a sentence begins with an expression, whose names keep their case. */
function isExpression(
  feature: string,
  declared: DeclaredFeatures | undefined,
): boolean {
  const column = declared?.columns.findIndex(({ name }) => name === feature);
  return declared?.expressions.some((one) => one.column === column) === true;
}

/** A reason as the page writes it: with a capital, unless it begins with the input's own name. */
function capitalized(reason: Reason): Reason {
  const { feature, sentence } = reason;
  if (sentence.startsWith(feature)) return reason;
  return {
    ...reason,
    sentence: sentence[0].toUpperCase() + sentence.slice(1),
  };
}
