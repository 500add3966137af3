/**
 * The end check: once a stream is at rest, every count that one part of it
 * keeps must equal the count that the next part keeps. It compares what the
 * producer says it published, what each stage says it read, emitted and
 * rejected, what the log's topics hold, and what the store holds. Where the
 * store holds too few rows it looks for ids that several payments have.
 *
 * It shares no code with what it checks: it reads the control topic and the
 * commits itself, and counts the store's rows.
 */
import { counted, thousands } from "../base/counted.ts";
import type { Log } from "../log/log.ts";
import { READ_LIMIT } from "../log/log.ts";
import { recordKey, recordValue } from "../log/record_batch.ts";
import type { LabelStatus } from "../store/labels.ts";
import type { StoreStatus } from "../store/store.ts";
import type { PredictionStatus } from "../store/predictions.ts";
import { findRepeatedIds, type RepeatedIds } from "./repeated_ids.ts";
import {
  CONTROL_TOPIC,
  CUSTOMER_GROUP,
  DEAD_LETTER_TOPIC,
  LABEL_WRITER_GROUP,
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "./topics.ts";

/** What the end check reads. */
export interface EndCheckSources {
  /** The stream's log. */
  readonly log: Log;
  /** Whether an offset counts records: on Kafka offsets count the ends of transactions, too. */
  readonly offsetsCountRecords: boolean;
  /** Counts the store's rows; undefined where this process does not open the store. */
  readonly store?: (() => Promise<StoredCounts>) | undefined;
}

/** What the store holds. */
export interface StoredCounts {
  /** The payments. */
  readonly payments: StoreStatus;
  /** The predictions; undefined in a stream that is not scored. */
  readonly predictions?: PredictionStatus | undefined;
  /** The labels that arrived later than their payments; undefined where none can. */
  readonly labels?: LabelStatus | undefined;
}

/** What a stage's commits say, all partitions together. */
export interface StageCounts {
  /** Rows read. */
  readonly read: number;
  /** Rows handed on. */
  readonly emitted: number;
  /** Rows rejected. */
  readonly rejected: number;
  /** Frauds among the emitted. */
  readonly frauds: number;
  /** Labels read, where they arrive later. */
  readonly labels: number;
  /** Partitions of which it has read more than the topic holds. */
  readonly beyond: readonly number[];
}

/** All counts of a stream at rest. */
export interface StreamCounts {
  /** Payments that this program's producer published; undefined if another program publishes. */
  readonly published: number | undefined;
  /** Number of rows in the end mark of transaction_topic, if it exists. */
  readonly ended: number | undefined;
  /** The first stage, the customer windows. */
  readonly customer: StageCounts;
  /** The second stage, the terminal windows. */
  readonly terminal: StageCounts;
  /** The writer of payments. */
  readonly writer: StageCounts;
  /** The writer of labels that arrive later. */
  readonly labelWriter: StageCounts;
  /** The scorer and the writer of predictions; undefined in a stream that is not scored. */
  readonly scoring:
    | { readonly scorer: StageCounts; readonly writer: StageCounts }
    | undefined;
  /** Records ever appended to each topic; undefined where offsets do not show it. */
  readonly records: ReadonlyMap<string, number> | undefined;
  /** What the store holds; undefined where it was not read. */
  readonly stored: StoredCounts | undefined;
  /** TRANSACTION_IDs that several payments have; undefined where the store's counts gave no reason to search. */
  readonly repeated?: RepeatedIds | undefined;
  /** Whether the log still holds all rows that the processor has made: a scorer that started late could then read all of them. */
  readonly isWhole: boolean;
}

/** The outcome of an end check. */
export type EndCheckResult =
  /** Records are in flight, or a stage has no commit that can be read: nothing can be compared. */
  | { readonly kind: "in flight" }
  /** What was compared does not agree, in sentences; empty if all of it does. */
  | { readonly kind: "compared"; readonly differences: readonly string[] };

/**
 * Compares all counts of a stream whose stages have passed the same end
 * offsets. Throws LogError or StoreError if one of the two cannot be read.
 */
export async function endCheck(
  sources: EndCheckSources,
): Promise<EndCheckResult> {
  const counts = await readCounts(sources);
  if (!counts) return { kind: "in flight" };
  return { kind: "compared", differences: differencesOf(counts) };
}

const STAGES = [
  [CUSTOMER_GROUP, TRANSACTION_TOPIC],
  [TERMINAL_GROUP, REPARTITION_TOPIC],
  [WRITER_GROUP, SINK_TOPIC],
  // Without the topic, which few streams have, nothing was read.
  [LABEL_WRITER_GROUP, TRANSACTION_LABEL_TOPIC],
] as const;
const SCORING_STAGES = [
  [SCORER_GROUP, SINK_TOPIC],
  [PREDICTION_GROUP, PREDICTION_TOPIC],
] as const;
const TOPICS_READ = [
  TRANSACTION_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  PREDICTION_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  DEAD_LETTER_TOPIC,
];

/** All counts; undefined unless every stage has reached ends that do not move meanwhile. */
async function readCounts(
  sources: EndCheckSources,
): Promise<StreamCounts | undefined> {
  const { log, offsetsCountRecords } = sources;
  const ends = await readEnds(log);
  const marks = await readControl(log);
  const scored = marks.has("scoring");
  const stages: StageCounts[] = [];
  for (const [group, topic] of [...STAGES, ...scored ? SCORING_STAGES : []]) {
    const counts = await readStage(log, group, topic, ends.get(topic) ?? []);
    if (!counts) return undefined;
    stages.push(counts);
  }
  const stored = await sources.store?.();
  const [sink] = await log.topics([SINK_TOPIC]);
  if (!sameEnds(ends, await readEnds(log))) return undefined;
  const [customer, terminal, writer, labelWriter, scorer, predictions] = stages;
  const repeated = stored && stored.payments.rows < writer.emitted
    ? await findRepeatedIds(log, SINK_TOPIC)
    : undefined;
  return {
    // What a stream has taken of another one is not its producer's.
    published: marks.has("origin") && !marks.has("follow")
      ? numberOf(marks.get("position"), "nextId") ?? 0
      : undefined,
    ended: numberOf(marks.get(`end:${TRANSACTION_TOPIC}`), "rows"),
    customer,
    terminal,
    writer,
    labelWriter,
    scoring: scored ? { scorer, writer: predictions } : undefined,
    records: offsetsCountRecords ? totals(ends) : undefined,
    stored,
    repeated,
    isWhole: sink?.startOffsets.every((offset) => offset === 0) ?? true,
  };
}

async function readEnds(log: Log): Promise<Map<string, readonly number[]>> {
  const ends = new Map<string, readonly number[]>();
  for (const topic of TOPICS_READ) {
    ends.set(topic, await log.endOffsets(topic) ?? []);
  }
  return ends;
}

function sameEnds(
  before: ReadonlyMap<string, readonly number[]>,
  after: ReadonlyMap<string, readonly number[]>,
): boolean {
  return TOPICS_READ.every((topic) =>
    before.get(topic)?.join() === after.get(topic)?.join()
  );
}

function totals(
  ends: ReadonlyMap<string, readonly number[]>,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [topic, offsets] of ends) {
    sums.set(topic, offsets.reduce((sum, end) => sum + end, 0));
  }
  return sums;
}

/** The newest value of each key of the control topic; values that are not JSON objects are ignored. */
async function readControl(log: Log): Promise<Map<string, unknown>> {
  const decoder = new TextDecoder();
  const values = new Map<string, unknown>();
  for (let offset = 0;;) {
    const batch = await log.read(CONTROL_TOPIC, 0, offset, READ_LIMIT);
    for (let i = 0; i < batch.count; i++) {
      const key = decoder.decode(recordKey(batch, i));
      const value = parsedJson(decoder.decode(recordValue(batch, i)));
      // Records of other programs are ignored.
      if (isOurs(key, value)) values.set(key, value);
    }
    if (batch.next === offset) return values;
    offset = batch.next;
  }
}

/** Whether a value has the fields that its key needs. */
function isOurs(key: string, value: unknown): boolean {
  if (key === "position") return numberOf(value, "nextId") !== undefined;
  if (key.startsWith("end:")) return numberOf(value, "rows") !== undefined;
  if (key === "origin") return numberOf(value, "startSeconds") !== undefined;
  if (key !== "scoring") return true;
  return (value as { on?: unknown } | null | undefined)?.on === true;
}

/** A stage's counts, if all its partitions have reached these ends. */
async function readStage(
  log: Log,
  group: string,
  topic: string,
  ends: readonly number[],
): Promise<StageCounts | undefined> {
  const commits = await log.committed(group, topic);
  let sum: StageCounts = {
    read: 0,
    emitted: 0,
    rejected: 0,
    frauds: 0,
    labels: 0,
    beyond: [],
  };
  for (const [partition, end] of ends.entries()) {
    const commit = commits[partition];
    if ((commit?.offset ?? 0) < end) return undefined;
    if (!commit) continue;
    const metadata = parsedJson(commit.metadata);
    const counters = (metadata as { counters?: unknown })?.counters;
    const read = numberOf(counters, "read");
    const emitted = numberOf(counters, "emitted");
    const rejected = numberOf(counters, "deadLettered");
    const frauds = numberOf(counters, "frauds");
    if (
      read === undefined || emitted === undefined || rejected === undefined ||
      frauds === undefined
    ) return undefined;
    // Records that were accepted as missing count as read.
    const missing = numberOf(metadata, "missing") ?? 0;
    sum = {
      read: sum.read + read + missing,
      emitted: sum.emitted + emitted,
      rejected: sum.rejected + rejected,
      frauds: sum.frauds + frauds,
      labels: sum.labels + (numberOf(counters, "labels") ?? 0),
      beyond: commit.offset > end ? [...sum.beyond, partition] : sum.beyond,
    };
  }
  return sum;
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // another program's; the stages report it themselves
  }
}

function numberOf(value: unknown, name: string): number | undefined {
  const found = (value as Record<string, unknown> | undefined)?.[name];
  return typeof found === "number" ? found : undefined;
}

/**
 * The differences, in sentences; empty if everything agrees. Records that other
 * programs append add to what is read, so that some counts are bounds.
 */
export function differencesOf(counts: StreamCounts): string[] {
  const { published, ended, customer, terminal, writer, scoring } = counts;
  const { records, stored } = counts;
  const found: string[] = [];
  const expect = (holds: boolean, sentence: string) => {
    if (!holds) found.push(sentence);
  };
  const number = thousands;
  const payments = (count: number) => counted(count, "payment");
  found.push(...beyondEnds(counts));
  if (published !== undefined) {
    expect(
      customer.read >= published,
      `the producer published ${payments(published)}, the customer ` +
        `windows read ${number(customer.read)}`,
    );
    expect(
      ended === undefined || ended === published,
      `the end mark of ${TRANSACTION_TOPIC} names ${number(ended ?? 0)} ` +
        `payments, the producer published ${number(published)}`,
    );
  }
  expect(
    terminal.emitted === customer.emitted,
    `the customer windows emitted ${payments(customer.emitted)}, the ` +
      `terminal windows ${number(terminal.emitted)}`,
  );
  expect(
    writer.read >= terminal.emitted,
    `the terminal windows emitted ${payments(terminal.emitted)}, the ` +
      `writer read ${number(writer.read)}`,
  );
  // A store holds the last of several payments with one id.
  const surplus = counts.repeated?.surplus ?? 0;
  if (counts.repeated && surplus > 0) {
    found.push(repeatedSentence(counts.repeated, number));
  }
  if (stored) {
    const { rows, frauds } = stored.payments;
    expect(
      rows === writer.emitted - surplus,
      `the writer stored ${payments(writer.emitted)}, the store holds ` +
        `${number(rows)}: ${storeCause(rows, writer.emitted)}`,
    );
    const { labels } = stored;
    expect(
      rows !== writer.emitted || frauds === writer.frauds || !!labels,
      `the writer stored ${counted(writer.frauds, "fraud")}, the store holds ` +
        `${
          number(frauds)
        }: rows were changed; './fraudstream rebuild' stores ` +
        `them again`,
    );
  }
  expect(
    counts.labelWriter.read >= customer.labels,
    "the customer windows passed " +
      `${counted(customer.labels, "label")} on, their writer read ` +
      number(counts.labelWriter.read),
  );
  const labels = stored?.labels?.rows;
  expect(
    labels === undefined || labels === counts.labelWriter.emitted,
    `the writer stored ${counted(counts.labelWriter.emitted, "label")}, the ` +
      `store holds ${number(labels ?? 0)}: ` +
      storeCause(labels ?? 0, counts.labelWriter.emitted),
  );
  if (scoring) {
    const { scorer, writer: predictions } = scoring;
    expect(
      scorer.read === writer.read ||
        !counts.isWhole && scorer.read < writer.read,
      `the writer read ${payments(writer.read)}, the scorer ` +
        `${number(scorer.read)}`,
    );
    expect(
      predictions.read >= scorer.emitted,
      `the scorer emitted ${number(scorer.emitted)} predictions, their ` +
        `writer read ${number(predictions.read)}`,
    );
    const rows = stored?.predictions?.rows;
    expect(
      rows === undefined || rows === predictions.emitted - surplus,
      `the writer stored ${number(predictions.emitted)} predictions, the ` +
        `store holds ${number(rows ?? 0)}: ` +
        storeCause(rows ?? 0, predictions.emitted),
    );
  }
  if (records) found.push(...logDifferences(counts, records, number));
  return found;
}

/** Stages beyond the end of their topic: it was truncated or created again. */
function beyondEnds(
  { customer, terminal, writer, labelWriter, scoring }: StreamCounts,
): string[] {
  const stages = [
    ["the customer windows", TRANSACTION_TOPIC, customer],
    ["the terminal windows", REPARTITION_TOPIC, terminal],
    ["the writer", SINK_TOPIC, writer],
    ["the writer of labels", TRANSACTION_LABEL_TOPIC, labelWriter],
    ["the scorer", SINK_TOPIC, scoring?.scorer],
    ["the writer of predictions", PREDICTION_TOPIC, scoring?.writer],
  ] as const;
  return stages.flatMap(([name, topic, stage]) =>
    (stage?.beyond ?? []).map((partition) =>
      `${name} stood behind the end of ${topic} partition ${partition}: ` +
      `records were deleted, or the topic was created again`
    )
  );
}

function repeatedSentence(
  { ids, surplus, examples }: RepeatedIds,
  number: (count: number) => string,
): string {
  const names = `${examples.join(", ")}${ids > examples.length ? ", …" : ""}`;
  const used = ids === 1
    ? `1 TRANSACTION_ID is used by more than one payment (${names})`
    : `${number(ids)} TRANSACTION_IDs are used by more than one payment ` +
      `(${names})`;
  const lacking = counted(surplus, "payment");
  return `${used}: the store holds the last of each and lacks ${lacking}`;
}

function storeCause(rows: number, written: number): string {
  return rows > written
    ? "another program has added rows, or an older stream's were left; " +
      "'./fraudstream rebuild' stores exactly this stream's"
    : "rows were deleted; './fraudstream status --verify' says which";
}

/** What the stages read against what the topics hold, where an offset counts records. */
function logDifferences(
  { customer, terminal, writer, labelWriter, scoring }: StreamCounts,
  records: ReadonlyMap<string, number>,
  number: (count: number) => string,
): string[] {
  const rejected = customer.rejected + terminal.rejected + writer.rejected +
    labelWriter.rejected + (scoring?.writer.rejected ?? 0);
  const expected = [
    [TRANSACTION_TOPIC, "the customer windows read", customer.read, "equal"],
    [SINK_TOPIC, "the writer read", writer.read, "equal"],
    [
      TRANSACTION_LABEL_TOPIC,
      "the writer of labels read",
      labelWriter.read,
      "equal",
    ],
    [SINK_TOPIC, "the terminal windows emitted", terminal.emitted, "at least"],
    [
      PREDICTION_TOPIC,
      "the scorer emitted",
      scoring?.scorer.emitted ?? 0,
      "at least",
    ],
    [DEAD_LETTER_TOPIC, "the stages rejected", rejected, "at least"],
  ] as const;
  return expected.flatMap(([topic, who, count, relation]) => {
    const held = records.get(topic) ?? 0;
    const agrees = relation === "equal" ? held === count : held >= count;
    return agrees ? [] : [
      `${topic} was given ${number(held)} records, ${who} ${number(count)}`,
    ];
  });
}
