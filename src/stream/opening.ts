/**
 * Where a stage continues in a partition, and its state there. The stage's
 * commit names the place. The loop makes the state by reading again what led
 * to it, or what a snapshot does not have yet. Where the stage has made no
 * commit itself, recovery.ts finds the place.
 */
import { LogError } from "../base/error.ts";
import {
  type Commit,
  holdsRecord,
  type Log,
  readRange,
  requireKept,
} from "../log/log.ts";
import { initialCommit, readCommit, type StageCommit } from "./commit.ts";
import type { Control } from "./control.ts";
import {
  allReadable,
  type EmptyStage,
  recover,
  type RecoverableWork,
  type WrittenRow,
} from "./recovery.ts";
import { Snapshots } from "./snapshot.ts";
import {
  type Stage,
  type StageState,
  StageTask,
  type StageWork,
  stateOf,
} from "./stage.ts";
import type { StreamContext } from "./stream_context.ts";
import { CONTROL_TOPIC, PIPELINE } from "./topics.ts";

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
 * Opens a partition of a stage at its commit, or where its output ends; its
 * state is that of this place. Throws LogError if the input is not the topic
 * that the stage has read, or no longer holds what its state is made of.
 */
export async function openStage<Written extends WrittenRow>(
  options: OpenOptions<Written>,
): Promise<StageTask<void, Written>> {
  const { context, stage, partition, commit: found } = options;
  const { control, parameters } = context;
  const { group, input, output } = stage;
  await control.agreeTopics(output ? [input, output] : [input]);
  const known = readCommit(found);
  const first = control.acceptedStart(input, partition);
  const commit = known ?? initialCommit(first);
  const empty = (): EmptyStage<Written> => {
    const state = stateOf(parameters, partition, commit);
    const work = options.work(state, commit);
    return { state, work, task: new StageTask(stage, state, work) };
  };
  const snapshots = Snapshots.of({ context, stage, partition });
  if (found && known) {
    const { offset } = found;
    const position = { context, stage, offset, commit, empty, snapshots };
    return keepSnapshots(await openKnown(position), snapshots, offset);
  }
  const opened = empty();
  const { task, state } = opened;
  const lost = { context, stage, first, ignored: found };
  task.start = await recover(lost, opened);
  if (task.start) context.recovered?.(group, state.counters.emitted);
  return keepSnapshots(opened, snapshots, task.start?.offset ?? first);
}

/**
 * Opens a partition of a stage that records its commits (Stage.recordsCommits)
 * and makes no state of what it reads, at its commit, or at the recorded one if
 * that is lost. Throws LogError if the input is not the topic that it has read.
 */
export async function openRecorded(
  { context, stage, partition, commit: found, work }: {
    readonly context: StreamContext;
    readonly stage: Stage;
    readonly partition: number;
    /** The group's commit. */
    readonly commit: Commit | undefined;
    readonly work: StageWork;
  },
): Promise<StageTask> {
  const { log, parameters, logger } = context;
  const isKnown = readCommit(found) !== undefined;
  const commit = isKnown
    ? found
    : await recordedCommit(context, stage, partition);
  const state = stateOf(parameters, partition, readCommit(commit));
  const task = new StageTask(stage, state, work);
  if (commit) await requireSameTopic(log, stage, state, commit.offset);
  if (isKnown || !found && !commit) return task;
  task.start = commit ?? { offset: 0, metadata: task.metadata(0) };
  logger.warn("the stage's commit was missing", {
    group: stage.group,
    topic: stage.input,
    partition,
    ...found && { ignoredOffset: found.offset },
    offset: task.start.offset,
    then: "continuing where the control topic says",
  });
  return task;
}

/** The commit that a stage has recorded last, once all records of the control topic can be read. */
async function recordedCommit(
  { log, control, signal }: StreamContext,
  { group }: Stage,
  partition: number,
): Promise<Commit | undefined> {
  await allReadable(log, CONTROL_TOPIC, signal);
  await control.refresh();
  return control.taken(group, partition);
}

/** Lets a partition that is opened at an offset save its state when it is closed. */
function keepSnapshots<Written extends WrittenRow>(
  { state, work: { memory }, task }: EmptyStage<Written>,
  snapshots: Snapshots | undefined,
  offset: number,
): StageTask<void, Written> {
  if (memory && snapshots) {
    const save = (offset: number) => snapshots.save(offset, state, memory);
    task.keepAtClose(offset, save);
  }
  return task;
}

/** A partition whose position a commit gives. */
interface KnownPosition<Written extends WrittenRow> {
  readonly context: StreamContext;
  readonly stage: Stage;
  readonly offset: number;
  readonly commit: StageCommit;
  /** Makes a stage without its state. */
  readonly empty: () => EmptyStage<Written>;
  readonly snapshots: Snapshots | undefined;
}

/** Makes the state of a commit, from a snapshot and the records behind it if one fits. */
async function openKnown<Written extends WrittenRow>(
  known: KnownPosition<Written>,
): Promise<EmptyStage<Written>> {
  const { context, stage, offset, commit, empty } = known;
  const first = empty();
  await requireSameTopic(context.log, stage, first.state, offset);
  const began = performance.now();
  const { opened, from, rows, ...how } = await fromSnapshot(known, first) ??
    await fromReplay(known);
  context.logger.info("partition restored", {
    group: stage.group,
    partition: opened.state.partition,
    fromOffset: from,
    offset,
    progress: commit.progress,
    rows,
    ...how,
    milliseconds: Math.round(performance.now() - began),
  });
  return opened;
}

/** A stage with the state of its commit, and how it was made. */
interface Restored<Written extends WrittenRow> {
  readonly opened: EmptyStage<Written>;
  /** Offset of the first record that was read again. */
  readonly from: number;
  /** How many rows were read again. */
  readonly rows: number;
  /** Set where a snapshot was used. */
  readonly snapshot?: true;
}

/** Restores an empty stage from its snapshot; undefined, with the stage unusable, if none leads to the commit. */
async function fromSnapshot<Written extends WrittenRow>(
  known: KnownPosition<Written>,
  opened: EmptyStage<Written>,
): Promise<Restored<Written> | undefined> {
  const { offset, commit, snapshots } = known;
  const { state, work: { memory } } = opened;
  if (!memory || !snapshots) return undefined;
  using snapshot = await snapshots.find(offset, commit);
  if (!snapshot) return undefined;
  const { offset: from } = snapshot;
  let defect = snapshot.load(state, memory);
  let rows = 0;
  if (defect === undefined) {
    rows = await restore(known, opened, from);
    defect = defectOf(state, offset, commit);
  }
  if (defect !== undefined) {
    snapshots.refuse(defect);
    return undefined;
  }
  snapshots.used(snapshot);
  return { opened, from, rows, snapshot: true };
}

/** Restores a stage from the records that its commit's replay begins with. */
async function fromReplay<Written extends WrittenRow>(
  known: KnownPosition<Written>,
): Promise<Restored<Written>> {
  const opened = known.empty();
  const from = known.commit.replay.offset;
  return { opened, from, rows: await restore(known, opened, from) };
}

/** Why a state cannot be the one of a commit; undefined if it can. */
function defectOf(
  { progress }: StageState,
  offset: number,
  commit: StageCommit,
): string | undefined {
  const replay = progress.checkpoint(offset);
  const isSame = progress.seconds === commit.progress &&
    replay.offset === commit.replay.offset &&
    replay.progress === commit.replay.progress;
  return isSame ? undefined : "it does not lead to the stage's commit";
}

/**
 * Makes the state of a commit: the loop over the records from an offset up to
 * the commit's, with their output discarded. Returns the number of rows.
 */
async function restore<Written extends WrittenRow>(
  { context, stage, offset: to }: KnownPosition<Written>,
  { state, work, task }: EmptyStage<Written>,
  from: number,
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
        `has lost records; start a new stream (another --data folder, on ` +
        `Kafka another --topic-prefix)`,
    );
  if (offset > end) {
    throw remade(`it ends at offset ${end}, and ${offset} were read`);
  }
  if (!last || last.offset < start) return; // deleted since
  if (await holdsRecord(log, topic, partition, last, markedBytes)) return;
  throw remade(`another record is at offset ${last.offset}`);
}

/**
 * Accepts that records were deleted before the processor read them: stages that
 * have not begun will begin with the first remaining record.
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
