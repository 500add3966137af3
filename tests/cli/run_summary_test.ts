/** The summary of a run: what its last lines say, within 80 columns. */
import assert from "node:assert/strict";
import {
  type RunSummary,
  summaryText,
} from "../../src/cli/output/run_summary.ts";
import type { Registry } from "../../src/scoring/model_registry.ts";
import { noCounters } from "../../src/stream/commit.ts";
import type { StageStatus, StreamStatus } from "../../src/stream/status.ts";

const ALL = 1_754_155;

function stage(name: string, rows: number): StageStatus {
  const counters = { ...noCounters(), read: rows, emitted: rows };
  const place = { group: name, topic: name, progress: 0 };
  return { name, ...place, counters, lag: 0, isPositionKnown: true };
}

/** A stream of which so many payments are processed and scored. */
function status(processed: number, scored: number): StreamStatus {
  return {
    startSeconds: 0,
    simulated: true,
    produced: processed,
    complete: processed === ALL,
    stages: [
      stage("customer windows", processed),
      stage("terminal windows", processed),
      stage("writer", processed),
      {
        ...stage("scorer", scored),
        scoring: { alerts: Math.round(scored / 200), unscored: 0 },
      },
    ],
    deadLetters: 0,
  };
}

function summary(change: Partial<RunSummary>): string {
  return summaryText({
    before: status(0, 0),
    after: status(ALL, ALL),
    stored: { rows: ALL, frauds: 14_681 },
    written: ALL,
    recovered: 0,
    models: undefined,
    latency: undefined,
    seconds: 12.5,
    stopped: false,
    roles: ["producer", "processor", "writer", "scorer"],
    place: "tour",
    ...change,
  });
}

/** The whole stream where labels arrive later, of which some were taken. */
function labelled(labels: number): StreamStatus {
  const { stages: [customer, ...stages], ...all } = status(ALL, ALL);
  const counters = { ...customer.counters, labels };
  return {
    ...all,
    stages: [
      { ...customer, counters },
      stages[0],
      stages[1],
      { ...stage("label intake", labels), group: "fraudstream-label-intake" },
    ],
  };
}

Deno.test("labels that arrive later are counted as such, not as payments without fraud", () => {
  const of = (labels: number, frauds: number) =>
    summary({ after: labelled(labels), stored: { rows: ALL, frauds } });
  assert.match(
    of(0, 0),
    /; stored 1,754,155\nlabels {5}0 taken; 0 payments known to be fraud\n/,
  );
  assert.match(of(3, 1), /\nlabels {5}3 taken; 1 payment known to be fraud\n/);
  assert.doesNotMatch(of(0, 0), /of them frauds/);
  assert.match(summary({}), /; stored 1,754,155, 14,681 of them frauds\n/);
});

Deno.test("one dead letter is one", () => {
  const of = (deadLetters: number) =>
    summary({ after: { ...status(ALL, ALL), deadLetters } });
  assert.match(of(1), /\nrejected {3}1 dead letter: see '/);
  assert.match(of(2), /\nrejected {3}2 dead letters: see '/);
});

Deno.test("a run that took only labels says so", () => {
  const all = status(ALL, ALL);
  const after: StreamStatus = {
    ...all,
    stages: [...all.stages, {
      ...stage("label intake", 3),
      group: "fraudstream-label-intake",
    }],
  };
  const text = summary({ before: all, after, written: 0 });
  assert.equal(workOf(text), "3 labels taken in 12.5 s; data in tour");
});

const workOf = (text: string) => /^this run +(.*)$/m.exec(text)?.[1];

Deno.test("a summary has at most 80 columns, also with slow and few payments", () => {
  for (const slow of [1, 9_999.9, 123_456]) {
    const latency = {
      samples: ALL,
      p50: slow,
      p95: slow,
      p99: slow,
      max: slow,
    };
    for (const line of summary({ latency }).split("\n")) {
      assert.ok(line.length <= 80, line);
    }
  }
});

Deno.test("a run that stored nothing says what it did", () => {
  assert.equal(
    workOf(summary({})),
    "1,754,155 stored in 12.5 s, 140,332 per second; data in tour",
  );
  assert.equal(
    workOf(summary({ before: status(ALL, 0), written: 0 })),
    "1,754,155 scored in 12.5 s, 140,332 per second; data in tour",
  );
  assert.equal(
    workOf(summary({ written: 5 })),
    "5 stored in 12.5 s, 0.4 per second; data in tour",
  );
  assert.equal(
    workOf(summary({ before: status(ALL, ALL), written: 0 })),
    "nothing new was stored in 12.5 s; data in tour",
  );
});

Deno.test("a run that trains says which model scores, or what is missing for one", () => {
  const before: Registry = {
    format: "fraudstream-models",
    formatVersion: 1,
    champion: null,
    decidedDay: 14,
    ended: false,
    history: [],
  };
  assert.match(
    summary({ models: before }),
    /^trained {4}no model yet: it needs 10 frauds with known labels$/m,
  );
  const entry = (day: number, action: "promoted" | "kept", version: string) => {
    return {
      day,
      action,
      version,
      champion: "b",
      reason: "",
      date: "2018-05-06",
    };
  };
  const models: Registry = {
    ...before,
    champion: "b",
    history: [entry(14, "promoted", "b"), entry(21, "kept", "c")],
  };
  assert.match(
    summary({ models }),
    /^trained {4}2 models; b scores payments from 2018-05-06 on$/m,
  );
});

Deno.test("a run without a model whose frauds were known too late says why", () => {
  const models: Registry = {
    format: "fraudstream-models",
    formatVersion: 1,
    champion: null,
    decidedDay: 14,
    ended: true,
    history: [],
  };
  const of = (frauds: number, complete = true) =>
    summary({
      models,
      after: { ...labelled(40), complete },
      stored: { rows: ALL, frauds },
    });
  assert.match(of(10), /^trained +no model: labels that came after the last/m);
  assert.match(of(10), /^ +train one from an export: docs\/YOUR_DATA.md/m);
  assert.match(of(9), /^trained +no model yet: it needs 10 frauds/m);
  assert.match(of(10, false), /^trained +no model yet: it needs 10 frauds/m);
  for (const line of of(10).split("\n")) assert.ok(line.length <= 80, line);
});
