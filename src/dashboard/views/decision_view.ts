/** What rules decided about a payment, as the queue and a case show it. */
import type { TransactionId } from "../../payment/payment.ts";
import type { PredictedDecision } from "../../payment/prediction.ts";
import type { DecidedOutcome } from "../index/rule_sums.ts";
import type { Page } from "./page_view.ts";

/** What rules decided about a payment. */
export interface DecisionView {
  /** approve, review or decline. */
  readonly decision: string;
  /** The live rules that fired, the one that decided first; empty where none did and the model decided. */
  readonly rules: readonly {
    /** The rule's id. */
    readonly id: string;
    /** Why it fires, in one line. */
    readonly reason: string;
  }[];
  /** Ids of the shadow rules that fired. */
  readonly shadowRules: readonly string[];
  /** Version of the rules. */
  readonly version: string;
}

/** What rules decided about an alert, or about another payment on which one fired; undefined where none are known to have. */
export function decisionOf(
  { index }: Pick<Page, "index">,
  { id, outcome }: {
    readonly id: TransactionId;
    readonly outcome?: number | undefined;
  },
): DecisionView | undefined {
  const decided = outcome === undefined
    ? index.decided(id)
    : index.outcome(outcome);
  return decided && viewOf(decided);
}

/** What a stored prediction says that rules decided. */
export function storedDecision(decided: PredictedDecision): DecisionView {
  const list = (text: string | null): string[] =>
    text === null ? [] : JSON.parse(text);
  return viewOf({
    decision: decided.decision,
    version: decided.rulesVersion,
    rules: list(decided.rules),
    reasons: list(decided.reasons),
    shadowRules: list(decided.shadowRules),
  });
}

function viewOf(
  { decision, version, rules, reasons, shadowRules }: Omit<
    DecidedOutcome,
    "alert"
  >,
): DecisionView {
  return {
    decision,
    version,
    rules: rules.map((id, i) => ({ id, reason: reasons[i] ?? "" })),
    shadowRules,
  };
}
