/** What runs where, topic by topic and partition by partition. */
import type { Log, TopicState } from "../../log/log.ts";
import { parseCommit, type StageCounters } from "../../stream/commit.ts";
import {
  LABELLING,
  PIPELINE,
  SCORING,
  TOPICS,
  TRANSACTION_LABEL_TOPIC,
} from "../../stream/topics.ts";
import systemJs from "../page/system.js" with { type: "text" };
import {
  type Page,
  type PageView,
  type ServerFacts,
  shared,
} from "./page_view.ts";

/** How far a stage is in a partition. */
export interface PartitionView {
  /** Its number. */
  readonly partition: number;
  /** Offset of the next record to take. */
  readonly offset: number;
  /** Offset behind the last record. */
  readonly end: number;
  /** Greatest TX_TIME_SECONDS taken. */
  readonly progress: number;
  /** What has been done. */
  readonly counters: StageCounters;
}

/** A consumer group and its partitions. */
export interface GroupView {
  /** Its name. */
  readonly group: string;
  /** The topic that it reads. */
  readonly topic: string;
  /** Its partitions. */
  readonly partitions: readonly PartitionView[];
}

/** Topics and groups as they stand. */
export interface LogView {
  /** The existing topics. */
  readonly topics: readonly TopicState[];
  /** The groups of the pipeline. */
  readonly groups: readonly GroupView[];
}

/** The answers of this view, by path. */
export interface SystemAnswers {
  /** The log, the process and the page's server. */
  readonly "/api/system": LogView & Page["process"] & {
    /** Bytes. */
    readonly memory: {
      /** Of the process. */
      readonly residentBytes: number;
      /** Of the heap of the page's thread. */
      readonly pageHeapBytes: number;
    };
    /** The page's server. */
    readonly page: ServerFacts;
  };
}

/** The view "System". */
export const system: PageView = {
  scripts: { "system.js": systemJs },
  tab: { name: "system", title: "System" },
  serve(router, { log, process, server }) {
    const { get } = router<SystemAnswers>();
    const logView = shared(() => readLogView(log));
    get("/api/system", async () => {
      const { rss, heapUsed } = Deno.memoryUsage();
      return {
        ...await logView(),
        ...process,
        memory: { residentBytes: rss, pageHeapBytes: heapUsed },
        page: server(),
      };
    });
  },
};

/** Reads how topics and groups stand. */
async function readLogView(log: Log): Promise<LogView> {
  const topics = await log.topics(TOPICS);
  const groups: GroupView[] = [];
  // Only a stream whose labels arrive on their own has their topic.
  const hasLabels = topics.some(({ name }) => name === TRANSACTION_LABEL_TOPIC);
  const stages = [...PIPELINE, ...SCORING, ...hasLabels ? LABELLING : []];
  for (const { group, topic } of stages) {
    const ends = topics.find(({ name }) => name === topic)?.endOffsets ?? [];
    const commits = await log.committed(group, topic);
    // A stream that is not scored has no scorer to be behind.
    const scores = SCORING.some((stage) => stage.group === group);
    if (scores && commits.every((commit) => !commit)) continue;
    const partitions = ends.map((end, partition) => {
      const { progress = 0, counters } = parseCommit(commits[partition]);
      const offset = commits[partition]?.offset ?? 0;
      return { partition, offset, end, progress, counters };
    });
    groups.push({ group, topic, partitions });
  }
  return { topics, groups };
}
