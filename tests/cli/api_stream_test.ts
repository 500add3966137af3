/**
 * Payments that come by the API are those of files and of other streams:
 * features, scores and decisions are equal bit for bit. And how a program with
 * an API starts and ends.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { formatDate, formatDatetime } from "../../src/payment/calendar.ts";
import type { StreamStatus } from "../../src/stream/status.ts";
import { freePort } from "../services/free_port.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { API_PERMISSIONS, startApi } from "./api_program.ts";
import { runMain, testRunning } from "./program_runner.ts";

type Row = Readonly<Record<string, unknown>>;

const CORE = [
  "TRANSACTION_ID",
  "TX_DATETIME",
  "CUSTOMER_ID",
  "TERMINAL_ID",
  "TX_AMOUNT",
];
const NUMBERS = ["TRANSACTION_ID", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"];
const AHEAD = "--ahead=400d";

/** Runs a command that succeeds. */
async function run(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runMain(args, {
    permissions: API_PERMISSIONS,
  });
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Whether all stages have taken all that they get. */
function isStored({ stages }: StreamStatus): boolean {
  return stages.every(({ lag }) => lag === 0);
}

function rowsOf(jsonl: string): Row[] {
  return jsonl.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** Simulated payments from tomorrow on, by time. */
async function simulated(folder: string): Promise<readonly Row[]> {
  const tomorrow = formatDate(Date.now() / 1000 + DAY_SECONDS);
  await run(
    ...["generate", `--out=${folder}`, `--start=${tomorrow}`, "--days=12"],
    ...["--customers=20", "--terminals=20", "--radius=30", "--format=csv"],
  );
  const days = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => /^\d{4}-\d\d-\d\d\.csv$/.test(name)).sort();
  return days.flatMap((name) => {
    const text = Deno.readTextFileSync(join(folder, name));
    const [header, ...lines] = text.trimEnd().split("\n");
    assert.deepEqual(header.split(",").slice(0, CORE.length), CORE);
    return lines.map((line) => {
      const cells = line.split(",");
      return Object.fromEntries(
        CORE.map((name, i) =>
          [name, NUMBERS.includes(name) ? Number(cells[i]) : cells[i]] as const
        ),
      );
    });
  });
}

function writeCsv(path: string, rows: readonly Row[]): void {
  const names = Object.keys(rows[0]);
  const lines = rows.map((row) => names.map((name) => row[name]).join(","));
  Deno.writeTextFileSync(path, [names.join(","), ...lines, ""].join("\n"));
}

/** Some members of rows, by TRANSACTION_ID. */
function byId(
  rows: readonly Row[],
  names: readonly string[],
): ReadonlyMap<unknown, Row> {
  return new Map(rows.map((row) => [
    row.TRANSACTION_ID,
    Object.fromEntries(names.map((name) => {
      assert.ok(row[name] !== undefined, name);
      return [name, row[name]] as const;
    })),
  ]));
}

testRunning(
  "features and scores of the API are those of its export, of files and of a run over a file",
  async () => {
    await using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    const model = ["--definition=live", "--model=built-in"];
    const payments = await simulated(at("days"));
    assert.ok(payments.length > 200, `${payments.length}`);
    await using program = await startApi([
      ...model,
      AHEAD,
      `--data=${at("api")}`,
    ]);
    const answers: Row[] = [];
    for (const payment of payments) {
      const { status, body } = await program.score(payment, true);
      assert.equal(status, 200, JSON.stringify(body));
      const { FEATURES, ...answer } = body;
      answers.push({ ...answer, ...FEATURES });
    }
    const { FEATURES } = (await program.score(payments[0], true)).body;
    await program.untilStored(payments.at(-1)?.TRANSACTION_ID);
    const { code, stdout, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^stored {5}[1-9]/m);
    assert.doesNotMatch(stdout, /published/);
    const names = [...Object.keys(FEATURES), "SCORE", "ALERT", "MODEL_VERSION"];
    assert.ok(names.length > 14);
    const answered = byId(answers, names);
    assert.equal(answered.size, payments.length);
    const csv = at("payments.csv");
    writeCsv(csv, payments);
    const table = ["--out=-", "--format=jsonl"];
    const exported = (data: string) =>
      run("export", ...table, "--with=prediction", `--data=${at(data)}`);
    assert.deepEqual(byId(rowsOf(await exported("api")), names), answered);
    const scored = await run(
      ...["score", `--in=${csv}`, ...model, ...table, "--with=features"],
    );
    assert.deepEqual(byId(rowsOf(scored), names), answered);
    await run(
      ...["run", `--in=${csv}`, ...model, "--rate=max"],
      ...[`--data=${at("file")}`, "--port=0"],
    );
    assert.deepEqual(byId(rowsOf(await exported("file")), names), answered);
  },
);

const OWN_DEFINITION = [
  "version: 1",
  "payment:",
  "  TRANSACTION_ID: id",
  '  TX_DATETIME: { from: at, format: "yyyy-MM-dd HH:mm:ss", zone: UTC }',
  "  CUSTOMER_ID: card",
  "  TERMINAL_ID: shop",
  "  TX_AMOUNT: { from: amount, decimals: 2, currency: EUR }",
  "  keep: { country: text }",
  "labels: { from: stream, delay: 7d, grace: 1d }",
  "features:",
  "  include: none",
  "  CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }",
  "  CARD_SUM_1D: { sum: TX_AMOUNT, by: CUSTOMER_ID, over: 1d }",
  "",
].join("\n");
const OWN_RULES = [
  "version: 1",
  "rules:",
  "  - id: many",
  "    priority: 2",
  "    when: CARD_TX_1H > 2",
  "    then: decline",
  "    reason: Many payments in an hour.",
  "  - id: abroad",
  '    when: country == "XX"',
  "    then: review",
  "    reason: The country is unusual.",
  "",
].join("\n");

testRunning(
  "payments of an own definition are decided about by rules of its fields and features",
  async () => {
    await using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(at("own.yaml"), OWN_DEFINITION);
    Deno.writeTextFileSync(at("rules.yaml"), OWN_RULES);
    const data = `--data=${at("data")}`;
    await using program = await startApi([
      ...[
        `--definition=${at("own.yaml")}`,
        `--rules=${at("rules.yaml")}`,
        data,
      ],
    ]);
    const second = Math.floor(Date.now() / 1000);
    const own = (n: number, country = "NL") => ({
      id: `p-${n}`,
      at: formatDatetime(second + n),
      card: "card é",
      shop: "shop 1",
      amount: "10.50",
      country,
      unknown: { kept: ["as", "it", "is"] },
    });
    const expected = [
      ["approve", [], []],
      ["review", ["abroad"], ["The country is unusual."]],
      [
        "decline",
        ["many", "abroad"],
        ["Many payments in an hour.", "The country is unusual."],
      ],
      ["decline", ["many"], ["Many payments in an hour."]],
    ] as const;
    for (const [i, [decision, rules, reasons]] of expected.entries()) {
      const payment = own(i, rules.some((id) => id === "abroad") ? "XX" : "NL");
      const { status, body } = await program.score(payment, true);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.TRANSACTION_ID, `p-${i}`);
      assert.equal(body.DECISION, decision);
      assert.deepEqual(body.RULES, rules);
      assert.deepEqual(body.REASONS, reasons);
      assert.equal(body.SCORE, null);
      assert.deepEqual(body.FEATURES, {
        CARD_TX_1H: i + 1,
        CARD_SUM_1D: 10.5 * (i + 1),
      });
      assert.deepEqual(await program.score(payment, true), { status, body });
    }
    const other = await program.score({ ...own(0), amount: "10.51" });
    assert.equal(other.status, 409);
    const wrong = await program.score({ ...own(9), amount: "10.515" });
    assert.equal(wrong.status, 422);
    assert.equal(typeof wrong.body.REASON, "string");
    const { code, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
    const rows = rowsOf(
      await run(
        ...["export", data, "--out=-", "--format=jsonl"],
        "--with=payment,prediction",
      ),
    );
    assert.deepEqual(
      rows.map((
        { TRANSACTION_ID, DECISION, CARD_TX_1H },
      ) => [TRANSACTION_ID, DECISION, CARD_TX_1H]).sort(),
      expected.map(([decision], i) => [`p-${i}`, decision, i + 1]),
    );
  },
);

testRunning(
  "at SIGTERM every request that is under way is answered, and what was decided stays",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const model = ["--definition=live", "--model=built-in", data];
    const decided = new Map<number, unknown>();
    const paid = (id: number) => ({
      TRANSACTION_ID: id,
      TX_DATETIME: formatDatetime(second),
      CUSTOMER_ID: id % 50,
      TERMINAL_ID: id % 20,
      TX_AMOUNT: 1 + id % 100,
    });
    const second = Math.floor(Date.now() / 1000);
    {
      await using program = await startApi(model);
      let [next, refusals] = [0, 0];
      let isStopping = false;
      const failures: unknown[] = [];
      const lane = async () => {
        for (;;) {
          const id = next++;
          const sentBefore = !isStopping;
          try {
            const { status, body } = await program.score(paid(id));
            if (status === 200) decided.set(id, body);
            else {
              assert.equal(status, 503, JSON.stringify(body));
              refusals++;
            }
            if (status !== 200) return;
          } catch (error) {
            // Only a request that was sent later may find nobody; one that was
            // not let in has not been sent.
            const isRefused = /Connection refused/.test(Deno.inspect(error));
            if (sentBefore && !isRefused) failures.push(error);
            return;
          }
        }
      };
      const lanes = Array.from({ length: 32 }, lane);
      while (decided.size < 300) await new Promise((go) => setTimeout(go, 5));
      isStopping = true;
      const { code, stderr } = await program.stop();
      await Promise.all(lanes);
      assert.equal(code, 0, stderr);
      assert.deepEqual(failures, []);
      assert.ok(refusals <= lanes.length);
    }
    const { stream, predictions } = JSON.parse(
      await run("status", "--json", data),
    );
    assert.ok(isStored(stream), JSON.stringify(stream.stages));
    assert.equal(predictions.rows, decided.size);
    await using program = await startApi(model);
    for (const [id, body] of [...decided].slice(-50)) {
      assert.deepEqual(await program.score(paid(id)), { status: 200, body });
    }
    const { code, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
  },
);

testRunning(
  "flags that an API cannot have end the program with one line",
  async () => {
    await using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    const own = at("own.yaml");
    Deno.writeTextFileSync(own, OWN_DEFINITION);
    writeCsv(at("p.csv"), [{ TRANSACTION_ID: 1 }]);
    const busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const free = freePort();
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--api-port=0", `--in=${at("p.csv")}`], /^fraudstream: --in brings /],
      [["--api-port=0", "--rate=5"], /^fraudstream: --rate brings /],
      [["--api-port=0", "--definition=handbook"], /reads TX_FRAUD/],
      [["--api-port=0", `--definition=${own}`], /--model/],
      [[`--api-port=${busy.addr.port}`], /port \d+ is taken/],
      [
        [`--api-port=${free}`, `--port=${free}`],
        /port \d+ is taken; give another --api-port/,
      ],
      [
        ["--api-port=0", "--api-tls-cert=none", "--api-tls-key=none"],
        /--api-tls-cert: cannot read none/,
      ],
      [
        ["--api-port=0", `--api-tokens=${at("p.csv")}`],
        /p\.csv:1: a line must be a name, its scopes/,
      ],
    ];
    try {
      for (const [i, [args, message]] of cases.entries()) {
        const { code, stderr } = await runMain(
          ["run", ...args, `--data=${at(`data-${i}`)}`],
          { permissions: API_PERMISSIONS },
        );
        assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, message);
        // Logs may come before; the reason is one line.
        assert.match(stderr, /^(?:\{.*\}\n)*fraudstream: [^\n]+\n$/);
        const gone = () => Deno.statSync(at(`data-${i}`));
        assert.throws(gone, Deno.errors.NotFound, args.join(" "));
      }
    } finally {
      busy.close();
    }
  },
);
