/** The page of a run: when it has one, where, and for whom. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isLong } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  type Outcome,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const SMALL = ["--customers=9", "--terminals=9", "--days=2", "--rate=max"];
const LISTENING = ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"];

/** Starts the program with a page; gives its address, and what comes of it. */
async function startPage(args: readonly string[]): Promise<{
  child: Deno.ChildProcess;
  address: string;
  outcome: Promise<Outcome>;
}> {
  const child = startProgram(args, { permissions: LISTENING });
  await child.stdin.close();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outcome = (async () => {
    const stdout = new Response(child.stdout).text();
    let stderr = "";
    for await (
      const text of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      stderr += text;
      const address = /"address":"(http:[^"]+)"/.exec(stderr)?.[1];
      if (address) resolve(address);
    }
    reject(new Error(`no page: ${stderr}`));
    return { code: (await child.status).code, stdout: await stdout, stderr };
  })();
  return { child, address: await promise, outcome };
}

testRunning(
  "a run that may not listen says so in one line and goes on",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const { code, stderr, stdout } = await runMain(["run", data, ...SMALL]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /complete/);
    assert.match(stderr, /"the run has no page".*--allow-net=127\.0\.0\.1/);
  },
);

testRunning(
  "a page that was asked for and may not be served is wrong use",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    for (const flag of ["--role=dashboard", "--port=0", "--stay"]) {
      const { code, stderr } = await runMain(["run", data, ...SMALL, flag]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^fraudstream: .*--allow-net=127\.0\.0\.1/);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }
  },
);

testRunning(
  "an address that others reach needs a token that cannot be guessed",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const permissions = [
      "--allow-read",
      "--allow-write",
      "--allow-net",
      "--allow-env=FRAUDSTREAM_TOKEN",
    ];
    const open = ["run", data, ...SMALL, "--host=0.0.0.0"];
    const without = await runMain(open, { permissions });
    assert.equal(without.code, 2);
    assert.match(without.stderr, /open to everybody who reaches 0\.0\.0\.0/);
    const environment = { FRAUDSTREAM_TOKEN: "secret" };
    const short = await runMain(open, { permissions, environment });
    assert.equal(short.code, 2);
    assert.match(short.stderr, /fewer than 16/);
    assert.doesNotMatch(short.stderr, /secret/);
  },
);

testRunning(
  "flags of the page have no effect on roles without it",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const { code, stderr } = await runMain(
      ["--role=producer", data, ...SMALL, "--port=9"],
      { permissions: LISTENING },
    );
    assert.equal(code, 2);
    assert.match(stderr, /--port has no effect without the page/);
  },
);

testRunning(
  "the page ends with the run; --stay keeps it until Ctrl-C",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const ending = await startPage(["run", data, ...SMALL, "--port=0"]);
    const ended = await ending.outcome;
    assert.equal(ended.code, 0, ended.stderr);
    const { child, address, outcome } = await startPage([
      "run",
      data,
      ...SMALL,
      "--port=0",
      "--stay",
    ]);
    for (;;) {
      const answer = await fetch(`${address}/readyz`);
      await answer.body?.cancel();
      if (answer.status === 200) break;
    }
    const system = await (await fetch(`${address}/api/system`)).json();
    assert.deepEqual(system.threads, ["producer", "processor", "writer"]);
    child.kill("SIGINT");
    const { code, stdout } = await outcome;
    assert.equal(code, 0);
    assert.match(stdout, /complete/);
  },
);

testRunning("a port that was asked for and is taken is wrong use", async () => {
  await using folder = temporaryFolder();
  const data = `--data=${join(folder.path, "data")}`;
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runMain(
    ["run", data, ...SMALL, `--port=${taken.addr.port}`],
    { permissions: LISTENING },
  );
  assert.equal(code, 2, stderr);
  assert.match(stderr, /port \d+ is taken; give another --port/);
});

// In short runs gate_test.ts shows it with a shorter time.
if (isLong) {
  testRunning("a run's page closes a request that never ends", async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const flags = ["run", data, ...SMALL, "--port=0", "--stay"];
    const { child, address, outcome } = await startPage(flags);
    const { hostname, port, host } = new URL(address);
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const half = `GET / HTTP/1.1\r\nHost: ${host}\r\n`;
    await connection.write(new TextEncoder().encode(half));
    assert.equal(await connection.read(new Uint8Array(9)), null);
    child.kill("SIGINT");
    assert.equal((await outcome).code, 0);
  });
}
