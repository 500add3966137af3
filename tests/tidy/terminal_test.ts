import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const SRC = new URL("../../src/", import.meta.url);

/** Where text or bytes reach stdout or stderr, and why each may. */
const WRITERS: Readonly<Record<string, string>> = {
  "telemetry/terminal_text.ts": "escapes what is written",
  "cli/terminal.ts": "escapes what is written",
  "cli/progress.ts": "the bar; its words are escaped",
  "files/output_file.ts": "--out=-: files, byte for byte",
};

/** Ways to a terminal. */
const DIRECT =
  /Deno\.std(?:out|err)\b(?!\.isTerminal\(\))|\bconsole\.|process\.std(?:out|err)|["'](?:\/dev\/(?:tty|stdout|stderr))|["'](?:cli-progress|node:console|node:readline|node:tty)["']/;

testReading(
  "nothing but the functions that escape it writes to the terminal",
  () => {
    const found: string[] = [];
    for (const folder of Deno.readDirSync(SRC)) {
      for (const { name } of Deno.readDirSync(new URL(folder.name, SRC))) {
        if (!name.endsWith(".ts")) continue;
        const path = `${folder.name}/${name}`;
        const text = Deno.readTextFileSync(new URL(path, SRC))
          .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
        if (DIRECT.test(text)) found.push(path);
      }
    }
    assert.deepEqual(found.sort(), Object.keys(WRITERS).sort());
  },
);
