import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/program.ts";
import { flagName } from "../../src/cli/flags/flag.ts";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

testReading("README or docs name every command", () => {
  const pages = [...Deno.readDirSync(new URL("docs", ROOT))]
    .map(({ name }) => name)
    .filter((name) => name.endsWith(".md") && name !== "FLAGS.md");
  const text = ["README.md", ...pages.map((name) => `docs/${name}`)]
    .map(read).join("\n");
  assert.ok(COMMANDS.length > 5);
  for (const { name } of COMMANDS) {
    const named = new RegExp(`\`${name}\`|(?:start|fraudstream) ${name}\\b`);
    assert.match(text, named, name);
  }
});

testReading("docs/FLAGS.md has every flag of every command", () => {
  const text = read("docs/FLAGS.md");
  for (const { name, flags } of COMMANDS) {
    for (
      const [key, flag] of flags.flatMap((group) => Object.entries(group.flags))
    ) {
      const named = new RegExp(`\`${flagName(key, flag)}[ \`]`);
      assert.match(text, named, `${name} ${flagName(key, flag)}`);
    }
  }
});
