/**
 * The page on a real Kafka and a real Cassandra, in two processes: what an
 * analyst does on one is on the other, in the case topic and in the store; none
 * overwrites the other, and a server that does not answer is named.
 */
import assert from "node:assert/strict";
import { readDecisions } from "../../src/stream/case_events.ts";
import { startKafka } from "../services/kafka_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { runCql } from "./cassandra_keyspace.ts";
import { ClusterStream } from "./cluster_stream.ts";
import type { DataSet } from "./expected_features.ts";
import type { RoleProcess } from "./role_process.ts";
import { sharedCassandra } from "./servers.ts";

const TWO_DAYS: DataSet = {
  data: ["--preset=seed", "--days=2"],
  features: [],
};
const MODEL = ["--model=built-in", "--alert-threshold=0"];

/** A page's answer: its status, and its JSON. */
type Answer = { readonly status: number } & Readonly<Record<string, unknown>>;

/** One analyst at one page. */
class Analyst {
  readonly #address: string;
  readonly #who: string;

  constructor(address: string, who: string) {
    this.#address = address;
    this.#who = who;
  }

  /** Asks the page. */
  async get(path: string): Promise<Answer> {
    const answer = await fetch(this.#address + path);
    return { status: answer.status, ...await answer.json() };
  }

  /** How many alerts match a query. */
  async count(query: string): Promise<unknown> {
    return (await this.get(`/api/alerts?${query}`)).total;
  }

  /** Does something with a case, of which the page shows the event `seen` as the newest. */
  async act(
    id: number,
    event: Readonly<Record<string, unknown>>,
    seen = "",
  ): Promise<Answer> {
    const headers = { origin: this.#address, "sec-fetch-site": "same-origin" };
    const session = await fetch(`${this.#address}/api/session`, { headers });
    const { key } = await session.json();
    const cookie = session.headers.get("set-cookie")?.split(";")[0] ?? "";
    const answer = await fetch(`${this.#address}/api/cases/${id}/events`, {
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/json",
        "x-fraudstream-key": key,
        cookie,
      },
      body: JSON.stringify({ ...event, who: this.#who, seen }),
    });
    return { status: answer.status, ...await answer.json() };
  }

  /** The problem that the page's newest state names. */
  async problem(): Promise<string | undefined> {
    const { body } = await fetch(`${this.#address}/api/live`);
    assert.ok(body);
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      return /"problem":"([^"]*)"/.exec(text)?.[1];
    }
    return undefined;
  }
}

async function openPage(
  stream: ClusterStream,
  who: string,
): Promise<{ analyst: Analyst; page: RoleProcess }> {
  const page = stream.start("dashboard", "--port=0");
  let address: unknown;
  await stream.until("the page's address", () => {
    address = page.said("the page is served").at(-1)?.address;
    return address !== undefined;
  });
  const analyst = new Analyst(String(address), who);
  await stream.until("all alerts in the page", async () => {
    return await analyst.count("state=all") === stream.expected.rows;
  });
  return { analyst, page };
}

const FRAUD = { kind: "verdict", label: 1 };
const NO_FRAUD = { kind: "verdict", label: 0 };

testServing(
  "two pages on Kafka and Cassandra show the same cases, overwrite nothing, and name a server that does not answer",
  async (t) => {
    const [kafka, cassandra] = await Promise.all([
      startKafka(),
      sharedCassandra(),
    ]);
    await using _stopped = kafka;
    await using stream = await ClusterStream.open({ set: TWO_DAYS, kafka });
    const pipeline = stream.start("producer,processor,writer,scorer", ...MODEL);
    await stream.finished(pipeline);
    const [first, second] = await Promise.all([
      openPage(stream, "Ada"),
      openPage(stream, "Grace"),
    ]);
    const [ada, grace] = [first.analyst, second.analyst];
    const { alerts } = await ada.get("/api/alerts");
    const [a, b, c, d] = (alerts as { id: number }[]).map(({ id }) => id);
    const steps: [string, () => Promise<void>][] = [
      ["what is done on one page is on the other", async () => {
        await ada.act(a, { kind: "claim" });
        await ada.act(a, { kind: "note", note: "called" });
        await ada.act(a, FRAUD);
        await stream.until("the verdict on the other page", async () => {
          return await grace.count("state=confirmed&assignee=Ada") === 1;
        });
        const { events } = await grace.get(`/api/cases/${a}`);
        assert.deepEqual(
          (events as { kind: string }[]).map(({ kind }) => kind),
          ["verdict", "note", "claim"],
        );
      }],
      ["of two verdicts at once one is refused", async () => {
        for (const id of [b, c]) {
          const statuses = await Promise.all([
            ada.act(id, FRAUD),
            grace.act(id, NO_FRAUD),
          ]);
          assert.deepEqual(
            statuses.map(({ status }) => status).sort(),
            [201, 409],
            JSON.stringify(statuses),
          );
        }
        assert.equal((await readDecisions(stream.log)).length, 3);
      }],
      ["a hanging Cassandra holds up its own answers only", async () => {
        cassandra.pause();
        try {
          const { status, error } = await grace.get(`/api/cases/${d}`);
          assert.deepEqual(
            [status, error],
            [503, "the store does not answer; try again later"],
          );
          assert.equal((await grace.act(d, FRAUD)).state, "confirmed");
          await stream.until("the verdict on the other page", async () => {
            return await ada.count(`state=confirmed&q=${d}`) === 1;
          });
        } finally {
          cassandra.resume();
        }
      }],
      ["a hanging Kafka is named, and what was given up stays so", async () => {
        kafka.pause();
        try {
          const given = ada.act(d, NO_FRAUD);
          await stream.until("word of it on the page", async () => {
            return await grace.problem() === "the log does not answer";
          });
          const { status, error } = await given;
          assert.equal(status, 503);
          assert.match(String(error), /nothing was saved/);
        } finally {
          kafka.resume();
        }
        await stream.until("the end of it on both pages", async () => {
          return await grace.problem() === undefined &&
            await ada.problem() === undefined;
        });
      }],
      [
        "a killed page, its topics and its tables have every verdict once",
        async () => {
          await first.page.kill();
          const { analyst } = await openPage(stream, "Ada");
          const decisions = await readDecisions(stream.log);
          assert.equal(decisions.length, 4);
          const frauds = decisions.filter(({ label }) => label === 1).length;
          for (const one of [analyst, grace]) {
            assert.equal(await one.count("state=confirmed"), frauds);
            assert.equal(await one.count("state=cleared"), 4 - frauds);
            assert.equal(
              await one.count("state=open"),
              stream.expected.rows - 4,
            );
          }
          const counted = async (table: string) => {
            const cql = `SELECT count(*) AS n FROM ${stream.keyspace}.${table}`;
            const [{ n }] = await runCql(cassandra.address, cql);
            return Number(n);
          };
          await stream.until("all verdicts in the store", async () => {
            return await counted("transaction_verdict") === 4;
          });
          assert.equal(
            await counted("transaction_prediction"),
            stream.expected.rows,
          );
        },
      ],
    ];
    for (const [name, body] of steps) {
      if (!await t.step(name, body)) return;
    }
  },
);
