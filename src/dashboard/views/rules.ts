/**
 * The view "Rules": what each rule does, which rules to look at,
 * what shadow rules would have changed, the lists, and who changed what.
 */
import { thousands } from "../../base/counted.ts";
import { compileExpression } from "../../definition/expression.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { ruleFindings } from "../../scoring/backtest.ts";
import {
  decisionBy,
  type DecisionSetting,
  type RuleRows,
  ruleRows,
} from "../../scoring/decision_rules.ts";
import { decisionSetting } from "../../scoring/decision_source.ts";
import { readRules, type Rule } from "../../scoring/rule_file.ts";
import type { ChangedItem } from "../../stream/decision_changes.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import rulesJs from "../page/rules.js" with { type: "text" };
import type { OutcomeSums } from "../index/rule_sums.ts";
import { type Page, type PageView, shared } from "./page_view.ts";

/** Changes that are shown. */
const CHANGES_MAX = 50;
/** Payments from which on it says something that a rule has never fired. */
const JUDGED_MIN = 1000;

/** Payments, and how they have turned out as far as that is known. */
export interface RuleResult {
  /** Payments. */
  readonly payments: number;
  /** Those of which it is known whether they are frauds: by a verdict, else by a label. */
  readonly known: number;
  /** Frauds among these. */
  readonly frauds: number;
}

/** What a rule is and does. */
export interface RuleView extends RuleResult {
  /** Its id. */
  readonly id: string;
  /** live, shadow or off. */
  readonly state: Rule["state"];
  /** What it decides. */
  readonly then: Rule["then"];
  /** Its priority. */
  readonly priority: number;
  /** Why it fires, in one line. */
  readonly reason: string;
  /** Its condition. */
  readonly when: string;
  /** Payments of the newest event day on which it fired. */
  readonly today: number;
  /** Alerts that it raised alone: without it they would have been approved. */
  readonly alone: number;
  /** Money in the payments on which it fired. */
  readonly amount: number;
  /** Money in the known frauds among them. */
  readonly fraudAmount: number;
  /** Of a shadow rule: approved payments that would have been alerts, and alerts that would have been approved. */
  readonly would?: { readonly add: RuleResult; readonly remove: RuleResult };
}

/** A list that rules ask. */
export interface ListView {
  /** Its name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Entries, without those that have ended in event time. */
  readonly entries: number;
  /** Entries that have ended. */
  readonly ended: number;
  /** The fields whose values the rules look up in it. */
  readonly fields: readonly string[];
  /** Ids of the rules that ask it. */
  readonly rules: readonly string[];
  /** Payments on which one of them fired. */
  readonly hits: number;
}

/** Something about a rule that a person should look at. */
export interface FindingView {
  /** The rule. */
  readonly id: string;
  /** A sentence about it. */
  readonly text: string;
}

/** A change of what decides. */
export interface ChangeView {
  /** Its number, from 1. */
  readonly number: number;
  /** Clock time, ISO 8601. */
  readonly at: string;
  /** Who made it. */
  readonly who: string;
  /** What it changed. */
  readonly items: readonly ChangedItem[];
}

/** What rules do in a stream. */
export interface RulesView {
  /** Version of the rules; null where the stream has none. */
  readonly version: string | null;
  /** The newest event day, YYYY-MM-DD. */
  readonly day: string;
  /** Payments that these rules have decided about, in this version. */
  readonly decided: number;
  /** The same in all versions. */
  readonly decidedInAll: number;
  /** The rules, in the order of their file. */
  readonly rules: readonly RuleView[];
  /** Their lists. */
  readonly lists: readonly ListView[];
  /** What should be looked at; empty where too few payments have been decided. */
  readonly findings: readonly FindingView[];
  /** Payments that are needed for findings. */
  readonly judgedFrom: number;
  /** Changes, newest first. */
  readonly changes: readonly ChangeView[];
}

/** The answers of this view, by path. */
export interface RulesAnswers {
  /** What rules do. */
  readonly "/api/rules": RulesView;
}

/** The view "Rules". */
export const rules: PageView = {
  scripts: { "rules.js": rulesJs },
  tab: { name: "rules", title: "Rules" },
  serve(router, page) {
    const { get } = router<RulesAnswers>();
    const known = new KnownRules(page);
    get("/api/rules", shared(() => known.view()));
  },
};

/** Texts of versions that are kept. */
const VERSIONS_MAX = 50;

/** Rules by version, as the stream keeps them. */
class KnownRules {
  readonly #page: Page;
  readonly #rows: RuleRows;
  readonly #files = new Map<string, ReadonlyMap<string, Rule>>();
  #setting:
    | { readonly key: string; readonly value: DecisionSetting }
    | undefined;

  constructor(page: Page) {
    this.#page = page;
    const { parameters } = page;
    this.#rows = ruleRows(parameters.features, shapeOfStream(parameters));
  }

  /** The view at this moment. */
  async view(): Promise<RulesView> {
    const { control, index } = this.#page;
    await control.refresh();
    const outcomes = index.outcomes();
    const setting = await this.#current();
    const own = outcomes.filter(({ version }) =>
      version === setting?.rules.version
    );
    const decided = paymentsOf(own);
    const files = await this.#filesOf(outcomes);
    const begun = control.begun ?? this.#page.parameters.startSeconds ?? 0;
    const today = Math.floor(index.timeSeconds / DAY_SECONDS) * DAY_SECONDS;
    const { scale } = index.queries;
    return {
      version: setting?.rules.version ?? null,
      day: formatDatetime(begun + today).slice(0, 10),
      decided,
      decidedInAll: paymentsOf(outcomes),
      rules:
        setting?.rules.rules.map((rule) =>
          ruleView(rule, outcomes, files, scale)
        ) ?? [],
      lists: setting
        ? this.#lists(setting, outcomes, begun + index.timeSeconds)
        : [],
      findings: setting && decided >= JUDGED_MIN
        ? findingsOf(setting.rules.rules, own, decided)
        : [],
      judgedFrom: JUDGED_MIN,
      changes: control.decisionChanges.slice(-CHANGES_MAX).reverse()
        .map(({ number, at, who, items }) => ({ number, at, who, items })),
    };
  }

  /** The rules and lists that decide now; undefined without any. */
  async #current(): Promise<DecisionSetting | undefined> {
    const { control } = this.#page;
    const state = control.decisionState;
    if (state.rules === null) return undefined;
    const key = JSON.stringify(state);
    if (this.#setting?.key !== key) {
      this.#setting = { key, value: await decisionSetting(control, state) };
    }
    return this.#setting.value;
  }

  /** The rules of the versions of some outcomes, by version and id. */
  async #filesOf(
    outcomes: readonly OutcomeSums[],
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, Rule>>> {
    for (const version of new Set(outcomes.map(({ version }) => version))) {
      if (this.#files.has(version)) continue;
      const text = await this.#page.control.content(version);
      if (text === undefined) continue;
      const { rules } = readRules(text, `rules ${version}`);
      const [oldest] = this.#files.keys();
      if (this.#files.size >= VERSIONS_MAX) this.#files.delete(oldest);
      this.#files.set(version, new Map(rules.map((rule) => [rule.id, rule])));
    }
    return this.#files;
  }

  #lists(
    { rules: { rules }, lists }: DecisionSetting,
    outcomes: readonly OutcomeSums[],
    seconds: number,
  ): ListView[] {
    const asked = new Map(rules.map((rule) => {
      return [rule.id, listsOf(rule, [...lists.keys()], this.#rows)];
    }));
    return [...lists].map(([name, { version, entries }]) => {
      const ids = rules.map(({ id }) => id)
        .filter((id) => asked.get(id)?.has(name));
      const ended = [...entries.values()].filter((until) => until <= seconds);
      return {
        ...{ name, version, rules: ids },
        fields: fieldsOf(rules, name),
        entries: entries.size - ended.length,
        ended: ended.length,
        hits: paymentsOf(
          outcomes.filter((outcome) => ids.some((id) => fires(outcome, id))),
        ),
      };
    });
  }
}

/** The lists that a rule asks. */
function listsOf(
  { when }: Rule,
  names: readonly string[],
  rows: RuleRows,
): ReadonlySet<string> {
  const asked = new Set<string>();
  compileExpression(when.text, rows.names, {
    names,
    test: (name) => {
      asked.add(name);
      return () => false;
    },
  });
  return asked;
}

/** The fields that rules look up in a list, as far as they name one alone. */
function fieldsOf(rules: readonly Rule[], list: string): string[] {
  const fields = rules.flatMap(({ when }) =>
    [...when.text.matchAll(/\blist\(\s*(["'])(\w+)\1\s*,\s*(\w+)\s*\)/g)]
      .filter(([, , name]) => name === list).map(([, , , field]) => field)
  );
  return [...new Set(fields)];
}

function fires({ rules, shadowRules }: OutcomeSums, id: string): boolean {
  return rules.includes(id) || shadowRules.includes(id);
}

function paymentsOf(outcomes: readonly OutcomeSums[]): number {
  return outcomes.reduce((sum, { payments }) => sum + payments, 0);
}

function resultOf(outcomes: readonly OutcomeSums[]): RuleResult {
  return {
    payments: paymentsOf(outcomes),
    known: outcomes.reduce((sum, { known }) => sum + known, 0),
    frauds: outcomes.reduce((sum, { frauds }) => sum + frauds, 0),
  };
}

function ruleView(
  rule: Rule,
  outcomes: readonly OutcomeSums[],
  files: ReadonlyMap<string, ReadonlyMap<string, Rule>>,
  scale: number,
): RuleView {
  const { id, state, then, priority, reason, when } = rule;
  const own = outcomes.filter((outcome) => fires(outcome, id));
  const sum = (of: (outcome: OutcomeSums) => number) =>
    own.reduce((total, outcome) => total + of(outcome), 0);
  /** What the payment would have become if other live rules had fired. */
  const decisionWith = (
    outcome: OutcomeSums,
    ids: readonly string[],
  ): string => {
    const rules = files.get(outcome.version);
    const live = ids.flatMap((one) => rules?.get(one) ?? []);
    return decisionBy(live, outcome.alert);
  };
  const isAlone = (outcome: OutcomeSums) =>
    outcome.rules.includes(id) && outcome.decision !== "approve" &&
    decisionWith(outcome, outcome.rules.filter((one) => one !== id)) ===
      "approve";
  const shadows = own.filter(({ shadowRules }) => shadowRules.includes(id))
    .map((outcome) => ({
      outcome,
      then: decisionWith(outcome, [...outcome.rules, id]),
    }));
  const changed = (is: "approve" | "alert") =>
    resultOf(
      shadows.filter(({ outcome: { decision }, then }) =>
        (decision === "approve") !== (then === "approve") &&
        (then === "approve") === (is === "approve")
      ).map(({ outcome }) => outcome),
    );
  return {
    ...{ id, state, then, priority, reason, when: when.text.trim() },
    ...resultOf(own),
    today: sum(({ today }) => today),
    alone: paymentsOf(own.filter(isAlone)),
    amount: sum(({ cents }) => cents) / scale,
    fraudAmount: sum(({ fraudCents }) => fraudCents) / scale,
    ...state === "shadow" && {
      would: { add: changed("alert"), remove: changed("approve") },
    },
  };
}

/** What should be looked at, by the payments that these rules have decided about. */
function findingsOf(
  rules: readonly Rule[],
  outcomes: readonly OutcomeSums[],
  decided: number,
): FindingView[] {
  const used = rules.filter(({ state }) => state !== "off");
  const fired = outcomes.map(({ rules, shadowRules, payments }) => {
    return { ids: [...rules, ...shadowRules], payments };
  });
  const all = thousands(decided);
  return ruleFindings(used, fired).map((finding) => {
    const { id } = finding;
    if (finding.kind === "overlap") {
      const share = Math.floor(finding.share * 100);
      return {
        id,
        text: `fires where ${finding.other} fires, too: on ${share} % of its ` +
          "payments.",
      };
    }
    const which = finding.kind === "never" ? "none" : "all";
    return { id, text: `fired on ${which} of the ${all} payments.` };
  });
}
