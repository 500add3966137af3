import assert from "node:assert/strict";
import fc from "fast-check";
import {
  clockTicks,
  countOf,
  dayTicks,
  dayTitle,
  grouped,
  isoDay,
  isoMinute,
  linear,
  numberTicks,
  percent,
  shareTick,
  type Tick,
  zeroTicks,
} from "../../../src/dashboard/page/scale.js";

const START = Date.UTC(2018, 3, 1) / 1000;
const texts = (ticks: readonly Tick[]) => ticks.map(({ text }) => text);

/**
 * What holds for the ticks of any axis: sorted, within the range, no two equal
 * texts, equally far apart, and never farther from an end than from each other.
 */
function assertTicks(ticks: readonly Tick[], low: number, high: number): void {
  assert.equal(new Set(texts(ticks)).size, ticks.length, String(texts(ticks)));
  const slack = (high - low) * 1e-9;
  const steps = ticks.slice(1).map(({ value }, at) => value - ticks[at].value);
  for (const { value } of ticks) {
    assert.ok(value >= low - slack && value <= high + slack, `${value}`);
  }
  assert.ok(steps.every((step) => step > 0), "not ascending");
  if (steps.length === 0) return;
  const widest = Math.max(...steps) + slack;
  assert.ok(ticks[0].value - low <= widest, "nothing at the lower end");
  assert.ok(high - (ticks.at(-1)?.value ?? NaN) <= widest, "nor at the upper");
}

/** A number as its text says. */
const said = (text: string) =>
  Number(text.replaceAll(",", "").replace("−", "-"));

Deno.test("numberTicks() have distinct texts that say their values exactly, from one end to the other", () => {
  const low = fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 1e4);
  const share = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(
      low,
      share,
      fc.integer({ min: 2, max: 12 }),
      (low, share, most) => {
        const high = low + (Math.abs(low) || 1) * share;
        const ticks = numberTicks(low, high, most);
        assertTicks(ticks, low, high);
        assert.ok(ticks.length >= 2 && ticks.length <= Math.max(5, most + 1));
        for (const { value, text } of ticks) assert.equal(said(text), value);
        // No text has a digit that none of them needs.
        const decimals = ticks.map(({ text }) => text.split(".")[1] ?? "");
        assert.equal(new Set(decimals.map(({ length }) => length)).size, 1);
        if (ticks.length > 2 && decimals[0] !== "") {
          assert.ok(decimals.some((digits) => !digits.endsWith("0")));
        }
      },
    ),
  );
});

Deno.test("numberTicks() of counts are whole", () => {
  const counts = fc.double({ min: 0.01, max: 1e9, noNaN: true });
  fc.assert(fc.property(counts, (most) => {
    const ticks = zeroTicks(most, 4, grouped, 1);
    assertTicks(ticks, 0, ticks.at(-1)?.value ?? NaN);
    for (const { value } of ticks) assert.ok(Number.isInteger(value));
  }));
  assert.deepEqual(texts(numberTicks(0, 1, 5, grouped, 1)), ["0", "1"]);
});

Deno.test("shares have as many decimals as their step needs, and no equal texts", () => {
  const share = fc.double({ min: 1e-7, max: 1, noNaN: true });
  fc.assert(fc.property(share, (most) => {
    const ticks = zeroTicks(most, 4, shareTick);
    assertTicks(ticks, 0, ticks.at(-1)?.value ?? NaN);
  }));
  const shown = (high: number) =>
    texts(zeroTicks(high, 4, shareTick)).map((text) => {
      return text.replace("\u00a0", " ");
    });
  assert.deepEqual(shown(1), ["0 %", "50 %", "100 %"]);
  assert.deepEqual(shown(0.008), ["0.0 %", "0.2 %", "0.4 %", "0.6 %", "0.8 %"]);
});

Deno.test("numberTicks() of a range without length are none", () => {
  assert.deepEqual(numberTicks(3, 3, 5), []);
});

Deno.test("zeroTicks() go from 0 to the first that is not below the highest number", () => {
  const number = fc.double({ min: 1e-6, max: 1e9, noNaN: true });
  const most = fc.double({ min: 0, max: 12, noNaN: true });
  fc.assert(fc.property(number, most, (value, most) => {
    const ticks = zeroTicks(value, most);
    const top = ticks.at(-1)?.value ?? NaN;
    assertTicks(ticks, 0, top);
    assert.equal(ticks[0].value, 0);
    assert.ok(top >= value * (1 - 1e-9));
    assert.ok(value >= (ticks.at(-2)?.value ?? NaN) * (1 - 1e-9));
    for (const { value, text } of ticks) assert.equal(said(text), value);
  }));
  const shown = [0, NaN, 0.3].map((value) => {
    return texts(zeroTicks(value, 4, grouped, 1));
  });
  assert.deepEqual(shown, [["0", "1"], ["0", "1"], ["0", "1"]]);
});

Deno.test("dayTicks() are dates, with distinct texts, from one end to the other", () => {
  const length = fc.integer({ min: 1, max: 24_000 });
  const first = fc.integer({ min: 0, max: 400 });
  const most = fc.integer({ min: 2, max: 14 });
  fc.assert(fc.property(length, first, most, (days, first, most) => {
    const ticks = dayTicks(START, first, first + days - 1, most);
    assert.ok(ticks.length >= 1 && ticks.length <= most + 1, `${ticks.length}`);
    assert.equal(new Set(texts(ticks)).size, ticks.length);
    if (days <= 24) assertTicks(ticks, first, first + days - 1);
    for (const { value, text } of ticks) {
      const date = new Date((START + value * 86_400) * 1000);
      const [day] = text.split(" ");
      if (/^\d{1,2} [A-Z]/.test(text)) {
        assert.equal(Number(day), date.getUTCDate());
      } else if (/[ ]|^\d{4}$/.test(text)) {
        assert.equal(date.getUTCDate(), 1);
      } else assert.equal(text, isoDay(START, value));
      assert.ok(value >= first && value < first + days);
    }
  }));
});

Deno.test("dayTicks() are days of a short time, weeks of more, then months and years", () => {
  assert.deepEqual(texts(dayTicks(START, 0, 2, 8)), [
    "1 Apr",
    "2 Apr",
    "3 Apr",
  ]);
  assert.deepEqual(texts(dayTicks(START, 0, 14, 6)), [
    "1 Apr",
    "4 Apr",
    "7 Apr",
    "10 Apr",
    "13 Apr",
  ]);
  assert.deepEqual(texts(dayTicks(START, 0, 27, 6)), [
    "1 Apr",
    "6 Apr",
    "11 Apr",
    "16 Apr",
    "21 Apr",
    "26 Apr",
  ]);
  assert.deepEqual(
    texts(dayTicks(START, 0, 182, 7)).slice(0, 2),
    ["Apr 2018", "May 2018"],
  );
  assert.equal(texts(dayTicks(START, 0, 3650, 12))[0], "2019");
});

Deno.test("days of a stream whose start is unknown are numbers", () => {
  assert.deepEqual(texts(dayTicks(undefined, 3, 3, 5)), ["3"]);
  assert.deepEqual(texts(dayTicks(undefined, 0, 4, 2)), ["0", "2", "4"]);
  assert.equal(isoDay(undefined, 3), "day 3");
  assert.equal(isoDay(START, 3), "2018-04-04");
  assert.equal(isoMinute(START, 3.525), "2018-04-04 12:36");
  assert.equal(isoMinute(undefined, 3.525), "day 3 12:36");
  assert.equal(dayTitle(START, 0, 10), "day, 2018");
  assert.equal(dayTitle(START, 0, 400), "day, 2018 to 2019");
});

Deno.test("clockTicks() have distinct texts, from one end to the other", () => {
  const from = fc.integer({ min: 1.5e9, max: 2e9 });
  const length = fc.integer({ min: 5, max: 40_000 });
  fc.assert(fc.property(
    from,
    length,
    fc.integer({ min: 2, max: 12 }),
    (from, length, most) => {
      const ticks = clockTicks(from, from + length, most);
      assertTicks(ticks, from, from + length);
      assert.ok(ticks.length <= most + 1);
    },
  ));
});

Deno.test("linear() maps the ends of a range to the ends of an axis, and a single number to its middle", () => {
  const place = linear([10, 20], [100, 0]);
  assert.deepEqual([place(10), place(15), place(20)], [100, 50, 0]);
  assert.equal(linear([5, 5], [0, 100])(5), 50);
});

Deno.test("grouped() has commas between thousands and a true minus sign", () => {
  assert.equal(grouped(0), "0");
  assert.equal(grouped(999), "999");
  assert.equal(grouped(1_754_155), "1,754,155");
  assert.equal(grouped(-1234.5, 2), "−1,234.50");
  assert.equal(grouped(-0.001, 2), "0.00");
  assert.equal(grouped(NaN), "none");
});

Deno.test("percent() keeps number and sign on one line", () => {
  assert.equal(percent(0.00837), "0.84\u00a0%");
  assert.equal(percent(0 / 0), "none");
});

Deno.test("countOf() says one thing without an s, and none in a word", () => {
  assert.deepEqual(
    [countOf(1, "day"), countOf(2000, "day"), countOf(1, "a", "b")],
    ["1 day", "2,000 days", "1 a"],
  );
  assert.equal(countOf(0, "match", "matches"), "no matches");
});
