/**
 * How the models do and which of them counts: metrics by day of what the page
 * has read, those that the trainer has stored, and the registry, in which a
 * version can be promoted or the last promotion be taken back.
 */
import type { ChangeOutcome } from "../../scoring/decision_edits.ts";
import { turns } from "../../base/turns.ts";
import { readRegistry, type Registry } from "../../scoring/model_registry.ts";
import { isWeekly } from "../../learning/judge/monitoring.ts";
import type { ModelMetric } from "../../store/tables.ts";
import { labelDays } from "../../stream/control.ts";
import { SINK_TOPIC } from "../../stream/topics.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import modelJs from "../page/model.js" with { type: "text" };
import registryJs from "../page/registry.js" with { type: "text" };
import thresholdJs from "../page/threshold.js" with { type: "text" };
import { SUM } from "../index/day_sums.ts";
import { BODY, type Page, type PageView, shared } from "./page_view.ts";
import { changeModel, changeThreshold } from "./proposals.ts";
import {
  mainVersion,
  type StreamEvent,
  streamEvents,
} from "./stream_events.ts";
import {
  averagePrecision,
  type ScoredDay,
  type ShadowResult,
  shadowResults,
  sumOf,
} from "./score_counts.ts";

/** Labels of the newest days that the curve is made of. */
const CURVE_DAYS = 28;
/** Entries of the registry's history that are shown. */
const HISTORY_MAX = 100;

/** Alerts of shadow models in a stream that does not say. */
const SHADOW_THRESHOLD = 0.5;

/** How a day's scores did. */
export interface ScoredDayView {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Whether its labels are known to models: it is older than the delay. */
  readonly labelled: boolean;
  /** Whether all its payments have come and have been scored. */
  readonly complete: boolean;
  /** Scored payments. */
  readonly payments: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** Alerts. */
  readonly alerts: number;
  /** Frauds among the alerts. */
  readonly hits: number;
  /** Average precision, from binned scores; null without frauds. */
  readonly averagePrecision: number | null;
  /** Mean score. */
  readonly meanScore: number;
  /** The model that scored most of it. */
  readonly version: string;
}

/** What the page shows of the models. */
export interface ModelView {
  /** Midnight of day 0, seconds since 1970; undefined before it is known. */
  readonly startSeconds: number | undefined;
  /** Days from a payment until its label is known, or it is taken for genuine without one. */
  readonly delayDays: number;
  /** Of a stream whose labels arrive later, whether any has, and how many payments are without one whose delay has not passed. */
  readonly later: {
    readonly hasLabels: boolean;
    readonly pending: number;
  } | undefined;
  /** Frauds that became known too late to be counted in the days' scores. */
  readonly missed: number;
  /** Champions, thresholds and the last restart. */
  readonly events: readonly StreamEvent[];
  /** The days, oldest first. */
  readonly days: readonly ScoredDayView[];
  /** Bins over the newest labelled days, and how many days these are. */
  readonly curve: {
    readonly days: number;
    readonly payments: readonly number[];
    readonly frauds: readonly number[];
    readonly fraudAmount: readonly number[];
  };
  /** The registry; undefined where the scorer has none. */
  readonly registry: Registry | undefined;
  /** How far the inputs of the newest judged day are from the model's training; undefined before the trainer has judged one. */
  readonly drift: DriftView | undefined;
  /** The threshold that was applied to the running stream; undefined where none was. */
  readonly threshold: number | undefined;
  /** The shadow models beside the live one, the newest first, and the score from which on a payment is an alert of theirs. */
  readonly shadows: {
    readonly threshold: number;
    readonly models: readonly ShadowResult[];
  };
}

/** Drift of a model's inputs on a day. */
export interface DriftView {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Version of the model. */
  readonly version: string;
  /** Population stability index of each input, the greatest first: below 0.1 is taken for stable, above 0.25 for a shift. */
  readonly inputs: readonly { readonly name: string; readonly psi: number }[];
}

/** The answers of this view, by path. */
export interface ModelAnswers {
  /** How the models do. */
  readonly "/api/model": ModelView;
  /** Sets the threshold, 0 to 1. */
  readonly "/api/model/threshold": ChangeOutcome & {
    readonly threshold: number;
  };
  /** Makes another version the champion. */
  readonly "/api/model/promote": ChangeOutcome & {
    /** The champion now. */
    readonly champion: string | null;
  };
  /** Makes the champion before the champion again. */
  readonly "/api/model/roll-back": ModelAnswers["/api/model/promote"];
}

/** The view "Model". */
export const model: PageView = {
  scripts: {
    "model.js": modelJs,
    "registry.js": registryJs,
    "threshold.js": thresholdJs,
  },
  tab: { name: "model", title: "Model" },
  serve(router, page) {
    const { get, post } = router<ModelAnswers>();
    const inTurn = turns();
    const events = streamEvents(page);
    const view = shared(async () => {
      const metrics = await page.metrics();
      return modelViewOf(page, metrics, await events());
    });
    get("/api/model", view);
    post("/api/model/threshold", async (asked) => {
      const body = await asked.body();
      const threshold = BODY.number(body.threshold, "threshold");
      BODY.check(
        threshold >= 0 && threshold <= 1,
        "the threshold must be a number from 0 to 1",
      );
      const { status } = await inTurn(() =>
        changeThreshold(page, threshold, asked)
      );
      return { status, threshold };
    });
    post("/api/model/promote", async (asked) => {
      const version = BODY.string((await asked.body()).version, "version");
      return await inTurn(() => changeModel(page, asked, version));
    });
    post("/api/model/roll-back", async (asked) => {
      await asked.body();
      return await inTurn(() => changeModel(page, asked));
    });
  },
};

/** The view at this moment. */
function modelViewOf(
  { state, index, models, control, parameters }: Page,
  metrics: readonly ModelMetric[],
  events: readonly StreamEvent[],
): ModelView {
  const delayDays = labelDays(parameters);
  const today = Math.floor(state.timeSeconds / DAY_SECONDS);
  const days = state.scores.days();
  const { pending } = index.known();
  const isLabelled = ({ day, missed }: ScoredDay) =>
    index.hasLabels && missed === 0 && day < today - delayDays;
  const curveDays = days.filter(isLabelled).slice(-CURVE_DAYS);
  const curve = sumOf(curveDays);
  const registry = registryOf(models);
  const flags = control.scoringFlags ?? {};
  const shadowThreshold = Number(
    flags.shadowThreshold ?? flags.alertThreshold ?? SHADOW_THRESHOLD,
  );
  const ended = control.end(SINK_TOPIC) !== undefined;
  const scored = days.map((day): ScoredDayView => {
    const view = scoredDayOf(day, isLabelled(day));
    const all = index.sums.days.get(day.day)?.[SUM.payments] ?? 0;
    const complete = view.payments >= all && (ended || day.day < today);
    return { ...view, complete };
  });
  return {
    startSeconds: control.begun ?? parameters.startSeconds,
    delayDays,
    later: pending === undefined
      ? undefined
      : { hasLabels: index.hasLabels, pending },
    missed: days.reduce((sum, { missed }) => sum + missed, 0),
    events,
    days: scored,
    curve: {
      days: curveDays.length,
      payments: [...curve.payments],
      frauds: [...curve.frauds],
      fraudAmount: [...curve.fraudAmount],
    },
    registry,
    drift: driftOf(metrics),
    threshold: control.alertThreshold,
    shadows: {
      threshold: shadowThreshold,
      models: shadowResults(days, isLabelled, shadowThreshold),
    },
  };
}

function scoredDayOf(
  scored: ScoredDay,
  labelled: boolean,
): Omit<ScoredDayView, "complete"> {
  const payments = sum(scored.payments);
  const frauds = sum(scored.frauds);
  const weighted = scored.payments.map((n, bin) =>
    n * (bin + 0.5) / scored.payments.length
  );
  return {
    day: scored.day,
    labelled,
    payments,
    frauds,
    alerts: scored.alerts,
    hits: scored.hits,
    averagePrecision: frauds === 0 ? null : averagePrecision(scored),
    meanScore: sum(weighted) / payments,
    version: mainVersion(scored),
  };
}

const PSI = "psi:";

/** The newest day's drift in what the trainer has stored. */
function driftOf(metrics: readonly ModelMetric[]): DriftView | undefined {
  const stored = metrics.filter(({ metric }) => metric.startsWith(PSI));
  const newest = stored.reduce<ModelMetric | undefined>(
    (last, metric) => last && last.day > metric.day ? last : metric,
    undefined,
  );
  if (!newest) return undefined;
  const { day, version } = newest;
  const inputs = stored
    .filter((metric) => metric.day === day && metric.version === version)
    .map(({ metric, value }) => ({
      name: metric.slice(PSI.length),
      psi: value,
    }))
    .filter(({ name }) => !isWeekly(name))
    .sort((a, b) => b.psi - a.psi);
  return { day, version, inputs };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function registryOf(models: string | undefined): Registry | undefined {
  if (models === undefined) return undefined;
  const registry = readRegistry(models);
  if (registry.history.length === 0) return undefined;
  return { ...registry, history: registry.history.slice(-HISTORY_MAX) };
}
