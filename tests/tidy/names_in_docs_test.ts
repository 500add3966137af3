/** Files, tests and functions that the docs name are there. */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);
/** Where a path in a page may begin. */
const STARTS = ["", "src/", "tests/", "docs/", "src/learning/"];
/** Files that a reader makes, or of another project. */
const OTHERS = /^(?:docker-compose\.override\.yml|network\/.*|.*\bNAME\..*)$/;

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

function pages(): string[] {
  const docs = [...Deno.readDirSync(new URL("docs", ROOT))]
    .map(({ name }) => `docs/${name}`);
  const top = [...Deno.readDirSync(ROOT)].map(({ name }) => name);
  return [...top, ...docs].filter((path) => path.endsWith(".md"));
}

/** Inline code of a page. */
function namesIn(page: string): string[] {
  const prose = page.replaceAll(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name);
}

testReading("files and tests that pages name exist", () => {
  const missing: string[] = [];
  let seen = 0;
  for (const path of pages()) {
    for (const name of namesIn(read(path))) {
      const isTest = /^\w+\/[\w/]+_test$/.test(name) ||
        /^integration\/\w+$/.test(name);
      const file = isTest ? `${name}.ts` : name;
      if (!/^[\w.-]+\/[\w./-]*\.(?:ts|js|py|yml)$/.test(file)) continue;
      if (OTHERS.test(file)) continue;
      seen++;
      if (!STARTS.some((start) => exists(start + file))) {
        missing.push(`${path}: ${name}`);
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(seen > 100, `only ${seen} names were seen`);
});

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield read(path);
  }
}

testReading("functions that ARCHITECTURE.md names exist", () => {
  const code = [...sources("src")].join("\n");
  const missing: string[] = [];
  let seen = 0;
  for (const name of namesIn(read("docs/ARCHITECTURE.md"))) {
    const parts = /^(\w+)(?:\.(\w+))?\(\)$/.exec(name)?.slice(1) ?? [];
    for (const part of parts.filter((part) => part !== undefined)) {
      seen++;
      if (!new RegExp(`\\b${part}\\b`).test(code)) missing.push(name);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(seen > 15, `only ${seen} names were seen`);
});

testReading("ARCHITECTURE.md has a row for every room of src", () => {
  const page = read("docs/ARCHITECTURE.md");
  for (const { name } of Deno.readDirSync(new URL("src", ROOT))) {
    assert.match(page, new RegExp(`^\\| \`${name}\` +\\|`, "m"), name);
  }
});
