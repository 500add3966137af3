/** The answers of the view "System". */
import assert from "node:assert/strict";
import { TRANSACTION_LABEL_TOPIC } from "../../../src/stream/topics.ts";
import { openPage, type PageFixture } from "../page_fixture.ts";

/** The consumer groups that a page shows. */
async function groupsOf(page: PageFixture): Promise<string[]> {
  const { body } = await page.ask("/api/system");
  const { groups } = await new Response(body).json();
  return groups.map(({ group }: { readonly group: string }) => group);
}

Deno.test("the stages of labels are shown where labels arrive later", async () => {
  const stages = ["fraudstream-label-intake", "fraudstream-label-writer"];
  await using carried = await openPage();
  const without = await groupsOf(carried);
  assert.deepEqual(without.filter((group) => stages.includes(group)), []);
  await using later = await openPage();
  await later.folder.log.createTopics([
    { name: TRANSACTION_LABEL_TOPIC, partitions: 2, compacted: false },
  ]);
  const groups = await groupsOf(later);
  assert.deepEqual(groups.filter((group) => stages.includes(group)), stages);
});
