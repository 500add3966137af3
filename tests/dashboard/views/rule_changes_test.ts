import assert from "node:assert/strict";
import type { ChangeOutcome } from "../../../src/scoring/decision_edits.ts";
import type {
  ProposalAnswers,
} from "../../../src/dashboard/views/proposals.ts";
import type {
  ListEntries,
  RuleChangeAnswers,
} from "../../../src/dashboard/views/rule_changes.ts";
import type { RulesPreview } from "../../../src/dashboard/views/rule_preview.ts";
import type { RulesView } from "../../../src/dashboard/views/rules.ts";
import {
  changeRegistry,
  readRegistry,
  type RegistryEntry,
  withEntry,
} from "../../../src/scoring/model_registry.ts";
import { parametersOf } from "../../roles/pipeline.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import {
  openPage,
  openSecondPage,
  type PageFixture,
  payment,
  prediction,
} from "../page_fixture.ts";

const TOKENS = "anna:0123456789abcdef\nben:fedcba9876543210\n";
const ANNA = { authorization: "Bearer 0123456789abcdef" };
const BEN = { authorization: "Bearer fedcba9876543210" };
const JSON_BODY = { "content-type": "application/json" };

const RULES = `version: 1
lists: { blocked: blocked.csv }
rules:
  - id: blocked
    when: list("blocked", CUSTOMER_ID)
    then: decline
    reason: Blocked.
  - { id: large, when: TX_AMOUNT > 50, then: review, reason: Large. }
`;

/** Posts as the page does; gives status and answer. */
async function post<Answer>(
  page: PageFixture,
  path: string,
  body: Record<string, unknown>,
  headers?: Record<string, string>,
): Promise<[status: number, answer: Answer & { readonly error?: string }]> {
  const answer = await page.ask(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: headers ? { ...JSON_BODY, ...headers } : await page.fromPage(),
  });
  return [answer.status, await answer.json()];
}

/** Decides about proposals of a page. */
function decidingIn(page: PageFixture) {
  return (
    number: number,
    decision: "approve" | "reject",
    headers: Record<string, string>,
  ) =>
    post<ProposalAnswers["/api/proposals/decide"]>(
      page,
      "/api/proposals/decide",
      { number, decision },
      headers,
    );
}

/** The changes that wait, as Ben sees them. */
async function waitingIn(page: PageFixture) {
  type Answer = ProposalAnswers["/api/proposals"];
  return (await get<Answer>(page, "/api/proposals", BEN)).proposals;
}

async function get<Answer>(
  page: PageFixture,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return await (await page.ask(path, { headers })).json();
}

Deno.test("a text of rules is checked with the place of what is wrong, and nothing is changed", async () => {
  await using page = await openPage();
  const check = async (source: string) => {
    const path = "/api/rules/check";
    type Answer = RuleChangeAnswers["/api/rules/check"];
    const [status, answer] = await post<Answer>(page, path, { source });
    assert.equal(status, 201);
    return answer.problem;
  };
  assert.equal(await check(RULES), undefined);
  const unknown = await check(RULES.replace("TX_AMOUNT", "AMOUNT"));
  assert.match(
    unknown?.message ?? "",
    /^rules:8:24: the rule large: there is no AMOUNT/,
  );
  assert.deepEqual([unknown?.line, unknown?.column], [8, 24]);
  const broken = await check("version: 1\nrules: [");
  assert.ok((broken?.line ?? 0) > 0, `${broken?.message}`);
  const type = await check(RULES.replace("TX_AMOUNT > 50", "TX_AMOUNT"));
  assert.match(type?.message ?? "", /must be a condition/);
  const [status, answer] = await post<ChangeOutcome>(page, "/api/rules/save", {
    ...{ source: "rules: 1", seen: null, who: "ada" },
  });
  assert.equal(status, 422, `${answer.error}`);
  assert.deepEqual(page.folder.context.control.decisionChanges, []);
});

Deno.test("rules and lists that are saved are records of who changed what, unless others came before", async () => {
  await using page = await openPage();
  const { control } = page.folder.context;
  const save = (source: string, seen: string | null) =>
    post<ChangeOutcome>(page, "/api/rules/save", { source, seen, who: "ada" });
  assert.deepEqual(await save(RULES, null), [201, { status: "changed" }]);
  const version = control.decisionState.rules;
  assert.deepEqual(await save(RULES, version), [201, { status: "unchanged" }]);
  const [status] = await save(RULES.replace("50", "60"), null);
  assert.equal(status, 409);
  const add = (body: Record<string, unknown>) =>
    post<ChangeOutcome>(page, "/api/rules/lists/add", { who: "ben", ...body });
  assert.deepEqual(await add({ list: "blocked", value: "3" }), [
    201,
    { status: "changed" },
  ]);
  await add({ list: "blocked", value: "4", expires: "2018-05-01" });
  for (
    const wrong of [
      { list: "none", value: "3" },
      { list: "blocked", value: "" },
      { list: "blocked", value: "abc" },
      { list: "blocked", value: "3\n4" },
      { list: "blocked", value: "5", expires: "tomorrow" },
    ]
  ) {
    const [status, { error }] = await add(wrong);
    assert.equal(status, 422, `${JSON.stringify(wrong)}: ${error}`);
  }
  const view = await get<RulesView>(page, "/api/rules");
  assert.deepEqual(
    view.changes.map(({ who, items }) => [who, items.map(({ what }) => what)]),
    [["ben", ["list"]], ["ben", ["list"]], ["ada", ["rules", "list"]]],
  );
  const content = await control.content(control.decisionState.lists.blocked);
  assert.deepEqual(JSON.parse(content ?? ""), [
    "3",
    ["4", Date.UTC(2018, 4, 1) / 1000],
  ]);
  assert.deepEqual(view.lists[0].fields, ["CUSTOMER_ID"]);
});

Deno.test("a preview shows what a text would have decided about the newest payments", async () => {
  await using page = await openPage();
  const payments = [20, 60, 70].map((amount, at) =>
    payment({ transactionId: at, amount, timeSeconds: (30 + 10 * at) * 86_400 })
  );
  payments[1] = { ...payments[1], fraud: 1 };
  // The model's only alert is the first one.
  await page.publish(payments);
  await page.predict(
    payments.map((one, at) => prediction(one, at === 0 ? 0.9 : 0.1)),
  );
  await page.until(() => page.index.known().scored === 3);
  await page.until(() => page.index.known().payments === 3);
  const source = RULES +
    "  - { id: small, priority: 9, when: TX_AMOUNT < 30, then: approve, " +
    "reason: Small. }\n";
  const [status, found] = await post<RulesPreview>(
    page,
    "/api/rules/preview",
    { source },
  );
  assert.equal(status, 201);
  assert.equal(found.payments, 3);
  assert.deepEqual(found.before, { reviews: 1, declines: 0, caught: 0 });
  assert.deepEqual(found.after, { reviews: 2, declines: 0, caught: 1 });
  assert.deepEqual([found.alertsGained, found.alertsLost], [2, 1]);
  assert.deepEqual(found.examples, { gained: [1, 2], lost: [0] });
  assert.deepEqual(found.rules.map(({ fired }) => fired), [0, 2, 1]);
});

Deno.test("where approval is required, a change counts only when a second person approves it", async () => {
  await using page = await openPage(TOKENS, false, parametersOf(2), {
    requireApproval: true,
  });
  const { control } = page.folder.context;
  const save = (source: string, seen: string | null) =>
    post<ChangeOutcome>(
      page,
      "/api/rules/save",
      // A name in the body does not make another person.
      { source, seen, who: "ben" },
      ANNA,
    );
  const decide = decidingIn(page);
  assert.deepEqual(await save(RULES, null), [201, { status: "proposed" }]);
  assert.equal(control.decisionState.rules, null);
  const waiting = await waitingIn(page);
  assert.deepEqual(
    waiting.map(({ number, who, isOutdated }) => [
      number,
      who,
      isOutdated,
    ]),
    [[1, "anna", false]],
  );
  // Who approves reads what is proposed.
  assert.deepEqual(waiting[0].lines[0], {
    of: "rules",
    removed: [],
    added: RULES.split("\n").slice(0, -1),
  });
  assert.equal(waiting[0].isOwn, false);
  const [own, { error }] = await decide(1, "approve", ANNA);
  assert.equal(own, 422, `${error}`);
  assert.equal(control.decisionState.rules, null);
  // Two proposals from the same state: the second no longer fits.
  await save(RULES.replace("50", "60"), null);
  assert.deepEqual(await decide(1, "approve", BEN), [
    201,
    { status: "approved" },
  ]);
  assert.notEqual(control.decisionState.rules, null);
  assert.deepEqual(control.decisionChanges.map(({ who }) => who), [
    "anna, approved by ben",
  ]);
  assert.equal((await decide(1, "approve", BEN))[0], 409);
  assert.equal((await decide(2, "approve", BEN))[0], 409);
  assert.deepEqual(await decide(2, "reject", ANNA), [
    201,
    { status: "rejected" },
  ]);
  assert.equal(control.decisionChanges.length, 1);
});

Deno.test("a page without names changes nothing of a stream that requires approval", async () => {
  await using page = await openPage(TOKENS, false, parametersOf(2), {
    requireApproval: true,
  });
  await using other = openSecondPage(page);
  const { control } = page.folder.context;
  const tries: readonly (readonly [string, Record<string, unknown>])[] = [
    ["/api/rules/save", { source: RULES, seen: null, who: "anna" }],
    ["/api/rules/lists/add", { list: "blocked", value: "1", who: "anna" }],
    ["/api/model/threshold", { threshold: 0.7 }],
  ];
  for (const [path, body] of tries) {
    const [status, { error }] = await post<object>(other, path, body);
    assert.equal(status, 422, path);
    assert.match(`${error}`, /takes a token that has a name/);
  }
  assert.deepEqual(control.proposals, []);
  await control.requireApproval(false);
  assert.deepEqual(
    await post<ChangeOutcome>(other, ...tries[0]),
    [201, { status: "changed" }],
  );
});

Deno.test("an entry is found in its list and removed, with a second person where approval is required", async () => {
  await using page = await openPage(TOKENS, false, parametersOf(2), {
    requireApproval: true,
  });
  const { control } = page.folder.context;
  const decide = decidingIn(page);
  await post(page, "/api/rules/save", { source: RULES, seen: null }, ANNA);
  await decide(1, "approve", BEN);
  const change = (what: string, body: Record<string, unknown>) =>
    post<ChangeOutcome>(
      page,
      `/api/rules/lists/${what}`,
      { list: "blocked", ...body },
      ANNA,
    );
  const entries = (q: string) =>
    get<ListEntries>(
      page,
      `/api/rules/lists/entries?list=blocked&q=${q}`,
      ANNA,
    );
  let number = 1;
  const approve = () => decide(++number, "approve", BEN);
  for (
    const [value, expires] of [
      ["13", ""],
      ["3", ""],
      ["33", "2017-01-01"],
      ["4", "2018-05-01"],
    ]
  ) {
    await change("add", { value, expires });
    await approve();
  }
  const threes = [
    { value: "3", hasEnded: false },
    { value: "13", hasEnded: false },
    { value: "33", expires: "2017-01-01 00:00:00", hasEnded: true },
  ];
  assert.deepEqual(await entries("3"), { total: 4, found: 3, entries: threes });
  assert.deepEqual(await change("remove", { value: "3" }), [
    201,
    { status: "proposed" },
  ]);
  assert.equal((await entries("")).total, 4);
  const [{ items, lines }] = await waitingIn(page);
  assert.deepEqual(items.map(({ what }) => what), ["list"]);
  assert.deepEqual(lines, [{ of: "blocked", removed: ["3"], added: [] }]);
  assert.equal((await approve())[0], 201);
  assert.deepEqual(
    (await entries("")).entries.map(({ value }) => value),
    ["4", "13", "33"],
  );
  const [gone, { error }] = await change("remove", { value: "3" });
  assert.equal(gone, 422);
  assert.match(`${error}`, /no entry 3/);
  const [none] = await change("remove", { list: "none", value: "3" });
  assert.equal(none, 422);
  assert.equal(
    control.decisionChanges.at(-1)?.who,
    "anna, approved by ben",
  );
});

Deno.test("where approval is required, so does a threshold", async () => {
  await using page = await openPage(TOKENS, false, parametersOf(2), {
    requireApproval: true,
  });
  const { control } = page.folder.context;
  const decide = decidingIn(page);
  const apply = (threshold: number) =>
    post(page, "/api/model/threshold", { threshold }, ANNA);
  const proposed = { status: "proposed", threshold: 0.7 };
  assert.deepEqual(await apply(0.7), [201, proposed]);
  assert.equal(control.alertThreshold, undefined);
  await post(page, "/api/rules/save", { source: RULES, seen: null }, ANNA);
  await apply(0.8);
  const waiting = await waitingIn(page);
  assert.deepEqual(waiting[0].items, [
    { what: "threshold", before: null, after: 0.7 },
  ]);
  assert.equal((await decide(1, "approve", ANNA))[0], 422);
  // Rules that change meanwhile are another matter than the threshold.
  assert.equal((await decide(2, "approve", BEN))[0], 201);
  assert.equal((await decide(1, "approve", BEN))[0], 201);
  assert.equal(control.alertThreshold, 0.7);
  assert.equal(control.decisionState.threshold, 0.7);
  assert.notEqual(control.decisionState.rules, null);
  assert.deepEqual(
    control.decisionChanges.map(({ who, items }) => [who, items[0].what]),
    [
      ["anna, approved by ben", "rules"],
      ["anna, approved by ben", "threshold"],
    ],
  );
  // The other threshold was proposed in place of none.
  assert.deepEqual((await waitingIn(page)).map((one) => one.isOutdated), [
    true,
  ]);
  assert.equal((await decide(3, "approve", BEN))[0], 409);
  assert.deepEqual(await apply(0.7), [
    201,
    { ...proposed, status: "unchanged" },
  ]);
});

Deno.test("where approval is required, so does another champion", async () => {
  await using folder = temporaryFolder();
  const models = folder.path;
  const entry = (version: string, champion: string): RegistryEntry => {
    return { day: 1, action: "promoted", version, champion, reason: "a test" };
  };
  for (const version of ["aa", "bb"]) {
    await changeRegistry(models, (all) => {
      return withEntry(all, entry(version, version));
    });
  }
  await changeRegistry(models, (all) => withEntry(all, entry("cc", "bb")));
  await using page = await openPage(TOKENS, false, parametersOf(2), {
    ...{ models, requireApproval: true },
  });
  const decide = decidingIn(page);
  const champion = () => readRegistry(models).champion;
  const promote = (version: string) =>
    post(page, "/api/model/promote", { version }, ANNA);
  const proposed = { status: "proposed", champion: "bb" };
  assert.deepEqual(await promote("cc"), [201, proposed]);
  assert.deepEqual(await post(page, "/api/model/roll-back", {}, ANNA), [
    201,
    proposed,
  ]);
  assert.equal((await promote("dd"))[0], 422);
  assert.equal(champion(), "bb");
  assert.deepEqual(
    (await waitingIn(page)).map(({ items }) => items),
    [
      [{ what: "model", before: "bb", after: "cc" }],
      [{ what: "model", before: "bb", after: "aa" }],
    ],
  );
  assert.equal((await decide(1, "approve", ANNA))[0], 422);
  assert.deepEqual(await decide(1, "approve", BEN), [
    201,
    { status: "approved" },
  ]);
  assert.equal(champion(), "cc");
  assert.equal(
    readRegistry(models).history.at(-1)?.reason,
    "chosen by anna, approved by ben",
  );
  assert.equal((await waitingIn(page))[0].isOutdated, true);
  assert.equal((await decide(2, "approve", BEN))[0], 409);
  assert.equal((await decide(2, "reject", ANNA))[0], 201);
  assert.deepEqual(await waitingIn(page), []);
  assert.equal(champion(), "cc");
});

Deno.test("nobody changes rules without a session's key or from another site", async () => {
  await using page = await openPage();
  const own = await page.fromPage();
  const paths = [
    "/api/rules/save",
    "/api/rules/lists/add",
    "/api/rules/lists/remove",
    "/api/proposals/decide",
  ];
  const body = { source: RULES, seen: null, who: "ada" };
  for (const path of paths) {
    for (
      const headers of [
        { ...own, "x-fraudstream-key": "0" },
        { ...own, origin: "http://elsewhere.example" },
        { ...own, "sec-fetch-site": "cross-site" },
      ]
    ) {
      const [status] = await post(page, path, body, headers);
      assert.equal(status, 403, path);
    }
  }
  const large = { ...body, source: "x".repeat(70_000) };
  assert.equal((await post(page, paths[0], large))[0], 413);
  assert.deepEqual(page.folder.context.control.decisionChanges, []);
});
