/** The stored payments of a stream as `diff` compares them: what export writes with everything, in order of TRANSACTION_ID. */
import type { RawValue } from "../../definition/rejection.ts";
import type { ComparedPage, ComparedTable } from "../../files/compared_rows.ts";
import type { ColumnKind } from "../../files/table_encoder.ts";
import type { PaymentTable, TableSink } from "./payment_table.ts";

/** A page of a table: its values by column. */
interface FilledPage {
  readonly columns: readonly (readonly RawValue[])[];
  readonly length: number;
}

/** The rows that `fill` writes to its sink, as a table to compare; `fill` waits while nobody reads. */
export function comparedTable(
  name: string,
  { columns }: Pick<PaymentTable, "columns">,
  fill: (sink: TableSink) => Promise<unknown>,
): ComparedTable {
  return {
    name,
    columns: columns.map((column) => column.name),
    pages: pagesOf(columns.map(({ kind }) => valueOf(kind)), fill, name),
  };
}

/** How a value of a column is read: a time is a number of seconds there. */
function valueOf(
  kind: ColumnKind,
): (value: string | number | null) => RawValue {
  return kind === "timestamp"
    ? (value) => typeof value === "number" ? new Date(value * 1000) : value
    : (value) => value;
}

async function* pagesOf(
  read: readonly ReturnType<typeof valueOf>[],
  fill: (sink: TableSink) => Promise<unknown>,
  name: string,
): AsyncGenerator<ComparedPage> {
  const { readable, writable } = new TransformStream<FilledPage, FilledPage>();
  const writer = writable.getWriter();
  const filled = fill({
    async write(columns, length) {
      await writer.ready;
      // The table fills the same memory again.
      await writer.write({
        columns: columns.map((values, at) => {
          return Array.from({ length }, (_, index) => read[at](values[index]));
        }),
        length,
      });
    },
  }).then(() => writer.close(), (error) => writer.abort(error));
  // A reader that ends early makes the last write fail, which says nothing new.
  filled.catch(() => {});
  for await (const { columns, length } of readable) {
    yield {
      length,
      read(index, into: RawValue[]) {
        for (let at = 0; at < columns.length; at++) {
          into[at] = columns[at][index];
        }
      },
      place: (index) => `row ${index + 1} of a page of ${name}`,
    };
  }
}
