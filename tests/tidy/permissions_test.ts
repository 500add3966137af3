import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** Files that tell people, or machines, how to start the program. */
function instructions(): Map<string, string> {
  const docs = [...Deno.readDirSync(new URL("docs", ROOT))]
    .filter(({ name }) => name.endsWith(".md"))
    .map(({ name }) => `docs/${name}`);
  const paths = ["README.md", "Dockerfile", "docker-compose.yml", ".ci/run"];
  return new Map(
    [...paths, ...docs].map((path) => {
      return [path, Deno.readTextFileSync(new URL(path, ROOT))];
    }),
  );
}

const commands = Object.entries(config.tasks).map(([name, task]) => {
  const command = typeof task === "string"
    ? task
    : "command" in task
    ? task.command
    : "";
  return [name, command] as const;
});

testReading("nothing is started with all permissions", () => {
  for (const [where, text] of [...instructions(), ...commands]) {
    const lines = text.split("\n").filter((line) => /\bdeno\b/.test(line));
    for (const line of lines) {
      assert.doesNotMatch(line, /\s-A\b|--allow-all/, where);
    }
  }
});

testReading("options that Deno 2.4 does not know are not used", () => {
  for (const [where, text] of [...instructions(), ...commands]) {
    assert.doesNotMatch(text, /--ignore-(env|read)/, where);
  }
});

Deno.test("the start task is granted folders by name", () => {
  const start = Object.fromEntries(commands).start;
  assert.doesNotMatch(start, /--allow-(read|write|net|env)(?!=)/);
  assert.match(start, /--allow-read=\.,/);
  assert.match(start, /--allow-write=\.,/);
  assert.doesNotMatch(start, /--allow-(run|ffi|sys|import)/);
});
