/**
 * What the checks of the page share: the program that serves it, a browser, and
 * how a check is reported, as one line of JSON: {"name", "error"}.
 */
import assert from "node:assert/strict";
import axe from "axe-core/axe.min.js" with { type: "text" };
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  Page,
} from "playwright-core";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** How long something on the page may take. */
export const WAIT_MS = 120_000;

/** A program that serves its page. */
export interface Served {
  /** Its process. */
  readonly child: Deno.ChildProcess;
  /** The page, without a slash at the end. */
  readonly address: string;
  /** The port of that address. */
  readonly port: number;
}

/** What checks work with. */
export interface Stage {
  /** The browser, with a new profile. */
  readonly browser: Browser;
  /** A folder of the test's own. */
  readonly folder: string;
  /** The folder of the stream's data. */
  readonly data: string;
  /** The flags with which the program was started. */
  readonly flags: readonly string[];
  /** The program; another one after it was started again. */
  served: Served;
  /** Where pictures of the documentation go; undefined for none. */
  readonly images: string | undefined;
}

/** Starts the program on a data folder; gives it once its page is served. */
export async function serve(
  data: string,
  flags: readonly string[],
): Promise<Served> {
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

/** Stops the program as Ctrl-C does. */
export async function stop({ child }: Served): Promise<void> {
  child.kill("SIGINT");
  await child.status;
}

/** Runs a check and reports it. */
export async function check(
  name: string,
  body: () => Promise<void>,
): Promise<void> {
  let error: string | undefined;
  try {
    await body();
  } catch (failure) {
    error = failure instanceof Error ? failure.stack : String(failure);
  }
  const line = JSON.stringify({ name, error }) + "\n";
  await Deno.stdout.write(new TextEncoder().encode(line));
}

/** A window of a new profile for as long as `body` takes, whatever comes of it. */
export async function inWindow(
  { browser }: Pick<Stage, "browser">,
  options: BrowserContextOptions,
  body: (context: BrowserContext) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    await body(context);
  } finally {
    await context.close();
  }
}

const failures = new Map<Page, string[]>();

/** A page whose console errors noErrors() finds. */
export async function newPage(context: BrowserContext): Promise<Page> {
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

/** Fails if the console of a page has had an error. */
export function noErrors(page: Page): void {
  assert.deepEqual(failures.get(page), []);
}

/** Waits until something is so. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!await condition()) {
    assert.ok(
      performance.now() < deadline,
      `it was not so within ${WAIT_MS / 1000} s`,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Waits until assertions hold, of something that follows an action a moment
 * later: what the store has, or what the page draws when an answer has come.
 * Fails with the assertion that does not come to hold.
 */
export async function eventually(
  body: () => Promise<void> | void,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await body();
    } catch (error) {
      const isLate = performance.now() > deadline;
      if (isLate || !(error instanceof assert.AssertionError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a view has once data are in it. */
const FILLED: Readonly<Record<string, string>> = {
  now: "tbody tr td a",
  alerts: ".queue-filter",
  map: "tbody tr td a",
  model: "h1",
  system: "tbody tr",
};

/** Marks what the page shows, so that it is seen when another view has taken its place. */
const LEAVE = "document.querySelector('main')?.firstElementChild" +
  "?.setAttribute('data-left', '')";

/** Opens a view and waits until it shows something of the stream, and nothing of the view before. */
export async function open(
  page: Page,
  address: string,
  view: string,
): Promise<void> {
  const { href } = new URL(`${address}/#/${view}`);
  if (page.url() !== href) await page.evaluate(LEAVE);
  await page.goto(href);
  await page.locator("[data-left]").waitFor({ state: "detached" });
  await page.locator("#link.live").waitFor();
  const [name, id] = view.split("?")[0].split("/");
  const filled = id === undefined
    ? FILLED[name]
    : name === "alerts"
    ? ".case"
    : "h1";
  await page.locator(filled ?? "h1").first().waitFor();
}

/** What axe finds wrong with the page as it stands, dialogs included. */
export async function violations(page: Page): Promise<unknown> {
  // From the driver, past the page's policy, which lets no script in.
  await page.evaluate(axe);
  // Colours between those of light and dark have no contrast.
  await page.evaluate(
    "Promise.allSettled(document.getAnimations()" +
      ".filter((one) => one instanceof CSSTransition)" +
      ".map(({ finished }) => finished))",
  );
  return await page.evaluate(
    "axe.run().then(({ violations }) => violations.map(" +
      "({ id, nodes }) => [id, ...nodes.map(({ target }) => target.join())]))",
  );
}

/** How many pixels the page is wider than its window. */
export async function overflow(page: Page): Promise<unknown> {
  return await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
}

/** Asserts that axe finds nothing and that the page fits its window, in light and in dark. */
export async function looksRight(page: Page, what = ""): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await violations(page), [], `${what} ${colorScheme}`);
    assert.equal(await overflow(page), 0, `${what} ${colorScheme}`);
  }
}

/** Takes a picture for the documentation, if those are made. */
export async function picture(
  page: Page,
  { images }: Stage,
  name: string,
): Promise<void> {
  if (images === undefined) return;
  const path = `${images}/${name}.jpg`;
  await page.screenshot({ path, type: "jpeg", quality: 72 });
}
