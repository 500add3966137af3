/** `fraudstream rebuild`: clears the store and fills it again from the log. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { join } from "node:path";
import { DataError, StoreError } from "../../base/error.ts";
import type { StreamParameters } from "../../stream/control.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { logPath } from "../../log/open_log.ts";
import { takeLock } from "../../base/lock.ts";
import { rebuild } from "../../roles/rebuild.ts";
import { SINK_TOPIC } from "../../stream/topics.ts";
import { openStore, storePath } from "../../store/open_store.ts";
import type { Store } from "../../store/store.ts";
import { type Logger, openLogger, reportTo } from "../../base/logger.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
  storePlace,
} from "../flags/connection_flags.ts";
import {
  type Connection,
  isThere,
  openStoredStream,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { elapsed, writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    acceptMissingStart: {
      help: "also rebuild if the log no longer holds the first records; the " +
        "store then lacks them",
    },
  },
} as const satisfies FlagGroup;

type RebuildOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

const EXAMPLES = `
Examples:
  ./fraudstream rebuild --data=./shop
  ./fraudstream rebuild --log=kafka --brokers=127.0.0.1:9092 --store=cassandra \\
    --contact-points=127.0.0.1 --local-dc=datacenter1

Stop the writers first. Rows of other streams in the same store go as well;
analysts' verdicts and the models' metrics stay.
`;

/** The command. */
export const REBUILD_COMMAND: CommandDeclaration = defineCommand({
  name: "rebuild",
  summary: "clear the store and fill it again from the log",
  description:
    "Removes all payments, labels and predictions from the store and fills " +
    "it again from the log. Use it after a store was lost, damaged or " +
    "changed, or to use a store for another stream.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: run,
});

async function run(options: RebuildOptions): Promise<void> {
  const startMs = performance.now();
  const connection = readConnection(options, false);
  const format = Deno.stderr.isTerminal() ? "text" : "json";
  const logger = openLogger("rebuild", { format, level: "warning" });
  using _lock = lockWriter(connection);
  using stop = listenForStop();
  const { signal } = stop;
  await using stream = await openStoredStream(connection, reportTo(logger));
  const { log, control, parameters } = stream;
  if (!control || !parameters) {
    throw new DataError(
      "no role of this stream has run yet, so there is nothing to store: " +
        "'./fraudstream run'",
    );
  }
  await control.agree(parameters); // assigns an identity to a stream of an older version
  await using store = await openWhole(connection, parameters, logger);
  {
    using progress = openProgress("rebuild", await recordsOf(stream));
    await rebuild({ log, control, parameters, logger, signal }, {
      store,
      startSeconds: parameters.startSeconds,
      acceptMissingStart: options.acceptMissingStart ?? false,
      stored: (rows) => progress.update(rows, counted(rows, "payment")),
    });
  }
  throwIfStopped(
    signal,
    () =>
      "the store is filled up to here; a run, or the same command, continues",
  );
  const { rows, frauds } = await store.status();
  const predictions = control.isScored
    ? `, ${counted((await store.predictions().status()).rows, "prediction")}`
    : "";
  const labels = await store.labels().status();
  const known = labels ? `, ${counted(labels.rows, "label")}` : "";
  writeResult(
    `${counted(rows, "payment")}, ${thousands(frauds)} of them frauds` +
      `${known}${predictions} in ${storePlace(connection)}, ${
        elapsed(startMs)
      }\n`,
  );
}

/** The writer's lock of a data folder; on Kafka its group is checked instead. */
function lockWriter({ log }: Connection): Disposable | null {
  if (log.kind !== "embedded" || !isThere(logPath(log.folder))) return null;
  const path = join(log.folder, "writer.lock");
  return takeLock(path, `the writer on ${log.folder}`);
}

/** The number of records that the writer will read, on Kafka about. */
async function recordsOf({ log }: StoredStream): Promise<number> {
  const [topic] = await log.topics([SINK_TOPIC]);
  const { startOffsets = [], endOffsets = [] } = topic ?? {};
  return endOffsets.reduce(
    (sum, end, partition) => sum + end - startOffsets[partition],
    0,
  );
}

/** Opens the store. A damaged embedded one is renamed, and an empty one is created in its place. */
async function openWhole(
  { store: settings }: Connection,
  parameters: StreamParameters,
  logger: Logger,
): Promise<Store> {
  const shape = shapeOfStream(parameters);
  const open = () =>
    openStore(settings, parameters.features, reportTo(logger), { shape });
  if (settings.kind !== "embedded") return await open();
  try {
    const store = await open();
    try {
      await store.verify();
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const path = storePath(settings.folder);
    const aside = putAside(path);
    logger.warn("the store is damaged", {
      error: error.message,
      then: `an empty one is filled; the old one is kept as ${aside}, with ` +
        "the analysts' verdicts and the models' metrics that it holds",
    });
    return await open();
  }
}

/** Renames the files of a store, so that nothing is at its path; gives the new path. */
function putAside(path: string): string {
  let aside = `${path}.damaged`;
  for (let number = 2; isThere(aside); number++) {
    aside = `${path}.damaged-${number}`;
  }
  for (const suffix of ["", "-wal", "-shm"]) {
    if (isThere(path + suffix)) Deno.renameSync(path + suffix, aside + suffix);
  }
  return aside;
}
