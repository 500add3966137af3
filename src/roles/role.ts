/** What every role is given, and the settings that a run is made from. */
import type { FeatureParameters } from "../features/parameters.ts";
import type { AlertPolicy } from "../learning/alert_policy.ts";
import type { ModelSpec } from "../learning/fit_task.ts";
import type { Commit, Log } from "../log/log.ts";
import type { LogSettings } from "../log/open_log.ts";
import type { SimulatorParameters } from "../simulator/parameters.ts";
import type { StoreSettings } from "../store/open_store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Control, StreamParameters } from "./control.ts";
import { takenOffset } from "./stage_commit.ts";
import { PIPELINE, PREDICTION_GROUP, SCORING, WRITER_GROUP } from "./topics.ts";

/** The roles that a process can take. */
export const ROLES = [
  "producer",
  "processor",
  "writer",
  "scorer",
  "trainer",
  "files",
  "trimmer",
] as const;

/** One of the roles; `scorer` runs where there is a model, `trainer` where --retrain asks for it, `files` where --files does, `trimmer` where --keep does. */
export type Role = typeof ROLES[number];

/** Everything a run is made from: plain values, handed to each role's thread. */
export interface RunSettings {
  /** The data folder, where log or store are in one. */
  readonly folder: string | undefined;
  /** Where the log is. */
  readonly log: LogSettings;
  /** Where the store is. */
  readonly store: StoreSettings;
  /** What all roles must agree on. */
  readonly parameters: StreamParameters;
  /** What the producer simulates. */
  readonly data: {
    /** The data set. */
    readonly parameters: SimulatorParameters;
    /** Where chance comes from. */
    readonly rng: "handbook" | "seedrandom";
    /** Its seed. */
    readonly seed: string;
  };
  /** Whether the stages begin with what is left of topics whose beginning was deleted before anyone had read it. */
  readonly acceptsMissingStart: boolean;
  /** Threads of the processor and of the writer each; more than 1 on Kafka only. */
  readonly workers: number;
  /** How fast the producer publishes. */
  readonly pace: Pace;
  /** Days of event time that the log keeps, undefined for all. */
  readonly keepDays: number | undefined;
  /** How payments are scored, where they are. */
  readonly scoring: ScoringSettings | undefined;
  /** How models are trained meanwhile, where they are. */
  readonly training: TrainingSettings | undefined;
  /** The folder of the files role, where it is asked for. */
  readonly files:
    | { readonly folder: string; readonly format: "jsonl" | "csv" }
    | undefined;
}

/** How payments are scored. */
export interface ScoringSettings {
  /** Where the model comes from. */
  readonly model: ModelPlace;
  /** Which payments are alerts. */
  readonly policy: AlertPolicy;
  /** Which predictions say what made them. */
  readonly explain: "alerts" | "all";
}

/** How models are trained while the stream runs. */
export interface TrainingSettings {
  /** The folder of the registry. */
  readonly folder: string;
  /** The first champion's file, where one is given. */
  readonly first: string | undefined;
  /** Event days between two challengers. */
  readonly everyDays: number;
  /** Newest labelled days that a challenger learns from. */
  readonly trainDays: number;
  /** Kind of model, and its settings. */
  readonly model: ModelSpec;
}

/** Where the scorer finds its model. */
export type ModelPlace =
  /** A model's file. */
  | { readonly kind: "file"; readonly path: string }
  /** A registry, whose champion it is. */
  | {
    readonly kind: "registry";
    /** Its folder. */
    readonly folder: string;
    /** Whether payments wait for the decision of their day (see model_source.ts). */
    readonly waits: boolean;
  };

/** How fast payments are published. */
export type Pace =
  | { readonly kind: "max" }
  /** So many a second. */
  | { readonly kind: "rate"; readonly perSecond: number }
  /** Event time so many times faster than the clock. */
  | { readonly kind: "speedup"; readonly factor: number };

/** What a role works with. */
export interface RoleContext {
  /** The log. */
  readonly log: Log;
  /** The control topic, refreshed once. */
  readonly control: Control;
  /** What all roles agreed on. */
  readonly parameters: StreamParameters;
  /** Where the role says what it does. */
  readonly logger: Logger;
  /** Ends the role after the step in hand. */
  readonly signal: AbortSignal;
}

/** The features of a context, for short. */
export function featuresOf(context: RoleContext): FeatureParameters {
  return context.parameters.features;
}

/**
 * Whether a group has taken everything of a finished topic: its end is marked
 * and the group stands at the end offsets, fetched after the mark was seen.
 */
export async function isDone(
  context: RoleContext,
  group: string,
  topic: string,
): Promise<boolean> {
  return await isComplete(context, topic) &&
    await hasTaken(context.log, group, topic);
}

/**
 * Whether nothing more comes into a topic: its end is marked, and the stages
 * before it have taken all that they were given. (A dead letter that is
 * requeued into a stream which had ended already goes through all of them.)
 */
export async function isComplete(
  { log, control }: RoleContext,
  topic: string,
): Promise<boolean> {
  await control.refresh();
  if (!control.end(topic)) return false;
  for (const stage of [...PIPELINE, ...SCORING]) {
    if (stage.topic === topic) break;
    if (stage.group === WRITER_GROUP) continue; // nothing comes after it
    if (!await hasTaken(log, stage.group, stage.topic)) return false;
  }
  return true;
}

/** How far a group has come. A writer takes an offset that another program has set. */
function taken(commit: Commit | undefined, group: string): number {
  const isWriter = group === WRITER_GROUP || group === PREDICTION_GROUP;
  return isWriter ? commit?.offset ?? 0 : takenOffset(commit);
}

/** Whether a group stands at the end offsets of a topic. */
export async function hasTaken(
  log: Log,
  group: string,
  topic: string,
): Promise<boolean> {
  const ends = await log.endOffsets(topic) ?? [];
  const commits = await log.committed(group, topic);
  return ends.every((end, i) => taken(commits[i], group) >= end);
}
