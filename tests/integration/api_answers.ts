/**
 * The API on a real Kafka and a real Cassandra: several API processes on one
 * stream beside a process with the stages, without them, and killed under load.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { testServing } from "../services/testing_servers.ts";
import { freePort } from "../services/free_port.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";
import { freshSettings, sharedCassandra } from "./servers.ts";

const PAYMENTS = 120;
/** Payment under way whose API process is killed. */
const KILLED_AT = 40;

/** An answer; undefined where there was none. */
type Answered = { readonly status: number; readonly json: string } | undefined;

const second = Math.floor(Date.now() / 1000);

function payment(id: number, amount = 10 + id % 90) {
  return {
    TRANSACTION_ID: id,
    TX_DATETIME: formatDatetime(second),
    CUSTOMER_ID: id % 17,
    TERMINAL_ID: id % 29,
    TX_AMOUNT: amount,
  };
}

async function ask(
  port: number,
  body: unknown,
  query = "",
): Promise<Answered> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/score${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, json: await response.text() };
  } catch {
    return undefined; // killed meanwhile
  }
}

/** Repeats a payment at one process after the other until it is decided about. */
async function decide(ports: readonly number[], id: number): Promise<string> {
  const deadline = performance.now() + DEADLINE_MS;
  for (let attempt = 0;; attempt++) {
    const answered = await ask(ports[attempt % ports.length], payment(id));
    if (answered?.status === 200) return answered.json;
    const { status = 503, json = "" } = answered ?? {};
    assert.ok([503, 504].includes(status), `${status} ${json}`);
    assert.ok(performance.now() < deadline, `payment ${id}: ${json}`);
    await delay(50);
  }
}

async function get(port: number, path: string): Promise<Answered> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, json: await response.text() };
  } catch {
    return undefined; // it does not listen yet
  }
}

async function untilReady(port: number, process: RoleProcess): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answered = await get(port, "/readyz");
    if (answered?.status === 200) return;
    const failed = process.unexpectedCode !== undefined;
    assert.ok(!failed && performance.now() < deadline, process.tail());
    await delay(20);
  }
}

async function untilOpen(port: number, process: RoleProcess): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answered = await ask(port, {});
    // A body that is no payment is refused only where payments are taken.
    if (answered?.status === 422) return;
    const failed = process.unexpectedCode !== undefined;
    assert.ok(!failed && performance.now() < deadline, process.tail());
    await delay(100);
  }
}

/** Flags that reach Kafka under fresh names, and a keyspace of Cassandra. */
async function connectionOf(keyspace: string): Promise<readonly string[]> {
  const [settings, { address }] = await Promise.all([
    freshSettings(),
    sharedCassandra(),
  ]);
  return [
    "--log=kafka",
    `--brokers=${settings.brokers[0]}`,
    `--topic-prefix=${settings.prefix}`,
    "--store=cassandra",
    `--contact-points=${address}`,
    "--local-dc=datacenter1",
    `--keyspace=${keyspace}`,
  ];
}

testServing(
  "several APIs on Kafka and Cassandra: 504 without stages, one decision for all who ask, and none lost with a process that is killed",
  async () => {
    const connection = [
      ...await connectionOf("api_answers"),
      "--session-timeout=6s",
    ];
    const api = (port: number) =>
      new RoleProcess(`api at ${port}`, [
        ...["run", "--role=api", ...connection],
        ...[`--api-port=${port}`, "--api-deadline=2s"],
      ]);
    const [first, second, third] = [freePort(), freePort(), freePort()];
    await using killed = api(first);
    await untilOpen(first, killed);
    assert.equal((await get(first, "/readyz"))?.status, 503);
    const late = await ask(first, payment(0));
    assert.equal(late?.status, 504);
    assert.match(late.json, /unknown, ask again/);
    await using stages = new RoleProcess("stages", [
      ...["run", "--role=processor,scorer,writer", ...connection],
      "--model=built-in",
    ]);
    await using other = api(second);
    await untilReady(second, other);
    // Ready means that the first request is answered.
    const prompt = await ask(second, payment(0));
    assert.ok(prompt?.status === 200, JSON.stringify(prompt));
    const answers = new Map([[0, prompt.json]]);
    await untilReady(first, killed);

    const both = await Promise.all([decide([first], 1), decide([second], 1)]);
    assert.equal(both[0], both[1]);
    answers.set(1, both[0]);
    for (const port of [first, second]) {
      const conflict = await ask(port, payment(1, 999));
      assert.equal(conflict?.status, 409);
    }

    let next = 2;
    const lane = async (ports: readonly number[]) => {
      while (next < PAYMENTS) {
        const id = next++;
        if (id === KILLED_AT) await killed.kill();
        answers.set(id, await decide(ports, id));
      }
    };
    const lanes = [[first, second], [second, first], [first, second], [second]];
    await Promise.all(lanes.map(lane));
    assert.equal(answers.size, PAYMENTS);

    assert.equal((await other.stop()).code, 0, other.tail());
    await using again = api(third);
    await untilOpen(third, again);
    for (const id of [0, 1, KILLED_AT, PAYMENTS - 1]) {
      assert.equal(await decide([third], id), answers.get(id));
    }
    assert.equal((await again.stop()).code, 0, again.tail());

    const rows = await storedRows(connection, answers.size);
    assert.equal((await stages.stop()).code, 0, stages.tail());
    assert.equal(rows.length, PAYMENTS);
    for (const row of rows) {
      const { SCORE, ALERT, MODEL_VERSION, RECORD } = JSON.parse(
        answers.get(row.TRANSACTION_ID) ?? "{}",
      );
      const { TRANSACTION_ID, TX_AMOUNT } = row;
      assert.deepEqual(
        [row.SCORE, row.ALERT, row.MODEL_VERSION, TX_AMOUNT],
        [SCORE, ALERT, MODEL_VERSION, payment(TRANSACTION_ID).TX_AMOUNT],
      );
      assert.ok(RECORD.OFFSET >= 0);
    }
  },
);

testServing(
  "the API with all roles in one process on Kafka and Cassandra: ready means answered, with features on request",
  async () => {
    const connection = await connectionOf("api_one");
    const port = freePort();
    await using all = new RoleProcess("all in one", [
      ...["run", "--role=api,processor,scorer,writer,labels", ...connection],
      ...[`--api-port=${port}`, "--model=built-in"],
    ]);
    await untilReady(port, all);
    // Payments of one card, one after the other.
    const paid = [1, 2, 3].map((id) => ({ ...payment(id), CUSTOMER_ID: 5 }));
    const features = new Map<number, Record<string, number>>();
    for (const one of paid) {
      const answered = await ask(port, one, "?features=true");
      assert.ok(answered?.status === 200, JSON.stringify(answered));
      const { FEATURES, ...rest } = JSON.parse(answered.json);
      assert.equal(FEATURES.CUSTOMER_ID_NB_TX_1DAY_WINDOW, one.TRANSACTION_ID);
      features.set(one.TRANSACTION_ID, FEATURES);
      const again = await ask(port, one);
      assert.deepEqual(JSON.parse(again?.json ?? "null"), rest);
    }
    const rows = await storedRows(connection, paid.length);
    assert.equal((await all.stop()).code, 0, all.tail());
    assert.equal(rows.length, paid.length);
    for (const row of rows) {
      const answered = features.get(row.TRANSACTION_ID) ?? {};
      assert.ok(Object.keys(answered).length > 10);
      for (const [name, value] of Object.entries(answered)) {
        assert.equal(row[name], value, name);
      }
    }
  },
);

/** The payments and predictions of the export, once the writer has stored so many of both. */
async function storedRows(connection: readonly string[], count: number) {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    await using process = new RoleProcess("export", [
      ...["export", ...connection, "--with=payment,prediction"],
      ...["--format=jsonl", "--out=-"],
    ]);
    const { code, stdout } = await process.ended();
    const rows = stdout.split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    const scored = rows.filter(({ SCORE }) => typeof SCORE === "number");
    if (code === 0 && scored.length >= count) return rows;
    assert.ok(performance.now() < deadline, process.tail());
    await delay(200);
  }
}
