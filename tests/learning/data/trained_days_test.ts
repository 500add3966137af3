import assert from "node:assert/strict";
import { leakage } from "../../../src/learning/data/trained_days.ts";
import { parseDate } from "../../../src/payment/calendar.ts";

const DAY = 86_400;

/** A test of some days. */
function days(firstDate: string, count: number) {
  const from = parseDate(firstDate) ?? NaN;
  return { from, to: from + count * DAY };
}

const trained = { firstDate: "2018-07-25", days: 7, delayDays: 7 };

Deno.test("leakage() is silent where the test begins when the labels are known, or later", () => {
  for (const first of ["2018-08-08", "2018-08-09", "2019-01-01"]) {
    assert.equal(leakage(trained, days(first, 7)), undefined, first);
  }
});

Deno.test("leakage() counts the test days that were trained on", () => {
  const cases: [string, number, number][] = [
    ["2018-07-25", 7, 7],
    ["2018-07-01", 183, 7],
    ["2018-07-27", 2, 2],
    ["2018-07-20", 6, 1],
    ["2018-07-31", 7, 1],
  ];
  for (const [first, count, shared] of cases) {
    assert.equal(
      leakage(trained, days(first, count)),
      "was trained on 2018-07-25 to 2018-07-31, and " +
        `${shared} of the ${count} test days are among them: it is judged ` +
        "by what it has learned from",
    );
  }
});

Deno.test("leakage() tells a test within the label delay, and one before the training", () => {
  for (const first of ["2018-08-01", "2018-08-07"]) {
    assert.match(
      leakage(trained, days(first, 7)) ?? "",
      RegExp(
        "^was trained on 2018-07-25 to 2018-07-31, whose labels are known " +
          `from 2018-08-08 on, and the test begins on ${first}: `,
      ),
    );
  }
  assert.match(
    leakage(trained, days("2018-07-18", 7)) ?? "",
    /^was trained on 2018-07-25 to 2018-07-31, after the test: /,
  );
});

Deno.test("leakage() says that a model without days of training may have learned from the test", () => {
  assert.match(
    leakage(undefined, days("2018-08-08", 7)) ?? "",
    /^does not say which days it was trained on: it may/,
  );
});
