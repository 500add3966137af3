/** Formats of times: ISO 8601, counts since 1970, patterns; against Date. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDefect, timeReader } from "../../src/definition/time_format.ts";
import { Zone } from "../../src/definition/zone.ts";
import { isLong } from "../long.ts";

const UTC = new Zone("UTC");
const RUNS = { numRuns: isLong ? 100_000 : 1000 };

/** Any second of the years 0001 to 9999. */
const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });

function read(format: string, text: string): number {
  return timeReader(format, UTC)(text);
}

function at(text: string): number {
  return Date.parse(text) / 1000;
}

Deno.test("ISO 8601 in its usual forms", () => {
  const cases: [string, number][] = [
    ["2024-02-29 23:59:59", at("2024-02-29T23:59:59Z")],
    ["2024-02-29T23:59:59", at("2024-02-29T23:59:59Z")],
    ["2024-02-29t23:59", at("2024-02-29T23:59:00Z")],
    ["2024-02-29T23:59:59.999999Z", at("2024-02-29T23:59:59Z")],
    ["2024-02-29T23:59:59,9 UTC", at("2024-02-29T23:59:59Z")],
    ["2024-02-29 23:59:59+02:00", at("2024-02-29T21:59:59Z")],
    ["2024-02-29 23:59:59 -0230", at("2024-03-01T02:29:59Z")],
    ["2024-02-29 23:59-11", at("2024-03-01T10:59:00Z")],
    ["1969-12-31 23:59:59.5", -1],
  ];
  for (const [text, expected] of cases) {
    assert.equal(read("iso", text), expected, text);
  }
});

Deno.test("what is no ISO 8601 date and time", () => {
  for (
    const text of [
      "2023-02-29 00:00:00",
      "2024-02-29",
      "2024-02-29 24:00:00",
      "2024-02-29 23:60:00",
      "2024-02-29 23:59:60",
      "2024-02-29 23:59:59.",
      "2024-02-29 23:59:59 ",
      "2024-02-29 23:59:59+2:00",
      "2024-02-29 23:59:59+24:00",
      "2024-02-29 23:59:59 CET",
      "24-02-29 23:59:59",
      "2024/02/29 23:59:59",
      "0000-12-31 00:00:00",
      "0001-01-01 00:00:00+01:00",
      "１２３４-02-29 23:59:59",
      "",
    ]
  ) assert.ok(Number.isNaN(read("iso", text)), text);
});

Deno.test("ISO 8601 of random times is Date's, whatever the offset", () => {
  fc.assert(
    fc.property(
      seconds,
      fc.integer({ min: -1439, max: 1439 }),
      (time, east) => {
        const local = new Date((time + east * 60) * 1000).toISOString();
        fc.pre(/^(?!0000)\d{4}-/.test(local));
        const minutes = Math.abs(east);
        const [hour, minute] = [Math.floor(minutes / 60), minutes % 60]
          .map((part) => String(part).padStart(2, "0"));
        const offset = `${east < 0 ? "-" : "+"}${hour}:${minute}`;
        assert.equal(read("iso", local.slice(0, 19) + offset), time);
      },
    ),
    RUNS,
  );
});

Deno.test("counts are rounded down, against BigInt", () => {
  const units = { "epoch-s": 1n, "epoch-ms": 1000n, "epoch-us": 1_000_000n };
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.entries(units)),
      fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
      fc.constantFrom("", ".0", ".000", ".4", ".99999999999999999999"),
      ([format, unit], count, fraction) => {
        const text = `${count}${fraction}`;
        // The fraction of a negative count leads further down.
        const down = count < 0n && /[1-9]/.test(fraction) ? count - 1n : count;
        const floor = (down - ((down % unit + unit) % unit)) / unit;
        const inRange = floor >= -62_135_596_800n && floor < 253_402_300_800n;
        assert.equal(
          read(format, text),
          inRange ? Number(floor) : NaN,
          `${format} ${text}`,
        );
      },
    ),
    RUNS,
  );
  assert.equal(read("epoch-s", "1.5e9"), 1_500_000_000);
  assert.equal(read("epoch-ms", "-0.5"), -1);
  for (
    const text of ["", "1e", "0x10", "1_000", " 1", "1.", "9007199254740993"]
  ) {
    assert.ok(Number.isNaN(read("epoch-us", text)), text);
  }
});

const MONTHS = [
  ..."January February March April May June".split(" "),
  ..."July August September October November December".split(" "),
];

/** A time as each letter writes it. */
function written(time: number): Record<string, string> {
  const date = new Date(time * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = date.getUTCHours();
  const half = hours % 12 === 0 ? 12 : hours % 12;
  const month = MONTHS[date.getUTCMonth()];
  return {
    yyyy: String(date.getUTCFullYear()).padStart(4, "0"),
    MM: two(date.getUTCMonth() + 1),
    M: String(date.getUTCMonth() + 1),
    MMM: month.slice(0, 3).toUpperCase(),
    MMMM: month,
    dd: two(date.getUTCDate()),
    d: String(date.getUTCDate()),
    HH: two(hours),
    H: String(hours),
    "hh a": `${two(half)} ${hours < 12 ? "AM" : "PM"}`,
    "h a": `${half} ${hours < 12 ? "am" : "pm"}`,
    mm: two(date.getUTCMinutes()),
    m: String(date.getUTCMinutes()),
    ss: two(date.getUTCSeconds()),
    s: String(date.getUTCSeconds()),
  };
}

Deno.test("patterns of random letters read what those letters write", () => {
  fc.assert(
    fc.property(
      seconds,
      fc.constantFrom("MM", "M", "MMM", "MMMM"),
      fc.constantFrom("dd", "d"),
      fc.constantFrom("HH", "H", "hh a", "h a"),
      fc.constantFrom("mm", "m"),
      fc.constantFrom("ss", "s"),
      fc.constantFrom("-", "/", " ", ".", "'at'", "''"),
      (time, month, day, hour, minute, second, mark) => {
        const letters = ["yyyy", month, day, hour, minute, second];
        const texts = written(time);
        const plain = mark === "'at'" ? "at" : mark === "''" ? "'" : mark;
        const text = letters.map((letter) => texts[letter]).join(plain);
        assert.equal(read(letters.join(mark), text), time, text);
        assert.ok(Number.isNaN(read(letters.join(mark), text + "0x")));
      },
    ),
    RUNS,
  );
});

Deno.test("patterns of data sets", () => {
  const cases: [string, string, string][] = [
    ["yyyy M d HH:mm", "2002 9 1 06:21", "2002-09-01T06:21:00Z"],
    ["yyyyMMddHHmmss", "20240229235959", "2024-02-29T23:59:59Z"],
    ["yyyyMMddHHmmssSSS", "20240229235959123", "2024-02-29T23:59:59Z"],
    ["dd/MM/yyyy HH:mm", "29/02/2024 23:59", "2024-02-29T23:59:00Z"],
    ["M/d/yy h:mm a", "2/9/24 12:05 AM", "2024-02-09T00:05:00Z"],
    ["M/d/yy", "2/9/69", "1969-02-09T00:00:00Z"],
    [
      "yyyy-MM-dd'T'HH:mm:ss.SXXX",
      "2024-02-29T23:59:59.123456+02:00",
      "2024-02-29T21:59:59Z",
    ],
    [
      "EEE MMM dd HH:mm:ss yyyy",
      "Thu Feb 29 23:59:59 2024",
      "2024-02-29T23:59:59Z",
    ],
    [
      "EEEE, d MMMM yyyy HH:mm:ss Z",
      "Thursday, 1 May 2024 00:00:00 -0100",
      "2024-05-01T01:00:00Z",
    ],
  ];
  for (const [format, text, expected] of cases) {
    assert.equal(formatDefect(format), undefined, format);
    assert.equal(read(format, text), at(expected), text);
  }
  for (
    const [format, text] of [
      ["yyyy M d HH:mm", "2002 13 1 06:21"],
      ["yyyy M d HH:mm", "2002 2 30 06:21"],
      ["h:mm a d/M/yyyy", "13:00 PM 1/1/2024"],
      ["h:mm a d/M/yyyy", "0:00 PM 1/1/2024"],
      ["HH:mm dd/MM/yyyy", "9:00 01/01/2024"],
      ["yyyy-MM-dd'T'HH", "2024-01-01 00"],
    ]
  ) assert.ok(Number.isNaN(read(format, text)), text);
});

Deno.test("patterns that are refused, with the reason", () => {
  const cases: [string, RegExp][] = [
    ["yyyy-mm-dd HH:MM:ss", /'m' is the minute and 'M' the month/],
    ["YYYY-MM-dd", /'YYYY' has no meaning/],
    ["yyyy-MM-dd hh:mm:ss", /'hh?' needs 'a'/],
    ["yyyy-MM-dd HH:mm a", /'a' needs 'h'/],
    ["yyyy-MM-dd HH h a", /'HH' and 'h' both set the hour/],
    ["yyyyMd", /no fixed number of digits/],
    ["MM-dd HH:mm", /the year is missing/],
    ["yyyy-MM-dd mm:ss", /the hour is missing, but the minute is there/],
    ["yyyy-MM-dd 'T", /quote is not closed/],
    ["yyyyy-MM-dd", /no meaning/],
    ["constructor", /no meaning/],
  ];
  for (const [format, reason] of cases) {
    assert.match(formatDefect(format) ?? "accepted", reason, format);
  }
});
