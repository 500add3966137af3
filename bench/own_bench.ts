/**
 * Payments with text ids, from a raw CSV file to the store, beside the same
 * payments with whole numbers as ids: `run --in` with its mapping, log, stages,
 * windows and store. Both read the same rows; a bijection has replaced the ids,
 * and every other field is the same. They run in turn, so that both meet the
 * same minutes of the machine; compare their processor time.
 *
 *     deno run --allow-read --allow-write --allow-run=sh bench/own_bench.ts [--rows=N] [--runs=N] [--set=NAME]
 *
 * The sets, which are made in a temporary folder (a raw file has some 270 bytes
 * per row of sparkov, 100 of tabformer, 60 of handbook):
 *
 * - sparkov: three text ids, six kept fields, and nine fields that travel along;
 * - tabformer: composed cards, terminals of 20 characters, numbered rows,
 *   refunds, in order of time;
 * - handbook: the simulator's payments, all three ids as text.
 */
import { join } from "node:path";
import { BUILT_IN_DEFINITIONS } from "../src/definition/built_in.ts";
import { splitRecord } from "../src/files/csv_records.ts";
import { rawSet } from "../tests/definition/raw_sets.ts";
import { readFlags } from "./bench_flags.ts";
import {
  figure,
  markdownTable,
  median,
  print,
  range,
  tell,
} from "./figures.ts";
import { measureCommand, type MeasuredRun, runCommand } from "./program.ts";

/** What a set's columns hold that are ids. */
interface IdColumn {
  readonly column: string;
  /** The text id of a value, where the raw file has another. */
  readonly text?: (value: string) => string;
}

/** A set in both forms. */
interface Set {
  readonly name: string;
  readonly ids: readonly IdColumn[];
  /** The definition for text ids, and for whole numbers. */
  readonly definitions: Readonly<Record<Form, string>>;
  /** Parts of the raw file. */
  parts(rows: number, folder: string): Iterable<string> | AsyncIterable<string>;
}

type Form = "text" | "number";

const FORMS: readonly Form[] = ["text", "number"];

const HANDBOOK = `version: 1
payment:
  TRANSACTION_ID: TRANSACTION_ID
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: CUSTOMER_ID
  TERMINAL_ID: TERMINAL_ID
  TX_AMOUNT: TX_AMOUNT
  TX_FRAUD: TX_FRAUD
  TX_FRAUD_SCENARIO: TX_FRAUD_SCENARIO
  drop: all
labels: { from: payment, delay: 7d }
`;

const { sparkov: SPARKOV, tabformer: TABFORMER } = BUILT_IN_DEFINITIONS;

/** A definition whose ids are whole numbers. */
function withNumbers(definition: string): string {
  return definition.replace(
    /(TRANSACTION_ID|CUSTOMER_ID|TERMINAL_ID): (\w[\w ]*)$/gm,
    "$1: { from: $2, type: number }",
  );
}

const SETS: readonly Set[] = [
  {
    name: "sparkov",
    ids: ["cc_num", "merchant", "trans_num"].map((column) => ({ column })),
    definitions: { text: SPARKOV, number: withNumbers(SPARKOV) },
    parts: (rows) => rawSet("sparkov", { rows }),
  },
  {
    name: "tabformer",
    // The card's number stands in the place of its user.
    ids: [{ column: "User" }, { column: "Merchant Name" }],
    definitions: {
      text: TABFORMER,
      number: withNumbers(
        TABFORMER.replace(/CUSTOMER_ID: .*/, "CUSTOMER_ID: User")
          .replace("  TX_FRAUD:", "  drop: [Card]\n  TX_FRAUD:"),
      ),
    },
    parts: (rows) => rawSet("tabformer", { rows, byTime: true }),
  },
  {
    name: "handbook",
    ids: [
      { column: "TRANSACTION_ID", text: (id) => `T${id.padStart(12, "0")}` },
      { column: "CUSTOMER_ID", text: (id) => `card-${id.padStart(8, "0")}` },
      { column: "TERMINAL_ID", text: (id) => `shop-${id.padStart(8, "0")}` },
    ],
    definitions: { text: HANDBOOK, number: withNumbers(HANDBOOK) },
    parts: simulated,
  },
];

/** The first `rows` payments of the default simulation, as CSV. */
async function* simulated(
  rows: number,
  folder: string,
): AsyncGenerator<string> {
  const days = join(folder, "days");
  // The default set has some 9,590 payments a day.
  const count = Math.ceil(rows / 9500);
  await runCommand(["generate", `--days=${count}`, `--out=${days}`]);
  const names = [...Deno.readDirSync(days)].map(({ name }) => name)
    .filter((name) => /^\d.*\.csv$/.test(name)).sort();
  let left = rows;
  for (const [at, name] of names.entries()) {
    if (left === 0) break;
    const text = await Deno.readTextFile(join(days, name));
    const [header, ...lines] = text.trimEnd().split("\n");
    const taken = lines.slice(0, left);
    left -= taken.length;
    yield (at === 0 ? `${header}\n` : "") +
      taken.map((line) => `${line}\n`).join("");
  }
  await Deno.remove(days, { recursive: true });
}

/** Writes a set in both forms; gives the files. */
async function writeSet(
  set: Set,
  rows: number,
  folder: string,
): Promise<Record<Form, string>> {
  const path = (form: Form) => join(folder, `${set.name}_${form}.csv`);
  const paths = { text: path("text"), number: path("number") };
  using text = await Deno.open(paths.text, { write: true, create: true });
  using number = await Deno.open(paths.number, { write: true, create: true });
  let forms: Forms | undefined;
  for await (const part of set.parts(rows, folder)) {
    const lines = part.trimEnd().split("\n");
    const known = forms ?? new Forms(set, lines[0]);
    const header = forms ? [] : lines.splice(0, 1);
    forms = known;
    const both = lines.map((line) => known.of(line));
    await writeLines(text, [...header, ...both.map((row) => row.text)]);
    await writeLines(number, [...header, ...both.map((row) => row.number)]);
  }
  for (const form of FORMS) {
    const definition = join(folder, `${set.name}_${form}.yaml`);
    await Deno.writeTextFile(definition, set.definitions[form]);
  }
  return paths;
}

async function writeLines(
  file: Deno.FsFile,
  lines: readonly string[],
): Promise<void> {
  const bytes = new TextEncoder().encode(lines.map((l) => `${l}\n`).join(""));
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
}

/** Writes rows of a set with either ids. */
class Forms {
  readonly #columns: readonly string[];
  readonly #ids: readonly (IdColumn & { readonly place: number })[];
  readonly #numbers: readonly Map<string, number>[];

  constructor({ ids }: Set, header: string) {
    this.#columns = header.split(",");
    this.#ids = ids.map((id) => ({
      ...id,
      place: this.#columns.indexOf(id.column),
    }));
    this.#numbers = ids.map(() => new Map());
  }

  of(line: string): Record<Form, string> {
    const cells = splitRecord(line, ",") ?? [];
    const text = [...cells];
    const number = [...cells];
    for (const [at, id] of this.#ids.entries()) {
      const cell = cells[id.place];
      const key = id.column === "User"
        ? `${cell}-${cells[id.place + 1]}`
        : cell;
      const numbers = this.#numbers[at];
      const known = numbers.get(key) ?? numbers.size + 1;
      numbers.set(key, known);
      number[id.place] = String(known);
      if (id.text) text[id.place] = id.text(cell);
    }
    return { text: csvLine(text), number: csvLine(number) };
  }
}

function csvLine(cells: readonly string[]): string {
  return cells.map((cell) =>
    /[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
  ).join();
}

/** Runs the stream of one form. */
async function runForm(
  folder: string,
  set: Set,
  form: Form,
  rows: number,
): Promise<MeasuredRun> {
  const data = join(folder, "data");
  const run = await measureCommand([
    "run",
    `--definition=${join(folder, `${set.name}_${form}.yaml`)}`,
    `--in=${join(folder, `${set.name}_${form}.csv`)}`,
    "--rate=max",
    "--no-model",
    `--data=${data}`,
  ]);
  await Deno.remove(data, { recursive: true });
  if (run.stdout.includes(`stored ${figure(rows)},`)) return run;
  throw new Error(`not all ${figure(rows)} are stored: ${run.stdout}`);
}

/** A row of the table, of all runs of one form. */
function shown(
  name: string,
  rows: number,
  runs: readonly MeasuredRun[],
): string[] {
  const of = (value: (run: MeasuredRun) => number, digits = 0) =>
    range(runs.map(value), (number) => figure(number, digits));
  return [
    name,
    of(({ stdout }) => rows / storedSeconds(stdout)),
    of(({ processorSeconds }) => processorSeconds, 1),
    of(({ peakMiB }) => peakMiB),
  ];
}

/** The seconds until all was stored, as the summary says. */
function storedSeconds(summary: string): number {
  const seconds = /stored in ([\d.,]+) s/.exec(summary)?.[1];
  if (seconds === undefined) throw new Error(`no rate: ${summary}`);
  return Number(seconds.replaceAll(",", ""));
}

async function main(): Promise<void> {
  const { rows, runs, set: chosen } = readFlags({
    rows: 1_000_000,
    runs: 3,
    set: "all",
  });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const whole = (value: number) => figure(value);
  const table = [["set, ids", "payments/s", "CPU s", "peak MiB"]];
  const ratios: string[] = [];
  try {
    for (const set of SETS) {
      if (chosen !== "all" && chosen !== set.name) continue;
      tell(`writing ${figure(rows)} rows of ${set.name} twice`);
      const paths = await writeSet(set, rows, folder);
      const measured: Record<Form, MeasuredRun[]> = { text: [], number: [] };
      for (let run = 0; run < runs; run++) {
        for (const form of FORMS) {
          tell(`${set.name} with ids as ${form}, run ${run + 1} of ${runs}`);
          measured[form].push(await runForm(folder, set, form, rows));
        }
      }
      for (const form of FORMS) {
        table.push(shown(`${set.name}, ${form}`, rows, measured[form]));
        await Deno.remove(paths[form]);
      }
      const { text, number } = measured;
      const percent = text.map(({ processorSeconds }, at) =>
        100 * number[at].processorSeconds / processorSeconds
      );
      const clock = text.map(({ stdout }, at) =>
        100 * storedSeconds(number[at].stdout) / storedSeconds(stdout)
      );
      ratios.push(
        `${set.name}: text ids at ${figure(median(percent))} % ` +
          `(${range(percent, whole)}) of the rate of numbers by processor ` +
          `time, ${figure(median(clock))} % (${
            range(clock, whole)
          }) by the clock`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  print(markdownTable(table));
  for (const line of ratios) print(line);
}

if (import.meta.main) await main();
