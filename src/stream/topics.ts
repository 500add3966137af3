/** The topics of the pipeline and the groups that read them: a public interface. */
import type { TopicSpec } from "../log/log.ts";

/** Customer profiles, one record per customer. */
export const CUSTOMER_TOPIC = "customer_topic";
/** Terminal profiles, one record per terminal. */
export const TERMINAL_TOPIC = "terminal_topic";
/** Payments as they happen; key CUSTOMER_ID. */
export const TRANSACTION_TOPIC = "transaction_topic";
/** Packs of payments with their customer features, by terminal; internal. */
export const REPARTITION_TOPIC = "transaction_by_terminal_topic";
/** Payments with all features; key TERMINAL_ID. */
export const SINK_TOPIC = "transaction_sink_topic";
/** Scores of payments, with what made them; key TRANSACTION_ID. */
export const PREDICTION_TOPIC = "prediction_topic";
/** What people and programs say about payments, verdicts among it; key TRANSACTION_ID. */
export const LABEL_TOPIC = "label_topic";
/** Labels that the first stage has accepted, with the time from when on they can be learned from; key TRANSACTION_ID. Only where labels arrive on their own. */
export const TRANSACTION_LABEL_TOPIC = "transaction_label_topic";
/** What people have done with alerts: verdicts, claims, notes; key TRANSACTION_ID. It is never trimmed. */
export const CASE_TOPIC = "case_topic";
/** What could not be taken, with where it came from and why. */
export const DEAD_LETTER_TOPIC = "transaction_dead_letter_topic";
/** Parameters, positions and end marks of the stream; internal. */
export const CONTROL_TOPIC = "transaction_control_topic";

/** Group of `ingest`: it chooses the process that takes the source. */
export const INGEST_GROUP = "fraudstream-ingest";
/** Group of the processor's first stage, the customer windows. */
export const CUSTOMER_GROUP = "fraudstream-customer-windows";
/** Group of the processor's second stage, the terminal windows. */
export const TERMINAL_GROUP = "fraudstream-terminal-windows";
/** Group of the writer. */
export const WRITER_GROUP = "fraudstream-writer";
/** Group of the scorer. */
export const SCORER_GROUP = "fraudstream-scorer";
/** Group of the label intake, which takes what people and programs say about payments. */
export const LABEL_INTAKE_GROUP = "fraudstream-label-intake";
/** Group of the writer of labels, where they arrive later. */
export const LABEL_WRITER_GROUP = "fraudstream-label-writer";
/** Group of the writer of predictions. */
export const PREDICTION_GROUP = "fraudstream-prediction-writer";

/** Which group reads which topic, in the order of the pipeline. */
export const PIPELINE: readonly {
  /** The consumer group. */
  readonly group: string;
  /** Its input. */
  readonly topic: string;
}[] = [
  { group: CUSTOMER_GROUP, topic: TRANSACTION_TOPIC },
  { group: TERMINAL_GROUP, topic: REPARTITION_TOPIC },
  { group: WRITER_GROUP, topic: SINK_TOPIC },
];

/** Which group reads which topic after the pipeline, in a scored stream. */
export const SCORING: typeof PIPELINE = [
  { group: SCORER_GROUP, topic: SINK_TOPIC },
  { group: PREDICTION_GROUP, topic: PREDICTION_TOPIC },
];

/** Which group reads which topic where labels arrive on their own. */
export const LABELLING: typeof PIPELINE = [
  { group: LABEL_INTAKE_GROUP, topic: LABEL_TOPIC },
  { group: LABEL_WRITER_GROUP, topic: TRANSACTION_LABEL_TOPIC },
];

/** Topics that follow from each other. None of them may be created again in a stream. */
export const CHAIN: readonly string[] = [
  TRANSACTION_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  PREDICTION_TOPIC,
];

/** Names of the topics that a stream may have. */
export const TOPICS: readonly string[] = topicSpecs(1, true)
  .map(({ name }) => name);

/** All topics of a stream with `partitions` partitions; `hasLabels` where labels arrive on their own. */
export function topicSpecs(
  partitions: number,
  hasLabels = false,
): TopicSpec[] {
  const topic = (name: string, compacted: boolean, n = partitions) => ({
    name,
    partitions: n,
    compacted,
  });
  return [
    topic(CUSTOMER_TOPIC, true),
    topic(TERMINAL_TOPIC, true),
    topic(TRANSACTION_TOPIC, false),
    topic(REPARTITION_TOPIC, false),
    topic(SINK_TOPIC, false),
    topic(PREDICTION_TOPIC, false),
    topic(LABEL_TOPIC, false),
    ...hasLabels ? [topic(TRANSACTION_LABEL_TOPIC, false)] : [],
    topic(CASE_TOPIC, false),
    topic(DEAD_LETTER_TOPIC, false, 1),
    topic(CONTROL_TOPIC, true, 1),
  ];
}
