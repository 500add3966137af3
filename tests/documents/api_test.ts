/** docs/API.md: its requests, sent to the program, get the answers that stand behind them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PROBLEM_STATUS } from "../../src/api/problem.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { startApi } from "../cli/api_program.ts";
import { testRunning } from "../cli/program_runner.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const ADDRESS = "http://127.0.0.1:8090";
/** What a reading waits for the writer. */
const STORED_MS = 10_000;
const LOOK_MS = 50;
/** Members whose values are the run's. */
/** Members that follow from what the stages and the writer have done by then. */
const OF_THE_MOMENT = ["TX_FRAUD", "LABEL", "LABELS", "PREDICTION"];
const OF_THE_RUN = [
  "TX_DATETIME",
  "TX_TIME_SECONDS",
  "FEATURES",
  "PAYMENTS",
  "LISTS",
  ...["SCORE", "MODEL_VERSION", "CONTRIBUTIONS", "RECORD", "VERSION"],
  ...["RULES_VERSION", "LISTS_VERSION", "detail"],
];

/** A request of the page. */
interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | undefined;
}

/** An answer of the page. */
interface Documented {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Record<string, unknown>;
}

/** A request, and the answer behind it if one stands there. */
interface Example {
  readonly request: Request | undefined;
  answer: Documented | undefined;
}

/** The words of a shell command of plain words, single quotes and lines that go on. */
function wordsOf(command: string): string[] {
  const words = command.replaceAll("\\\n", " ")
    .matchAll(/(?:'([^']*)'|"([^"]*)"|([^\s'"]+))/g);
  return [...words].map(([, single, double, plain]) =>
    single ?? double ?? plain
  );
}

function requestOf(command: string): Request {
  const [curl, ...words] = wordsOf(command);
  assert.equal(curl, "curl", command);
  const headers: [string, string][] = [];
  let [method, url, body]: (string | undefined)[] = [];
  while (words.length > 0) {
    const word = words.shift() ?? "";
    if (word === "-X") method = words.shift();
    else if (word === "-d" || word === "--data-binary") body = words.shift();
    else if (word === "-H") {
      const header = words.shift() ?? "";
      const colon = header.indexOf(":");
      headers.push([header.slice(0, colon), header.slice(colon + 1).trim()]);
    } else if (["-i", "-s", "-sS"].includes(word)) continue;
    else url = word;
  }
  assert.ok(url?.startsWith(`${ADDRESS}/`), command);
  return {
    method: method ?? (body === undefined ? "GET" : "POST"),
    path: url.slice(ADDRESS.length),
    headers,
    body,
  };
}

function documentedOf(block: string, isHttp: boolean): Documented {
  if (!isHttp) {
    return { status: 200, headers: new Map(), body: JSON.parse(block) };
  }
  const [head, body = ""] = block.split("\n\n", 2);
  const [first, ...lines] = head.split("\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  assert.ok(status >= 200, first);
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  }));
  return { status, headers, body: JSON.parse(body) };
}

/** The examples of the page, in its order. */
function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  for (const [, kind, text] of page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const last = examples.at(-1);
    if (kind === "sh" && text.startsWith("curl ")) {
      examples.push({ request: requestOf(text.trim()), answer: undefined });
    } else if (kind === "http" || kind === "json") {
      const answer = documentedOf(text, kind === "http");
      if (last?.request && !last.answer) last.answer = answer;
      else examples.push({ request: undefined, answer });
    }
  }
  // A problem stands alone: no request before it leads to it.
  return examples.flatMap((example) => {
    const { request, answer } = example;
    if (!request || !answer || answer.status < 400) return [example];
    return [
      { request, answer: undefined },
      { request: undefined, answer },
    ];
  });
}

async function send(
  url: string,
  { method, path, headers, body }: Request,
): Promise<Response> {
  return await fetch(url + path, {
    method,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    ...body !== undefined && { body },
  });
}

/** Asserts that an answer is as documented, up to what differs from run to run. */
async function assertAnswer(
  response: Response,
  { status, headers, body: expected }: Documented,
  what: string,
): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, status, `${what}: ${text}`);
  for (const [name, value] of headers) {
    const found = response.headers.get(name);
    assert.ok(found !== null, `${what} has no ${name}`);
    if (name === "Content-Type") assert.equal(found.split(";")[0], value);
    if (name === "Server-Timing") {
      const numbers = /\d+(\.\d+)?/g;
      assert.equal(found.replace(numbers, "n"), value.replace(numbers, "n"));
    }
  }
  const body = JSON.parse(text);
  assert.deepEqual(Object.keys(body), Object.keys(expected), what);
  for (const [name, value] of Object.entries(expected)) {
    const found = body[name];
    if (OF_THE_MOMENT.includes(name)) continue;
    if (OF_THE_RUN.includes(name)) {
      const [a, b] = [found, value].map((one) =>
        one === null ? "null" : typeof one
      );
      assert.equal(a, b, `${what}: ${name}`);
    } else assert.deepEqual(found, value, `${what}: ${name}`);
  }
  const tag = headers.get("ETag");
  if (tag === undefined) return;
  assert.equal(tag, `"${expected.VERSION}"`, `${what}: the page's ETag`);
  assert.equal(response.headers.get("ETag"), `"${body.VERSION}"`);
}

/** Sends a reading until the writer has stored what it is about. */
async function sendUntilFound(
  url: string,
  request: Request,
): Promise<Response> {
  const deadline = performance.now() + STORED_MS;
  for (;;) {
    const response = await send(url, request);
    const isOver = performance.now() > deadline;
    if (request.method !== "GET" || response.status !== 404 || isOver) {
      return response;
    }
    await response.body?.cancel();
    await delay(LOOK_MS);
  }
}

/** The page, with payments of now. */
function page(): string {
  const text = Deno.readTextFileSync(
    new URL("../../docs/API.md", import.meta.url),
  );
  const now = formatDatetime(Math.floor(Date.now() / 1000));
  return text.replaceAll(
    /"TX_DATETIME":"[^"]*Z"/g,
    `"TX_DATETIME":"${now.replace(" ", "T")}Z"`,
  );
}

testRunning(
  "the requests of docs/API.md get the documented answers",
  async () => {
    await using folder = temporaryFolder();
    await using program = await startApi([
      ...["--definition=live", "--model=built-in"],
      `--data=${join(folder.path, "data")}`,
    ]);
    const examples = examplesOf(page());
    const requests = examples.filter(({ request }) => request);
    assert.ok(requests.length >= 12, `${requests.length} requests`);
    const compared = examples.filter(({ answer }) => answer).length;
    assert.ok(compared >= 6, `${compared} answers`);
    const paid = requests.find(({ request }) =>
      request?.path.startsWith("/v1/score")
    )?.request;
    assert.ok(paid?.body);
    for (const { request, answer } of examples) {
      if (!request) {
        assert.equal(answer?.status, PROBLEM_STATUS["conflicting-id"]);
        const body = JSON.stringify({ ...JSON.parse(paid.body), TX_AMOUNT: 1 });
        const response = await send(program.url, { ...paid, body });
        await assertAnswer(response, answer, "the problem");
        continue;
      }
      const what = `${request.method} ${request.path}`;
      const response = await sendUntilFound(program.url, request);
      if (answer) await assertAnswer(response, answer, what);
      else {
        const text = await response.text();
        assert.ok(response.ok, `${what}: ${response.status} ${text}`);
      }
    }
    const { code, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
  },
);

Deno.test("docs/API.md lists every problem with its status", () => {
  const rows = [...page().matchAll(/^\| `\/problems\/([a-z-]+)` +\| (\d+)/gm)]
    .map(([, kind, status]) => [kind, Number(status)] as const);
  assert.deepEqual(Object.fromEntries(rows), PROBLEM_STATUS);
});
