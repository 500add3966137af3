/**
 * The thread of one role: opens the log (and the store) of the run's settings
 * for itself, runs the role, and tells the supervisor how it ended.
 */
import { openLog } from "../log/open_log.ts";
import { syncIfThere } from "../base/durable_file.ts";
import { openStore, storePath } from "../store/open_store.ts";
import { openLogger, reportTo } from "../base/logger.ts";
import { Control } from "../stream/control.ts";
import { runFiles } from "./files.ts";
import { runProcessor } from "./processor.ts";
import { runProducer } from "./producer.ts";
import { runPredictionWriter } from "./prediction_writer.ts";
import type { Role, RunSettings } from "./role.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { runScorer } from "./scorer.ts";
import { runTogether } from "./together.ts";
import { runTrainer, trainerReach } from "./trainer.ts";
import { openUnlessStopped } from "../base/unless_stopped.ts";
import { runTrimmer } from "./trimmer.ts";
import { runWriter } from "./writer.ts";

/** What the supervisor sends: first the work, later perhaps the word to stop. */
export type ToWorker =
  | {
    readonly kind: "run";
    readonly role: Role;
    /** What the role is called in the logs: processor-2 where there are several. */
    readonly name: string;
    readonly settings: RunSettings;
    readonly log: {
      readonly format: "json" | "text";
      readonly level: "info" | "warning";
    };
  }
  | { readonly kind: "stop" };

/** What the thread sends back. */
export type FromWorker =
  /** The payments before `nextId` are published. */
  | { readonly kind: "published"; readonly nextId: number; readonly at: number }
  /** So many payments are stored, these among them. */
  | {
    readonly kind: "stored";
    readonly count: number;
    readonly ids: readonly number[];
    readonly at: number;
  }
  /** The role has ended, as it should or with an error. */
  | { readonly kind: "ended"; readonly error?: WorkerFailure };

/** An error as it crosses threads. */
export interface WorkerFailure {
  /** Class of the error. */
  readonly name: string;
  /** Its message. */
  readonly message: string;
  /** Where it came from, for --debug. */
  readonly stack: string | undefined;
}

/** At most so many payments of one write are timed. */
const SAMPLE_MAX = 16;

declare const self: {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker): void;
};

const stop = new AbortController();

self.onmessage = ({ data }) => {
  if (data.kind === "stop") {
    stop.abort();
    return;
  }
  runRole(data).then(
    () => self.postMessage({ kind: "ended" }),
    (error) => {
      // Whoever waited for a server when the word to stop came throws that.
      const stopped = stop.signal.aborted && error === stop.signal.reason;
      self.postMessage({
        kind: "ended",
        ...stopped ? {} : { error: failureOf(error) },
      });
    },
  );
};

async function runRole(work: ToWorker & { kind: "run" }): Promise<void> {
  const { role, name, settings, log: logOptions } = work;
  const { parameters } = settings;
  const { startSeconds } = parameters;
  const logger = openLogger(name, logOptions);
  const report = reportTo(logger);
  const { signal } = stop;
  // Waiting for a server must not keep the thread from being stopped.
  await using opened = await openUnlessStopped(
    openLog(settings.log, report, signal),
    signal,
  );
  if (!opened) return;
  const log = opened.resource;
  const control = new Control(log);
  await control.refresh();
  const context: StreamContext = {
    log,
    control,
    parameters,
    logger,
    signal,
  };
  switch (role) {
    case "producer":
      return await runProducer(context, {
        data: settings.data,
        pace: settings.pace,
        published: (nextId) =>
          self.postMessage({ kind: "published", nextId, at: now() }),
      });
    case "processor":
      return await runProcessor(context, startSeconds);
    case "writer": {
      await using opened = await openUnlessStopped(
        openStore(settings.store, parameters.features, report, signal),
        signal,
      );
      if (!opened) return;
      const store = opened.resource;
      const stored = new AbortController();
      const options = { startSeconds, clears: isOnlyWriter(settings) };
      return await runTogether(context, [
        async (context) => {
          await runWriter(context, { ...options, store, stored: tellStored });
          stored.abort();
        },
        (context) =>
          runPredictionWriter(context, {
            ...options,
            store: store.predictions(),
            stored: stored.signal,
          }),
      ]);
    }
    case "scorer":
      if (!settings.scoring) return;
      return await runScorer(context, {
        scoring: settings.scoring,
        startSeconds,
      });
    case "trainer": {
      if (!settings.training) return;
      await using opened = await openUnlessStopped(
        openStore(settings.store, parameters.features, report, signal),
        signal,
      );
      if (!opened) return;
      return await runTrainer(context, {
        training: settings.training,
        store: opened.resource.predictions(),
        startSeconds,
      });
    }
    case "files":
      if (settings.files) await runFiles(context, settings.files);
      return;
    case "trimmer": {
      if (settings.keepDays === undefined) return;
      const { training, keepDays } = settings;
      const reach = training
        ? trainerReach(training, parameters.features.delayDays)
        : 0;
      return await runTrimmer(context, {
        keepDays: Math.max(keepDays, reach),
        filesFolder: settings.files?.folder,
        startSeconds,
        syncStore: () => {
          const { store } = settings;
          // What is no longer in the WAL SQLite has synced itself.
          if (store.kind !== "embedded") return;
          syncIfThere(`${storePath(store.folder)}-wal`);
        },
      });
    }
  }
}

/** Whether nobody else can write to the store: the folder's lock sees to that. */
function isOnlyWriter({ log, store }: RunSettings): boolean {
  return log.kind === "embedded" && store.kind === "embedded";
}

function tellStored(cells: Float64Array, width: number, count: number): void {
  const step = Math.max(1, Math.ceil(count / SAMPLE_MAX));
  const ids: number[] = [];
  for (let row = 0; row < count; row += step) ids.push(cells[row * width]);
  self.postMessage({ kind: "stored", count, ids, at: now() });
}

/** Milliseconds on the clock that all threads share. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function failureOf(error: unknown): WorkerFailure {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined };
  }
  const { name, message, stack } = error;
  return { name, message, stack };
}
