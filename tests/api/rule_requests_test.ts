import assert from "node:assert/strict";
import { Problem } from "../../src/api/problem.ts";
import { RuleRequests } from "../../src/api/rule_requests.ts";
import { Control } from "../../src/stream/control.ts";
import { openMemory, parametersOf } from "../roles/pipeline.ts";

const RULES = "version: 1\n" +
  "lists: { blocked: blocked.csv }\n" +
  "rules:\n" +
  "  - { id: blocked, when: 'list(\"blocked\", CUSTOMER_ID)', " +
  "then: decline, reason: Blocked. }\n" +
  "  - { id: large, when: TX_AMOUNT > 50, then: review, reason: Large. }\n";

async function openRules(requireApproval = false) {
  const parameters = parametersOf(2);
  const folder = await openMemory(parameters);
  const { control } = folder.context;
  if (requireApproval) await control.requireApproval(true);
  return {
    control,
    log: folder.log,
    requests: new RuleRequests({ control, parameters }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Kind and members of the problem that a request ends with. */
async function problemOf(request: Promise<unknown>) {
  let found: unknown;
  await assert.rejects(request, (error) => {
    found = error;
    return error instanceof Problem;
  });
  const { kind, members } = found as Problem;
  return [kind, members];
}

Deno.test("rules and lists are replaced by who has seen their version, and recorded", async () => {
  await using rules = await openRules();
  const { requests, control } = rules;
  assert.deepEqual(await requests.rules(), {
    json: '{"VERSION":null,"YAML":""}',
    version: null,
  });
  const saved = await requests.replaceRules(RULES, null, "ada");
  assert.equal(saved.status, "changed");
  assert.deepEqual(JSON.parse(saved.json), {
    VERSION: saved.version,
    YAML: RULES,
    STATUS: "changed",
  });
  const again = await requests.replaceRules(RULES, saved.version, "ada");
  assert.equal(again.status, "unchanged");
  const other = RULES.replace("50", "60");
  assert.deepEqual(
    await problemOf(requests.replaceRules(other, null, "ben")),
    ["outdated", {}],
  );
  const { version: empty } = await requests.list("blocked");
  const csv = 'value,expires\n3,\n4,2018-05-01\n"5",\n';
  const list = await requests.replaceList("blocked", csv, empty, "ben");
  assert.equal(
    JSON.parse(list.json).CSV,
    "value,expires\n3,\n4,2018-05-01 00:00:00\n5,\n",
  );
  const noted = "value,expires,note\n3,,stolen\n4,2018-05-01,\n5,," +
    '"lost, found\nagain"\n';
  const { version } = list;
  const notes = await requests.replaceList("blocked", noted, version, "ben");
  assert.equal(notes.status, "changed");
  assert.equal(
    JSON.parse((await requests.list("blocked")).json).CSV,
    noted.replace("2018-05-01", "2018-05-01 00:00:00"),
  );
  const none = await requests.replaceList(
    ...["blocked", csv, notes.version, "ben"] as const,
  );
  assert.equal(none.version, version);
  const own = JSON.parse(list.json).CSV;
  const same = await requests.replaceList("blocked", own, list.version, "ben");
  assert.equal(same.status, "unchanged");
  assert.deepEqual(
    await problemOf(requests.replaceList("blocked", "value\n", empty, "ben")),
    ["outdated", {}],
  );
  assert.deepEqual(JSON.parse(await requests.lists()).LISTS, [
    { NAME: "blocked", VERSION: list.version, ENTRIES: 3 },
  ]);
  assert.deepEqual(
    control.decisionChanges.map(({ who, items }) => [who, items.length]),
    [["ada", 2], ["ben", 1], ["ben", 1], ["ben", 1]],
  );
});

Deno.test("what is wrong in rules or lists is named with its place, and changes nothing", async () => {
  await using rules = await openRules();
  const { requests, control } = rules;
  const wrong = RULES.replace("TX_AMOUNT", "AMOUNT");
  assert.deepEqual(await problemOf(requests.replaceRules(wrong, null, "ada")), [
    "rejected",
    { LINE: 5, COLUMN: 24 },
  ]);
  await requests.replaceRules(RULES, null, "ada");
  const { version } = await requests.list("blocked");
  assert.deepEqual(
    await problemOf(
      requests.replaceList("blocked", "value\n3\nabc\n", version, "ada"),
    ),
    ["rejected", { LINE: 3, COLUMN: 1 }],
  );
  for (const name of ["none", "__proto__", ""]) {
    assert.deepEqual(
      await problemOf(requests.replaceList(name, "value\n", null, "ada")),
      ["not-found", {}],
    );
  }
  assert.equal(control.decisionChanges.length, 1);
});

Deno.test("where approval is required, a replacement waits for a second person", async () => {
  await using rules = await openRules(true);
  const { requests, control } = rules;
  const { status, version } = await requests.replaceRules(RULES, null, "ada");
  assert.deepEqual([status, version], ["proposed", null]);
  assert.deepEqual(control.decisionChanges, []);
  assert.deepEqual(control.proposals.map(({ who }) => who), ["ada"]);
});

Deno.test("requests obey at once what another process has recorded about approval", async () => {
  await using rules = await openRules();
  const { requests, log } = rules;
  const other = new Control(log);
  await other.requireApproval(true);
  const { status } = await requests.replaceRules(RULES, null, "ada");
  assert.equal(status, "proposed");
  await other.requireApproval(false);
  const { status: lifted } = await requests.replaceRules(RULES, null, "ada");
  assert.equal(lifted, "changed");
});
