/**
 * The thread of the HTTP server. A request takes many short turns of its
 * thread; in a separate thread none of them waits for a stage that works.
 */
import { type LoggerOptions, openLogger } from "../../base/logger.ts";
import { runThread } from "../../base/thread.ts";
import { untilAborted } from "../../base/unless_stopped.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";
import type { StreamParameters } from "../../stream/control.ts";
import {
  definitionOfStream,
  shapeOfStream,
} from "../../stream/stream_definition.ts";
import { type LogSettings, openLogSync } from "../../log/open_log.ts";
import { type ApiCall, type ApiReply, remoteApi } from "../remote_api.ts";
import { syncedApi } from "../synced_api.ts";
import { listenApi } from "./api_listener.ts";
import { apiServer } from "./api_server.ts";

/** What it serves. */
export interface ServerWork {
  /** Where, to whom and how much. */
  readonly served: ApiSettings;
  /** How long a request waits for a decision, milliseconds. */
  readonly deadlineMs: number;
  /** The log, which the thread of the desk has open. */
  readonly logSettings: LogSettings;
  /** The stream's parameters. */
  readonly parameters: StreamParameters;
  /** Names of its features, in their order. */
  readonly featureNames: readonly string[];
  /** The format and level of its logs. */
  readonly log: Omit<LoggerOptions, "write">;
}

/** What it sends to the thread that decides. */
export type FromServer =
  /** It listens at this address. */
  | { readonly kind: "serving"; readonly address: string }
  /** It asks for something. */
  | { readonly kind: "calls"; readonly calls: readonly ApiCall[] };

runThread<ServerWork, readonly ApiReply[], FromServer>(
  async (work, starter) => {
    const { served, deadlineMs, parameters, featureNames, log } = work;
    const { signal, send } = starter;
    const description = {
      shape: shapeOfStream(parameters),
      definition: definitionOfStream(parameters),
      featureNames,
    };
    const { api: remote, receive } = remoteApi(
      description,
      (calls) => send({ kind: "calls", calls }),
    );
    starter.receive(receive);
    await using sync = openLogSync(work.logSettings);
    const api = { ...remote, ...syncedApi(remote, sync, deadlineMs) };
    const logger = openLogger("api", log);
    const application = apiServer(api, served, { logger });
    await using server = await listenApi(served, application);
    send({ kind: "serving", address: server.address });
    await untilAborted(signal);
  },
);
