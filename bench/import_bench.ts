/**
 * Time, processor time and memory of `import` on raw files of any size, which
 * are made in a temporary folder (about 270 bytes per row of sparkov, 100 of
 * tabformer).
 *
 *     deno run --allow-read --allow-write --allow-run=sh bench/import_bench.ts [--rows=N] [--set=NAME] [--format=NAME]
 */
import { join } from "node:path";
import { RAW_COLUMNS, writeRawSet } from "../tests/definition/raw_sets.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, markdownTable, print, tell } from "./figures.ts";
import { measureCommand } from "./program.ts";

const { rows, set, format } = readFlags({
  rows: 1_000_000,
  set: "all",
  format: "csv",
});
const folder = await Deno.makeTempDir();
const head = ["set", "rows", "raw MiB", "seconds", "CPU s", "peak MiB"];
const table = [head];
try {
  for (const name of ["sparkov", "tabformer"] as const) {
    if (set !== "all" && set !== name) continue;
    const raw = join(folder, `${name}.csv`);
    tell(
      `writing ${figure(rows)} rows with ${RAW_COLUMNS[name].length} columns`,
    );
    await writeRawSet(raw, name, { rows });
    tell(`importing ${name}`);
    const { seconds, processorSeconds, peakMiB } = await measureCommand([
      "import",
      `--definition=${name}`,
      `--in=${raw}`,
      `--out=${join(folder, name)}`,
      `--format=${format}`,
    ]);
    const { size } = await Deno.stat(raw);
    table.push([
      name,
      figure(rows),
      figure(size / 2 ** 20),
      figure(seconds, 1),
      figure(processorSeconds, 1),
      figure(peakMiB),
    ]);
    await Deno.remove(join(folder, name), { recursive: true });
    await Deno.remove(raw);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
print(markdownTable(table));
