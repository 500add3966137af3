/** The table of verdicts that `export --table=verdicts` writes and `verdicts` reads. */
import type { TableColumn, TableFormat } from "../../files/table_encoder.ts";
import type { IdKind } from "../../payment/payment_shape.ts";
import { TableWriter } from "../../files/table_writer.ts";
import type { VerdictRecord } from "../../stream/verdict_records.ts";

const nullable = { nullable: true } as const;

/** Its columns, where ids of payments are numbers or texts. */
export function verdictColumns(idKind: IdKind): readonly TableColumn[] {
  return [
    { name: "EVENT_ID", kind: "text" },
    { name: "TRANSACTION_ID", kind: idKind === "text" ? "text" : "int64" },
    { name: "LABEL", kind: "int32" },
    { name: "WHO", kind: "text" },
    { name: "AT", kind: "instant", ...nullable },
    { name: "NOTE", kind: "text", ...nullable },
    { name: "DECISION_ID", kind: "text", ...nullable },
    { name: "WITHDRAWN_AT", kind: "instant", ...nullable },
    { name: "WITHDRAWN_BY", kind: "text", ...nullable },
    { name: "WITHDRAWAL_ID", kind: "text", ...nullable },
  ];
}

/** Opens the table at a path or stdout ('-'). */
export function openVerdictTable(
  out: string,
  format: TableFormat,
  idKind: IdKind,
): Promise<TableWriter> {
  return TableWriter.open(out, format, verdictColumns(idKind));
}

/** Writes verdicts in their order. */
export async function writeVerdicts(
  records: readonly VerdictRecord[],
  writer: TableWriter,
  idKind: IdKind,
): Promise<void> {
  await writer.write([
    records.map(({ eventId }) => eventId),
    idKind === "text"
      ? records.map(({ transactionId }) => String(transactionId))
      : records.map(({ transactionId }) => Number(transactionId)),
    records.map(({ label }) => label),
    records.map(({ who }) => who),
    records.map(({ at }) => instantOf(at)),
    records.map(({ note }) => note === "" ? null : note),
    records.map(({ decisionId }) => decisionId ?? null),
    records.map(({ withdrawn }) => withdrawn ? instantOf(withdrawn.at) : null),
    records.map(({ withdrawn }) => withdrawn?.who ?? null),
    records.map(({ withdrawn }) => withdrawn?.eventId ?? null),
  ], records.length);
}

/** Milliseconds since 1970; null for what labels of other programs may have instead of a time. */
function instantOf(at: string): number | null {
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? null : ms;
}
