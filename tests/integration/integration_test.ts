/**
 * The tests that need a real Kafka or Cassandra, in one file, since Deno loads
 * every test file on its own and each would start servers of its own. The
 * modules define their tests when they are imported.
 */
import { stopShared } from "./servers.ts";
import "./broker_faults.ts";
import "./cassandra_faults.ts";
import "./cassandra_ids.ts";
import "./cassandra_store.ts";
import "./foreign_batches.ts";
import "./foreign_records.ts";
import "./kafka_commits.ts";
import "./kafka_control.ts";
import "./kafka_files.ts";
import "./kafka_follow.ts";
import "./kafka_ingest.ts";
import "./kafka_interruptions.ts";
import "./kafka_label_kills.ts";
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
import "./label_intake.ts";
import "./late_training.ts";
import "./own_definition.ts";
import "./page.ts";
import "./processor_faults.ts";
import "./python_clients.ts";
import "./scoring.ts";
import "./shared_servers.ts";
import "./store_outage.ts";
import "./store_positions.ts";
import "./whole_stream.ts";

// Deno 2.4 has no such hook; there the servers end with the process.
const hooks = Deno.test as unknown as {
  afterAll?(end: () => Promise<void>): void;
};
hooks.afterAll?.(stopShared);
