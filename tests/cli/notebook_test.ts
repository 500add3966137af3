/**
 * examples/handbook.ipynb, executed as a person would, and the programs that
 * read a Parquet data set as one table. Both need Python; the packages are
 * pinned, and fetched once into the cache folder.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canRun } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithNotebook } from "../services/python.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain } from "./program_runner.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Seconds that a cell may take on a busy machine. */
const CELL_SECONDS = 600;

/** Defines a test that is ignored, and says why, where Python cannot be used. */
function testPython(name: string, fn: () => Promise<void>): void {
  const problem = canRun ? pythonProblem : "needs --allow-run";
  const shown = problem === undefined ? name : `${name} (${problem})`;
  Deno.test({ name: shown, ignore: problem !== undefined, fn });
}

/** Runs a Python program in the notebook's environment; gives what it printed. */
async function python(
  program: string,
  variables: Record<string, string> = {},
): Promise<string> {
  const settings = Object.entries(variables).map(([name, value]) =>
    `${name}=${value}`
  );
  const { success, output } = await runTool("env", [
    ...settings,
    await pythonWithNotebook(),
    "-c",
    program,
  ]);
  assert.ok(success, output);
  return output;
}

const EXECUTE = `
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("${ROOT}examples/handbook.ipynb", as_version=4)
place = {"metadata": {"path": "${ROOT}examples"}}
# The kernel of this environment, whichever others are installed.
client = NotebookClient(
    notebook, timeout=${CELL_SECONDS}, kernel_name="python3", resources=place
)
client.execute()
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        if "text" in output:
            print(output["text"], end="")
        elif "image/png" in output.get("data", {}):
            print("PLOT")
`;

testPython("the notebook goes from payments to a model and back", async () => {
  await using folder = temporaryFolder();
  const output = await python(EXECUTE, {
    NOTEBOOK_FOLDER: join(folder.path, "notebook"),
    FRAUDSTREAM_COMMAND: `${Deno.execPath()} run --quiet --no-prompt ` +
      "--allow-read --allow-write --allow-net=127.0.0.1 " +
      "--allow-env=FRAUDSTREAM_* main.ts",
  });
  assert.match(output, /^288,062 payments of 30 days, 5,000 customers/m);
  assert.match(output, /^training: 67,163 payments, 368 frauds$/m);
  assert.match(output, /^288,062 payments, each with the score that it has/m);
  assert.equal(output.match(/PLOT/g)?.length, 3);
  // The handbook's forest reaches 0.66 on a set whose windows are full.
  const [, found] = /average precision (0\.\d+)/.exec(output) ?? [];
  assert.ok(Number(found) > 0.5, `average precision ${found}`);
});

const READ = `
import os
import duckdb, pandas, polars, pyarrow.dataset

data = os.environ["DATA"]
print("pandas", len(pandas.read_parquet(data)))
print("pyarrow", pyarrow.dataset.dataset(data).count_rows())
print("polars", polars.scan_parquet(f"{data}/*.parquet").collect().height)
print("duckdb", duckdb.sql(f"select count(*) from '{data}/*.parquet'").fetchall()[0][0])
print("table", polars.read_parquet(f"{data}.parquet").height)
for schema in [
    pyarrow.dataset.dataset(data).schema,
    pyarrow.dataset.dataset(f"{data}.parquet").schema,
]:
    print("time", schema.field("TX_DATETIME").type)
`;

testPython(
  "pandas, pyarrow, polars and DuckDB read a Parquet data set as one table of payments",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    for (
      const command of [
        [
          ...["generate", `--out=${data}`, "--format=parquet", "--days=5"],
          ...["--customers=50", "--terminals=100", "--radius=10"],
        ],
        [
          ...["features", `--in=${data}`, `--out=${data}.parquet`],
          "--with=payment,label",
        ],
      ]
    ) {
      const { code, stderr } = await runMain(command);
      assert.equal(code, 0, stderr);
    }
    const output = await python(READ, { DATA: data });
    const counts = [...output.matchAll(/^(?!time)\w+ (\d+)$/gm)].map(
      ([, count]) => Number(count),
    );
    assert.equal(counts.length, 5);
    assert.ok(counts[0] > 300);
    assert.ok(counts.every((count) => count === counts[0]), output);
    assert.equal(output.match(/^time timestamp\[ms, tz=UTC\]$/gm)?.length, 2);
  },
);
