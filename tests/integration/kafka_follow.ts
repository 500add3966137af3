/** A stream on a real Kafka that follows another one by its topic prefix, killed on the way; then the source moves to it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { readStatus, type StreamStatus } from "../../src/stream/status.ts";
import { CONTROL_TOPIC } from "../../src/stream/topics.ts";
import { followCsv, NEW, OLD, ROWS } from "../cli/follow_set.ts";
import { chance } from "../long.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { freshSettings } from "./servers.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";

/** Without the feature that only one partition leaves room for. */
const DEFINITION = NEW.split("\n").filter((line) => !/SHOP_AGE/.test(line))
  .join("\n");

async function finish(name: string, args: readonly string[]): Promise<string> {
  await using process = new RoleProcess(name, args);
  const { code, stdout } = await process.ended();
  assert.equal(code, 0, process.tail());
  return stdout;
}

/** Waits until a stream's status is as wanted, or a process has failed. */
async function waitFor(
  settings: KafkaSettings,
  process: RoleProcess,
  holds: (status: StreamStatus) => boolean,
): Promise<void> {
  await using log = await openLog(settings, () => {});
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const status = await log.endOffsets(CONTROL_TOPIC) &&
      await readStatus(log, new Control(log));
    if (status && holds(status)) return;
    const failed = process.unexpectedCode !== undefined;
    assert.ok(!failed && performance.now() < deadline, process.tail());
    await delay(50);
  }
}

testServing(
  "a stream follows another one of the same Kafka by its prefix, is killed, and takes over its source",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(path("payments.csv"), followCsv(chance(1)));
    Deno.writeTextFileSync(path("old.yaml"), OLD);
    Deno.writeTextFileSync(path("new.yaml"), DEFINITION);
    const [old, own] = [await freshSettings(), await freshSettings()];
    const on = ({ brokers, prefix }: KafkaSettings) => [
      "--log=kafka",
      `--brokers=${brokers[0]}`,
      `--topic-prefix=${prefix}`,
      "--session-timeout=3s",
      `--data=${path(prefix)}`,
    ];
    const source = `--in=${path("payments.csv")}`;
    const definition = `--definition=${path("new.yaml")}`;
    const roles = "--role=producer,processor,writer";
    const columns = "--with=payment,label";
    await using producing = new RoleProcess("old", [
      ...["run", "--role=producer", ...on(old), source, "--partitions=2"],
      ...[`--definition=${path("old.yaml")}`, "--rate=300"],
    ]);
    // Meanwhile, a stream that had the definition from the start.
    const whole = finish("whole", [
      ...["run", roles, `--data=${path("whole")}`, definition, source],
      ...["--partitions=2", "--rate=max"],
    ]).then(() =>
      finish("export", [
        ...["export", `--data=${path("whole")}`, columns, "--out=-"],
      ])
    );
    whole.catch(() => {}); // it is awaited below
    await waitFor(old, producing, ({ produced }) => produced > 0);
    const following = ["run", roles, ...on(own), definition];
    const follow = [...following, `--follow=${old.prefix}`];
    {
      await using killed = new RoleProcess("new", follow);
      await waitFor(own, killed, ({ follow }) => (follow?.records ?? 0) > 300);
      await killed.kill();
    }
    await using last = new RoleProcess("new", follow);
    await waitFor(own, last, ({ stages }) => stages[1].counters.emitted > 900);
    // The source stops under load, and the follower takes what is left.
    await producing.stop();
    await using log = await openLog(old, () => {});
    await using ownLog = await openLog(own, () => {});
    const { produced } = await readStatus(log, new Control(log));
    assert.ok(produced > 900 && produced < ROWS, `${produced} published`);
    await waitFor(own, last, ({ follow }) => follow?.records === produced);
    await last.stop();
    await finish("new", [...following, "--rate=max"]);
    // Nothing came twice, which the stages would have dropped.
    const ended = await readStatus(ownLog, new Control(ownLog));
    const { read, emitted } = ended.stages[0].counters;
    assert.deepEqual([read, emitted], [ROWS, ROWS]);
    const [stored] = await Promise.all([
      finish("export", ["export", ...on(own), columns, "--out=-"]),
      finish("status", ["status", ...on(own), "--verify"]),
    ]);
    assert.equal(stored.split("\n").length, ROWS + 2);
    assert.equal(stored, await whole);
  },
);
