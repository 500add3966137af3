/** The raw sets: the built-in definitions map every row, and the frauds have a pattern. */
import assert from "node:assert/strict";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { splitRecord } from "../../src/files/csv_records.ts";
import { RAW_COLUMNS, rawSet, type RawSetName } from "./raw_sets.ts";

const SETS: readonly RawSetName[] = ["sparkov", "tabformer"];

for (const name of SETS) {
  Deno.test(`${name} maps each row of its raw set`, () => {
    const text = [...rawSet(name, { rows: 30_000, seed: 3 })].join("");
    const [header, ...lines] = text.trimEnd().split("\n");
    assert.equal(header, RAW_COLUMNS[name].join());
    assert.equal(lines.length, 30_000);
    const definition = readDefinition(BUILT_IN_DEFINITIONS[name], name);
    const mapper = new PaymentMapper(definition);
    const places = mapper.fields.map((field) =>
      RAW_COLUMNS[name].indexOf(field)
    );
    const into = emptyMappedPayment();
    const ids = new Set<number | string>();
    const sums = [0, 0];
    const counts = [0, 0];
    lines.forEach((line, row) => {
      const fields = splitRecord(line, ",") ?? [];
      assert.equal(fields.length, RAW_COLUMNS[name].length, line);
      const values = places.map((place) => fields[place]);
      assert.equal(mapper.map(values, row + 1, into), undefined, line);
      ids.add(into.transactionId);
      counts[into.fraud]++;
      sums[into.fraud] += into.amountUnits;
    });
    assert.equal(ids.size, lines.length);
    const share = counts[1] / lines.length;
    assert.ok(share > 0.001 && share < 0.02, `${share} of the rows are frauds`);
    // What thieves take can be distinguished from what owners pay.
    assert.ok(sums[1] / counts[1] > 2 * sums[0] / counts[0]);
  });

  Deno.test(`${name}'s raw set is a function of its seed`, () => {
    const set = (seed: number) => [...rawSet(name, { rows: 1000, seed })];
    assert.deepEqual(set(1), set(1));
    assert.notDeepEqual(set(1), set(2));
  });
}

Deno.test("the raw sets have what makes the real ones difficult", () => {
  const [sparkov] = rawSet("sparkov", { rows: 4000 });
  assert.match(sparkov, /,\d{19},/);
  assert.match(sparkov, /,"fraud_Rippin, Kub and Mann \d+",/);
  assert.match(sparkov, /,"fraud_Schoen ""Best"" Inc \d+",/);
  assert.match(sparkov, /,[0-9a-f]{32},\d{10},/);
  const [tabformer] = rawSet("tabformer", { rows: 4000 });
  assert.match(tabformer, /,\$-\d+\.00,/);
  assert.match(tabformer, /,-\d{16,19},/);
  assert.match(tabformer, /,"Technical Glitch,",No/);
  assert.match(tabformer, /,ONLINE,,,/);
});
