/**
 * Every test asserts something: in its body, or by a function that it calls.
 * The code is formatted, so a block ends where its indentation returns.
 */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** A statement that asserts. */
const ASSERTS = /\bassert\b|\bassert[.(]|\bfc\.assert\(/;
/** The first line of a test. */
const TEST = /^( *)(?:Deno\.test|test|test[A-Z]\w*)\(/;
/** The first line of a function or method; a line that ends there is a call, but for a constant. */
const FUNCTION =
  /^( *)(?!(?!export |const ).*;$)(?:export )?(?:static )?(?:async )?(?:function\*? |const )?(#?\w+)(?:<.*>)?(?:\(| = (?:async )?\()/;
/** A block that runs what it is given. */
const GIVEN = /\bfn[,\s(]|\bbody\(/;
const KEYWORDS = new Set(["if", "for", "while", "switch", "return", "await"]);

interface Block {
  readonly name: string;
  readonly text: string;
}

/** All test code, by path. */
function* sources(folder = "tests/"): Generator<[path: string, text: string]> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = folder + name;
    if (isDirectory) yield* sources(`${path}/`);
    else if (name.endsWith(".ts")) {
      yield [path, Deno.readTextFileSync(new URL(path, ROOT))];
    }
  }
}

/** The blocks that begin with a line of such a form. */
function blocksOf(
  text: string,
  start: RegExp,
  nameOf: (match: RegExpMatchArray, line: string) => string,
): Block[] {
  const lines = text.split("\n");
  return lines.flatMap((line, from) => {
    const match = line.match(start);
    if (!match) return [];
    const inside = new RegExp(`^(?:${match[1]} |$)`);
    let to = from + 1;
    // A parameter list may end where the body begins: `): string {`.
    const goesOn = (next: string) =>
      inside.test(next) || /^ *\).*\{$/.test(next);
    while (to < lines.length && goesOn(lines[to])) to++;
    const block = lines.slice(from, to).join("\n");
    return [{ name: nameOf(match, line), text: block }];
  });
}

/** Test code, by path from the root. */
type Sources = ReadonlyMap<string, string>;

/** The functions that a file declares or imports from other tests, by name: where each is, "tests/a.ts#name". */
function functionsOf(path: string, text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name } of declaredIn(text)) found.set(name, `${path}#${name}`);
  const imports = text.matchAll(/import \{([^}]*)\} from "(\.[^"]*)"/g);
  for (const [, names, from] of imports) {
    const { pathname } = new URL(from, `file:///${path}`);
    for (const item of names.split(",")) {
      const [name, local = name] = item.trim().split(" as ");
      found.set(local, `${pathname.slice(1)}#${name}`);
    }
  }
  return found;
}

function declaredIn(text: string): Block[] {
  return blocksOf(text, FUNCTION, ([, , name]) => name)
    .filter(({ name }) => !KEYWORDS.has(name));
}

/** Where the functions are that assert, or call one that does. */
function assertingFunctions(files: Sources): Set<string> {
  const functions = [...files].flatMap(([path, text]) => {
    const known = functionsOf(path, text);
    return declaredIn(text).map(({ name, text }) => ({
      place: `${path}#${name}`,
      body: text.slice(text.indexOf(name) + name.length),
      known,
    }));
  });
  const asserting = new Set<string>();
  for (let before = -1; before < asserting.size;) {
    before = asserting.size;
    for (const { place, body, known } of functions) {
      if (isAsserting(body, known, asserting)) asserting.add(place);
    }
  }
  return asserting;
}

function isAsserting(
  text: string,
  known: ReadonlyMap<string, string>,
  asserting: ReadonlySet<string>,
): boolean {
  if (ASSERTS.test(text)) return true;
  const called = text.matchAll(/(#?\b\w+)(?:<[^()]*>)?\(/g);
  return [...called].some(([, name]) => asserting.has(known.get(name) ?? ""));
}

/** The tests that assert nothing. */
function silentTests(files: Sources): string[] {
  const asserting = assertingFunctions(files);
  return [...files].flatMap(([path, text]) => {
    const known = functionsOf(path, text);
    return blocksOf(text, TEST, (_, line) => line.trim())
      .filter(({ text }) => text.includes("=>") && !GIVEN.test(text))
      .filter(({ text }) => !isAsserting(text, known, asserting))
      .map(({ name, text }) =>
        `${path}: ${/"(.*)"|`(.*)`/.exec(text)?.[0] ?? name}`
      );
  });
}

testReading("every test asserts something", () => {
  assert.deepEqual(silentTests(new Map(sources())), []);
});

Deno.test("a test without an assertion is found, one that calls a helper is not", () => {
  const helper =
    "export function same(a: number) {\n  assert.equal(a, 1);\n}\n";
  const silent = (body: string, before = "") =>
    silentTests(
      new Map([
        ["tests/helper.ts", helper],
        [
          "tests/a/b_test.ts",
          `${before}Deno.test("name", () => {\n  ${body}\n});\n`,
        ],
      ]),
    );
  const found = ['tests/a/b_test.ts: "name"'];
  assert.deepEqual(silent("run();"), found);
  assert.deepEqual(silent("same(1);"), found);
  assert.deepEqual(silent("same(1);", helper), []);
  const ours = 'import { same } from "../helper.ts";\n';
  assert.deepEqual(silent("same(1);", ours), []);
  const foreign = 'import { same } from "../../src/helper.ts";\n';
  assert.deepEqual(silent("same(1);", foreign), found);
  assert.deepEqual(silent("assert.ok(1);"), []);
});
