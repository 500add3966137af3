/** The table of predictions that `export --table=predictions` writes. */
import type { TableFormat } from "../../files/table_encoder.ts";
import { TableWriter } from "../../files/table_writer.ts";
import {
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import { formatDatetime } from "../../payment/calendar.ts";

/** Opens the table at a path or stdout ('-'). */
export function openPredictionTable(
  out: string,
  format: TableFormat,
): Promise<TableWriter> {
  return TableWriter.open(out, format, [
    { name: "TRANSACTION_ID", kind: "int64" },
    { name: "TX_DATETIME", kind: "text" },
    { name: "CUSTOMER_ID", kind: "int32" },
    { name: "TERMINAL_ID", kind: "int32" },
    { name: "TX_AMOUNT", kind: "double" },
    { name: "TX_TIME_SECONDS", kind: "int32" },
    { name: "SCORE", kind: "double" },
    { name: "ALERT", kind: "int32" },
    { name: "MODEL_VERSION", kind: "text" },
    { name: "CONTRIBUTIONS", kind: "text" },
  ]);
}

/** Writes pages of predictions; `wrote` is called with their number after each page. Returns the total. */
export async function fillPredictionTable(
  pages: AsyncIterable<PredictionRows>,
  writer: TableWriter,
  wrote: (rows: number) => void,
): Promise<number> {
  let rows = 0;
  for await (const page of pages) {
    await writer.write(columnsOf(page), page.count);
    rows += page.count;
    wrote(rows);
  }
  return rows;
}

function columnsOf(
  { cells, versions, contributions, count }: PredictionRows,
): (number[] | string[])[] {
  const column = (cell: number) =>
    Array.from({ length: count }, (_, row) => {
      return cells[row * PREDICTION_CELLS + cell];
    });
  return [
    column(0),
    column(1).map(formatDatetime),
    ...[2, 3, 4, 5, 6, 7].map(column),
    versions.slice(0, count),
    contributions.slice(0, count).map((why) => why ?? ""),
  ];
}
