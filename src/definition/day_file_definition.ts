/**
 * The definition of day files that were written by `import`. They have the
 * handbook's names, times in UTC and plain amounts, whatever the data had that
 * they were made of; labels and features stay those of the stream.
 */
import {
  type IdMapping,
  type RowNumber,
  type StreamDefinition,
} from "./stream_definition.ts";

/** How day files are read that hold the payments of `definition`. */
export function dayFileDefinition(
  definition: StreamDefinition,
): StreamDefinition {
  const { payment } = definition;
  return {
    ...definition,
    payment: {
      transactionId: dayFileId("TRANSACTION_ID", payment.transactionId),
      time: { ...DAY_FILE_TIME, from: ["TX_DATETIME"], join: null },
      customerId: dayFileId("CUSTOMER_ID", payment.customerId),
      terminalId: dayFileId("TERMINAL_ID", payment.terminalId),
      amount: {
        ...payment.amount,
        from: "TX_AMOUNT",
        prefix: null,
        decimal: ".",
        thousands: null,
      },
      fraud: payment.fraud && { ...DAY_FILE_FLAG, from: "TX_FRAUD" },
      scenario: payment.scenario && "TX_FRAUD_SCENARIO",
      keep: payment.keep.map((kept) => ({
        ...kept,
        from: kept.name,
        time: kept.time && DAY_FILE_TIME,
        flag: kept.flag && DAY_FILE_FLAG,
      })),
      drop: payment.drop === "all" ? "all" : [],
    },
  };
}

/** How day files write times. */
export const DAY_FILE_TIME = { format: "iso", zone: "UTC" } as const;

/** How day files write flags. */
export const DAY_FILE_FLAG = { true: null, false: null } as const;

/** Pseudonyms and numbers of rows are ids like others by then. */
function dayFileId(name: string, id: IdMapping | RowNumber): IdMapping {
  const type = "type" in id ? id.type : "number";
  return { from: [name], join: null, type, hmac: false };
}
