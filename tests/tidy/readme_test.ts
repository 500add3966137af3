import assert from "node:assert/strict";
import { buildProgram } from "../../src/cli/program.ts";
import { testReading } from "../permission.ts";

const README = new URL("../../README.md", import.meta.url);

testReading("the README has every command and every flag", () => {
  const text = Deno.readTextFileSync(README);
  const { commands } = buildProgram();
  assert.ok(commands.length > 5);
  for (const command of commands) {
    assert.ok(text.includes(`\`${command.name()}\``), command.name());
    for (const { long } of command.options) {
      const named = new RegExp(`${long}(?![a-z-])`).test(text);
      assert.ok(named, `${command.name()} ${long}`);
    }
  }
});
