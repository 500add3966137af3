/**
 * The OpenAPI document as a page to read: made on the server, without scripts
 * and without anything from another host.
 */
import { createHash } from "node:crypto";

/** The parts of an OpenAPI document that the page shows. */
interface Document {
  readonly info: { readonly title: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Reply>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly example?: unknown;
  readonly schema?: { readonly example?: unknown };
}

interface Reply {
  readonly description: string;
  readonly content?: Content;
}

type Content = Readonly<
  Record<string, { readonly schema?: unknown; readonly example?: unknown }>
>;

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d9dee5, #343b45);
  --soft: light-dark(#f5f7f9, #1b2027); --dim: light-dark(#5a6573, #9aa5b1);
  --accent: light-dark(#0b62b8, #6cb2f5); }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif;
  background: light-dark(#fff, #13171c); color: light-dark(#1d242c, #e3e8ed) }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 5rem }
a { color: var(--accent); text-decoration: none }
a:hover { text-decoration: underline }
h1 { margin: 0 0 .5rem } h2 { margin: 3rem 0 0 } p { margin: .5rem 0 }
nav ul { list-style: none; margin: 0; padding: 0; columns: 20rem }
nav li { padding: .1rem 0; break-inside: avoid }
section { border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem 1.25rem 1.25rem; margin-top: 1.25rem }
h3 { margin: 0; font: 600 1.05rem/1.4 ui-monospace, monospace;
  overflow-wrap: anywhere }
h4 { margin: 1rem 0 .25rem; font-size: .8rem; color: var(--dim) }
.method { color: var(--accent); margin-right: .5rem }
.dim { color: var(--dim) }
pre { margin: 0; padding: .75rem .9rem; overflow-x: auto; border-radius: .4rem;
  background: var(--soft); font: .82rem/1.5 ui-monospace, monospace }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem;
  margin: 0; font-size: .92rem }
dt { font: .85rem/1.7 ui-monospace, monospace } dd { margin: 0 }
details { margin-top: .6rem } summary { cursor: pointer; color: var(--dim) }
`;

/** The policy under which the page is shown: its own style and nothing else. */
export const REFERENCE_POLICY: string =
  `default-src 'none'; style-src 'sha256-${
    createHash("sha256").update(STYLE).digest("base64")
  }'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The page about a document; `origin` is where the API is, for the examples. */
export function referencePage(document: object, origin: string): string {
  const { info, tags, paths, components } = document as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    }))
  );
  const groups = tags.map(({ name }) => ({
    name,
    members: operations.filter(({ operation }) =>
      operation.tags.includes(name)
    ),
  }));
  const list = operations.map(({ path, method, operation }) =>
    `<li><a href="#${operation.operationId}">${
      escaped(`${method} ${path}`)
    }</a></li>`
  );
  const sections = groups.map(({ name, members }) =>
    `<h2>${escaped(name)}</h2>` +
    members.map((member) => section(member, origin)).join("")
  );
  const schemas = Object.entries(components.schemas).map(([name, schema]) =>
    `<details id="schema-${name}"><summary>${name}</summary>${
      code(schema)
    }</details>`
  );
  return '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width">' +
    `<title>${escaped(info.title)} API</title><style>${STYLE}</style></head>` +
    `<body><main><h1>${escaped(info.title)} API</h1>` +
    `<p>${
      escaped(info.description)
    } <a href="/openapi.json">OpenAPI 3.1</a></p>` +
    `<nav><ul>${list.join("")}</ul></nav>${sections.join("")}` +
    `<h2>Schemas</h2>${schemas.join("")}</main></body></html>\n`;
}

/** An operation with its path and method. */
interface Placed {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function section(placed: Placed, origin: string): string {
  const { path, method, operation } = placed;
  const { operationId, summary, description, parameters = [] } = operation;
  const scopes = (operation.security ?? []).flatMap((needs) =>
    Object.values(needs).flat()
  );
  const replies = Object.entries(operation.responses);
  const [[status, reply]] = replies;
  const rows = parameters.map((parameter) =>
    `<dt>${escaped(parameter.name)}</dt><dd>${escaped(parameter.in)}` +
    `${parameter.required ? ", required" : ""}. ` +
    `${escaped(parameter.description ?? "")}</dd>`
  );
  return `<section id="${operationId}"><h3><span class="method">${method}` +
    `</span>${escaped(path)}</h3><p><strong>${escaped(summary)}.</strong> ` +
    `${escaped(description ?? "")}</p>` +
    (scopes.length === 0
      ? ""
      : `<p class="dim">Needs a token with the scope <code>${scopes}</code>.</p>`) +
    (rows.length === 0 ? "" : `<h4>Parameters</h4><dl>${rows.join("")}</dl>`) +
    `<h4>Request</h4>${code(curlOf(placed, origin))}` +
    `<h4>Answer ${status}</h4>${contents(reply.content)}` +
    `<details><summary>All answers</summary><dl>${
      replies.map(([status, { description }]) =>
        `<dt>${status}</dt><dd>${escaped(description)}</dd>`
      ).join("")
    }</dl></details></section>`;
}

function contents(content: Content = {}): string {
  return Object.entries(content).map(([, { schema, example }]) =>
    `${code(example)}${schemaLink(schema)}`
  ).join("");
}

function schemaLink(schema: unknown): string {
  const name = String(Object(schema).$ref ?? "").split("/").at(-1);
  return name
    ? `<p class="dim">Schema: <a href="#schema-${name}">${name}</a></p>`
    : "";
}

/** The command that makes a request. */
function curlOf({ path, method, operation }: Placed, origin: string): string {
  const { parameters = [], requestBody, security = [] } = operation;
  let url = path;
  const lines: string[] = [];
  for (const { name, in: place, example, schema } of parameters) {
    const value = String(example ?? schema?.example ?? "");
    if (place === "path") url = url.replace(`{${name}}`, value);
    else if (value === "") continue;
    else if (place === "query") url += `?${name}=${value}`;
    else lines.push(`-H '${name}: ${value}'`);
  }
  if (security.length > 0) lines.unshift('-H "Authorization: Bearer $TOKEN"');
  const [[type, body] = ["", undefined]] = Object.entries(
    requestBody?.content ?? {},
  );
  if (body !== undefined) {
    lines.push(`-H 'Content-Type: ${type}'`);
    lines.push(`-d ${quoted(shown(body.example, 0))}`);
  }
  const verb = method === "GET" || method === "POST" ? "" : ` -X ${method}`;
  return [`curl${verb} '${origin}${url}'`, ...lines].join(" \\\n  ");
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function shown(value: unknown, indent: number): string {
  return typeof value === "string"
    ? value
    : JSON.stringify(value, null, indent);
}

function code(value: unknown): string {
  return `<pre>${escaped(shown(value, 2))}</pre>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
