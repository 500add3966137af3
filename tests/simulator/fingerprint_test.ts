import assert from "node:assert/strict";
import {
  fingerprintOf,
  readFingerprint,
} from "../../src/simulator/fingerprint.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";

const HANDBOOK = { parameters: HANDBOOK_PARAMETERS, rng: "handbook", seed: "" };

Deno.test("a fingerprint is the text that streams of older versions recorded", () => {
  assert.equal(
    fingerprintOf({ ...HANDBOOK, rng: "handbook" }),
    "--customers=5000 --terminals=10000 --days=183 --start=2018-04-01 " +
      "--radius=5 --rng=handbook",
  );
});

Deno.test("what a fingerprint records is read again", () => {
  for (
    const choice of [
      { ...HANDBOOK, rng: "handbook" },
      { ...HANDBOOK, rng: "seedrandom", seed: "a --rng=b\nc" },
      {
        rng: "seedrandom",
        seed: "",
        parameters: { ...HANDBOOK_PARAMETERS, days: 0, radius: 2.5e-7 },
      },
    ] as const
  ) assert.deepEqual(readFingerprint(fingerprintOf(choice)), choice);
});

Deno.test("a text of another form is no fingerprint", () => {
  const good = fingerprintOf({ ...HANDBOOK, rng: "handbook" });
  for (
    const text of ["", `${good} --more=1`, good.replace("-04-", "-14-")]
  ) assert.equal(readFingerprint(text), undefined);
});
