/** Kafka that wants TLS and a password: what works, and what is said where it does not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LogError } from "../../src/base/error.ts";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import { READ_LIMIT } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import { type KafkaServer, startKafka } from "../services/kafka_server.ts";
import { makeKeyStore } from "../services/key_store.ts";
import { testServing } from "../services/testing_servers.ts";

const TOPIC = { name: "letters", partitions: 1, compacted: false };
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const WRONG_PASSWORD = "guessed-password";
/** An error is there within it, even on a busy machine: 10 s of trying, and one request. */
const ERROR_MS_MAX = 60_000;

let streams = 0;

/** Settings for an address with what is told otherwise. */
function settingsOf(
  address: string | undefined,
  more: Pick<KafkaSettings, "tls" | "sasl">,
): KafkaSettings {
  assert.ok(address);
  return {
    kind: "kafka",
    brokers: [address],
    prefix: `secured${++streams}-`,
    replication: undefined,
    sessionTimeoutMs: 3000,
    ...more,
  };
}

/** What a client needs to know of a server. */
async function secretsOf({ caFile, username, password }: KafkaServer) {
  assert.ok(caFile && username && password);
  return { ca: await Deno.readTextFile(caFile), username, password };
}

/** Appends, consumes and reads by all kinds of connections that a log makes. */
async function assertWorks(settings: KafkaSettings): Promise<void> {
  await using log = await openLog(settings, () => {});
  await log.createTopics([TOPIC]);
  const producer = await log.producer("writer");
  await producer.append([appendOf(TOPIC.name, 0, ["a", "b"])]);
  const taken: string[] = [];
  await log.consume({
    group: "readers",
    topic: TOPIC.name,
    limit: READ_LIMIT,
    signal: new AbortController().signal,
    open: () =>
      Promise.resolve({
        step: (batch) => {
          taken.push(...valuesOf(batch));
          return { next: batch.next, metadata: "", appends: [] };
        },
      }),
    idle: () => Promise.resolve(taken.length === 2),
  });
  assert.deepEqual(taken, ["a", "b"]);
}

/** Asserts that opening ends with one error of one line, which has no password in it. */
async function assertRefused(
  settings: KafkaSettings,
  message: RegExp,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error("no error came")),
    ERROR_MS_MAX,
  );
  const reports: unknown[] = [];
  const opening = openLog(settings, (...report) => reports.push(report));
  try {
    await assert.rejects(Promise.race([opening, late.promise]), (error) => {
      assert.ok(error instanceof LogError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      const all = `${Deno.inspect(error)} ${Deno.inspect(reports)}`;
      const { password = "no password" } = settings.sasl ?? {};
      assert.ok(!all.includes(password), "the password is told");
      return true;
    });
  } finally {
    clearTimeout(timer);
  }
}

testServing(
  "a secured Kafka is worked with by any mechanism, and says no in one line",
  async (t) => {
    await using server = await startKafka({ secured: true });
    const { ca, username, password } = await secretsOf(server);
    const tls = { ca };
    for (const mechanism of MECHANISMS) {
      await t.step(`TLS and ${mechanism}`, async () => {
        const sasl = { mechanism, username, password };
        await assertWorks(settingsOf(server.securedAddress, { tls, sasl }));
      });
      await t.step(`a wrong password by ${mechanism}`, async () => {
        const sasl = { mechanism, username, password: WRONG_PASSWORD };
        await assertRefused(
          settingsOf(server.securedAddress, { tls, sasl }),
          /does not accept the user name and password.*--kafka-username/,
        );
      });
      await t.step(`an unknown user by ${mechanism}`, async () => {
        const sasl = { mechanism, username: "nobody", password };
        await assertRefused(
          settingsOf(server.securedAddress, { tls, sasl }),
          /does not accept the user name and password/,
        );
      });
    }
    await t.step("TLS alone", async () => {
      await assertWorks(
        settingsOf(server.tlsAddress, { tls, sasl: undefined }),
      );
    });
    await t.step("an authority that did not sign its certificate", async () => {
      const folder = join(server.folder, "other");
      await Deno.mkdir(folder);
      const other = await makeKeyStore(folder);
      const wrong = { ca: await Deno.readTextFile(other.caFile) };
      for (const tls of [wrong, { ca: undefined }]) {
        await assertRefused(
          settingsOf(server.tlsAddress, { tls, sasl: undefined }),
          /cannot be trusted: .*certificate.*--kafka-ca-file/i,
        );
      }
    });
    await t.step("a port that wants to be spoken to otherwise", async () => {
      const plain = { tls: undefined, sasl: undefined };
      const sasl = { mechanism: "plain", username, password } as const;
      const { address, tlsAddress, securedAddress } = server;
      const wantsTls = /--kafka-tls if it wants TLS/;
      const wantsOther = /see whether it wants TLS .*--kafka-sasl/;
      await Promise.all([
        assertRefused(settingsOf(tlsAddress, plain), wantsTls),
        assertRefused(settingsOf(securedAddress, { ...plain, sasl }), wantsTls),
        assertRefused(settingsOf(address, { ...plain, tls }), wantsOther),
        assertRefused(
          settingsOf(securedAddress, { ...plain, tls }),
          wantsOther,
        ),
      ]);
    });
  },
);
