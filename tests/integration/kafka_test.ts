/** The log on a real Kafka, and what else needs one alone; see cluster_test.ts. */
import "./foreign_batches.ts";
import "./kafka_commits.ts";
import "./kafka_control.ts";
import "./kafka_files.ts";
import "./kafka_follow.ts";
import "./kafka_ingest.ts";
import "./kafka_interruptions.ts";
import "./kafka_labels.ts";
import "./kafka_late_requests.ts";
import "./kafka_log.ts";
import "./kafka_lost_answers.ts";
import "./kafka_partitions.ts";
import "./kafka_processors.ts";
import "./kafka_rights.ts";
import "./kafka_secured.ts";
import "./kafka_tools.ts";
import "./kafka_topics.ts";
