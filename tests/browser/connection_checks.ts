/** What is checked of the page's connection: other origins, sign-out, many pages, a path of a proxy, a restart. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page } from "playwright-core";
import {
  check,
  inWindow,
  newPage,
  noErrors,
  open,
  serve,
  type Stage,
  stop,
  WAIT_MS,
} from "./browser_stage.ts";

/** Runs them; the last one starts the program again. */
export async function connectionChecks(stage: Stage): Promise<void> {
  await inWindow(stage, {}, async (context) => {
    await checks(stage, await newPage(context));
  });
}

async function checks(stage: Stage, page: Page): Promise<void> {
  await check(
    "a page of another port can neither write nor get a key",
    () => strangerChecks(stage, page),
  );
  await check(
    "who signs in acts by the token's name, and sees nothing more after signing out",
    () => inWindow(stage, {}, (visitor) => signOutChecks(stage, visitor)),
  );
  await check(
    "fifty pages at once all show the stream",
    () => inWindow(stage, {}, (many) => manyChecks(stage, many)),
  );
  await check(
    "beneath a path of a proxy the page reads, listens and writes",
    () => inWindow(stage, {}, (visitor) => proxyChecks(stage, visitor)),
  );
  await check(
    "on a slow network the numbers come first, and the stream follows",
    () => inWindow(stage, {}, (visitor) => slowChecks(stage, visitor)),
  );
  await check(
    "a server that was started again is noticed, and said",
    () => restartChecks(stage, page),
  );
}

async function strangerChecks(stage: Stage, page: Page): Promise<void> {
  const { address } = stage.served;
  await using stranger = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => {
      const headers = { "content-type": "text/html" };
      return new Response("<p>a page of somebody else</p>", { headers });
    },
  );
  const foreign = await page.context().newPage();
  await foreign.goto(`http://127.0.0.1:${stranger.addr.port}`);
  const threshold = JSON.stringify({ threshold: 0.123 });
  const outcomes = await foreign.evaluate(
    `(async () => {
      const address = ${JSON.stringify(address)};
      const tried = (init, path) => fetch(address + path, init)
        .then(({ type, status }) => type + status, () => "refused");
      const body = ${JSON.stringify(threshold)};
      const credentials = "include";
      const json = { "content-type": "application/json" };
      const key = { ...json, "x-fraudstream-key": "0" };
      const path = "/api/model/threshold";
      return [
        await tried({ credentials }, "/api/session"),
        await tried({ method: "POST", body, credentials, headers: json }, path),
        await tried({ method: "POST", body, credentials, headers: key }, path),
        await tried({ method: "POST", body, credentials, mode: "no-cors" }, path),
      ];
    })()`,
  ) as string[];
  assert.deepEqual(outcomes.slice(0, 3), Array(3).fill("refused"));
  await foreign.evaluate(
    `(() => {
      const form = document.createElement("form");
      form.method = "post";
      form.enctype = "text/plain";
      form.action = ${JSON.stringify(`${address}/api/model/threshold`)};
      document.body.append(form);
      form.submit();
    })()`,
  );
  await foreign.waitForURL(`${address}/**`);
  assert.match(await foreign.content(), /a write must come from the page/);
  await foreign.close();
  const model = await (await fetch(`${address}/api/model`)).json();
  assert.notEqual(model.threshold, 0.123);
  // The page itself may.
  await open(page, address, "system");
  await writeThreshold(page, 0.5);
  noErrors(page);
}

/** Writes through the page's own script. */
async function writeThreshold(page: Page, threshold: number): Promise<void> {
  const answer = await page.evaluate(
    `import(new URL("dom.js", document.querySelector("[type=module]").src))
      .then(({ ask }) =>
      ask("/api/model/threshold", {}, { threshold: ${threshold} }))`,
  );
  assert.deepEqual(answer, { status: "changed", threshold });
}

async function signOutChecks(
  { folder, data }: Stage,
  visitor: BrowserContext,
): Promise<void> {
  const token = "0123456789abcdef0123456789abcdef";
  Deno.writeTextFileSync(`${folder}/token`, `Grace:${token}\n`);
  const guarded = await serve(data, [
    "--role=dashboard",
    `--token-file=${folder}/token`,
    "--port=0",
  ]);
  const [first, second] = [await newPage(visitor), await newPage(visitor)];
  const link = "#/alerts?sort=newest";
  await first.goto(`${guarded.address}/${link}`);
  await first.getByLabel("Token").fill(token);
  await first.getByRole("button", { name: "Sign in" }).click();
  await first.locator("#link.live").waitFor();
  // What the link names is there after signing in.
  assert.equal(new URL(first.url()).hash, link);
  // The token has a name, so nobody is asked for one.
  await open(first, guarded.address, "alerts");
  await first.locator("tr.goes a").first().click();
  await first.locator(".decide").waitFor();
  await first.keyboard.press("a");
  await first.getByRole("button", { name: "Release (Grace)" }).waitFor();
  noErrors(first);
  await open(first, guarded.address, "system");
  await open(second, guarded.address, "now");
  await first.getByRole("button", { name: "Sign out" }).click();
  await first.getByLabel("Token").waitFor();
  await second.locator("#link.lost").waitFor();
  await stop(guarded);
}

/** A reverse proxy that serves the page at /team/fraud/, as nginx and Caddy do it. */
async function startProxy(port: number): Promise<Server> {
  const prefix = "/team/fraud/";
  const proxy = createServer((asked, answer) => {
    if (!asked.url?.startsWith(prefix)) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = asked;
    const path = `/${asked.url.slice(prefix.length)}`;
    const passed = request(
      { host: "127.0.0.1", port, path, method, headers },
      (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers);
        given.pipe(answer);
      },
    );
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return proxy;
}

async function proxyChecks(
  { served }: Stage,
  visitor: BrowserContext,
): Promise<void> {
  const proxy = await startProxy(served.port);
  const { port } = proxy.address() as AddressInfo;
  const page = await newPage(visitor);
  const refused: string[] = [];
  page.on("response", (response) => {
    if (response.status() >= 400) refused.push(response.url());
  });
  const address = `http://127.0.0.1:${port}/team/fraud`;
  for (const view of ["now", "alerts", "map", "model", "system"]) {
    await open(page, address, view);
  }
  await writeThreshold(page, 0.55);
  assert.deepEqual(refused, []);
  noErrors(page);
  proxy.closeAllConnections();
  proxy.close();
}

async function slowChecks(
  { served }: Stage,
  visitor: BrowserContext,
): Promise<void> {
  const page = await newPage(visitor);
  const network = await visitor.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 300,
    downloadThroughput: 50_000,
    uploadThroughput: 20_000,
  });
  await page.goto(served.address, { waitUntil: "commit" });
  await page.locator(".tile").first().waitFor();
  await page.locator("#link.live").waitFor();
  noErrors(page);
}

async function manyChecks(
  { served }: Stage,
  many: BrowserContext,
): Promise<void> {
  const pages = await Promise.all(
    Array.from({ length: 50 }, () => many.newPage()),
  );
  await Promise.all(pages.map(async (one) => {
    one.setDefaultTimeout(WAIT_MS);
    await one.goto(`${served.address}/#/now`);
    await one.locator("tbody tr td a").first().waitFor();
  }));
  const answer = await fetch(`${served.address}/api/system`);
  const { page: serving } = await answer.json();
  // A browser's pages share one connection.
  assert.ok(serving.clients >= 1, `${serving.clients} clients`);
}

async function restartChecks(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "now");
  const { port } = stage.served;
  await stop(stage.served);
  await page.locator("#link.lost").waitFor();
  const flags = [...stage.flags.slice(0, -1), `--port=${port}`];
  stage.served = await serve(stage.data, flags);
  await page.locator("#link.live").waitFor();
  await page.getByText("The server was restarted").waitFor();
  // The key of the server before is of no use; the page gets a new one.
  await writeThreshold(page, 0.6);
}
