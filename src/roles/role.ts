/** The roles, and the settings that a run is made from. */
import type { ApiSettings } from "./api_settings.ts";
import type { AlertPolicy } from "../scoring/alert_policy.ts";
import type { ModelSpec } from "../learning/fit/fit_task.ts";
import type { LogSettings } from "../log/open_log.ts";
import type { SimulatorParameters } from "../simulator/parameters.ts";
import type { RulePlace } from "../scoring/decision_source.ts";
import type { ModelPlace } from "../scoring/model_source.ts";
import type { TableFormat } from "../files/table_encoder.ts";
import type { StoreSettings } from "../store/open_store.ts";
import type { StreamParameters } from "../stream/control.ts";
import type { FollowSettings } from "../stream/followed_stream.ts";
import type { SourceSettings } from "../stream/source_task.ts";

/** The roles that a process can take. */
export const ROLES = [
  "producer",
  "ingest",
  "api",
  "processor",
  "writer",
  "labels",
  "scorer",
  "trainer",
  "files",
  "trimmer",
] as const;

/** One of the roles; `ingest` runs in place of the producer where --source-topic names a topic, `api` where --api-port gives it a port, `labels` takes label_topic where labels arrive later, `scorer` runs where there is a model, `trainer` where --retrain asks for it, `files` where --files does, `trimmer` where --keep does. */
export type Role = typeof ROLES[number];

/** Everything a run is made from: plain values, handed to each role's thread. */
export interface RunSettings {
  /** The data folder, if log or store have one. */
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
  /** Whose payments `ingest` takes, if it runs. */
  readonly source:
    | SourceSettings & {
      /** File of the key for pseudonyms, if the definition needs one. */
      readonly hmacKeyFile: string | undefined;
    }
    | undefined;
  /** The files that the producer publishes in place of a simulation, if any. */
  readonly input?: FileInput | undefined;
  /** The stream whose payments the producer takes in place of both, if any. */
  readonly follow?: FollowSettings | undefined;
  /** How the API takes payments in place of all of these, if it runs. */
  readonly api?: ApiRun | undefined;
  /** Whether the stages begin with the rest of topics whose first records were deleted before a stage read them. */
  readonly acceptsMissingStart: boolean;
  /** Threads of the processor and of the writer each; more than 1 on Kafka only. */
  readonly workers: number;
  /** How fast the producer publishes. */
  readonly pace: Pace;
  /** Days of event time that the log keeps, undefined for all. */
  readonly keepDays: number | undefined;
  /** Folder of the processor's snapshots of a stream on Kafka, where any are kept. */
  readonly stateFolder: string | undefined;
  /** How payments are scored, if they are. */
  readonly scoring: ScoringSettings | undefined;
  /** How models are trained meanwhile, if they are. */
  readonly training: TrainingSettings | undefined;
  /** The folder of the files role, if it runs. */
  readonly files:
    | { readonly folder: string; readonly format: "jsonl" | "csv" }
    | undefined;
}

/** How the API is served, and what it takes. */
export interface ApiRun {
  /** Where it listens and who may use it. */
  readonly served: ApiSettings;
  /** How long a request waits for a decision, milliseconds. */
  readonly deadlineMs: number;
  /** Requests that may wait for a decision at the same time. */
  readonly pendingMax: number;
  /** How far ahead of the clock a payment may be, seconds. */
  readonly aheadSeconds: number;
  /** File of the key for pseudonyms, if the definition needs one. */
  readonly hmacKeyFile: string | undefined;
}

/** Payments in files with any columns, which the stream's definition maps. */
export interface FileInput {
  /** A file, a folder, or "-" for stdin. */
  readonly path: string;
  /** Their format; undefined if names or first bytes decide. */
  readonly format: TableFormat | undefined;
  /** File of the key for pseudonyms, if the definition needs one. */
  readonly hmacKeyFile: string | undefined;
}

/** How payments are scored. */
export interface ScoringSettings {
  /** Where the model comes from; undefined where rules alone decide. */
  readonly model: ModelPlace | undefined;
  /** Where rules come from; undefined where the stream keeps those that it has, if any. */
  readonly rules?: RulePlace | undefined;
  /** Models that score every payment beside the live one and change nothing. */
  readonly shadows?: ShadowSettings | undefined;
  /** Which payments are alerts. */
  readonly policy: AlertPolicy;
  /** Which predictions explain their score. */
  readonly explain: "alerts" | "all";
}

/** Models that are tried on a stream's payments. */
export interface ShadowSettings {
  /** Their files. */
  readonly paths: readonly string[];
  /** The score from which on a payment would be an alert of theirs. */
  readonly threshold: number;
}

/** How models are trained while the stream runs. */
export interface TrainingSettings {
  /** The folder of the registry. */
  readonly folder: string;
  /** The first champion's file, if one is given. */
  readonly first: string | undefined;
  /** Event days between two challengers. */
  readonly everyDays: number;
  /** Newest labelled days that a challenger learns from. */
  readonly trainDays: number;
  /** Kind of model, and its settings. */
  readonly model: ModelSpec;
}

/** How fast payments are published. */
export type Pace =
  | { readonly kind: "max" }
  /** Payments per second. */
  | { readonly kind: "rate"; readonly perSecond: number }
  /** How many times faster than the clock event time runs. */
  | { readonly kind: "speedup"; readonly factor: number };
