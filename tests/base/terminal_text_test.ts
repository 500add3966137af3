import assert from "node:assert/strict";
import { openLogger } from "../../src/base/logger.ts";
import {
  asTyped,
  shellWord,
  visible,
  visibleLines,
} from "../../src/base/terminal_text.ts";

/** What a terminal obeys or hides: C0, DEL, C1, bidi, zero width, separators, tags. */
const HOSTILE = [
  "\x00",
  "\x07",
  "\x08",
  "\r",
  "\x1b",
  "\x1b]0;title\x07",
  "\x7f",
  "\x85",
  "\x9b31m",
  "\u061c",
  "\u200b",
  "\u200d",
  "\u200e",
  "\u202e",
  "\u2066",
  "\u2069",
  "\u2028",
  "\u2029",
  "\u2060",
  "\ufeff",
  "\u{e0041}",
];

/** Everything in it that a terminal would obey or not show, found one code point at a time. */
function obeyed(text: string): string[] {
  return [...text].filter((character) => {
    const code = character.codePointAt(0) ?? 0;
    const ranges = [
      [0, 0x1f],
      [0x7f, 0x9f],
      [0x61c, 0x61c],
      [0x200b, 0x200f],
      [0x2028, 0x202e],
      [0x2060, 0x206f],
      [0xfeff, 0xfeff],
      [0xe0000, 0xe007f],
    ];
    return ranges.some(([first, last]) => code >= first && code <= last);
  });
}

Deno.test("what a terminal would obey is written as JSON's escape", () => {
  assert.equal(visible("a\x1b[2Jb"), "a\\u001b[2Jb");
  assert.equal(visible("\u202e"), "\\u202e");
  assert.equal(visible("a\nb\tc"), "a\\u000ab\\u0009c");
  for (const text of HOSTILE) {
    assert.deepEqual(obeyed(visible(text)), [], JSON.stringify(text));
    assert.deepEqual(obeyed(visibleLines(text)), [], JSON.stringify(text));
  }
});

Deno.test("plain text of any language stays as it is", () => {
  const text = "Zoë – 12 %, 東京, Ελλάδα, שלום, €1.2M … \\u001b";
  assert.equal(visible(text), text);
  assert.equal(visibleLines(`${text}\n\t${text}\n`), `${text}\n\t${text}\n`);
});

Deno.test("JSON means the same afterwards", () => {
  const data = { text: HOSTILE.join("|"), "\u202ekey\x9b": ["\n", "\t"] };
  for (const indent of [0, 2]) {
    const shown = visibleLines(JSON.stringify(data, null, indent));
    assert.deepEqual(JSON.parse(shown), data);
    assert.deepEqual(obeyed(shown).filter((c) => c !== "\n"), []);
  }
});

Deno.test("a log line is one line, whatever its fields hold", () => {
  const hostile = `x\nerror supervisor: fake ${HOSTILE.join("")}`;
  for (const format of ["text", "json"] as const) {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const logger = openLogger("writer", { format, level: "info", write });
    logger.warn("row refused", {
      reason: hostile,
      nested: { reason: hostile },
      [`key${hostile}`]: 1,
    });
    assert.equal(lines.length, 1);
    assert.ok(lines[0].endsWith("\n"));
    assert.deepEqual(obeyed(lines[0].slice(0, -1)), [], format);
    if (format === "json") assert.equal(JSON.parse(lines[0]).reason, hostile);
  }
});

Deno.test("asTyped() names the command of an executable, and changes no path", () => {
  const hint = "start './fraudstream run' first; ./fraudstream help lists all";
  const sources = { program: "./fraudstream", flagsOf: () => [] };
  const executable = { program: "fraudstream", flagsOf: () => [] };
  assert.equal(asTyped(hint, sources), hint);
  assert.equal(
    asTyped(hint, executable),
    "start 'fraudstream run' first; fraudstream help lists all",
  );
  for (
    const path of ["./fraudstream-data", "../fraudstream", "a/./fraudstream/b"]
  ) {
    assert.equal(asTyped(path, executable), path);
  }
});

Deno.test("asTyped() completes a quoted command, once, with the flags that it lacks", () => {
  const flags = ["--log=kafka", '--data="my shop"'];
  const commands = {
    program: "/opt/fraudstream --anywhere",
    flagsOf: (command: string) => command === "status" ? flags : [],
  };
  const cases = [
    [
      "see './fraudstream status'",
      "see '/opt/fraudstream --anywhere status --log=kafka --data=\"my shop\"'",
    ],
    [
      "'./fraudstream status --data=x'; then",
      "'/opt/fraudstream --anywhere status --data=x --log=kafka'; then",
    ],
    ["'./fraudstream train'", "'/opt/fraudstream --anywhere train'"],
    ["'./fraudstream --anywhere'", "'/opt/fraudstream --anywhere'"],
  ];
  for (const [text, expected] of cases) {
    const once = asTyped(text, commands);
    assert.equal(once, expected);
    assert.equal(asTyped(once, commands), expected);
  }
  const confined = { ...commands, program: "./fraudstream" };
  assert.equal(
    asTyped("by './fraudstream --anywhere'", confined),
    "by './fraudstream --anywhere'",
  );
  // The same where the program is started as it is written.
  const same = { ...commands, program: "./fraudstream --anywhere" };
  const once = asTyped(cases[0][0], same);
  assert.equal(asTyped(once, same), once);
});

Deno.test("shellWord() quotes what a shell would split or replace", () => {
  assert.equal(shellWord("./data/a-1.csv"), "./data/a-1.csv");
  assert.equal(shellWord('a b$c"d`e\\'), '"a b\\$c\\"d\\`e\\\\"');
});
