/**
 * docs/MESSAGES.md: every message that a person may meet when something is
 * wrong, found in the sources. What is filled in stands in braces.
 */
import { parse } from "@babel/parser";

const ROOT = new URL("../../", import.meta.url);

const INTRODUCTION = `# Messages

\`deno task docs\` writes this page from the sources; a test compares them. It has
the errors, the log messages of the levels warning and error, the reasons of dead
letters and of rows that are left out, and what the page's server answers, by
file and function. Braces hold what is filled in: a value, or texts of which one
is taken. A text after an arrow completes a message of the function that it
names.
`;

/** A node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** A message, or a text that becomes part of one. */
interface Message {
  /** The function that has it. */
  readonly where: string;
  /** Class of the error, level of the log, or what the text goes to. */
  readonly kind: string;
  readonly text: string;
}

/** A source file: its tree, and the texts of its constants. */
interface Source {
  readonly path: string;
  readonly tree: Node;
  readonly constants: ReadonlyMap<string, string>;
}

/** The text of docs/MESSAGES.md. */
export function messagesDocument(): string {
  const sources = [...sourcePaths("src")].sort().map(readSource);
  const makers = messageMakers(sources);
  const sections = sources.flatMap((source) => {
    const messages = messagesOf(source, makers);
    if (messages.length === 0) return [];
    const lines = messages.map(({ where, kind, text }) =>
      `- ${kind} in \`${where}\`: ${code(text)}\n`
    );
    return [`\n## ${source.path}\n\n${[...new Set(lines)].join("")}`];
  });
  return INTRODUCTION + sections.join("");
}

/** The sources of the program; what runs in browsers is text to it. */
function* sourcePaths(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcePaths(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

function readSource(path: string): Source {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  const tree = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const constants = new Map<string, string>();
  const source = { path, tree: nodeOf(tree), constants };
  for (const { node } of nodesOf(source.tree)) {
    if (node.type !== "VariableDeclarator") continue;
    const value = child(node, "init");
    const name = nameOf(child(node, "id"));
    // A constant in capitals is the same everywhere in its file.
    if (!value || !/^[A-Z_]+$/.test(name) || !hasText(value)) continue;
    constants.set(name, textOf(value, constants));
  }
  return source;
}

/** All messages of a file, in the order of their places. */
function messagesOf(
  { tree, constants }: Source,
  makers: ReadonlySet<string>,
): Message[] {
  const found: Message[] = [];
  for (const { node, where } of nodesOf(tree)) {
    const add = (kind: string, ...texts: readonly (Node | undefined)[]) => {
      const text = texts.flatMap((part) =>
        part ? [textOf(part, constants)] : []
      )
        .join(": ");
      // What is only handed on is listed where it is made.
      if (/\p{L}/u.test(text.replaceAll(/\{[^{}]*\}/g, ""))) {
        found.push({ where, kind, text });
      }
    };
    const [first, second, third] = children(node, "arguments");
    const callee = nameOf(child(node, "callee"));
    if (node.type === "NewExpression" && callee.endsWith("Error")) {
      add(callee, first);
    } else if (node.type === "CallExpression") {
      if (isLogCall(node) && first && hasText(first)) {
        add(callee === "warn" ? "warning" : "log error", first, advice(second));
      } else if (first && textOf(first, constants) === "warning") {
        add("warning", second, advice(third));
      } else if (makers.has(callee)) {
        for (const argument of children(node, "arguments")) {
          const text = valueOf(argument);
          if (isSentence(text)) add(`→ \`${callee}\``, text);
        }
      }
    } else if (node.type === "ObjectExpression") {
      const [reason, message] = ["reason", "message"]
        .map((name) => property(node, name));
      if (reason && message && hasText(message)) add("reason", reason, message);
      const answer = property(node, "error");
      if (answer && isSentence(answer)) add("answer", answer);
    }
  }
  return found;
}

/** Whether a call logs a warning or an error. */
function isLogCall(node: Node): boolean {
  const callee = child(node, "callee");
  return callee !== undefined && /^(warn|error)$/.test(nameOf(callee)) &&
    /logger$/.test(nameOf(child(callee, "object")));
}

/** What an argument gives, of one that is asked for it what it answers. */
function valueOf(argument: Node): Node {
  if (argument.type !== "ArrowFunctionExpression") return argument;
  const body = child(argument, "body") ?? argument;
  const [only, ...more] = children(body, "body");
  if (only?.type !== "ReturnStatement" || more.length > 0) return body;
  return child(only, "argument") ?? body;
}

/** What the fields of a log message say to do. */
function advice(fields: Node | undefined): Node | undefined {
  return fields && property(fields, "then");
}

/**
 * Names of the functions that put a text given to them into a message, so that
 * the texts of their calls belong to the list.
 */
function messageMakers(sources: readonly Source[]): Set<string> {
  const makers = new Set<string>();
  for (let before = -1; before < makers.size;) {
    before = makers.size;
    for (const { tree } of sources) {
      for (const { node, where, parameters } of nodesOf(tree)) {
        const callee = nameOf(child(node, "callee"));
        const makes =
          node.type === "NewExpression" && callee.endsWith("Error") ||
          node.type === "CallExpression" && makers.has(callee);
        if (!makes) continue;
        const name = where.split(".").at(-1) ?? "";
        const filled = children(node, "arguments").some((argument) => {
          const text = textOf(valueOf(argument), new Map());
          return [...parameters].some((name) => text.includes(`{${name}}`));
        });
        if (filled) makers.add(name.replace("#", ""));
      }
    }
  }
  return makers;
}

/** A node with the function around it. */
interface Placed {
  readonly node: Node;
  /** Name of the function, with its class. */
  readonly where: string;
  /** Names of the function's parameters. */
  readonly parameters: ReadonlySet<string>;
}

/** A node and all below it. */
function* nodesOf(
  node: Node,
  where = "module",
  className = "",
  parameters: ReadonlySet<string> = new Set(),
): Generator<Placed> {
  const named = functionName(node);
  if (node.type === "ClassDeclaration") className = nameOf(child(node, "id"));
  if (named !== undefined) {
    const isMethod = node.type.startsWith("Class");
    where = isMethod && className ? `${className}.${named}` : named;
    const body = node.type === "VariableDeclarator"
      ? child(node, "init") ?? node
      : node;
    parameters = new Set(
      children(body, "params").flatMap((parameter) =>
        [...nodesOf(parameter)].map(({ node }) => nameOf(node))
      ),
    );
  }
  yield { node, where, parameters };
  for (const value of Object.values(node)) {
    for (const part of Array.isArray(value) ? value : [value]) {
      if (isNode(part)) yield* nodesOf(part, where, className, parameters);
    }
  }
}

/** The name of the function that a node declares. */
function functionName(node: Node): string | undefined {
  switch (node.type) {
    case "FunctionDeclaration":
      return nameOf(child(node, "id"));
    case "ClassMethod":
    case "ClassPrivateMethod":
    case "ObjectMethod":
      return nameOf(child(node, "key"));
    case "VariableDeclarator": {
      const type = child(node, "init")?.type ?? "";
      const isFunction = /^(Arrow)?Function/.test(type);
      return isFunction ? nameOf(child(node, "id")) : undefined;
    }
  }
  return undefined;
}

/** An expression as text; what is filled in stands in braces. */
function textOf(node: Node, constants: ReadonlyMap<string, string>): string {
  const part = (key: string) => {
    const below = child(node, key);
    return below ? textOf(below, constants) : "";
  };
  switch (node.type) {
    case "StringLiteral":
      return String(node.value);
    case "TemplateLiteral": {
      const filled = children(node, "expressions");
      return children(node, "quasis").map((quasi, at) => {
        const { cooked = "" } = quasi.value as { cooked?: string };
        return cooked + (filled[at] ? textOf(filled[at], constants) : "");
      }).join("");
    }
    case "BinaryExpression":
      return node.operator === "+" ? part("left") + part("right") : "{…}";
    case "ConditionalExpression":
      return `{${part("consequent")} | ${part("alternate")}}`;
    case "LogicalExpression":
      return `{${part("left")} | ${part("right")}}`.replaceAll(
        /[{}]{2}/g,
        "$&",
      );
    case "Identifier":
      return constants.get(nameOf(node)) ?? `{${nameOf(node)}}`;
    case "MemberExpression":
    case "CallExpression":
      return `{${shownName(node) || "…"}}`;
  }
  return "{…}";
}

/** Whether some part of an expression's value is a text of the source. */
function hasText(node: Node): boolean {
  return /^(String|Template)Literal$/.test(node.type) ||
    ["left", "right", "consequent", "alternate"].some((key) => {
      const below = child(node, key);
      return below !== undefined && hasText(below);
    });
}

/** Whether an expression is words of a message, not a name or a flag. */
function isSentence(node: Node): boolean {
  return hasText(node) && /\p{L} +\p{L}/u.test(textOf(node, new Map()));
}

/** The name at the end of an expression: `warn` of this.#logger.warn. */
function nameOf(node: Node | undefined): string {
  switch (node?.type) {
    case "Identifier":
      return String(node.name);
    case "ThisExpression":
      return "this";
    case "PrivateName":
      return `#${nameOf(child(node, "id"))}`;
    case "MemberExpression":
    case "OptionalMemberExpression":
      return nameOf(child(node, "property")).replace("#", "");
    case "CallExpression":
      return nameOf(child(node, "callee"));
  }
  return "";
}

/** Methods that change how a value looks, not what it is. */
const LOOKS =
  /^(slice|join|map|trim|trimEnd|toString|toFixed|replaceAll|padStart)$/;

/** The name of what is filled in. */
function shownName(node: Node): string {
  const name = nameOf(node);
  if (node.type === "CallExpression") {
    const callee = child(node, "callee");
    const object = callee && child(callee, "object");
    return object && LOOKS.test(name) ? shownName(object) : name;
  }
  if (!/^(length|size)$/.test(name)) return name;
  return `${nameOf(child(node, "object"))}.${name}`;
}

/** The value of a property of an object that is written out. */
function property(node: Node, name: string): Node | undefined {
  const found = children(node, "properties")
    .find((entry) => nameOf(child(entry, "key")) === name);
  return found && child(found, "value");
}

function child(node: Node, key: string): Node | undefined {
  const value = node[key];
  return isNode(value) ? value : undefined;
}

function children(node: Node, key: string): Node[] {
  const value = node[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function nodeOf(value: unknown): Node {
  if (isNode(value)) return value;
  throw new Error("the parser gave no tree");
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string";
}

/** Text as code of Markdown, whatever stands in it. */
function code(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, " ").trim();
  return line.includes("`") ? `\`\` ${line} \`\`` : `\`${line}\``;
}
