/** How the page writes messages and numbers. */
import assert from "node:assert/strict";
import { messageOf, sentenceOf } from "../../../src/dashboard/page/dom.js";

Deno.test("sentenceOf() gives a message a capital and one full stop", () => {
  assert.equal(
    sentenceOf("the store has not been reached yet; try again"),
    "The store has not been reached yet; try again.",
  );
  assert.equal(sentenceOf("Nothing left to undo."), "Nothing left to undo.");
  assert.equal(sentenceOf("is it there?"), "Is it there?");
  assert.equal(
    messageOf(new Error("there is no card 7")),
    "There is no card 7.",
  );
  assert.equal(messageOf("lost"), "Lost.");
});
