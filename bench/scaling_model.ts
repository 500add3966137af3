/**
 * What a stream of so many payments a second needs, from rates measured on one
 * machine: the formulae of docs/SCALING.md, and a simulation, second by second,
 * of what happens when a process dies. All of it is plain arithmetic: the same
 * numbers give the same tables, and a test compares them with the page.
 *
 *   deno run bench/scaling_model.ts     prints the page's tables
 */
import { figure, markdownTable, print } from "./figures.ts";

/** What has been measured; docs/SCALING.md says by which command. */
export interface Rates {
  /** Microseconds of a core that the processor takes for a payment, both stages. */
  readonly processorMicros: number;
  /** … that reading a payment again takes in the first stage. */
  readonly customerReplayMicros: number;
  /** … and in the second. */
  readonly terminalReplayMicros: number;
  /** … that the writer takes for a row. */
  readonly writerMicros: number;
  /** … that one broker takes for a payment on its way through all topics, each record once. */
  readonly brokerMicros: number;
  /** Milliseconds of a core that a broker takes for a small transaction. */
  readonly transactionMillis: number;
  /** Microseconds that one Cassandra node takes for a row in all tables. */
  readonly storeMicros: number;
  /** Bytes of a payment in transaction_topic. */
  readonly paymentBytes: number;
  /** … in transaction_by_terminal_topic. */
  readonly packedBytes: number;
  /** … in transaction_sink_topic. */
  readonly sinkBytes: number;
  /** Bytes of a row on the disk of a Cassandra node, all tables. */
  readonly storedBytes: number;
  /** Bytes of memory of a payment in the ledger of duplicates. */
  readonly ledgerBytes: number;
  /** … in the windows of its customer. */
  readonly customerBytes: number;
  /** … in the windows of its terminal. */
  readonly terminalBytes: number;
}

/** Measured on 2 cores of an AMD EPYC, Kafka and Cassandra on the same two. */
export const MEASURED: Rates = {
  processorMicros: 6.5,
  customerReplayMicros: 2.3,
  terminalReplayMicros: 1,
  writerMicros: 72,
  brokerMicros: 6.4,
  transactionMillis: 2.2,
  storeMicros: 129,
  paymentBytes: 211,
  packedBytes: 112,
  sinkBytes: 712,
  storedBytes: 183,
  ledgerBytes: 41,
  customerBytes: 10.3,
  terminalBytes: 6.1,
};

/** What is assumed of a cluster, not measured. */
export interface Cluster {
  /** Copies of every record and row. */
  readonly replication: number;
  /** Share of a core that is used on an average day. */
  readonly utilisation: number;
  /** Memory of a process for its state, bytes. */
  readonly processBytes: number;
  /** Days of the sink topic that are kept; the others as long as a replay needs them. */
  readonly sinkDays: number;
  /** Bytes on the disks of one broker. */
  readonly brokerDiskBytes: number;
  /** Bytes per second that a broker reads from its disks. */
  readonly readBytesPerSecond: number;
  /** Bytes per second of state that a process loads from snapshots. */
  readonly loadBytesPerSecond: number;
  /** Steps of a partition a second, where its payments are few. */
  readonly stepsASecond: number;
  /** Silence after which a process is taken for dead, seconds. */
  readonly detectSeconds: number;
  /** Time between two snapshots, seconds. */
  readonly snapshotSeconds: number;
}

/** A cluster as one would rent it. */
export const CLUSTER: Cluster = {
  replication: 3,
  utilisation: 0.5,
  processBytes: 16 * 2 ** 30,
  sinkDays: 7,
  brokerDiskBytes: 4e12,
  readBytesPerSecond: 500e6,
  loadBytesPerSecond: 500e6,
  stepsASecond: 10,
  detectSeconds: 30,
  snapshotSeconds: 600,
};

const DAY = 86_400;
/** Days that the customer windows keep: the longest window and an hour of lateness. */
const CUSTOMER_DAYS = 30 + 1 / 24;
/** Days that the ledger of duplicates keeps, --dedupe. */
const LEDGER_DAYS = 2;
/** Days that the first stage reads again: a payment in reach was judged by the ledger of its time. */
const CUSTOMER_REPLAY_DAYS = CUSTOMER_DAYS + LEDGER_DAYS;
/** Days that the second stage keeps and reads again: label delay, longest window, drift. */
const TERMINAL_DAYS = 7 + 30 + 7;
/** A partition's rows of the second stage come in packs; both stages have as many partitions. */
const PARTITIONS_A_PROCESS = 4;
const STAGES = 2;

/** Processes that are enough where the state is small. */
const FEW_PROCESSES = 4;
/** The default data set's payments of a card and of a terminal a day. */
const PAYMENTS_A_CARD = 1.92;
const PAYMENTS_A_TERMINAL = 0.96;
/** Windows by boundaries: bytes of a key, boundaries behind the newest payment. */
const KEY_BYTES = 64;
const CUSTOMER_BOUNDARIES = 3;
const TERMINAL_BOUNDARIES = 4;

/** What a stream needs. */
export interface Needs {
  /** Cores at work in processors, writers, brokers and store, replicas included. */
  readonly cores: {
    /** Processors. */
    readonly processor: number;
    /** Writers. */
    readonly writer: number;
    /** Brokers, by payments. */
    readonly broker: number;
    /** Brokers, by the transactions of all partitions. */
    readonly transactions: number;
    /** Cassandra nodes. */
    readonly store: number;
  };
  /** Bytes of the windows and ledgers of all processes. */
  readonly stateBytes: number;
  /** Processes (a thread each) that have the cores and the memory. */
  readonly processes: number;
  /** Partitions, so that a failed process is shared by several others. */
  readonly partitions: number;
  /** Bytes a second from clients into brokers, between brokers, out to clients. */
  readonly network: {
    /** Into brokers. */
    readonly in: number;
    /** Between brokers. */
    readonly between: number;
    /** Out to consumers. */
    readonly out: number;
  };
  /** Bytes a day that are written to the brokers' disks. */
  readonly logBytesADay: number;
  /** Bytes on the brokers' disks in the long run. */
  readonly logBytes: number;
  /** Brokers that have the disks for it, at least as many as there are replicas. */
  readonly brokers: number;
  /** Bytes a day that come to the disks of the store. */
  readonly storeBytesADay: number;
  /** Seconds that each process takes to load its snapshots. */
  readonly loadSeconds: number;
  /** Payments that are read again when everything starts anew. */
  readonly replayRows: number;
  /** Seconds that takes, all processes at once, by their cores alone. */
  readonly replaySeconds: number;
  /** The same on as few processes as the cores would allow. */
  readonly replaySecondsByCores: number;
  /** Seconds that the brokers' disks take to give these payments. */
  readonly replaySecondsByDisks: number;
}

/** What `perSecond` payments a second, day and night, need. */
export function needsOf(
  perSecond: number,
  rates: Rates,
  cluster: Cluster,
): Needs {
  const { replication, utilisation } = cluster;
  const aDay = perSecond * DAY;
  const cores = (micros: number) => perSecond * micros / 1e6 / utilisation;
  const stateBytes = aDay * bytesOfAPaymentADay(rates);
  const processorCores = cores(rates.processorMicros);
  const byCores = Math.max(1, Math.ceil(processorCores));
  const byMemory = Math.ceil(stateBytes / cluster.processBytes);
  const processes = Math.max(byCores, byMemory);
  const partitions = PARTITIONS_A_PROCESS * processes;
  const steps = Math.min(cluster.stepsASecond, perSecond / partitions);
  const transactions = STAGES * partitions * steps;
  const { paymentBytes, packedBytes, sinkBytes } = rates;
  const written = paymentBytes + packedBytes + sinkBytes;
  const customerRows = aDay * CUSTOMER_REPLAY_DAYS;
  const terminalRows = aDay * TERMINAL_DAYS;
  const replaySeconds = (customerRows * rates.customerReplayMicros +
    terminalRows * rates.terminalReplayMicros) / 1e6;
  const logBytes = aDay * replication *
    (paymentBytes * CUSTOMER_REPLAY_DAYS + packedBytes * TERMINAL_DAYS +
      sinkBytes * cluster.sinkDays);
  const brokers = Math.max(
    replication,
    Math.ceil(logBytes / cluster.brokerDiskBytes),
  );
  const replayBytes = customerRows * paymentBytes + terminalRows * packedBytes;
  return {
    cores: {
      processor: processorCores,
      writer: cores(rates.writerMicros),
      broker: cores(rates.brokerMicros) * replication,
      transactions: transactions * rates.transactionMillis / 1000 /
        utilisation,
      store: cores(rates.storeMicros) * replication,
    },
    stateBytes,
    processes,
    partitions,
    network: {
      in: perSecond * written,
      between: perSecond * written * (replication - 1),
      out: perSecond * written, // each topic has one reader
    },
    logBytesADay: aDay * written * replication,
    logBytes,
    brokers,
    storeBytesADay: aDay * rates.storedBytes * replication,
    loadSeconds: stateBytes / processes / cluster.loadBytesPerSecond,
    replayRows: customerRows + terminalRows,
    replaySeconds: replaySeconds / processes,
    replaySecondsByCores: replaySeconds / byCores,
    replaySecondsByDisks: replayBytes / brokers / cluster.readBytesPerSecond,
  };
}

/** Bytes of state that one payment a day keeps in memory in the long run. */
function bytesOfAPaymentADay(rates: Rates): number {
  return LEDGER_DAYS * rates.ledgerBytes +
    CUSTOMER_DAYS * rates.customerBytes +
    TERMINAL_DAYS * rates.terminalBytes;
}

/** Payments per second whose state one process has the memory for. */
export function carriedPerSecond(rates: Rates, cluster: Cluster): number {
  return cluster.processBytes / (DAY * bytesOfAPaymentADay(rates));
}

/** How a partition's state comes to the process that takes it over. */
export type Restoring = "replay" | "snapshot" | "standby";

/** How a failure is got over. */
export interface Recovery {
  /** Seconds until the state of the lost partitions is there again. */
  readonly restoredSeconds: number;
  /** Seconds until no payment waits; undefined if that is never. */
  readonly recoveredSeconds: number | undefined;
}

const SIMULATED_MAX = 30 * DAY;

/**
 * One of the processes dies at second 0; when that is noticed the others, each
 * a core, take its partitions, restore them and work off what has come
 * meanwhile, with what their own share of the payments leaves them. A second
 * is a step; everything is a function of the arguments.
 */
export function simulateFailure(
  perSecond: number,
  processes: number,
  restoring: Restoring,
  rates: Rates,
  cluster: Cluster,
): Recovery {
  // By survivor: what it has to do for the part that it takes over.
  const own = perSecond / processes;
  const takers = Math.min(processes - 1, PARTITIONS_A_PROCESS);
  const taken = own / takers;
  let work = restoreSeconds(taken, restoring, rates, cluster); // core seconds
  let wait = restoring === "snapshot" // not the core's, but the network's
    ? taken * DAY * bytesOfAPaymentADay(rates) / cluster.loadBytesPerSecond
    : 0;
  const second = rates.processorMicros / 1e6; // core seconds of a payment
  const spare = 1 - own * second;
  let waiting = 0; // payments of the lost part that have come and wait
  let restored = 0;
  for (let at = 0; at < SIMULATED_MAX; at++) {
    waiting += taken;
    if (at < cluster.detectSeconds) continue;
    let budget = spare;
    if (wait > 0) {
      const waited = Math.min(wait, 1);
      wait -= waited;
      budget *= 1 - waited;
    }
    const restores = Math.min(work, budget);
    work -= restores;
    budget -= restores;
    if (work > 1e-9 || wait > 1e-9) continue;
    if (restored === 0) restored = at + 1;
    waiting -= Math.min(waiting, budget / second);
    if (waiting < 1) {
      return { restoredSeconds: restored, recoveredSeconds: at + 1 };
    }
  }
  return {
    restoredSeconds: restored || Infinity,
    recoveredSeconds: undefined,
  };
}

/** Core seconds until the state of `perSecond` payments a second is restored. */
function restoreSeconds(
  perSecond: number,
  restoring: Restoring,
  rates: Rates,
  { snapshotSeconds }: Cluster,
): number {
  const { customerReplayMicros, terminalReplayMicros } = rates;
  const replay = (customerSeconds: number, terminalSeconds: number) =>
    perSecond * (customerSeconds * customerReplayMicros +
      terminalSeconds * terminalReplayMicros) /
    1e6;
  switch (restoring) {
    case "replay":
      return replay(CUSTOMER_REPLAY_DAYS * DAY, TERMINAL_DAYS * DAY);
    case "snapshot":
      return replay(snapshotSeconds, snapshotSeconds);
    case "standby":
      return 0; // it has read along
  }
}

/** Rates of the page's tables, payments a second. */
export const SHOWN: readonly number[] = [200, 1_000, 10_000, 100_000];

/** The page's tables as Markdown, by their name. */
export function tables(
  rates: Rates,
  cluster: Cluster,
): Readonly<Record<"rates" | "needs" | "failure" | "boundaries", string>> {
  return {
    rates: ratesTable(rates),
    needs: needsTable(rates, cluster),
    failure: failureTable(rates, cluster),
    boundaries: boundariesTable(rates, cluster),
  };
}

function ratesTable(rates: Rates): string {
  const row = (what: string, name: keyof Rates, unit: string) => [
    what,
    name,
    `${rates[name]} ${unit}`,
  ];
  return markdownTable([
    ["measured", "name", "value"],
    row("processor, both stages, per payment", "processorMicros", "µs"),
    row("replay of stage 1, per payment", "customerReplayMicros", "µs"),
    row("replay of stage 2, per payment", "terminalReplayMicros", "µs"),
    row("writer, per row", "writerMicros", "µs"),
    row("broker, per payment through all topics", "brokerMicros", "µs"),
    row("broker, per small transaction", "transactionMillis", "ms"),
    row("Cassandra, per row in all tables", "storeMicros", "µs"),
    row("payment in transaction_topic", "paymentBytes", "bytes"),
    row("… in transaction_by_terminal_topic", "packedBytes", "bytes"),
    row("… in transaction_sink_topic", "sinkBytes", "bytes"),
    row("row on Cassandra's disk, all tables", "storedBytes", "bytes"),
    row("payment in the ledger, memory", "ledgerBytes", "bytes"),
    row("… in its customer's windows", "customerBytes", "bytes"),
    row("… in its terminal's windows", "terminalBytes", "bytes"),
  ]);
}

function needsTable(rates: Rates, cluster: Cluster): string {
  const needs = SHOWN.map((perSecond) => needsOf(perSecond, rates, cluster));
  const row = (what: string, of: (needs: Needs) => string) => [
    what,
    ...needs.map(of),
  ];
  return markdownTable([
    ["payments per second", ...SHOWN.map((perSecond) => figure(perSecond))],
    row("cores: processors", ({ cores }) => short(cores.processor)),
    row("cores: writers", ({ cores }) => short(cores.writer)),
    row("cores: brokers, for payments", ({ cores }) => short(cores.broker)),
    row("… for transactions", ({ cores }) => short(cores.transactions)),
    row("cores: Cassandra", ({ cores }) => short(cores.store)),
    row("memory: state of all processors", (n) => bytes(n.stateBytes)),
    row("processes with that much memory", (n) => figure(n.processes)),
    row("partitions", ({ partitions }) => figure(partitions)),
    row("network into brokers, per second", (n) => bytes(n.network.in)),
    row("… between brokers", ({ network }) => bytes(network.between)),
    row("… out of brokers", ({ network }) => bytes(network.out)),
    row("brokers' disks, written per day", (n) => bytes(n.logBytesADay)),
    row("brokers' disks, in total", (n) => bytes(n.logBytes)),
    row("brokers with that much disk", ({ brokers }) => figure(brokers)),
    row("Cassandra's disks, per day", (n) => bytes(n.storeBytesADay)),
    row("restart: snapshots to load, per process", (n) => {
      return duration(n.loadSeconds);
    }),
    row("rows of a full replay", (n) => count(n.replayRows)),
    row("… on the cores of these processes", (n) => duration(n.replaySeconds)),
    row("… on as few cores as the load needs", (n) => {
      return duration(n.replaySecondsByCores);
    }),
    row("… from the brokers' disks", (n) => duration(n.replaySecondsByDisks)),
  ]);
}

function failureTable(rates: Rates, cluster: Cluster): string {
  const restorings: Restoring[] = ["replay", "snapshot", "standby"];
  const rows = SHOWN.flatMap((perSecond) => {
    const { processes } = needsOf(perSecond, rates, cluster);
    const numbers = new Set([FEW_PROCESSES, Math.max(2, processes)]);
    return [...numbers].map((number) => {
      const recoveries = restorings.map((restoring) =>
        simulateFailure(perSecond, number, restoring, rates, cluster)
      );
      return [
        figure(perSecond),
        figure(number),
        ...recoveries.map(({ recoveredSeconds = Infinity }) =>
          duration(recoveredSeconds)
        ),
      ];
    });
  });
  const head = ["payments per second", "processes", ...restorings];
  return markdownTable([head, ...rows]);
}

/**
 * Windows by boundaries, which are not built: a stage keeps a count and a sum a
 * key and window, and reads its topic once more at every boundary of a window
 * to take out what leaves it. The ledger stays as it is.
 */
function boundariesTable(rates: Rates, cluster: Cluster): string {
  const columns = SHOWN.map((perSecond) => {
    const aDay = perSecond * DAY;
    const keys = aDay / PAYMENTS_A_CARD + aDay / PAYMENTS_A_TERMINAL;
    const stateBytes = keys * KEY_BYTES +
      aDay * LEDGER_DAYS * rates.ledgerBytes;
    const { paymentBytes, packedBytes, sinkBytes } = rates;
    const out = paymentBytes * (1 + CUSTOMER_BOUNDARIES) +
      packedBytes * (1 + TERMINAL_BOUNDARIES) + sinkBytes;
    const micros = rates.processorMicros +
      rates.customerReplayMicros * CUSTOMER_BOUNDARIES +
      rates.terminalReplayMicros * TERMINAL_BOUNDARIES;
    return [
      bytes(stateBytes),
      figure(Math.ceil(stateBytes / cluster.processBytes)),
      short(perSecond * micros / 1e6 / cluster.utilisation),
      bytes(perSecond * out),
    ];
  });
  const names = [
    "memory: state of all processors",
    "processes with that much memory",
    "cores: processors",
    "network out of brokers, per second",
  ];
  return markdownTable([
    ["payments per second", ...SHOWN.map((perSecond) => figure(perSecond))],
    ...names.map((name, i) => [name, ...columns.map((column) => column[i])]),
  ]);
}

function short(value: number): string {
  return figure(value, value < 0.1 ? 3 : value < 10 ? 1 : 0);
}

function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${short(rest)} ${units[unit]}`.trim();
}

function bytes(value: number): string {
  return scaled(value, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

function count(value: number): string {
  return scaled(value, ["", "thousand", "million", "billion"]);
}

function duration(seconds: number): string {
  if (seconds === Infinity) return "never";
  if (seconds < 120) return `${short(seconds)} s`;
  if (seconds < 120 * 60) return `${short(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${short(seconds / 3600)} h`;
  return `${short(seconds / DAY)} days`;
}

if (import.meta.main) {
  for (const table of Object.values(tables(MEASURED, CLUSTER))) {
    print(`${table}\n`);
  }
}
