import assert from "node:assert/strict";
import type { ModelView } from "../../../src/dashboard/views/model_view.ts";
import { openPage, payment, prediction } from "../page_fixture.ts";

const DAY = 86_400;
const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;

Deno.test("the view of models says when versions and thresholds changed, and which days are not complete", async () => {
  await using page = await openPage();
  // Two payments on day 40 and 41 each; the last one is not scored yet.
  const payments = [40, 40.25, 41, 41.5].map((day, at) =>
    payment({ transactionId: at, timeSeconds: day * DAY })
  );
  await page.publish(payments);
  await page.predict(
    payments.slice(0, 3).map((one, at) => ({
      ...prediction(one, 0.25),
      MODEL_VERSION: at < 2 ? "aaaaaaaaaaaa" : "bbbbbbbbbbbb",
      SHADOW_SCORES: { cccccccccccc: at / 2 },
    })),
  );
  await page.until(() => {
    const { state } = page;
    return state.timeSeconds === 41.5 * DAY && state.scores.days().length === 2;
  });
  const answer = await page.ask("/api/model/threshold", {
    method: "POST",
    body: JSON.stringify({ threshold: 0.75 }),
    headers: await page.fromPage(),
  });
  assert.equal(answer.status, 201);
  await answer.body?.cancel();
  const view: ModelView = await (await page.ask("/api/model")).json();
  assert.equal(view.startSeconds, START_SECONDS);
  assert.equal(view.delayDays, 7);
  const applied = view.events.find(({ sign }) => sign === "threshold")?.at;
  assert.ok(
    applied !== undefined && Math.abs(applied - Date.now() / 1000) < 60,
  );
  const events = [
    { x: 41, sign: "champion", text: "Version bbbbbbbbbbbb scores" },
    {
      x: 41.5,
      at: applied,
      sign: "threshold",
      text: "Alerts from a score of 0.75 on",
    },
  ];
  assert.deepEqual(view.events, events);
  // The charts of the view "Now" have the same marks.
  assert.deepEqual(await (await page.ask("/api/marks")).json(), { events });
  assert.deepEqual(
    view.days.map(({ day, complete, version }) => [day, complete, version]),
    [[40, true, "aaaaaaaaaaaa"], [41, false, "bbbbbbbbbbbb"]],
  );
  const { threshold, models: [shadow] } = view.shadows;
  assert.deepEqual([threshold, shadow.version], [0.5, "cccccccccccc"]);
  const { all, gained, lost } = shadow;
  assert.deepEqual(
    [all, gained, lost].map(({ payments }) => payments),
    [3, 2, 0],
  );
});
