/** The role `api`: takes payments by HTTP, and answers with what the stages decide about them. */
import { rest } from "../base/clock.ts";
import type { LoggerOptions } from "../base/logger.ts";
import { Thread } from "../base/thread.ts";
import { untilAborted } from "../base/unless_stopped.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import type { RunSettings } from "../roles/role.ts";
import { openStoreOf } from "../roles/run_role.ts";
import { runTogether } from "../roles/together.ts";
import { API_ORIGIN, controlRecords } from "../stream/control.ts";
import { hasTaken, type StreamContext } from "../stream/stream_context.ts";
import { PIPELINE, SCORING, WRITER_GROUP } from "../stream/topics.ts";
import { otherSource } from "./api_origin.ts";
import { AnswerDesk } from "./answer_desk.ts";
import { KnownAnswers } from "./known_answers.ts";
import { OutcomeReader } from "./outcome_reader.ts";
import { DeskApi } from "./desk_api.ts";
import type { FromServer, ServerWork } from "./http/server_worker.ts";
import { answering, type ApiReply } from "./remote_api.ts";

/** The id by which one process at a time says that the payments come by the API. */
const ORIGIN_PRODUCER = "fraudstream-api";

/** How long requests that wait at a stop may take, milliseconds. */
const LAST_MS = 2000;
/** How long the server's thread may take to send its last answers, milliseconds. */
const SERVER_STOP_MS = 2000;
/** How often it looks whether the stages have caught up, milliseconds. */
const LOOK_MS = 50;

/** Serves the API until the context's signal; `serving` gets its address. */
export async function runApi(
  context: StreamContext,
  settings: RunSettings,
  { log: logOptions, serving }: {
    readonly log: Omit<LoggerOptions, "write">;
    readonly serving: (address: string) => void;
  },
): Promise<void> {
  const { api } = settings;
  if (!api) return;
  const { log, signal, parameters } = context;
  await using opened = await openStoreOf(context, settings);
  if (!opened) return;
  const store = opened.resource;
  const startSeconds = await beginStream(context);
  const predictions = store.predictions();
  const known = new KnownAnswers();
  const desk = new AnswerDesk(
    { context, startSeconds, predictions, ...api },
    known,
  );
  // What waits at a stop is still answered.
  const over = new AbortController();
  const own = { ...context, signal: over.signal };
  const reader = new OutcomeReader({ context: own, predictions, known, desk });
  const { hmacKeyFile, served } = api;
  const producer = await log.appender(signal);
  const stream = new DeskApi({
    context: own,
    startSeconds,
    store,
    desk,
    known,
    producer,
    deadlineMs: api.deadlineMs,
    hmacKey: hmacKeyFile === undefined
      ? undefined
      : readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX),
  });
  const answer = answering(stream, (replies) => server.send(replies));
  const { featureNames } = stream;
  const server = new Thread<ServerWork, readonly ApiReply[], FromServer>({
    module: new URL("./http/server_worker.ts", import.meta.url),
    name: "API server",
    work: {
      served,
      deadlineMs: api.deadlineMs,
      logSettings: settings.log,
      parameters,
      featureNames,
      log: logOptions,
    },
    received: (sent) => {
      if (sent.kind === "calls") answer(sent.calls);
      else serving(sent.address);
    },
  });
  await using _ended = {
    // What the desk has answered is sent before.
    [Symbol.asyncDispose]: async () => {
      await server.stop(SERVER_STOP_MS);
    },
  };
  await runTogether(own, [
    // It ends by itself only where it fails.
    async ({ signal }) =>
      await Promise.race([server.ended, untilAborted(signal)]),
    async ({ signal }) => await desk.run(producer, signal),
    async ({ signal }) => await reader.run(signal),
    async ({ signal }) => {
      while (!signal.aborted && !reader.isCaughtUp) await rest(LOOK_MS, signal);
      stream.open();
      await untilStagesCaughtUp(log, signal);
      stream.ready();
    },
    async ({ signal: failed }) => {
      await untilAborted(AbortSignal.any([signal, failed]));
      stream.close();
      const latest = performance.now() + LAST_MS;
      while (desk.pending > 0 && performance.now() < latest) {
        await rest(LOOK_MS, over.signal);
      }
      over.abort();
    },
  ]);
}

/** Says in the control topic that the payments come by the API. Throws ConfigError if they come from elsewhere. Returns midnight of the stream's first day, seconds since 1970. */
async function beginStream(
  { control, parameters }: StreamContext,
): Promise<number> {
  const { startSeconds } = parameters;
  await control.settle(
    ORIGIN_PRODUCER,
    () => control.begun !== undefined,
    async (producer) => {
      if (startSeconds === undefined) {
        throw new Error("a stream with an API has no start");
      }
      const records = controlRecords();
      records.put("origin", { startSeconds, fingerprint: API_ORIGIN });
      await producer.append(records.appends());
    },
  );
  const { origin, begun } = control;
  if (origin?.fingerprint === API_ORIGIN && begun !== undefined) return begun;
  throw otherSource(origin?.fingerprint);
}

/** Waits until there are processes for all stages and they have taken what was there when the API started. */
async function untilStagesCaughtUp(
  log: StreamContext["log"],
  signal: AbortSignal,
): Promise<void> {
  const stages = [...PIPELINE, ...SCORING.slice(0, 1)]
    .filter(({ group }) => group !== WRITER_GROUP);
  for (const { group, topic } of stages) {
    while (!signal.aborted && !await log.isAttended(group)) {
      await rest(LOOK_MS, signal);
    }
    while (!signal.aborted && !await hasTaken(log, group, topic)) {
      await rest(LOOK_MS, signal);
    }
  }
}
