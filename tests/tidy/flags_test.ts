import assert from "node:assert/strict";
import { buildProgram } from "../../src/cli/program.ts";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** Flags of other programs that messages name: Deno's, zstd's, that of the script ./fraudstream. */
const OTHERS =
  /^--(?:allow-(?:read|write|net|env|sys|run|all)|ultra|long|anywhere)$/;

/** Whether some command, or another program, takes a flag. */
function isKnown(declared: ReadonlySet<string>, flag: string): boolean {
  return declared.has(flag) || OTHERS.test(flag);
}

/** Style sheets have names of that form. */
const STYLES = ["src/report/html_page.ts", "src/api/http/reference_page.ts"];

/** The flags of one command, or of the program. */
function flagsOf(options: readonly { readonly long?: string }[]): string[] {
  return options.flatMap(({ long }) => long === undefined ? [] : [long]);
}

/** All that some command takes. */
function declaredFlags(): Set<string> {
  const program = buildProgram();
  return new Set([
    "--help",
    ...flagsOf(program.options),
    ...program.commands.flatMap(({ options }) => flagsOf(options)),
  ]);
}

/** The texts in quotes of some code. */
function textsOf(code: string): string {
  const plain = code.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
  const quoted = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
  return [...plain.matchAll(quoted)].map(([text]) => text).join("\n");
}

/** Flags in a text; --no-x too, and not the dashes of a drawing. */
function namedFlags(text: string): string[] {
  return [...text.matchAll(/(?<![\w-])--[a-z][a-z0-9-]*\b/g)].map(([f]) => f);
}

/** The TypeScript files below a folder, by path from the root. */
function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (/\.(?:ts|js|html)$/.test(name) && !STYLES.includes(path)) {
      yield path;
    }
  }
}

testReading(
  "every flag that a message names is one that a command takes",
  () => {
    const declared = declaredFlags();
    const unknown: string[] = [];
    let seen = 0;
    for (const path of sources("src")) {
      const text = Deno.readTextFileSync(new URL(path, ROOT));
      for (const flag of namedFlags(textsOf(text))) {
        seen++;
        if (!isKnown(declared, flag)) {
          unknown.push(`${path}: ${flag}`);
        }
      }
    }
    assert.deepEqual(unknown, []);
    assert.ok(seen > 300, `only ${seen} flags were seen`);
  },
);

testReading(
  "every flag that the docs give this program is one that a command takes",
  () => {
    const declared = declaredFlags();
    const unknown: string[] = [];
    const docs = [...Deno.readDirSync(new URL("docs", ROOT))]
      .filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
        `docs/${name}`
      );
    for (const path of ["README.md", ...docs]) {
      const text = Deno.readTextFileSync(new URL(path, ROOT));
      const commands = text.matchAll(
        /(?<![\w:-])(?:fraudstream|deno task start(?::cluster)?) ([^`|\n]*)/g,
      );
      for (const [, words] of commands) {
        for (const flag of namedFlags(words)) {
          if (!isKnown(declared, flag)) {
            unknown.push(`${path}: ${flag}`);
          }
        }
      }
    }
    assert.deepEqual(unknown, []);
  },
);
