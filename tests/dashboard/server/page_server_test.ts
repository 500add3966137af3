import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Control } from "../../../src/stream/control.ts";
import { DeadLetterBox } from "../../../src/stream/dead_letters.ts";
import { LABEL_TOPIC, TRANSACTION_TOPIC } from "../../../src/stream/topics.ts";
import { READ_LIMIT, readRange } from "../../../src/log/log.ts";
import {
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../../src/log/record_batch.ts";
import type { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";
import {
  ASSETS_VERSION,
  pageWith,
} from "../../../src/dashboard/server/assets.ts";
import type { Snapshot } from "../../../src/dashboard/views/snapshot.ts";
import { KEY_HEADER } from "../../../src/dashboard/server/guard.ts";
import { SUM } from "../../../src/dashboard/index/day_sums.ts";
import { CaseWriter } from "../../../src/dashboard/views/case_writer.ts";
import {
  askStore,
  type PastPayment,
} from "../../../src/dashboard/views/page_view.ts";
import {
  appendCaseSteps,
  readDecisions,
} from "../../../src/stream/case_events.ts";
import {
  FROM_PAGE,
  openPage,
  openSecondPage,
  type PageFixture,
  payment,
  prediction,
} from "../page_fixture.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const SCRIPT = "<script>alert(1)</script>";

/** All labels of a log, as they stand in it. */
async function labelsOf(log: EmbeddedLog): Promise<[string, unknown][]> {
  const labels: [string, unknown][] = [];
  const text = new TextDecoder();
  for (const [p, end] of (await log.endOffsets(LABEL_TOPIC) ?? []).entries()) {
    for await (const batch of readRange(log, LABEL_TOPIC, p, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        labels.push([
          text.decode(recordKey(batch, i)),
          JSON.parse(text.decode(recordValue(batch, i))),
        ]);
      }
    }
  }
  return labels;
}

Deno.test("every answer carries the headers that keep a browser from running or leaking anything", async () => {
  await using page = await openPage();
  for (
    const path of [
      "/",
      `/page/${ASSETS_VERSION}/app.js`,
      "/api/system",
      "/healthz",
      "/nothing",
    ]
  ) {
    const { headers, body } = await page.ask(path);
    await body?.cancel();
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /script-src 'self' 'sha256-[^']+'(;|$)/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "same-origin");
  }
});

/** The source of a script or style in a policy. */
function sourceOf(text: string): string {
  const hash = createHash("sha256").update(text).digest("base64");
  return `'sha256-${hash}'`;
}

Deno.test("the policy admits the script and style in the page, which loads nothing from elsewhere", async () => {
  await using page = await openPage(TOKEN);
  for (const path of ["/", "/login"]) {
    const authorization = `Bearer ${TOKEN}`;
    const answer = await page.ask(path, { headers: { authorization } });
    const policy = answer.headers.get("content-security-policy") ?? "";
    const html = await answer.text();
    const inside = (name: string) =>
      [...html.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))]
        .map(([, text]) => `${name}-src 'self' ${sourceOf(text)};`);
    const own = [...inside("script"), ...inside("style")];
    assert.equal(own.length, path === "/" ? 2 : 1);
    for (const source of own) assert.ok(policy.includes(source), source);
    assert.doesNotMatch(html, /<script(?!>)(?![^>]*src="page\/)/);
    assert.doesNotMatch(html, /\sstyle=|\son[a-z]+=|https?:\/\//);
    for (const [, name] of html.matchAll(/(?:src|href)="(page\/[^"]+)"/g)) {
      const { status, body } = await page.ask(`/${name}`);
      await body?.cancel();
      assert.equal(status, 200, name);
    }
  }
});

/** early.js and app.js. */
const PAGE_SCRIPTS = 2;

/** The snapshot that a page came with. */
function snapshotIn(html: string): Snapshot {
  const content = /<meta name="snapshot" content="([^"]*)" \/>/.exec(html)?.[1];
  const text = content?.replaceAll("&quot;", '"').replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&#39;", "'").replaceAll("&amp;", "&");
  return JSON.parse(text ?? "");
}

Deno.test("the page comes with the newest state, for its scripts and as figures", async () => {
  await using page = await openPage();
  await page.publish([payment({ transactionId: 9, fraud: 1, scenario: 1 })]);
  await page.until(() => page.index.known().payments === 1);
  const html = await (await page.ask("/")).text();
  assert.equal(snapshotIn(html).recent[0].id, 9);
  assert.match(html, /<dt>Fraud stopped<\/dt><dd>€0\.00<\/dd>/);
});

Deno.test("no text of the state that the page comes with is markup", async () => {
  await using page = await openPage();
  const snapshot = snapshotIn(await (await page.ask("/")).text());
  const text = `"'><script>alert(1)</script> & <!-- first view --> $& &amp;`;
  const hostile = {
    ...snapshot,
    problem: text,
    eventTime: text,
    stages: [{ ...snapshot.stages[0], name: text, lag: 1 }],
  };
  const html = pageWith(hostile);
  assert.deepEqual(snapshotIn(html), hostile);
  assert.equal(html.split("<script").length, PAGE_SCRIPTS + 1);
  assert.equal(html.split("<!-- ").length, 1);
});

Deno.test("the page's files are kept by browsers under their version, nothing else is", async () => {
  await using page = await openPage();
  const cacheOf = async (path: string) => {
    const { status, headers, body } = await page.ask(path);
    await body?.cancel();
    return [status, headers.get("cache-control")];
  };
  const kept = "private, max-age=31536000, immutable";
  assert.deepEqual(await cacheOf(`/page/${ASSETS_VERSION}/app.js`), [
    200,
    kept,
  ]);
  for (const path of ["/", "/api/system", "/login"]) {
    assert.deepEqual(await cacheOf(path), [200, "no-store"], path);
  }
  for (
    const path of [`/page/${ASSETS_VERSION}/nothing.js`, "/page/0/app.js"]
  ) assert.deepEqual(await cacheOf(path), [404, "no-store"], path);
});

Deno.test("without a token the page answers under this machine's own names only", async () => {
  await using page = await openPage();
  const statusOf = async (host: string) => {
    const { status, body } = await page.ask("/healthz", { headers: { host } });
    await body?.cancel();
    return status;
  };
  for (const own of ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"]) {
    assert.equal(await statusOf(own), 200, own);
  }
  for (const foreign of ["evil.example:8080", "127.0.0.1.evil.example", ""]) {
    assert.equal(await statusOf(foreign), 421, foreign);
  }
});

Deno.test("a write is taken from the page itself only", async () => {
  await using page = await openPage();
  await page.publish([{}]);
  const body = JSON.stringify({ kind: "verdict", label: 1, who: "Ada" });
  const path = "/api/cases/7/events";
  const statusOf = async (headers: Record<string, string>) => {
    const answer = await page.ask(path, { method: "POST", body, headers });
    await answer.body?.cancel();
    return answer.status;
  };
  const json = { "content-type": "application/json" };
  const fromPage = await page.fromPage();
  const foreign = [
    {},
    { ...fromPage, origin: "http://evil.example" },
    { ...fromPage, origin: "http://localhost:8080" },
    { ...fromPage, "sec-fetch-site": "same-site" },
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:8081" },
    { ...FROM_PAGE, "sec-fetch-site": "cross-site" },
    { ...FROM_PAGE, "sec-fetch-site": "same-site" },
  ];
  for (const headers of foreign) {
    assert.equal(await statusOf({ ...json, ...headers }), 403);
  }
  assert.equal(
    await statusOf({ ...fromPage, "content-type": "text/plain" }),
    422,
  );
  assert.deepEqual(await labelsOf(page.folder.log), []);
  assert.equal(await statusOf(fromPage), 201);
});

Deno.test("a write takes the key of a page session, on this machine too", async () => {
  await using page = await openPage();
  await page.publish([{}]);
  const [own, other] = [await page.fromPage(), await page.fromPage()];
  const writes: [string, unknown][] = [
    ["/api/cases/7/events", { kind: "verdict", label: 1, who: "Ada" }],
    ["/api/model/threshold", { threshold: 0.5 }],
    ["/api/model/promote", { version: "0123456789ab" }],
    ["/api/model/roll-back", {}],
    ["/api/dead-letters/requeue", { id: "x", json: "{}" }],
    ["/api/nothing", {}],
  ];
  const without = [
    FROM_PAGE,
    { ...own, cookie: "" },
    { ...own, [KEY_HEADER]: "" },
    { ...own, [KEY_HEADER]: other[KEY_HEADER] },
    { ...own, cookie: `fraudstream_session=${"0".repeat(64)}` },
    // Where there is no token, none is the right one.
    { ...FROM_PAGE, authorization: "Bearer undefined" },
    { "content-type": "application/json", authorization: "Bearer x" },
  ];
  const post = async (
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ) => {
    const method = "POST";
    const init = { method, body: JSON.stringify(body), headers };
    const answer = await page.ask(path, init);
    return [answer.status, (await answer.json()).error];
  };
  for (const [path, body] of writes) {
    for (const headers of without) {
      const [status, error] = await post(path, body, headers);
      assert.equal(status, 403, path);
      assert.match(error, /needs the key of a page session/);
    }
    const [status] = await post(path, body, own);
    assert.notEqual(status, 403, path);
  }
});

Deno.test("only the page itself gets a session's key", async () => {
  await using page = await openPage();
  const statusOf = async (headers: Record<string, string>) => {
    const { status, body } = await page.ask("/api/session", { headers });
    await body?.cancel();
    return status;
  };
  for (const site of ["cross-site", "same-site", "none"]) {
    assert.equal(await statusOf({ "sec-fetch-site": site }), 403, site);
  }
  assert.equal(await statusOf({ host: "rebound.example:8080" }), 421);
  const { headers, body } = await page.ask("/api/session");
  await body?.cancel();
  assert.match(headers.get("set-cookie") ?? "", /; HttpOnly; SameSite=Strict/);
  assert.equal(headers.get("access-control-allow-origin"), null);
  assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
});

Deno.test("a body that is too long is refused, whatever it says of its length", async () => {
  await using page = await openPage();
  const fromPage = await page.fromPage();
  const post = async (body: BodyInit, length: Record<string, string>) => {
    const answer = await page.ask("/api/cases/7/events", {
      method: "POST",
      body,
      headers: { ...fromPage, ...length },
    });
    await answer.body?.cancel();
    return answer.status;
  };
  const streamed = (bytes: number) =>
    new Blob([new Uint8Array(bytes)]).stream();
  assert.equal(await post("{}", { "content-length": "65537" }), 413);
  assert.equal(await post(streamed(65_537), {}), 413);
  assert.equal(await post(streamed(65_536), {}), 422);
  assert.equal(await post("{}", {}), 422);
});

Deno.test("with a token nothing but health and the way in is answered without it", async () => {
  await using page = await openPage(TOKEN);
  const statusOf = async (
    path: string,
    headers: Record<string, string> = {},
  ) => {
    const { status, body } = await page.ask(path, { headers });
    await body?.cancel();
    return status;
  };
  const guarded = ["/api/live", "/api/system", "/api/alerts", "/metrics"];
  for (const path of guarded) {
    assert.equal(await statusOf(path), 401, path);
    const wrong = { authorization: `Bearer ${TOKEN.slice(1)}` };
    assert.equal(await statusOf(path, wrong), 401, path);
    const right = { authorization: `Bearer ${TOKEN}` };
    assert.equal(await statusOf(path, right), 200, path);
  }
  assert.equal(await statusOf("/"), 303);
  for (
    const path of ["/healthz", "/login", `/page/${ASSETS_VERSION}/app.js`]
  ) {
    assert.equal(await statusOf(path), 200, path);
  }
});

Deno.test("who enters the token gets a cookie that scripts and other sites cannot use", async () => {
  await using page = await openPage(TOKEN);
  const enter = (token: string) =>
    page.ask("/login", {
      method: "POST",
      body: `token=${token}`,
      headers: {
        ...FROM_PAGE,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
  const wrong = await enter("wrong");
  assert.equal(wrong.status, 401);
  assert.match(await wrong.text(), /That is not the token/);
  const right = await enter(TOKEN);
  assert.equal(right.status, 303);
  const cookie = right.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; HttpOnly; SameSite=Strict/);
  assert.ok(!cookie.includes(TOKEN));
  const session = { cookie: cookie.split(";")[0] };
  assert.equal(
    (await page.ask("/api/alerts", { headers: session })).status,
    200,
  );
  await page.ask("/logout", {
    method: "POST",
    headers: { ...FROM_PAGE, ...session, "content-length": "0" },
  });
  assert.equal(
    (await page.ask("/api/alerts", { headers: session })).status,
    401,
  );
});

Deno.test("what a person does carries the name of the token, not the one in the body", async () => {
  await using page = await openPage(`Ada:${TOKEN}\nGrace:${TOKEN}2\n${TOKEN}3`);
  await page.publish([{}]);
  await page.until(() => page.index.known().payments === 1);
  const asName = async (token: string, body: Record<string, unknown>) => {
    const entered = await page.ask("/login", {
      method: "POST",
      body: `token=${token}`,
      headers: {
        ...FROM_PAGE,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
    const cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
    const session = await page.ask("/api/session", { headers: { cookie } });
    const { key, who } = await session.json();
    const answer = await page.ask("/api/cases/7/events", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { ...FROM_PAGE, cookie, [KEY_HEADER]: key },
    });
    return [who, (await answer.json()).event?.who];
  };
  const claim = { kind: "claim", who: "Mallory" };
  assert.deepEqual(await asName(TOKEN, claim), ["Ada", "Ada"]);
  assert.deepEqual(await asName(`${TOKEN}2`, claim), ["Grace", "Grace"]);
  assert.deepEqual(await asName(`${TOKEN}3`, claim), [undefined, "Mallory"]);
  const bearer = await page.ask("/api/cases/7/events", {
    method: "POST",
    body: JSON.stringify(claim),
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${TOKEN}2`,
    },
  });
  assert.equal((await bearer.json()).assignee, "Grace");
});

/** Shows a token, by the form or as programs do; gives the status. */
async function show(
  page: PageFixture,
  way: "form" | "bearer",
  token: string,
  address: string,
  more: Record<string, string> = {},
): Promise<number> {
  const { status, body } = way === "bearer"
    ? await page.ask("/api/system", {
      headers: { authorization: `Bearer ${token}`, ...more },
    }, address)
    : await page.ask("/login", {
      method: "POST",
      body: `token=${token}`,
      headers: {
        ...FROM_PAGE,
        "content-type": "application/x-www-form-urlencoded",
        ...more,
      },
    }, address);
  await body?.cancel();
  return status;
}

for (const way of ["form", "bearer"] as const) {
  Deno.test(`wrong tokens are not looked at for ever: ${way}`, async () => {
    await using page = await openPage(TOKEN);
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++) {
      statuses.push(await show(page, way, "wrong", "192.0.2.1"));
    }
    assert.equal(statuses.filter((status) => status === 401).length, 20);
    assert.deepEqual(statuses.slice(20), Array(5).fill(429));
    // The right one is not looked at either, by no way.
    assert.equal(await show(page, "bearer", TOKEN, "192.0.2.1"), 429);
    assert.equal(await show(page, "form", TOKEN, "192.0.2.1"), 429);
    // A stranger's wrong tokens keep nobody else out.
    assert.equal(await show(page, "bearer", TOKEN, "192.0.2.2"), 200);
    assert.equal(await show(page, "form", TOKEN, "192.0.2.2"), 303);
  });
}

Deno.test("who is in stays in, whatever others at the same address try", async () => {
  await using page = await openPage(TOKEN);
  const entered = await page.ask("/login", {
    method: "POST",
    body: `token=${TOKEN}`,
    headers: {
      ...FROM_PAGE,
      "content-type": "application/x-www-form-urlencoded",
    },
  });
  const cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
  for (let i = 0; i < 25; i++) {
    await show(page, "bearer", "wrong", "127.0.0.1");
  }
  const { status, body } = await page.ask("/api/system", {
    headers: { cookie },
  });
  await body?.cancel();
  assert.equal(status, 200);
  const write = { ...FROM_PAGE, cookie };
  const answer = await page.ask("/api/model/threshold", {
    method: "POST",
    body: JSON.stringify({ threshold: 0.5 }),
    headers: { ...await page.fromPage({ cookie }), cookie },
  });
  assert.equal(answer.status, 201, JSON.stringify(write));
});

Deno.test("a proxy's clients are told apart by what the proxy has added", async () => {
  await using page = await openPage(TOKEN, true);
  const from = (client: string) => ({ "x-forwarded-for": client });
  for (let i = 0; i < 20; i++) {
    // What the client itself has written counts for nothing.
    const forged = from(`203.0.113.${i}, 192.0.2.1:${4000 + i}`);
    await show(page, "bearer", "wrong", "127.0.0.1", forged);
  }
  const statusOf = (client: string) =>
    show(page, "bearer", TOKEN, "127.0.0.1", from(client));
  assert.equal(await statusOf("192.0.2.1"), 429);
  assert.equal(await statusOf("192.0.2.2"), 200);
  await using direct = await openPage(TOKEN);
  for (let i = 0; i < 20; i++) {
    await show(direct, "form", "wrong", "192.0.2.1", from(`192.0.2.${i}`));
  }
  assert.equal(await show(direct, "form", TOKEN, "192.0.2.1"), 429);
});

Deno.test("behind TLS the cookie is Secure and bound to the host", async () => {
  await using page = await openPage(TOKEN, true);
  const tls = { "x-forwarded-proto": "https" };
  const enter = async (more: Record<string, string>) =>
    await page.ask("/login", {
      method: "POST",
      body: `token=${TOKEN}`,
      headers: {
        ...FROM_PAGE,
        ...more,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
  const plainOrigin = await enter(tls);
  assert.equal(plainOrigin.status, 403);
  await plainOrigin.body?.cancel();
  const entered = await enter({ ...tls, origin: "https://127.0.0.1:8080" });
  const cookie = entered.headers.get("set-cookie") ?? "";
  assert.match(cookie, /^__Host-fraudstream_session=[0-9a-f]{64}; Path=\/;/);
  assert.match(cookie, /; Secure$/);
  assert.doesNotMatch(cookie, /Domain/i);
  const statusOf = async (headers: Record<string, string>) => {
    const { status, body } = await page.ask("/api/system", { headers });
    await body?.cancel();
    return status;
  };
  const pair = cookie.split(";")[0];
  assert.equal(await statusOf({ ...tls, cookie: pair }), 200);
  // Beneath a path the cookie is for that path only.
  const origin = { ...tls, origin: "https://127.0.0.1:8080" };
  const pathOf = async (prefix: string) => {
    const answer = await enter({ ...origin, "x-forwarded-prefix": prefix });
    await answer.body?.cancel();
    return /^(\w+)-fraud.*; Path=([^;]*);/.exec(
      answer.headers.get("set-cookie") ?? "",
    )?.slice(1);
  };
  assert.deepEqual(await pathOf("/team/fraud/"), ["__Secure", "/team/fraud/"]);
  for (const none of ["", "/", "fraud", "//evil", "/a;b", "/a b", "/ä"]) {
    assert.deepEqual(await pathOf(none), ["__Host", "/"], none);
  }
  const unbound = pair.replace("__Host-", "");
  assert.equal(await statusOf({ ...tls, cookie: unbound }), 401);
  // Without a trusted proxy anybody could say that there is TLS.
  await using direct = await openPage(TOKEN);
  const answer = await direct.ask("/login", {
    method: "POST",
    body: `token=${TOKEN}`,
    headers: {
      ...FROM_PAGE,
      ...tls,
      "content-type": "application/x-www-form-urlencoded",
    },
  });
  assert.match(answer.headers.get("set-cookie") ?? "", /^fraudstream_session=/);
});

Deno.test("a stream of events ends when its session does", async () => {
  await using page = await openPage(TOKEN);
  const signIn = async () => {
    const entered = await page.ask("/login", {
      method: "POST",
      body: `token=${TOKEN}`,
      headers: {
        ...FROM_PAGE,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
    return entered.headers.get("set-cookie")?.split(";")[0] ?? "";
  };
  const listen = async (headers: Record<string, string>) => {
    const { body } = await page.ask("/api/live", { headers });
    assert.ok(body);
    const reader = body.getReader();
    await reader.read();
    return reader;
  };
  const [leaving, staying] = [await signIn(), await signIn()];
  const ended = await listen({ cookie: leaving });
  const others = [
    await listen({ cookie: staying }),
    await listen({ authorization: `Bearer ${TOKEN}` }),
  ];
  const answer = await page.ask("/logout", {
    method: "POST",
    headers: { ...FROM_PAGE, cookie: leaving, "content-length": "0" },
  });
  await answer.body?.cancel();
  assert.equal((await ended.read()).done, true);
  page.server.tick();
  for (const reader of others) assert.equal((await reader.read()).done, false);
  for (const reader of others) await reader.cancel();
});

Deno.test("alerts are queued, filtered and sorted, and opened with all that is behind them", async () => {
  await using page = await openPage();
  const frauds = [
    payment({ fraud: 1, scenario: 2 }),
    payment({ transactionId: 8, customerId: 4 }),
  ];
  const [first, second] = frauds;
  await page.publish(frauds);
  await page.until(() => page.index.known().payments === 2);
  await page.predict([prediction(first, 0.7), prediction(second, 0.9)]);
  await page.until(() => page.index.known().alerts === 2);
  const idsOf = async (query: string) => {
    const { alerts } = await (await page.ask(`/api/alerts?${query}`)).json();
    return alerts.map(({ id }: { id: number }) => id);
  };
  assert.deepEqual(await idsOf("sort=score"), [8, 7]);
  assert.deepEqual(await idsOf("score=0.8"), [8]);
  assert.deepEqual(await idsOf("page=9999"), [8, 7], "the last page instead");
  assert.deepEqual(await idsOf("scenario=2"), [8, 7]);
  await page.until(() => page.index.queries.unjoined(0, 1).length === 0);
  assert.deepEqual(await idsOf("scenario=2&truth=1"), [7]);
  assert.deepEqual(await idsOf("q=7"), [7]);
  assert.deepEqual(await idsOf("assignee=nobody"), [8, 7]);
  assert.deepEqual(await idsOf("assignee=Ada"), []);
  assert.deepEqual(await idsOf("model=0123456789ab&amountFrom=12.5"), [8, 7]);
  assert.deepEqual(await idsOf("amountTo=12.49"), []);
  assert.deepEqual(await idsOf("day=2018-05-11&sort=newest"), [8, 7]);
  assert.deepEqual(await idsOf("day=2018-05-12"), []);
  assert.deepEqual(await idsOf("upTo=1"), [7]);
  assert.deepEqual(await idsOf("card=4"), [8]);
  assert.deepEqual(await idsOf("terminal=6"), []);
  assert.deepEqual(await idsOf("state=open&sort=score"), [8, 7]);
  assert.deepEqual(await idsOf("state=cleared"), []);
  const found = await (await page.ask("/api/cases/7")).json();
  assert.equal(found.payment.score, 0.7);
  assert.equal(found.payment.terminal, 5);
  assert.equal(found.features.length, 14);
  assert.deepEqual(
    found.ofTerminal.map(({ transactionId }: { transactionId: number }) =>
      transactionId
    ),
    [8, 7],
  );
  assert.deepEqual(
    found.ofCard.map(({ transactionId }: { transactionId: number }) =>
      transactionId
    ),
    [7],
  );
  // Seven days have not passed: nothing is known to be a fraud.
  assert.equal(page.index.known().stoppedCents, 0);
  assert.equal(page.index.sums.total[SUM.alertedFraudCents], 1250);
});

/** A page with two open alerts of one terminal, of a fraud and of a genuine payment, and what acts on it. */
async function pageWithAlerts(token?: string) {
  const page = await openPage(token);
  const rows = [
    payment({ fraud: 1, scenario: 2 }),
    payment({ transactionId: 8, customerId: 4, amount: 30 }),
  ];
  await page.publish(rows);
  await page.predict(rows.map((row) => prediction(row, 0.8)));
  await page.until(() =>
    page.index.known().alerts === 2 &&
    page.index.queries.unjoined(0, 1).length === 0
  );
  const headers = await page.fromPage();
  const post = async (path: string, body: unknown) => {
    const init = { method: "POST", body: JSON.stringify(body), headers };
    const answer = await page.ask(path, init);
    return { status: answer.status, ...await answer.json() };
  };
  const act = (body: Record<string, unknown>, id = 7) =>
    post(`/api/cases/${id}/events`, { who: "Ada", ...body });
  const get = async (path: string) => await (await page.ask(path)).json();
  return {
    page,
    post,
    act,
    get,
    [Symbol.asyncDispose]: () => page[Symbol.asyncDispose](),
  };
}

Deno.test("a verdict goes to the log, then to the store, with its history, and changes nothing else", async () => {
  await using opened = await pageWithAlerts();
  const { page, act, get } = opened;
  const { log, store } = page.folder;
  const before = await store.lookUp().payment(7);
  const first = await act({ kind: "verdict", label: 1, note: SCRIPT });
  assert.equal(first.status, 201);
  assert.equal(first.state, "confirmed");
  const { events } = await act({ kind: "verdict", label: 0, who: " Grace " });
  assert.deepEqual(
    events.map((
      event: Record<string, unknown>,
    ) => [event.label, event.who, event.note, event.undone]),
    [[0, "Grace", "", false], [1, "Ada", SCRIPT, false]],
  );
  await page.until(() => page.index.queries.unstored(1).length === 0);
  assert.deepEqual(
    (await store.lookUp().verdicts(7)).map((
      { label, analyst },
    ) => [label, analyst]),
    [[0, "Grace"], [1, "Ada"]],
  );
  assert.deepEqual(
    await labelsOf(log),
    events.toReversed().map((event: Record<string, unknown>) => ["7", {
      TRANSACTION_ID: 7,
      LABEL: event.label,
      ANALYST: event.who,
      NOTE: event.note,
      DECIDED_AT: event.at,
      EVENT_ID: event.eventId,
    }]),
  );
  assert.deepEqual(await store.lookUp().payment(7), before);
  assert.equal((await get("/api/alerts?state=cleared")).total, 1);
  assert.equal((await get("/api/alerts")).total, 1);
});

Deno.test("an undo withdraws a verdict everywhere, for ten seconds and by who gave it", async () => {
  await using opened = await pageWithAlerts();
  const { page, act } = opened;
  const { log, store } = page.folder;
  await act({ kind: "verdict", label: 0 });
  await act({ kind: "verdict", label: 1 });
  assert.equal((await act({ kind: "undo", who: "Grace" })).status, 422);
  assert.equal((await act({ kind: "undo" })).state, "cleared");
  const { state, events } = await act({ kind: "undo" });
  assert.equal(state, "open");
  assert.deepEqual(
    events.map(({ kind, undone }: Record<string, unknown>) => [kind, undone]),
    [["undo", false], ["undo", false], ["verdict", true], ["verdict", true]],
  );
  assert.equal((await act({ kind: "undo" })).status, 422);
  await page.until(() => page.index.queries.unstored(1).length === 0);
  assert.deepEqual(await store.lookUp().verdicts(7), []);
  assert.deepEqual(
    (await labelsOf(log)).map(([, label]) =>
      (label as { LABEL: unknown }).LABEL
    ),
    [0, 1, 0, null],
  );
  const decisions = await readDecisions(log);
  assert.deepEqual(
    decisions.map(({ label, who, undone }) => [label, who, undone?.who]),
    [[0, "Ada", "Ada"], [1, "Ada", "Ada"]],
  );
});

Deno.test("alerts are claimed, released, noted and snoozed, and a second page shows it", async () => {
  await using opened = await pageWithAlerts();
  const { page, act, get } = opened;
  assert.equal((await act({ kind: "claim" })).assignee, "Ada");
  assert.equal((await get("/api/alerts?assignee=Ada")).total, 1);
  assert.equal((await act({ kind: "note", note: "called" })).state, "open");
  const day = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10);
  const snoozed = await act({ kind: "snooze", until: day });
  assert.equal(snoozed.state, "snoozed");
  assert.equal(snoozed.snoozedUntil, `${day}T00:00:00.000Z`);
  assert.equal((await get("/api/alerts")).total, 1);
  assert.equal((await get("/api/alerts?state=snoozed")).total, 1);
  await using second = await openSecondPage(page);
  await second.until(() => second.index.known().alerts === 2);
  await second.until(() => second.index.queries.events(7).length === 3);
  await second.until(() =>
    second.index.queries.alert(7)?.features !== undefined
  );
  const paths = ["/api/alerts?state=snoozed", "/api/alerts", "/api/cases/7"];
  for (const path of paths) {
    const ofSecond = await (await second.ask(path)).json();
    assert.deepEqual(ofSecond, await get(path));
  }
  assert.equal((await act({ kind: "snooze" })).state, "open");
  assert.equal((await act({ kind: "release" })).assignee, undefined);
});

Deno.test("a group is decided at once, as it was seen, and undone as a whole", async () => {
  await using opened = await pageWithAlerts();
  const { page, post, act, get } = opened;
  const { total, groups } = await get("/api/alerts/groups?by=terminal");
  assert.equal(total, 1);
  assert.deepEqual(groups, [{
    id: 5,
    alerts: 2,
    amount: 42.5,
    scoreMax: 0.8,
    newest: "2018-05-11 12:00:00",
  }]);
  const decide = (more: Record<string, unknown>) =>
    post("/api/alerts/decide", {
      by: "terminal",
      id: 5,
      filter: {},
      label: 1,
      who: "Ada",
      alerts: 2,
      amount: 42.5,
      ...more,
    });
  const stale = await decide({ alerts: 3 });
  assert.deepEqual([stale.status, stale.alerts, stale.amount], [409, 2, 42.5]);
  const other = await decide({ filter: { card: "4" } });
  assert.deepEqual([other.status, other.alerts, other.amount], [409, 1, 30]);
  assert.equal((await decide({})).decided, 2);
  assert.equal((await get("/api/alerts")).total, 0);
  // An alert of the group that is confirmed by an analyst is known to be a fraud.
  assert.equal(page.index.known().stoppedCents, 4250);
  assert.equal((await act({ kind: "undo" }, 8)).state, "open");
  assert.equal((await get("/api/alerts")).total, 2);
  assert.equal(page.index.known().stoppedCents, 0);
});

Deno.test("what another person has done since a case was shown is not overwritten", async () => {
  await using opened = await pageWithAlerts();
  const { act, get } = opened;
  const seenNow = async () => {
    const [newest] = (await get("/api/cases/7")).events;
    return newest?.eventId ?? "";
  };
  const seen = await seenNow();
  const clear = { kind: "verdict", label: 0 };
  const confirm = { kind: "verdict", label: 1 };
  assert.equal((await act({ ...clear, who: "Grace", seen })).status, 201);
  for (const kind of ["verdict", "claim", "snooze", "release"]) {
    const refused = await act({ ...confirm, kind, until: null, seen });
    assert.equal(refused.status, 409, kind);
    assert.match(refused.error, /^Grace has cleared this case/);
  }
  assert.equal((await act({ kind: "note", note: "called", seen })).status, 201);
  assert.equal((await get("/api/cases/7")).state, "cleared");
  // Who has seen it may decide otherwise, and a note stands in nobody's way.
  const cleared = await seenNow();
  await act({ kind: "note", who: "Grace", note: "called too" });
  assert.equal((await act({ ...confirm, seen: cleared })).state, "confirmed");
  // One's own actions are known, and so is what came to nothing.
  await act({ kind: "claim", who: "Grace" });
  await act({ kind: "undo", who: "Grace" });
  assert.equal((await act({ ...clear, seen: cleared })).state, "cleared");
  // Programs that name nothing that they have seen decide as they did.
  assert.equal((await act({ ...confirm, who: "Eve" })).state, "confirmed");
});

Deno.test("of two pages that decide at once one is refused, and shown the other's verdict", async () => {
  await using opened = await pageWithAlerts();
  const { page, post } = opened;
  await using second = openSecondPage(page);
  await second.until(() => second.index.known().alerts === 2);
  const headers = await second.fromPage();
  const postSecond = async (path: string, body: unknown) => {
    const init = { method: "POST", body: JSON.stringify(body), headers };
    const answer = await second.ask(path, init);
    return { status: answer.status, ...await answer.json() };
  };
  const verdict = (who: string, seen: string) => {
    return { kind: "verdict", label: who === "Ada" ? 1 : 0, who, seen };
  };
  const statuses = (answers: readonly { status: number }[]) =>
    answers.map(({ status }) => status).sort();
  let seen = "";
  for (let round = 0; round < 5; round++) {
    const path = "/api/cases/7/events";
    const answers = await Promise.all([
      post(path, verdict("Ada", seen)),
      postSecond(path, verdict("Grace", seen)),
    ]);
    assert.deepEqual(statuses(answers), [201, 409], `round ${round}`);
    seen = answers.find(({ status }) => status === 201)?.event.eventId;
  }
  const group = { by: "terminal", id: 5, filter: {}, alerts: 1, amount: 30 };
  const path = "/api/alerts/decide";
  const answers = await Promise.all([
    post(path, { ...group, label: 1, who: "Ada" }),
    postSecond(path, { ...group, label: 0, who: "Grace" }),
  ]);
  assert.deepEqual(statuses(answers), [201, 409]);
  assert.equal((await readDecisions(page.folder.log)).length, 6);
});

Deno.test("a verdict counts after what its page has read, though another machine's clock was ahead", async () => {
  await using opened = await pageWithAlerts();
  const { page, act } = opened;
  const event = {
    eventId: "11111111-2222-4333-8444-555555555555",
    transactionId: 7,
    who: "Grace",
    at: new Date(Date.now() + 60_000).toISOString(),
    note: "",
    kind: "verdict" as const,
    label: 0 as const,
  };
  await appendCaseSteps(page.folder.log, [
    { event, label: 0, timestampMs: 0 },
  ]);
  const { state, events } = await act({ kind: "verdict", label: 1 });
  assert.equal(state, "confirmed");
  assert.equal(events[0].who, "Ada");
});

Deno.test("a store or a log that does not answer is said in a sentence, and nothing is written later", async () => {
  await using opened = await pageWithAlerts();
  const { page } = opened;
  const never = new Promise<never>(() => {});
  await assert.rejects(
    askStore({ lookUp: () => page.folder.store.lookUp(), storeMs: 5 }, () => {
      return never;
    }),
    { name: "StoreError", message: /does not answer; try again later$/ },
  );
  const { promise: answers, resolve } = Promise.withResolvers<void>();
  const cases = new CaseWriter({
    log: page.folder.log,
    read: async (eventIds) => {
      await answers;
      await page.reader.readCases(eventIds);
    },
    eventsOf: () => [],
    patienceMs: 50,
  });
  const event = {
    ...{ transactionId: 7, who: "Ada", note: "" },
    kind: "claim" as const,
  };
  await assert.rejects(
    cases.inTurn((write) => write([{ event, timestampMs: 0 }])),
    { name: "LogError", message: /does not answer, and nothing was saved/ },
  );
  resolve();
  // The next turn comes after the one that was given up.
  await cases.inTurn(() => Promise.resolve());
  await page.reader.readCases([]);
  assert.deepEqual(page.index.queries.events(7), []);
});

Deno.test("a case has neighbours in its filter's order, also once it no longer matches", async () => {
  await using opened = await pageWithAlerts();
  const { act, get } = opened;
  assert.deepEqual(await get("/api/cases/8/neighbours"), {
    position: 1,
    total: 2,
    next: 7,
  });
  await act({ kind: "verdict", label: 1 }, 8);
  assert.deepEqual(await get("/api/cases/8/neighbours"), {
    position: 1,
    total: 1,
    next: 7,
  });
  assert.deepEqual(await get("/api/cases/7/neighbours?state=all"), {
    position: 2,
    total: 2,
    previous: 8,
  });
});

Deno.test("a case shows no label that was not known when the payment was made", async () => {
  await using page = await openPage();
  const day = 86_400;
  const time = 40 * day;
  const at = (transactionId: number, timeSeconds: number) =>
    payment({ transactionId, timeSeconds, fraud: 1, scenario: 2 });
  await page.publish([
    at(5, time - 7 * day),
    at(6, time - 7 * day + 1),
    at(7, time),
  ]);
  await page.until(() => page.index.known().payments === 3);
  const known = await (await page.ask("/api/cases/7")).json();
  const label = ({ transactionId, known, fraud, scenario }: PastPayment) => {
    return [transactionId, known, fraud, scenario];
  };
  assert.deepEqual(known.ofTerminal.map(label), [
    [7, false, undefined, undefined],
    [6, false, undefined, undefined],
    [5, true, 1, undefined],
  ]);
  assert.equal(known.payment.fraud, undefined);
  assert.equal(known.terminal.compromised, undefined);
  assert.doesNotMatch(JSON.stringify(known), /scenario|compromised/);
  const truth = await (await page.ask("/api/cases/7?truth=1")).json();
  assert.deepEqual(truth.ofTerminal.map(label), [
    [7, false, 1, 2],
    [6, false, 1, 2],
    [5, true, 1, 2],
  ]);
  assert.deepEqual([truth.payment.fraud, truth.payment.scenario], [1, 2]);
  assert.equal(truth.terminal.compromised, true);
  assert.equal(page.index.known().frauds, 1);
  const html = await (await page.ask("/")).text();
  const { totals, truth: all, recent } = snapshotIn(html);
  assert.deepEqual([totals.frauds, all.totals.frauds], [1, 3]);
  assert.doesNotMatch(JSON.stringify(recent), /fraud|scenario/);
  const map = await (await page.ask("/api/terminals/5")).json();
  assert.equal(map.terminal.frauds, 1);
  assert.doesNotMatch(JSON.stringify(map), /scenario|compromised/);
});

Deno.test("what is no verdict is refused in one sentence and kept nowhere", async () => {
  await using page = await openPage();
  await page.publish([{}]);
  const bodies = [
    "no JSON",
    "[]",
    "null",
    JSON.stringify({ kind: "sentence", label: 1, who: "Ada" }),
    JSON.stringify({ kind: "snooze", until: "2020-01-01", who: "Ada" }),
    JSON.stringify({ kind: "snooze", until: "tomorrow", who: "Ada" }),
    JSON.stringify({ kind: "undo", who: "Ada" }),
    JSON.stringify({ kind: "verdict", label: 2, who: "Ada" }),
    JSON.stringify({ kind: "verdict", label: 1, who: "  " }),
    JSON.stringify({ kind: "verdict", label: 1, who: "a".repeat(101) }),
    JSON.stringify({ kind: "note", who: "Ada", note: "n".repeat(2001) }),
  ];
  for (const body of bodies) {
    const answer = await page.ask("/api/cases/7/events", {
      method: "POST",
      body,
      headers: await page.fromPage(),
    });
    assert.equal(answer.status, 422, body.slice(0, 60));
    assert.equal(typeof (await answer.json()).error, "string");
  }
  assert.deepEqual(await labelsOf(page.folder.log), []);
  assert.deepEqual(await readDecisions(page.folder.log), []);
});

Deno.test("a case or a card that nobody knows is not found; a wrong id is refused", async () => {
  await using page = await openPage();
  const statusOf = async (path: string) => {
    const { status, body } = await page.ask(path);
    await body?.cancel();
    return status;
  };
  assert.equal(await statusOf("/api/cases/99"), 404);
  assert.equal(await statusOf("/api/cards/99"), 404);
  assert.equal(await statusOf("/api/terminals/99"), 404);
  assert.equal(await statusOf("/api/cases/-1"), 422);
  assert.equal(await statusOf("/api/cases/1e3"), 422);
});

Deno.test("metrics have Prometheus' form and this program's names", async () => {
  await using page = await openPage();
  await page.publish([{}]);
  await page.until(() => page.index.known().payments === 1);
  const answer = await page.ask("/metrics");
  assert.match(
    answer.headers.get("content-type") ?? "",
    /^text\/plain.*version=0\.0\.4/,
  );
  const text = await answer.text();
  const names = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)];
  assert.ok(names.length > 10);
  for (const [, name, type] of names) {
    assert.match(name, /^fraudstream_/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
  }
  assert.match(text, /fraudstream_stage_lag_records\{stage="writer"\} 1\n/);
});

Deno.test("ready is who has read the status and reached the store", async () => {
  await using page = await openPage();
  await page.until(() => page.reader.status !== undefined);
  assert.equal((await page.ask("/readyz")).status, 200);
});

Deno.test("a dead letter is shown as it came, and its edited copy requeued once", async () => {
  await using page = await openPage();
  const { log } = page.folder;
  const raw = `{"TRANSACTION_ID":9,"note":"${SCRIPT}"`;
  const records = new RecordBatchBuilder();
  const bytes = (text: string) => new TextEncoder().encode(text);
  records.add(bytes("3"), bytes(raw), 0);
  const producer = await log.producer("test");
  const source = { topic: TRANSACTION_TOPIC, partition: 1 };
  await producer.append([{ ...source, records }]);
  const box = new DeadLetterBox();
  const batch = await log.read(TRANSACTION_TOPIC, 1, 0, READ_LIMIT);
  box.add(source, batch, 0, "not JSON", "it ends too early");
  await producer.append(box.appends());
  const { total, letters: [letter] } =
    await (await page.ask("/api/dead-letters")).json();
  const id = "transaction_topic/1/0";
  assert.deepEqual(
    [total, letter.id, letter.raw, letter.fixed, letter.requeued],
    [1, id, raw, undefined, undefined],
  );
  const requeue = async (json: string, letterId = id) => {
    const answer = await page.ask("/api/dead-letters/requeue", {
      method: "POST",
      body: JSON.stringify({ id: letterId, json }),
      headers: await page.fromPage(),
    });
    return [answer.status, await answer.json()];
  };
  const [refused, { error }] = await requeue(raw);
  assert.equal(refused, 422);
  assert.match(error, /it is not JSON/);
  assert.equal((await requeue("{}", "transaction_topic/1/8"))[0], 404);
  const good = JSON.stringify({
    TRANSACTION_ID: 9,
    TX_DATETIME: "2018-04-02 00:00:00",
    CUSTOMER_ID: 3,
    TERMINAL_ID: 4,
    TX_AMOUNT: 5,
    TX_TIME_SECONDS: 86_400,
    TX_TIME_DAYS: 1,
    TX_FRAUD: 0,
    TX_FRAUD_SCENARIO: 0,
  });
  const [taken, place] = await requeue(good);
  assert.deepEqual([taken, place.topic], [201, TRANSACTION_TOPIC]);
  const [again, told] = await requeue(good);
  assert.equal(again, 422);
  assert.match(told.error, /was requeued already/);
});

Deno.test("a threshold that is applied stands in the control topic, and in the view", async () => {
  await using page = await openPage();
  const apply = async (threshold: unknown) => {
    const answer = await page.ask("/api/model/threshold", {
      method: "POST",
      body: JSON.stringify({ threshold }),
      headers: await page.fromPage(),
    });
    await answer.body?.cancel();
    return answer.status;
  };
  for (const wrong of [-0.1, 1.1, "0.5", null]) {
    assert.equal(await apply(wrong), 422, String(wrong));
  }
  assert.equal(await apply(0.25), 201);
  assert.equal(await apply(0.75), 201);
  const control = new Control(page.folder.log);
  await control.refresh();
  assert.equal(control.alertThreshold, 0.75);
  const view = await (await page.ask("/api/model")).json();
  assert.equal(view.threshold, 0.75);
});

Deno.test("a body that is not a JSON object is refused as that", async () => {
  await using page = await openPage();
  for (const body of ["[]", "[1]", "7", '"text"', "null", "{", ""]) {
    const answer = await page.ask("/api/model/threshold", {
      method: "POST",
      body,
      headers: await page.fromPage(),
    });
    const { error } = await answer.json();
    assert.equal(answer.status, 422, body);
    assert.equal(error, "the body must be a JSON object (application/json)");
  }
});
