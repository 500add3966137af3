/**
 * The GitHub workflow, as far as it can be checked without GitHub: it runs the
 * oldest supported Deno and the pinned one, tasks that exist, and actions that
 * are pinned by commit.
 */
import assert from "node:assert/strict";
import { load } from "js-yaml";
import config from "../../deno.json" with { type: "json" };
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);
/** The oldest Deno that the program promises to run on. */
const OLDEST = "2.4.2";

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Job {
  readonly needs?: readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: {
    readonly matrix: { readonly include: readonly { deno?: string }[] };
  };
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

function workflow(): { text: string; parsed: Workflow } {
  const text = Deno.readTextFileSync(
    new URL(".github/workflows/ci.yml", ROOT),
  );
  return { text, parsed: load(text) as Workflow };
}

function stepsOf({ jobs }: Workflow): Step[] {
  return Object.values(jobs).flatMap(({ steps }) => steps);
}

testReading("the workflow runs the oldest and the pinned Deno", () => {
  const { env, jobs } = workflow().parsed;
  const manifest = Deno.readTextFileSync(new URL("package.json", ROOT));
  const { deno } = JSON.parse(manifest).peerDependencies;
  assert.equal(env.DENO_PINNED, deno);
  const run = jobs.fast.strategy?.matrix.include.map(({ deno }) => deno);
  assert.deepEqual(run, [OLDEST, deno]);
});

testReading("the workflow's tasks exist", () => {
  const tasks = Object.keys(config.tasks);
  const used = stepsOf(workflow().parsed).flatMap(({ run = "" }) =>
    [...run.matchAll(/deno task ([\w:]+)/g)].map(([, task]) => task)
  );
  assert.ok(used.length > 4, `only ${used.length} tasks were seen`);
  assert.deepEqual(used.filter((task) => !tasks.includes(task)), []);
});

testReading("every action is pinned by commit and says its version", () => {
  const { text, parsed } = workflow();
  const used = stepsOf(parsed).flatMap(({ uses }) => uses ?? []);
  assert.ok(used.length > 10, `only ${used.length} actions were seen`);
  for (const action of used) assert.match(action, /^[\w./-]+@[0-9a-f]{40}$/);
  const pinned = text.matchAll(/uses: (\S+) # v\d+\.\d+\.\d+$/gm);
  assert.equal([...pinned].length, used.length);
});

testReading("only the release may write, and it needs every other job", () => {
  const { permissions, jobs } = workflow().parsed;
  assert.deepEqual(permissions, { contents: "read" });
  const { release, ...others } = jobs;
  assert.deepEqual(release.needs?.toSorted(), Object.keys(others).sort());
  for (const [name, job] of Object.entries(others)) {
    assert.equal(job.permissions, undefined, name);
  }
});
