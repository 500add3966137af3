/**
 * The thread of one role: opens the log (and the store) of the run's settings
 * for itself, runs the role, and tells the supervisor how it ended.
 */
import { join } from "node:path";
import { EmbeddedLog } from "../log/embedded.ts";
import { EmbeddedStore } from "../store/embedded.ts";
import { openLogger } from "../telemetry/logger.ts";
import { Control } from "./control.ts";
import { runFiles } from "./files.ts";
import { runProcessor } from "./processor.ts";
import { runProducer } from "./producer.ts";
import type { Role, RoleContext, RunSettings } from "./role.ts";
import { runWriter } from "./writer.ts";

/** What the supervisor sends: first the work, later perhaps the word to stop. */
export type ToWorker =
  | {
    readonly kind: "run";
    readonly role: Role;
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
  /** These payments, a sample, are stored. */
  | {
    readonly kind: "stored";
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
    (error) => self.postMessage({ kind: "ended", error: failureOf(error) }),
  );
};

async function runRole(work: ToWorker & { kind: "run" }): Promise<void> {
  const { role, settings, log: logOptions } = work;
  const { folder, durable, parameters, startSeconds } = settings;
  const encoder = new TextEncoder();
  const logger = openLogger(role, {
    ...logOptions,
    write: (line) => Deno.stderr.writeSync(encoder.encode(line)),
  });
  await using log = new EmbeddedLog({ path: join(folder, "log.db"), durable });
  const control = new Control(log);
  await control.refresh();
  const context: RoleContext = {
    log,
    control,
    parameters,
    logger,
    signal: stop.signal,
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
      await using store = new EmbeddedStore({
        path: join(folder, "store.db"),
        features: parameters.features,
        durable,
      });
      return await runWriter(context, { store, startSeconds, stored: report });
    }
    case "files":
      if (settings.files) await runFiles(context, settings.files);
  }
}

function report(cells: Float64Array, width: number, count: number): void {
  const step = Math.max(1, Math.ceil(count / SAMPLE_MAX));
  const ids: number[] = [];
  for (let row = 0; row < count; row += step) ids.push(cells[row * width]);
  self.postMessage({ kind: "stored", ids, at: now() });
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
