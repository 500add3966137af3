/** `run --shadow-model` and `shadow` as a user types them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { linearModel, writeModel } from "../roles/models.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

testRunning(
  "a shadow model is refused where it cannot score, counted in the summary, and compared by shadow",
  async () => {
    await using files = temporaryFolder();
    const data = join(files.path, "shop");
    const model = join(files.path, "new.json");
    writeModel(model, linearModel());
    const { version } = linearModel();
    const run = ["run", "--preset=seed", "--days=10", "--rate=max"];
    const place = `--data=${data}`;
    const lost = await runMain([...run, place, `--shadow-model=${model}x`]);
    assert.equal(lost.code, 1);
    assert.match(
      lost.stderr,
      /cannot read .*new\.jsonx: there is no such file/,
    );
    await assert.rejects(Deno.stat(data));
    const done = await runMain([...run, place, `--shadow-model=${model}`]);
    assert.equal(done.code, 0, done.stderr);
    const line = new RegExp(
      `\nshadow     model ${version}: [\\d,]+ payments, [\\d,]+ alerts, ` +
        "([\\d,]+) gained, ([\\d,]+) lost\n",
    );
    const [, gained, missed] = line.exec(done.stdout) ?? [];
    assert.ok(gained !== undefined, done.stdout);
    const text = await runMain(["shadow", place]);
    assert.equal(text.code, 0, text.stderr);
    assert.ok(text.stdout.startsWith(`model ${version}: `));
    assert.match(
      text.stdout,
      new RegExp(`alerts gained ${gained}, .*; lost ${missed},`),
    );
    assert.match(text.stdout, /\n2018-04-10 /);
    const json = await runMain(["shadow", place, "--threshold=0", "--json"]);
    const [{ total, days }] = JSON.parse(json.stdout);
    assert.equal(days.length, 10);
    assert.equal(total.shadow.alerts, total.payments);
    assert.equal(total.lost, 0);
    // A stream does not end because a shadow model that it has is gone.
    await Deno.remove(model);
    const again = await runMain(["run", "--rate=max", place]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(
      again.stderr.split("the shadow model cannot be used").length,
      2,
    );
    const plain = join(files.path, "plain");
    await runMain([
      ...["run", "--preset=seed", "--days=1", "--rate=max"],
      `--data=${plain}`,
    ]);
    const none = await runMain(["shadow", `--data=${plain}`]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no shadow model has scored a payment/);
  },
);
