/**
 * Whole streams on a real Kafka and a real Cassandra, and what happens to them.
 * The modules define their tests when they are imported. Those of three files
 * are in three, of which two run at the same time, each with servers of its own.
 */
import "./broker_faults.ts";
import "./foreign_records.ts";
import "./label_intake.ts";
import "./processor_faults.ts";
import "./store_outage.ts";
import "./whole_stream.ts";
