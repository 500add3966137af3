/**
 * The processor: both stages side by side. Each ends when its topic is
 * complete and taken, and marks the end of the topic that it has written.
 */
import type { ReadLimit } from "../log/log.ts";
import { CustomerStage } from "./customer_stage.ts";
import { markEnd } from "../stream/end_mark.ts";
import { isDone, type StreamContext } from "../stream/stream_context.ts";
import {
  type StageStart,
  stageStart,
  tellRecovered,
} from "../stream/recovery.ts";
import { CommitReader } from "../stream/stage_commit.ts";
import { TerminalStage } from "./terminal_stage.ts";
import { runTogether } from "./together.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** How much a step takes: about 4,000 payments in either stage. */
const CUSTOMER_LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };
const TERMINAL_LIMIT: ReadLimit = { records: 4096, bytes: 1 << 19 };

/** A stage: who works on what and writes where. */
interface Stage {
  readonly group: string;
  readonly input: string;
  readonly output: string;
  readonly limit: ReadLimit;
  readonly open: (
    partition: number,
    start: StageStart,
  ) => CustomerStage | TerminalStage;
}

/** Runs both stages until they are done or the context's signal. */
export async function runProcessor(
  context: StreamContext,
  startSeconds: number | undefined,
): Promise<void> {
  const { log, control, parameters, signal } = context;
  const commits = new CommitReader();
  const stages: Stage[] = [
    {
      group: CUSTOMER_GROUP,
      input: TRANSACTION_TOPIC,
      output: REPARTITION_TOPIC,
      limit: CUSTOMER_LIMIT,
      open: (partition, start) =>
        new CustomerStage({
          log,
          parameters,
          partition,
          start,
          signal,
          commits,
          startSeconds: () => control.startSeconds(startSeconds),
        }),
    },
    {
      group: TERMINAL_GROUP,
      input: REPARTITION_TOPIC,
      output: SINK_TOPIC,
      limit: TERMINAL_LIMIT,
      open: (partition, start) =>
        new TerminalStage({
          log,
          parameters,
          partition,
          start,
          signal,
        }),
    },
  ];
  await runTogether(
    context,
    stages.map((stage) => (context) => runStage(context, stage)),
  );
}

async function runStage(context: StreamContext, stage: Stage): Promise<void> {
  const { log, control, logger, signal } = context;
  const { group, input, output, limit } = stage;
  await log.consume({
    group,
    topic: input,
    limit,
    signal,
    open: async (partition, commit) => {
      await control.agreeTopics([input, output]);
      const place = { log, group, topic: input, partition };
      const start = await stageStart(
        place,
        commit,
        control.acceptedStart(input, partition),
      );
      const task = stage.open(partition, start);
      const began = performance.now();
      const rows = await task.restore();
      const milliseconds = Math.round(performance.now() - began);
      if (start.isKnown) {
        logger.info("partition restored", {
          group,
          partition,
          fromOffset: start.commit.replay.offset,
          offset: start.offset,
          progress: start.commit.progress,
          rows,
          milliseconds,
        });
      } else if (task.start !== undefined) {
        tellRecovered(logger, place, start, task.start.offset);
      }
      return task;
    },
    idle: async () => {
      if (!await isDone(context, group, input)) return false;
      await markEnd(context, group, input, output);
      return true;
    },
  });
}
