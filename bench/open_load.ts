/**
 * An open load of payments on POST /v1/score, in its own process: requests are
 * due at times that do not depend on the answers. The latency of a request is
 * counted from when it was due, so a server that stalls is charged for every
 * request that it kept waiting (no coordinated omission). bench/api_bench.ts
 * starts it with a LoadPlan in JSON as its only argument and reads a LoadResult
 * from its stdout.
 */
import process from "node:process";
import { DatetimeFormatter } from "../src/payment/calendar.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import { openSimulation } from "../src/simulator/simulation.ts";
import { print } from "./figures.ts";
import { HttpConnection } from "./http_connection.ts";

/** A while of one rate. */
export interface LoadPhase {
  /** Requests per second. */
  readonly rate: number;
  /** How long. */
  readonly seconds: number;
}

/** What to do. */
export interface LoadPlan {
  /** Port of 127.0.0.1 to send to. */
  readonly port: number;
  /** The phases, one behind the other. */
  readonly phases: readonly LoadPhase[];
  /** Whether requests are due at random times (a Poisson process) or evenly. */
  readonly arrivals: "poisson" | "fixed";
  /** TRANSACTION_ID of the first payment; the others follow. */
  readonly firstId: number;
  /** How many connections there are at most. */
  readonly connections: number;
}

/** Percentiles of some latencies, in milliseconds; null of none. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** One second of a load, or a whole phase. */
export interface LoadSpan {
  /** How many requests were due. */
  readonly due: number;
  /** Answers by status; 0 for requests without one. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of answers with status 200, from when the request was due. */
  readonly sinceDue: Percentiles;
  /** Of answers with status 200, from when the request was sent. */
  readonly sinceSent: Percentiles;
  /** Of all other answers, from when the request was due. */
  readonly others: Percentiles;
}

/** What came of a load. */
export interface LoadResult {
  /** The phases. */
  readonly phases: readonly LoadSpan[];
  /** The seconds of all phases. */
  readonly seconds: readonly LoadSpan[];
  /** How late requests were sent, of those that found a free connection: the precision of this program. */
  readonly lateness: Percentiles;
  /** Seconds of processor time that the load took, user and system. */
  readonly processorSeconds: number;
  /** Seconds from the first due request to the last answer. */
  readonly elapsedSeconds: number;
}

/** How long the last answers are waited for. */
const DRAIN_MS = 15_000;
const SECOND = 1000;
const NEVER = NaN;

/** The exact percentiles of some values: the smallest of which a share is not above. */
export function percentilesOf(values: Iterable<number>): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return {
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
  };
}

/** When each request is due, in milliseconds from the start. */
export function dueTimes(
  phases: readonly LoadPhase[],
  arrivals: "poisson" | "fixed",
  random: () => number = Math.random,
): Float64Array {
  const times: number[] = [];
  let start = 0;
  for (const { rate, seconds } of phases) {
    const gap = SECOND / rate;
    const end = start + seconds * SECOND;
    const wait = () =>
      arrivals === "fixed" ? gap : -gap * Math.log(1 - random());
    const first = arrivals === "fixed" ? 0 : wait();
    for (let at = start + first; at < end; at += wait()) times.push(at);
    start = end;
  }
  return Float64Array.from(times);
}

/** The bodies of requests: payments of the simulator's customers at its terminals, at the time of the clock. */
export class PaymentBodies {
  readonly #customers: number[] = [];
  readonly #terminals: number[] = [];
  readonly #amounts: number[] = [];
  readonly #firstId: number;
  readonly #formatter = new DatetimeFormatter();
  #second = NaN;
  #datetime = "";

  /** Draws `count` payments with ids from `firstId` on. */
  constructor(count: number, firstId: number) {
    this.#firstId = firstId;
    const parameters = { ...HANDBOOK_PARAMETERS, days: 0 };
    const seed = `payments from ${firstId}`;
    const rng = "seedrandom";
    const simulation = openSimulation({ parameters, rng, seed });
    for (let day = 0; this.#amounts.length < count; day++) {
      const table = simulation.day(day, 0);
      for (let i = 0; i < table.length; i++) {
        this.#customers.push(table.customerId[i]);
        this.#terminals.push(table.terminalId[i]);
        this.#amounts.push(table.amount[i]);
      }
    }
  }

  /** Payment `index`, as it happens now. */
  body(index: number): string {
    const second = Math.floor(Date.now() / SECOND);
    if (second !== this.#second) {
      this.#second = second;
      this.#datetime = this.#formatter.format(second);
    }
    return `{"TRANSACTION_ID":${this.#firstId + index},"TX_DATETIME":"` +
      `${this.#datetime}","CUSTOMER_ID":${this.#customers[index]},` +
      `"TERMINAL_ID":${this.#terminals[index]},` +
      `"TX_AMOUNT":${this.#amounts[index]}}`;
  }
}

/** Sends requests when they are due, each on a free connection. */
class OpenLoad {
  readonly due: Float64Array;
  readonly sent: Float64Array;
  readonly answered: Float64Array;
  readonly statuses: Uint16Array;
  /** 1 for requests that had to wait for a connection. */
  readonly waited: Uint8Array;
  readonly #plan: LoadPlan;
  readonly #bodies: PaymentBodies;
  readonly #idle: HttpConnection[] = [];
  readonly #startMs: number;
  #open = 0;
  #next = 0;
  #done = 0;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.due = dueTimes(plan.phases, plan.arrivals);
    const count = this.due.length;
    this.#bodies = new PaymentBodies(count, plan.firstId);
    this.sent = new Float64Array(count).fill(NEVER);
    this.answered = new Float64Array(count).fill(NEVER);
    this.statuses = new Uint16Array(count);
    this.waited = new Uint8Array(count);
    this.#startMs = performance.now();
  }

  get now(): number {
    return performance.now() - this.#startMs;
  }

  /** Runs to the last answer, or until the last have been waited for in vain. */
  async run(): Promise<void> {
    const { due } = this;
    while (this.#next < due.length) {
      this.#sendDue();
      const waitMs = (due[this.#next] ?? 0) - this.now;
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, waitMs)));
    }
    const end = this.now + DRAIN_MS;
    while (this.#done < due.length && this.now < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const connection of this.#idle) connection[Symbol.dispose]();
  }

  /** Sends what is due by now, as far as there are connections. */
  #sendDue(): void {
    const { due } = this;
    const now = this.now;
    while (this.#next < due.length && due[this.#next] <= now) {
      const connection = this.#takeIdle();
      if (!connection && this.#open >= this.#plan.connections) {
        this.waited[this.#next] = 1;
        return;
      }
      this.#send(this.#next++, connection);
    }
  }

  /** The connection that was used last, unless the server may be about to close it. */
  #takeIdle(): HttpConnection | undefined {
    const last = this.#idle.pop();
    if (!last || last.isFresh) return last;
    // Those before it have been idle for longer.
    for (const stale of [last, ...this.#idle.splice(0)]) {
      stale[Symbol.dispose]();
      this.#open--;
    }
    return undefined;
  }

  async #send(
    index: number,
    given: HttpConnection | undefined,
  ): Promise<void> {
    let connection = given;
    if (!connection) this.#open++;
    try {
      this.sent[index] = this.now;
      connection ??= await HttpConnection.open(this.#plan.port);
      const body = this.#bodies.body(index);
      const { status } = await connection.post("/v1/score", body);
      this.answered[index] = this.now;
      this.statuses[index] = status;
      this.#idle.push(connection);
    } catch {
      // It counts as unanswered.
      this.#open--;
      connection?.[Symbol.dispose]();
    }
    this.#done++;
    // What waits for a connection goes out at once.
    this.#sendDue();
  }

  /** What came of the requests that were due from one time to another. */
  span(fromMs: number, toMs: number): LoadSpan {
    const { due, sent, answered, statuses } = this;
    const counts: Record<string, number> = {};
    const sinceDue: number[] = [];
    const sinceSent: number[] = [];
    const others: number[] = [];
    for (let i = 0; i < due.length; i++) {
      if (due[i] < fromMs || due[i] >= toMs) continue;
      counts[statuses[i]] = (counts[statuses[i]] ?? 0) + 1;
      if (statuses[i] === 200) {
        sinceDue.push(answered[i] - due[i]);
        sinceSent.push(answered[i] - sent[i]);
      } else if (statuses[i] > 0) others.push(answered[i] - due[i]);
    }
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return {
      due: all,
      statuses: counts,
      sinceDue: percentilesOf(sinceDue),
      sinceSent: percentilesOf(sinceSent),
      others: percentilesOf(others),
    };
  }
}

/** Runs a load. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const load = new OpenLoad(plan);
  const before = process.cpuUsage();
  await load.run();
  const elapsedSeconds = load.now / SECOND;
  const { user, system } = process.cpuUsage(before);
  const ends = plan.phases.map((_, i) =>
    plan.phases.slice(0, i + 1)
      .reduce((sum, { seconds }) => sum + seconds * SECOND, 0)
  );
  const seconds = Array.from(
    { length: Math.ceil((ends.at(-1) ?? 0) / SECOND) },
    (_, at) => load.span(at * SECOND, (at + 1) * SECOND),
  );
  const lateness = [...load.sent].map((sent, i) => sent - load.due[i])
    .filter((late, i) => load.waited[i] === 0 && late >= 0);
  return {
    phases: ends.map((end, i) => load.span(ends[i - 1] ?? 0, end)),
    seconds,
    lateness: percentilesOf(lateness),
    processorSeconds: (user + system) / 1e6,
    elapsedSeconds,
  };
}

if (import.meta.main) {
  print(JSON.stringify(await runLoad(JSON.parse(Deno.args[0]))));
}
