/**
 * A stage says what its records mean and leaves the rest to the loop of
 * src/stream/stage.ts: checks, commits, dead letters, restoring and recovering
 * are written there once, and no stage may begin to write its own again.
 */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const ROLES = new URL("../../src/roles/", import.meta.url);

/** What only the loop and its neighbours may name, and what for. */
const LOOP = [
  [/\bmaxGapSeconds\b/, "checks whether a time is plausible"],
  [/\bprogress\b[^;{]*[+-] *\w*latenessSeconds\b/, "checks whether it is late"],
  [/\bstageCommit\(|\breadCommit\(|\bmetadata\b/, "writes or reads commits"],
  [/\breplay: \{|\bReplayMarks\b/, "says where a replay begins"],
  [
    /\bDeadLetterBox\b|\breason: "(late|implausible|conflicting id)"/,
    "makes dead letters",
  ],
  [/\bcounters\.\w+ *(\+\+|\+=|=[^=])/, "counts"],
  [/\breadRange\(|\blog\.read\(/, "reads its input"],
  [/\blog\.(committed|consume)\(/, "commits"],
  [/\bnew StageTask\b|\bWrittenRows\b/, "restores or recovers"],
] as const;

/** The stages: files of src/roles whose work the loop runs. */
function stages(): { name: string; text: string }[] {
  const found: { name: string; text: string }[] = [];
  for (const { name } of Deno.readDirSync(ROLES)) {
    const text = Deno.readTextFileSync(new URL(name, ROLES));
    const isStage = /implements (StageWork|RecoverableWork)\b/.test(text);
    if (isStage) found.push({ name, text });
  }
  return found;
}

testReading("every stage is work for the loop", () => {
  assert.deepEqual(stages().map(({ name }) => name).sort(), [
    "customer_stage.ts",
    "label_intake.ts",
    "label_writer.ts",
    "prediction_writer.ts",
    "scorer.ts",
    "terminal_stage.ts",
    "writer.ts",
  ]);
});

testReading("no stage checks, commits, restores or recovers by itself", () => {
  for (const { name, text } of stages()) {
    for (const [pattern, what] of LOOP) {
      const line = text.split("\n").find((line) => pattern.test(line));
      assert.equal(line, undefined, `${name} ${what} by itself`);
    }
  }
});

testReading("no other role runs the loop of a group by hand", () => {
  for (const { name } of Deno.readDirSync(ROLES)) {
    const text = Deno.readTextFileSync(new URL(name, ROLES));
    assert.ok(!/\.consume[<(]/.test(text), name);
  }
});
