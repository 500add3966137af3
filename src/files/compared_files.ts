/** Tables in files as `diff` compares them: one file, or a folder of files with the same columns. */
import { DataError } from "../base/error.ts";
import type { RawBatch } from "./raw_batch.ts";
import { rawRows } from "./raw_rows.ts";
import { findRawSources } from "./raw_sources.ts";
import type { ComparedPage, ComparedTable } from "./compared_rows.ts";
import type { DaySource } from "./day_source.ts";

/** A table whose file is open until it is disposed of. */
export interface ComparedFiles extends ComparedTable, AsyncDisposable {}

/** Opens the table at `path`: a file, or a folder whose files follow each other by name. Throws DataError. */
export async function openComparedFiles(
  path: string,
  signal: AbortSignal,
): Promise<ComparedFiles> {
  const sources = await findRawSources(path, undefined);
  const batches = allRows(sources, signal);
  const { value: first, done } = await batches.next();
  if (done) throw new DataError(`${path} has no rows`);
  const { columns } = first.batch;
  return {
    name: path,
    columns,
    pages: pagesOf(first, batches, columns),
    // Pages of which none was read have nothing to close it by.
    async [Symbol.asyncDispose]() {
      await batches.return(undefined);
    },
  };
}

/** Rows of a file, and its name. */
interface NamedBatch {
  readonly source: DaySource;
  readonly batch: RawBatch;
}

async function* allRows(
  sources: readonly DaySource[],
  signal: AbortSignal,
): AsyncGenerator<NamedBatch> {
  for (const source of sources) {
    for await (const batch of rawRows(source, { name: source.name, signal })) {
      yield { source, batch };
    }
  }
}

async function* pagesOf(
  first: NamedBatch,
  rest: AsyncGenerator<NamedBatch>,
  columns: readonly string[],
): AsyncGenerator<ComparedPage> {
  yield pageOf(first, columns);
  for await (const named of rest) yield pageOf(named, columns);
}

function pageOf(
  { source: { name, format }, batch }: NamedBatch,
  columns: readonly string[],
): ComparedPage {
  const missing = columns.find((column) => !batch.columns.includes(column));
  // A line of JSON may leave out what it has no value for.
  if (missing !== undefined && format !== "jsonl") {
    throw new DataError(
      `${name} lacks the column ${missing}, which the files before have`,
    );
  }
  const word = format === "parquet" ? "row" : "line";
  const place = (index: number) => `${word} ${batch.line(index)} of ${name}`;
  return {
    length: batch.length,
    read(index, into) {
      const defect = batch.values(index, columns, into);
      if (defect === undefined) return;
      throw new DataError(`${place(index)}: ${defect.message}`);
    },
    place,
  };
}
