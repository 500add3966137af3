/** How far a stream is. All of it comes from the log, so any process can read it. */
import { counted } from "../base/counted.ts";
import type { Log } from "../log/log.ts";
import { valueEnd, valueStart } from "../log/record_batch.ts";
import { CELL } from "../payment/payment_cells.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { API_ORIGIN, Control, type StreamParameters } from "./control.ts";
import {
  completeFrom,
  type Follower,
  type FollowPosition,
} from "./follow_position.ts";
import { shapeOfStream } from "./stream_definition.ts";
import {
  addCounters,
  addShadows,
  noCounters,
  parseCommit,
  parseScoringCommit,
  readCommit,
  type ScoringCounters,
  type StageCounters,
} from "./commit.ts";
import {
  INGEST_GROUP,
  LABEL_INTAKE_GROUP,
  LABELLING,
  PIPELINE,
  SCORER_GROUP,
  SCORING,
  SINK_TOPIC,
  TRANSACTION_TOPIC,
} from "./topics.ts";

const FIRST_RECORD = { records: 1, bytes: 1 };

/** How far one stage is. */
export interface StageStatus {
  /** What people call it. */
  readonly name: string;
  /** Its consumer group. */
  readonly group: string;
  /** The topic that it reads. */
  readonly topic: string;
  /** Its counters, all partitions together. */
  readonly counters: StageCounters;
  /** Records that it has not taken yet (packs of rows for the second stage). */
  readonly lag: number;
  /** Greatest TX_TIME_SECONDS of any partition. */
  readonly progress: number;
  /** Whether all commits are the stage's own: another program may have set one, and only the stage finds out where it stands. */
  readonly isPositionKnown: boolean;
  /** What the scorer counts besides; no other stage has it. */
  readonly scoring?: ScoringCounters;
}

/** How far a stream is. */
export interface StreamStatus {
  /** When TX_TIME_SECONDS is 0, seconds since 1970: our producer's start, or what the rows of another program count from; undefined before the first. */
  readonly startSeconds: number | undefined;
  /** Whether our producer has begun the stream; another program's payments, and those of the API, are not counted as produced. */
  readonly simulated: boolean;
  /** Payments published by our producer. */
  readonly produced: number;
  /** Whether that was all. */
  readonly complete: boolean;
  /** How far `ingest` is in another program's topic; its lag is that of its last step. Absent where it takes none. */
  readonly ingest?: StageStatus | undefined;
  /** How far it is in the stream that it follows, and from which midnight on, seconds since 1970, its features are complete; undefined for all. Absent where it follows none. */
  readonly follow?:
    | FollowPosition & { readonly completeFrom: number | undefined }
    | undefined;
  /** The streams that follow it, if any. */
  readonly followers?: readonly Follower[] | undefined;
  /** Customer windows, terminal windows, writer; where payments are scored, the scorer and the writer of predictions; where labels arrive on their own, their intake and their writer. */
  readonly stages: readonly [
    StageStatus,
    StageStatus,
    StageStatus,
    ...StageStatus[],
  ];
  /** Records that went to the dead letter topic. */
  readonly deadLetters: number;
}

/** Reads the status; `control` moves on with each call. */
export async function readStatus(
  log: Log,
  control: Control,
): Promise<StreamStatus> {
  await control.refresh();
  const status = (name: string, { group, topic }: typeof PIPELINE[number]) =>
    stageStatus(log, name, group, topic);
  const stages: StreamStatus["stages"] = [
    await status("customer windows", PIPELINE[0]),
    await status("terminal windows", PIPELINE[1]),
    await status("writer", PIPELINE[2]),
    ...control.isScored
      ? [
        await status("scorer", SCORING[0]),
        await status("predictions", SCORING[1]),
      ]
      : [],
    ...control.parameters?.features.graceSeconds !== undefined
      ? [
        await status("label intake", LABELLING[0]),
        await status("label writer", LABELLING[1]),
      ]
      : [],
  ];
  const ingest = ingestStatus(control);
  const { followers } = control;
  return {
    ingest,
    follow: followStatus(control),
    followers: followers.length > 0 ? followers : undefined,
    startSeconds: control.begun ?? await startOfRows(log, control.parameters),
    simulated: control.origin !== undefined &&
      control.origin.fingerprint !== API_ORIGIN,
    produced: control.position?.nextId ?? 0,
    complete: control.end(TRANSACTION_TOPIC) !== undefined,
    stages,
    // The scorer leaves out what the writer has made a letter of.
    deadLetters: stages.reduce(
      (sum, { counters, scoring }) =>
        sum + (scoring ? 0 : counters.deadLettered),
      ingest?.counters.deadLettered ?? 0,
    ),
  };
}

function ingestStatus({ source }: Control): StageStatus | undefined {
  if (!source) return undefined;
  const { topic, counters, lag, newest, startSeconds } = source;
  return {
    name: "ingest",
    group: INGEST_GROUP,
    topic,
    counters,
    lag,
    progress: (newest ?? 0) - (newest === null ? 0 : startSeconds ?? 0),
    isPositionKnown: true,
  };
}

function followStatus(
  { follow, parameters }: Control,
): StreamStatus["follow"] {
  if (!follow) return undefined;
  const { sinceSeconds } = follow;
  const completed = sinceSeconds === null || !parameters
    ? undefined
    : completeFrom(sinceSeconds, parameters);
  return { ...follow, completeFrom: completed };
}

/** All stages, `ingest` first where there is one. */
export function allStages({ ingest, stages }: StreamStatus): StageStatus[] {
  return ingest ? [ingest, ...stages] : [...stages];
}

/** The starts that rows have shown: a status is read several times per second, and the start never changes. */
const STARTS = new WeakMap<Log, number>();

/** The start that a row of the sink topic counts from; undefined before the first. */
async function startOfRows(
  log: Log,
  parameters: StreamParameters | undefined,
): Promise<number | undefined> {
  const shape = shapeOfStream(parameters ?? {});
  const known = STARTS.get(log) ?? await readStart(log, shape);
  if (known !== undefined) STARTS.set(log, known);
  return known;
}

async function readStart(
  log: Log,
  shape: PaymentShape,
): Promise<number | undefined> {
  const [sink] = await log.topics([SINK_TOPIC]);
  // Rows have no label where that arrives later.
  const reader = new ShapedJsonReader({
    ...shape,
    hasFraud: false,
    hasScenario: false,
  });
  const { cells } = reader;
  for (const [partition, start] of (sink?.startOffsets ?? []).entries()) {
    const batch = await log.read(SINK_TOPIC, partition, start, FIRST_RECORD);
    if (batch.count === 0) continue;
    const [from, to] = [valueStart(batch, 0), valueEnd(batch, 0)];
    const defect = reader.read(batch.bytes, from, to, undefined);
    if (!defect) return cells[CELL.datetime] - cells[CELL.time];
  }
  return undefined;
}

async function stageStatus(
  log: Log,
  name: string,
  group: string,
  topic: string,
): Promise<StageStatus> {
  const commits = await log.committed(group, topic);
  const ends = await log.endOffsets(topic) ?? [];
  const counters = noCounters();
  let lag = 0;
  let progress = 0;
  let isPositionKnown = true;
  for (const [partition, end] of ends.entries()) {
    const commit = commits[partition];
    const parsed = parseCommit(commit);
    if (commit && !readCommit(commit)) isPositionKnown = false;
    addCounters(counters, parsed.counters);
    lag += end - (commit?.offset ?? 0);
    progress = Math.max(progress, parsed.progress);
  }
  const status = {
    name,
    group,
    topic,
    counters,
    lag,
    progress,
    isPositionKnown,
  };
  if (group !== SCORER_GROUP) return status;
  const scoring: ScoringCounters = { alerts: 0, unscored: 0 };
  for (const commit of commits) {
    const counted = parseScoringCommit(commit).scoring;
    const { alerts, unscored, reviews, declines } = counted;
    addShadows(scoring, counted);
    scoring.alerts += alerts;
    scoring.unscored += unscored;
    if (reviews === undefined && declines === undefined) continue;
    scoring.reviews = (scoring.reviews ?? 0) + (reviews ?? 0);
    scoring.declines = (scoring.declines ?? 0) + (declines ?? 0);
  }
  return { ...status, scoring };
}

/** Whether a shadow model has scored a payment of a stream. */
export async function hasShadowScores(log: Log): Promise<boolean> {
  return (await log.committed(SCORER_GROUP, SINK_TOPIC))
    .some((commit) => parseScoringCommit(commit).scoring.shadows !== undefined);
}

/** How many labels were taken that arrived on their own; undefined in a stream whose payments carry theirs. */
export function labelsTaken({ stages }: StreamStatus): number | undefined {
  const hasLabels = stages.some(({ group }) => group === LABEL_INTAKE_GROUP);
  return hasLabels ? stages[0].counters.labels ?? 0 : undefined;
}

/** The scorer's status; undefined in a stream that is not scored. */
export function scorerStatus(
  { stages }: StreamStatus,
): StageStatus | undefined {
  return stages.find(({ scoring }) => scoring !== undefined);
}

/**
 * What share of the past is scored, from 0 up to below 1: of the payments that
 * had been processed at the time of `before`, when some had not been scored, as
 * where a model is added to a stream. Undefined once they all are, and where
 * few were missing. Processes that began to look at different times get the same share.
 */
export function pastScored(
  before: StreamStatus,
  now: StreamStatus,
): number | undefined {
  const scorer = scorerStatus(now);
  if (!scorer) return undefined;
  const { emitted } = before.stages[1].counters;
  const missing = scorerStatus(before)?.lag ?? emitted;
  // Another program's commits count nothing.
  const past = Math.max(emitted, missing);
  if (missing < Math.max(PAST_MIN, PAST_MIN_SHARE * past)) return undefined;
  const left = scorer.lag - (now.stages[1].counters.emitted - emitted);
  return left > 0 ? Math.max(0, (past - left) / past) : undefined;
}

/** Payments that a scorer takes in a moment, and the share of the past that is not worth a word. */
const PAST_MIN = 5000;
const PAST_MIN_SHARE = 0.02;

/**
 * What does not add up, in sentences; empty if all does. In every stage, rows
 * read = emitted + labels + dead letters + duplicates, in the scorer + those
 * that came before there was a model.
 */
export function discrepancies(status: StreamStatus): string[] {
  const found: string[] = [];
  for (const { name, counters, scoring } of allStages(status)) {
    const { read, emitted, deadLettered, duplicates, labels = 0 } = counters;
    const unscored = scoring?.unscored ?? 0;
    const handled = emitted + labels + deadLettered + duplicates + unscored;
    if (read === handled) continue;
    found.push(
      `${name}: of ${counted(read, "row")} read ${handled} are accounted ` +
        `for: ${emitted} emitted, ` +
        (labels > 0 ? `${counted(labels, "label")}, ` : "") +
        `${counted(deadLettered, "dead letter")}, ` +
        counted(duplicates, "duplicate") +
        (scoring ? `, ${unscored} without a model` : ""),
    );
  }
  return found;
}
