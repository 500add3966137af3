/** `fraudstream run`: the pipeline, or some of its roles. The default command. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { checkNeeds, type FlagGroup, type FlagValues } from "../flags/flag.ts";
import {
  type Dashboard,
  mayListen,
  openDashboard,
} from "../../dashboard/dashboard.ts";
import { listenPage } from "../../dashboard/server/page_listener.ts";
import { requireApiPort } from "../../api/http/api_listener.ts";
import { readApiTokens } from "../../api/http/api_tokens.ts";
import { requireApiOrigin } from "../../api/api_origin.ts";
import { ConfigError, DataError, LogError } from "../../base/error.ts";
import { type Pace, type Role, type RunSettings } from "../../roles/role.ts";
import type { StreamParameters } from "../../stream/control.ts";
import type { StoredCounts } from "../../stream/end_check.ts";
import { discrepancies, readStatus } from "../../stream/status.ts";
import {
  Stream,
  type SuperviseOptions,
  threadNames,
} from "../../roles/supervisor.ts";
import { unlessStopped } from "../../base/unless_stopped.ts";
import type { FollowPosition } from "../../stream/follow_position.ts";
import type { StreamDefinition } from "../../definition/stream_definition.ts";
import { midnightOf } from "../../definition/mapped_row.ts";
import { openDefinition } from "../../definition/read_definition.ts";
import { openStore } from "../../store/open_store.ts";
import type { OutageReport } from "../../base/outage.ts";
import { LatencyMeter } from "../../base/latency.ts";
import { type Logger, openLogger, reportTo } from "../../base/logger.ts";
import {
  API_FLAGS,
  type ApiOptions,
  readApiFlags,
  requireApiDefinition,
} from "../flags/api_flags.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  logPlace,
  readConnection,
  storePlace,
} from "../flags/connection_flags.ts";
import {
  checkEnd,
  type Connection,
  countStored,
  findRecorded,
  isThere,
  type RecordedStream,
  requireAgreement,
} from "../../stream/stored_stream.ts";
import {
  continueData,
  DATA_FLAGS,
  type DataOptions,
  DAYS_MAX,
  readDataFlags,
} from "../flags/data_flags.ts";
import { FEATURE_FLAGS } from "../flags/feature_flags.ts";
import {
  FOLLOW_FLAGS,
  followedDefaults,
  followingParameters,
  readFollowFlag,
} from "../flags/follow_flags.ts";
import { readFileFingerprint } from "../../roles/file_producer.ts";
import { takeOver } from "../../roles/take_over.ts";
import {
  type FollowedStream,
  followFlag,
  type FollowSettings,
  readFollowed,
  requireFollowable,
} from "../../stream/followed_stream.ts";
import {
  INPUT_FLAGS,
  type InputOptions,
  readDefinitionFlag,
  readInputFlags,
  refuseSimulated,
} from "../flags/input_flags.ts";
import { requireHmacKey } from "../flags/definition_flags.ts";
import {
  definitionOfStream,
  shapeOfStream,
} from "../../stream/stream_definition.ts";
import { oneOf, positiveNumber, wholeNumber } from "../flags/flag_value.ts";
import { openLiveStatus } from "../output/live_status.ts";
import {
  LISTEN_ADVICE,
  PAGE_FLAGS,
  type PageOptions,
  readPageFlags,
  refusePageFlags,
  type WantedPage,
} from "../flags/page_flags.ts";
import { summaryText } from "../output/run_summary.ts";
import {
  checkShadows,
  completeScoring,
  planScoring,
  readScoringFlags,
  SCORING_FLAGS,
  type ScoringOptions,
  scoringTexts,
} from "../flags/scoring_flags.ts";
import { readRegistry } from "../../scoring/model_registry.ts";
import { BUILT_IN_MODEL, suitsBuiltIn } from "../../scoring/open_model.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import {
  readSourceFlags,
  refuseEarlyLabels,
  SOURCE_FLAGS,
} from "../flags/source_flags.ts";
import {
  readStreamFlags,
  STREAM_FLAGS,
  type StreamOptions,
} from "../flags/stream_flags.ts";
import { writeError, writeResult } from "../output/terminal.ts";

const RATE_MAX = 10_000_000;
const SPEEDUP_MAX = 1e9;
const WORKERS_MAX = 64;
/** How long a role without --partitions waits for another process to create the stream, in milliseconds. */
const OTHERS_MS = 10_000;
/** How long a stopped run waits for the numbers of its summary, in milliseconds. */
const LAST_LOOK_MS = 1500;

/** What --role names: the roles of the pipeline, and the page. */
interface ChosenRoles {
  /** The roles; undefined for all that the other flags ask for. */
  readonly roles: readonly Role[] | undefined;
  readonly page: "named" | "by default" | "none";
}

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    role: {
      value: "<roles>",
      help:
        "any of producer, ingest, api, processor, writer, labels, scorer, " +
        "trainer, dashboard (comma list)",
      read: readRoles,
      default: "all; scorer and trainer if they are asked for, labels where " +
        "they arrive later",
    },
    workers: {
      value: "<n>",
      help: "threads of processor and writer each",
      read: wholeNumber(1, WORKERS_MAX),
      default: "1; more need --log=kafka",
    },
    rate: {
      value: "<n|max>",
      help: "payments published per second",
      read: readRate,
      default: "1000",
      alternative: "speedup",
    },
    speedup: {
      value: "<x>",
      help: "instead of --rate: event time x times faster than the clock",
      read: positiveNumber(SPEEDUP_MAX),
      alternative: "rate",
    },
    keep: {
      value: "<days>",
      help: "days of event time that the log keeps; never less than a role " +
        "needs; runs beside the processor",
      read: wholeNumber(0, DAYS_MAX),
      default: "keeps everything",
    },
    state: {
      value: "<dir>",
      help: "folder for snapshots of the processor's state and for the " +
        "page's index, so that they start quickly; an embedded log has them " +
        "in its data folder",
      needs: "--log=kafka",
    },
    liftApproval: {
      help: "from now on changes count at once again in a stream that was " +
        "started with --require-approval",
    },
    acceptMissingStart: {
      help:
        "start with the remaining records if payments were deleted before " +
        "they were read",
    },
    files: {
      value: "<dir>",
      help: "also write the processor's output to one file per event day",
    },
    filesFormat: {
      value: "<form>",
      help: "jsonl or csv",
      read: oneOf(["jsonl", "csv"]),
      default: "jsonl",
      fallback: "jsonl",
    },
    durability: {
      value: "<level>",
      help: "for an embedded log. full: every step waits for the disk and " +
        "survives a power cut; normal: faster, a power cut can undo the last " +
        "steps, which are then repeated",
      read: oneOf(["normal", "full"]),
      default: "full",
      fallback: "full",
    },
  },
} as const satisfies FlagGroup;

type RunOptions =
  & FlagValues<typeof FLAGS>
  & DataOptions
  & InputOptions
  & FlagValues<typeof SOURCE_FLAGS>
  & FlagValues<typeof FOLLOW_FLAGS>
  & ApiOptions
  & Omit<StreamOptions, "definition" | "isOnKafka">
  & ConnectionOptions
  & PageOptions
  & ScoringOptions;

const EXAMPLES = `
Examples:
  ./fraudstream run --preset=seed --rate=max
      the small data set through every stage, as fast as it goes
  ./fraudstream run --speedup=3600
      the handbook's data set, an hour of event time per second
  ./fraudstream --role=producer --data=./shop
  ./fraudstream --role=processor,writer --data=./shop
      the same in two processes, on one data folder
  ./fraudstream run --model=model.json --alert-cards=100
      also scores every payment and alerts the 100 most suspect cards a day
  ./fraudstream run --rng=seedrandom --days=0 --rate=500
      other payments, without end, until Ctrl-C
  ./fraudstream --role=dashboard --data=./shop --port=9000
      only the page, of a stream that runs elsewhere or is complete

Ctrl-C finishes the current step and prints a summary; the next start of the
same command continues from there. A second Ctrl-C stops at once.
`;

/** The command. */
export const RUN_COMMAND: CommandDeclaration = defineCommand({
  name: "run",
  summary: "run the pipeline or some of its roles (the default command)",
  description:
    "Streams simulated payments through the log, computes their features " +
    "over sliding windows, stores them, and serves the live page.",
  flags: [
    FLAGS,
    PAGE_FLAGS,
    SCORING_FLAGS,
    STREAM_FLAGS,
    INPUT_FLAGS,
    SOURCE_FLAGS,
    API_FLAGS,
    FOLLOW_FLAGS,
    DATA_FLAGS,
    FEATURE_FLAGS,
    ...CONNECTION_FLAGS,
  ],
  environment: true,
  examples: EXAMPLES,
  run: run,
});

async function run(options: RunOptions): Promise<void> {
  const live = Deno.stderr.isTerminal();
  const log = live
    ? { format: "text", level: "warning" } as const
    : { format: "json", level: "info" } as const;
  const logger = openLogger("supervisor", log);
  const latency = new LatencyMeter();
  const began = performance.now();
  checkNeeds(FLAGS, options);
  if (options.requireApproval && options.liftApproval) {
    throw new ConfigError(
      "--require-approval and --lift-approval exclude each other; give one",
    );
  }
  const connection = readConnection(options, options.durability === "full");
  const wanted = readPage(options);
  using stop = listenForStop();
  const { signal } = stop;
  const { settings, roles, scoringFlags, opened } = await begin(
    options,
    connection,
    logger,
    signal,
  );
  await using stream = opened ?? null;
  throwIfStopped(signal, () => "the log has not been reached");
  if (!stream) return;
  if (scoringFlags) {
    const keeping = stream.control.keepScoringFlags(scoringFlags);
    await unlessStopped(keeping.then(() => stream), signal);
  }
  await recordApproval(options, stream, logger);
  const before = await readStatus(stream.log, stream.control);
  await using page = wanted &&
    await openPage(wanted, { settings, roles, log, logger, latency });
  const status = openLiveStatus({ stream, before, latency, logger, live });
  try {
    // A page alone has nothing to wait for but the word to stop.
    await stream.run({
      signal,
      log,
      latency,
      api: {
        module: new URL("../../api/api_worker.ts", import.meta.url),
        serving: (address) => sayServed("the API", address, { log, logger }),
      },
    });
    if (roles.length === 0 && page) {
      await stream.whole(signal, (signal) => stay(page, signal));
    }
  } finally {
    await status.close();
  }
  const reading = readStatus(stream.log, stream.control);
  // A stop does not wait for a hanging server.
  const after = signal.aborted
    ? await unlessStopped(reading, AbortSignal.timeout(LAST_LOOK_MS))
    : await reading;
  if (!after) {
    // In order all the same: a step counts whole or not at all.
    logger.warn("stopped; the position of the stream is unknown", {
      reason: "the log does not answer",
      then: "the same command continues from there",
    });
    return;
  }
  const stored = roles.includes("writer")
    ? await storedBy(settings, reportTo(logger), signal)
    : undefined;
  writeResult(
    summaryText({
      before,
      after,
      stored: stored?.payments,
      written: stream.written,
      recovered: stream.recovered,
      models: roles.includes("trainer") && settings.training
        ? readRegistry(settings.training.folder)
        : undefined,
      latency: roles.length > 1 && settings.pace.kind !== "max"
        ? latency.summary()
        : undefined,
      seconds: (performance.now() - began) / 1000,
      stopped: signal.aborted,
      roles,
      place: storePlace(connection),
    }),
  );
  const wrong = discrepancies(after);
  if (wrong.length > 0) {
    throw new LogError(`the counters do not add up: ${wrong.join("; ")}`);
  }
  if (!signal.aborted) {
    requireAgreement(
      await checkEnd(
        connection,
        stream,
        stored && (() => Promise.resolve(stored)),
      ),
    );
  }
  if ((options.stay || isBare()) && page && !signal.aborted) {
    writeError(`the page stays until Ctrl-C:\n\n  ${page.address}\n\n`);
    await stay(page, signal);
  }
}

/** Records for all processes of the stream whether changes need a second person, where a flag says so. */
async function recordApproval(
  { requireApproval, liftApproval }: RunOptions,
  { control }: Stream,
  logger: Logger,
): Promise<void> {
  if (requireApproval) await control.requireApproval(true);
  if (!liftApproval || !control.requiresApproval) return;
  await control.requireApproval(false);
  logger.warn("changes of this stream need no second person any more", {
    because: "--lift-approval",
  });
}

/** Whether the program was started without arguments. Its page then stays when the data are complete. */
function isBare(): boolean {
  return Deno.args.length === 0;
}

/** Counts what the store holds; undefined if it does not answer a person who has stopped the run. */
async function storedBy(
  settings: RunSettings,
  report: OutageReport,
  signal: AbortSignal,
): Promise<StoredCounts | undefined> {
  const count = async () => {
    const { store: place, parameters } = settings;
    await using store = await openStore(place, parameters.features, report, {
      shape: shapeOfStream(parameters),
    });
    return await countStored(store);
  };
  if (!signal.aborted) return await count();
  const late = AbortSignal.timeout(LAST_LOOK_MS);
  const counted = unlessStopped(count(), late).catch((error) => {
    const then = "the summary leaves out what is stored";
    report("warning", "the store does not answer", {
      error: error.message,
      then,
    });
  });
  return await counted ?? undefined;
}

/** The page that the run is to have, if any. Throws ConfigError. */
function readPage(options: RunOptions): WantedPage | undefined {
  const { page } = options.role ?? ALL_ROLES;
  if (page === "none") {
    refusePageFlags(options);
    return undefined;
  }
  return readPageFlags(options, page === "named");
}

/** Serves the page; undefined, and a word about it, where it cannot be and nobody asked for it. */
async function openPage(
  wanted: WantedPage,
  { settings, roles, log, logger, latency }: {
    readonly settings: RunSettings;
    readonly roles: readonly Role[];
    readonly log: SuperviseOptions["log"];
    readonly logger: Logger;
    readonly latency: LatencyMeter;
  },
): Promise<Dashboard | undefined> {
  if (!wanted.required && !mayListen(wanted)) {
    logger.warn("the run has no page", { then: LISTEN_ADVICE });
    return undefined;
  }
  try {
    const page = await openDashboard({
      settings,
      page: wanted,
      log,
      latency: () => latency.summary(),
      process: {
        threads: threadNames(roles, settings),
        log: logPlace(settings),
        store: storePlace(settings),
      },
    });
    sayServed("the page", page.address, { log, logger });
    return page;
  } catch (error) {
    if (wanted.required || !(error instanceof ConfigError)) throw error;
    logger.warn("the run has no page", { reason: error.message });
    return undefined;
  }
}

/** Says where something is served: among the first lines of a run, also where only warnings are logged. */
function sayServed(
  what: string,
  address: string,
  { log, logger }: {
    readonly log: SuperviseOptions["log"];
    readonly logger: Logger;
  },
): void {
  if (log.format === "text") writeError(`${what}:\n\n  ${address}\n\n`);
  else logger.info(`${what} is served`, { address });
}

/** Waits for the word to stop, or throws the error that the page ended with. */
async function stay(page: Dashboard, signal: AbortSignal): Promise<void> {
  const ended = await unlessStopped(
    page.ended.then((error) => error ?? new Error("the page ended")),
    signal,
  );
  if (ended) throw ended;
}

/** A run's settings, and its stream, unless it was stopped before that was there. */
interface Begun {
  readonly settings: RunSettings;
  readonly roles: readonly Role[];
  /** How payments are scored, for the next run of all roles; undefined where this one is not that, or does not score. */
  readonly scoringFlags: Readonly<Record<string, string>> | undefined;
  readonly opened: Stream | undefined;
}

/**
 * Reads the flags and opens the stream that they are for. Processes that start
 * at the same moment agree on what the first has recorded, except for the given
 * flags. Without --partitions a process lets the producer be the first, for a
 * while.
 */
async function begin(
  options: RunOptions,
  connection: Connection,
  logger: Logger,
  signal: AbortSignal,
): Promise<Begun> {
  const report = reportTo(logger);
  const { folder } = connection;
  const { roles = rolesOfAll(options) } = options.role ?? ALL_ROLES;
  const source = readSource(options, connection, roles);
  const api = readApi(options, roles);
  const follow = readFollowFlag(options, connection.log, roles);
  const reading = follow && readFollowed(follow, report);
  const stream = reading && await unlessStopped(reading, signal);
  const followed = follow && stream ? { settings: follow, stream } : undefined;
  const look = async (waitMs: number) => {
    const looking = findRecorded(connection, report, { waitMs, signal });
    return await unlessStopped(looking, signal) ?? undefined;
  };
  const open = async (found: RecordedStream | undefined): Promise<Begun> => {
    const read = await readSettings(options, connection, found, {
      source,
      api,
      followed,
    });
    const { settings, roles } = read;
    if (!found) await requireServable(settings, readPage(options));
    const opened = await Stream.open({ settings, roles, logger, signal });
    const { noModel, role } = options;
    const isAll = role?.roles === undefined;
    if (isAll && !settings.scoring && !noModel && !found?.origin) {
      logger.warn("payments are not scored", {
        reason: settings.parameters.definition || settings.input
          ? `the ${BUILT_IN_MODEL} model knows the simulator's payments only`
          : `the ${BUILT_IN_MODEL} model does not have these features`,
        then: "add --retrain=7d to train models on the stream's labels, give " +
          "--model=FILE, or say --no-model",
      });
    }
    return { ...read, opened };
  };
  const brings = SOURCES.some((role) => roles.includes(role));
  const leaves = options.partitions === undefined && !brings;
  let found = await look(0);
  if (brings && !follow && isFollowing(found)) {
    await takeOver(connection.log, found.follow, report);
    logger.warn("the source of the followed stream has moved here", {
      place: found.follow.place,
      then: "do not bring payments into that stream any more",
    });
    found = await look(0);
  }
  const isPage = roles.length === 0;
  if (!found && isPage) requireFolder(connection);
  if (!found && leaves) {
    // What contradicts itself does so whatever the stream will be.
    planScoring(options, { roles: options.role?.roles, folder });
    logger.info("nobody has begun the stream", {
      seconds: OTHERS_MS / 1000,
      then: isPage
        ? "waiting for another process to do so"
        : "waiting for another process to do so, then beginning it here",
    });
    found = await look(OTHERS_MS);
    if (!found && isPage && !signal.aborted) throw nothingThere(connection);
  }
  try {
    return await open(found);
  } catch (error) {
    if (found || !(error instanceof ConfigError)) throw error;
    const meanwhile = await look(0);
    if (!meanwhile) throw error;
    return await open(meanwhile);
  }
}

/** Throws an error if the API or the page that a run is to have cannot be served: before a stream is made for it. */
async function requireServable(
  { api }: RunSettings,
  page: WantedPage | undefined,
): Promise<void> {
  // Both at once, since they may name the same port.
  using _page = page?.required ? listenPage(page) : undefined;
  if (!api) return;
  await requireApiPort(api.served);
  const { tokensFile } = api.served;
  if (tokensFile !== undefined) readApiTokens(tokensFile);
}

/** The stream that a run is to follow. */
interface Followed {
  readonly settings: FollowSettings;
  readonly stream: FollowedStream;
}

/** Whether a stream takes its payments from another one so far. */
function isFollowing(
  found: RecordedStream | undefined,
): found is RecordedStream & { readonly follow: FollowPosition } {
  return found?.follow !== undefined && !found.follow.isOver &&
    !found.isComplete;
}

/** What payments of files are mapped by; undefined for a simulation. A stream of a built-in definition records none. */
function inputDefinition(
  options: RunOptions,
  parameters: StreamParameters,
  recorded: string | undefined,
): StreamDefinition | undefined {
  const isInput =
    options.in !== undefined && options.definition !== undefined ||
    recorded !== undefined && readFileFingerprint(recorded) !== undefined;
  return parameters.definition || isInput
    ? definitionOfStream(parameters)
    : undefined;
}

/** Throws ConfigError where a page alone is to show a folder that does not exist. */
function requireFolder(connection: Connection): void {
  const { log } = connection;
  if (log.kind === "embedded" && !isThere(log.folder)) {
    throw nothingThere(connection);
  }
}

/** What a page alone has nothing to show of; it begins no stream. */
function nothingThere({ log }: Connection): ConfigError {
  const place = log.kind === "embedded"
    ? `in the data folder ${log.folder}`
    : "on this cluster";
  return new ConfigError(
    `there is no stream ${place}; start './fraudstream run' first or name ` +
      "another --data folder (on Kafka another --topic-prefix)",
  );
}

async function readSettings(
  options: RunOptions,
  connection: Connection,
  found: RecordedStream | undefined,
  { source, api, followed }: {
    readonly source: RunSettings["source"];
    readonly api: RunSettings["api"];
    readonly followed: Followed | undefined;
  },
): Promise<Omit<Begun, "opened">> {
  const pace = readPace(options);
  const workers = readWorkers(options, connection);
  const asked = (options.role ?? ALL_ROLES).roles;
  const roles = [...asked ?? rolesOfAll(options)];
  const begun = roles.includes("producer") ? found?.origin : undefined;
  // To a producer --start is a part of its data, known by its fingerprint.
  const { start, ...others } = options;
  const isData = roles.includes("producer") && !followed;
  const streamOptions = isData || start === undefined
    ? others
    : { ...others, start };
  // On Kafka only who stores, and the page, uses the folder of an embedded store.
  const usesFolder = connection.log.kind === "embedded" ||
    roles.includes("writer") || roles.includes("labels") ||
    readPage(options) !== undefined;
  if (api) requireApiOrigin(found?.origin);
  const isOnKafka = connection.log.kind === "kafka";
  const parameters = readParameters(
    {
      ...api && !found ? newApiStream(isOnKafka) : {},
      ...streamOptions,
      definition: readDefinitionFlag(options) ??
        (api && !found ? openDefinition("live") : undefined),
      isOnKafka,
    },
    found,
    followed,
  );
  if (api) requireApiDefinition(definitionOfStream(parameters), options);
  if (source) {
    const definition = definitionOfStream(parameters);
    requireHmacKey(definition, options);
    refuseEarlyLabels(definition, source.topic);
  }
  const input = isData
    ? readInputFlags(options, {
      recorded: begun?.fingerprint,
      isComplete: found?.isComplete ?? false,
      definition: inputDefinition(options, parameters, begun?.fingerprint),
    })
    : undefined;
  const data = input || followed
    ? readDataFlags({})
    : (begun && continueData(options, begun.fingerprint)) ??
      readDataFlags(options);
  const scored = asked !== undefined ? options : completeScoring(options, {
    // The built-in model knows the simulator's payments only.
    isNew: found?.origin === undefined &&
      parameters.definition === undefined && input === undefined,
    recorded: found?.scoringFlags,
    features: parameters.features,
  });
  await checkShadows(options, found?.scoringFlags, parameters.features);
  const { scoring, training } = await readScoringFlags(scored, {
    roles: asked,
    folder: connection.folder,
    parameters,
    pace,
  }).catch((error) => {
    const isGiven = options.model !== undefined || options.rules !== undefined;
    if (!(error instanceof DataError) || isGiven) throw error;
    throw new DataError(
      `${error.message}; the last run of this stream had it: give ` +
        "--model=FILE or --rules=FILE, or --no-model for a run without a model",
      { cause: error },
    );
  });
  requireLabels(parameters, roles);
  if (api && asked === undefined && !scoring) throw undecided(parameters);
  const { hasLabels } = shapeOfStream(parameters);
  if (asked === undefined && hasLabels) roles.push("labels");
  if (asked === undefined && scoring) roles.push("scorer");
  if (asked === undefined && training) roles.push("trainer");
  const settings: RunSettings = {
    ...connection,
    ...api ? withoutWaiting(connection) : {},
    folder: usesFolder ? connection.folder : undefined,
    parameters,
    data,
    input,
    follow: followed?.settings,
    scoring,
    training,
    workers,
    pace,
    keepDays: options.keep,
    stateFolder: options.state,
    source,
    api,
    acceptsMissingStart: options.acceptMissingStart ?? false,
    files: options.files === undefined
      ? undefined
      : { folder: options.files, format: options.filesFormat },
  };
  if (settings.files) roles.push("files");
  const trims = options.keep !== undefined && roles.includes("processor");
  if (trims) roles.push("trimmer");
  const scoringFlags = asked === undefined && scoring
    ? scoringTexts(scored)
    : undefined;
  return { settings, roles, scoringFlags };
}

/** What all roles must agree on: by the flags, as recorded, or as the followed stream has it. Throws ConfigError. */
function readParameters(
  options: StreamOptions,
  found: RecordedStream | undefined,
  followed: Followed | undefined,
): RunSettings["parameters"] {
  if (!followed) return readStreamFlags(options, found?.parameters);
  const { stream, settings } = followed;
  const hasDefinition = options.definition !== undefined;
  const known = found?.parameters ?? followedDefaults(stream, hasDefinition);
  const read = readStreamFlags(options, known);
  const { maxGap } = options;
  const parameters = found
    ? read
    : followingParameters(read, stream, settings, maxGap);
  requireFollowable(stream, parameters, followFlag(settings));
  return parameters;
}

/** Throws ConfigError if the role that takes labels has none to take. */
function requireLabels(
  parameters: RunSettings["parameters"],
  roles: readonly Role[],
): void {
  if (!roles.includes("labels") || shapeOfStream(parameters).hasLabels) return;
  throw new ConfigError(
    "--role=labels takes labels that arrive later, and the payments of this " +
      "stream carry theirs; leave that role out, or start another stream " +
      "whose definition has 'labels: { from: stream }' (for the handbook's " +
      "payments, with --labels=stream)",
  );
}

function readPace({ rate, speedup }: RunOptions): Pace {
  if (rate && speedup !== undefined) {
    throw new ConfigError("give either --rate or --speedup, not both");
  }
  if (speedup !== undefined) return { kind: "speedup", factor: speedup };
  return rate ?? { kind: "rate", perSecond: 1000 };
}

function readWorkers({ workers = 1 }: RunOptions, { log }: Connection): number {
  if (workers === 1 || log.kind === "kafka") return workers;
  throw new ConfigError(
    `--workers=${workers} needs --log=kafka: an embedded log has one ` +
      "consumer of a group, which takes all partitions; leave --workers out",
  );
}

/** The roles that every run has where none is named, after the one that brings payments. */
const PIPELINE_ROLES: readonly Role[] = ["processor", "writer"];

/** The roles that bring payments; a stream has one of them. */
const SOURCES: readonly Role[] = ["producer", "ingest", "api"];

/** The roles of a run without --role, besides those that further flags ask for. */
function rolesOfAll({ sourceTopic, apiPort }: RunOptions): readonly Role[] {
  const source = apiPort !== undefined
    ? "api"
    : sourceTopic !== undefined
    ? "ingest"
    : "producer";
  return [source, ...PIPELINE_ROLES];
}

/** How the API is served, if it is one of the roles. Throws ConfigError. */
function readApi(
  options: RunOptions,
  roles: readonly Role[],
): RunSettings["api"] {
  const isNamed = roles.includes("api");
  const others = SOURCES.filter((role) =>
    role !== "api" && roles.includes(role)
  );
  if (isNamed && others.length > 0) {
    throw new ConfigError(
      `--role names api and ${others[0]}; a stream's payments come from the ` +
        "one or the other",
    );
  }
  if (isNamed) {
    const flag = options.apiPort === undefined ? "--role=api" : "--api-port";
    refuseSimulated(options, flag);
    for (const key of ["in", "rate", "speedup", "follow"] as const) {
      if (options[key] === undefined) continue;
      throw new ConfigError(
        `--${key} brings payments, or says how fast, and with ${flag} they ` +
          `come by HTTP; leave --${key} out`,
      );
    }
  }
  const api = readApiFlags(options, isNamed);
  const { ahead, hmacKeyFile } = options;
  return api && { ...api, aheadSeconds: ahead, hmacKeyFile };
}

/** What a new stream with an API begins with, besides its definition. */
function newApiStream(isOnKafka: boolean): Partial<StreamOptions> {
  return {
    start: midnightOf(Date.now() / 1000),
    // One partition makes the largest groups of payments.
    ...isOnKafka ? {} : { partitions: 1 },
  };
}

/** An embedded log and store whose commits do not wait for the disk: the API syncs the log, once for many answers, and the store can be filled from that. */
function withoutWaiting(
  { log, store }: Connection,
): Pick<RunSettings, "log" | "store"> {
  return {
    log: log.kind === "embedded" ? { ...log, durable: false } : log,
    store: store.kind === "embedded" ? { ...store, durable: false } : store,
  };
}

/** The error of an API whose stream decides nothing. */
function undecided({ features }: StreamParameters): ConfigError {
  return new ConfigError(
    "the API answers with decisions, and nothing here decides: give " +
      "--model=FILE, or --rules=FILE" +
      (suitsBuiltIn(features)
        ? `, or --model=${BUILT_IN_MODEL} for a first try`
        : ""),
  );
}

/** The topic that `ingest` takes, if it is one of the roles. Throws ConfigError. */
function readSource(
  options: RunOptions,
  { log }: Connection,
  roles: readonly Role[],
): RunSettings["source"] {
  const acceptsGaps = options.acceptMissingStart ?? false;
  const source = readSourceFlags(options, {
    log,
    acceptsGaps,
    hasApi: roles.includes("api"),
  });
  if (roles.includes("ingest")) {
    if (!source) throw new ConfigError("--role=ingest needs --source-topic");
    if (!roles.includes("producer")) return source;
    throw new ConfigError(
      "--role names ingest and producer; a stream's payments come from the " +
        "one or the other",
    );
  }
  if (!source) return undefined;
  throw new ConfigError(
    `--source-topic=${source.topic} has no effect without --role=ingest; add ` +
      "that role, or leave the flag out",
  );
}

const ALL_ROLES: ChosenRoles = { roles: undefined, page: "by default" };

function readRoles(text: string): ChosenRoles {
  const known: Role[] = [
    ...SOURCES,
    ...PIPELINE_ROLES,
    "labels",
    "scorer",
    "trainer",
  ];
  const chosen = text.split(",").map((word) => word.trim());
  if (chosen.includes("all")) return ALL_ROLES;
  const all: string[] = [...known, "dashboard"];
  const unknown = chosen.find((word) => !all.includes(word));
  if (unknown === undefined) {
    return {
      roles: known.filter((role) => chosen.includes(role)),
      page: chosen.includes("dashboard") ? "named" : "none",
    };
  }
  throw new ConfigError(
    `--role must be all or any of ${all.join(", ")}, not ` +
      `'${unknown.slice(0, 60)}'`,
  );
}

function readRate(text: string): Pace {
  if (text === "max") return { kind: "max" };
  const perSecond = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (perSecond > 0 && perSecond <= RATE_MAX) {
    return { kind: "rate", perSecond };
  }
  throw new ConfigError(
    `--rate must be max or a number of payments per second up to ${RATE_MAX}, ` +
      `not '${text.slice(0, 60)}'`,
  );
}
