/** What rebuild refuses: the store may then be all that is left. */
import assert from "node:assert/strict";
import type { Log, TopicState } from "../../src/log/log.ts";
import { rebuild } from "../../src/roles/rebuild.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
  runAll,
  SET_A,
} from "./pipeline.ts";

/** A log as it would be had somebody changed the sink topic. */
function withSink(
  log: Log,
  change: (state: TopicState) => TopicState | undefined,
): Log {
  const changed: Log = Object.create(log);
  changed.topics = async (names) =>
    (await log.topics(names)).flatMap((state) =>
      state.name === SINK_TOPIC ? change(state) ?? [] : state
    );
  changed.endOffsets = async (name) =>
    name === SINK_TOPIC
      ? (await changed.topics([name]))[0]?.endOffsets.slice()
      : await log.endOffsets(name);
  for (const method of ["read", "committed", "members"] as const) {
    Object.assign(changed, { [method]: log[method].bind(log) });
  }
  return changed;
}

async function refusedRebuild(
  { context, store }: OpenFolder,
  log: Log,
  message: RegExp,
): Promise<void> {
  await assert.rejects(
    rebuild({ ...context, log }, {
      store,
      startSeconds: undefined,
      acceptMissingStart: false,
      stored: () => {},
    }),
    message,
  );
  assert.equal((await store.status()).rows, 2555);
}

Deno.test("rebuild leaves the store as it is where the sink topic is missing, empty or shorter than what was written", async () => {
  await using folder = await openMemory(parametersOf(2));
  await runAll(folder, SET_A);
  const { log } = folder;
  await refusedRebuild(
    folder,
    withSink(log, () => undefined),
    /there is no topic transaction_sink_topic in the log/,
  );
  await refusedRebuild(
    folder,
    withSink(log, (state) => ({ ...state, endOffsets: [0, 0] })),
    /transaction_sink_topic holds 0 records, but .* has written 2,555/,
  );
  await refusedRebuild(
    folder,
    withSink(log, (state) => ({
      ...state,
      endOffsets: state.endOffsets.map((end) => end - 1),
    })),
    /transaction_sink_topic holds 2,553 records, but .* has written 2,555/,
  );
});
