/** Payments of files in place of a simulation: mapped, paced, stopped anywhere and continued. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readDefinition } from "../../src/definition/read_definition.ts";
import type { Logger } from "../../src/base/logger.ts";
import { runFileProducer } from "../../src/roles/file_producer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import type { Pace } from "../../src/roles/role.ts";
import { Control } from "../../src/stream/control.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import { TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { type OpenFolder, openMemory, parametersOf } from "./pipeline.ts";
import { sinkRows } from "./stages.ts";

const DEFINITION_TEXT = `version: 1
payment:
  TRANSACTION_ID: { from: row }
  TX_DATETIME: { from: when, format: epoch-s }
  CUSTOMER_ID: card
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: { from: amt, decimals: 3, refunds: true }
  TX_FRAUD: fraud
  keep: { category: text }
  drop: [secret]
`;

/** A stream of these payments; `more` are further lines of its definition. */
function parametersWith(more: string, grace: { graceSeconds?: number } = {}) {
  const text = DEFINITION_TEXT + more;
  const parameters = parametersOf(3);
  return {
    ...parameters,
    features: { ...parameters.features, delayDays: 1, ...grace },
    definition: recordedDefinition(readDefinition(text, "tests")),
  };
}

const PARAMETERS = parametersWith("");
const LABELS_LATER = parametersWith(
  "labels: { from: stream, delay: 1d, grace: 12h }\n",
  { graceSeconds: 12 * 3600 },
);
const MAX: Pace = { kind: "max" };
/** Hands out some rows every few milliseconds. */
const IN_PIECES: Pace = { kind: "rate", perSecond: 4000 };
const START = Date.UTC(2024, 0, 31) / 1000;

/** Rows of one file: 1 of 50 is no payment. */
function csv(from: number, rows: number): string {
  const lines = Array.from({ length: rows }, (_, at) => {
    const n = from + at;
    const amount = n % 50 === 7 ? "much" : (n % 900 - 100) / 1000;
    const category = n % 3 === 0 ? "" : `"a, ""${n % 5}"""`;
    return `${START + 3600 + 40 * n},${4n * 10n ** 18n + BigInt(n % 90)},` +
      `${n % 70},${amount},${n % 2},${category},x,m${n}`;
  });
  return `when,card,shop,amt,fraud,category,secret,more\n${lines.join("\n")}\n`;
}

async function recordsOf({ log }: OpenFolder): Promise<string[][]> {
  return (await topicRecords(log, TRANSACTION_TOPIC)).map((records) =>
    records.map(({ key, value }) => `${key} ${value}`)
  );
}

async function writeFiles(folder: string): Promise<string> {
  await Deno.writeTextFile(join(folder, "2024-01-31.csv"), csv(0, 2500));
  await Deno.writeTextFile(join(folder, "2024-02-01.csv"), csv(2500, 2000));
  return folder;
}

function produce(
  folder: OpenFolder,
  path: string,
  pace: Pace,
  signal?: AbortSignal,
  logger?: Logger,
  published: (newestSeconds: number) => void = () => {},
): Promise<void> {
  const context = {
    ...folder.context,
    control: new Control(folder.log),
    ...signal ? { signal } : {},
    ...logger ? { logger } : {},
  };
  const input = { path, format: undefined, hmacKeyFile: undefined };
  return runFileProducer(context, { input, pace, published });
}

testWriting(
  "rows of files are published as the definition maps them, and the others counted",
  async () => {
    await using files = temporaryFolder();
    const path = await writeFiles(files.path);
    await using folder = await openMemory(PARAMETERS);
    const warnings: unknown[] = [];
    const warn: Logger["warn"] = (message, fields) =>
      warnings.push({ message, ...fields });
    const seconds: number[] = [];
    await produce(
      folder,
      path,
      MAX,
      undefined,
      { ...folder.context.logger, warn },
      (newest) => seconds.push(newest),
    );
    // Of the last row; the latency is measured by these.
    assert.equal(seconds.at(-1), 3600 + 40 * 4499);
    assert.deepEqual(seconds, seconds.toSorted((a, b) => a - b));
    const records = (await recordsOf(folder)).flat();
    assert.equal(records.length, 4500 - 90);
    const nineth = records.find((record) => record.includes('"more":"m8"'));
    assert.equal(
      nineth,
      "4000000000000000008 " + JSON.stringify({
        TRANSACTION_ID: 9,
        TX_DATETIME: "2024-01-31 01:05:20",
        CUSTOMER_ID: "4000000000000000008",
        TERMINAL_ID: 8,
        TX_AMOUNT: -0.092,
        TX_TIME_SECONDS: 3920,
        TX_TIME_DAYS: 0,
        TX_FRAUD: 0,
        category: 'a, "3"',
        more: "m8",
      }),
    );
    assert.equal(warnings.length, 2);
    assert.match(JSON.stringify(warnings[0]), /2024-01-31\.csv:9: amt/);
    assert.match(JSON.stringify(warnings[1]), /"rejected":90,"rows":4500/);
    const { control } = folder.context;
    await control.refresh();
    assert.deepEqual(control.end(TRANSACTION_TOPIC), { rows: 4410 });
    assert.equal(control.origin?.startSeconds, START);
    await runProcessor(folder.context, undefined);
    assert.equal((await sinkRows(folder.log)).length, 4410);
  },
);

testWriting(
  "a producer that is stopped anywhere continues exactly there, also between files",
  async () => {
    await using files = temporaryFolder();
    const path = await writeFiles(files.path);
    await using whole = await openMemory(PARAMETERS);
    await produce(whole, path, MAX);
    await using folder = await openMemory(PARAMETERS);
    let runs = 0;
    const { control } = folder.context;
    while (!control.end(TRANSACTION_TOPIC)) {
      // Stops after so many appends, whatever the machine's speed.
      const stop = new AbortController();
      let left = 1 + runs++ % 5;
      const appended = () => --left === 0 && stop.abort();
      await produce(
        folder,
        path,
        IN_PIECES,
        stop.signal,
        undefined,
        appended,
      );
      await control.refresh();
    }
    assert.ok(runs > 3, `${runs} runs`);
    assert.deepEqual(await recordsOf(folder), await recordsOf(whole));
    const { position } = control;
    assert.equal(position?.nextId, 4410);
    assert.equal(position?.rejected, 90);
    await produce(folder, path, MAX); // nothing more
    await assert.rejects(
      produce(folder, join(path, "2024-01-31.csv"), MAX),
      /holds the stream of --in=.*give these flags/,
    );
  },
);

testWriting(
  "labels of files follow their payments, once each however often the producer stops, and give the features of labels in the payments",
  async () => {
    await using files = temporaryFolder();
    const path = await writeFiles(files.path);
    await using whole = await openMemory(LABELS_LATER);
    await produce(whole, path, MAX);
    await using folder = await openMemory(LABELS_LATER);
    let runs = 0;
    let reread = 0;
    const { control } = folder.context;
    while (!control.end(TRANSACTION_TOPIC)) {
      const signal = AbortSignal.timeout(15 + 7 * (runs++ % 5));
      await produce(folder, path, IN_PIECES, signal);
      await control.refresh();
      if (control.position?.labels) reread++;
    }
    assert.ok(runs > 3 && reread > 1, `${runs} runs`);
    const records = await recordsOf(folder);
    assert.deepEqual(records, await recordsOf(whole));
    const labels = records.flat().filter((json) => json.includes("KNOWN_AT"));
    assert.ok(labels.length > 3000, `${labels.length} labels`);
    assert.equal(2 * labels.length, records.flat().length);
    assert.equal(new Set(labels).size, labels.length);
    await using carried = await openMemory(PARAMETERS);
    await produce(carried, path, MAX);
    await runProcessor(carried.context, undefined);
    await runProcessor(folder.context, undefined);
    const [later, sooner] = await Promise.all(
      [folder, carried].map(async ({ log }) => {
        const rows = (await sinkRows(log)).map(({ TX_FRAUD: _, ...row }) =>
          row
        );
        return rows.sort((a, b) =>
          Number(a.TRANSACTION_ID) - Number(b.TRANSACTION_ID)
        );
      }),
    );
    assert.deepEqual(later, sooner);
    const risks = later.map((row) => row.TERMINAL_ID_RISK_30DAY_WINDOW);
    assert.ok(risks.filter((risk) => risk === 1).length > 500);
  },
);

testWriting(
  "files that are far from the order of time are refused before a stream begins, with what to do",
  async () => {
    await using files = temporaryFolder();
    const path = join(files.path, "by_card.csv");
    const [header, ...rows] = csv(0, 400).trimEnd().split("\n");
    const two = [
      ...rows.filter((_, at) => at % 2),
      ...rows.filter((_, at) => !(at % 2)),
    ];
    await Deno.writeTextFile(path, [header, ...two, ""].join("\n"));
    await using folder = await openMemory({
      ...PARAMETERS,
      latenessSeconds: 3600,
    });
    await assert.rejects(
      produce(folder, path, MAX),
      /by_card\.csv is not in order of time: \d+ of the first 392 payments .*import/,
    );
    const all = csv(0, 9000).trimEnd().split("\n");
    const newestFirst = [header, ...all.slice(1).toReversed(), ""];
    await Deno.writeTextFile(path, newestFirst.join("\n"));
    await assert.rejects(produce(folder, path, MAX), /not in order of time/);
    const { control } = folder.context;
    await control.refresh();
    assert.equal(control.origin, undefined);
    // A few are what --lateness is for: they become dead letters.
    const few = [...rows.slice(0, 390), ...rows.slice(0, 10)];
    await Deno.writeTextFile(path, [header, ...few, ""].join("\n"));
    await produce(folder, path, MAX);
    await control.refresh();
    assert.equal(control.position?.rows, 400);
  },
);

/** Publishes files until about half of their rows are in the log. */
async function produceHalf(folder: OpenFolder, path: string): Promise<void> {
  const stop = new AbortController();
  const { control } = folder.context;
  await produce(folder, path, IN_PIECES, stop.signal, undefined, () => {
    control.refresh().then(() => {
      if ((control.position?.rows ?? 0) > 2000) stop.abort();
    });
  });
}

testWriting(
  "files that have changed behind what was published are refused by name; what came at the end is published",
  async () => {
    await using files = temporaryFolder();
    const first = join(files.path, "a.csv");
    const second = join(files.path, "b.csv");
    const [one, two] = [csv(0, 2500), csv(2500, 2000)];
    const write = () => {
      Deno.writeTextFileSync(first, one);
      Deno.writeTextFileSync(second, two);
    };
    write();
    await using whole = await openMemory(PARAMETERS);
    await produce(whole, files.path, MAX);
    await using folder = await openMemory(PARAMETERS);
    await produceHalf(folder, first);
    const elsewhere = `${first}x`;
    const changes: [() => void, RegExp][] = [
      [
        () => Deno.writeTextFileSync(first, one.slice(0, 60_000)),
        /a\.csv has 60,000 bytes and had [\d,]+ since its rows were published/,
      ],
      [
        () => Deno.writeTextFileSync(first, one.replace("fraud", "Fraud")),
        /a\.csv has changed since its rows were published; give the data/,
      ],
      [
        () => {
          Deno.renameSync(first, elsewhere);
          Deno.renameSync(second, first);
          Deno.renameSync(elsewhere, second);
        },
        /a\.csv has [\d,]+ bytes and had [\d,]+/,
      ],
    ];
    for (const [change, says] of changes) {
      change();
      const stop = AbortSignal.timeout(1);
      const found = await produce(folder, first, IN_PIECES, stop).then(
        () => "",
        (error) => error.message,
      );
      assert.match(found, says);
      write();
    }
    // Grown at its end.
    Deno.writeTextFileSync(first, one + two.replace(/^.*\n/, ""));
    await produce(folder, first, MAX);
    assert.deepEqual(await recordsOf(folder), await recordsOf(whole));
    const warnings: unknown[] = [];
    Deno.writeTextFileSync(first, "\n", { append: true });
    await produce(folder, first, MAX, undefined, {
      ...folder.context.logger,
      warn: (_, fields) => warnings.push(fields),
    });
    assert.match(
      JSON.stringify(warnings),
      /a\.csv has grown by 1 byte since the stream was completed/,
    );
    Deno.removeSync(first);
    await produce(folder, first, MAX); // complete: nothing is read
  },
);

testWriting("files without a payment end the stream at once", async () => {
  await using files = temporaryFolder();
  const path = join(files.path, "none.csv");
  await Deno.writeTextFile(path, csv(0, 0));
  await using folder = await openMemory(PARAMETERS);
  await produce(folder, path, MAX);
  const { control } = folder.context;
  await control.refresh();
  assert.deepEqual(control.end(TRANSACTION_TOPIC), { rows: 0 });
});

testWriting(
  "a payment before the day of the first is left out, and says what to do",
  async () => {
    await using files = temporaryFolder();
    const path = join(files.path, "unsorted.csv");
    const lines = csv(0, 3).trimEnd().split("\n");
    const early = lines[1].replace(/^\d+/, String(START - 1));
    await Deno.writeTextFile(path, [...lines, early, ""].join("\n"));
    await using folder = await openMemory(PARAMETERS);
    let warned = "";
    await produce(folder, path, MAX, undefined, {
      ...folder.context.logger,
      warn: (_, fields) => warned += JSON.stringify(fields),
    });
    assert.match(warned, /unsorted\.csv:5: .*sort the data by time/);
    assert.equal((await recordsOf(folder)).flat().length, 3);
  },
);
