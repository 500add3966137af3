/** The page beneath a path of a real proxy, as the examples in docs/DASHBOARD.md configure it. Skipped where the program is not installed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { KEY_HEADER } from "../../src/dashboard/server/guard.ts";
import { canRun } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { startProgram } from "./program_runner.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const SMALL = ["--customers=20", "--terminals=20", "--days=2", "--rate=max"];

/** The first block of that language in the docs. */
function exampleOf(language: string): string {
  const docs = new URL("../../docs/DASHBOARD.md", import.meta.url);
  const block = new RegExp("```" + language + "\\n([^]*?)```");
  const found = block.exec(Deno.readTextFileSync(docs))?.[1];
  assert.ok(found, language);
  return found;
}

/** A port that is free at this moment. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts the page of a small stream, with a token of Ada; gives its port. */
async function startPage(folder: string) {
  Deno.writeTextFileSync(join(folder, "token"), `Ada:${TOKEN}\n`);
  const child = startProgram([
    "run",
    `--data=${join(folder, "data")}`,
    ...SMALL,
    "--port=0",
    "--stay",
    "--behind-proxy",
    `--token-file=${join(folder, "token")}`,
  ], {
    permissions: ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"],
  });
  await child.stdin.close();
  const output = new Response(child.stdout).text();
  let stderr = "";
  const { promise, resolve } = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (
      const text of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      stderr += text;
      const port = /"address":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(stderr)?.[1];
      if (port) resolve(Number(port));
    }
  })();
  return {
    port: await promise,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await Promise.all([reading, output, child.status]);
    },
  };
}

/** Asks until the proxy and the page behind it answer. */
async function untilReady(address: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      const answer = await fetch(`${address}/readyz`);
      await answer.body?.cancel();
      if (answer.status === 200) return;
    } catch (error) {
      if (attempt > 300) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Uses the page at /fraud as a browser does, from the sign-in to a claim. */
async function usePage(origin: string): Promise<void> {
  const page = `${origin}/fraud`;
  await untilReady(page);
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, `${page}/`), { redirect: "manual", ...init });
  const first = await ask("./");
  await first.body?.cancel();
  assert.equal(first.status, 303);
  const login = new URL(first.headers.get("location") ?? "", `${page}/`);
  assert.equal(login.href, `${page}/login`);
  const entered = await ask("login", {
    method: "POST",
    body: new URLSearchParams({ token: TOKEN }),
    headers: { origin, "sec-fetch-site": "same-origin" },
  });
  await entered.body?.cancel();
  const place = entered.headers.get("location") ?? "";
  assert.equal(new URL(place, `${page}/login`).href, `${page}/`);
  const set = entered.headers.get("set-cookie") ?? "";
  assert.match(set, /; Path=\/fraud\/;/);
  const cookie = set.split(";")[0];
  const html = await (await ask("./", { headers: { cookie } })).text();
  const assets = [...html.matchAll(/(?:src|href)="([^"#][^"]*)"/g)];
  assert.ok(assets.length > 5);
  for (const [, asset] of assets) {
    const answer = await ask(asset);
    await answer.body?.cancel();
    assert.equal(answer.status, 200, asset);
    assert.ok(new URL(asset, `${page}/`).href.startsWith(`${page}/`), asset);
  }
  const session = await ask("api/session", { headers: { cookie } });
  const { key, who } = await session.json();
  assert.equal(who, "Ada");
  const claim = () =>
    ask("api/cases/1/events", {
      method: "POST",
      body: JSON.stringify({ kind: "claim" }),
      headers: {
        cookie,
        origin,
        "content-type": "application/json",
        "sec-fetch-site": "same-origin",
        [KEY_HEADER]: key,
      },
    });
  let claimed = await claim();
  // The payment may not be stored yet.
  while (claimed.status === 404) {
    await claimed.body?.cancel();
    claimed = await claim();
  }
  assert.equal((await claimed.json()).assignee, "Ada");
  const live = await ask("api/live", { headers: { cookie } });
  const reader = live.body?.getReader();
  const event = new TextDecoder().decode((await reader?.read())?.value);
  assert.match(event, /^data: \{"server"/);
  await reader?.cancel();
}

/** Defines a test that is ignored, and says why, where a program is not installed. */
function testWith(program: string, name: string, fn: () => Promise<void>) {
  const ignore = !isInstalled(program);
  const shown = ignore ? `${name} (needs ${program})` : name;
  Deno.test({ name: shown, ignore, fn });
}

function isInstalled(program: string): boolean {
  if (!canRun) return false;
  try {
    new Deno.Command(program, { args: ["-h"] }).outputSync();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs a proxy in the foreground while `work` runs. */
async function withProxy(
  program: string,
  args: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const proxy = new Deno.Command(program, {
    args: [...args],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await work();
  } finally {
    proxy.kill("SIGTERM");
    await proxy.status;
  }
}

testWith(
  "nginx",
  "the page works beneath a path behind nginx, as the docs configure it",
  async () => {
    await using folder = temporaryFolder();
    await using page = await startPage(folder.path);
    const port = freePort();
    const location = exampleOf("nginx")
      .replace("127.0.0.1:8080", `127.0.0.1:${page.port}`);
    const config = join(folder.path, "nginx.conf");
    Deno.writeTextFileSync(
      config,
      `pid ${folder.path}/pid;\ndaemon off;\nmaster_process off;\n` +
        "error_log /dev/null;\nevents {}\nhttp {\naccess_log off;\n" +
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
          `${name}_temp_path ${folder.path}/${name};\n`
        ).join("") +
        `server {\nlisten 127.0.0.1:${port};\n${location}}\n}\n`,
    );
    const args = ["-c", config, "-p", folder.path];
    await withProxy("nginx", args, () => usePage(`http://127.0.0.1:${port}`));
  },
);

testWith(
  "caddy",
  "the page works beneath a path behind Caddy, as the docs configure it",
  async () => {
    await using folder = temporaryFolder();
    await using page = await startPage(folder.path);
    const port = freePort();
    const site = exampleOf("caddyfile")
      .replace("127.0.0.1:8080", `127.0.0.1:${page.port}`)
      .replace("shop.example", `http://127.0.0.1:${port}`);
    const config = join(folder.path, "Caddyfile");
    Deno.writeTextFileSync(config, `{\nadmin off\nauto_https off\n}\n${site}`);
    const args = ["run", "--config", config, "--adapter", "caddyfile"];
    await withProxy("caddy", args, () => usePage(`http://127.0.0.1:${port}`));
  },
);
