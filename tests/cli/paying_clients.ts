/**
 * Clients of the API that pay one payment after another and repeat each until
 * it is answered, as a till does; and the history of what they saw, for
 * tests/oracle/check_history.py.
 */
import { rest } from "../../src/base/clock.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import {
  DEAD_LETTER_TOPIC,
  PREDICTION_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { recordsOf } from "../log/records.ts";
import { type HistoryFile, writeHistoryFile } from "../oracle/history.ts";

/** A request and its answer, as the checker reads it. */
export interface PaymentRequest {
  /** When it was sent, milliseconds. */
  readonly SENT: number;
  /** When its answer was there, or it was given up. */
  readonly ENDED: number;
  /** What was sent. */
  readonly PAYMENT: Readonly<Record<string, unknown>>;
  /** Status of the answer; null without one. */
  readonly STATUS: number | null;
  /** Its body; null without one. */
  readonly BODY: unknown;
}

const CARDS = 40;
const TERMINALS = 20;
/** How long a client waits for an answer, and an impatient one. */
const PATIENCE_MS = 5000;
const IMPATIENCE_MS = 15;
/** How long it waits before it repeats. */
const PAUSE_MS = 50;
/** Shares of payments that are sent impatiently, twice at a time, again after the answer, with another amount. */
const IMPATIENT = 0.1;
const TWICE = 0.05;
const AGAIN = 0.05;
const CONFLICTING = 0.02;
const WITH_FEATURES = 0.3;

/** Clients that pay until they are told to stop. */
export class PayingClients {
  /** What they have seen. */
  readonly history: PaymentRequest[] = [];
  readonly #url: string;
  readonly #random: () => number;
  readonly #lanes: Promise<void>[];
  #nextId = 1;
  #isOver = false;

  /** Begins to pay at a port, `count` payments at a time. */
  constructor(port: number, count: number, random: () => number) {
    this.#url = `http://127.0.0.1:${port}/v1/score`;
    this.#random = random;
    this.#lanes = Array.from({ length: count }, () => this.#lane());
  }

  /** Finishes the payments that were begun: each is repeated until it is answered. */
  async finish(): Promise<readonly PaymentRequest[]> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    return this.history.toSorted((a, b) => a.SENT - b.SENT);
  }

  async #lane(): Promise<void> {
    while (!this.#isOver) {
      const payment = {
        TRANSACTION_ID: this.#nextId++,
        TX_DATETIME: formatDatetime(Math.floor(Date.now() / 1000)),
        CUSTOMER_ID: Math.floor(this.#random() * CARDS),
        TERMINAL_ID: Math.floor(this.#random() * TERMINALS),
        TX_AMOUNT: Math.floor(this.#random() * 50_000) / 100,
      };
      const chance = this.#random();
      const repeat = () => this.#payUntilAnswered(payment);
      if (chance < TWICE) await Promise.all([repeat(), repeat()]);
      else await repeat();
      if (chance > 1 - AGAIN) await repeat();
      if (chance > 1 - CONFLICTING) {
        const TX_AMOUNT = payment.TX_AMOUNT + 1;
        await this.#payUntilAnswered({ ...payment, TX_AMOUNT });
      }
    }
  }

  async #payUntilAnswered(payment: PaymentRequest["PAYMENT"]): Promise<void> {
    const isImpatient = this.#random() < IMPATIENT;
    let patienceMs = isImpatient ? IMPATIENCE_MS : PATIENCE_MS;
    for (;;) {
      const status = await this.#pay(payment, patienceMs);
      if (status !== null && status < 500) return;
      patienceMs = PATIENCE_MS;
      await rest(PAUSE_MS, new AbortController().signal);
    }
  }

  async #pay(
    payment: PaymentRequest["PAYMENT"],
    patienceMs: number,
  ): Promise<number | null> {
    const sent = performance.now();
    const wanted = this.#random() < WITH_FEATURES ? "?features=true" : "";
    let status: number | null = null;
    let body: unknown = null;
    try {
      const response = await fetch(this.#url + wanted, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(payment),
        signal: AbortSignal.timeout(patienceMs),
      });
      body = await response.json();
      ({ status } = response);
    } catch {
      body = null; // no whole answer
    }
    this.history.push({
      SENT: sent,
      ENDED: performance.now(),
      PAYMENT: payment,
      STATUS: status,
      BODY: body,
    });
    return status;
  }
}

const TOPICS: Readonly<Partial<Record<HistoryFile, string>>> = {
  payments: TRANSACTION_TOPIC,
  predictions: PREDICTION_TOPIC,
  letters: DEAD_LETTER_TOPIC,
};

/** Writes the records of a log for the checker. */
export async function writeTopics(folder: string, log: Log): Promise<void> {
  for (const [name, topic] of Object.entries(TOPICS)) {
    const ends = await log.endOffsets(topic) ?? [];
    const rows: unknown[] = [];
    for (const [PARTITION, end] of ends.entries()) {
      for await (const batch of readRange(log, topic, PARTITION, 0, end)) {
        for (const [i, { value }] of recordsOf(batch).entries()) {
          const VALUE = JSON.parse(value);
          rows.push({ PARTITION, OFFSET: batch.offsets[i], VALUE });
        }
      }
    }
    await writeHistoryFile(folder, name as HistoryFile, rows);
  }
}
