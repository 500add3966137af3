/**
 * What decides about the payments of a stream (rules, lists, the threshold of
 * alerts) and its changes, as records of the control topic. A change says who
 * made it, when, what was before and after. The scorer applies it in each
 * partition with a step, and records the offset in that same step;
 * so a replay decides about every payment by what decided then.
 */
import { isCount, isObject, isOptional } from "../base/json_shape.ts";

/** What decides, as versions. */
export interface DecisionState {
  /** The rules; null where there are none. */
  readonly rules: string | null;
  /** The lists that they ask, by name. */
  readonly lists: Readonly<Record<string, string>>;
  /** The score from which on a payment is an alert; null where alerts have a quota, or there is no model. */
  readonly threshold: number | null;
}

/** What decides before the first change. */
export const NO_RULES: DecisionState = {
  rules: null,
  lists: {},
  threshold: null,
};

/** A part of what decides, before and after a change; null where there is none. */
export type ChangedItem =
  | {
    readonly what: "rules";
    readonly before: string | null;
    readonly after: string | null;
  }
  | {
    readonly what: "list";
    /** Its name. */
    readonly name: string;
    readonly before: string | null;
    readonly after: string | null;
  }
  | {
    readonly what: "threshold";
    readonly before: number | null;
    readonly after: number | null;
  };

/** A change of what decides. */
export interface DecisionChange {
  /** Number of the change, from 1. */
  readonly number: number;
  /** Who made it. */
  readonly who: string;
  /** Clock time, ISO 8601 in UTC. */
  readonly at: string;
  /** What it changed. */
  readonly items: readonly ChangedItem[];
  /** What decides from it on. */
  readonly state: DecisionState;
}

/** The number that stands for no change: nothing but the model decides. */
export const NO_CHANGE = 0;

/** From where on a change decides in a partition of the sink topic. */
export interface AppliedChange {
  /** The partition. */
  readonly partition: number;
  /** Number of the change, or NO_CHANGE. */
  readonly change: number;
  /** The offset. */
  readonly from: number;
}

/** A change that waits until a second person approves it. */
export interface DecisionProposal {
  /** Number of the proposal, from 1. */
  readonly number: number;
  /** Who proposed it. */
  readonly who: string;
  /** Clock time, ISO 8601 in UTC. */
  readonly at: string;
  /** What decided when it was proposed: where that has changed, it no longer fits. */
  readonly base: DecisionState;
  /** What is to decide. */
  readonly state: DecisionState;
  /** The model that is to score; only in a proposal of one, whose states are the same. */
  readonly model?: ProposedModel;
  /** What has become of it. */
  readonly status: "pending" | "approved" | "rejected";
  /** Who approved or rejected it. */
  readonly by?: string;
}

/** Another champion of the registry of models, which a person has proposed. */
export interface ProposedModel {
  /** The champion when it was proposed: where that has changed, it no longer fits. */
  readonly before: string;
  /** The version that is to be the champion. */
  readonly after: string;
  /** Whether it was chosen, or is the champion before. */
  readonly action: "chosen" | "rolled back";
}

/** The parts in which two states differ, in a fixed order. */
export function changedItems(
  before: DecisionState,
  after: DecisionState,
): ChangedItem[] {
  const items: ChangedItem[] = [];
  if (before.rules !== after.rules) {
    items.push({ what: "rules", before: before.rules, after: after.rules });
  }
  const names = new Set([
    ...Object.keys(before.lists),
    ...Object.keys(after.lists),
  ]);
  for (const name of [...names].sort()) {
    const [was, is] = [before.lists[name] ?? null, after.lists[name] ?? null];
    if (was !== is) items.push({ what: "list", name, before: was, after: is });
  }
  if (before.threshold !== after.threshold) {
    items.push({
      what: "threshold",
      before: before.threshold,
      after: after.threshold,
    });
  }
  return items;
}

/** A piece of the text of rules or of a list. */
export interface ContentPart {
  /** The piece. */
  readonly text: string;
  /** How many pieces there are. */
  readonly parts: number;
}

/** Most UTF-16 units of a piece: a record of it stays below Kafka's limit of 1 MiB. */
const PART_LENGTH_MAX = 200_000;

/** A text in pieces; no surrogate pair is cut. */
export function contentParts(text: string): ContentPart[] {
  const pieces: string[] = [];
  for (let from = 0; from < text.length || pieces.length === 0;) {
    let to = Math.min(text.length, from + PART_LENGTH_MAX);
    const unit = text.charCodeAt(to - 1);
    if (to < text.length && unit >= 0xd800 && unit < 0xdc00) to--;
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces.map((text) => ({ text, parts: pieces.length }));
}

/** Whether fields are those of a DecisionChange. */
export function isDecisionChange(
  { number, who, at, items, state }: Readonly<Record<string, unknown>>,
): boolean {
  return isCount(number) && typeof who === "string" && typeof at === "string" &&
    Array.isArray(items) && items.every(isItem) && isState(state);
}

function isItem(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { what, name, before, after } = value;
  return (what === "rules" || what === "list" || what === "threshold") &&
    isOptional(name, (name) => typeof name === "string") &&
    [before, after].every((one) =>
      one === null ||
      typeof one === (what === "threshold" ? "number" : "string")
    );
}

function isState(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { rules, lists, threshold } = value;
  return (rules === null || typeof rules === "string") && isObject(lists) &&
    Object.values(lists).every((one) => typeof one === "string") &&
    (threshold === null || typeof threshold === "number");
}

/** Whether fields are those of a DecisionProposal. */
export function isDecisionProposal(
  { number, who, at, base, state, model, status, by }: Readonly<
    Record<string, unknown>
  >,
): boolean {
  return isCount(number) && typeof who === "string" && typeof at === "string" &&
    isState(base) && isState(state) && isOptional(model, isProposedModel) &&
    (status === "pending" || status === "approved" || status === "rejected") &&
    isOptional(by, (by) => typeof by === "string");
}

function isProposedModel(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { before, after, action } = value;
  return typeof before === "string" && typeof after === "string" &&
    (action === "chosen" || action === "rolled back");
}

/** Whether fields are those of an AppliedChange. */
export function isAppliedChange(
  { partition, change, from }: Readonly<Record<string, unknown>>,
): boolean {
  return isCount(partition) && isCount(change) && isCount(from);
}

/** Whether fields are those of a ContentPart. */
export function isContentPart(
  { text, parts }: Readonly<Record<string, unknown>>,
): boolean {
  return typeof text === "string" && isCount(parts);
}
