/** Expressions, against a plain evaluator of trees that shares no code with them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compileExpression,
  ExpressionError,
  type NamedValue,
} from "../../src/definition/expression.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { isLong } from "../long.ts";

const NAMES: ReadonlyMap<string, NamedValue> = new Map([
  ["TX_AMOUNT", { type: "number", cell: 0, nullable: false }],
  ["population", { type: "number", cell: 1, nullable: true }],
  ["category", { type: "text", cell: 2, nullable: true }],
  ["TERMINAL_ID", { type: "text", cell: 3, nullable: false }],
  ["online", { type: "flag", cell: 4, nullable: true }],
]);

/** A row as people see it. */
interface Row {
  readonly TX_AMOUNT: number;
  readonly population: number | null;
  readonly category: string | null;
  readonly TERMINAL_ID: string;
  readonly online: boolean | null;
}

type Value = number | string | boolean | null;

/** An expression: its text, and what it is for a row. */
interface Tree {
  readonly text: string;
  readonly value: (row: Row) => Value;
}

const TEXTS = ["", "shop", "a shop", "grocery_pos", "Ünï", "it's"];

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}

function arithmetic(operator: string, a: Value, b: Value): Value {
  if (a === null || b === null) return null;
  const [x, y] = [Number(a), Number(b)];
  if ((operator === "/" || operator === "%") && y === 0) return null;
  const result = { "+": x + y, "-": x - y, "*": x * y, "/": x / y, "%": x % y }[
    operator
  ];
  if (result === undefined || Number.isNaN(result)) return null;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, result));
}

function compared(operator: string, a: Value, b: Value): boolean {
  if (a === null || b === null) return false;
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    default:
      return a >= b;
  }
}

const METHODS: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  startsWith: (a, b) => a.startsWith(b),
  endsWith: (a, b) => a.endsWith(b),
  contains: (a, b) => a.includes(b),
};

const { number, text, flag } = fc.letrec<
  { number: Tree; text: Tree; flag: Tree }
>((tie) => {
  const choice = (of: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> =>
    fc.tuple(tie("flag"), of, of).map(([test, yes, no]) => ({
      text: `(${test.text} ? ${yes.text} : ${no.text})`,
      value: (row) => test.value(row) ? yes.value(row) : no.value(row),
    }));
  const equality = (of: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> =>
    fc.tuple(fc.constantFrom("==", "!="), of, of).map(([operator, a, b]) => ({
      text: `(${a.text} ${operator} ${b.text})`,
      value: (row) => compared(operator, a.value(row), b.value(row)),
    }));
  const membership = (of: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> =>
    fc.tuple(of, fc.array(of, { minLength: 1, maxLength: 4 })).map((
      [value, list],
    ) => ({
      text: `(${value.text} in [${list.map((one) => one.text).join(", ")}])`,
      value: (row) =>
        list.some((one) => compared("==", value.value(row), one.value(row))),
    }));
  const field = (name: keyof Row): fc.Arbitrary<Tree> =>
    fc.constant({ text: name, value: (row) => row[name] });
  return {
    number: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      field("TX_AMOUNT"),
      field("population"),
      fc.constantFrom(0, 1, 2, 9, 1e308).map((value) => ({
        text: `${value}`,
        value: () => value,
      })),
      fc.tuple(
        fc.constantFrom("+", "-", "*", "/", "%"),
        tie("number"),
        tie("number"),
      ).map(([operator, a, b]) => ({
        text: `(${a.text} ${operator} ${b.text})`,
        value: (row: Row) => arithmetic(operator, a.value(row), b.value(row)),
      })),
      tie("number").map(({ text, value }) => ({
        text: `-(${text})`,
        value: (row: Row) => arithmetic("*", value(row), -1),
      })),
      choice(tie("number")),
    ),
    text: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      field("category"),
      field("TERMINAL_ID"),
      fc.constantFrom(...TEXTS).map((value) => ({
        text: quoted(value),
        value: () => value,
      })),
      choice(tie("text")),
    ),
    flag: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant<Tree>({
        text: "online",
        value: (row) => row.online === true,
      }),
      fc.boolean().map((value) => ({ text: `${value}`, value: () => value })),
      fc.constantFrom<"population" | "category" | "online" | "TX_AMOUNT">(
        "population",
        "category",
        "online",
        "TX_AMOUNT",
      ).map((name) => ({
        text: `has(${name})`,
        value: (row: Row) => row[name] !== null,
      })),
      fc.tuple(
        fc.constantFrom("<", "<=", ">", ">=", "==", "!="),
        tie("number"),
        tie("number"),
      ).map(([operator, a, b]) => ({
        text: `(${a.text} ${operator} ${b.text})`,
        value: (row: Row) => compared(operator, a.value(row), b.value(row)),
      })),
      equality(tie("text")),
      membership(tie("number")),
      membership(tie("text")),
      fc.tuple(
        fc.constantFrom("startsWith", "endsWith", "contains"),
        tie("text"),
        tie("text"),
      ).map(([method, a, b]) => ({
        text: `(${a.text}).${method}(${b.text})`,
        value: (row: Row) => {
          const [left, right] = [a.value(row), b.value(row)];
          return left !== null && right !== null &&
            METHODS[method](String(left), String(right));
        },
      })),
      fc.tuple(fc.constantFrom("&&", "||"), tie("flag"), tie("flag")).map((
        [operator, a, b],
      ) => ({
        text: `(${a.text} ${operator} ${b.text})`,
        value: (row: Row) =>
          operator === "&&"
            ? a.value(row) && b.value(row)
            : a.value(row) || b.value(row),
      })),
      tie("flag").map(({ text, value }) => ({
        text: `!(${text})`,
        value: (row: Row) => !value(row),
      })),
      choice(tie("flag")),
    ),
  };
});

const ROW: fc.Arbitrary<Row> = fc.record({
  TX_AMOUNT: fc.constantFrom(-2.5, 0, 0.01, 3, 134.09),
  population: fc.constantFrom(null, -1, 0, 3, 1e300),
  category: fc.constantFrom(null, ...TEXTS),
  TERMINAL_ID: fc.constantFrom(...TEXTS.slice(1)),
  online: fc.constantFrom(null, true, false),
});

function cellsOf(row: Row, texts: TextHeap): Float64Array {
  return Float64Array.of(
    NaN, // the row begins behind this one
    row.TX_AMOUNT,
    row.population ?? NaN,
    row.category === null ? NO_TEXT : texts.addText(row.category),
    texts.addText(row.TERMINAL_ID),
    row.online === null ? NaN : Number(row.online),
  );
}

function evaluate(source: string, row: Row): Value {
  const texts = new TextHeap();
  const cells = cellsOf(row, texts);
  const expression = compileExpression(source, NAMES);
  const value = expression.read(cells, 1, texts);
  if (!Number.isNaN(value)) return value;
  assert.ok(expression.nullable, `${source} has no value, but says it has one`);
  return null;
}

Deno.test("random expressions have the values of a plain evaluator", () => {
  fc.assert(
    fc.property(fc.oneof(number, text, flag), ROW, (tree, row) => {
      // 0 and -0 are one number.
      assert.ok(evaluate(tree.text, row) === tree.value(row), tree.text);
    }),
    { numRuns: isLong ? 100_000 : 2_000 },
  );
});

const PLAIN: Row = {
  TX_AMOUNT: 12.5,
  population: null,
  category: "grocery_pos",
  TERMINAL_ID: "shop",
  online: null,
};

for (
  const [source, value] of [
    ["TX_AMOUNT / 0", null],
    ["TX_AMOUNT % 0", null],
    ["population + 1", null],
    ["population == population", false],
    ["population != 1", false],
    ["!(population > 1)", true],
    ["online", false],
    ["online != true", false],
    ["has(population) || category == 'grocery_pos'", true],
    ["category in ['grocery_net', 'grocery_pos']", true],
    ["TX_AMOUNT > 10 ? 2 : 1", 2],
    ["TX_AMOUNT * 1e308 * 1e308", Number.MAX_VALUE],
    ["TX_AMOUNT * 1e308 * 1e308 * 0", 0],
    ["1 + 2 * 3 - 4 / 8", 6.5],
    ["TERMINAL_ID.startsWith('sh') && !TERMINAL_ID.contains('x')", true],
  ] as const
) {
  Deno.test(`${source} is ${value}`, () => {
    assert.equal(evaluate(source, PLAIN), value);
  });
}

for (
  const [source, offset, message] of [
    [
      "TX_AMOUNT >",
      11,
      "the expression ends where a value must follow; complete it",
    ],
    ["TX_AMOUNT + (1", 14, "expected ')', got the end; fix the expression"],
    ["TX_AMOUNT = 1", 10, "'=' does not compare; write '=='"],
    [
      "online and TX_AMOUNT > 1",
      7,
      "there is no word 'and'; write '&&'",
    ],
    ["online OR category == 'or and'", 7, "there is no word 'OR'; write '||'"],
    ["not online", 0, "there is no word 'not'; write '!'"],
    [
      "category == 'a and = b' + (",
      27,
      "the expression ends where a value must follow; complete it",
    ],
    [
      "category == food",
      12,
      "there is no food here; use TX_AMOUNT, population, category, TERMINAL_ID, online; or write 'food', in quotes, for the text",
    ],
    [
      "amount > 1",
      0,
      "there is no amount here; did you mean TX_AMOUNT?",
    ],
    [
      "1 + tx_amount",
      4,
      "there is no tx_amount here; did you mean TX_AMOUNT?",
    ],
    [
      "category > 'a'",
      0,
      "only numbers have an order; category is a text; compare with == or !=",
    ],
    [
      "TX_AMOUNT == 'a'",
      13,
      "values of different types cannot be compared; TX_AMOUNT is a number, 'a' is a text",
    ],
    [
      "TX_AMOUNT in [1, 'a']",
      17,
      "values of different types cannot be compared; TX_AMOUNT is a number, 'a' is a text",
    ],
    ["category + 1", 0, "a number must stand here; category is a text"],
    [
      "TX_AMOUNT && online",
      0,
      "a condition must stand here; TX_AMOUNT is a number",
    ],
    [
      "online ? 1 : 'a'",
      13,
      "both results of ? : must be of one type; 1 is a number, 'a' is a text",
    ],
    [
      "population == null",
      14,
      "a comparison with null is always false; ask has(name) whether there is a value",
    ],
    ["TX_AMOUNT in []", 13, "write a list after in, such as ['a', 'b']"],
    ["size(category)", 0, "there is no function size(); there is has()"],
    ["has(1 + 2)", 0, "has() takes one name: has(category)"],
    [
      "category.matches('a')",
      0,
      "there is no method matches(); there are startsWith(), endsWith(), contains()",
    ],
    [
      "category.size",
      0,
      "category.size is not part of the language; it has names, numbers, texts, operators, in with a list, has() and methods of texts",
    ],
    [
      "TX_AMOUNT == 9007199254740993",
      13,
      "9007199254740993 is beyond the numbers, which are exact to 9007199254740991; compare texts instead",
    ],
    ["1u + 2", 0, "write a number without u, and a text without b"],
  ] as const
) {
  Deno.test(`${source} is refused`, () => {
    assert.throws(
      () => compileExpression(source, NAMES),
      (error) => {
        assert.ok(error instanceof ExpressionError, String(error));
        assert.equal(error.message, message);
        assert.equal(error.offset, offset);
        return true;
      },
    );
  });
}

Deno.test("expressions are bounded in length, depth and size", () => {
  for (
    const source of [
      "1".repeat(5000),
      `${"(".repeat(500)}1${")".repeat(500)}`,
      Array(600).fill("1").join("+"),
      `1 in [${Array(600).fill("1").join(",")}]`,
    ]
  ) {
    assert.throws(() => compileExpression(source, NAMES), ExpressionError);
  }
});

Deno.test("an expression tells what it names", () => {
  const { names } = compileExpression(
    "has(category) && TX_AMOUNT > 1 && TX_AMOUNT < 5",
    NAMES,
  );
  assert.deepEqual(names, ["category", "TX_AMOUNT"]);
});
