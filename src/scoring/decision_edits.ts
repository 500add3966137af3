/**
 * Changes of what decides about payments, as a person or a program makes them:
 * of rules and lists, or of the threshold of alerts. Each is refused where
 * another has changed the same meanwhile. Where the stream requires approval, a
 * change is a proposal until a second person approves it.
 */
import { ConflictError } from "../base/error.ts";
import type { Control } from "../stream/control.ts";
import {
  changedItems,
  type DecisionState,
} from "../stream/decision_changes.ts";

/** What has become of a change. */
export interface ChangeOutcome {
  /** Whether it decides, waits for a second person, or was none. */
  readonly status: "changed" | "proposed" | "unchanged";
}

/** A change of the rules, lists or threshold, and the person who asks for it. */
export interface WantedChange {
  /** Who makes the change. */
  readonly who: string;
  /** What decided when it began. */
  readonly base: DecisionState;
  /** What is to decide: other rules and lists, or another threshold. */
  readonly state: DecisionState;
  /** Texts of rules and lists by version, where they may be new. */
  readonly contents?: ReadonlyMap<string, string>;
}

/** Makes a change of rules, lists or the threshold, or proposes it. Throws ConflictError where the same was changed meanwhile. */
export async function changeDecisions(
  control: Control,
  wanted: WantedChange,
): Promise<ChangeOutcome> {
  const { base, state, ...how } = wanted;
  if (changedItems(base, state).length === 0) return { status: "unchanged" };
  await control.refresh();
  if (control.requiresApproval) {
    await control.propose(wanted);
    return { status: "proposed" };
  }
  await control.recordChange(fromTo(base, state), how);
  return { status: "changed" };
}

/** A state with what a change from `base` to `next` is about as `from` has it: rules and lists together, or the threshold. */
function partly(
  state: DecisionState,
  { base, next, from }: Readonly<
    Record<"base" | "next" | "from", DecisionState>
  >,
): DecisionState {
  return base.threshold === next.threshold
    ? { ...from, threshold: state.threshold }
    : { ...state, threshold: from.threshold };
}

/** Whether what a change is about is no longer as it was when the change began. */
export function isOutdated(
  now: DecisionState,
  base: DecisionState,
  next: DecisionState,
): boolean {
  const before = partly(now, { base, next, from: base });
  return changedItems(before, now).length > 0;
}

/** A change from one state to another, which is refused where the same has been changed meanwhile, or where it no longer waits. */
export function fromTo(
  base: DecisionState,
  next: DecisionState,
  isWaiting = () => true,
): (state: DecisionState) => DecisionState {
  return (state) => {
    const to = partly(state, { base, next, from: next });
    if (changedItems(state, to).length === 0) return state;
    if (!isWaiting()) throw noLonger();
    if (isOutdated(state, base, next)) throw outdated();
    return to;
  };
}

/** What is said where others have changed the same. */
export function outdated(): ConflictError {
  return new ConflictError(
    "the rules, lists, threshold or models that this changes have been " +
      "changed meanwhile; load them again, and make your change once more",
  );
}

function noLonger(): ConflictError {
  return new ConflictError("another person has decided about this change");
}
