import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelError } from "../../src/base/error.ts";
import { LockHeldError, takeLock } from "../../src/base/lock.ts";
import {
  changeRegistry,
  keepVersion,
  openVersion,
  readRegistry,
  registryPath,
  withEntry,
} from "../../src/scoring/model_registry.ts";
import { formatModelFile } from "../../src/learning/file/model_file.ts";
import { testWriting } from "../permission.ts";
import { linearModel } from "../roles/models.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { VirtualClock } from "../virtual_clock.ts";

const ENTRY = {
  day: 7,
  action: "promoted",
  version: "0123456789ab",
  champion: "0123456789ab",
  reason: "the first model",
  metrics: { "auc_roc": 0.9, "average_precision": null },
} as const;

testWriting("a registry is read as it was written", async () => {
  await using files = temporaryFolder();
  const folder = join(files.path, "models");
  assert.deepEqual(readRegistry(folder).history, []);
  const written = await changeRegistry(folder, (before) => {
    return withEntry({ ...before, decidedDay: 7 }, ENTRY);
  });
  assert.deepEqual(readRegistry(folder), written);
});

testWriting(
  "a registry with a wrong field is refused with its name",
  async () => {
    await using files = temporaryFolder();
    const folder = join(files.path, "models");
    await changeRegistry(folder, (before) => withEntry(before, ENTRY));
    const path = registryPath(folder);
    const { checksum: _, ...good } = JSON.parse(Deno.readTextFileSync(path));
    const entry = (change: Record<string, unknown>) => ({
      ...good,
      history: [{ ...ENTRY, ...change }],
    });
    const wrong: [unknown, RegExp][] = [
      [[], /it must be an object/],
      [{ ...good, format: "other" }, /format must be fraudstream-models/],
      [{ ...good, formatVersion: 2 }, /formatVersion must be 1/],
      [{ ...good, champion: 7 }, /champion must be text, not 7/],
      [{ ...good, decidedDay: 0.5 }, /decidedDay must be a whole number/],
      [{ ...good, ended: "no" }, /ended must be true or false/],
      [{ ...good, history: {} }, /history must be a list/],
      [entry({ day: -1 }), /history\[0\]\.day must be a whole number/],
      [entry({ action: "guessed" }), /action must be added, .* or rolled back/],
      [entry({ reason: null }), /history\[0\]\.reason must be text/],
      [entry({ metrics: { "auc_roc": "high" } }), /metrics\.auc_roc must be a/],
      [{ ...good, checksum: 1 }, /it does not match its checksum/],
    ];
    Deno.writeTextFileSync(path, "{");
    assert.throws(() => readRegistry(folder), /it must be JSON, not "\{"/);
    for (const [content, message] of wrong) {
      Deno.writeTextFileSync(path, JSON.stringify(content));
      assert.throws(() => readRegistry(folder), (error) => {
        assert.ok(error instanceof ModelError);
        assert.ok(error.message.startsWith(`${path} is not a registry`));
        assert.match(error.message, message);
        return true;
      });
    }
    // An older version wrote no checksum.
    // Neither had older entries a date.
    const { at: _at, ...entryBefore } = good.history[0];
    const older = { ...good, history: [entryBefore] };
    Deno.writeTextFileSync(path, JSON.stringify(older));
    assert.deepEqual(readRegistry(folder).history, [ENTRY]);
  },
);

testWriting(
  "a version's file that holds another model is refused",
  async () => {
    await using files = temporaryFolder();
    const [model, other] = [linearModel(), linearModel(2)];
    keepVersion(files.path, model.version, formatModelFile(model));
    assert.equal(openVersion(files.path, model.version).version, model.version);
    keepVersion(files.path, model.version, formatModelFile(other));
    assert.throws(
      () => openVersion(files.path, model.version),
      /holds the model [0-9a-f]+, but the registry says [0-9a-f]+; restore/,
    );
  },
);

testWriting(
  "a change waits for the lock of another one, but not for ever",
  async () => {
    await using files = temporaryFolder();
    const path = join(files.path, "registry.lock");
    const change = () =>
      changeRegistry(
        files.path,
        (before) => withEntry(before, ENTRY),
        new VirtualClock(1),
      );
    {
      using _held = takeLock(path, "a test");
      await assert.rejects(change(), LockHeldError);
    }
    const held = takeLock(path, "a test");
    const changed = change();
    held[Symbol.dispose]();
    assert.equal((await changed).history.length, 1);
  },
);

testWriting("what replaces the registry leaves nothing beside it", async () => {
  await using files = temporaryFolder();
  await changeRegistry(files.path, (before) => withEntry(before, ENTRY));
  keepVersion(files.path, ENTRY.version, "{}");
  const names = [...Deno.readDirSync(files.path)].map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => !name.includes(".lock")).sort(),
    [
      `${ENTRY.version}.json`,
      "registry.json",
    ].sort(),
  );
});
