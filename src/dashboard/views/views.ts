/**
 * The views of the page, in the order of the bar. A new one is a file here, a
 * script in page/, a line in this list, and its opening in page/app.js.
 */
import { alerts, type AlertsAnswers } from "./alerts.ts";
import { type CaseAnswers, cases } from "./cases.ts";
import { type DeadLetterAnswers, deadLetters } from "./dead_letters.ts";
import { map, type MapAnswers } from "./map.ts";
import { model, type ModelAnswers } from "./model_view.ts";
import { now } from "./now.ts";
import type { PageView } from "./page_view.ts";
import { system, type SystemAnswers } from "./system.ts";

/** All views. */
export const VIEWS: readonly PageView[] = [
  now,
  alerts,
  cases,
  map,
  model,
  system,
  deadLetters,
];

/** What the page is answered, by path. */
export type Answers =
  & AlertsAnswers
  & CaseAnswers
  & MapAnswers
  & ModelAnswers
  & SystemAnswers
  & DeadLetterAnswers;
