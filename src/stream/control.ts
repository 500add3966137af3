/**
 * The control topic: what all roles must agree on (parameters), which stream
 * the producer publishes and how far it is, and where finished topics end.
 * Every role reads it first; the newest record of a key counts.
 */
import { ConfigError, LogError } from "../base/error.ts";
import {
  isCount,
  isObject,
  isOptional,
  parsedJson,
} from "../base/json_shape.ts";
import { UNSTOPPED } from "../base/unless_stopped.ts";
import {
  customerReachSeconds,
  FEATURE_SETS,
  type FeatureParameters,
} from "../features/parameters.ts";
import {
  type Append,
  type Commit,
  type Log,
  type LogProducer,
  type LogReport,
  READ_LIMIT,
} from "../log/log.ts";
import { type Partitioner, PARTITIONERS } from "../log/partitioner.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../log/record_batch.ts";
import type { FileStamp } from "../files/file_stamp.ts";
import { formatDate, formatDuration } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { findPartitioner } from "./placement.ts";
import {
  type AppliedChange,
  type ChangedItem,
  changedItems,
  type ContentPart,
  contentParts,
  type DecisionChange,
  type DecisionProposal,
  type DecisionState,
  isAppliedChange,
  isContentPart,
  isDecisionChange,
  isDecisionProposal,
  NO_RULES,
} from "./decision_changes.ts";
import {
  type Follower,
  type FollowPosition,
  isFollower,
  isFollowPosition,
} from "./follow_position.ts";
import { isSourcePosition, type SourcePosition } from "./source_position.ts";
import {
  isRecordedDefinition,
  type RecordedDefinition,
  withDeclared,
} from "./stream_definition.ts";
import { CONTROL_TOPIC } from "./topics.ts";

/** What every role of a stream must agree on. */
export interface StreamParameters {
  /** Partitions of each topic. */
  readonly partitions: number;
  /** Windows, delay, labels. */
  readonly features: FeatureParameters;
  /** How much older than the newest payment of its partition a payment may be, seconds. */
  readonly latenessSeconds: number;
  /** How far ahead of its partition's progress a payment is plausible, seconds. */
  readonly maxGapSeconds: number;
  /**
   * How far behind the newest payment of its partition an accepted payment is
   * recognized if it is repeated, seconds; at least the lateness. Absent in
   * older streams, which recognize it as long as a window reaches it.
   */
  readonly dedupeSeconds?: number | undefined;
  /** Midnight of the first day, seconds since 1970, if --start gives it, for payments of another program. */
  readonly startSeconds?: number | undefined;
  /**
   * How the payments' keys choose their partition. A payment elsewhere, or with
   * another key than its CUSTOMER_ID, is a dead letter. Absent in older
   * streams, which accept it anywhere.
   */
  readonly partitioner?: Partitioner | undefined;
  /** What a payment is; absent in the handbook's stream. */
  readonly definition?: RecordedDefinition | undefined;
  /** Where labels arrive later: after how many days a payment without a label is genuine; absent where that is the delay. */
  readonly matureDays?: number | undefined;
}

/** After how many days the label of a payment is known. Where labels arrive later, a payment without one is then genuine. */
export function labelDays(
  { features, matureDays }: Pick<StreamParameters, "features" | "matureDays">,
): number {
  return features.graceSeconds === undefined
    ? features.delayDays
    : matureDays ?? features.delayDays;
}

/**
 * How long the customer stage remembers a payment, in seconds behind the
 * progress. A repeated payment is then a duplicate or late and never accepted
 * twice, since the lateness is not longer.
 */
export function rememberedSeconds(parameters: StreamParameters): number {
  const { dedupeSeconds, features, latenessSeconds } = parameters;
  return dedupeSeconds === undefined
    ? customerReachSeconds(features) + latenessSeconds
    : dedupeSeconds + 1;
}

/**
 * How far behind the progress a replay that restores the customer stage begins:
 * it includes every payment that a window or the ledger still reaches, and
 * everything that the ledger held when it judged that payment.
 */
export function customerReplaySeconds(parameters: StreamParameters): number {
  const { features, latenessSeconds } = parameters;
  const reach = customerReachSeconds(features) + latenessSeconds;
  const remembered = rememberedSeconds(parameters);
  return Math.max(reach, remembered) + remembered;
}

/** Which stream this is. What is kept outside the log (a store, day files) names it, so that no two streams mix. */
export interface StreamIdentity {
  /** 128 random bits as a UUID, drawn when the first role of the stream starts. */
  readonly id: string;
  /** Ids of its topics, TopicState.id, by name, where the log knows them. */
  readonly topics?: Readonly<Record<string, string>> | undefined;
}

/** The stream that the producer publishes. */
export interface StreamOrigin {
  /** Midnight of its first day, seconds since 1970. */
  readonly startSeconds: number;
  /** The data flags, as text: another producer must have the same. */
  readonly fingerprint: string;
}

/** The data flags of a stream whose payments come by the API. */
export const API_ORIGIN = "--role=api";

/** How far the producer is. */
export interface ProducerPosition {
  /** TRANSACTION_ID of the next payment of a simulation; payments published so far. */
  readonly nextId: number;
  /** Simulator day of the next payment; of files the number of the file, from 0. */
  readonly day: number;
  /** Its row within the day or file. */
  readonly row: number;
  /** Of files, the rows of all files before it. */
  readonly rows?: number;
  /** Of files, how many of those rows are no payments. */
  readonly rejected?: number;
  /** Of files, a digest of the payment before it, by which a changed file is noticed. */
  readonly last?: string;
  /** Of files whose labels are published later, the place before the first payment whose label is still to come. */
  readonly labels?: Omit<ProducerPosition, "nextId" | "labels" | "last">;
  /** Of a simulation whose payments are all published, how many of the labels are that are known after them; absent for none. */
  readonly lastLabels?: number;
}

/** The end of a topic that is complete. */
export interface EndMark {
  /** Number of payments in the topic. */
  readonly rows: number;
}

/** Where an edited dead letter has gone. */
export interface Requeued {
  /** Topic that it was appended to. */
  readonly topic: string;
  /** Partition of the topic. */
  readonly partition: number;
  /** Its offset there or, where others appended at that moment, a lower one. */
  readonly fromOffset: number;
}

/** A threshold of alerts that was applied to the running stream. */
export interface ThresholdChange {
  /** 0 to 1. */
  readonly value: number;
  /** TX_TIME_SECONDS that the stream had reached by then. */
  readonly timeSeconds: number;
  /** Clock time, ISO 8601 in UTC; undefined where it was not given. */
  readonly at?: string;
}

/** Who makes a change of what decides, and when. */
export interface ChangeDetails {
  /** Who makes it. */
  readonly who: string;
  /** When. */
  readonly clock?: Date | undefined;
  /** The proposal that it follows, as approved; recorded with it. */
  readonly approved?: DecisionProposal;
}

/** Changes of the threshold that are kept. */
const CHANGES_MAX = 50;

/** The values of the control topic, by key. */
export interface ControlValues {
  /** What all roles agreed on. */
  parameters: StreamParameters;
  /** Which stream this is. */
  identity: StreamIdentity;
  /** The producer's stream. */
  origin: StreamOrigin;
  /** How far the producer is. */
  position: ProducerPosition;
  /** How far `ingest` is in another program's topic. */
  source: SourcePosition;
  /** How far it is in the stream that it follows. */
  follow: FollowPosition;
  /** Where the stages start in topics whose first records were deleted, one offset per partition. */
  starts: Readonly<Record<string, readonly number[]>>;
  /** That a scorer takes the payments, and the scoring flags of the last whole run as texts. */
  scoring: {
    readonly on: true;
    readonly flags?: Readonly<Record<string, string>> | undefined;
  };
  /** Whether a change of what decides counts only when a second person approves it, and since when (ISO 8601 in UTC); absent where nobody has asked for that. */
  approval: { readonly required: boolean; readonly at: string };
  /** The threshold of alerts that was applied to the running stream, and the newest changes, the last one among them; absent in older streams. */
  threshold: {
    readonly value: number;
    readonly changes?: readonly ThresholdChange[];
  };
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** Records that other programs write into the topic are ignored, and stop nothing. */
const IGNORED = "a record of the control topic was ignored";

/** A view of the control topic that follows it. */
export class Control {
  readonly #log: Log;
  readonly #report: LogReport | undefined;
  readonly #values = new Map<string, unknown>();
  /** Keys whose newest record is another program's: compaction would keep that one alone. */
  readonly #overwritten = new Set<string>();
  // What the parameters read last declare.
  #features: { included: string; all: FeatureParameters } | undefined;
  /** Changes of what decides, by their number less 1. */
  readonly #changes: DecisionChange[] = [];
  /** Where they were applied, by partition. */
  readonly #applied: AppliedChange[][] = [];
  /** Proposed changes, by their number. */
  readonly #proposals = new Map<number, DecisionProposal>();
  #offset = 0;

  /** Reads nothing yet: call refresh(). `report` is called for each record that is not one of ours. */
  constructor(log: Log, report?: LogReport) {
    this.#log = log;
    this.#report = report;
  }

  /** Reads what is new. */
  async refresh(): Promise<void> {
    for (;;) {
      const batch = await this.#log.read(
        CONTROL_TOPIC,
        0,
        this.#offset,
        READ_LIMIT,
      );
      if (batch.next === this.#offset) return;
      for (let i = 0; i < batch.count; i++) this.#take(batch, i);
      this.#offset = batch.next;
    }
  }

  /** Takes a record if it has the shape that its key requires; otherwise the previous one counts. */
  #take(batch: RecordBatch, index: number): void {
    const key = DECODER.decode(recordKey(batch, index));
    const value = parsedJson(recordValue(batch, index));
    const offset = batch.offsets[index];
    const reason = batch.unreadable?.get(offset) ?? whyNotTaken(key, value);
    if (reason === undefined) {
      // Texts of rules and lists stay in the log; see content().
      const isContent = key.startsWith("content:");
      this.#values.set(key, isContent ? offset : value);
      this.#overwritten.delete(key);
      this.#takeDecision(key, value);
      return;
    }
    if (this.#values.has(key)) this.#overwritten.add(key);
    this.#report?.("warning", IGNORED, {
      topic: CONTROL_TOPIC,
      offset,
      key: key.slice(0, SHOWN_KEY),
      reason,
      then: "what was there before counts",
    });
  }

  /** What all roles agreed on, once one has run. */
  get parameters(): StreamParameters | undefined {
    const parameters = this.#value("parameters");
    if (parameters === undefined) return undefined;
    const { features, definition } = parameters;
    // Streams from before feature sets name none.
    const included = { ...features, set: features.set ?? "handbook" };
    if (this.#features?.included !== JSON.stringify(included)) {
      this.#features = {
        included: JSON.stringify(included),
        all: withDeclared(included, definition),
      };
    }
    return { ...parameters, features: this.#features.all };
  }

  /** Which stream this is, once a role has agreed() on it; folders of older versions have none until then. */
  get identity(): StreamIdentity | undefined {
    return this.#value("identity");
  }

  /** The producer's stream, once it has begun. */
  get origin(): StreamOrigin | undefined {
    return this.#value("origin");
  }

  /** Midnight of the stream's first day, seconds since 1970, once a producer, `ingest` or the stream that it follows has begun it. */
  get begun(): number | undefined {
    return this.origin?.startSeconds ?? this.source?.startSeconds ??
      this.follow?.startSeconds ?? undefined;
  }

  /**
   * Midnight of the stream's first day, seconds since 1970, or `otherwise`
   * until a producer or `ingest` has begun it. Reads the topic again only until
   * then.
   */
  async startSeconds(
    otherwise: number | undefined,
  ): Promise<number | undefined> {
    if (this.begun === undefined) await this.refresh();
    return this.begun ?? otherwise;
  }

  /** How far `ingest` is in another program's topic, once it has taken something. */
  get source(): SourcePosition | undefined {
    return this.#value("source");
  }

  /** How far it is in the stream that it follows, or has followed. */
  get follow(): FollowPosition | undefined {
    return this.#value("follow");
  }

  /** The streams that follow this one, and need what they have not read of transaction_topic. */
  get followers(): Follower[] {
    return this.#allFollowers.filter(({ isOver }) => !isOver);
  }

  get #allFollowers(): Follower[] {
    return [...this.#values].filter(([key]) => key.startsWith("follower:"))
      .map(([, value]) => value as Follower);
  }

  /** Throws ConfigError if the source of the payments has moved to a stream that has followed this one. */
  requireSource(): void {
    const moved = this.#allFollowers.find(({ hasSource }) => hasSource);
    if (!moved) return;
    throw new ConfigError(
      `the source of this stream has moved to ${
        moved.place || "the stream without a prefix"
      }, which would have the same payments again: continue that stream, or ` +
        "leave out the role that brings payments",
    );
  }

  /** How far the producer is. */
  get position(): ProducerPosition | undefined {
    return this.#value("position");
  }

  /** Whether a scorer scores the payments, so that there are predictions to store. */
  get isScored(): boolean {
    return this.#value("scoring") !== undefined;
  }

  /** The scoring flags of the last whole run, as texts by key; undefined where none of this version has scored. */
  get scoringFlags(): Readonly<Record<string, string>> | undefined {
    return this.#value("scoring")?.flags;
  }

  /** Records that a scorer scores the payments. */
  async declareScored(): Promise<void> {
    await this.#putScoring({ on: true }, () => this.isScored);
  }

  /** Keeps the scoring flags of a whole run, so that the next one needs none. */
  async keepScoringFlags(
    flags: Readonly<Record<string, string>>,
  ): Promise<void> {
    const wanted = JSON.stringify(flags);
    await this.#putScoring(
      { on: true, flags },
      () => JSON.stringify(this.scoringFlags) === wanted,
    );
  }

  async #putScoring(
    scoring: ControlValues["scoring"],
    settled: () => boolean,
  ): Promise<void> {
    const records = controlRecords();
    records.put("scoring", scoring);
    await this.settle(
      "fraudstream-scoring",
      settled,
      (producer) => producer.append(records.appends()),
    );
  }

  /** Whether a change of what decides counts only when a second person approves it, and since when; undefined where nobody has asked for that. */
  get approval(): ControlValues["approval"] | undefined {
    return this.#value("approval");
  }

  /** Whether a change of what decides counts only when a second person approves it. */
  get requiresApproval(): boolean {
    return this.approval?.required ?? false;
  }

  /** Records whether changes of what decides need a second person, for all processes of the stream. */
  async requireApproval(required: boolean): Promise<void> {
    const records = controlRecords();
    records.put("approval", { required, at: new Date().toISOString() });
    await this.settle(
      "fraudstream-approval",
      () => this.requiresApproval === required,
      (producer) => producer.append(records.appends()),
    );
  }

  /**
   * Records the ids of the stream's topics where they are not yet. Throws
   * LogError if one of them is not the one that the stream was created with.
   */
  async agreeTopics(names: readonly string[]): Promise<void> {
    const found = new Map<string, string>();
    for (const { name, id } of await this.#log.topics(names)) {
      if (id !== undefined) found.set(name, id);
    }
    if (found.size === 0) return;
    await this.settle(
      "fraudstream-parameters",
      () => {
        const known = this.identity?.topics ?? {};
        for (const [name, id] of found) {
          if (known[name] !== undefined && known[name] !== id) {
            throw remade(name);
          }
        }
        return [...found.keys()].every((name) => known[name] !== undefined);
      },
      async (producer) => {
        const { identity } = this;
        if (!identity) throw new LogError(`no role has agreed on a stream`);
        const records = controlRecords();
        const topics = { ...Object.fromEntries(found), ...identity.topics };
        records.put("identity", { ...identity, topics });
        await producer.append(records.appends());
      },
    );
  }

  /** Throws LogError if one of these topics is not the one that the stream recorded: it was created again. */
  async requireTopics(names: readonly string[]): Promise<void> {
    await this.refresh();
    const known = this.identity?.topics ?? {};
    for (const { name, id } of await this.#log.topics(names)) {
      if (id === undefined || known[name] === undefined) continue;
      if (known[name] !== id) throw remade(name);
    }
  }

  /** Offset of the first record that a stage takes: 0, unless the deletion of those before it was accepted. */
  acceptedStart(topic: string, partition: number): number {
    return this.#value("starts")?.[topic]?.[partition] ?? 0;
  }

  /** Accepts that these topics begin at these offsets. */
  async acceptStarts(starts: ControlValues["starts"]): Promise<void> {
    const records = controlRecords();
    records.put("starts", starts);
    const wanted = JSON.stringify(starts);
    await this.settle(
      "fraudstream-starts",
      () => JSON.stringify(this.#value("starts")) === wanted,
      (producer) => producer.append(records.appends()),
    );
  }

  /** The score from which on payments are alerts, if one was set. */
  get alertThreshold(): number | undefined {
    return this.#value("threshold")?.value;
  }

  /** The newest changes of that threshold, oldest first. */
  get thresholdChanges(): readonly ThresholdChange[] {
    return this.#value("threshold")?.changes ?? [];
  }

  /** Sets a threshold, 0 … 1, at an event time: scorers that alert by a threshold use it within a second, until another is set. */
  async applyThreshold(
    value: number,
    timeSeconds: number,
    {
      clock,
      edit = (state) => ({ ...state, threshold: value }),
      ...change
    }: Partial<ChangeDetails> & {
      /** Makes the new state of the newest one; sets the threshold without it. */
      readonly edit?: (state: DecisionState) => DecisionState;
    } = {},
  ): Promise<void> {
    await this.recordChange(edit, {
      ...{ who: "", clock, ...change },
      settled: () => this.alertThreshold === value,
      records: (records) => {
        const known = this.thresholdChanges.slice(1 - CHANGES_MAX);
        const at = clock && { at: clock.toISOString() };
        const changes = [...known, { value, timeSeconds, ...at }];
        records.put("threshold", { value, changes });
      },
    });
  }

  #takeDecision(key: string, value: unknown): void {
    if (key.startsWith("change:")) {
      const change = value as DecisionChange;
      const next = this.#changes.length + 1;
      if (change.number === next) this.#changes.push(change);
    } else if (key.startsWith("proposal:")) {
      const proposal = value as DecisionProposal;
      this.#proposals.set(proposal.number, proposal);
    } else if (key.startsWith("applied:")) {
      const applied = value as AppliedChange;
      const all = this.#applied[applied.partition] ??= [];
      if (all.some(({ change }) => change === applied.change)) return;
      all.push(applied);
      all.sort((a, b) => a.from - b.from || a.change - b.change);
    }
  }

  /** Every change of what decides about payments, the oldest first. */
  get decisionChanges(): readonly DecisionChange[] {
    return this.#changes;
  }

  /** Changes that were proposed, in their order, whatever has become of them. */
  get proposals(): readonly DecisionProposal[] {
    return [...this.#proposals.values()];
  }

  /** What decides about payments, by the newest change. */
  get decisionState(): DecisionState {
    return this.#changes.at(-1)?.state ?? NO_RULES;
  }

  /** Whether payments are, or were, decided about by rules. */
  get hasRules(): boolean {
    return this.#changes.some(({ state }) => state.rules !== null);
  }

  /** From where on changes decide in a partition of the sink topic, in the order of offsets. */
  appliedChanges(partition: number): readonly AppliedChange[] {
    return this.#applied[partition] ?? [];
  }

  /** The text of rules or of a list of that version, as recordChange() was given it; undefined where it was not. */
  async content(version: string): Promise<string | undefined> {
    let text = "";
    let parts = 1;
    for (let part = 0; part < parts; part++) {
      const offset = this.#values.get(`content:${version}/${part}`);
      if (typeof offset !== "number") return undefined;
      const one = { records: 1, bytes: 1 };
      const batch = await this.#log.read(CONTROL_TOPIC, 0, offset, one);
      const value = batch.count > 0 && batch.offsets[0] === offset
        ? parsedJson(recordValue(batch, 0))
        : undefined;
      if (!isObject(value) || !isContentPart(value)) return undefined;
      text += value.text;
      parts = Number(value.parts);
    }
    return text;
  }

  /**
   * Records what decides about payments from the scorer's next steps on, unless
   * that is so already; `contents` are the texts of versions that may be new.
   * `edit` makes the new state of the newest one. Returns what changed.
   */
  async recordChange(
    edit: (state: DecisionState) => DecisionState,
    {
      who,
      clock = new Date(),
      approved,
      contents = new Map(),
      settled = () => true,
      records: add,
    }: ChangeDetails & {
      /** Texts by version. */
      readonly contents?: ReadonlyMap<string, string>;
      /** Whether what is appended with the change is there already. */
      readonly settled?: () => boolean;
      /** Adds records to append with the change. */
      readonly records?: (records: ControlRecords) => void;
    },
  ): Promise<readonly ChangedItem[]> {
    let changed: readonly ChangedItem[] = [];
    const items = () =>
      changedItems(this.decisionState, edit(this.decisionState));
    const isPending = () => approved && this.isPending(approved.number);
    await this.settle(
      "fraudstream-decisions",
      () => items().length === 0 && settled() && !isPending(),
      async (producer) => {
        await this.#putContents(producer, contents);
        const records = controlRecords();
        add?.(records);
        if (approved) records.putProposal(approved);
        changed = items();
        if (changed.length > 0) {
          records.putChange({
            number: this.#changes.length + 1,
            who,
            at: clock.toISOString(),
            items: changed,
            state: edit(this.decisionState),
          });
        }
        await producer.append(records.appends());
      },
    );
    return changed;
  }

  async #putContents(
    producer: LogProducer,
    contents: ReadonlyMap<string, string>,
  ): Promise<void> {
    for (const [version, text] of contents) {
      if (this.#values.has(`content:${version}/0`)) continue;
      // The first part comes last: it says that all are there.
      for (const [at, part] of [...contentParts(text).entries()].reverse()) {
        const records = controlRecords();
        records.putContent(version, at, part);
        await producer.append(records.appends());
      }
    }
  }

  /** Records a proposed change, which decides nothing before it is approved; `contents` as in recordChange(). */
  async propose(
    { contents = new Map(), ...proposed }:
      & Pick<DecisionProposal, "who" | "base" | "state" | "model">
      & {
        /** Texts by version. */
        readonly contents?: ReadonlyMap<string, string>;
      },
  ): Promise<void> {
    const at = new Date().toISOString();
    let proposal: DecisionProposal | undefined;
    const isThere = () =>
      proposal !== undefined && this.#proposals.has(proposal.number) &&
      JSON.stringify(this.#proposals.get(proposal.number)) ===
        JSON.stringify(proposal);
    await this.settle("fraudstream-decisions", isThere, async (producer) => {
      await this.#putContents(producer, contents);
      const number = Math.max(0, ...this.#proposals.keys()) + 1;
      proposal = { number, at, ...proposed, status: "pending" };
      const records = controlRecords();
      records.putProposal(proposal);
      await producer.append(records.appends());
    });
  }

  /** Whether a proposal of that number waits. */
  isPending(number: number): boolean {
    return this.#proposals.get(number)?.status === "pending";
  }

  /** Records what a person has decided about a proposal, if it still waits. */
  async decideProposal(
    number: number,
    status: "approved" | "rejected",
    by: string,
  ): Promise<void> {
    await this.settle(
      "fraudstream-decisions",
      () => !this.isPending(number),
      async (producer) => {
        const proposal = this.#proposals.get(number);
        if (!proposal) return;
        const records = controlRecords();
        records.putProposal({ ...proposal, status, by });
        await producer.append(records.appends());
      },
    );
  }

  /** Where a topic ends, once it is complete. */
  end(topic: string): EndMark | undefined {
    return this.#values.get(`end:${topic}`) as EndMark | undefined;
  }

  /** The file of that number, from 0, as it was when its rows were published. */
  file(number: number): FileStamp | undefined {
    return this.#values.get(`file:${number}`) as FileStamp | undefined;
  }

  /** Where the dead letter of that id has gone, if it was requeued. */
  requeued(letter: string): Requeued | undefined {
    return this.#values.get(`requeued:${letter}`) as Requeued | undefined;
  }

  /** The commit that a stage of recorded positions has made last in a partition of its input. */
  taken(group: string, partition: number): Commit | undefined {
    const key = `taken:${group}/${partition}`;
    return this.#values.get(key) as Commit | undefined;
  }

  #value<K extends keyof ControlValues>(key: K): ControlValues[K] | undefined {
    return this.#values.get(key) as ControlValues[K] | undefined;
  }

  /**
   * Records these parameters for the stream, or throws ConfigError if it has
   * others, naming the flag that differs. If they name no partitioner, it is
   * the stream's own, or for a new stream that of the existing payments.
   */
  async agree(parameters: StreamParameters): Promise<void> {
    const fixed = ["parameters", "identity"] as const;
    await this.refresh();
    const wanted = this.parameters ?? {
      ...parameters,
      partitioner: parameters.partitioner ?? await findPartitioner(this.#log),
    };
    await this.settle(
      "fraudstream-parameters",
      () =>
        fixed.every((key) => this.#values.has(key)) &&
        !fixed.some((key) => this.#overwritten.has(key)),
      async (producer) => {
        const records = controlRecords();
        records.put(
          "parameters",
          recordedParameters(this.parameters ?? wanted),
        );
        records.put(
          "identity",
          this.identity ?? { id: crypto.randomUUID() },
        );
        await producer.append(records.appends());
      },
    );
    requireSameDefinition(this.parameters ?? parameters, parameters);
    const found = flagsOf(this.parameters ?? parameters);
    for (const [flag, wanted] of Object.entries(flagsOf(parameters))) {
      if (found[flag] === wanted) continue;
      const isOpen = parameters.partitioner === undefined;
      if (flag === "--partitioner" && isOpen) continue;
      if (flag === "--start" && this.#isStart(parameters)) continue;
      throw new ConfigError(
        `this stream was created ${differenceOf(flag, found[flag], wanted)}: ` +
          `${found[flag] === NOT_YET ? "leave it out" : "give the same"}, or ` +
          `choose another --data folder (on Kafka another ` +
          `--topic-prefix)`,
      );
    }
  }

  /** Whether a start is absent, or the one of the producer that created the stream. */
  #isStart({ startSeconds }: StreamParameters): boolean {
    return startSeconds === undefined ||
      startSeconds === this.begun;
  }

  /**
   * Makes sure that a record exists that several processes may write, each the
   * same or the first for all: appends by the producer `id` unless `settled`
   * already.
   */
  async settle(
    id: string,
    settled: () => boolean,
    append: (producer: LogProducer) => Promise<unknown>,
  ): Promise<void> {
    await this.refresh();
    for (let attempt = 1; !settled(); attempt++) {
      try {
        // It becomes the only writer before it reads: of two at once, the later
        // sees the earlier one's record, or the earlier can no longer write.
        const producer = await this.#log.producer(id);
        await this.refresh();
        if (!settled()) await append(producer);
      } catch (error) {
        const isRefused = error instanceof LogError;
        if (attempt === ATTEMPTS_MAX || !isRefused) throw error;
        // Another process is writing and has fenced this one.
        await this.#log.changed(ATTEMPT_MS, UNSTOPPED);
      }
      await this.refresh();
    }
  }
}

/** Parameters without what follows from the definition. */
function recordedParameters(parameters: StreamParameters): StreamParameters {
  const { declared: _declared, ...features } = parameters.features;
  return { ...parameters, features };
}

/** How many attempts are made before an error counts, and the pause between them. */
const ATTEMPTS_MAX = 20;
const ATTEMPT_MS = 50;

/** Whether fields say a producer's place. */
function isPlace(
  { day, row, rows, rejected }: Readonly<Record<string, unknown>>,
): boolean {
  return isCount(day) && isCount(row) && isOptional(rows, isCount) &&
    isOptional(rejected, isCount);
}

/** Represents a flag's value in streams older than the flag. */
const NOT_YET = "";

/** The old and the new value of a flag, for messages; a switch has no value. */
function differenceOf(flag: string, found: string, wanted: string): string {
  if (found === NOT_YET) return `by a version without ${flag}`;
  if (flag !== "--no-labels") return `with ${flag}=${found}, not ${wanted}`;
  return found === "given" ? `with ${flag}` : `without ${flag}`;
}

/** Throws ConfigError where a stream has another definition than the one wanted. */
function requireSameDefinition(
  { definition: found }: StreamParameters,
  { definition: wanted }: StreamParameters,
): void {
  if (found?.sha256 === wanted?.sha256) return;
  const shown = (one: RecordedDefinition | undefined) =>
    one ? `the definition with SHA-256 ${one.sha256}` : "handbook's definition";
  throw new ConfigError(
    `this stream was created with ${shown(found)}, not with ${
      shown(wanted)
    }, ` +
      "and a stream's definition never changes: leave --definition out, or " +
      "choose another --data folder (on Kafka another --topic-prefix)",
  );
}

function remade(topic: string): LogError {
  return new LogError(
    `${topic} was deleted and created again since this stream began, so what ` +
      `it holds now does not belong to the stream's other topics; start a new ` +
      `stream with another --topic-prefix`,
  );
}

function flagsOf(parameters: StreamParameters): Record<string, string> {
  const { features } = parameters;
  return {
    "--partitions": String(parameters.partitions),
    "--feature-set": features.set,
    "--windows": features.windowDays.join(","),
    "--delay": String(features.delayDays),
    "--no-labels": features.useLabels ? "not given" : "given",
    "--labels": features.graceSeconds === undefined ? "payment" : "stream",
    "--grace": features.graceSeconds === undefined
      ? "none"
      : formatDuration(features.graceSeconds),
    "--mature": features.graceSeconds === undefined
      ? "none"
      : formatDuration(labelDays(parameters) * DAY_SECONDS),
    "--lateness": formatDuration(parameters.latenessSeconds),
    "--max-gap": formatDuration(parameters.maxGapSeconds),
    "--dedupe": parameters.dedupeSeconds === undefined
      ? NOT_YET
      : formatDuration(parameters.dedupeSeconds),
    "--partitioner": parameters.partitioner ?? "murmur2",
    "--start": parameters.startSeconds === undefined
      ? "unknown"
      : formatDate(parameters.startSeconds),
  };
}

/** How much of an unknown key is shown. */
const SHOWN_KEY = 100;

/** Why a record cannot be one of ours; undefined if it can. */
function whyNotTaken(key: string, value: unknown): string | undefined {
  const prefix = PREFIXES.find((prefix) => key.startsWith(prefix));
  const fits = SHAPES.get(prefix ?? key);
  if (!fits) return "no role writes such a key";
  if (value === undefined) return "its value is empty or not JSON";
  if (!isObject(value) || !fits(value)) {
    return "its value is not of the shape that roles write";
  }
  return undefined;
}

/** Whether fields are as a role writes them. */
type Fits = (fields: Readonly<Record<string, unknown>>) => boolean;

/** What each key's value must be like. */
const VALUES: Readonly<Record<keyof ControlValues, Fits>> = {
  parameters: ({ features, ...fields }) =>
    isCount(fields.partitions) && fields.partitions > 0 &&
    isCount(fields.latenessSeconds) && isCount(fields.maxGapSeconds) &&
    isOptional(fields.dedupeSeconds, isCount) &&
    isOptional(fields.startSeconds, Number.isSafeInteger) &&
    isOptional(
      fields.partitioner,
      (name) => PARTITIONERS.some((known) => known === name),
    ) &&
    isOptional(fields.definition, isRecordedDefinition) &&
    isOptional(fields.matureDays, isCount) &&
    isFeatures(features),
  identity: ({ id, topics }) =>
    typeof id === "string" && id !== "" &&
    isOptional(topics, (topics) =>
      isObject(topics) &&
      Object.values(topics).every((id) => typeof id === "string")),
  origin: ({ startSeconds, fingerprint }) =>
    Number.isSafeInteger(startSeconds) && typeof fingerprint === "string",
  source: isSourcePosition,
  follow: isFollowPosition,
  position: ({ nextId, labels, last, lastLabels, ...place }) =>
    isCount(nextId) && isPlace(place) && isOptional(lastLabels, isCount) &&
    isOptional(last, (last) => typeof last === "string") &&
    isOptional(labels, (labels) => isObject(labels) && isPlace(labels)),
  scoring: ({ on, flags }) =>
    on === true &&
    isOptional(flags, (flags) =>
      isObject(flags) &&
      Object.values(flags).every((text) => typeof text === "string")),
  approval: ({ required, at }) =>
    typeof required === "boolean" && typeof at === "string",
  threshold: ({ value, changes }) =>
    isThreshold(value) &&
    isOptional(changes, (changes) =>
      Array.isArray(changes) &&
      changes.every((change) =>
        isObject(change) && isThreshold(change.value) &&
        Number.isSafeInteger(change.timeSeconds)
      )),
  starts: (topics) =>
    Object.values(topics).every((starts) =>
      Array.isArray(starts) && starts.every(isCount)
    ),
};

/** The same for keys that begin with these words. */
const PREFIXED: Readonly<Record<string, Fits>> = {
  "end:": ({ rows }) => isCount(rows),
  "follower:": isFollower,
  "file:": ({ name, bytes, sha256 }) =>
    typeof name === "string" && isCount(bytes) && typeof sha256 === "string",
  "taken:": ({ offset, metadata }) =>
    isCount(offset) && typeof metadata === "string",
  "change:": isDecisionChange,
  "applied:": isAppliedChange,
  "content:": isContentPart,
  "proposal:": isDecisionProposal,
  "requeued:": ({ topic, partition, fromOffset }) =>
    typeof topic === "string" && isCount(partition) && isCount(fromOffset),
};

const PREFIXES = Object.keys(PREFIXED);
const SHAPES: ReadonlyMap<string, Fits> = new Map(
  Object.entries({ ...VALUES, ...PREFIXED }),
);

function isThreshold(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isFeatures(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { set, windowDays, delayDays, useLabels } = value;
  const { decimals, refunds, graceSeconds } = value;
  const isSet = (set: unknown) => FEATURE_SETS.some((known) => known === set);
  return isOptional(set, isSet) && // streams of before there were sets
    isCount(delayDays) && delayDays > 0 && typeof useLabels === "boolean" &&
    isOptional(decimals, isCount) &&
    isOptional(refunds, (value) => typeof value === "boolean") &&
    isOptional(graceSeconds, isCount) &&
    Array.isArray(windowDays) && windowDays.length > 0 === (set !== "none") &&
    windowDays.every((days, i) =>
      isCount(days) && days > (windowDays[i - 1] ?? 0)
    );
}

/** Collects control records for an atomic append. */
export interface ControlRecords {
  /** Sets one of the values that Control shows. */
  put<K extends keyof ControlValues>(key: K, value: ControlValues[K]): void;
  /** Records what a file of the producer, by its number from 0, is when its rows are published. */
  putFile(number: number, stamp: FileStamp): void;
  /** Records what a stream that follows this one needs. */
  putFollower(follower: Follower): void;
  /** Records where a dead letter has gone. */
  putRequeued(letter: string, place: Requeued): void;
  /** Records the commit of a stage in a partition of its input. */
  putTaken(group: string, partition: number, commit: Commit): void;
  /** Records a change of what decides about payments. */
  putChange(change: DecisionChange): void;
  /** Records from where on a change decides. */
  putApplied(applied: AppliedChange): void;
  /** Records a proposed change, or what has become of it. */
  putProposal(proposal: DecisionProposal): void;
  /** Records a part of the text of a version. */
  putContent(version: string, at: number, part: ContentPart): void;
  /** Marks a topic as complete. */
  putEnd(topic: string, mark: EndMark): void;
  /** What to append. */
  appends(): Append[];
}

/** An empty collection of control records. Putting one that Control would not take is a defect, and throws. */
export function controlRecords(): ControlRecords {
  const records = new RecordBatchBuilder();
  const put = (key: string, value: unknown) => {
    // Readers would ignore it, and go on from the one before.
    const reason = whyNotTaken(key, value);
    if (reason) throw new Error(`control record ${key}: ${reason}`);
    records.add(
      ENCODER.encode(key),
      ENCODER.encode(JSON.stringify(value)),
      Date.UTC(1970, 0, 1),
    );
  };
  return {
    put,
    putFile: (number, stamp) => put(`file:${number}`, stamp),
    putFollower: (follower) => put(`follower:${follower.id}`, follower),
    putRequeued: (letter, place) => put(`requeued:${letter}`, place),
    putTaken: (group, partition, commit) =>
      put(`taken:${group}/${partition}`, commit),
    putChange: (change) => put(`change:${change.number}`, change),
    putApplied: (applied) =>
      put(`applied:${applied.partition}/${applied.change}`, applied),
    putContent: (version, at, part) => put(`content:${version}/${at}`, part),
    putProposal: (proposal) => put(`proposal:${proposal.number}`, proposal),
    putEnd: (topic, mark) => put(`end:${topic}`, mark),
    appends: () => [{ topic: CONTROL_TOPIC, partition: 0, records }],
  };
}
