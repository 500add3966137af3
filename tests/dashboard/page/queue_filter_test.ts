/** The filter in the queue's address: what is known of it, and what is ignored and why. */
import assert from "node:assert/strict";
import {
  filterOf,
  ignoredOf,
} from "../../../src/dashboard/page/queue_filter.js";

function read(query: string) {
  const parameters = new URLSearchParams(query);
  return { filter: filterOf(parameters), ignored: ignoredOf(parameters) };
}

Deno.test("a filter takes what it knows, whatever else the address has", () => {
  const query =
    "state=cleared&sort=newest&card=17&day=2018-04-09&by=card&page=2";
  assert.deepEqual(read(query), {
    filter: { state: "cleared", sort: "newest", card: "17", day: "2018-04-09" },
    ignored: [],
  });
  assert.deepEqual(read("state=&card=%20"), { filter: {}, ignored: [] });
});

Deno.test("what a filter does not know is named with the reason, and the rest counts", () => {
  assert.deepEqual(
    read("state=shut&card=17&colour=red&sort=age&terminal=x&score=high&by=day"),
    {
      filter: { card: "17" },
      ignored: [
        "state=shut (no such state)",
        "colour=red (no such filter)",
        "sort=age (no such order)",
        "terminal=x (not an id)",
        "score=high (not a number)",
        "by=day (no such grouping)",
      ],
    },
  );
  assert.deepEqual(read("day=tomorrow").ignored, ["day=tomorrow (not a date)"]);
  assert.deepEqual(read("scenario=2"), {
    filter: {},
    ignored: ["scenario=2 (only with the simulation's truth)"],
  });
});
