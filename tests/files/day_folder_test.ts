/** Folders of days: whose they are, what damages them, and what a power cut in the log makes of them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError } from "../../src/base/error.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  addDays,
  appendToSink,
  dateOf,
  DAY_STREAM,
  daysOf,
  expectedDays,
  keepDays,
} from "../roles/day_stream.ts";
import { type OpenFolder, openFolder, openMemory } from "../roles/pipeline.ts";
import { valuesOfTopic } from "../roles/stages.ts";

function namesOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => !name.startsWith("manifest.lock")).sort();
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const name of namesOf(from)) {
    Deno.copyFileSync(join(from, name), join(to, name));
  }
}

async function assertWhole(open: OpenFolder, folder: string): Promise<void> {
  assert.deepEqual(daysOf(folder), await expectedDays(open));
}

async function errorOf(work: Promise<void>): Promise<DataError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof DataError, String(error));
    assert.doesNotMatch(error.message, /\n/);
    return error;
  }
}

testWriting(
  "complete days are sorted, the newest grows, and a start goes on",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 4);
    await keepDays(open, folder.path);
    assert.deepEqual(namesOf(folder.path), [
      ...[0, 1, 2].map((day) => `${dateOf(day)}.jsonl`),
      `${dateOf(3)}.part`,
      "manifest.json",
    ]);
    await assertWhole(open, folder.path);
    await addDays(open, 4, 6);
    await keepDays(open, folder.path);
    await assertWhole(open, folder.path);
  },
);

testWriting(
  "a late row takes a complete day up again, and a start in between does too",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 4);
    await keepDays(open, folder.path);
    for (const id of [5001, 5000]) {
      const [first] = await valuesOfTopic(open.log, SINK_TOPIC);
      await appendToSink(
        open,
        first.replace(/"TRANSACTION_ID":\d+/, `"TRANSACTION_ID":${id}`),
      );
      await keepDays(open, folder.path);
      await assertWhole(open, folder.path);
    }
  },
);

testWriting(
  "the folder of another stream is refused, and so is another form",
  async () => {
    await using folder = temporaryFolder();
    await using mine = await openMemory(DAY_STREAM);
    await addDays(mine, 0, 3);
    await keepDays(mine, folder.path);
    await using other = await openMemory(DAY_STREAM);
    await addDays(other, 0, 3);
    await assert.rejects(keepDays(other, folder.path), {
      code: "DATA",
      message:
        /holds the files of another stream \([0-9a-f-]{36}, this one is [0-9a-f-]{36}\): choose another folder for --files, or delete this one if that stream is gone$/,
    });
    await assert.rejects(keepDays(mine, folder.path, "csv"), {
      message: /holds jsonl files, not csv/,
    });
    await keepDays(mine, folder.path);
    await assertWhole(mine, folder.path);
    // The advice.
    const another = join(folder.path, "another");
    await keepDays(other, another);
    await assertWhole(other, another);
    for (const name of namesOf(folder.path)) {
      await Deno.remove(join(folder.path, name), { recursive: true });
    }
    await keepDays(other, folder.path);
    await assertWhole(other, folder.path);
  },
);

testWriting(
  "a day's file that the manifest does not know is never replaced",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 3);
    const path = join(folder.path, `${dateOf(1)}.jsonl`);
    Deno.writeTextFileSync(path, "somebody's own");
    await assert.rejects(keepDays(open, folder.path), {
      message: /holds 2018-04-02\.jsonl but no manifest\.json: choose an empty/,
    });
    // The advice.
    const empty = join(folder.path, "empty");
    await keepDays(open, empty);
    await assertWhole(open, empty);
    Deno.writeTextFileSync(join(empty, `${dateOf(9)}.jsonl`), "somebody's own");
    await assert.rejects(keepDays(open, empty), {
      message:
        /holds 2018-04-10\.jsonl, which its manifest\.json does not know/,
    });
    assert.equal(Deno.readTextFileSync(path), "somebody's own");
  },
);

testWriting("a folder of the version before is continued", async () => {
  for (const harm of ["none", "short", "missing"] as const) {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 4);
    await keepDays(open, folder.path);
    const path = join(folder.path, "manifest.json");
    const { format, partitions, parts, complete } = JSON.parse(
      Deno.readTextFileSync(path),
    );
    const old = {
      version: 1,
      format,
      offsets: partitions.map(({ offset }: { offset: number }) => offset),
      progress: partitions.map(({ progress }: { progress: number }) =>
        progress
      ),
      parts: Object.fromEntries(
        Object.entries(parts as Record<string, { bytes: number; day: number }>)
          .map(([date, { bytes, day }]) => [date, { bytes, day }]),
      ),
      complete: Object.keys(complete),
    };
    Deno.writeTextFileSync(path, JSON.stringify(old, null, 1) + "\n");
    await addDays(open, 4, 6);
    const part = join(folder.path, `${dateOf(3)}.part`);
    if (harm === "short") Deno.truncateSync(part, 10);
    if (harm === "missing") Deno.removeSync(part);
    const error = await errorOf(keepDays(open, folder.path));
    if (harm === "none") {
      assert.equal(error, undefined);
      await assertWhole(open, folder.path);
      assert.equal(JSON.parse(Deno.readTextFileSync(path)).version, 2);
    } else assert.ok(error?.message.startsWith(`${part} `), String(error));
  }
});

testWriting(
  "a folder that is about to be removed is filled again wherever that was cut",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 4);
    const whole = join(folder.path, "whole");
    await keepDays(open, whole);
    for (let kept = 0; kept <= 4; kept++) {
      const path = join(folder.path, `cut-${kept}`);
      copyFolder(whole, path);
      await cutLog(open, async (cut) => {
        // The removal of its files ends in the middle, as in a power cut.
        let left = kept;
        const { removeSync } = Deno;
        Deno.removeSync = (name) => {
          const isDay = /\.(part|jsonl)$/.test(String(name));
          if (isDay && left-- === 0) throw new Error("power cut");
          removeSync(name);
        };
        try {
          await assert.rejects(keepDays(cut, path), /power cut/);
        } finally {
          Deno.removeSync = removeSync;
        }
      });
      await keepDays(open, path);
      await assertWhole(open, path);
    }
  },
);

/** Hands out the stream with its log as a power cut would leave it: the last records of the sink are gone. */
async function cutLog(
  open: OpenFolder,
  body: (cut: OpenFolder) => Promise<void>,
): Promise<void> {
  const { topics } = open.log;
  open.log.topics = async (names) =>
    (await topics.call(open.log, names)).map((state) => ({
      ...state,
      endOffsets: state.endOffsets.map((end) => Math.max(0, end - 5)),
    }));
  try {
    await body(open);
  } finally {
    open.log.topics = topics;
  }
}

/** A stream on disk whose log can be set back. */
async function onDisk(
  folder: string,
  body: (open: OpenFolder) => Promise<void>,
): Promise<void> {
  await using open = await openFolder(folder, DAY_STREAM);
  await body(open);
}

testWriting(
  "where a power cut has cut the log back the folder is filled again",
  async () => {
    for (const regrown of [0, 6, 9]) {
      await using folder = temporaryFolder();
      const data = join(folder.path, "data");
      const files = join(folder.path, "files");
      Deno.mkdirSync(data);
      await onDisk(data, (open) => addDays(open, 0, 4));
      const log = join(data, "log.db");
      Deno.copyFileSync(log, `${log}.before`);
      await onDisk(data, async (open) => {
        await addDays(open, 4, 7);
        await keepDays(open, files);
        await assertWhole(open, files);
      });
      Deno.renameSync(`${log}.before`, log);
      await onDisk(data, async (open) => {
        // Other payments take the places of those that were lost.
        if (regrown > 0) await addDays(open, 4, regrown, 50);
        await keepDays(open, files);
        await assertWhole(open, files);
      });
    }
  },
);

testWriting(
  "a log cut back that no longer holds the beginning is refused, and its advice works",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const files = join(folder.path, "files");
    Deno.mkdirSync(data);
    await onDisk(data, (open) => addDays(open, 0, 6));
    const log = join(data, "log.db");
    Deno.copyFileSync(log, `${log}.before`);
    await onDisk(data, async (open) => {
      await addDays(open, 6, 9);
      await keepDays(open, files);
    });
    Deno.renameSync(`${log}.before`, log);
    await onDisk(data, async (open) => {
      const before = daysOf(files);
      for (const partition of [0, 1]) {
        await open.log.trim(SINK_TOPIC, partition, 20);
      }
      const error = await errorOf(keepDays(open, files));
      assert.match(
        error?.message ?? "",
        /^the files in \S+ end at offset \d+ of transaction_sink_topic partition 0, and the log lost records before it, as in a power cut; whole days are in it from 2018-04-0\d on: name another folder with --files/,
      );
      assert.deepEqual(daysOf(files), before);
      await addDays(open, 6, 9, 50);
      const day = /from (\S+) on/.exec(error?.message ?? "")?.[1] ?? "none";
      const other = join(folder.path, "other");
      await keepDays(open, other);
      const expected = await expectedDays(open);
      const whole = [...expected].filter(([date]) => date >= day);
      assert.ok(whole.length >= 5 && whole.length < expected.size);
      assert.deepEqual(
        [...daysOf(other)].filter(([date]) => date >= day),
        whole,
      );
    });
  },
);

testWriting(
  "records that are deleted before they are in a file are refused by name",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 3);
    await keepDays(open, folder.path);
    await addDays(open, 3, 9);
    const [sink] = await open.log.topics([SINK_TOPIC]);
    await open.log.trim(SINK_TOPIC, 1, sink.endOffsets[1] - 20);
    await assert.rejects(keepDays(open, folder.path), {
      code: "DATA",
      message:
        /end at offset \d+ of transaction_sink_topic partition 1, and the log begins at \d+ only; whole days are in it from 2018-04-\d\d on/,
    });
  },
);

const HARM = ["flip", "truncate", "remove", "grow"] as const;

/** Damages a file at random; gives what was done. */
function damage(folder: string, seed: number): string {
  const random = chance(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const names = namesOf(folder);
  const name = names[pick(names.length)];
  const path = join(folder, name);
  const bytes = Deno.readFileSync(path);
  const harm = HARM[pick(HARM.length)];
  const at = pick(bytes.length);
  if (harm === "flip") {
    bytes[at] ^= 1 << pick(8);
    Deno.writeFileSync(path, bytes);
  } else if (harm === "truncate") Deno.truncateSync(path, at);
  else if (harm === "remove") Deno.removeSync(path);
  else Deno.writeTextFileSync(path, "more", { append: true });
  return `${harm} ${name} at ${at}`;
}

testWriting(
  "damages of a folder are each named, healed or harmless",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(DAY_STREAM);
    await addDays(open, 0, 5);
    const whole = join(folder.path, "whole");
    await keepDays(open, whole);
    await addDays(open, 5, 7);
    const expected = await expectedDays(open);
    const outcomes = { named: 0, whole: 0 };
    await forEachSeed(40, 2000, async (seed) => {
      const path = join(folder.path, `damaged-${seed}`);
      copyFolder(whole, path);
      const what = damage(path, seed);
      const error = await errorOf(keepDays(open, path));
      if (error) {
        outcomes.named++;
        const [, name] = what.split(" ");
        assert.ok(
          error.message.includes(name) || /manifest\.json/.test(error.message),
          `${what}: ${error.message}`,
        );
        // The advice: the folder is filled again.
        assert.match(error.message, /delete the folder|choose an empty folder/);
        await Deno.remove(path, { recursive: true });
        await keepDays(open, path);
      } else outcomes.whole++;
      assert.deepEqual(daysOf(path), expected, what);
      await Deno.remove(path, { recursive: true });
    });
    const tried = outcomes.named + outcomes.whole;
    // Harmless: a part that grew is cut back, a flipped space means nothing.
    assert.ok(tried < 10 || outcomes.named > tried / 2, String(tried));
  },
);
