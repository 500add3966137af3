/** What the report says about rules that are tried. */
import assert from "node:assert/strict";
import {
  backtestRows,
  backtestSections,
} from "../../src/report/backtest_sections.ts";
import type { Block, Table } from "../../src/report/content.ts";
import { rulesTried } from "./rules_tried.ts";

const EURO = { currency: "EUR", decimals: 2 };

function tablesOf(blocks: readonly Block[]): Table[] {
  return blocks.flatMap((block) => block.kind === "table" ? block.table : []);
}

Deno.test("backtestSections() has what is gained and lost in all, by scenario, rule and day, with examples", () => {
  const sections = backtestSections(rulesTried(true), EURO);
  assert.deepEqual(sections.map(({ id }) => id), [
    "decisions",
    "rules",
    "rules-days",
    "rules-examples",
  ]);
  const [decisions, rules, days, examples] = sections;
  const [total, scenarios] = tablesOf(decisions.blocks);
  const row = (table: Table, name: string) =>
    table.rows.find(([first]) => first === name)?.slice(1);
  assert.deepEqual(row(total, "alerts"), ["2", "2"]);
  assert.deepEqual(row(total, "frauds caught"), ["0", "1"]);
  assert.deepEqual(row(total, "precision"), ["0.0\u00a0%", "100.0\u00a0%"]);
  assert.deepEqual(row(total, "amount of frauds caught"), [
    "€0.00",
    "€1,234.56",
  ]);
  assert.deepEqual(row(scenarios, "1: amount above 220")?.slice(0, 4), [
    "2",
    "€2,469.12",
    "0",
    "1",
  ]);
  const [each] = tablesOf(rules.blocks);
  assert.deepEqual(row(each, "large")?.slice(2, 8), [
    "2",
    "2",
    "1",
    "0",
    "2",
    "0",
  ]);
  assert.deepEqual(row(each, "known")?.slice(4, 6), ["0", "1"]);
  assert.ok(
    rules.blocks.some((block) =>
      block.kind === "text" && block.text.startsWith("Rule nobody never fires;")
    ),
  );
  const [figures] = days.blocks;
  assert.ok(figures.kind === "figures");
  assert.deepEqual(
    figures.figures[0].values?.rows.map(([day, payments]) => [day, payments]),
    [["2018-04-01", "2"], ["2018-04-02", "2"]],
  );
  assert.deepEqual(
    tablesOf(examples.blocks).map(({ rows }) => rows.length),
    [1, 1],
  );
});

Deno.test("backtestRows() has the same for text", () => {
  const { total, rules, findings } = backtestRows(rulesTried(true), EURO);
  assert.deepEqual(total.at(-4), ["alerts gained", "", "1"]);
  assert.deepEqual(rules[1], [
    "large",
    "decline",
    "2",
    "1",
    "100.0\u00a0%",
    "50.0\u00a0%",
  ]);
  assert.equal(findings.length, 1);
});
