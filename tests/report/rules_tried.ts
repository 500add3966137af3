/** A backtest of rules for reports: three rules, one of which never fires, on payments of two days. */
import type { RulesTried } from "../../src/report/backtest_sections.ts";
import { Backtest } from "../../src/scoring/backtest.ts";
import type { BacktestExample } from "../../src/scoring/backtest_store.ts";
import { type Decision, readRules } from "../../src/scoring/rule_file.ts";

const { rules } = readRules(
  `version: 1
rules:
  - { id: large, when: "true", then: decline, reason: r }
  - { id: known, when: "true", then: approve, reason: r, priority: 5 }
  - { id: nobody, when: "true", then: review, reason: r }
`,
  "rules.yaml",
);
const [LARGE, KNOWN] = rules;

/** The backtest, of no payment at all where there are none. */
export function rulesTried(hasPayments: boolean): RulesTried {
  const result = new Backtest<BacktestExample>();
  const add = (before: Decision, after: Decision, fraud: number, at: number) =>
    result.add(
      { fraud, scenario: fraud, units: 1_234_56, day: 17_622 + at % 2, before },
      {
        decision: after,
        fired: [after === "decline" ? LARGE : KNOWN],
        shadow: [],
        json: new Uint8Array(),
      },
      () => ({
        id: at,
        datetime: "2018-04-01 00:00:00",
        customer: `<card> & ${"long ".repeat(20)}`,
        terminal: 7,
        amount: 1234.56,
        score: at % 2 === 0 ? null : 0.25,
        fraud: fraud < 0 ? null : fraud,
        before,
        after,
        rules: ["large"],
      }),
    );
  if (hasPayments) {
    add("approve", "decline", 1, 1);
    add("review", "approve", 0, 2);
    add("review", "decline", -1, 3);
    add("approve", "approve", 1, 4);
  }
  return { result, rules };
}
