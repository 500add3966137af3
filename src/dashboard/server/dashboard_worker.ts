/**
 * The thread of the page: opens log and store for itself, follows the stream,
 * and listens. What it does never holds up the roles beside it.
 */
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { join } from "node:path";
import { rest } from "../../base/clock.ts";
import { openLog } from "../../log/open_log.ts";
import { CURRENCY, DAY_SECONDS } from "../../payment/payment.ts";
import { Control, labelDays } from "../../stream/control.ts";
import type { RunSettings } from "../../roles/role.ts";
import { openUnlessStopped } from "../../base/unless_stopped.ts";
import { openStore } from "../../store/open_store.ts";
import type { Store } from "../../store/store.ts";
import type { LatencySummary } from "../../base/latency.ts";
import {
  type Logger,
  type LoggerOptions,
  openLogger,
  reportTo,
} from "../../base/logger.ts";
import { runThread, type Starter } from "../../base/thread.ts";
import { addressOf } from "../../base/address.ts";
import type { PageSettings } from "./exposure.ts";
import { listenPage } from "./page_listener.ts";
import { Gate } from "../../base/gate.ts";
import { usualValues } from "./model_usual.ts";
import { LiveReader } from "./live_reader.ts";
import { AlertIndex } from "../index/alert_index.ts";
import { IndexFile } from "../index/index_file.ts";
import { CaseWriter } from "../views/case_writer.ts";
import { LiveState } from "../views/live_state.ts";
import { pageServer, type PageServerOptions } from "./page_server.ts";

/** How often open pages get the state, in milliseconds. */
const TICK_MS = 250;
/** A log or store that does not answer is tried again in so long. */
const RETRY_MS = 2000;

/** Connections at once, and those of one address. */
const CONNECTIONS_MAX = 1000;
const PER_ADDRESS_MAX = 250;
/** Longer than any answer takes to begin, and than open pages wait for an event. */
const QUIET_MS = 60_000;

/** The work of the page's thread. */
export interface PageWork {
  /** The stream, its log and its store. */
  readonly settings: RunSettings;
  /** Where the page is served and to whom. */
  readonly page: PageSettings;
  /** What runs in this process, for people. */
  readonly process: PageServerOptions["process"];
  /** How its log is written. */
  readonly log: Omit<LoggerOptions, "write">;
}

/** How long payments take at this moment, as far as is known. */
export type PageNews = LatencySummary | undefined;

/** What the thread sends back once it listens: the page's address. */
export type PageAddress = string;

runThread(runPage);

async function runPage(
  work: PageWork,
  { signal, send, receive }: Starter<PageNews, PageAddress>,
): Promise<void> {
  let latency: PageNews;
  receive((news) => latency = news);
  const { settings, page } = work;
  const { parameters } = settings;
  const logger = openLogger("dashboard", work.log);
  const opening = openLog(settings.log, reportTo(logger), signal);
  await using opened = await openUnlessStopped(opening, signal);
  if (!opened) return;
  const log = opened.resource;
  const control = new Control(log);
  const { features } = parameters;
  const delaySeconds = labelDays(parameters) * DAY_SECONDS;
  const shape = shapeOfStream(parameters);
  const state = new LiveState(delaySeconds, shape);
  if (!await readIdentity(control, logger, signal)) return;
  using index = new AlertIndex({
    file: IndexFile.take(indexFolder(settings)),
    stream: control.identity?.id ?? "",
    delaySeconds,
    shape,
    replaced: (reason) =>
      logger.warn("the index of alerts is made again from the log", { reason }),
  });
  let store: Store | undefined;
  const serving: { gate?: Gate } = {};
  const reader = new LiveReader({
    log,
    control,
    features,
    shape,
    startSeconds: parameters.startSeconds,
    state,
    index,
    store: () => store,
    makeWay: async (signal) => await serving.gate?.makeWay(signal),
    warn: (message, fields) => logger.warn(message, fields),
  });
  const models = modelsFolder(settings);
  const server = pageServer({
    log,
    control,
    parameters,
    currency: parameters.definition ? shape.currency ?? undefined : CURRENCY,
    reader,
    state,
    index,
    cases: new CaseWriter({
      log,
      read: (eventIds) => reader.readCases(eventIds),
      eventsOf: (id) => index.queries.events(id),
    }),
    usualOf: usualValues({ models, file: modelFile(settings) }),
    lookUp: () => store?.lookUp(),
    metrics: () => store?.predictions().metrics() ?? Promise.resolve([]),
    models,
    latency: () => latency,
    tokens: page.tokens,
    behindProxy: page.behindProxy,
    process: work.process,
  });
  const listener = listenPage(page);
  const gate = serving.gate = new Gate({
    listener,
    fetch: server.fetch,
    connectionsMax: CONNECTIONS_MAX,
    perAddressMax: page.behindProxy ? CONNECTIONS_MAX : PER_ADDRESS_MAX,
    quietMs: QUIET_MS,
  });
  const { port } = listener.addr;
  send(addressOf(page.host, port));
  const ticking = setInterval(server.tick, TICK_MS);
  const opensStore = storeOf(settings, logger, signal)
    .then((opened) => store = opened);
  try {
    await reader.run(signal);
  } finally {
    clearInterval(ticking);
    server.close();
    await gate[Symbol.asyncDispose]();
    await opensStore;
    await store?.[Symbol.asyncDispose]();
  }
}

/** Reads which stream the log holds; false after the signal. */
async function readIdentity(
  control: Control,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await control.refresh();
      return true;
    } catch (error) {
      if (attempt === 1) {
        const message = error instanceof Error ? error.message : String(error);
        logger.warn("the page cannot read the log", { error: message });
      }
    }
    await rest(RETRY_MS, signal);
  }
  return false;
}

/** Where the index is kept; undefined where it goes with the process. */
function indexFolder({ log, stateFolder }: RunSettings): string | undefined {
  if (log.kind === "embedded") return join(log.folder, "page");
  return stateFolder === undefined ? undefined : join(stateFolder, "page");
}

/** The registry's folder, if the scorer may have one. */
function modelsFolder(settings: RunSettings): string | undefined {
  const { scoring, training, folder } = settings;
  if (training) return training.folder;
  if (scoring?.model?.kind === "registry") return scoring.model.folder;
  return folder === undefined ? undefined : join(folder, "models");
}

/** The file of the only model, where the scorer has no registry. */
function modelFile({ scoring }: RunSettings): string | undefined {
  return scoring?.model?.kind === "file" ? scoring.model.path : undefined;
}

/** Opens the store, however long that takes; undefined after the signal. */
async function storeOf(
  settings: RunSettings,
  logger: Logger,
  signal: AbortSignal,
): Promise<Store | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const { parameters, store } = settings;
      return await openStore(store, parameters.features, reportTo(logger), {
        shape: shapeOfStream(parameters),
      });
    } catch (error) {
      if (attempt === 1) {
        const message = error instanceof Error ? error.message : String(error);
        logger.warn("the page cannot open the store", { error: message });
      }
    }
    await rest(RETRY_MS, signal);
  }
  return undefined;
}
