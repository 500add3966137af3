/**
 * One role in a thread: what it works with, opened for this thread alone, and
 * how it runs.
 */
import { join } from "node:path";
import { type LogSettings, openLog } from "../log/open_log.ts";
import { syncIfThere } from "../base/durable_file.ts";
import { openStore, storePath } from "../store/open_store.ts";
import type { Store } from "../store/store.ts";
import { type LoggerOptions, openLogger, reportTo } from "../base/logger.ts";
import type { Starter } from "../base/thread.ts";
import { Control } from "../stream/control.ts";
import { runFileProducer } from "./file_producer.ts";
import { runFiles } from "./files.ts";
import { runFollower } from "./follower.ts";
import { runIngest } from "./ingest.ts";
import { runProcessor } from "./processor.ts";
import { runProducer } from "./producer.ts";
import { runLabelIntake } from "./label_intake.ts";
import { runLabelWriter } from "./label_writer.ts";
import { runPredictionWriter } from "./prediction_writer.ts";
import type { Role, RunSettings } from "./role.ts";
import { placeOf } from "../stream/followed_stream.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { runScorer } from "./scorer.ts";
import { runTogether } from "./together.ts";
import { runTrainer, trainerReach } from "./trainer.ts";
import { type Opened, openUnlessStopped } from "../base/unless_stopped.ts";
import { runTrimmer } from "./trimmer.ts";
import { runWriter } from "./writer.ts";

/** The work of a role's thread. */
export interface RoleWork {
  /** What it runs. */
  readonly role: Role;
  /** Roles that it runs beside that, on the same log. */
  readonly beside: readonly Role[];
  /** The role's name in the logs, such as processor-2 where there are several. */
  readonly name: string;
  /** The stream and how it is run. */
  readonly settings: RunSettings;
  /** See StreamContext. */
  readonly awaitsLabels: boolean;
  /** The format and level of its logs. */
  readonly log: Omit<LoggerOptions, "write">;
}

/** What the thread sends back. */
export type FromRole =
  /** The payments before `nextId` are published; of files, those with a TX_TIME_SECONDS below it. */
  | { readonly kind: "published"; readonly nextId: number; readonly at: number }
  /** Payments were stored, including these; of files, those with these TX_TIME_SECONDS. */
  | {
    readonly kind: "stored";
    readonly count: number;
    readonly ids: readonly number[];
    readonly at: number;
  }
  /** See StreamContext.recovered. */
  | {
    readonly kind: "recovered";
    readonly group: string;
    readonly rows: number;
  }
  /** The API is served at this address. */
  | { readonly kind: "serving"; readonly address: string };

/** Most payments of one write that are timed. */
const SAMPLE_MAX = 16;

/** Opens what the roles of a thread work with, and runs `body` on it; does nothing if it was stopped meanwhile. */
export async function withContext(
  { role, name, settings, awaitsLabels, log: logOptions }: RoleWork,
  { signal, send }: Starter<never, FromRole>,
  body: (context: StreamContext) => Promise<void>,
): Promise<void> {
  const { parameters } = settings;
  const logger = openLogger(name, logOptions);
  // Waiting for a server must not keep the thread from being stopped.
  await using opened = await openUnlessStopped(
    openLog(logOf(role, settings), reportTo(logger), signal),
    signal,
  );
  if (!opened) return;
  const log = opened.resource;
  const control = new Control(log);
  await control.refresh();
  await body({
    log,
    control,
    parameters,
    logger,
    signal,
    awaitsLabels,
    storesSynced: settings.api !== undefined,
    snapshotFolder: snapshotFolder(settings, control),
    recovered: (group, rows) => send({ kind: "recovered", group, rows }),
  });
}

/** The log as a role opens it: the writer's connection makes the checkpoints for the API's. */
function logOf(role: Role, { log }: RunSettings): LogSettings {
  if (role !== "api" || log.kind !== "embedded") return log;
  return { ...log, leavesCheckpoints: true };
}

/** Opens the store of a stream; null if the context's signal comes first. */
export function openStoreOf(
  { parameters, logger, signal }: StreamContext,
  settings: RunSettings,
): Promise<Opened<Store> | null> {
  const opening = openStore(
    settings.store,
    parameters.features,
    reportTo(logger),
    { shape: shapeOfStream(parameters), signal },
  );
  return openUnlessStopped(opening, signal);
}

/** Runs a role until it is done, or the context's signal. */
export async function runRole(
  role: Role,
  context: StreamContext,
  settings: RunSettings,
  send: (sent: FromRole) => void,
): Promise<void> {
  const { parameters } = context;
  const { startSeconds } = parameters;
  const storeUnlessStopped = () => openStoreOf(context, settings);
  switch (role) {
    case "producer":
      if (settings.follow) {
        return await runFollower(context, {
          follow: settings.follow,
          place: placeOf(settings.log),
          acceptsGaps: settings.acceptsMissingStart,
        });
      }
      if (settings.input) {
        return await runFileProducer(context, {
          input: settings.input,
          pace: settings.pace,
          published: (timeSeconds) =>
            send({ kind: "published", nextId: timeSeconds + 1, at: now() }),
        });
      }
      return await runProducer(context, {
        data: settings.data,
        pace: settings.pace,
        published: (nextId) => send({ kind: "published", nextId, at: now() }),
      });
    case "api":
      throw new Error("the API has a separate thread");
    case "ingest":
      return await runIngest(context, settings);
    case "processor":
      return await runProcessor(context, startSeconds);
    case "writer": {
      await using opened = await storeUnlessStopped();
      if (!opened) return;
      const store = opened.resource;
      const stored = new AbortController();
      const options = { startSeconds, clears: isOnlyWriter(settings) };
      // Only the simulator's ids grow with the payments.
      const isSimulated = !parameters.definition && !settings.input;
      const marked = isSimulated ? CELL.id : CELL.time;
      return await runTogether(context, [
        async (context) => {
          await runWriter(context, {
            ...options,
            store,
            stored: (cells, width, count) =>
              send(storedNow(cells, { width, count, cell: marked })),
          });
          stored.abort();
        },
        (context) =>
          runLabelWriter(context, { ...options, store: store.labels() }),
        (context) =>
          runPredictionWriter(context, {
            ...options,
            store: store.predictions(),
            stored: stored.signal,
          }),
      ]);
    }
    case "labels": {
      await using opened = await storeUnlessStopped();
      if (!opened) return;
      return await runLabelIntake(context, opened.resource);
    }
    case "scorer":
      if (!settings.scoring) return;
      return await runScorer(context, {
        scoring: settings.scoring,
        startSeconds,
      });
    case "trainer": {
      if (!settings.training) return;
      await using opened = await storeUnlessStopped();
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
      const reach = training ? trainerReach(training, parameters) : 0;
      return await runTrimmer(context, {
        keepDays: Math.max(keepDays, reach),
        filesFolder: settings.files?.folder,
        startSeconds,
        syncStore: () => {
          const { store } = settings;
          // SQLite itself has synced what is no longer in the WAL.
          if (store.kind !== "embedded") return;
          syncIfThere(`${storePath(store.folder)}-wal`);
        },
      });
    }
  }
}

/** Where the processor's snapshots are. Streams on Kafka may share a folder. */
function snapshotFolder(
  { log, stateFolder }: RunSettings,
  { identity }: Control,
): string | undefined {
  if (log.kind === "embedded") return join(log.folder, "snapshots");
  if (stateFolder === undefined || !identity) return undefined;
  return join(stateFolder, identity.id);
}

/** Whether no other process can write to the store, because of the folder's lock. */
function isOnlyWriter({ log, store }: RunSettings): boolean {
  return log.kind === "embedded" && store.kind === "embedded";
}

function storedNow(
  cells: Float64Array,
  { width, count, cell }: { width: number; count: number; cell: number },
): FromRole {
  const step = Math.max(1, Math.ceil(count / SAMPLE_MAX));
  const ids: number[] = [];
  for (let row = 0; row < count; row += step) {
    ids.push(cells[row * width + cell]);
  }
  return { kind: "stored", count, ids, at: now() };
}

/** Milliseconds of a clock that all threads share. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
