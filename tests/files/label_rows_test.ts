/** Labels in files of every format: what they say, with all digits of their ids, or where the file is wrong. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { labelRows } from "../../src/files/label_rows.ts";
import type { TableFormat } from "../../src/files/table_encoder.ts";
import {
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const TEXT: PaymentShape = { ...UNLABELLED_SHAPE, transactionId: "text" };
const NOON = Date.UTC(2018, 3, 8, 12) / 1000;

async function readLabels(
  path: string,
  format: TableFormat | undefined,
  shape = TEXT,
) {
  const { signal } = new AbortController();
  const otherwise = () => "nothing was taken";
  const options = { shape, signal, otherwise };
  const source = { path, name: "labels", format };
  return (await Array.fromAsync(labelRows(source, options))).flat();
}

const ID = "4111111111111111111";

testWriting(
  "a label of each format says the same, with all digits of its id",
  async () => {
    await using folder = temporaryFolder();
    const expected = [
      ["1", 1, NOON, "chargeback", undefined],
      [ID, 0, undefined, undefined, "bank"],
      ["2", null, undefined, undefined, undefined],
    ];
    const files: [string, string | Uint8Array][] = [
      [
        "a.csv",
        "REASON;TX_FRAUD;TRANSACTION_ID;KNOWN_AT;SOURCE\n" +
        `chargeback;Yes;1;2018-04-08 12:00:00;\n;0.0;${ID};;bank\n;;2;;\n`,
      ],
      [
        "a.jsonl",
        '{"TRANSACTION_ID":1,"TX_FRAUD":true,"KNOWN_AT":"2018-04-08T12:00:00Z",' +
        `"REASON":"chargeback"}\n{"TRANSACTION_ID":${ID},"TX_FRAUD":0,` +
        '"SOURCE":"bank"}\n{"TRANSACTION_ID":"2","TX_FRAUD":null}\n',
      ],
      [
        "a.parquet",
        new Uint8Array(parquetWriteBuffer({
          columnData: [
            {
              name: "TRANSACTION_ID",
              data: [1n, BigInt(ID), 2n],
              type: "INT64",
            },
            {
              name: "TX_FRAUD",
              data: [true, false, null],
              type: "BOOLEAN",
              nullable: true,
            },
            {
              name: "KNOWN_AT",
              data: [new Date(1000 * NOON), null, null],
              type: "TIMESTAMP",
              nullable: true,
            },
            {
              name: "REASON",
              data: ["chargeback", null, null],
              type: "STRING",
              nullable: true,
            },
            {
              name: "SOURCE",
              data: [null, "bank", null],
              type: "STRING",
              nullable: true,
            },
          ],
        })),
      ],
    ];
    for (const [name, content] of files) {
      const path = join(folder.path, name);
      if (typeof content === "string") Deno.writeTextFileSync(path, content);
      else Deno.writeFileSync(path, content);
      const format = name === "a.parquet" ? "parquet" : undefined;
      const labels = await readLabels(path, format);
      assert.deepEqual(
        labels.map(({ transactionId, fraud, knownAt, reason, source }) => [
          transactionId,
          fraud,
          knownAt,
          reason,
          source,
        ]),
        expected,
        name,
      );
    }
  },
);

testWriting("what is no label names its line and what to do", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "labels.csv");
  const cases: [string, RegExp][] = [
    [
      "id,is_fraud\n1,1\n",
      /^labels: TRANSACTION_ID is missing; labels need TRANSACTION_ID and TX_FRAUD, and may have KNOWN_AT, .*; this file has id, is_fraud$/,
    ],
    ["TRANSACTION_ID,TX_FRAUD\n1,1\n2,5\n", /^labels:3: TX_FRAUD "5" is none/],
    ["TRANSACTION_ID,TX_FRAUD\n,1\n", /^labels:2: TRANSACTION_ID is missing/],
    [
      "TRANSACTION_ID,TX_FRAUD,KNOWN_AT\n1,1,08/04/2018\n",
      /^labels:2: KNOWN_AT "08\/04\/2018" is not a date and time .*; nothing/,
    ],
    [
      `TRANSACTION_ID,TX_FRAUD,REASON\n1,1,${"x".repeat(1001)}\n`,
      /^labels:2: REASON or SOURCE has more than 1000 characters/,
    ],
    ['{"TRANSACTION_ID":1,"TX_FRAUD":1}\n{"x":\n', /^labels:2: the line is/],
  ];
  for (const [content, message] of cases) {
    Deno.writeTextFileSync(path, content);
    await assert.rejects(readLabels(path, undefined), (error: Error) => {
      assert.match(error.message, message);
      return true;
    });
  }
  const numbers = `TRANSACTION_ID,TX_FRAUD\n${ID},1\n`;
  Deno.writeTextFileSync(path, numbers);
  await assert.rejects(
    readLabels(path, undefined, UNLABELLED_SHAPE),
    /TRANSACTION_ID .* is not in 0…9007199254740991/,
  );
});
