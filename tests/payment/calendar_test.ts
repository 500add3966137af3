import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dateSeconds,
  DatetimeFormatter,
  formatDate,
  formatDatetime,
  formatDuration,
  isNight,
  isWeekend,
  parseDate,
  parseDatetime,
} from "../../src/payment/calendar.ts";

const FIRST = Date.parse("0001-01-01T00:00:00Z") / 1000;
const LAST = Date.parse("9999-12-31T23:59:59Z") / 1000;
const seconds = fc.integer({ min: FIRST, max: LAST });

Deno.test("parseDatetime() and formatDatetime() agree with Date for any second", () => {
  fc.assert(
    fc.property(seconds, (second) => {
      const text = new Date(second * 1000).toISOString().slice(0, 19)
        .replace("T", " ");
      assert.equal(formatDatetime(second), text);
      assert.equal(parseDatetime(text), second);
    }),
    { numRuns: 1000, examples: [[FIRST], [LAST], [0], [-1]] },
  );
});

Deno.test("parseDate() takes exactly the days that Date knows", () => {
  for (const year of [1, 4, 100, 400, 1900, 1970, 2000, 2018, 2100, 9999]) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = [
          String(year).padStart(4, "0"),
          String(month).padStart(2, "0"),
          String(day).padStart(2, "0"),
        ].join("-");
        const date = new Date(`${text}T00:00:00Z`);
        // Date takes 30 February for 2 March.
        const real = !Number.isNaN(date.getTime()) &&
          date.toISOString().startsWith(text);
        const expected = real ? date.getTime() / 1000 : undefined;
        assert.equal(parseDate(text), expected, text);
        assert.equal(dateSeconds(year, month, day), expected, text);
      }
    }
  }
});

Deno.test("29 February is there in leap years only", () => {
  assert.equal(formatDate(parseDate("2020-02-29") ?? NaN), "2020-02-29");
  assert.equal(formatDate(parseDate("2000-02-29") ?? NaN), "2000-02-29");
  assert.equal(parseDate("2019-02-29"), undefined);
  assert.equal(parseDate("1900-02-29"), undefined);
});

Deno.test("parseDatetime() refuses what is not of its form", () => {
  const refused = [
    "",
    "2018-04-01",
    "2018-04-01T00:00:00",
    "2018-04-01 24:00:00",
    "2018-04-01 23:60:00",
    "2018-04-01 23:59:60",
    "2018-02-30 00:00:00",
    "0000-01-01 00:00:00",
    "2018-4-1 00:00:00",
    "2018-04-01 00:00:00Z",
    " 2018-04-01 00:00:00",
    "2018-04-01 00:00:00\n",
    "+018-04-01 00:00:00",
  ];
  for (const text of refused) {
    assert.equal(parseDatetime(text), undefined, JSON.stringify(text));
  }
});

Deno.test("isWeekend() is Saturday and Sunday from midnight to midnight", () => {
  const at = (text: string) => isWeekend(parseDatetime(text) ?? NaN);
  assert.equal(at("2018-04-06 23:59:59"), false);
  assert.equal(at("2018-04-07 00:00:00"), true);
  assert.equal(at("2018-04-08 23:59:59"), true);
  assert.equal(at("2018-04-09 00:00:00"), false);
});

Deno.test("isNight() ends after 06:59:59", () => {
  const at = (text: string) => isNight(parseDatetime(text) ?? NaN);
  assert.equal(at("2018-04-01 00:00:00"), true);
  assert.equal(at("2018-04-01 06:59:59"), true);
  assert.equal(at("2018-04-01 07:00:00"), false);
  assert.equal(at("2018-04-01 23:59:59"), false);
});

Deno.test("isWeekend() and isNight() agree with Date, before 1970 too", () => {
  fc.assert(fc.property(seconds, (second) => {
    const date = new Date(second * 1000);
    assert.equal(isWeekend(second), [0, 6].includes(date.getUTCDay()));
    assert.equal(isNight(second), date.getUTCHours() <= 6);
  }));
});

Deno.test("DatetimeFormatter gives the text of formatDatetime(), from one day to another", () => {
  const formatter = new DatetimeFormatter();
  const near = fc.tuple(seconds, fc.array(fc.nat(200_000)));
  fc.assert(fc.property(near, ([from, steps]) => {
    for (const step of [0, ...steps]) {
      const second = Math.min(LAST, from + step);
      assert.equal(formatter.format(second), formatDatetime(second));
    }
  }));
});

Deno.test("formatDuration() gives the largest unit that fits", () => {
  const shown = [0, 1, 90, 60, 5400, 3600, 86_400, 172_800, 90_000];
  assert.deepEqual(
    shown.map(formatDuration),
    ["0s", "1s", "90s", "1m", "90m", "1h", "1d", "2d", "25h"],
  );
});
