/**
 * How fast the mapping of a definition turns rows into payments, on one thread:
 * the values of a row alone, and lines of CSV that are cut into fields first.
 *
 *     deno run bench/definition_bench.ts [--rows=N] [--runs=N]
 */
import { BUILT_IN_DEFINITIONS } from "../src/definition/built_in.ts";
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../src/definition/payment_mapper.ts";
import { readDefinition } from "../src/definition/read_definition.ts";
import type { RawValue } from "../src/definition/rejection.ts";
import { splitRecord } from "../src/files/csv_records.ts";
import { RAW_COLUMNS, rawSet } from "../tests/definition/raw_sets.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, markdownTable, median, print } from "./figures.ts";

const SPARKOV = BUILT_IN_DEFINITIONS.sparkov;

/** The definitions that are measured, all with the columns of Sparkov. */
const CASES: readonly (readonly [name: string, text: string])[] = [
  ["sparkov, 12 fields", SPARKOV],
  [
    "times of a zone with summer time",
    SPARKOV.replace("zone: UTC", "zone: America/New_York"),
  ],
  ["ISO 8601", SPARKOV.replace(/format: "[^"]+"/, "format: iso")],
  [
    "cards as pseudonyms",
    SPARKOV.replace("cc_num", "{ from: cc_num, hmac: true }"),
  ],
];

/** Rows per second of `map` over all rows. Throws where a row is rejected. */
function rate(rows: number, map: (row: number) => unknown): number {
  const began = performance.now();
  for (let row = 0; row < rows; row++) {
    const rejection = map(row);
    if (rejection !== undefined) throw new Error(JSON.stringify(rejection));
  }
  return rows / (performance.now() - began) * 1000;
}

function main(): void {
  const { rows, runs } = readFlags({ rows: 200_000, runs: 5 });
  const columns = RAW_COLUMNS.sparkov;
  const [, ...lines] = [...rawSet("sparkov", { rows })].join("").trimEnd()
    .split("\n");
  const table: string[][] = [["mapping", "values, rows/s", "CSV, rows/s"]];
  for (const [name, text] of CASES) {
    const key = new Uint8Array(32);
    const mapper = new PaymentMapper(readDefinition(text, name), key);
    const places = mapper.fields.map((field) => columns.indexOf(field));
    const pick = (line: string): RawValue[] => {
      const fields = splitRecord(line, ",") ?? [];
      return places.map((place) => fields[place]);
    };
    const values = lines.map(pick);
    const into = emptyMappedPayment();
    const each = (measure: () => number) =>
      figure(median(Array.from({ length: runs }, measure)));
    table.push([
      name,
      each(() => rate(rows, (row) => mapper.map(values[row], row + 1, into))),
      each(() =>
        rate(rows, (row) => mapper.map(pick(lines[row]), row + 1, into))
      ),
    ]);
  }
  print(markdownTable(table));
}

main();
