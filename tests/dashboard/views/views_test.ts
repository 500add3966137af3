import assert from "node:assert/strict";
import { ASSETS } from "../../../src/dashboard/server/assets.ts";
import { VIEWS } from "../../../src/dashboard/views/views.ts";
import { testReading } from "../../permission.ts";

const PAGE = new URL("../../../src/dashboard/page/", import.meta.url);

testReading("every script in page/ is served, and once", () => {
  const there = [...Deno.readDirSync(PAGE)].map(({ name }) => name)
    // early.js is in the page itself.
    .filter((name) => name.endsWith(".js") && name !== "early.js");
  assert.ok(there.length > 10);
  for (const name of there) {
    const text = Deno.readTextFileSync(new URL(name, PAGE));
    assert.equal(ASSETS.get(name)?.text, text, name);
  }
  const ofViews = VIEWS.flatMap(({ scripts }) => Object.keys(scripts));
  assert.equal(new Set(ofViews).size, ofViews.length);
});

testReading("every tab of the bar is a view that the page opens", () => {
  const app = Deno.readTextFileSync(new URL("app.js", PAGE));
  const tabs = VIEWS.flatMap(({ tab }) => tab ? [tab] : []);
  assert.deepEqual(tabs.map(({ title }) => title), [
    "Now",
    "Alerts",
    "Map",
    "Rules",
    "Model",
    "System",
  ]);
  for (const { name, title } of tabs) {
    assert.ok(app.includes(`"#/${name}"`), `app.js opens no ${name}`);
    assert.ok(app.includes(`"${title}"`), `app.js has no title ${title}`);
    assert.ok(ASSETS.has(`${name}.js`));
  }
});
