/**
 * Where a stage goes on in a partition, and the state that it has there: its
 * commit says the place, and the loop makes the state by going once more over
 * what led to it. Where there is no commit that the stage has made itself,
 * recovery.ts finds the place.
 */
import { LogError } from "../base/error.ts";
import { type Commit, type Log, readRange, requireKept } from "../log/log.ts";
import { type RecordMark, recordMark } from "../log/record_batch.ts";
import { initialCommit, readCommit, type StageCommit } from "./commit.ts";
import type { Control } from "./control.ts";
import { recover, type RecoverableWork, type WrittenRow } from "./recovery.ts";
import { type Stage, type StageState, StageTask, stateOf } from "./stage.ts";
import type { StreamContext } from "./stream_context.ts";
import { PIPELINE } from "./topics.ts";

/** How a stage's partition is opened. */
export interface OpenOptions<Written extends WrittenRow> {
  /** What every stage works with. */
  readonly context: StreamContext;
  /** The stage. */
  readonly stage: Stage;
  /** The partition. */
  readonly partition: number;
  /** The group's commit. */
  readonly commit: Commit | undefined;
  /** Makes the stage's work, without its state yet. */
  readonly work: (
    state: StageState,
    commit: StageCommit,
  ) => RecoverableWork<Written>;
}

/**
 * Opens a partition of a stage where its commit says, or what it has written;
 * its state is that of this place. Throws LogError if the input is not the
 * topic that the stage has read, or no longer holds what its state is made of.
 */
export async function openStage<Written extends WrittenRow>(
  options: OpenOptions<Written>,
): Promise<StageTask<void, Written>> {
  const { context, stage, partition, commit: found } = options;
  const { control, logger, parameters } = context;
  const { group, input, output } = stage;
  await control.agreeTopics(output ? [input, output] : [input]);
  const known = readCommit(found);
  const first = control.acceptedStart(input, partition);
  const commit = known ?? initialCommit(first);
  const state = stateOf(parameters, partition, commit);
  const work = options.work(state, commit);
  const task = new StageTask(stage, state, work);
  if (!found || !known) {
    const lost = { context, stage, first, ignored: found };
    task.start = await recover(lost, { state, work, task });
    if (task.start) context.recovered?.(group, state.counters.emitted);
    return task;
  }
  await requireSameTopic(context.log, stage, state, found.offset);
  const began = performance.now();
  const rows = await restore({ context, stage, state, work, task }, {
    from: commit.replay.offset,
    to: found.offset,
  });
  logger.info("partition restored", {
    group,
    partition,
    fromOffset: commit.replay.offset,
    offset: found.offset,
    progress: commit.progress,
    rows,
    milliseconds: Math.round(performance.now() - began),
  });
  return task;
}

/**
 * Makes the state of a commit: the loop over the records from the commit's
 * replay up to its offset, with all that they lead to thrown away. Gives the
 * number of rows. A state that was saved would be taken here, and `from` be the
 * offset that it belongs to.
 */
async function restore<Written extends WrittenRow>(
  { context, stage, state, work, task }: {
    readonly context: StreamContext;
    readonly stage: Stage;
    readonly state: StageState;
    readonly work: RecoverableWork<Written>;
    readonly task: StageTask<void, Written>;
  },
  { from, to }: { readonly from: number; readonly to: number },
): Promise<number> {
  const { log, parameters } = context;
  const { partition, counters } = state;
  if (work.replay) {
    const replay = await work.replay();
    if (!replay) return 0;
    const { topic, from, to } = replay;
    const again = stateOf(parameters, partition);
    const memory = new StageTask(stage, again, replay.work);
    await memory.discard(readRange(log, topic, partition, from, to));
    replay.done(again.counters.emitted);
    return again.counters.emitted;
  }
  const committed = { ...counters };
  await requireKept(log, stage.input, partition, from);
  await task.discard(readRange(log, stage.input, partition, from, to));
  const rows = counters.read - committed.read;
  Object.assign(counters, committed);
  return rows;
}

/** Throws LogError if the record before a stage's offset is not the one that it has read. */
async function requireSameTopic(
  log: Log,
  { group, input: topic, markedBytes }: Stage,
  { partition, last }: StageState,
  offset: number,
): Promise<void> {
  const [state] = await log.topics([topic]);
  const end = state?.endOffsets[partition] ?? 0;
  const start = state?.startOffsets[partition] ?? 0;
  const remade = (what: string) =>
    new LogError(
      `${topic} partition ${partition} is not the one that ${group} has ` +
        `read: ${what}. The topic was deleted and created again, or its log ` +
        `has lost records; begin a new stream (another --data folder, on ` +
        `Kafka another --topic-prefix)`,
    );
  if (offset > end) {
    throw remade(`it ends at offset ${end}, and ${offset} were read`);
  }
  if (!last || last.offset < start) return; // deleted since
  if (await holdsRecord(log, topic, partition, last, markedBytes)) return;
  throw remade(`another record is at offset ${last.offset}`);
}

/** Whether a partition holds the record of a mark that was made of its first `markedBytes` bytes. */
export async function holdsRecord(
  log: Log,
  topic: string,
  partition: number,
  mark: RecordMark,
  markedBytes?: number,
): Promise<boolean> {
  const limit = { records: 1, bytes: 1 };
  const batch = await log.read(topic, partition, mark.offset, limit);
  return batch.count > 0 && batch.offsets[0] === mark.offset &&
    recordMark(batch, 0, markedBytes).check === mark.check;
}

/**
 * Accepts that records were deleted which the processor has not taken: where
 * its stages have not begun, they will begin with what is left.
 */
export async function acceptMissingStart(
  log: Log,
  control: Control,
): Promise<void> {
  await control.refresh();
  const starts: Record<string, readonly number[]> = {};
  for (const { group, topic } of PIPELINE.slice(0, 2)) {
    const [state] = await log.topics([topic]);
    if (!state) continue;
    const commits = await log.committed(group, topic);
    starts[topic] = state.startOffsets.map((start, partition) => {
      const hasBegun = readCommit(commits[partition]) !== undefined;
      return hasBegun ? control.acceptedStart(topic, partition) : start;
    });
  }
  if (Object.values(starts).flat().every((offset) => offset === 0)) return;
  await control.acceptStarts(starts);
}
