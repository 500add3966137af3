/** A data folder that the version before has left in the middle of a stream. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  batchSum,
  featuresSum,
  openFolder,
  parametersOf,
  runAll,
  sinkSum,
} from "./pipeline.ts";

/** What made the folder: run --customers=20 --terminals=20 --days=10 --radius=50 --rate=60, stopped after 192 payments. */
const DATA = {
  parameters: {
    ...HANDBOOK_PARAMETERS,
    customers: 20,
    terminals: 20,
    days: 10,
    radius: 50,
  },
  rng: "handbook",
  seed: "",
} as const;

testWriting(
  "a folder of the version before goes on to the right end",
  async () => {
    await using folder = temporaryFolder();
    for (const name of ["log.db", "store.db"]) {
      const url = new URL(`../data/folder_v1/${name}.gz`, import.meta.url);
      const bytes = gunzipSync(Deno.readFileSync(url));
      Deno.writeFileSync(join(folder.path, name), bytes);
    }
    const parameters = parametersOf(4);
    await using open = await openFolder(folder.path, parameters);
    assert.equal((await open.store.status()).rows, 192);
    await runAll(open, DATA);
    const right = batchSum(DATA, HANDBOOK_FEATURES);
    assert.equal(await featuresSum(open.store), right);
    assert.equal(await sinkSum(open.log, parameters), right);
    await open.log.verify();
  },
);
