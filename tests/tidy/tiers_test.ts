/** The tiers of the tests: each file is in one, and needs nothing of another. */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";
import { readCoverage, roomLines } from "../coverage.ts";
import { readOutcome, readRequest, summarize } from "../run_tests.ts";
import { testFiles, tierOf, TIERS } from "../tiers.ts";

const ROOT = new URL("../../", import.meta.url);

/** What tests that start something call or import. */
const STARTS: readonly [needs: RegExp, tiers: readonly string[]][] = [
  [/\bDeno\.Command\(|program_runner\.ts/, ["program", "servers", "browser"]],
  [/\btestServing\(|services\/(?:kafka|cassandra)_server\.ts/, ["servers"]],
  [/\/chromium\.ts"|playwright-core/, ["browser"]],
];

testReading("every test file is in one tier, and every place has files", () => {
  const files = testFiles(ROOT);
  assert.ok(files.length > 100);
  for (const tier of TIERS) {
    for (const place of tier.places) {
      const found = files.filter((file) => file.startsWith(place));
      assert.ok(found.some((file) => tierOf(file) === tier), place);
    }
  }
  const places = TIERS.flatMap((tier) => tier.places);
  assert.equal(new Set(places).size, places.length, "a place is in two tiers");
});

testReading("no test starts what its tier does not have", () => {
  for (const file of testFiles(ROOT)) {
    const text = Deno.readTextFileSync(new URL(file, ROOT));
    if (file === "tests/tidy/tiers_test.ts") continue;
    for (const [needs, tiers] of STARTS) {
      if (!needs.test(text)) continue;
      assert.ok(tiers.includes(tierOf(file).name), `${file} needs ${needs}`);
    }
  }
});

Deno.test("the longest place decides", () => {
  assert.equal(tierOf("tests/cli/run_test.ts").name, "program");
  assert.equal(tierOf("tests/cli/secret_test.ts").name, "fast");
  assert.equal(tierOf("tests/log/partitioner_test.ts").name, "fast");
  assert.throws(() => tierOf("src/log/log.ts"), /no tier/);
});

Deno.test("tiers, paths and flags are told apart", () => {
  const request = readRequest(["fast", "tests/log/", "--filter", "a batch"]);
  assert.deepEqual(request.tiers.map(({ name }) => name), ["fast"]);
  assert.deepEqual(request.paths, ["tests/log/"]);
  assert.deepEqual(request.flags, ["--filter", "a batch"]);
  assert.equal(readRequest([]).tiers, TIERS);
  const without = readRequest(["--ignore=tests/a/,tests/b_test.ts"]);
  assert.deepEqual(without.ignored, ["tests/a/", "tests/b_test.ts"]);
  assert.deepEqual(without.flags, []);
});

Deno.test("the end of a run counts all tiers and says what was skipped", () => {
  const fast = readOutcome(
    "fast",
    "a ... \x1b[32mok\x1b[0m (1ms)\n" +
      "./tests/b_test.ts => b (needs --allow-run) ... ignored (0ms)\n" +
      "ok | 1 passed (2 steps) | 0 failed | 1 ignored (5ms)\n",
    4.6,
    true,
  );
  const servers = readOutcome(
    "servers",
    "c (Java 17 (java) is missing) ... \x1b[33mignored\x1b[0m (0ms)\n" +
      "d (Java 17 (java) is missing) ... ignored (0ms)\n" +
      "\x1b[31mFAILED\x1b[0m | 7 passed | 2 failed | 2 ignored (5ms)\n",
    60,
    false,
  );
  assert.deepEqual(summarize([fast, servers]), [
    "fast         5 s  1 passed, 0 failed, 1 skipped",
    "servers     60 s  7 passed, 2 failed, 2 skipped",
    "skipped 1: needs --allow-run",
    "skipped 2: Java 17 (java) is missing",
    "8 passed, 2 failed, 3 skipped",
  ]);
  assert.deepEqual(fast.skipped, ["b (needs --allow-run)"]);
  assert.ok(fast.succeeded && !servers.succeeded);
});

Deno.test("a run that ends without a summary has not succeeded", () => {
  assert.equal(
    readOutcome("fast", "error: Module not found", 1, true).succeeded,
    false,
  );
});

Deno.test("coverage is summed by room, branches that were not taken by line", () => {
  const lcov = "SF:/a/src/log/log.ts\nBRDA:3,1,0,0\nBRDA:4,1,0,2\n" +
    "BRDA:9,1,0,-\nBRF:3\nBRH:1\nLF:10\nLH:5\nend_of_record\n" +
    "SF:/a/src/base/lock.ts\nBRF:0\nBRH:0\nLF:10\nLH:10\nend_of_record\n" +
    "SF:/a/tests/long.ts\nLF:1\nLH:1\nend_of_record\n";
  const files = readCoverage(lcov);
  assert.deepEqual(files.map(({ path, missed }) => [path, missed]), [
    ["src/log/log.ts", [3, 9]],
    ["src/base/lock.ts", []],
  ]);
  assert.deepEqual(roomLines(files), [
    "base       lines  100.0 % of     10  branches    0.0 % of      0",
    "log        lines   50.0 % of     10  branches   33.3 % of      3",
    "all        lines   75.0 % of     20  branches   33.3 % of      3",
  ]);
});
