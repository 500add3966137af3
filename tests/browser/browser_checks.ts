/**
 * What is checked in a real Chromium, with all permissions, since its driver
 * looks around on the machine; browser_test.ts starts this and reports each
 * check. One line of JSON a check: {"name", "error"}.
 *
 * With --images=DIR the pictures of the documentation are made anew.
 */
import assert from "node:assert/strict";
import axe from "axe-core/axe.min.js" with { type: "text" };
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
} from "playwright-core";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { LABEL_TOPIC } from "../../src/stream/topics.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { scoreStandIn } from "./stand_in_scorer.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const [chromiumPath, folder, images] = Deno.args;
const data = `${folder}/data`;
const WAIT_MS = 60_000;
const VIEWS = [
  "now",
  "alerts",
  "map",
  "map?card=3",
  "model",
  "system",
  "nowhere",
];

/** Starts the program; gives it once its page is served. */
async function serve(
  flags: readonly string[],
): Promise<{ child: Deno.ChildProcess; address: string; port: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-net=127.0.0.1",
      MAIN,
      "run",
      `--data=${data}`,
      ...flags,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream());
  let said = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  (async () => {
    for await (const text of lines) {
      said += text;
      const found = /"address":"(http:[^"]+)"/.exec(said)?.[1];
      if (found) resolve(found);
    }
    reject(new Error(`the program ended: ${said}`));
  })();
  const address = await promise;
  return { child, address, port: Number(new URL(address).port) };
}

async function stop(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGINT");
  await child.status;
}

async function check(name: string, body: () => Promise<void>): Promise<void> {
  let error: string | undefined;
  try {
    await body();
  } catch (failure) {
    error = failure instanceof Error ? failure.stack : String(failure);
  }
  const line = JSON.stringify({ name, error }) + "\n";
  await Deno.stdout.write(new TextEncoder().encode(line));
}

/** A page that fails the check it is used in where its console has an error. */
async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const errors: string[] = [];
  failures.set(page, errors);
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  return page;
}

/** Waits until something is so. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!await condition()) {
    assert.ok(performance.now() < deadline, "it was not so within a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const failures = new Map<Page, string[]>();

function noErrors(page: Page): void {
  assert.deepEqual(failures.get(page), []);
}

/** Opens a view and waits until it shows something of the stream. */
async function open(page: Page, address: string, view: string): Promise<void> {
  await page.goto(`${address}/#/${view}`);
  await page.locator("#link.live").waitFor();
  await page.locator(FILLED[view.split(/[?/]/)[0]]).first().waitFor();
}

/** What a view has once data are in it. */
const FILLED: Readonly<Record<string, string>> = {
  now: "tbody tr td a",
  alerts: "h1",
  map: "tbody tr td a",
  model: "h1",
  system: "tbody tr",
  nowhere: "h1",
};

async function violations(page: Page): Promise<unknown> {
  // From the driver, past the page's policy, which lets no script in.
  await page.evaluate(axe);
  return await page.evaluate(
    "axe.run().then(({ violations }) => violations.map(" +
      "({ id, nodes }) => [id, ...nodes.map(({ target }) => target.join())]))",
  );
}

async function overflow(page: Page): Promise<unknown> {
  return await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
}

async function picture(page: Page, name: string): Promise<void> {
  if (!images) return;
  await page.screenshot({
    path: `${images}/${name}.jpg`,
    type: "jpeg",
    quality: 72,
  });
}

async function checks(browser: Browser): Promise<void> {
  const flags = [
    "--customers=300",
    "--terminals=200",
    "--days=60",
    "--radius=8",
    "--rate=1200",
    "--stay",
    "--port=0",
  ];
  let served = await serve(flags);
  await using log = new EmbeddedLog({ path: `${data}/log.db`, durable: false });
  const scoring = new AbortController();
  const scored = scoreStandIn(log, scoring.signal);
  const wide = { viewport: { width: 1440, height: 900 } };
  const context = await browser.newContext({ ...wide, colorScheme: "light" });
  const page = await newPage(context);
  let alerted = "";

  await check(
    "Now shows payments that move, and stops when told to",
    async () => {
      await open(page, served.address, "now");
      const first = () =>
        page.getByRole("region", { name: "Newest payments" })
          .locator("tbody tr td a").first().textContent();
      const before = await first();
      await until(async () => await first() !== before);
      await page.getByRole("button", { name: "Pause" }).click();
      const held = await first();
      const stored = page.locator(".tile", { hasText: "Stored" }).locator("dd")
        .first();
      const count = await stored.textContent();
      await until(async () => await stored.textContent() !== count);
      assert.equal(await first(), held);
      noErrors(page);
    },
  );

  await check(
    "an alert opens to its case; a verdict is found in the page, the store and the log",
    async () => {
      await open(page, served.address, "alerts?sort=score&scenario=1");
      const link = page.locator("tbody tr td a").first();
      await link.waitFor();
      alerted = await link.textContent() ?? "";
      await link.click();
      await page.getByRole("heading", { name: `Case ${alerted}` }).waitFor();
      await page.getByLabel("Your name").fill("Ada <b>Lovelace</b>");
      await page.getByLabel("Note").fill("<script>document.title='x'</script>");
      await page.getByRole("button", { name: "Confirm fraud" }).click();
      const history = page.getByRole("log");
      await history.getByText("Ada <b>Lovelace</b>").waitFor();
      await history.getByText("<script>").waitFor();
      assert.equal(await page.locator("main b, main script").count(), 0);
      await open(page, served.address, `alerts?state=confirmed`);
      await page.getByRole("link", { name: `Case of payment ${alerted}` })
        .waitFor();
      await using store = new EmbeddedStore({
        path: `${data}/store.db`,
        features: HANDBOOK_FEATURES,
        durable: false,
      });
      const [verdict] = await store.lookUp().verdicts(Number(alerted));
      assert.equal(verdict.analyst, "Ada <b>Lovelace</b>");
      const labels: string[] = [];
      const ends = await log.endOffsets(LABEL_TOPIC) ?? [];
      for (const [partition, end] of ends.entries()) {
        for await (
          const batch of readRange(log, LABEL_TOPIC, partition, 0, end)
        ) {
          for (let i = 0; i < batch.count; i++) {
            labels.push(new TextDecoder().decode(recordValue(batch, i)));
          }
        }
      }
      assert.equal(labels.length, 1);
      assert.equal(JSON.parse(labels[0]).DECIDED_AT, verdict.decidedAt);
      noErrors(page);
    },
  );

  for (const scheme of ["light", "dark"] as const) {
    for (const [size, width, height] of SIZES) {
      const name = `${size}, ${scheme}`;
      const looking = await browser.newContext({
        viewport: { width, height },
        colorScheme: scheme,
        reducedMotion: "reduce",
        // For axe, which is a script of ours.
        bypassCSP: true,
      });
      const view = await newPage(looking);
      for (const path of [...VIEWS, `alerts/${alerted}`]) {
        await check(
          `${path.replace(/\d+$/, "ID")} is accessible and fits: ${name}`,
          async () => {
            await open(view, served.address, path);
            if (path.startsWith("alerts/")) {
              await view.getByRole("heading", { name: "Verdict" }).waitFor();
            }
            if (path === "model") {
              await view.locator(".chart text").first().waitFor();
            }
            assert.deepEqual(await violations(view), []);
            assert.equal(await overflow(view), 0);
            noErrors(view);
            const kind = path.startsWith("alerts/") ? "case" : path;
            if (size === "wide" && !kind.includes("?")) {
              const shown = scheme === "light"
                ? ["now", "case"]
                : ["map", "model"];
              if (shown.includes(kind)) {
                await picture(view, `dashboard-${kind}`);
              }
            }
          },
        );
      }
      await looking.close();
    }
  }

  await check(
    "the first figures are there before any script runs",
    async () => {
      const bare = await browser.newContext({ javaScriptEnabled: false });
      const plain = await bare.newPage();
      await plain.goto(served.address);
      const tiles = plain.locator(".tile");
      assert.equal(await tiles.count(), 8);
      const stored = tiles.filter({ hasText: "Stored" }).locator("dd").first();
      assert.match(await stored.textContent() ?? "", /^[\d,]*[1-9][\d,]*$/);
      await bare.close();
    },
  );

  await check("everything is reached by the keyboard", async () => {
    await open(page, served.address, "now");
    await page.bringToFront();
    await page.reload();
    await page.locator("tbody tr td a").first().waitFor();
    await page.keyboard.press("Tab");
    const focused = "document.activeElement.textContent";
    assert.equal(await page.evaluate(focused), "Skip to the content");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Alerts", exact: true }).waitFor();
    // The heading of the new view has the focus then.
    await until(async () => await page.evaluate(focused) === "Alerts");
  });

  await check(
    "a page of another port can neither write nor get a key",
    async () => {
      const { address } = served;
      await using stranger = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => {
          const headers = { "content-type": "text/html" };
          return new Response("<p>a page of somebody else</p>", { headers });
        },
      );
      const foreign = await context.newPage();
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
      const written = await page.evaluate(
        `import("/page/dom.js").then(({ ask }) =>
          ask("/api/model/threshold", {}, { threshold: 0.5 }))`,
      );
      assert.deepEqual(written, { threshold: 0.5 });
      noErrors(page);
    },
  );

  await check(
    "who signs out sees nothing more, in no window",
    async () => {
      const token = "0123456789abcdef0123456789abcdef";
      Deno.writeTextFileSync(`${folder}/token`, token);
      const flags = [`--token-file=${folder}/token`, "--port=0"];
      const guarded = await serve(["--role=dashboard", ...flags]);
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
      await stop(guarded.child);
    },
  );

  await check("fifty pages at once all show the stream", async () => {
    const many = await browser.newContext();
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
    await many.close();
  });

  await check(
    "a server that was started again is noticed, and said",
    async () => {
      await open(page, served.address, "now");
      const { port } = served;
      await stop(served.child);
      await page.locator("#link.lost").waitFor();
      served = await serve([...flags.slice(0, -1), `--port=${port}`]);
      await page.locator("#link.live").waitFor();
      await page.getByText("The server was restarted").waitFor();
      // The key of the server before is of no use; the page gets a new one.
      const written = await page.evaluate(
        `import("/page/dom.js").then(({ ask }) =>
          ask("/api/model/threshold", {}, { threshold: 0.6 }))`,
      );
      assert.deepEqual(written, { threshold: 0.6 });
    },
  );

  scoring.abort();
  await scored;
  await stop(served.child);
}

const SIZES = [
  ["narrow", 360, 740],
  ["wide", 1440, 900],
  ["4K", 3840, 2160],
] as const;

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  await checks(browser);
} finally {
  await browser.close();
}
