/**
 * Runs roles side by side, each in its own thread: one that fails stops the
 * rest in order, and a stop reaches all of them. The roles share nothing but
 * the log and the store, so they may also be separate processes.
 */
import { join } from "node:path";
import { rest } from "../base/clock.ts";
import { ConfigError, DataError } from "../base/error.ts";
import {
  makeFolder,
  syncIfThere,
  trySyncFolder,
} from "../base/durable_file.ts";
import type { Log, TopicSpec } from "../log/log.ts";
import { logPath, openLog } from "../log/open_log.ts";
import { PRIVATE_FOLDER } from "../base/sqlite/private_file.ts";
import type { LatencyMeter } from "../base/latency.ts";
import { type Logger, reportTo } from "../base/logger.ts";
import { Control, type StreamParameters } from "../stream/control.ts";
import { takeLock } from "../base/lock.ts";
import { acceptMissingStart } from "../stream/opening.ts";
import { requireSource } from "./ingest.ts";
import type { Role, RunSettings } from "./role.ts";
import type { FromRole, RoleWork } from "./run_role.ts";
import {
  CHAIN,
  CONTROL_TOPIC,
  LABEL_WRITER_GROUP,
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  topicSpecs,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "../stream/topics.ts";
import { Thread } from "../base/thread.ts";
import { openUnlessStopped, unlessStopped } from "../base/unless_stopped.ts";

/**
 * How long a role may take to stop, in milliseconds, before it is terminated:
 * less than the 10 s that containers give.
 */
const STOP_MS = 7000;

/**
 * How long the writers go on at a stop, in milliseconds, to store what the
 * other roles have committed. It is a part of the time that they may take.
 */
const DRAIN_MS = 4000;

/** How often the supervisor looks whether they have, in milliseconds. */
const DRAIN_LOOK_MS = 20;

/** How often the supervisor checks that the topics still have the stream's partitions, in milliseconds. */
const LOOK_MS = 2000;

/** How a stream is opened. */
export interface StreamOptions {
  /** Where it is and what it is made of. */
  readonly settings: RunSettings;
  /** The roles that this process will run. */
  readonly roles: readonly Role[];
  /** The logger of the log's reports and of the supervisor. */
  readonly logger: Logger;
  /** Ends the opening while it waits for a server. */
  readonly signal: AbortSignal;
}

/** How roles are supervised. */
export interface SuperviseOptions {
  /** Ends all roles after the current step. */
  readonly signal: AbortSignal;
  /** How the roles' logs are written. */
  readonly log: RoleWork["log"];
  /** Collects times from published to stored, where both roles run here. */
  readonly latency: LatencyMeter;
  /** The API's thread, where that role runs here. */
  readonly api?: {
    /** Its module. */
    readonly module: URL;
    /** Called with the address at which the API is served. */
    readonly serving: (address: string) => void;
  };
}

/** A stream in which this process runs roles. */
export class Stream implements AsyncDisposable {
  /** This thread's view of the log. */
  readonly log: Log;
  /** The control topic. */
  readonly control: Control;
  readonly #options: StreamOptions;
  #written = 0;
  #recovered = 0;
  readonly #held: AsyncDisposableStack;

  private constructor(
    options: StreamOptions,
    control: Control,
    log: Log,
    held: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#held = held;
    this.log = log;
    this.control = control;
  }

  /**
   * Creates or opens the stream of the settings. In a folder it takes the
   * roles' locks; on Kafka the roles share their work, and a second producer
   * fences the first. Undefined if it was stopped meanwhile. Throws ConfigError
   * if the stream has other parameters, DataError if another process has one of
   * the roles, LogError if the log cannot be reached.
   */
  static async open(options: StreamOptions): Promise<Stream | undefined> {
    const { settings, roles, logger, signal } = options;
    const { folder, log: logSettings, parameters } = settings;
    if (folder !== undefined) makeDataFolder(folder);
    await using held = new AsyncDisposableStack();
    if (logSettings.kind === "embedded") {
      for (const role of new Set(roles)) {
        const path = join(logSettings.folder, `${role}.lock`);
        const what = `the ${role} on ${logSettings.folder}`;
        held.use(takeLock(path, what));
      }
    }
    const opening = openLog(logSettings, reportTo(logger), signal);
    const opened = await openUnlessStopped(opening, signal);
    if (!opened) return undefined;
    const { resource: log } = held.use(opened);
    const control = new Control(log, reportTo(logger));
    if (roles.includes("ingest")) {
      await requireSource(settings, logger, signal);
      if (signal.aborted) return undefined;
    }
    try {
      await agree(log, control, parameters);
      if (logSettings.kind === "embedded") keepIdentity(logSettings.folder);
      if (settings.acceptsMissingStart) await acceptMissingStart(log, control);
      // The writer must know this before it may consider the work complete.
      if (roles.includes("scorer")) await control.declareScored();
    } catch (error) {
      // The stop came while it waited for the log's lock.
      if (signal.aborted && error === signal.reason) return undefined;
      throw error;
    }
    const partitioner = control.parameters?.partitioner;
    if (partitioner === "crc32" && parameters.partitioner === undefined) {
      logger.info("payments are placed by crc32, as librdkafka does", {
        topic: TRANSACTION_TOPIC,
      });
    }
    const agreed = { ...parameters, partitioner };
    return new Stream(
      { ...options, settings: { ...settings, parameters: agreed } },
      control,
      log,
      held.move(),
    );
  }

  /** Rows that this process's writers have written to the store so far. */
  get written(): number {
    return this.#written;
  }

  /** Rows that the processor had emitted before its position was lost, and has found again now. */
  get recovered(): number {
    return this.#recovered;
  }

  /** Runs the roles until all are done, one fails, or the signal. */
  async run(options: SuperviseOptions): Promise<void> {
    await this.whole(
      options.signal,
      (signal) => this.#runRoles({ ...options, signal }),
    );
  }

  /**
   * Does work as long as the topics keep the partitions of the stream, to which
   * other programs may add; the work ends at its signal. Throws ConfigError,
   * also where the work has failed, once they do not.
   */
  async whole(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    let changed: ConfigError | undefined;
    const look = async () => changed ??= await this.#change();
    const watching = (async () => {
      while (!either.aborted && !changed) {
        await rest(LOOK_MS, either);
        if (!either.aborted) await unlessStopped(look(), either);
      }
      over.abort();
    })();
    try {
      await work(either);
    } catch (error) {
      // Records in an unexpected partition would lead to obscure errors.
      throw signal.aborted ? error : await look() ?? error;
    } finally {
      over.abort();
      await watching;
    }
    if (changed) throw changed;
  }

  /** The error of a topic with other partitions than the stream, if there is one. */
  async #change(): Promise<ConfigError | undefined> {
    const { parameters } = this.#options.settings;
    try {
      await this.log.checkPartitions(topicsOf(parameters));
    } catch (error) {
      // The roles handle a log that does not answer.
      if (error instanceof ConfigError) return error;
    }
    return undefined;
  }

  async #runRoles(options: SuperviseOptions): Promise<void> {
    const { roles } = this.#options;
    const failed = new AbortController();
    const signal = AbortSignal.any([options.signal, failed.signal]);
    const { settings } = this.#options;
    const beside = besideApi(roles, settings);
    const run = (role: Role, signal: AbortSignal) =>
      threadsOf(role, settings.workers).map((thread) =>
        this.#runRole(thread, options, signal).catch((error) => {
          failed.abort();
          throw error;
        })
      );
    const before = roles
      .filter((role) => role !== "labels" && role !== "writer")
      .filter((role) => !beside.includes(role))
      .flatMap((role) => run(role, signal));
    const drained = new AbortController();
    const writers = roles.includes("writer")
      ? run("writer", drained.signal)
      : [];
    const ending = [...before, ...writers];
    const drain = async () => {
      if (!failed.signal.aborted) await this.#drain(before, failed.signal);
      drained.abort();
    };
    if (signal.aborted) drain();
    else signal.addEventListener("abort", drain, { once: true });
    // More may always be said about payments: that role ends with the others.
    const over = new AbortController();
    const labels = roles.includes("labels")
      ? run("labels", AbortSignal.any([signal, over.signal]))
      : [];
    const runs = [...ending, ...labels];
    if (ending.length > 0) {
      Promise.allSettled(ending).then(() => over.abort());
    }
    for (const outcome of await Promise.allSettled(runs)) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  /** Waits at a stop until the writers have what the other roles have committed, or a while. Never throws. */
  async #drain(
    others: readonly Promise<void>[],
    failed: AbortSignal,
  ): Promise<void> {
    const late = new AbortController();
    const patience = setTimeout(() => late.abort(), DRAIN_MS);
    const over = AbortSignal.any([failed, late.signal]);
    const stored = async () => {
      await Promise.all(others);
      for (const [group, topic] of WRITTEN) {
        // Other processes may go on appending.
        const ends = await this.log.endOffsets(topic) ?? [];
        while (!over.aborted) {
          const commits = await this.log.committed(group, topic);
          if (ends.every((end, i) => (commits[i]?.offset ?? 0) >= end)) break;
          await rest(DRAIN_LOOK_MS, over);
        }
      }
      return undefined;
    };
    // A log that does not answer is reported by the roles.
    await unlessStopped(stored().catch(() => undefined), over);
    clearTimeout(patience);
  }

  async #runRole(
    { role, name }: NamedRole,
    options: SuperviseOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { roles, settings, logger } = this.#options;
    const thread = new Thread<RoleWork, never, FromRole>({
      module: role === "api" && options.api
        ? options.api.module
        : new URL("./role_worker.ts", import.meta.url),
      name,
      work: {
        role,
        beside: role === "api" ? besideApi(roles, settings) : [],
        name,
        settings,
        awaitsLabels: roles.includes("labels"),
        log: options.log,
      },
      received: (sent) => {
        if (sent.kind === "published") {
          options.latency.published(sent.nextId, sent.at);
          return;
        }
        if (sent.kind === "serving") {
          options.api?.serving(sent.address);
          return;
        }
        if (sent.kind === "recovered") {
          if (sent.group === TERMINAL_GROUP) this.#recovered += sent.rows;
          return;
        }
        this.#written += sent.count;
        for (const id of sent.ids) options.latency.stored(id, sent.at);
      },
    });
    const stop = async () => {
      const withinMs = role === "writer" ? STOP_MS - DRAIN_MS : STOP_MS;
      if (await thread.stop(withinMs)) return;
      logger.warn("a role did not stop in time and was ended", {
        thread: name,
      });
    };
    signal.addEventListener("abort", stop);
    try {
      if (signal.aborted) stop();
      await thread.ended;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Closes the log and releases the roles' locks. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync();
  }
}

/**
 * Records the stream's parameters, or agrees to those that it has, and creates
 * the missing topics. The order matters: a process that finds topics of a
 * stream also finds its parameters, and foreign topics that do not fit are
 * refused before any parameters are recorded.
 */
async function agree(
  log: Log,
  control: Control,
  parameters: StreamParameters,
): Promise<void> {
  const specs = topicsOf(parameters);
  if (await log.endOffsets(CONTROL_TOPIC)) await control.refresh();
  if (!control.parameters) {
    await log.checkTopics(specs);
    await log.createTopics(specs.filter(({ name }) => name === CONTROL_TOPIC));
  }
  await control.agree(parameters);
  await log.checkPartitions(specs, true);
  await log.createTopics(specs);
  await control.agreeTopics(CHAIN);
}

function topicsOf({ partitions, features }: StreamParameters): TopicSpec[] {
  return topicSpecs(partitions, features.graceSeconds !== undefined);
}

/**
 * Waits until a stream's identity is on the disk, before a store or a day
 * folder names it. A log that does not wait for the disk could otherwise lose
 * it in a power cut, and would then refuse both as another stream's.
 */
function keepIdentity(folder: string): void {
  syncIfThere(`${logPath(folder)}-wal`);
  trySyncFolder(folder);
}

/** What the writers read, and as which groups. */
const WRITTEN = [
  [WRITER_GROUP, SINK_TOPIC],
  [PREDICTION_GROUP, PREDICTION_TOPIC],
  [LABEL_WRITER_GROUP, TRANSACTION_LABEL_TOPIC],
] as const;

/** What decides about a payment between the API's append and its answer. */
const DECIDING: readonly Role[] = ["processor", "scorer"];

/**
 * Roles that share the thread of the API, and its log: on an embedded log what
 * one of them commits wakes the next at once. On Kafka each has its own.
 */
function besideApi(
  roles: readonly Role[],
  { log }: Pick<RunSettings, "log">,
): readonly Role[] {
  if (!roles.includes("api") || log.kind !== "embedded") return [];
  return roles.filter((role) => DECIDING.includes(role));
}

/** A role's thread. */
interface NamedRole {
  readonly role: Role;
  readonly name: string;
}

/** Names of the threads that run these roles, for people. */
export function threadNames(
  roles: readonly Role[],
  settings: Pick<RunSettings, "log" | "workers">,
): string[] {
  const beside = besideApi(roles, settings);
  return roles.filter((role) => !beside.includes(role)).flatMap((role) =>
    role === "api" && beside.length > 0
      ? [`${role} (with ${beside.join(", ")})`]
      : threadsOf(role, settings.workers).map(({ name }) => name)
  );
}

/** The threads of a role: roles that share work by a consumer group have as many as configured. */
function threadsOf(role: Role, workers: number): NamedRole[] {
  const shares = role === "processor" || role === "writer" || role === "scorer";
  if (!shares || workers === 1) return [{ role, name: role }];
  return Array.from(
    { length: workers },
    (_, i) => ({ role, name: `${role}-${i + 1}` }),
  );
}

/** Creates a data folder unless it exists; throws DataError on failure. */
export function makeDataFolder(folder: string): void {
  try {
    makeFolder(folder, PRIVATE_FOLDER);
  } catch (cause) {
    throw new DataError(
      `${(cause as Error).message}, or choose another data folder with --data`,
      { cause },
    );
  }
}
