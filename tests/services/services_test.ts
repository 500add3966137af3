/**
 * The servers that other tests rely on: what they are made of is checked, they
 * come back where they were, and they never outlive who started them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { startCassandra } from "./cassandra_server.ts";
import { freePort } from "./free_port.ts";
import { jarsOf, verifyJars } from "./jar_cache.ts";
import jars from "./jars.json" with { type: "json" };
import { runTool, type ToolOutcome } from "./java.ts";
import { type KafkaServer, startKafka } from "./kafka_server.ts";
import { testServing } from "./testing_servers.ts";
import { converse } from "./wire.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const END_MS_MAX = 30_000;
const POLL_MS = 50;

/** SHA-256 of no bytes. */
const EMPTY_SUM =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Settings that need a key store. */
const TLS_ONLY = {
  "listener.security.protocol.map":
    "PLAINTEXT:SSL,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
};

/** Runs Kafka's own tool for topics, as clients of any kind would. */
async function topics(
  address: string,
  args: readonly string[],
): Promise<ToolOutcome> {
  return await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    "org.apache.kafka.tools.TopicCommand",
    "--bootstrap-server",
    address,
    ...args,
  ]);
}

/** Lists the topics through TLS and SASL. */
async function topicsSecured(
  server: KafkaServer,
  mechanism: string,
  password: string | undefined,
): Promise<ToolOutcome> {
  assert.ok(server.securedAddress);
  const kind = mechanism === "PLAIN" ? "plain.Plain" : "scram.Scram";
  const file = join(server.folder, `${mechanism}.properties`);
  await Deno.writeTextFile(
    file,
    `security.protocol=SASL_SSL
sasl.mechanism=${mechanism}
sasl.jaas.config=org.apache.kafka.common.security.${kind}LoginModule required \
username="${server.username}" password="${password}";
ssl.truststore.type=PEM
ssl.truststore.location=${server.caFile}
`,
  );
  const flags = ["--list", "--command-config", file];
  return await topics(server.securedAddress, flags);
}

function isOpen(address: string): Promise<boolean> {
  const port = Number(address.split(":")[1]);
  return converse(port, () => Promise.resolve(true));
}

async function waitFor(
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + END_MS_MAX;
  while (!await condition()) {
    assert.ok(performance.now() < deadline, `in vain for ${condition}`);
    await delay(POLL_MS);
  }
}

/** Reads what a program prints until the pattern has matched so often. */
async function readUntil(
  output: ReadableStreamDefaultReader<string>,
  pattern: RegExp,
  times: number,
): Promise<string[]> {
  let text = "";
  for (;;) {
    const found = [...text.matchAll(pattern)].map(([match]) => match);
    if (found.length >= times) return found;
    const { value, done } = await output.read();
    assert.ok(!done, `ended after: ${text}`);
    text += value;
  }
}

testWriting("verifyJars() says which jars are wrong, in one line", async () => {
  await using folder = temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "changed.jar"), "other");
  await Deno.writeTextFile(join(folder.path, "extra.jar"), "");
  await Deno.writeTextFile(join(folder.path, "right.jar"), "");
  const expected = {
    "changed.jar": EMPTY_SUM,
    "missing.jar": EMPTY_SUM,
    "right.jar": EMPTY_SUM,
  };
  await assert.rejects(verifyJars(folder.path, expected), (error: Error) => {
    assert.match(error.message, /missing: missing\.jar/);
    assert.match(error.message, /extra: extra\.jar/);
    assert.match(error.message, /different: changed\.jar/);
    assert.doesNotMatch(error.message, /right|\n/);
    return true;
  });
});

testWriting(
  "jarsOf() starts nothing from a cache that was changed",
  async () => {
    await using cache = temporaryFolder();
    const { version } = jars.kafka;
    const folder = join(cache.path, `kafka-${version}`);
    const jar = `kafka_2.13-${version}.jar`;
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(folder, jar), "other");
    await assert.rejects(jarsOf("kafka", cache.path), ({ message }: Error) => {
      assert.match(message, /missing: .*; different: /);
      assert.ok(message.includes(`different: ${jar})`), message);
      return true;
    });
  },
);

testServing("freePort() never gives a port twice", () => {
  const ports = Array.from({ length: 50 }, freePort);
  assert.equal(new Set(ports).size, ports.length);
  return Promise.resolve();
});

testServing(
  "Kafka comes back from a kill with its data, on its port",
  async () => {
    await using server = await startKafka();
    const { address, folder, pid } = server;
    const create = await topics(address, ["--create", "--topic", "kept"]);
    assert.ok(create.success, create.output);
    await server.kill();
    assert.equal(await isOpen(address), false);
    assert.throws(() => server.pid, /Kafka does not run/);
    await server.start();
    assert.deepEqual([server.address, server.folder], [address, folder]);
    assert.notEqual(server.pid, pid);
    const list = await topics(address, ["--list"]);
    assert.match(list.output, /^kept$/m);
  },
);

testServing(
  "Kafka tells clients to connect to the port of a proxy",
  async () => {
    const advertisedPort = freePort();
    await using server = await startKafka({ advertisedPort });
    using proxy = forward(advertisedPort, server.address);
    const list = await topics(`127.0.0.1:${advertisedPort}`, ["--list"]);
    assert.ok(list.success, list.output);
    assert.ok(proxy.connections() >= 2, `${proxy.connections()} connections`);
  },
);

testServing("a secured Kafka lets in who knows the password", async () => {
  await using server = await startKafka({ secured: true });
  for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    const right = await topicsSecured(server, mechanism, server.password);
    assert.ok(right.success, right.output);
  }
  for (const mechanism of ["PLAIN", "SCRAM-SHA-512"]) {
    const wrong = await topicsSecured(server, mechanism, "guessed");
    assert.match(wrong.output, /SaslAuthenticationException/);
  }
});

testServing("a secured Cassandra answers nobody without TLS", async () => {
  await using server = await startCassandra({ secured: true });
  assert.ok(server.caFile);
  const port = Number(server.address.split(":")[1]);
  const options = Uint8Array.of(4, 0, 0, 0, 5, 0, 0, 0, 0);
  const supported = 6;
  const asks = async (ask: (message: Uint8Array) => Promise<Uint8Array>) =>
    (await ask(options))[4] === supported;
  const ca = await Deno.readTextFile(server.caFile);
  assert.equal(await converse(port, asks, ca), true);
  assert.equal(await converse(port, asks), false);
});

testServing(
  "a server that cannot start says why and leaves nothing",
  async () => {
    await using folder = temporaryFolder();
    const parent = folder.path;
    const unformatted = { "process.roles": "broker,conductor" };
    await assert.rejects(
      startKafka({ parent, config: unformatted }),
      /conductor/,
    );
    const unstarted = { "ssl.keystore.location": "/nowhere", ...TLS_ONLY };
    await assert.rejects(
      startKafka({ parent, config: unstarted }),
      /^Error: Kafka ended before it answered; its last words:\n.*key store/s,
    );
    assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  },
);

testServing("Ctrl-C of deno task services stops both servers", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "services"],
    cwd: ROOT,
    stdout: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const titles = /^(Kafka|Cassandra) +127\.0\.0\.1:\d+$/gm;
  const found = await readUntil(output, titles, 2);
  const addresses = found.map((title) => title.split(/ +/)[1]);
  for (const address of addresses) assert.ok(await isOpen(address), address);
  child.kill("SIGINT");
  while (!(await output.read()).done);
  assert.equal((await child.status).code, 0);
  for (const address of addresses) assert.equal(await isOpen(address), false);
});

testServing("a server ends with who started it, also by SIGKILL", async () => {
  await using folder = temporaryFolder();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-net=127.0.0.1",
      "--allow-env=HOME,XDG_CACHE_HOME,FRAUDSTREAM_CACHE",
      "--allow-run=sh",
      join(ROOT, "tests/services/run_services.ts"),
      "--kafka-only",
    ],
    env: { TMPDIR: folder.path },
    stdout: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const [title] = await readUntil(output, /^Kafka .*$/gm, 1);
  child.kill("SIGKILL");
  await child.status;
  await output.cancel();
  await waitFor(async () => !await isOpen(title.split(/ +/)[1]));
  await waitFor(() => [...Deno.readDirSync(folder.path)].length === 0);
});

/** Passes on what comes to a port, and counts the connections. */
function forward(
  port: number,
  address: string,
): Disposable & { connections(): number } {
  const target = { hostname: "127.0.0.1", port: Number(address.split(":")[1]) };
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  let connections = 0;
  (async () => {
    for await (const incoming of listener) {
      connections++;
      const outgoing = await Deno.connect(target);
      incoming.readable.pipeTo(outgoing.writable).catch(() => {});
      outgoing.readable.pipeTo(incoming.writable).catch(() => {});
    }
  })();
  return {
    connections: () => connections,
    [Symbol.dispose]: () => listener.close(),
  };
}
