/** The command that asks an API whether it can decide. */
import assert from "node:assert/strict";
import { freePort } from "../services/free_port.ts";
import { runMain, testRunning } from "./program_runner.ts";

const permissions = ["--allow-net=127.0.0.1"];

testRunning(
  "ready says by its exit code whether an API can decide",
  async () => {
    let answer = new Response("ready\n");
    const paths: string[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => {
        paths.push(new URL(url).pathname);
        return answer;
      },
    );
    const ready = (port: number) =>
      runMain(["ready", `--api-port=${port}`], { permissions });
    const { port } = server.addr;
    assert.deepEqual(await ready(port), {
      ...{ code: 0, stdout: "ready\n", stderr: "" },
    });
    answer = new Response('{"detail":"starting"}', { status: 503 });
    const { code, stderr } = await ready(port);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^fraudstream: .* answers 503: \{"detail":"starting"\}$/m,
    );
    assert.deepEqual(paths, ["/readyz", "/readyz"]);
    const none = await ready(freePort());
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^fraudstream: nothing answers at http:.*\n$/);
  },
);
