/** The store in a real Cassandra, and what else needs one; see cluster_test.ts. */
import "./api_answers.ts";
import "./api_kills.ts";
import "./cassandra_faults.ts";
import "./cassandra_ids.ts";
import "./cassandra_store.ts";
import "./own_definition.ts";
import "./page.ts";
import "./python_clients.ts";
import "./scoring.ts";
import "./shared_servers.ts";
import "./store_positions.ts";
