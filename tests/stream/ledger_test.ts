import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { IdDigests } from "../../src/features/id_digest.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { Ledger } from "../../src/stream/ledger.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { StatePieces } from "../features/state_pieces.ts";
import { chance, forEachSeed } from "../long.ts";

const KEEP = 100;

function row(
  transactionId: number,
  timeSeconds: number,
  more: Partial<Payment> = {},
): Payment {
  return { ...emptyPayment(), transactionId, timeSeconds, ...more };
}

Deno.test("a payment that was not added is new", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(2, 10), 10), "new");
});

Deno.test("a payment with all fields of one added is a duplicate", () => {
  const ledger = new Ledger(KEEP);
  const payment = row(1, 10, { customerId: 3, amount: 285.79999999999995 });
  ledger.add(payment, 10, 0);
  assert.equal(ledger.compare({ ...payment }, 10), "duplicate");
});

Deno.test("a payment with the id of one added and any other field is conflicting", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  const others: Partial<Payment>[] = [
    { datetimeSeconds: 1 },
    { customerId: 1 },
    { terminalId: 1 },
    { amount: 0.01 },
    { timeSeconds: 11 },
    { fraud: 1 },
    { scenario: 1 },
  ];
  for (const other of others) {
    assert.equal(
      ledger.compare({ ...row(1, 10), ...other }, 10),
      "conflicting",
      JSON.stringify(other),
    );
  }
});

Deno.test("a payment is known for less than the keep behind the progress", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(1, 10), 10 + KEEP - 1), "duplicate");
  assert.equal(ledger.compare(row(1, 10), 10 + KEEP), "new");
});

Deno.test("a payment is known for less than the keep behind the one compared", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(1, 10 + KEEP - 1), 10), "conflicting");
  assert.equal(ledger.compare(row(1, 10 + KEEP), 10), "new");
});

Deno.test("an id used anew long after is compared with its newest payment", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  ledger.add(row(1, 500), 500, 0);
  assert.equal(ledger.compare(row(1, 500), 500), "duplicate");
  ledger.add(row(2, 505), 505, 0);
  assert.equal(ledger.compare(row(1, 500), 505), "duplicate");
});

Deno.test("what is too old for any comparison is let go", () => {
  const ledger = new Ledger(KEEP);
  for (let time = 0; time < 100_000; time++) {
    ledger.add(row(time, time), time, 0);
    assert.ok(ledger.size <= 2 * KEEP);
  }
  assert.ok(ledger.size >= KEEP);
});

Deno.test("ids and offsets up to 2^53 - 1 are told apart and kept exactly", () => {
  const ledger = new Ledger(KEEP);
  const ids = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1];
  for (const id of ids) {
    assert.equal(ledger.compare(row(id, 10), 10), "new");
    ledger.add(row(id, 10), 10, 2 ** 53 - 1 - id);
  }
  for (const id of ids) {
    assert.equal(ledger.compare(row(id, 10), 10), "duplicate");
    assert.equal(ledger.knownOffset, 2 ** 53 - 1 - id);
  }
});

Deno.test("a payment takes at most 48 bytes, free space included, while as many come as go", () => {
  const keep = 50_000;
  const ledger = new Ledger(keep);
  let most = 0;
  for (let time = 0; time < 4 * keep; time++) {
    // Ids as a simulator gives them, and as others draw them.
    ledger.add(row(time % 2 ? time : time * 7_919_000_003, time), time, time);
    if (time > keep) most = Math.max(most, ledger.bytes / keep);
  }
  assert.ok(most <= 48, `${most} bytes`);
});

Deno.test("a ledger that has become small gives its room back", () => {
  const ledger = new Ledger(KEEP);
  for (let id = 0; id < 200_000; id++) ledger.add(row(id, 1), 1, id);
  assert.ok(ledger.bytes <= 48 * 200_000, `${ledger.bytes} bytes`);
  for (let time = 2; time < 20 * KEEP; time++) {
    ledger.add(row(1_000_000 + time, time), time, time);
  }
  assert.ok(ledger.bytes < 40_000, `${ledger.bytes} bytes`);
});

Deno.test("what a step moves does not grow with the ledger", () => {
  const ledger = new Ledger(1e9);
  let most = 0;
  for (let id = 0; id < 300_000; id++) {
    const before = ledger.movedSlots;
    ledger.add(row(id, id), id, id);
    most = Math.max(most, ledger.movedSlots - before);
  }
  assert.ok(most <= 2 * 8192, `${most} slots`);
  assert.ok(ledger.movedSlots < 8 * 300_000, `${ledger.movedSlots}`);
});

/** What a Map knows: the newest accepted payment of each id. */
class Oracle {
  readonly #newest = new Map<number, { row: Payment; offset: number }>();
  knownOffset = -1;

  compare(row: Payment, progress: number): string {
    const known = this.#newest.get(row.transactionId);
    const newest = Math.max(progress, row.timeSeconds);
    if (!known || known.row.timeSeconds <= newest - KEEP) return "new";
    this.knownOffset = known.offset;
    const same = JSON.stringify(known.row) === JSON.stringify(row);
    return same ? "duplicate" : "conflicting";
  }

  add(row: Payment, offset: number): void {
    this.#newest.set(row.transactionId, { row: { ...row }, offset });
  }
}

/** What save() writes, to be read again. */
class Saved {
  readonly #pieces: Uint8Array[] = [];
  #bytes: Uint8Array | undefined;
  #at = 0;

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
  }

  read(bytes: number): Uint8Array {
    this.#bytes ??= new Uint8Array(Buffer.concat(this.#pieces));
    assert.ok(this.#at + bytes <= this.#bytes.length);
    this.#at += bytes;
    return this.#bytes.slice(this.#at - bytes, this.#at);
  }

  get isRead(): boolean {
    return this.#at === this.#bytes?.length;
  }
}

Deno.test("a ledger in which all has expired is saved and loaded", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  ledger.add(row(2, 10), 10 + KEEP, 1);
  assert.equal(ledger.size, 0);
  const saved = new Saved();
  ledger.save(saved);
  const loaded = new Ledger(KEEP);
  loaded.load(saved);
  loaded.add(row(3, 500), 500, 2);
  assert.equal(loaded.compare(row(3, 500), 500), "duplicate");
  assert.equal(loaded.compare(row(1, 500), 500), "new");
});

Deno.test("a ledger is not loaded from an index of impossible sizes", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  const pieces = new StatePieces();
  ledger.save(pieces);
  // Behind first and next, the entry and the seed: bits, depth, capacity, used.
  const sizes = 16 + 28 + 4;
  for (let at = sizes; at < sizes + 16; at += 4) {
    for (const wrong of [-1, 1 << 30]) {
      const damaged = new StatePieces();
      damaged.write(pieces.bytes);
      new DataView(damaged.bytes.buffer).setInt32(at, wrong, true);
      assert.throws(
        () => new Ledger(KEEP).load(damaged),
        new RegExp(`${wrong} is no size of the ledger's index`),
        `byte ${at}`,
      );
    }
  }
});

Deno.test("the ledger equals a Map while it grows, shrinks, is saved and loaded", async () => {
  await forEachSeed(4, 60, (seed) => {
    const random = chance(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    let ledger = new Ledger(KEEP);
    const oracle = new Oracle();
    let progress = 0;
    let offset = 0;
    const ids = [1, 400, 30_000, 2 ** 53 - 1];
    for (let phase = 0; phase < 12; phase++) {
      const range = ids[below(ids.length)];
      const slow = random() < 0.6; // many payments a second, or few
      const count = slow ? below(15_000) : below(600);
      for (let i = 0; i < count; i++) {
        if (random() < (slow ? 0.001 : 0.5)) progress += below(slow ? 5 : 40);
        const payment = row(
          random() < 0.9 ? below(range) : below(50),
          Math.max(0, progress + 1 - below(12)),
          { customerId: below(2), amount: below(3) / 100 },
        );
        const expected = oracle.compare(payment, progress);
        assert.equal(ledger.compare(payment, progress), expected);
        if (expected !== "new") {
          assert.equal(ledger.knownOffset, oracle.knownOffset);
          if (random() < 0.95) continue;
        }
        progress = Math.max(progress, payment.timeSeconds);
        offset += 1 + below(3);
        ledger.add(payment, progress, offset);
        oracle.add(payment, offset);
      }
      if (random() < 0.5) continue;
      const saved = new Saved();
      ledger.save(saved);
      ledger = new Ledger(KEEP);
      ledger.load(saved);
      assert.ok(saved.isRead);
    }
  });
});

Deno.test("the ledger equals a list of all accepted payments, growing and shrinking", () => {
  const step = fc.record({
    id: fc.nat(12),
    step: fc.oneof(
      { weight: 8, arbitrary: fc.nat(2) },
      { weight: 1, arbitrary: fc.integer({ min: 20, max: 250 }) },
    ),
    back: fc.nat(10),
    customerId: fc.nat(1),
    burst: fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constant(700) },
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const ledger = new Ledger(KEEP);
      const accepted: Payment[] = [];
      let progress = 10;
      let burstId = 1000;
      const add = (payment: Payment) => {
        progress = Math.max(progress, payment.timeSeconds);
        ledger.add(payment, progress, accepted.length);
        accepted.push(payment);
      };
      for (const { id, step, back, customerId, burst } of steps) {
        for (let i = 0; i < burst; i++) add(row(burstId++, progress));
        const payment = row(id, progress + step - back, { customerId });
        const newest = Math.max(progress, payment.timeSeconds);
        const known = accepted.findLast((one) => one.transactionId === id);
        const expected = !known || known.timeSeconds <= newest - KEEP
          ? "new"
          : known.timeSeconds === payment.timeSeconds &&
              known.customerId === customerId
          ? "duplicate"
          : "conflicting";
        assert.equal(ledger.compare(payment, progress), expected);
        if (known && expected !== "new") {
          assert.equal(ledger.knownOffset, accepted.indexOf(known));
        }
        if (expected === "new") add(payment);
      }
    }),
    { numRuns: 300 },
  );
});

/** A ledger for payments with text ids, and what puts its payments into it. */
function textLedger(keep: number) {
  const shape = {
    ...HANDBOOK_SHAPE,
    transactionId: "text" as const,
    customerId: "text" as const,
  };
  const digests = new IdDigests(shape);
  const texts = new TextHeap();
  const ledger = new Ledger(keep, digests);
  const payment = (id: string, time: number, card: string, more = {}) => {
    texts.clear();
    const found = row(texts.addText(id), time, {
      customerId: texts.addText(card),
      ...more,
    });
    digests.takeId(found.transactionId, texts);
    digests.takeCustomer(found.customerId, texts);
    digests.takeTerminal(found.terminalId, texts);
    return found;
  };
  return { ledger, digests, payment };
}

Deno.test("a text id is known by all its bytes, and its payment by those of its card", () => {
  const { ledger, payment } = textLedger(KEEP);
  const long = "é".repeat(64);
  for (const [n, id] of ["a", "b", "ab", long, "0", "00"].entries()) {
    assert.equal(ledger.compare(payment(id, 10, "c"), 10), "new", id);
    ledger.add(payment(id, 10, "c"), 10, n);
    assert.equal(ledger.compare(payment(id, 10, "c"), 10), "duplicate", id);
    assert.equal(ledger.knownOffset, n);
    assert.equal(ledger.compare(payment(id, 10, "d"), 10), "conflicting", id);
    const large = payment(id, 10, "c", { terminalId: 2 ** 40 });
    assert.equal(ledger.compare(large, 10), "conflicting", id);
  }
});

Deno.test("ledgers of text ids and of numbers say the same, saved and loaded on the way", async () => {
  await forEachSeed(4, 40, (seed) => {
    const random = chance(seed);
    const numbers = new Ledger(KEEP);
    let texts = textLedger(KEEP);
    let time = 0;
    for (let step = 0; step < 3000; step++) {
      time += Math.floor(random() * 3);
      const id = Math.floor(random() * 400);
      const card = Math.floor(random() * 2);
      const at = time - Math.floor(random() * 20);
      const number = row(id, at, { customerId: card });
      const text = texts.payment(`payment ${id}`, at, `card ${card}`);
      const expected = numbers.compare(number, time);
      assert.equal(texts.ledger.compare(text, time), expected);
      if (expected === "new") {
        numbers.add(number, time, step);
        texts.ledger.add(text, time, step);
      } else assert.equal(texts.ledger.knownOffset, numbers.knownOffset);
      assert.equal(texts.ledger.size, numbers.size);
      if (random() > 0.01) continue;
      const pieces = new StatePieces();
      texts.digests.save(pieces);
      texts.ledger.save(pieces);
      texts = textLedger(KEEP);
      texts.digests.load(pieces);
      texts.ledger.load(pieces);
    }
  });
});

Deno.test("a payment with a text id takes at most 48 bytes, free space included, while as many come as go", () => {
  const keep = 50_000;
  const { ledger, payment } = textLedger(keep);
  let most = 0;
  for (let time = 0; time < 4 * keep; time++) {
    ledger.add(payment(`payment-${time * 7919}`, time, "c"), time, time);
    if (time > keep) most = Math.max(most, ledger.bytes / keep);
  }
  assert.ok(most <= 48, `${most} bytes`);
});
