/**
 * Runs roles side by side, each in a thread of its own: one that fails stops
 * the rest in order, and a stop reaches all of them. The roles share nothing
 * but the log and the store, so they may as well be separate processes.
 */
import { join } from "node:path";
import {
  ConfigError,
  DataError,
  LogError,
  StoreError,
} from "../error/error.ts";
import { fileErrorReason } from "../files/file_error.ts";
import { EmbeddedLog } from "../log/embedded.ts";
import type { LatencyMeter } from "../telemetry/latency.ts";
import { Control } from "./control.ts";
import { type FolderLock, takeLock } from "./lock.ts";
import type { Role, RunSettings } from "./role.ts";
import type { FromWorker, ToWorker, WorkerFailure } from "./role_worker.ts";
import { topicSpecs } from "./topics.ts";

/** How roles are supervised. */
export interface SuperviseOptions {
  /** Ends all roles after the step in hand. */
  readonly signal: AbortSignal;
  /** How the roles' logs are written. */
  readonly log: (ToWorker & { kind: "run" })["log"];
  /** Collects times from published to stored, where both roles run here. */
  readonly latency: LatencyMeter;
}

/** A data folder that this process has roles in. */
export class DataFolder implements AsyncDisposable {
  /** This thread's view of the log. */
  readonly log: EmbeddedLog;
  /** The control topic. */
  readonly control: Control;
  readonly #settings: RunSettings;
  readonly #locks: FolderLock[];

  private constructor(
    settings: RunSettings,
    log: EmbeddedLog,
    locks: FolderLock[],
  ) {
    this.#settings = settings;
    this.#locks = locks;
    this.log = log;
    this.control = new Control(log);
  }

  /**
   * Makes or opens the settings' folder and takes the roles' locks. Throws
   * ConfigError if the folder belongs to a stream with other parameters,
   * DataError if another process has one of the roles.
   */
  static async open(
    settings: RunSettings,
    roles: readonly Role[],
  ): Promise<DataFolder> {
    const { folder, durable, parameters } = settings;
    makeFolder(folder);
    const locks: FolderLock[] = [];
    let log: EmbeddedLog | undefined;
    try {
      for (const role of roles) {
        const path = join(folder, `${role}.lock`);
        locks.push(takeLock(path, `the ${role} on ${folder}`));
      }
      log = new EmbeddedLog({ path: join(folder, "log.db"), durable });
      await log.createTopics(topicSpecs(parameters.partitions));
      const opened = new DataFolder(settings, log, locks);
      await opened.control.agree(parameters);
      return opened;
    } catch (error) {
      for (const lock of locks) lock[Symbol.dispose]();
      await log?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs roles until all are done, one fails, or the signal. */
  async run(roles: readonly Role[], options: SuperviseOptions): Promise<void> {
    const failed = new AbortController();
    const signal = AbortSignal.any([options.signal, failed.signal]);
    const runs = roles.map((role) =>
      this.#runRole(role, options, signal).catch((error) => {
        failed.abort();
        throw error;
      })
    );
    for (const outcome of await Promise.allSettled(runs)) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  async #runRole(
    role: Role,
    options: SuperviseOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const worker = new Worker(new URL("./role_worker.ts", import.meta.url), {
      type: "module",
      name: role,
    });
    const send = (message: ToWorker) => worker.postMessage(message);
    const stop = () => send({ kind: "stop" });
    signal.addEventListener("abort", stop);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "published") {
        options.latency.published(data.nextId, data.at);
      } else if (data.kind === "stored") {
        for (const id of data.ids) options.latency.stored(id, data.at);
      } else if (data.error) reject(errorOf(data.error));
      else resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`${role}: ${event.message}`));
    };
    try {
      send({ kind: "run", role, settings: this.#settings, log: options.log });
      if (signal.aborted) stop();
      await promise;
    } finally {
      signal.removeEventListener("abort", stop);
      worker.terminate();
    }
  }

  /** Closes the log and gives the roles free. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.log[Symbol.asyncDispose]();
    for (const lock of this.#locks) lock[Symbol.dispose]();
  }
}

function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new DataError(
      `the data folder ${folder} cannot be made: ` +
        `${
          fileErrorReason(cause, "make", folder)
        }, or choose another by --data`,
      { cause },
    );
  }
}

const ERROR_CLASSES = { ConfigError, DataError, LogError, StoreError };

/** The error of another thread as one of this thread. */
function errorOf({ name, message, stack }: WorkerFailure): Error {
  const known = ERROR_CLASSES[name as keyof typeof ERROR_CLASSES];
  const error = known ? new known(message) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
