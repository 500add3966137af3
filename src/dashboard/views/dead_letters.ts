/** Dead letters in the view "System": the newest ones, and requeueing. */
import { turns } from "../../base/turns.ts";
import { Buffer } from "node:buffer";
import {
  type DeadLetter,
  letterId,
  readDeadLetters,
} from "../../stream/dead_letters.ts";
import { requeue, whyNotEditable } from "../../stream/requeue.ts";
import deadLettersJs from "../page/dead_letters.js" with { type: "text" };
import { BODY, NotThereError, type Page, type PageView } from "./page_view.ts";

/** Dead letters that one answer has. */
const LETTERS_MAX = 200;
/** Characters of a dead letter's value that are shown. */
const RAW_MAX = 20_000;

/** A dead letter as the page has it. */
export interface LetterView {
  /** Topic, partition and offset of what it came from. */
  readonly id: string;
  /** Word for the kind of defect. */
  readonly reason: DeadLetter["reason"];
  /** One line for people. */
  readonly message: string;
  /** Its value as text, cut off. */
  readonly raw: string;
  /** Why it cannot be edited; undefined if it can. */
  readonly fixed: ReturnType<typeof whyNotEditable>;
  /** Where it was requeued to; undefined if it was not. */
  readonly requeued: ReturnType<Page["control"]["requeued"]>;
}

/** The answers of this view, by path. */
export interface DeadLetterAnswers {
  /** The newest dead letters. */
  readonly "/api/dead-letters": {
    /** How many there are. */
    readonly total: number;
    /** The newest of them, newest first. */
    readonly letters: readonly LetterView[];
  };
  /** Where the row was appended. */
  readonly "/api/dead-letters/requeue": Awaited<ReturnType<typeof requeue>>;
}

/** The dead letters in the view "System". */
export const deadLetters: PageView = {
  scripts: { "dead_letters.js": deadLettersJs },
  serve(router, { log, control, parameters }) {
    const { get, post } = router<DeadLetterAnswers>();
    const inTurn = turns();
    get("/api/dead-letters", async () => {
      await control.refresh();
      const newest: DeadLetter[] = [];
      let total = 0;
      for await (const letter of readDeadLetters(log)) {
        total++;
        newest.push(letter);
        if (newest.length > LETTERS_MAX) newest.shift();
      }
      const letters = newest.reverse().map((letter) => {
        const id = letterId(letter);
        const text = Buffer.from(letter.value, "base64").toString("utf8");
        return {
          id,
          reason: letter.reason,
          message: letter.message,
          raw: text.slice(0, RAW_MAX),
          fixed: whyNotEditable(letter),
          requeued: control.requeued(id),
        };
      });
      return { total, letters };
    });
    post("/api/dead-letters/requeue", async (asked) => {
      const body = await asked.body();
      const id = BODY.string(body.id, "id");
      const json = BODY.string(body.json, "json");
      const { again } = body;
      return await inTurn(async () => {
        for await (const letter of readDeadLetters(log)) {
          if (letterId(letter) !== id) continue;
          return await requeue({
            log,
            control,
            parameters,
            letter,
            json,
            again: again === true ? "append" : "refuse",
          });
        }
        throw new NotThereError(`there is no dead letter ${id}`);
      });
    });
  },
};
