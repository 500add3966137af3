/** docs/RULES.md: its examples are accepted, and its numbers are those of the example rules. */
import assert from "node:assert/strict";
import { compileExpression } from "../../src/definition/expression.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { DecisionRules, ruleRows } from "../../src/scoring/decision_rules.ts";
import { readList } from "../../src/scoring/list_file.ts";
import { readRules } from "../../src/scoring/rule_file.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { rulesOnSet } from "./rules_numbers.ts";

const ROOT = new URL("../../", import.meta.url);
const PAGE = Deno.readTextFileSync(new URL("docs/RULES.md", ROOT));

/** The blocks of code in a language. */
function blocks(language: string): string[] {
  const pattern = new RegExp(
    `^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``,
    "gm",
  );
  return [...PAGE.matchAll(pattern)].map(([, indent, text]) =>
    text.replaceAll(new RegExp(`^${indent}`, "gm"), "")
  );
}

Deno.test("the files of rules and the list in docs/RULES.md are accepted", () => {
  const [list, ...others] = blocks("csv");
  assert.equal(others.length, 0);
  const lists = new Map([["blocked_cards", readList(list, "list.csv")]]);
  const rows = ruleRows(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
  const files = blocks("yaml");
  assert.equal(files.length, 4);
  for (const text of files) {
    const rules = readRules(text, "docs/RULES.md");
    assert.ok(rules.rules.length > 0);
    new DecisionRules({ rules, lists, threshold: null }, rows);
  }
});

Deno.test("every line of the conditions in docs/RULES.md is a condition", () => {
  const shape: PaymentShape = {
    ...HANDBOOK_SHAPE,
    kept: [
      { name: "category", type: "text" },
      { name: "merchant_name", type: "text" },
      { name: "is_online", type: "flag" },
    ],
  };
  const { names } = ruleRows(HANDBOOK_FEATURES, shape);
  const lists = {
    names: ["blocked_cards", "known_merchants"],
    test: () => () => true,
  };
  const lines = blocks("cel").flatMap((text) => text.trim().split("\n"));
  assert.ok(lines.length > 15);
  for (const line of lines) {
    const { type } = compileExpression(line, names, lists);
    assert.equal(type, "flag", line);
  }
});

Deno.test("the ten example rules do on the default data set what docs/RULES.md says", async () => {
  const path = new URL("examples/rules/rules.yaml", ROOT).pathname;
  const { backtest, rules } = await rulesOnSet(path, HANDBOOK_PARAMETERS);
  const thousands = (value: number, digits = 0) =>
    value.toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const { total } = backtest;
  const rows = backtest.rules(rules.rules).map((tally) =>
    [
      `\`${tally.rule.id}\``,
      tally.rule.then,
      thousands(tally.fired),
      thousands(tally.frauds),
      (tally.frauds / tally.known).toFixed(3),
      (tally.frauds / total.frauds).toFixed(3),
      thousands(tally.fraudUnits / 100, 2),
    ].join("|")
  );
  const lines = PAGE.split("\n").map((line) =>
    line.replaceAll(/^\| | +\|$/g, "").replaceAll(/ *\| */g, "|")
  );
  assert.equal(rows.length, 10);
  for (const row of rows) assert.ok(lines.includes(row), row);
  const text = PAGE.replaceAll(/\s+/g, " ");
  const alerts = ({ reviews, declines }: typeof total.before) =>
    thousands(reviews + declines);
  for (
    const part of [
      `${thousands(total.payments)} payments, ${
        thousands(total.frauds)
      } of them frauds`,
      `${thousands(total.after.caught)} frauds are reviewed or declined ` +
      `instead of ${thousands(total.before.caught)}, for ` +
      `${alerts(total.after)} alerts instead of ${alerts(total.before)}`,
    ]
  ) assert.ok(text.includes(part), part);
});
