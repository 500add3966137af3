/**
 * The views of the page, in the order of their tabs. To add one: write a file
 * here and a script in page/, add it to this list, and open it in page/app.js.
 */
import { alerts, type AlertsAnswers } from "./alerts.ts";
import { type CaseAnswers, cases } from "./cases.ts";
import { type DeadLetterAnswers, deadLetters } from "./dead_letters.ts";
import { map, type MapAnswers } from "./map.ts";
import { model, type ModelAnswers } from "./model_view.ts";
import { now, type NowAnswers } from "./now.ts";
import type { PageView } from "./page_view.ts";
import { type ProposalAnswers, proposals } from "./proposals.ts";
import { type RuleChangeAnswers, ruleChanges } from "./rule_changes.ts";
import { rules, type RulesAnswers } from "./rules.ts";
import { system, type SystemAnswers } from "./system.ts";

/** All views. */
export const VIEWS: readonly PageView[] = [
  now,
  alerts,
  cases,
  map,
  rules,
  ruleChanges,
  proposals,
  model,
  system,
  deadLetters,
];

/** The answers of all routes, by path. */
export type Answers =
  & NowAnswers
  & AlertsAnswers
  & CaseAnswers
  & MapAnswers
  & RulesAnswers
  & RuleChangeAnswers
  & ProposalAnswers
  & ModelAnswers
  & SystemAnswers
  & DeadLetterAnswers;
