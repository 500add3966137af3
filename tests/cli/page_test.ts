/** The page of a run: when it has one, where, and for whom. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isLong } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { waitFor } from "./data_folder.ts";
import {
  type Outcome,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const SMALL = ["--customers=9", "--terminals=9", "--days=2", "--rate=max"];
const LISTENING = ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"];

/** Starts the program with a page; gives its address, and what comes of it. */
async function startPage(
  args: readonly string[],
  options: Parameters<typeof startProgram>[1] = { permissions: LISTENING },
): Promise<{
  child: Deno.ChildProcess;
  address: string;
  outcome: Promise<Outcome>;
}> {
  const child = startProgram(args, options);
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
    assert.deepEqual(system.threads, [
      "producer",
      "processor",
      "writer",
      "scorer",
    ]);
    child.kill("SIGINT");
    const { code, stdout } = await outcome;
    assert.equal(code, 0);
    assert.match(stdout, /complete/);
  },
);

testRunning(
  "without any argument the page stays until Ctrl-C, and the data are complete",
  async () => {
    await using folder = temporaryFolder();
    const { child, address, outcome } = await startPage([], {
      permissions: [...LISTENING, "--allow-env=FRAUDSTREAM_*"],
      environment: {
        FRAUDSTREAM_DATA: join(folder.path, "data"),
        FRAUDSTREAM_CUSTOMERS: "9",
        FRAUDSTREAM_TERMINALS: "9",
        FRAUDSTREAM_DAYS: "2",
        FRAUDSTREAM_RATE: "max",
        FRAUDSTREAM_PORT: "0",
      },
    });
    await waitFor(
      join(folder.path, "data"),
      ({ complete, produced, stages }) =>
        complete && stages.every(({ counters }) => counters.read === produced),
    );
    // The run is over, and a page that ended with it would be gone soon.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await (await fetch(`${address}/readyz`)).body?.cancel();
    child.kill("SIGINT");
    const { code, stdout, stderr } = await outcome;
    assert.equal(code, 0);
    assert.match(stdout, /complete/);
    assert.match(stderr, /the page stays until Ctrl-C:\n\n {2}http:\S+\n/);
  },
);

testRunning(
  "a page alone is refused where there is no stream, and makes nothing",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const { code, stderr } = await runMain(
      ["--role=dashboard", `--data=${path}/none`, "--port=0"],
      { permissions: LISTENING },
    );
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^fraudstream: there is no stream in the data folder/);
    assert.deepEqual([...Deno.readDirSync(path)], []);
  },
);

testRunning("a port that was asked for and is taken is wrong use", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runMain(
    ["run", `--data=${data}`, ...SMALL, `--port=${taken.addr.port}`],
    { permissions: LISTENING },
  );
  assert.equal(code, 2, stderr);
  assert.match(stderr, /port \d+ is taken; give another --port/);
  assert.throws(() => Deno.statSync(data), Deno.errors.NotFound);
});

testRunning(
  "a stream keeps in mind that changes need a second person, until that is lifted",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const tokens = join(folder.path, "tokens");
    const [a, b] = ["a", "b"].map((letter) => letter.repeat(16));
    Deno.writeTextFileSync(tokens, `anna:${a}\nben:${b}\n`);
    const run = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await runMain(
        [...args, data],
        { permissions: LISTENING },
      );
      assert.equal(code, 0, stderr);
      return stdout + stderr;
    };
    const page = ["--port=0", `--token-file=${tokens}`, "--require-approval"];
    await run("run", ...SMALL, ...page);
    // A run that knows nothing of it changes nothing.
    await run("run");
    assert.match(await run("audit"), /changes need a second person since 2/);
    assert.match(await run("run", "--lift-approval"), /no second person/);
    assert.match(await run("audit"), /need no second person any more since 2/);
  },
);

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
