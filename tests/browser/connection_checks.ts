/** What is checked of the page's connection: other origins, sign-out, many pages, a path of a proxy, a restart. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import {
  check,
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
  const context = await stage.browser.newContext();
  const page = await newPage(context);
  await check(
    "a page of another port can neither write nor get a key",
    () => strangerChecks(stage, page),
  );
  await check(
    "who signs out sees nothing more, in no window",
    () => signOutChecks(stage),
  );
  await check("fifty pages at once all show the stream", async () => {
    const many = await stage.browser.newContext();
    const pages = await Promise.all(
      Array.from({ length: 50 }, () => many.newPage()),
    );
    await Promise.all(pages.map(async (one) => {
      one.setDefaultTimeout(WAIT_MS);
      await one.goto(`${stage.served.address}/#/now`);
      await one.locator("tbody tr td a").first().waitFor();
    }));
    const answer = await fetch(`${stage.served.address}/api/system`);
    const { page: serving } = await answer.json();
    // A browser's pages share one connection.
    assert.ok(serving.clients >= 1, `${serving.clients} clients`);
    await many.close();
  });
  await check(
    "beneath a path of a proxy the page reads, listens and writes",
    () => proxyChecks(stage),
  );
  await check(
    "on a slow network the numbers come first, and the stream follows",
    () => slowChecks(stage),
  );
  await check(
    "a server that was started again is noticed, and said",
    () => restartChecks(stage, page),
  );
  await context.close();
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
  assert.deepEqual(await writeThreshold(page, 0.5), { threshold: 0.5 });
  noErrors(page);
}

/** Writes through the page's own script. */
async function writeThreshold(
  page: Page,
  threshold: number,
): Promise<unknown> {
  // Relative to the page, as its own scripts are.
  return await page.evaluate(
    `import(new URL("page/dom.js", location.href)).then(({ ask }) =>
      ask("/api/model/threshold", {}, { threshold: ${threshold} }))`,
  );
}

async function signOutChecks({ browser, folder, data }: Stage): Promise<void> {
  const token = "0123456789abcdef0123456789abcdef";
  Deno.writeTextFileSync(`${folder}/token`, token);
  const guarded = await serve(data, [
    "--role=dashboard",
    `--token-file=${folder}/token`,
    "--port=0",
  ]);
  const visitor = await browser.newContext();
  const [first, second] = [await newPage(visitor), await newPage(visitor)];
  await first.goto(guarded.address);
  await first.getByLabel("Token").fill(token);
  await first.getByRole("button", { name: "Sign in" }).click();
  await first.locator("#link.live").waitFor();
  await open(first, guarded.address, "system");
  await open(second, guarded.address, "now");
  await first.getByRole("button", { name: "Sign out" }).click();
  await first.getByLabel("Token").waitFor();
  await second.locator("#link.lost").waitFor();
  await visitor.close();
  await stop(guarded);
}

/** A reverse proxy that serves the page at /team/fraud/, as nginx and Caddy do it. */
function proxyOf(target: string): Deno.HttpServer<Deno.NetAddr> {
  const prefix = "/team/fraud/";
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      if (!pathname.startsWith(prefix)) {
        return new Response("not of the page", { status: 404 });
      }
      const headers = new Headers(request.headers);
      headers.delete("accept-encoding");
      const response = await fetch(
        `${target}/${pathname.slice(prefix.length)}${search}`,
        {
          method: request.method,
          headers,
          body: request.body,
          redirect: "manual",
        },
      );
      const { status } = response;
      return new Response(response.body, { status, headers: response.headers });
    },
  );
}

async function proxyChecks({ browser, served }: Stage): Promise<void> {
  await using proxy = proxyOf(served.address);
  const visitor = await browser.newContext();
  const page = await newPage(visitor);
  const asked: string[] = [];
  page.on("response", (response) => {
    if (response.status() >= 400) asked.push(response.url());
  });
  const address = `http://127.0.0.1:${proxy.addr.port}/team/fraud`;
  for (const view of ["now", "alerts", "map", "model", "system"]) {
    await open(page, address, view);
  }
  assert.deepEqual(await writeThreshold(page, 0.55), { threshold: 0.55 });
  assert.deepEqual(asked, []);
  noErrors(page);
  await visitor.close();
}

async function slowChecks({ browser, served }: Stage): Promise<void> {
  const visitor = await browser.newContext();
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
  await visitor.close();
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
  assert.deepEqual(await writeThreshold(page, 0.6), { threshold: 0.6 });
}
