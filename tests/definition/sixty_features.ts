/** A definition with 60 declared features, 20 aggregates of each of three keys, over the simulator's payments. */

const WINDOWS = ["1h", "1d", "7d", "30d"];

/** The keys, and of what each counts distinct values. */
const KEYS = [
  { prefix: "CARD", by: "CUSTOMER_ID", of: "TERMINAL_ID" },
  { prefix: "SHOP", by: "TERMINAL_ID", of: "CUSTOMER_ID" },
  { prefix: "PAIR", by: "[CUSTOMER_ID, TERMINAL_ID]", of: "TX_AMOUNT" },
] as const;

function aggregatesOf({ prefix, by, of }: typeof KEYS[number]): string[] {
  const one = (name: string, computes: string, over: string) =>
    `  ${prefix}_${name}_${over}: { ${computes}, by: ${by}, over: ${over} }`;
  return [
    ...WINDOWS.flatMap((over) => [
      one("COUNT", "count: payments", over),
      one("SUM", "sum: TX_AMOUNT", over),
      one("MEAN", "mean: TX_AMOUNT", over),
    ]),
    one("MIN", "min: TX_AMOUNT", "30d"),
    one("MAX", "max: TX_AMOUNT", "7d"),
    one("MAX", "max: TX_AMOUNT", "30d"),
    one("DISTINCT", `distinct: ${of}`, "1d"),
    one("DISTINCT", `distinct: ${of}`, "7d"),
    one("SHARE", "share: TX_FRAUD", "7d"),
    one("SHARE", "share: TX_FRAUD", "30d"),
    one("SINCE", "seconds_since: payments", "30d"),
  ];
}

/** How the simulator's payments are read; with a currency, so that it is not the built-in definition. */
export const SIMULATED_PAYMENT = `version: 1
payment:
  TRANSACTION_ID: { from: TRANSACTION_ID, type: number }
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: { from: CUSTOMER_ID, type: number }
  TERMINAL_ID: { from: TERMINAL_ID, type: number }
  TX_AMOUNT: { from: TX_AMOUNT, currency: USD }
  TX_FRAUD: TX_FRAUD
  TX_FRAUD_SCENARIO: TX_FRAUD_SCENARIO
labels: { from: payment, delay: 7d }
`;

/** The definition, as YAML. */
export const SIXTY_FEATURES = `${SIMULATED_PAYMENT}features:
  include: none
${KEYS.flatMap(aggregatesOf).join("\n")}
`;
