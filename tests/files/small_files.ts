/** Small CSV files of payments, and reading them to the end. */
import { DayReader, type FileChoice } from "../../src/files/day_reader.ts";
import type { PaymentDay } from "../../src/files/payment_day.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** Header of the canonical form; good rows of two days follow. */
export const HEADER =
  "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
  "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO";
/** A good row of day 0. */
export const FIRST = "0,2018-04-01 00:07:56,2,38,146,476,0,0,0";
/** A second one of day 0. */
export const SECOND = "1,2018-04-01 01:11:00,8,4,2.08,4260,0,0,0";
/** A good row of day 1. */
export const NEXT_DAY = "2,2018-04-02 00:00:01,8,4,5,86401,1,1,2";

/** What is read otherwise: the choice of files, and the signal. */
export interface Change extends Partial<FileChoice> {
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** Reads all days of a path; bad rows are errors and the start is inferred unless changed. */
export async function readAll(
  path: string,
  change: Change = {},
): Promise<{ reader: DayReader; days: PaymentDay[] }> {
  const { signal = new AbortController().signal, ...choice } = change;
  const reader = await DayReader.open({
    path,
    startSeconds: undefined,
    skipBadRows: false,
    inputFormat: undefined,
    ...choice,
  });
  return { reader, days: await Array.fromAsync(reader.batches(signal)) };
}

/** Ids of each day. */
export function ids(days: readonly PaymentDay[]): number[][] {
  return days.map((day) => [...day.transactionId]);
}

/** Reads a text as a CSV file named t.csv; messages begin with its name. */
export async function readText(
  text: string,
  change: Change = {},
): Promise<{ reader: DayReader; days: PaymentDay[] }> {
  await using folder = temporaryFolder();
  const path = `${folder.path}/t.csv`;
  Deno.writeTextFileSync(path, text);
  try {
    return await readAll(path, change);
  } catch (error) {
    if (error instanceof Error) {
      error.message = error.message.replaceAll(`${folder.path}/`, "");
    }
    throw error;
  }
}
