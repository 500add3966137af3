/**
 * What other rules would have decided about recorded payments, against what was
 * decided then: alerts and declines gained and lost, in number and in money, by
 * day, by scenario and by rule, with examples; and which rules do nothing or
 * the same as another. An alert is here a payment that is not approved.
 */
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import type { Outcome } from "./decision_rules.ts";
import type { Decision, Rule } from "./rule_file.ts";

/** What one side, then or now, made of some payments. */
export interface DecidedSide {
  /** Payments to be reviewed. */
  reviews: number;
  /** Payments declined. */
  declines: number;
  /** Frauds among the reviewed and declined. */
  caught: number;
  /** Those of them whose label is known. */
  known: number;
  /** Minor units of the frauds among them. */
  caughtUnits: number;
  /** Minor units of the frauds declined. */
  stoppedUnits: number;
  /** Minor units of genuine payments declined. */
  refusedUnits: number;
}

/** Two sides beside each other. */
export interface Compared {
  /** Payments. */
  payments: number;
  /** Frauds among them. */
  frauds: number;
  /** Their minor units. */
  fraudUnits: number;
  /** What was decided then. */
  readonly before: DecidedSide;
  /** What the rules decide. */
  readonly after: DecidedSide;
  /** Payments that were approved and no longer are. */
  alertsGained: number;
  /** Payments that are approved and were not. */
  alertsLost: number;
  /** Payments that were not declined and now are. */
  declinesGained: number;
  /** Payments that were declined and no longer are. */
  declinesLost: number;
  /** Payments with another decision of any kind. */
  changed: number;
}

/** What a rule does. */
export interface RuleTally {
  /** The rule. */
  readonly rule: Rule;
  /** Payments on which it fired. */
  fired: number;
  /** Payments that it decided about. */
  decided: number;
  /** Frauds among those on which it fired. */
  frauds: number;
  /** Those of them whose label is known. */
  known: number;
  /** Minor units of these frauds. */
  fraudUnits: number;
  /** Payments that it decided about, which were approved and no longer are. */
  alertsGained: number;
  /** Payments that it decided about, which are approved and were not. */
  alertsLost: number;
  /** Payments that it decided about, which were not declined and now are. */
  declinesGained: number;
  /** Payments that it decided about, which were declined and no longer are. */
  declinesLost: number;
}

/** The ways in which decisions change. */
const CHANGES = [
  "alertsGained",
  "alertsLost",
  "declinesGained",
  "declinesLost",
] as const;

/** Something about a rule that a person should look at. */
export type RuleFinding =
  | { readonly kind: "never" | "always"; readonly id: string }
  | {
    readonly kind: "overlap";
    readonly id: string;
    /** The rule that fires on most of its payments, too. */
    readonly other: string;
    /** On which share of them, above OVERLAP. */
    readonly share: number;
  };

/** The score from which on a payment is an alert where a model scores again and no threshold is recorded. */
export const ASSUMED_THRESHOLD = 0.5;

/** The share of a rule's payments from which on another one overlaps it. */
export const OVERLAP = 0.9;

/** Examples that are kept of each kind. */
export const EXAMPLES_MAX = 10;

/** A payment, and what became of it then. */
export interface BacktestPayment {
  /** TX_FRAUD; FRAUD_UNKNOWN where it is not known. */
  readonly fraud: number;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number;
  /** TX_AMOUNT in minor units. */
  readonly units: number;
  /** Day of the payment since 1970. */
  readonly day: number;
  /** What was decided then. */
  readonly before: Decision;
}

/** Which way a payment changed. */
export type Way = "gained" | "lost";

/** Collects the decisions about payments. */
export class Backtest<Example> {
  /** All payments. */
  readonly total: Compared = emptyCompared();
  /** Payments by day since 1970. */
  readonly days: Map<number, Compared> = new Map();
  /** Frauds by scenario. */
  readonly scenarios: Map<number, Compared> = new Map();
  /** Examples of alerts that are gained and lost. */
  readonly examples: Readonly<Record<Way, Example[]>> = {
    gained: [],
    lost: [],
  };
  /** Payments whose alert was judged by ASSUMED_THRESHOLD, since none is recorded. */
  assumed = 0;
  readonly #outcomes = new Map<Outcome, OutcomeTally>();

  /** Adds a payment with what the rules decide about it; `example` describes it where it is to be one. */
  add(
    payment: BacktestPayment,
    outcome: Outcome,
    example: () => Example,
  ): void {
    const { fraud, scenario, units, day, before } = payment;
    const after = outcome.decision;
    count(this.total, payment, after);
    count(entryOf(this.days, day, emptyCompared), payment, after);
    if (fraud === 1) {
      count(entryOf(this.scenarios, scenario, emptyCompared), payment, after);
    }
    const tally = entryOf(this.#outcomes, outcome, emptyTally);
    tally.payments++;
    if (fraud !== FRAUD_UNKNOWN) tally.known++;
    if (fraud === 1) {
      tally.frauds++;
      tally.fraudUnits += units;
    }
    countChange(tally, before, after);
    if ((before === "approve") === (after === "approve")) return;
    const examples = this.examples[before === "approve" ? "gained" : "lost"];
    if (examples.length < EXAMPLES_MAX) examples.push(example());
  }

  /** What each of these rules does, in their order. */
  rules(rules: readonly Rule[]): RuleTally[] {
    const tallies = new Map<string, RuleTally>(rules.map((rule) => [rule.id, {
      rule,
      fired: 0,
      decided: 0,
      frauds: 0,
      known: 0,
      fraudUnits: 0,
      ...NO_CHANGES,
    }]));
    for (const [{ fired, shadow }, outcome] of this.#outcomes) {
      const [decisive] = fired;
      for (const rule of [...fired, ...shadow]) {
        const tally = tallies.get(rule.id);
        if (!tally) continue;
        tally.fired += outcome.payments;
        if (rule === decisive) {
          tally.decided += outcome.payments;
          for (const change of CHANGES) tally[change] += outcome[change];
        }
        tally.frauds += outcome.frauds;
        tally.known += outcome.known;
        tally.fraudUnits += outcome.fraudUnits;
      }
    }
    return [...tallies.values()];
  }

  /** Which of these rules never fire, always fire, or fire where another does. */
  findings(rules: readonly Rule[]): RuleFinding[] {
    const fired = [...this.#outcomes].map((
      [{ fired, shadow }, { payments }],
    ) => ({ ids: [...fired, ...shadow].map(({ id }) => id), payments }));
    return ruleFindings(rules, fired);
  }
}

/** What is said about a rule, as a sentence without its full stop. */
export function findingText(finding: RuleFinding): string {
  if (finding.kind === "overlap") {
    const share = Math.floor(finding.share * 100);
    return `rule ${finding.id}: on ${share} % of its payments ` +
      `${finding.other} fires, too; one of the two may be enough`;
  }
  return finding.kind === "never"
    ? `rule ${finding.id} never fires; check its condition, or delete it`
    : `rule ${finding.id} fires on every payment; make it narrower`;
}

/** Number of a side's alerts. */
export function alertsOf({ reviews, declines }: DecidedSide): number {
  return reviews + declines;
}

/** Whether frauds are of scenarios: without any, all have the same one. */
export function hasScenarios(
  scenarios: ReadonlyMap<number, unknown>,
): boolean {
  return [...scenarios.keys()].some((scenario) => scenario !== 0);
}

/** Payments on which the same rules fired. */
export interface FiredTogether {
  /** Ids of these rules; empty for payments on which none did. */
  readonly ids: readonly string[];
  /** How many payments. */
  readonly payments: number;
}

/** Which of some rules never fire, always fire, or fire where another does; `fired` are all payments. A live rule is not superfluous because of one that only watches. */
export function ruleFindings(
  rules: readonly Pick<Rule, "id" | "state">[],
  fired: readonly FiredTogether[],
): RuleFinding[] {
  const ids = rules.map(({ id }) => id);
  const all = fired.reduce((sum, { payments }) => sum + payments, 0);
  const both = together(new Set(ids), fired);
  const count = (one: string, other: string) =>
    both.get(`${one} ${other}`) ?? 0;
  return rules.flatMap(({ id, state }): RuleFinding[] => {
    const own = count(id, id);
    if (own === 0) return [{ kind: "never", id }];
    if (own === all) return [{ kind: "always", id }];
    return rules.flatMap(({ id: other, state: ofOther }): RuleFinding[] => {
      if (state === "live" && ofOther === "shadow") return [];
      const share = count(id, other) / own;
      return other !== id && count(other, other) < all && share > OVERLAP
        ? [{ kind: "overlap", id, other, share }]
        : [];
    });
  });
}

/** On how many payments each two rules fire, by their ids. */
function together(
  wanted: ReadonlySet<string>,
  fired: readonly FiredTogether[],
): Map<string, number> {
  const both = new Map<string, number>();
  for (const { ids, payments } of fired) {
    const found = ids.filter((id) => wanted.has(id));
    for (const one of found) {
      for (const other of found) {
        const key = `${one} ${other}`;
        both.set(key, (both.get(key) ?? 0) + payments);
      }
    }
  }
  return both;
}

/** Share of a side's alerts of known label that are frauds; NaN without any. */
export function precisionOf({ caught, known }: DecidedSide): number {
  return caught / known;
}

/** Share of the frauds that a side caught; NaN without any. */
export function recallOf(
  { caught }: DecidedSide,
  { frauds }: Compared,
): number {
  return caught / frauds;
}

type Changes = Record<typeof CHANGES[number], number>;

const NO_CHANGES: Changes = {
  alertsGained: 0,
  alertsLost: 0,
  declinesGained: 0,
  declinesLost: 0,
};

interface OutcomeTally extends Changes {
  payments: number;
  known: number;
  frauds: number;
  fraudUnits: number;
}

function emptyTally(): OutcomeTally {
  return { payments: 0, known: 0, frauds: 0, fraudUnits: 0, ...NO_CHANGES };
}

function emptySide(): DecidedSide {
  return {
    reviews: 0,
    declines: 0,
    caught: 0,
    known: 0,
    caughtUnits: 0,
    stoppedUnits: 0,
    refusedUnits: 0,
  };
}

function emptyCompared(): Compared {
  return {
    payments: 0,
    frauds: 0,
    fraudUnits: 0,
    before: emptySide(),
    after: emptySide(),
    ...NO_CHANGES,
    changed: 0,
  };
}

function entryOf<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  empty: () => Value,
): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = empty();
  map.set(key, value);
  return value;
}

function count(
  compared: Compared,
  payment: BacktestPayment,
  after: Decision,
): void {
  const { before, fraud, units } = payment;
  compared.payments++;
  if (fraud === 1) {
    compared.frauds++;
    compared.fraudUnits += units;
  }
  countSide(compared.before, payment, before);
  countSide(compared.after, payment, after);
  if (before === after) return;
  compared.changed++;
  countChange(compared, before, after);
}

function countChange(
  changes: Changes,
  before: Decision,
  after: Decision,
): void {
  if (before === after) return;
  if (before === "approve") changes.alertsGained++;
  if (after === "approve") changes.alertsLost++;
  if (after === "decline") changes.declinesGained++;
  if (before === "decline") changes.declinesLost++;
}

function countSide(
  side: DecidedSide,
  { fraud, units }: BacktestPayment,
  decision: Decision,
): void {
  if (decision === "approve") return;
  const isDecline = decision === "decline";
  if (isDecline) side.declines++;
  else side.reviews++;
  if (fraud === FRAUD_UNKNOWN) return;
  side.known++;
  if (fraud === 1) {
    side.caught++;
    side.caughtUnits += units;
    if (isDecline) side.stoppedUnits += units;
  } else if (isDecline) side.refusedUnits += units;
}
