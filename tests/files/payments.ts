/** Payments of set A, and files of payments read to their end in the order that they count in. */
import { DayReader, type FileChoice } from "../../src/files/day_reader.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { dataPath } from "./sets.ts";

/** The lines of set A's payments: the header, then `rows` of them. */
export function linesOfA(rows: number): string[] {
  const text = Deno.readTextFileSync(dataPath("A/transactions.csv"));
  return text.split("\n").slice(0, 1 + rows);
}

/** Reads the payments of a path. */
export async function paymentsIn(
  path: string,
  change: Partial<FileChoice> = {},
): Promise<{ reader: DayReader; payments: Payment[] }> {
  const reader = await DayReader.open({
    path,
    startSeconds: undefined,
    skipBadRows: false,
    inputFormat: undefined,
    ...change,
  });
  const payments: Payment[] = [];
  for await (const day of reader.batches(new AbortController().signal)) {
    for (let index = 0; index < day.length; index++) {
      const row = emptyPayment();
      day.read(index, row);
      payments.push(row);
    }
  }
  return { reader, payments };
}

/** The payments of canonical lines, header first, by plain splitting. */
export function paymentsOf(lines: readonly string[]): Payment[] {
  return lines.slice(1).filter((line) => line !== "").map((line) => {
    const [id, datetime, customer, terminal, amount, seconds, , fraud, kind] =
      line.split(",");
    return {
      transactionId: Number(id),
      datetimeSeconds: Date.parse(`${datetime.replace(" ", "T")}Z`) / 1000,
      customerId: Number(customer),
      terminalId: Number(terminal),
      amount: Number(amount),
      timeSeconds: Number(seconds),
      fraud: Number(fraud),
      scenario: Number(kind),
    };
  });
}
