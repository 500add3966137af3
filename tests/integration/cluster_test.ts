/**
 * Whole streams on a real Kafka and a real Cassandra, and what happens to them.
 * The modules define their tests when they are imported, by one of three files:
 * cassandra_test.ts, this one and kafka_test.ts take about the same time. Two
 * run at once, each in a process with servers of its own.
 */
import "./broker_faults.ts";
import "./foreign_records.ts";
import "./kafka_label_kills.ts";
import "./label_intake.ts";
import "./late_training.ts";
import "./processor_faults.ts";
import "./store_outage.ts";
import "./whole_stream.ts";
