/**
 * Expressions in the syntax of CEL (github.com/google/cel-spec) with their own
 * meaning, `language: 1`: numbers are doubles; x / 0 and arithmetic with a
 * missing number give none; a comparison with a missing value is false. A
 * library parses them; here their types are checked, and they become closures
 * over rows of cells, hundreds of times faster than walking the tree.
 */
import {
  type ASTNode,
  Environment,
  ParseError,
  type SourceRange,
} from "@marcbachmann/cel-js";
import { CELL } from "../payment/payment_cells.ts";
import {
  NO_TEXT,
  type TextHeap,
  textLength,
  textStart,
} from "../payment/text_heap.ts";

/** What a value may be. */
export type ValueType = "number" | "text" | "flag";

/** What an expression may name: a cell of its row. A missing number or flag is NaN there, a missing text NO_TEXT. */
export interface NamedValue {
  /** What it is. */
  readonly type: ValueType;
  /** Its place in a row. */
  readonly cell: number;
  /** Whether it may be missing. */
  readonly nullable: boolean;
}

/** Reads a value of the row that begins at `at`; texts are in `texts`. */
export type Read<T> = (
  cells: Float64Array,
  at: number,
  texts: TextHeap,
) => T;

/** A checked expression. */
export type Expression =
  & (
    | {
      /** Distinguishes the types. */
      readonly type: "number";
      /** Its value, finite, or NaN for none; results beyond the doubles are the greatest. */
      readonly read: Read<number>;
    }
    | { readonly type: "flag"; readonly read: Read<boolean> }
    | { readonly type: "text"; readonly read: Read<string | null> }
  )
  & {
    /** Whether it may have no value. */
    readonly nullable: boolean;
    /** What it names, in order, each once. */
    readonly names: readonly string[];
  };

/** Whether a value is on a list for a payment of that time, seconds since 1970. */
export type ListTest = (value: number | string, seconds: number) => boolean;

/** The lists that list("name", value) may ask. */
export interface ExpressionLists {
  /** Their names. */
  readonly names: readonly string[];
  /** The test of one for values of a type; undefined if there is none of that name. Throws ConfigError where entries do not fit the type. */
  test(name: string, type: "number" | "text"): ListTest | undefined;
}

/** What is wrong with an expression, and where in its text. */
export class ExpressionError extends Error {
  /** See Error. */
  override readonly name = "ExpressionError";
  /** Offset in its text, in UTF-16 units. */
  readonly offset: number;

  /** About the part of the text that begins at `offset`. */
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Longest expression, in UTF-16 units. */
export const EXPRESSION_LENGTH_MAX = 4096;

const PARSER = new Environment({
  limits: {
    maxAstNodes: 1024,
    maxDepth: 64,
    maxListElements: 512,
    maxMapEntries: 0,
    maxCallArguments: 8,
  },
});

/** Checks an expression over named values, and lists where it may ask any. Throws ExpressionError. */
export function compileExpression(
  text: string,
  names: ReadonlyMap<string, NamedValue>,
  lists?: ExpressionLists,
): Expression {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    throw new ExpressionError(
      `an expression has at most ${EXPRESSION_LENGTH_MAX} characters, not ` +
        `${text.length}; shorten it`,
      0,
    );
  }
  const compiler = new Compiler(text, names, lists);
  const { type, read, nullable } = compiler.term(parse(text));
  return { type, read, nullable, names: [...compiler.used] } as Expression;
}

function parse(text: string): ASTNode {
  try {
    return PARSER.parse(text).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const { summary, range } = error;
    throw foreignOperator(text) ??
      new ExpressionError(plainSummary(summary), range?.start ?? 0);
  }
}

/** Words of other languages, and the operators that they stand for. */
const OPERATORS: Readonly<Record<string, string>> = {
  and: "&&",
  or: "||",
  not: "!",
};

/** What to write where an expression has the operator of another language; undefined if it has none. */
function foreignOperator(text: string): ExpressionError | undefined {
  const bare = text.replaceAll(
    /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g,
    (quoted) => " ".repeat(quoted.length),
  );
  const found = /\b(?:and|or|not)\b|(?<![=!<>])=(?![=>])/i.exec(bare);
  if (found === null) return undefined;
  const [word] = found;
  return new ExpressionError(
    word === "="
      ? "'=' does not compare; write '=='"
      : `there is no word '${word}'; write '${OPERATORS[word.toLowerCase()]}'`,
    found.index,
  );
}

/** The parser's words for what is there and what it expects. */
const TOKENS: Readonly<Record<string, string>> = {
  EOF: "the end",
  RBRACKET: "']'",
  LBRACKET: "'['",
  RPAREN: "')'",
  LPAREN: "'('",
  RBRACE: "'}'",
  COLON: "':'",
  COMMA: "','",
  IDENTIFIER: "a name",
};

function plainSummary(summary: string): string {
  const words = summary.replaceAll(
    /\b[A-Z]{2,}\b/g,
    (token) => TOKENS[token] ?? `${token.toLowerCase()}`,
  );
  return words.endsWith("token: the end")
    ? "the expression ends where a value must follow; complete it"
    : `${words[0].toLowerCase()}${words.slice(1)}; fix the expression`;
}

/** Names that are listed whole. */
const LISTED_NAMES = 12;

/** What to write in place of a name that is none of `names`. */
export function nameAdvice(name: string, names: readonly string[]): string {
  const alike = nearest(name, names);
  if (alike !== undefined) return `did you mean ${alike}?`;
  const more = names.length - LISTED_NAMES;
  return more <= 1
    ? `use ${names.join(", ")}`
    : `use ${names.slice(0, LISTED_NAMES).join(", ")} or one of ${more} others`;
}

/** The name that a slip of the keys is closest to, or the shortest that contains it; undefined if none is close. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const own = name.toLowerCase();
  const close = names.map((one) => ({
    one,
    far: edits(own, one.toLowerCase()),
  }))
    .toSorted((a, b) => a.far - b.far);
  const [first] = close;
  if (first && first.far <= Math.floor(own.length / 4)) return first.one;
  return own.length < CONTAINED_MIN
    ? undefined
    : close.find(({ one }) => one.toLowerCase().includes(own))?.one;
}

/** Letters from which on a name stands for one that contains it. */
const CONTAINED_MIN = 4;

/** How many letters to insert, delete, change or exchange with the next between two words. */
function edits(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] &&
        from[i - 2] === to[j - 1];
      next.push(Math.min(
        row[j] + 1,
        next[j - 1] + 1,
        row[j - 1] + same,
        isExchanged ? before[j - 2] + 1 : Infinity,
      ));
    }
    [before, row] = [row, next];
  }
  return row[to.length];
}

/** A result within the doubles; so no later step turns an infinite one into none. */
function finite(value: number): number {
  if (value === Infinity) return Number.MAX_VALUE;
  return value === -Infinity ? -Number.MAX_VALUE : value;
}

interface NumberTerm {
  readonly type: "number";
  readonly read: Read<number>;
  readonly nullable: boolean;
  readonly constant?: number;
}

interface FlagTerm {
  readonly type: "flag";
  readonly read: Read<boolean>;
  readonly nullable: false;
  /** Of a field: its cell, 1, 0 or NaN. */
  readonly cell?: number;
}

interface TextTerm {
  readonly type: "text";
  readonly read: Read<string | null>;
  readonly nullable: boolean;
  readonly constant?: string;
  /** Of a field. */
  readonly cell?: number;
}

type Term = NumberTerm | FlagTerm | TextTerm;

const TYPE_WORDS = {
  number: "a number",
  text: "a text",
  flag: "true or false",
};

type Binary = readonly [ASTNode, ASTNode];
type Comparison = (a: number, b: number) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** Makes terms of nodes. */
class Compiler {
  /** The names that are used. */
  readonly used = new Set<string>();
  readonly #text: string;
  readonly #names: ReadonlyMap<string, NamedValue>;
  readonly #lists: ExpressionLists | undefined;

  constructor(
    text: string,
    names: ReadonlyMap<string, NamedValue>,
    lists: ExpressionLists | undefined,
  ) {
    this.#text = text;
    this.#names = names;
    this.#lists = lists;
  }

  term(node: ASTNode): Term {
    switch (node.op) {
      case "value":
        return constantTerm(node.args, node);
      case "id":
        return this.#name(node.args, node);
      case "?:":
        return this.#choice(node.args);
      case "&&":
      case "||":
        return this.#logic(node.op, node.args);
      case "!_": {
        const { read } = this.#flag(node.args);
        return flagTerm((c, at, texts) => !read(c, at, texts));
      }
      case "-_": {
        const { read, nullable } = this.#number(node.args);
        return numberTerm((c, at, texts) => -read(c, at, texts), nullable);
      }
      case "+":
      case "-":
      case "*":
      case "/":
      case "%":
        return this.#arithmetic(node.op, node.args);
      case "==":
      case "!=":
        return this.#equality(node.op === "==", node.args);
      case "<":
      case "<=":
      case ">":
      case ">=":
        return this.#order(COMPARISONS[node.op], node.args);
      case "in":
        return this.#membership(node.args);
      case "call":
        return this.#call(node.args[0], node.args[1], node);
      case "rcall":
        return this.#method(node.args[0], node.args[1], node.args[2], node);
      default:
        throw this.#error(
          node,
          `${this.#source(node)} is not part of the language; it has names, ` +
            "numbers, texts, operators, in with a list, has() and methods of " +
            "texts",
        );
    }
  }

  #name(name: string, node: ASTNode): Term {
    const found = this.#names.get(name);
    if (!found) throw this.#error(node, this.#unknown(name));
    this.used.add(name);
    const { type, cell, nullable } = found;
    if (type === "number") {
      return numberTerm((cells, at) => cells[at + cell], nullable);
    }
    if (type === "flag") {
      const read: Read<boolean> = (cells, at) => cells[at + cell] === 1;
      return { ...flagTerm(read), cell };
    }
    const read: Read<string | null> = (cells, at, texts) =>
      texts.text(cells[at + cell]);
    return { type, read, nullable, cell };
  }

  #unknown(name: string): string {
    if (name === "TX_FRAUD") {
      return "TX_FRAUD is not known when a payment is made; use a feature " +
        "that looks at labels, such as " +
        "{ share: TX_FRAUD, by: TERMINAL_ID, over: 30d }";
    }
    const advice = nameAdvice(name, [...this.#names.keys()]);
    const isOther = advice.startsWith("use ");
    return `there is no ${name} here; ${advice}` +
      (isOther ? `; or write '${name}', in quotes, for the text` : "");
  }

  #choice([condition, yes, no]: readonly ASTNode[]): Term {
    const { read: test } = this.#flag(condition);
    const [a, b] = [this.term(yes), this.term(no)];
    const nullable = a.nullable || b.nullable;
    if (a.type === "number" && b.type === "number") {
      const read = choiceOf(test, a.read, b.read);
      return numberTerm(read, nullable);
    }
    if (a.type === "text" && b.type === "text") {
      return { type: "text", read: choiceOf(test, a.read, b.read), nullable };
    }
    if (a.type === "flag" && b.type === "flag") {
      return flagTerm(choiceOf(test, a.read, b.read));
    }
    throw this.#error(
      no,
      `both results of ? : must be of one type; ${this.#isA(yes, a)}, ` +
        this.#isA(no, b),
    );
  }

  #logic(operator: "&&" | "||", [left, right]: Binary): Term {
    const [{ read: a }, { read: b }] = [this.#flag(left), this.#flag(right)];
    return flagTerm(
      operator === "&&"
        ? (c, at, texts) => a(c, at, texts) && b(c, at, texts)
        : (c, at, texts) => a(c, at, texts) || b(c, at, texts),
    );
  }

  #arithmetic(
    operator: "+" | "-" | "*" | "/" | "%",
    [left, right]: Binary,
  ): Term {
    const [one, other] = [this.#number(left), this.#number(right)];
    const [a, b] = [one.read, other.read];
    const nullable = one.nullable || other.nullable;
    switch (operator) {
      case "+":
        return numberTerm(
          (c, at, t) => finite(a(c, at, t) + b(c, at, t)),
          nullable,
        );
      case "-":
        return numberTerm(
          (c, at, t) => finite(a(c, at, t) - b(c, at, t)),
          nullable,
        );
      case "*":
        return numberTerm(
          (c, at, t) => finite(a(c, at, t) * b(c, at, t)),
          nullable,
        );
      case "%": // x % 0 is NaN, no value, already; x / 0 is not.
        return numberTerm((c, at, t) => a(c, at, t) % b(c, at, t), true);
    }
    const quotient: Read<number> = (c, at, t) => {
      const divisor = b(c, at, t);
      return divisor === 0 ? NaN : finite(a(c, at, t) / divisor);
    };
    return numberTerm(quotient, nullable || !other.constant);
  }

  #equality(isEqual: boolean, [left, right]: Binary): Term {
    const [a, b] = [this.#operand(left), this.#operand(right)];
    if (a.type === "number" && b.type === "number") {
      return flagTerm(isEqual ? equalNumbers(a, b) : differentNumbers(a, b));
    }
    if (a.type === "flag" && b.type === "flag") {
      return flagTerm(equalFlags(a, b, isEqual));
    }
    if (a.type === "text" && b.type === "text") {
      return flagTerm(equalTexts(a, b, isEqual));
    }
    throw this.#mixed(left, a, right, b);
  }

  #order(compare: Comparison, [left, right]: Binary): Term {
    const [one, other] = [this.#operand(left), this.#operand(right)];
    if (one.type !== "number" || other.type !== "number") {
      if (one.type !== other.type) throw this.#mixed(left, one, right, other);
      throw this.#error(
        left,
        `only numbers have an order; ${this.#isA(left, one)}; compare with ` +
          "== or !=",
      );
    }
    const [a, b] = [one.read, other.read];
    return flagTerm((c, at, t) => compare(a(c, at, t), b(c, at, t)));
  }

  #membership([value, list]: Binary): Term {
    if (list.op !== "list" || list.args.length === 0) {
      throw this.#error(list, "write a list after in, such as ['a', 'b']");
    }
    const of = this.term(value);
    const items = list.args.map((node) => {
      const term = this.#operand(node);
      if (term.type !== of.type) throw this.#mixed(value, of, node, term);
      return term;
    });
    const [first, ...others] = items.map((item) => isEqual(of, item));
    return flagTerm(
      others.reduce<Read<boolean>>(
        (a, b) => (c, at, t) => a(c, at, t) || b(c, at, t),
        first,
      ),
    );
  }

  #call(name: string, args: readonly ASTNode[], node: ASTNode): Term {
    if (name === "list" && this.#lists) {
      return this.#list(this.#lists, args, node);
    }
    if (name !== "has") {
      const known = this.#lists ? "are has() and list()" : "is has()";
      throw this.#error(node, `there is no function ${name}(); there ${known}`);
    }
    const [of] = args;
    if (args.length !== 1 || of.op !== "id") {
      throw this.#error(node, "has() takes one name: has(category)");
    }
    this.term(of);
    const { cell, type } = this.#names.get(of.args) as NamedValue;
    return flagTerm(
      type === "text"
        ? (cells, at) => cells[at + cell] !== NO_TEXT
        : (cells, at) => !Number.isNaN(cells[at + cell]),
    );
  }

  /** list("name", value): whether the value is on a list at the time of the payment. */
  #list(
    lists: ExpressionLists,
    args: readonly ASTNode[],
    node: ASTNode,
  ): Term {
    const [first, second] = args;
    const isCall = args.length === 2 && first.op === "value" &&
      typeof first.args === "string";
    if (!isCall) {
      throw this.#error(
        node,
        "list() takes the name of a list and a value: " +
          'list("blocked_cards", CUSTOMER_ID)',
      );
    }
    const term = this.#operand(second);
    if (term.type === "flag") {
      throw this.#error(
        second,
        `a number or a text must stand here; ${this.#isA(second, term)}`,
      );
    }
    const name = String(first.args);
    const test = lists.test(name, term.type);
    if (!test) {
      throw this.#error(
        first,
        `there is no list ${name}; ` +
          (lists.names.length === 0
            ? "declare it under 'lists'"
            : `the lists are ${lists.names.join(", ")}`),
      );
    }
    const { read } = term;
    return flagTerm((cells, at, texts) => {
      const value = read(cells, at, texts);
      return value !== null && test(value, cells[at + CELL.datetime]);
    });
  }

  #method(
    name: string,
    receiver: ASTNode,
    args: readonly ASTNode[],
    node: ASTNode,
  ): Term {
    const test = METHODS[name];
    if (!test) {
      throw this.#error(
        node,
        `there is no method ${name}(); there are ` +
          Object.keys(METHODS).map((one) => `${one}()`).join(", "),
      );
    }
    if (args.length !== 1) {
      throw this.#error(node, `${name}() takes one text, such as 'shop'`);
    }
    const { read: a } = this.#textTerm(receiver);
    const { read: b } = this.#textTerm(args[0]);
    return flagTerm((cells, at, texts) => {
      const [text, part] = [a(cells, at, texts), b(cells, at, texts)];
      return text !== null && part !== null && test(text, part);
    });
  }

  /** A side of a comparison; `null` is no value. */
  #operand(node: ASTNode): Term {
    if (node.op !== "value" || node.args !== null) return this.term(node);
    throw this.#error(
      node,
      "a comparison with null is always false; ask has(name) whether there " +
        "is a value",
    );
  }

  #number(node: ASTNode): NumberTerm {
    const term = this.term(node);
    if (term.type === "number") return term;
    throw this.#error(
      node,
      `a number must stand here; ${this.#isA(node, term)}`,
    );
  }

  #flag(node: ASTNode): FlagTerm {
    const term = this.term(node);
    if (term.type === "flag") return term;
    throw this.#error(
      node,
      `a condition must stand here; ${this.#isA(node, term)}`,
    );
  }

  #textTerm(node: ASTNode): TextTerm {
    const term = this.term(node);
    if (term.type === "text") return term;
    throw this.#error(node, `a text must stand here; ${this.#isA(node, term)}`);
  }

  #mixed(left: ASTNode, a: Term, right: ASTNode, b: Term): ExpressionError {
    return this.#error(
      right,
      `values of different types cannot be compared; ${this.#isA(left, a)}, ${
        this.#isA(right, b)
      }`,
    );
  }

  #isA(node: ASTNode, { type }: Term): string {
    return `${this.#source(node)} is ${TYPE_WORDS[type]}`;
  }

  /** The text of a node, not too long. */
  #source({ range: { start, end } }: { readonly range: SourceRange }): string {
    const text = this.#text.slice(start, end);
    return text.length > 40 ? `${text.slice(0, 39)}…` : text;
  }

  #error(
    { range }: { readonly range: SourceRange },
    message: string,
  ): ExpressionError {
    return new ExpressionError(message, range.start);
  }
}

type TextTest = (text: string, part: string) => boolean;

const METHODS: Readonly<Record<string, TextTest | undefined>> = {
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
  contains: (text, part) => text.includes(part),
};

function numberTerm(read: Read<number>, nullable: boolean): NumberTerm {
  return { type: "number", read, nullable };
}

function flagTerm(read: Read<boolean>): FlagTerm {
  return { type: "flag", read, nullable: false };
}

function choiceOf<T>(test: Read<boolean>, yes: Read<T>, no: Read<T>): Read<T> {
  return (cells, at, texts) =>
    test(cells, at, texts) ? yes(cells, at, texts) : no(cells, at, texts);
}

/** The term of a literal. Whole numbers beyond 2^53 are refused: a double would be another. */
function constantTerm(value: unknown, { range }: ASTNode): Term {
  if (typeof value === "number") return constantNumber(value);
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return constantNumber(number);
    throw new ExpressionError(
      `${value} is beyond the numbers, which are exact to ` +
        `${Number.MAX_SAFE_INTEGER}; compare texts instead`,
      range.start,
    );
  }
  if (typeof value === "string") {
    return {
      type: "text",
      read: () => value,
      nullable: false,
      constant: value,
    };
  }
  if (typeof value === "boolean") return flagTerm(() => value);
  throw new ExpressionError(
    value === null
      ? "null cannot stand here; ask has(name) whether there is a value"
      : "write a number without u, and a text without b",
    range.start,
  );
}

function constantNumber(constant: number): NumberTerm {
  return { type: "number", read: () => constant, nullable: false, constant };
}

/** Whether two terms of one type are equal. */
function isEqual(a: Term, b: Term): Read<boolean> {
  if (a.type === "number" && b.type === "number") return equalNumbers(a, b);
  if (a.type === "text" && b.type === "text") return equalTexts(a, b, true);
  if (a.type === "flag" && b.type === "flag") return equalFlags(a, b, true);
  return () => false;
}

function equalNumbers(a: NumberTerm, b: NumberTerm): Read<boolean> {
  const [left, right] = [a.read, b.read];
  return (c, at, t) => left(c, at, t) === right(c, at, t);
}

function differentNumbers(a: NumberTerm, b: NumberTerm): Read<boolean> {
  const [left, right] = [a.read, b.read];
  return (c, at, t) => {
    const [one, other] = [left(c, at, t), right(c, at, t)];
    return one < other || one > other; // false where one is missing
  };
}

/** Compares flags; where a field has no value the answer is false. */
function equalFlags(a: FlagTerm, b: FlagTerm, isEqual: boolean): Read<boolean> {
  const fields = [a, b].flatMap(({ cell }) => cell === undefined ? [] : cell);
  return (cells, at, texts) =>
    fields.every((cell) => !Number.isNaN(cells[at + cell])) &&
    (a.read(cells, at, texts) === b.read(cells, at, texts)) === isEqual;
}

/** Compares texts; a field with a constant by bytes, without making a string. */
function equalTexts(a: TextTerm, b: TextTerm, isEqual: boolean): Read<boolean> {
  if (a.constant !== undefined && b.cell !== undefined) {
    return equalTexts(b, a, isEqual);
  }
  const { cell } = a;
  if (cell !== undefined && b.constant !== undefined) {
    const bytes = new TextEncoder().encode(b.constant);
    return (cells, at, texts) => {
      const text = cells[at + cell];
      return text !== NO_TEXT && hasBytes(texts, text, bytes) === isEqual;
    };
  }
  return (cells, at, texts) => {
    const left = a.read(cells, at, texts);
    const right = b.read(cells, at, texts);
    return left !== null && right !== null && (left === right) === isEqual;
  };
}

function hasBytes(texts: TextHeap, cell: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  if (textLength(cell) !== length) return false;
  const { bytes } = texts;
  const start = textStart(cell);
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== wanted[i]) return false;
  }
  return true;
}
