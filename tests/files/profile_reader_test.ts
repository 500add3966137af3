import assert from "node:assert/strict";
import { DataError } from "../../src/base/error.ts";
import { writeCustomers, writeTerminals } from "../../src/files/data_set.ts";
import {
  parseCustomer,
  parseTerminal,
  readCustomers,
  readTerminals,
} from "../../src/files/profile_reader.ts";
import { TABLE_FORMATS } from "../../src/files/table_encoder.ts";
import {
  handbookCustomers,
  handbookTerminals,
} from "../../src/simulator/handbook.ts";
import { profileJson } from "../../src/payment/profile_json.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { dataPath } from "./sets.ts";

const CUSTOMERS = handbookCustomers(20);
const TERMINALS = handbookTerminals(20);

testWriting(
  "profiles are read as they were written, in every format",
  async () => {
    for (const format of TABLE_FORMATS) {
      await using folder = temporaryFolder();
      await writeCustomers(folder.path, format, CUSTOMERS.toReversed());
      await writeTerminals(`${folder.path}/`, format, TERMINALS);
      assert.deepEqual(await readCustomers(folder.path), CUSTOMERS);
      assert.deepEqual(await readTerminals(folder.path), TERMINALS);
    }
  },
);

testWriting("profiles are read as other programs write them", async () => {
  const plain = Deno.readTextFileSync(dataPath("A/terminals.csv"));
  await using whole = temporaryFolder();
  Deno.writeTextFileSync(`${whole.path}/terminals.csv`, plain);
  const terminals = await readTerminals(whole.path);
  assert.equal(terminals?.length, 100);
  const forms: [string, string | Uint8Array][] = [
    ["csv", `\ufeff${plain.replaceAll("\n", "\r\n")}`],
    ["csv", plain.replaceAll(",", ";")],
    [
      "parquet",
      Deno.readFileSync(dataPath("formats/terminals_polars.parquet")),
    ],
  ];
  for (const [format, content] of forms) {
    await using folder = temporaryFolder();
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    Deno.writeFileSync(`${folder.path}/terminals.${format}`, bytes);
    assert.deepEqual(await readTerminals(folder.path), terminals);
  }
});

testWriting("profiles that are not there are undefined", async () => {
  await using folder = temporaryFolder();
  assert.equal(await readCustomers(folder.path), undefined);
  assert.equal(await readTerminals(`${folder.path}/none`), undefined);
});

testWriting(
  "a broken profile is named with its file, row and field",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/terminals.csv`;
    const header = "TERMINAL_ID,X_TERMINAL_ID,Y_TERMINAL_ID\n";
    const broken: [text: string, message: RegExp][] = [
      [
        `${header}0,1,2\n1,,2\n`,
        /terminals\.csv: row 2: X_TERMINAL_ID is not a number/,
      ],
      [`${header}0.5,1,2\n`, /row 1: TERMINAL_ID is not a whole number/],
      ["TERMINAL_ID\n1\n", /row 1: X_TERMINAL_ID is not a number/],
      [`${header}0,1\n`, /terminals\.csv: the file is damaged/],
    ];
    for (const [text, message] of broken) {
      Deno.writeTextFileSync(path, text);
      await assert.rejects(() => readTerminals(folder.path), (error) => {
        assert.ok(error instanceof DataError);
        assert.match(error.message, message);
        return true;
      });
    }
  },
);

Deno.test("records of profiles are read as they were written", () => {
  const [customer] = CUSTOMERS;
  const [terminal] = TERMINALS;
  assert.deepEqual(parseCustomer(profileJson(customer), "a"), customer);
  assert.deepEqual(parseTerminal(profileJson(terminal), "a"), terminal);
  assert.throws(
    () => parseTerminal("{", "topic/0/7"),
    /topic\/0\/7: invalid JSON/,
  );
  assert.throws(() => parseTerminal("1", "topic/0/7"), /not a JSON object/);
});
