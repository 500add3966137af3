/**
 * `ingest`: makes payments of the records of another program's topic, which is
 * on the cluster of the stream's own log.
 */
import { reportTo } from "../base/logger.ts";
import { openUnlessStopped, unlessStopped } from "../base/unless_stopped.ts";
import { readWholeFile } from "../base/whole_file.ts";
import { HMAC_KEY_BYTES_MAX } from "../definition/identifier.ts";
import type { KafkaSettings } from "../log/kafka/kafka_settings.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/open_log.ts";
import { requireTopic, runSource } from "../stream/source_run.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import type { RunSettings } from "./role.ts";

/**
 * Throws ConfigError if the cluster does not have the source of the settings.
 * A stream is not begun before: its topics would have to be deleted again.
 */
export async function requireSource(
  { source: settings, log }: Pick<RunSettings, "source" | "log">,
  logger: StreamContext["logger"],
  signal: AbortSignal,
): Promise<void> {
  if (!settings || log.kind !== "kafka") return;
  const opening = openSource(log, logger, signal);
  await using opened = await openUnlessStopped(opening, signal);
  if (!opened) return;
  const asking = requireTopic(opened.resource, settings.topic);
  await unlessStopped(asking, signal);
}

/** The log that has the source: the prefix is the stream's own, and the topic has its name from elsewhere. */
function openSource(
  log: KafkaSettings,
  logger: StreamContext["logger"],
  signal: AbortSignal,
): Promise<Log> {
  return openLog({ ...log, prefix: "" }, reportTo(logger), signal);
}

/** Takes the source of the settings, if there is one, until the context's signal. */
export async function runIngest(
  context: StreamContext,
  { source: settings, log }: Pick<RunSettings, "source" | "log">,
): Promise<void> {
  const { logger, signal } = context;
  if (!settings || log.kind !== "kafka") return;
  const opening = openSource(log, logger, signal);
  await using opened = await openUnlessStopped(opening, signal);
  if (!opened) return;
  const { hmacKeyFile } = settings;
  const hmacKey = hmacKeyFile === undefined
    ? undefined
    : readWholeFile(hmacKeyFile, HMAC_KEY_BYTES_MAX);
  await runSource(context, { settings, hmacKey, source: opened.resource });
}
