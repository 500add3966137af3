/** Files of rules and lists: what they say, their versions, and what is wrong with them. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import {
  listOfContent,
  listTest,
  readList,
} from "../../src/scoring/list_file.ts";
import {
  listsVersion,
  readRules,
  RULES_SCHEMA,
} from "../../src/scoring/rule_file.ts";
import { schemaAccepts } from "../definition/schema_check.ts";

const RULES = `version: 1
lists:
  blocked: lists/blocked.csv
rules:
  - id: blocked-card
    priority: 100
    when: list("blocked", CUSTOMER_ID)
    then: decline
    reason: The card is blocked.
  - { id: large, when: "TX_AMOUNT > 500", then: review, reason: Large, state: shadow }
`;

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  return "accepted";
}

Deno.test("a file of rules says what it says", () => {
  const { rules, lists } = readRules(RULES, "rules.yaml");
  assert.deepEqual(lists.map(({ name, path }) => [name, path]), [
    ["blocked", "lists/blocked.csv"],
  ]);
  assert.deepEqual(
    rules.map(({ when, ...rule }) => ({ ...rule, when: when.text })),
    [
      {
        id: "blocked-card",
        priority: 100,
        when: 'list("blocked", CUSTOMER_ID)',
        then: "decline",
        reason: "The card is blocked.",
        state: "live",
      },
      {
        id: "large",
        priority: 0,
        when: "TX_AMOUNT > 500",
        then: "review",
        reason: "Large",
        state: "shadow",
      },
    ],
  );
});

Deno.test("the version of rules is a digest of what they say, and of nothing else", () => {
  const version = (text: string) => readRules(text, "r.yaml").version;
  const same = version(RULES);
  assert.match(same, /^[0-9a-f]{16}$/);
  assert.equal(version(`# a comment\n${RULES}`), same);
  assert.equal(version(RULES.replace("lists/blocked", "other")), same);
  assert.equal(
    version(
      RULES.replace("    priority: 100\n", "") +
        "",
    ),
    version(RULES.replace("priority: 100", "priority: 0")),
  );
  const others = [
    RULES.replace("100", "99"),
    RULES.replace("blocked-card", "blocked_card"),
    RULES.replace("> 500", "> 501"),
    RULES.replace("state: shadow", "state: off"),
    RULES.replace("Large,", "Big,"),
    RULES.replace("then: decline", "then: review"),
  ];
  assert.equal(new Set([same, ...others.map(version)]).size, 7);
});

Deno.test("what is wrong with a file of rules is named with its place and what to do", () => {
  const read = (text: string) => messageOf(() => readRules(text, "r.yaml"));
  const cases: readonly [string, RegExp][] = [
    ["", /^r\.yaml:1:1: the file of rules must have keys and values/],
    ["version: 2\nrules: []\n", /^r\.yaml:1:10: version must be 1/],
    ["version: 1\n", /^r\.yaml:1:1: the file of rules lacks rules/],
    ["version: 1\nrules: x\n", /^r\.yaml:2:8: rules must be a list of rules/],
    [
      RULES.replace("id: large", "id: Blocked-Card"),
      /^r\.yaml:10:11: the rule in line 5 has the id Blocked-Card already; choose another$/,
    ],
    [
      RULES.replace("then: decline", "then: block"),
      /^r\.yaml:8:11: then must be approve, review or decline, not "block"/,
    ],
    [
      RULES.replace("state: shadow", "state: test"),
      /^r\.yaml:10:.*state must be live, shadow or off/,
    ],
    [
      RULES.replace("priority: 100", "priority: high"),
      /^r\.yaml:6:15: priority must be a whole number from 0 to 1000000/,
    ],
    [
      RULES.replace("    reason: The card is blocked.\n", ""),
      /^r\.yaml:5:5: a rule lacks reason/,
    ],
    [
      RULES.replace("then:", "action:"),
      /^r\.yaml:8:5: a rule has no key 'action'; its keys are id, priority/,
    ],
    [
      RULES.replace("id: large", "id: 9lives"),
      /^r\.yaml:10:11: id must be a letter/,
    ],
    [
      RULES.replace("blocked:", "blocked cards:"),
      /^r\.yaml:3:3: lists: the name/,
    ],
  ];
  for (const [text, expected] of cases) assert.match(read(text), expected);
});

Deno.test("an editor's schema accepts what is accepted, and refuses what is not", () => {
  const rule = { id: "a", when: "TX_AMOUNT > 1", then: "review", reason: "r" };
  const file = { version: 1, lists: { cards: "cards.csv" }, rules: [rule] };
  assert.ok(schemaAccepts(RULES_SCHEMA, file));
  for (
    const wrong of [
      { ...file, version: 2 },
      { ...file, more: 1 },
      { ...file, rules: [{ ...rule, then: "block" }] },
      { ...file, rules: [{ ...rule, reason: undefined }] },
      { ...file, rules: [{ ...rule, priority: 1.5 }] },
    ]
  ) {
    assert.ok(
      !schemaAccepts(RULES_SCHEMA, JSON.parse(JSON.stringify(wrong))),
      JSON.stringify(wrong),
    );
  }
});

Deno.test("a list is its values and notes, whatever their order and quotes; the longer of two entries counts", () => {
  const list = readList(
    'value,expires,note\n"a,b",,x\nc,2026-01-02,\nc,2026-01-01,\n\nd,2026-01-01T06:00:00+06:00,\n',
    "l.csv",
  );
  const midnight = Date.UTC(2026, 0, 1) / 1000;
  assert.deepEqual([...list.entries], [
    ["a,b", Infinity],
    ["c", midnight + 86_400],
    ["d", midnight],
  ]);
  const other = readList(
    "note,expires,value\n,2026-01-02 00:00:00,c\r\n" +
      ' x,,"a,b"\n,2026-01-01,d\n',
    "l.csv",
  );
  assert.deepEqual([...list.notes], [["a,b", "x"]]);
  assert.equal(other.version, list.version);
  const again = listOfContent(list.content);
  assert.deepEqual(
    again.entries,
    other.entries.size && new Map([...list.entries].sort()),
  );
  assert.equal(again.version, list.version);
  assert.deepEqual(again.notes, list.notes);
  // Lists without notes have the versions that they had before notes were kept.
  const plain = readList('value\n3\n"a,b"\n', "l.csv");
  assert.equal(plain.content, '["3","a,b"]');
  const has = listTest(list, "text");
  assert.ok(has("a,b", 1e12) && has("d", midnight - 1));
  assert.ok(!has("d", midnight) && !has("x", 0));
  const numbers = listTest(readList("value\n007\n-2.50\n", "l.csv"), "number");
  assert.ok(numbers(7, 0) && numbers(-2.5, 0) && !numbers(NaN, 0));
});

Deno.test("a broken row of a list is named with its place and what to do", () => {
  const read = (text: string) => messageOf(() => readList(text, "l.csv"));
  const cases: readonly [string, RegExp][] = [
    ["", /^l\.csv:1:1: the first row of a list must be 'value'/],
    ["a\nb\n", /^l\.csv:1:1: the first row of a list must be 'value'/],
    ["value,until\n", /^l\.csv:1:7: the first row of a list must be 'value'/],
    [
      "value,expires\na,tomorrow\n",
      /^l\.csv:2:3: expires 'tomorrow' must be a day/,
    ],
    ["value,expires\na,\n,2026-01-01\n", /^l\.csv:3:1: an entry has no value/],
    [
      "value,expires\na\n",
      /^l\.csv:2:1: the row has 1 value and the first row 2 columns; fix the row/,
    ],
    ['value\na\n"b\n', /^l\.csv:\d:1: a quote in this row is not closed/],
  ];
  for (const [text, expected] of cases) assert.match(read(text), expected);
});

Deno.test("the version of lists together follows their names and versions", () => {
  assert.equal(listsVersion({}), null);
  assert.equal(
    listsVersion({ a: "1", b: "2" }),
    listsVersion({ b: "2", a: "1" }),
  );
  assert.notEqual(listsVersion({ a: "1" }), listsVersion({ a: "2" }));
});
