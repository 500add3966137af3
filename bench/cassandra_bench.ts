/**
 * Payments a second into a real Cassandra: our store into its four tables and
 * into `transactions` alone, beside the Java driver's asynchronous inserts and
 * the Python driver's execute_concurrent (bench/peers). All write the same rows
 * of the handbook's data with their features, one after the other on the same
 * server; the rows are in memory before the clock starts.
 *
 *   deno task bench:cassandra [--runs=N] [--rows=N] [--python-rows=N]
 *     [--in-flight=256] [--no-peer]
 *
 * Results go to stdout as Markdown, what is being done to stderr.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FeatureOperator } from "../src/features/feature_operator.ts";
import { PAYMENT_CELLS, toCells } from "../src/payment/payment_cells.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../src/features/parameters.ts";
import { simulateHandbook } from "../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import {
  CassandraStore,
  openCassandraStore,
} from "../src/store/cassandra/cassandra_store.ts";
import {
  otherTables,
  tablesOf,
} from "../src/store/cassandra/cassandra_schema.ts";
import { CassandraSession } from "../src/store/cassandra/cassandra_session.ts";
import { ColumnValues } from "../src/store/cell_rows.ts";
import type { CassandraSettings } from "../src/store/cassandra/cassandra_settings.ts";
import type { Store, StoreRows } from "../src/store/store.ts";
import { emptyPayment, readTableRow } from "../src/payment/payment.ts";
import { startCassandra } from "../tests/services/cassandra_server.ts";
import { jarsOf } from "../tests/services/jar_cache.ts";
import { WITH_JAVA_HOME } from "../tests/services/java.ts";
import { pythonProblem, pythonWithClients } from "../tests/services/python.ts";
import { readFlags } from "./bench_flags.ts";
import {
  figure,
  markdownTable,
  median,
  print,
  range,
  tell,
} from "./figures.ts";
import { outputOf, processorSeconds } from "./program.ts";

const PEERS = fileURLToPath(new URL("peers/", import.meta.url));
const OF_JAVA = ["sh", "-c", `${WITH_JAVA_HOME}exec "$@"`, "sh"];
const WIDTH = PAYMENT_CELLS + featureCount(HANDBOOK_FEATURES);
const TABLES = tablesOf(HANDBOOK_FEATURES);
/** What the writer stores at once, and the partitions that it takes it from. */
const BLOCK_ROWS = 4096;
const PARTITIONS = 4;

/** One way to write, and what it is called. */
interface Contestant {
  readonly name: string;
  readonly rows: number;
  /** Writes all rows; seconds that it took, and of processor time. */
  readonly write: () => Promise<[number, number]>;
}

/** What one run gave, per second and per row. */
interface Measured {
  readonly rate: number;
  readonly ownMicros: number;
  readonly serverMicros: number;
}

async function main(): Promise<void> {
  const flags = readFlags({
    runs: 5,
    rows: 200_000,
    "python-rows": 30_000,
    "in-flight": 256,
    "no-peer": false,
  });
  await using held = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  held.defer(() => Deno.remove(folder, { recursive: true }));
  const rows = handbookRows(flags.rows);
  tell("starting Cassandra");
  const server = held.use(await startCassandra({ throughput: true }));
  const settings: CassandraSettings = {
    kind: "cassandra",
    contactPoints: [server.address],
    localDataCenter: "datacenter1",
    keyspace: "bench",
    replication: 1,
    consistency: "LOCAL_QUORUM",
    tls: undefined,
    user: undefined,
  };
  const report = (_: unknown, message: string) => tell(`  ${message}`);
  const whole = held.use(
    await openCassandraStore(settings, HANDBOOK_FEATURES, report),
  );
  const session = await CassandraSession.open(settings, report);
  const { transactions } = TABLES;
  const alone = held.use(
    new CassandraStore(session, {
      payments: { transactions },
      ...otherTables(),
    }),
  );
  const ours = (name: string, store: Store): Contestant => ({
    name,
    rows: flags.rows,
    write: () => timed(store, rows),
  });
  const contestants = [
    ours("our store, four tables", whole),
    ours("our store, transactions alone", alone),
    ...flags["no-peer"]
      ? []
      : await peers(folder, server.address, rows, settings.keyspace, flags),
  ];
  const results = new Map(
    contestants.map(({ name }) => [name, [] as Measured[]]),
  );
  // The first round has the server compile what it runs.
  for (let run = 0; run <= flags.runs; run++) {
    for (const contestant of contestants) {
      for (const table of Object.values(TABLES)) {
        await session.truncate(table);
      }
      const measured = await measure(contestant, server.pid);
      const note = run === 0 ? " (not counted)" : "";
      tell(`${contestant.name}: ${figure(measured.rate)} rows/s${note}`);
      if (run > 0) results.get(contestant.name)?.push(measured);
    }
  }
  print(resultTable(results));
}

async function measure(
  { rows, write }: Contestant,
  server: number,
): Promise<Measured> {
  const before = await processorSeconds(server);
  const [seconds, ownSeconds] = await write();
  const serverSeconds = await processorSeconds(server) - before;
  return {
    rate: rows / seconds,
    ownMicros: ownSeconds / rows * 1e6,
    serverMicros: serverSeconds / rows * 1e6,
  };
}

/** Writes blocks as the writer does: one at a time, each when the last is stored. */
async function timed(
  store: Store,
  blocks: readonly StoreRows[],
): Promise<[number, number]> {
  const began = performance.now();
  const before = process.cpuUsage();
  for (const block of blocks) await store.write(block);
  const { user, system } = process.cpuUsage(before);
  return [(performance.now() - began) / 1000, (user + system) / 1e6];
}

/** The first rows of the handbook's data, in blocks as the writer gets them: each of one partition, by terminal. */
function handbookRows(count: number): StoreRows[] {
  const { table, startSeconds } = simulateHandbook(HANDBOOK_PARAMETERS);
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const totals = new Float64Array(BLOCK_ROWS * featureCount(HANDBOOK_FEATURES));
  const layout = totalsLayout(HANDBOOK_FEATURES);
  const row = emptyPayment();
  const filling = Array.from({ length: PARTITIONS }, () => newBlock());
  const blocks: StoreRows[] = [];
  for (let from = 0; from < count; from += BLOCK_ROWS) {
    const length = Math.min(BLOCK_ROWS, count - from);
    operator.processBlock(
      length,
      {
        read: (index, row) =>
          readTableRow(table, from + index, startSeconds, row),
      },
      totals,
    );
    for (let i = 0; i < length; i++) {
      readTableRow(table, from + i, startSeconds, row);
      const partition = row.terminalId % PARTITIONS;
      const block = filling[partition];
      const at = block.count++ * WIDTH;
      toCells(row, block.cells, at);
      const values = block.cells.subarray(at + PAYMENT_CELLS, at + WIDTH);
      totalsToValues(totals, layout, values, i * values.length);
      if (block.count < BLOCK_ROWS) continue;
      blocks.push(block);
      filling[partition] = newBlock();
    }
  }
  return [...blocks, ...filling.filter(({ count }) => count > 0)];
}

function newBlock(): { cells: Float64Array; count: number } {
  return { cells: new Float64Array(BLOCK_ROWS * WIDTH), count: 0 };
}

/** The drivers of other languages, each in a process of its own. */
async function peers(
  folder: string,
  address: string,
  rows: readonly StoreRows[],
  keyspace: string,
  flags: {
    readonly rows: number;
    readonly "python-rows": number;
    readonly "in-flight": number;
  },
): Promise<Contestant[]> {
  const file = join(folder, "rows.tsv");
  await writeTsv(file, rows);
  const [host, port] = address.split(":");
  const jars = join(await jarsOf("cassandra"), "*");
  const source = join(PEERS, "cassandra", "Peer.java");
  await outputOf([...OF_JAVA, "javac", "-cp", jars, "-d", folder, source]);
  // On the class path, or the driver tells all that it does.
  await Deno.writeTextFile(
    join(folder, "logback.xml"),
    '<configuration><root level="OFF"/></configuration>',
  );
  const java = (tables: "one" | "all"): Contestant["write"] => async () => {
    const path = `${folder}:${jars}`;
    const to = [host, port, keyspace, file, String(flags["in-flight"]), tables];
    const command = ["java", "-Xmx2g", "-cp", path, "Peer", ...to];
    return secondsOf(await outputOf([...OF_JAVA, ...command]));
  };
  const found: Contestant[] = [
    { name: "Java driver, four tables", rows: flags.rows, write: java("all") },
    {
      name: "Java driver, transactions alone",
      rows: flags.rows,
      write: java("one"),
    },
  ];
  if (pythonProblem !== undefined) {
    tell(`the Python driver is left out: ${pythonProblem}`);
    return found;
  }
  const python = await pythonWithClients();
  const script = join(PEERS, "cassandra_insert.py");
  const count = Math.min(flags.rows, flags["python-rows"]);
  const to = [host, port, keyspace, file, String(count)];
  return [...found, {
    name: "Python driver, transactions alone",
    rows: count,
    write: async () => secondsOf(await outputOf([python, script, ...to])),
  }];
}

/** What a peer prints last: seconds, and seconds of processor time. */
function secondsOf(output: string): [number, number] {
  const last = output.trim().split("\n").at(-1) ?? "";
  const [seconds, processor] = last.split(" ").map(Number);
  if (seconds > 0 && processor >= 0) return [seconds, processor];
  throw new Error(`unexpected output: ${output}`);
}

/** The rows as the columns of the table of payments, names first. */
async function writeTsv(
  path: string,
  blocks: readonly StoreRows[],
): Promise<void> {
  const { columns } = TABLES.transactions;
  const columnValues = new ColumnValues(TABLES.transactions, columns);
  const encoder = new TextEncoder();
  using file = await Deno.open(path, { write: true, create: true });
  let text = columns.map(({ name }) => name).join("\t") + "\n";
  for (const block of blocks) {
    for (let row = 0; row < block.count; row++) {
      const values: (number | string | null)[] = [];
      columnValues.fill(values, 0, block, row);
      text += values.join("\t") + "\n";
    }
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
    text = "";
  }
}

function resultTable(
  results: ReadonlyMap<string, readonly Measured[]>,
): string {
  const head = [
    "payments into Cassandra",
    "rows/s, median",
    "range",
    "client's CPU, µs a row",
    "server's",
  ];
  const lines = [...results].map(([name, runs]) => {
    const rates = runs.map(({ rate }) => rate);
    return [
      name,
      figure(median(rates)),
      range(rates, (rate) => figure(rate)),
      figure(median(runs.map(({ ownMicros }) => ownMicros)), 1),
      figure(median(runs.map(({ serverMicros }) => serverMicros)), 1),
    ];
  });
  return markdownTable([head, ...lines]);
}

if (import.meta.main) await main();
