/**
 * `ingest`: makes payments of the records of another program's topic, which is
 * on the cluster of the stream's own log.
 */
import { reportTo } from "../base/logger.ts";
import { openUnlessStopped } from "../base/unless_stopped.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import { openLog } from "../log/open_log.ts";
import { runSource } from "../stream/source_run.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import type { RunSettings } from "./role.ts";

/** Takes the source of the settings, if there is one, until the context's signal. */
export async function runIngest(
  context: StreamContext,
  { source: settings, log }: Pick<RunSettings, "source" | "log">,
): Promise<void> {
  const { logger, signal } = context;
  if (!settings || log.kind !== "kafka") return;
  // The prefix is the stream's own; the topic has its name from elsewhere.
  const opening = openLog({ ...log, prefix: "" }, reportTo(logger), signal);
  await using opened = await openUnlessStopped(opening, signal);
  if (!opened) return;
  const { hmacKeyFile } = settings;
  const hmacKey = hmacKeyFile === undefined
    ? undefined
    : readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX);
  await runSource(context, { settings, hmacKey, source: opened.resource });
}
