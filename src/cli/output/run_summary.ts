/** The summary at the end of a run. */
import type { Role } from "../../roles/role.ts";
import {
  allStages,
  labelsTaken,
  scorerStatus,
  type StageStatus,
  type StreamStatus,
} from "../../stream/status.ts";
import type { StoreStatus } from "../../store/store.ts";
import type { LatencySummary } from "../../base/latency.ts";
import { textTable } from "../../base/text_table.ts";
import { FRAUDS_MIN } from "../../learning/judge/challenge.ts";
import type { Registry } from "../../scoring/model_registry.ts";
import { formatDate } from "../../payment/calendar.ts";
import { LABEL_INTAKE_GROUP } from "../../stream/topics.ts";
import { asTyped } from "./terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

/** The data of a summary. */
export interface RunSummary {
  /** The stream before the run. */
  readonly before: StreamStatus;
  /** The stream after it. */
  readonly after: StreamStatus;
  /** What the store holds; undefined where this process does not store, or the store did not answer. */
  readonly stored: StoreStatus | undefined;
  /** Rows that this run has written to the store, including those written again. */
  readonly written: number;
  /** Rows that the processor had processed before this run, though the commits did not say so. */
  readonly recovered: number;
  /** The registry, where this process trains. */
  readonly models: Registry | undefined;
  /** From published to stored, if it was measured and is meaningful. */
  readonly latency: LatencySummary | undefined;
  /** How long the run took. */
  readonly seconds: number;
  /** Whether it was stopped before the end of the data. */
  readonly stopped: boolean;
  /** The roles that this process had. */
  readonly roles: readonly Role[];
  /** Where the rows are, for messages. */
  readonly place: string;
}

/** The summary as text; the counters are those of the stream's whole life. */
export function summaryText(summary: RunSummary): string {
  const { after, latency, stopped, models } = summary;
  const lines = [
    "",
    `${stageTable(after)}`,
    ...storedText(summary),
  ];
  const complete = completeText(after);
  if (complete !== undefined) lines.push(`features   complete ${complete}`);
  const scored = scoredText(after);
  if (scored !== undefined) lines.push(`scored     ${scored}`);
  lines.push(...shadowTexts(after).map((text) => `shadow     ${text}`));
  if (models) lines.push(`trained    ${trainedText(models, summary)}`);
  if (latency) {
    lines.push(
      `latency    median ${ms(latency.p50)}, p95 ${ms(latency.p95)}, ` +
        `p99 ${ms(latency.p99)}, published to stored`,
    );
  }
  lines.push(`this run   ${workText(summary)}`);
  if (after.deadLetters > 0) {
    lines.push(
      `rejected   ${counted(after.deadLetters, "dead letter")}: see ` +
        "'./fraudstream dead-letters'",
    );
  }
  if (stopped) lines.push("stopped    the same command continues from here");
  return asTyped(lines.join("\n") + "\n");
}

/** How many payments our producer has published, or `ingest` has taken, as text; undefined if another program publishes them. */
export function publishedText(status: StreamStatus): string | undefined {
  const { simulated, produced, complete, ingest, follow } = status;
  if (ingest) {
    return `ingested   ${counted(ingest.counters.emitted, "payment")} from ` +
      ingest.topic;
  }
  if (follow && !follow.isOver) {
    return `followed   ${counted(follow.records, "record")} of ` +
      `${follow.place || "the empty prefix"}` + (complete ? ", complete" : "") +
      (follow.lag > 0 ? `; ${thousands(follow.lag)} to take` : "");
  }
  if (!simulated) return undefined;
  return `published  ${counted(produced, "payment")}` +
    (complete ? ", complete" : "");
}

/** From which day on features are complete, as text; undefined where they always are. */
export function completeText({ follow }: StreamStatus): string | undefined {
  if (follow?.completeFrom === undefined) return undefined;
  return `from ${
    formatDate(follow.completeFrom)
  } on: the followed stream had ` +
    "deleted earlier payments";
}

/** What has been trained, as text. */
export function trainedText(
  { champion, history }: Registry,
  { after, stored }: Pick<RunSummary, "after" | "stored">,
): string {
  const trained = history.filter(({ action }) =>
    action === "promoted" || action === "kept"
  );
  if (champion === null) {
    const isLate = after.complete && labelsTaken(after) !== undefined &&
      (stored?.frauds ?? 0) >= FRAUDS_MIN;
    return isLate
      ? "no model: labels that came after the last payment train none here;\n" +
        `${INDENT}train one from an export: docs/YOUR_DATA.md, "Old payments"`
      : `no model yet: it needs ${FRAUDS_MIN} frauds with known labels`;
  }
  const { date } =
    history.findLast((entry) =>
      entry.champion === champion && entry.version === champion
    ) ?? {};
  return `${counted(trained.length, "model")}; ${champion} scores ` +
    `payments${date === undefined ? "" : ` from ${date} on`}`;
}

/** The width of the words before the lines of a summary. */
const INDENT = " ".repeat(11);

/** The published and the stored payments as text; empty if neither is known. */
function storedText({ after, stored }: RunSummary): string[] {
  const published = publishedText(after);
  const labels = labelText(after, stored);
  const held = stored && thousands(stored.rows) +
      (labels === undefined
        ? `, ${thousands(stored.frauds)} of them frauds`
        : "");
  const payments = held === undefined
    ? published
    : published === undefined
    ? `stored     ${held}`
    : `${published}; stored ${held}`;
  return [payments, labels && `labels     ${labels}`].filter((line) =>
    line !== undefined
  );
}

/** What is known of labels that arrive on their own, as text; undefined where payments carry theirs. */
export function labelText(
  status: StreamStatus,
  stored: StoreStatus | undefined,
): string | undefined {
  const taken = labelsTaken(status);
  if (taken === undefined) return undefined;
  return `${thousands(taken)} taken` +
    (stored ? `; ${counted(stored.frauds, "payment")} known to be fraud` : "");
}

/** How many payments were scored, as text; undefined in a stream that is not scored. */
export function scoredText(status: StreamStatus): string | undefined {
  const scorer = scorerStatus(status);
  if (!scorer?.scoring) return undefined;
  const { counters: { emitted }, scoring } = scorer;
  const { alerts, unscored, reviews, declines } = scoring;
  return `${counted(emitted, "payment")}, ${thousands(alerts)} of them alerts` +
    (reviews !== undefined && declines !== undefined
      ? `; rules: ${thousands(reviews)} to review, ` +
        `${thousands(declines)} declined`
      : "") +
    (unscored > 0
      ? `; ${thousands(unscored)} came before there was a model`
      : "");
}

/** What each shadow model would have done, as text. */
export function shadowTexts(status: StreamStatus): string[] {
  const shadows = scorerStatus(status)?.scoring?.shadows ?? [];
  return shadows.map(({ version, scored, alerts, gained, lost }) =>
    `model ${version}: ${counted(scored, "payment")}, ${thousands(alerts)} ` +
    `alerts, ${thousands(gained)} gained, ${thousands(lost)} lost`
  );
}

/** The output of the last of the process's roles that had something to do. */
function workText(summary: RunSummary): string {
  const { before, after, roles, seconds, place, recovered } = summary;
  const scored = (status: StreamStatus) =>
    scorerStatus(status)?.counters.emitted ?? 0;
  const processed = after.stages[1].counters.emitted -
    before.stages[1].counters.emitted - recovered;
  const isScored = summary.written === 0 && scored(after) > scored(before);
  const [count, done, where] = isScored
    ? [scored(after) - scored(before), "scored", `; data in ${place}`]
    : roles.includes("writer")
    ? [summary.written, "stored", `; data in ${place}`]
    : roles.includes("processor")
    ? [processed, "processed", ""]
    : roles.includes("ingest")
    ? [ingested(after) - ingested(before), "ingested", ""]
    : after.follow && !after.follow.isOver
    ? [after.follow.records - (before.follow?.records ?? 0), "followed", ""]
    : [after.produced - before.produced, "published", ""];
  const labels = labelsPassedOn(after) - labelsPassedOn(before);
  if (count === 0 && labels > 0) {
    return `${counted(labels, "label")} taken in ${seconds.toFixed(1)} s` +
      where;
  }
  if (count === 0) {
    return `nothing new was ${done} in ${seconds.toFixed(1)} s${where}`;
  }
  const rate = rateText(count / seconds);
  return `${thousands(count)} ${done} in ${seconds.toFixed(1)} s, ` +
    `${rate} per second${where}`;
}

/** A rate, with a digit behind the point where it would else be about nothing. */
function rateText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : thousands(Math.round(rate));
}

/** How many labels the intake has passed on. */
function labelsPassedOn({ stages }: StreamStatus): number {
  const intake = stages.find(({ group }) => group === LABEL_INTAKE_GROUP);
  return intake?.counters.emitted ?? 0;
}

function ingested({ ingest }: StreamStatus): number {
  return ingest?.counters.emitted ?? 0;
}

/** The stages' counters as a table, with labels where they arrive on their own. */
export function stageTable(status: StreamStatus): string {
  const stages = allStages(status);
  const hasLabels = stages.some(({ counters }) => (counters.labels ?? 0) > 0);
  const head = [
    "stage",
    "read",
    "emitted",
    ...hasLabels ? ["labels"] : [],
    "dead letters",
    "duplicates",
    "lag",
  ];
  return textTable(head, stages.map((stage) => stageRow(stage, hasLabels)));
}

function stageRow(
  { name, counters, lag, isPositionKnown }: StageStatus,
  hasLabels: boolean,
): string[] {
  return [
    name,
    thousands(counters.read),
    thousands(counters.emitted),
    ...hasLabels ? [thousands(counters.labels ?? 0)] : [],
    thousands(counters.deadLettered),
    thousands(counters.duplicates),
    thousands(lag) + (isPositionKnown ? "" : " (position unknown)"),
  ];
}

function ms(milliseconds: number): string {
  return milliseconds < 10_000
    ? `${milliseconds.toFixed(1)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
