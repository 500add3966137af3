/** Local times of zones, against Python's zoneinfo and, where Deno has it, Temporal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { timeReader } from "../../src/definition/time_format.ts";
import { Zone } from "../../src/definition/zone.ts";
import { isLong } from "../long.ts";
import { testReading } from "../permission.ts";

/** What the tests use of Temporal, which Deno 2.4 does not have. */
interface TemporalClock {
  readonly PlainDateTime: {
    from(text: string): {
      toZonedDateTime(
        zone: string,
        options: { disambiguation: "compatible" },
      ): { readonly epochMilliseconds: number };
    };
  };
}

const temporal = (globalThis as { Temporal?: TemporalClock }).Temporal;

testReading("times around changes of the clock are Python's", () => {
  const url = new URL("../data/definition/local_times.json", import.meta.url);
  const table: Record<string, [string, number][]> = JSON.parse(
    Deno.readTextFileSync(url),
  );
  let rows = 0;
  for (const [name, times] of Object.entries(table)) {
    const read = timeReader("iso", new Zone(name));
    for (const [local, seconds] of times) {
      assert.equal(read(local), seconds, `${local} in ${name}`);
      rows++;
    }
  }
  assert.ok(rows > 1000, `${rows} rows`);
});

Deno.test("a skipped time is read with the offset before, a repeated one is the earlier", () => {
  const read = timeReader("iso", new Zone("America/New_York"));
  const utc = timeReader("iso", new Zone("UTC"));
  assert.equal(read("2024-03-10 02:30:00"), utc("2024-03-10 07:30:00"));
  assert.equal(read("2024-11-03 01:30:00"), utc("2024-11-03 05:30:00"));
  // An offset in the text wins.
  assert.equal(read("2024-11-03 01:30:00-05:00"), utc("2024-11-03 06:30:00"));
});

Deno.test("a skipped day is read with the offset before", () => {
  // Samoa had no 30 December 2011.
  const read = timeReader("iso", new Zone("Pacific/Apia"));
  const utc = timeReader("iso", new Zone("UTC"));
  assert.equal(read("2011-12-30 12:00:00"), utc("2011-12-30 22:00:00"));
});

Deno.test("a fixed offset", () => {
  const read = timeReader("iso", new Zone("-03:30"));
  assert.equal(read("1970-01-01 00:00:00"), 12_600);
  assert.throws(() => new Zone("+17:00"), RangeError);
  assert.throws(() => new Zone("Europe/Nowhere"), RangeError);
});

Deno.test({
  name: "random times of random zones are Temporal's",
  ignore: temporal === undefined,
  fn() {
    if (temporal === undefined) return;
    const { PlainDateTime } = temporal;
    const names = Intl.supportedValuesOf("timeZone");
    const zones = new Map<string, Zone>();
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.integer({ min: -2_208_988_800, max: 2_145_916_800 }),
        (name, local) => {
          const zone = zones.get(name) ?? new Zone(name);
          zones.set(name, zone);
          const text = new Date(local * 1000).toISOString().slice(0, 19);
          const expected = PlainDateTime.from(text).toZonedDateTime(name, {
            disambiguation: "compatible",
          });
          assert.equal(zone.toUtc(local), expected.epochMilliseconds / 1000);
        },
      ),
      { numRuns: isLong ? 200_000 : 1000 },
    );
  },
});
