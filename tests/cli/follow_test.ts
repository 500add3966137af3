/** `run --follow`: other features for the payments of a stream, killed on the way, and the source moved to the new stream under load. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { chance, isLong, seeds } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { statusOf, waitFor } from "./data_folder.ts";
import { followCsv, NEW, OLD, ROWS } from "./follow_set.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const KILLS = isLong ? 12 : 2;
const [SEED] = seeds(1, 1);

const ROLES = "--role=producer,processor,writer";

async function succeed(cwd: string, ...args: string[]) {
  const outcome = await runMain(args, { cwd });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** A folder with payments, the two definitions, and a stream that had the new one from the start. */
async function begin(path: string): Promise<() => number> {
  const random = chance(SEED);
  await Deno.writeTextFile(join(path, "payments.csv"), followCsv(random));
  await Deno.writeTextFile(join(path, "old.yaml"), OLD);
  await Deno.writeTextFile(join(path, "new.yaml"), NEW);
  await succeed(
    path,
    ...["run", ROLES, "--definition=new.yaml", "--in=payments.csv"],
    ...["--data=whole", "--rate=max"],
  );
  return random;
}

const FOLLOWING = ["run", ROLES, "--definition=new.yaml", "--data=new"];

testRunning(
  `a stream that follows another one, killed ${KILLS} times, has what it had from the start; then the source moves to it (seed ${SEED})`,
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const random = await begin(path);
    const source = ["--definition=old.yaml", "--in=payments.csv"];
    const old = startProgram(
      ["run", ROLES, ...source, "--data=old", "--rate=300"],
      { cwd: path },
    );
    const oldOutcome = outcomeOf(old);
    await old.stdin.close();
    await waitFor(join(path, "old"), ({ produced }) => produced > 100);
    const follow = [...FOLLOWING, "--follow=old"];
    for (let kill = 0; kill < KILLS; kill++) {
      const child = startProgram(follow, { cwd: path });
      const outcome = outcomeOf(child);
      await child.stdin.close();
      const before = (await statusOf(join(path, "new")))?.stages[1].counters
        .emitted ?? 0;
      const more = Math.floor(100 + 400 * random());
      await waitFor(
        join(path, "new"),
        ({ stages }) => stages[1].counters.emitted >= before + more,
      );
      child.kill("SIGKILL");
      await outcome;
    }
    const held = await succeed(path, "status", "--data=old");
    assert.match(held.stdout, /^follower {3}.*new: [\d,]+ records? to take/m);
    const forget = ["status", "--data=old", "--forget-follower=./new"];
    const forgotten = await succeed(path, ...forget);
    assert.doesNotMatch(forgotten.stdout, /^follower/m);
    const other = await runMain(forget, { cwd: path });
    assert.equal(other.code, 2);
    assert.match(other.stderr, /no such stream follows this one; none does/);
    // While payments still come to the old stream, the source stays there.
    const early = await runMain(FOLLOWING, { cwd: path });
    assert.equal(early.code, 2);
    assert.match(early.stderr, /stop that process first/);
    old.kill("SIGTERM");
    const { code, stderr } = await oldOutcome;
    assert.equal(code, 0, stderr);
    const published = (await statusOf(join(path, "old")))?.produced ?? 0;
    assert.ok(published > 300 && published < ROWS, `${published} published`);
    const left = await runMain(FOLLOWING, { cwd: path });
    assert.equal(left.code, 2);
    assert.match(left.stderr, /has still to take \d+ of its records/);
    const last = startProgram(follow, { cwd: path });
    const lastOutcome = outcomeOf(last);
    await last.stdin.close();
    await waitFor(
      join(path, "new"),
      ({ follow }) => follow?.records === published,
    );
    // It has said again what it needs.
    const known = await succeed(path, "status", "--data=old");
    assert.match(known.stdout, /^follower {3}.*new: /m);
    last.kill("SIGTERM");
    assert.equal((await lastOutcome).code, 0);
    await succeed(path, ...FOLLOWING, "--rate=max");
    // Nothing came twice, which the stages would have dropped.
    const ended = (await statusOf(join(path, "new")))?.stages[0].counters;
    assert.deepEqual([ended?.read, ended?.emitted], [ROWS, ROWS]);
    for (const data of ["new", "whole"]) {
      await succeed(
        path,
        ...["export", `--data=${data}`, "--with=payment,label"],
        `--out=${data}.csv`,
      );
    }
    const rows = await Deno.readTextFile(join(path, "new.csv"));
    assert.ok(rows.startsWith("TRANSACTION_ID,") && rows.includes("SHOP_AGE"));
    assert.equal(rows, await Deno.readTextFile(join(path, "whole.csv")));
    await succeed(path, "status", "--data=new", "--verify");
    const back = await runMain(["run", "--data=old"], { cwd: path });
    assert.equal(back.code, 2);
    assert.match(back.stderr, /source of this stream has moved to .*new,/);
    const again = await runMain(follow, { cwd: path });
    assert.equal(again.code, 0, again.stderr); // all is there
    const free = await succeed(path, "status", "--data=old");
    assert.doesNotMatch(free.stdout, /^follower/m);
  },
);

testRunning(
  "a wrong --follow is refused before anything is begun",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    await Deno.writeTextFile(join(path, "old.yaml"), OLD);
    await Deno.writeTextFile(join(path, "new.yaml"), NEW);
    const refused = async (message: RegExp, ...args: string[]) => {
      const outcome = await runMain([...FOLLOWING, ...args], { cwd: path });
      assert.equal(outcome.code, 2, outcome.stderr);
      assert.match(outcome.stderr, message);
      assert.equal(await statusOf(join(path, "new")), undefined);
    };
    await refused(/there is no stream in this folder/, "--follow=nothing");
    await refused(/names the stream itself/, "--follow=./new");
    await refused(/--rate cannot be given/, "--follow=old", "--rate=max");
  },
);
