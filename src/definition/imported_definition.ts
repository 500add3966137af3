/**
 * The definition that reads what an import by another one has written: the same
 * payments, now in columns with their own names and in one spelling.
 */
import type {
  IdMapping,
  KeptField,
  RowNumber,
  StreamDefinition,
} from "./stream_definition.ts";

/** How times stand in day files. */
const TIME = { format: "iso", zone: "UTC" } as const;

/** The definition of the day files that an import by `definition` writes. */
export function importedDefinition(
  definition: StreamDefinition,
): StreamDefinition {
  const { payment } = definition;
  const { transactionId, amount, fraud, scenario, drop } = payment;
  return {
    ...definition,
    payment: {
      transactionId: idIn("TRANSACTION_ID", transactionId),
      time: { from: ["TX_DATETIME"], join: null, ...TIME },
      customerId: idIn("CUSTOMER_ID", payment.customerId),
      terminalId: idIn("TERMINAL_ID", payment.terminalId),
      amount: {
        ...amount,
        from: "TX_AMOUNT",
        prefix: null,
        decimal: ".",
        thousands: null,
      },
      fraud: fraud && { from: "TX_FRAUD", true: null, false: null },
      scenario: scenario === null ? null : "TX_FRAUD_SCENARIO",
      keep: payment.keep.map(keptIn),
      drop,
    },
  };
}

/** An id as it is written: pseudonyms stay, and numbers of rows are numbers. */
function idIn(name: string, mapping: IdMapping | RowNumber): IdMapping {
  const type = mapping.from === "row" ? "number" : (mapping as IdMapping).type;
  return { from: [name], join: null, type, hmac: false };
}

function keptIn({ name, type }: KeptField): KeptField {
  return {
    name,
    from: name,
    type,
    time: type === "time" ? TIME : null,
    flag: type === "flag" ? { true: null, false: null } : null,
  };
}
