import assert from "node:assert/strict";
import { testReading } from "../permission.ts";
import { shippedPackages } from "./packages.ts";

testReading(
  "NOTICE has the licence of every package in the executable, and no other",
  () => {
    const text = Deno.readTextFileSync(
      new URL("../../NOTICE", import.meta.url),
    );
    const [head, ...sections] = text.split(/^-{79}\n/m);
    const listed = [...head.matchAll(/^(\S+@\d\S*) \(\S+\)/gm)]
      .map(([, name]) => name);
    const advice = "run tests/notice/make_notice.ts";
    assert.deepEqual(listed, shippedPackages(), advice);
    const licensed = sections.flatMap((section) => {
      const [names, ...rest] = section.split("\n\n");
      assert.ok(rest.join("").length > 100, names);
      return names.split("\n");
    });
    assert.deepEqual(licensed.sort(), listed, advice);
  },
);
