/**
 * What is checked in a real Chromium, with all permissions, since its driver
 * looks around on the machine; browser_test.ts starts this and reports each
 * check.
 *
 *   deno run --allow-all tests/browser/browser_checks.ts CHROMIUM FOLDER \
 *     [--only=triage] [--images=DIR]
 *
 * --only runs one group of checks, --images makes the pictures of the
 * documentation again.
 */
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { serve, type Stage, stop, until } from "./browser_stage.ts";
import { connectionChecks } from "./connection_checks.ts";
import { numberChecks } from "./number_checks.ts";
import { ownStreamChecks } from "./own_stream_checks.ts";
import { rulesChecks } from "./rules_checks.ts";
import { triageChecks } from "./triage_checks.ts";
import { viewChecks } from "./view_checks.ts";

/**
 * The groups of checks, those of a lane in their order. Lanes run side by side,
 * since checks mostly wait for a stream and for what a page asks again every
 * few seconds: the first lane shares a program, which its last group starts
 * again; each group of the second has its own.
 */
const LANES = [
  { triage: triageChecks, views: viewChecks, connections: connectionChecks },
  { numbers: numberChecks, own: ownStreamChecks, rules: rulesChecks },
];

/** Alerts that are there before the checks. */
const ALERTS_MIN = 100;

const FLAGS = [
  "--customers=300",
  "--terminals=200",
  // Payments come during all checks that need some, on a slow machine too.
  "--days=1000",
  "--radius=8",
  "--rate=300",
  "--stay",
  "--port=0",
];

/** Waits until the stream that the first lane shares has alerts. */
async function haveAlerts(address: string): Promise<void> {
  await until(async () => {
    const answer = await fetch(`${address}/api/alerts`);
    return (await answer.json()).total > ALERTS_MIN;
  });
}

/** Runs groups of checks one after the other. */
async function inOrder(
  groups: readonly ((stage: Stage) => Promise<void>)[],
  stage: Stage,
): Promise<void> {
  for (const run of groups) await run(stage);
}

async function main(): Promise<void> {
  const { positionals: [executablePath, folder], values } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: { only: { type: "string" }, images: { type: "string" } },
  });
  const data = `${folder}/data`;
  const served = await serve(data, FLAGS);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const { images } = values;
  const stage: Stage = { browser, folder, data, flags: FLAGS, served, images };
  try {
    const [shared, own] = LANES.map((lane) =>
      Object.entries(lane).filter(([name]) =>
        values.only === undefined || values.only === name
      ).map(([, run]) => run)
    );
    const ends = await Promise.allSettled([
      haveAlerts(served.address).then(() => inOrder(shared, stage)),
      inOrder(own, stage),
    ]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  } finally {
    await browser.close();
    await stop(stage.served);
  }
}

await main();
