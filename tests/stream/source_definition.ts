/** The definition of the sources that tests read. */
import { readDefinition } from "../../src/definition/read_definition.ts";

/** Numbers as ids, other names than the handbook's, seconds since 1970. */
export const SOURCE_DEFINITION = readDefinition(
  `version: 1
payment:
  TRANSACTION_ID: { from: nr, type: number }
  TX_DATETIME: { from: at, format: epoch-s }
  CUSTOMER_ID: { from: card, type: number }
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: { from: eur, decimals: 2 }
  TX_FRAUD: bad
labels: { from: payment, delay: 7d }
features: { include: handbook }
`,
  "source.yaml",
);
