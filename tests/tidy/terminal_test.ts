import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const SRC = new URL("../../src/", import.meta.url);

/** Where text or bytes reach stdout or stderr, and why each may. */
const WRITERS: Readonly<Record<string, string>> = {
  "base/terminal_text.ts": "escapes what is written",
  "cli/output/terminal.ts": "escapes what is written",
  "cli/output/progress.ts": "the bar; its words are escaped",
  "base/output_file.ts": "--out=-: files, byte for byte",
};

/** Ways to a terminal. */
const DIRECT =
  /Deno\.std(?:out|err)\b(?!\.isTerminal\(\))|\bconsole\.|process\.std(?:out|err)|["'](?:\/dev\/(?:tty|stdout|stderr))|["'](?:cli-progress|node:console|node:readline|node:tty)["']/;

testReading(
  "nothing but the functions that escape it writes to the terminal",
  () => {
    const found: string[] = [];
    const walk = (folder: string) => {
      for (const entry of Deno.readDirSync(new URL(`./${folder}`, SRC))) {
        const path = `${folder}${entry.name}`;
        if (entry.isDirectory) walk(`${path}/`);
        if (!path.endsWith(".ts")) continue;
        const text = Deno.readTextFileSync(new URL(path, SRC))
          .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
        if (DIRECT.test(text)) found.push(path);
      }
    };
    walk("");
    assert.deepEqual(found.sort(), Object.keys(WRITERS).sort());
  },
);
