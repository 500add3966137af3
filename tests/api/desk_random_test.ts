/**
 * Clients that ask about few ids with equal and other fields, some too late,
 * some impatient, while desk and stages stop and start at random. An oracle
 * that knows only the requests says what must hold of the answers.
 */
import assert from "node:assert/strict";
import { rest } from "../../src/base/clock.ts";
import { Problem } from "../../src/api/problem.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  DeskStream,
  payment,
  type PaymentFields,
  type StageName,
} from "./desk_stream.ts";

const STEPS = 25;
const IDS = 30;
const CARDS = 4;
const DEADLINE_MS = 150;
const never = new AbortController().signal;

/** A decision that a client got. */
interface Given {
  readonly asked: PaymentFields;
  readonly json: string;
}

const CORE = ["TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"];

function coreOf(fields: PaymentFields): unknown[] {
  return CORE.map((name) => fields[name]);
}

/** A payment of few: the same id has nearly always the same fields. */
function draw(random: () => number): PaymentFields {
  const id = Math.floor(random() * IDS);
  const own = chance(id + 1000);
  const isOther = random() < 0.15;
  const at = Math.floor(own() * 600) - 300;
  return payment(id, {
    at: random() < 0.05 ? at - 5000 : at,
    CUSTOMER_ID: Math.floor(own() * CARDS),
    TERMINAL_ID: Math.floor(own() * 3) + (isOther && random() < 0.3 ? 1 : 0),
    TX_AMOUNT: Math.floor(own() * 5000) / 100 + (isOther ? 1 : 0),
  });
}

/** Asks, and keeps what was given; problems must be of the kinds that may be. */
async function ask(
  stream: DeskStream,
  asked: PaymentFields,
  wantsFeatures: boolean,
  given: Given[],
): Promise<void> {
  try {
    const json = await stream.score(asked, wantsFeatures);
    const { FEATURES: _, ...answer } = JSON.parse(json);
    given.push({ asked, json: JSON.stringify(answer) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { kind, members, message } = error;
    const kinds = ["unknown", "unavailable", "conflicting-id", "rejected"];
    assert.ok(kinds.includes(kind), message);
    if (kind === "rejected") assert.equal(members.REASON, "late", message);
  }
}

/** Stops or starts something. */
async function disturb(
  stream: DeskStream,
  random: () => number,
  running: Set<StageName>,
): Promise<void> {
  const names = ["processor", "scorer", "writer"] as const;
  const name = names[Math.floor(random() * names.length)];
  if (random() < 0.3) {
    await stream.stopDesk();
    await stream.startDesk();
  } else if (running.delete(name)) await stream.stop([name]);
  else {
    running.add(name);
    await stream.start([name]);
  }
  if (random() < 0.5) await stream.forgetSome();
}

/** Asserts what must hold at the end of a stream that ran whole. */
async function assertOracle(
  stream: DeskStream,
  given: readonly Given[],
): Promise<void> {
  const predictions = await stream.predictions();
  const byId = new Map(predictions.map((one) => [one.TRANSACTION_ID, one]));
  assert.equal(byId.size, predictions.length, "an id was decided twice");
  const first = new Map<unknown, string>();
  for (const { asked, json } of given) {
    const id = asked.TRANSACTION_ID;
    const prediction = byId.get(id);
    assert.ok(prediction, `${id} was answered, but not decided`);
    assert.deepEqual(coreOf(asked), coreOf(prediction), json);
    assert.equal(json, first.get(id) ?? json, "two answers differ");
    first.set(id, json);
    await stream.assertRecorded(json);
  }
  // What the store holds is answered likewise: nothing is in memory any more.
  await stream.forget();
  await stream.stopDesk();
  await stream.startDesk();
  assert.equal(stream.kept, 0);
  for (const [id, prediction] of byId) {
    const fields = [...CORE, "TRANSACTION_ID"].map((name) =>
      [name, prediction[name]] as const
    );
    const json = await stream.score(Object.fromEntries(fields));
    assert.equal(json, first.get(id) ?? json);
    await stream.assertRecorded(json);
  }
  assert.equal((await stream.predictions()).length, predictions.length);
}

async function assertSeed(seed: number): Promise<void> {
  const random = chance(seed);
  await using folder = temporaryFolder();
  await using stream = await DeskStream.open(folder.path, {
    partitions: random() < 0.5 ? 1 : 2,
    deadlineMs: DEADLINE_MS,
    limits: { kept: Math.floor(random() * 3), unstored: 10 },
  });
  await stream.startDesk();
  await stream.start();
  const running = new Set<StageName>(["processor", "scorer", "writer"]);
  const given: Given[] = [];
  let asking: Promise<void>[] = [];
  for (let step = 0; step < STEPS; step++) {
    const count = Math.floor(random() * 6);
    for (let i = 0; i < count; i++) {
      asking.push(ask(stream, draw(random), random() < 0.3, given));
    }
    if (random() < 0.3) await disturb(stream, random, running);
    if (random() < 0.4) {
      await Promise.all(asking);
      asking = [];
    }
    await rest(random() * 10, never);
  }
  await Promise.all(asking);
  await stream.start();
  await stream.stopDesk();
  await stream.startDesk();
  // Each id is asked until there is a decision, or a reason why there is none.
  for (let round = 0; round < 3; round++) {
    for (let id = 0; id < IDS; id++) {
      await ask(stream, draw(random), false, given);
    }
    await stream.forget();
  }
  assert.ok(given.length > STEPS, `${given.length} answers`);
  await assertOracle(stream, given);
}

testWriting(
  "random requests, stops and starts: each id is decided once, and its answers are one",
  async () => {
    await forEachSeed(3, 100, (seed) => assertSeed(seed));
  },
);
