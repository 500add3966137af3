/**
 * Words that docs/STYLE.md rules out, in what people read: the README, the
 * pages of docs, and the texts and comments of src. Code blocks and inline code
 * of pages are left out; they are output.
 */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** Pages that list the words, or that are made from other texts. */
const EXEMPT = [
  "docs/STYLE.md",
  "docs/FLAGS.md",
  "docs/MESSAGES.md",
];

/** Where a figure is a picture. */
const PICTURES =
  /^(?:docs\/REPORT\.md|src\/(?:report|dashboard)\/|src\/cli\/commands\/report)/;

/** The longest sentence, in words. */
const WORDS_MAX = 40;

/** What is not written, and what to write instead. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bmend(?:s|ed|ing)?\b/i, "fix, correct, edit"],
  [/\btold\b/i, "logged, reported, shown"],
  [/\btells? the rest\b/i, "describes, and name what"],
  [/\b(?:is|are|was|were|be) meant\b/i, "means, refers to"],
  [/(?:^|[.:;|] )who [a-z]+s\b/i, "name the subject: the producer, the user"],
  [/\bwhoever\b/i, "anyone who, the process that"],
  [/\b(?:at|in) hand\b/i, "available, current"],
  [
    /\b(?:an?|one|an own) \w+ an? (?:model|record|role|payment|verdict|row|stage|key|card|field|partition|batch|line|day|terminal|leaf|thread|command)\b/i,
    "one … per …",
  ],
  [
    /\b(?:payments|rows|records|transactions|requests|alerts|steps|frauds|bytes|[\d,]{3,}|thousand) an? (?:second|minute|hour|day)\b/i,
    "… per second",
  ],
  [/\b(?:of its|of their|of his) own\b/i, "its own …, a separate …"],
  [/\bthat (?:is|are) there\b/i, "existing"],
  [/\ball there (?:is|are)\b/i, "everything, all"],
  [/\b(?:is|are|was|were|been) begun\b/i, "starts, was started, was created"],
  [/\banew\b/i, "again"],
  [/\bseldom\b/i, "rarely"],
  [/\b(?:is|are|too|very) dear\b/i, "expensive"],
  [/\bneeds? be\b/i, "necessary"],
  [/\bin earnest\b/i, "in production"],
  [/\bmachinery\b/i, "name the parts"],
];

/** What else is not written in comments. */
const IN_COMMENTS: typeof BANNED = [
  [/^(?:\/\*\*|\/\/) So (?:long|many|much|often|far) /, "how long, how many"],
  [/\bsomebody\b/i, "another process, the user, or the passive voice"],
  [/\bhow often is\b|\bis looked whether\b/i, "how often it checks whether"],
  [/\bsees? to it\b/i, "makes sure"],
  [/\bg(?:ive|ives|ave|iven|iving) back\b/i, "returns, frees"],
  [/\blest\b/i, "so that … not"],
  [/\bcomes? of it\b/i, "unpacks to, results in"],
  [/\bin passing\b/i, "along the way"],
  [/\bcounts? up\b/i, "is consecutive"],
  [/\bas it came\b/i, "as it was read"],
  [/\btells? (?:\w+ )?apart\b/i, "distinguishes"],
  [/\bbelongs? into\b/i, "belongs in, must run in"],
  [/\bslip of the keyboard\b/i, "typing error"],
  [/\bin its own time\b/i, "leave it out"],
];

const FIGURES = [/\bfigures?\b/i, "number, result, measurement"] as const;

/** The pages to check, by path from the root. */
function pages(): string[] {
  const docs = [...Deno.readDirSync(new URL("docs", ROOT))]
    .filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
      `docs/${name}`
    );
  const top = [...Deno.readDirSync(ROOT)]
    .filter(({ name }) => name.endsWith(".md")).map(({ name }) => name);
  return [...top, ...docs].filter((path) => !EXEMPT.includes(path)).sort();
}

function read(path: URL): string {
  return Deno.readTextFileSync(path);
}

function exists(path: URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The names by which GitHub links to a page's headings. */
function headingsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")
  );
}

/** A page's blocks of prose: paragraphs, list items, rows; without code and links' targets. */
function blocksOf(page: string): { line: number; text: string }[] {
  const blanked = page.replaceAll(
    /^```[\s\S]*?^```/gm,
    (block) => block.replaceAll(/[^\n]/g, ""),
  );
  const blocks: { line: number; text: string }[] = [];
  let open: { line: number; text: string } | undefined;
  for (const [at, line] of blanked.split("\n").entries()) {
    const text = line.trim();
    const isItem = /^(?:[-*>]|\d+\.) /.test(text) || text.startsWith("|");
    if (text === "" || isItem) open = undefined;
    if (text === "") continue;
    if (open) open.text += ` ${text}`;
    else blocks.push(open = { line: at + 1, text });
  }
  return blocks.map(({ line, text }) => ({
    line,
    text: text.replaceAll(/`[^`]*`/g, "CODE")
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"),
  }));
}

/** The sentences of a paragraph or list item; none of tables and headings. */
function sentencesOf(text: string): string[] {
  if (/^[|#]/.test(text)) return [];
  return text.split(/(?<=[.!?][*_")]*)\s+(?=[A-Z*_("])/);
}

/** Each phrase of a text that is ruled out, with its replacement. */
function bannedIn(path: string, text: string): string[] {
  const list = PICTURES.test(path) ? BANNED : [...BANNED, FIGURES];
  return bannedBy(list, text);
}

function bannedBy(list: typeof BANNED, text: string): string[] {
  return list.flatMap(([pattern, instead]) => {
    const found = pattern.exec(text)?.[0];
    return found === undefined ? [] : [`"${found}"; write: ${instead}`];
  });
}

testReading("pages use none of the words that docs/STYLE.md rules out", () => {
  const found: string[] = [];
  let seen = 0;
  for (const path of pages()) {
    const page = Deno.readTextFileSync(new URL(path, ROOT));
    for (const { line, text } of blocksOf(page)) {
      seen++;
      for (const problem of bannedIn(path, text)) {
        found.push(`${path}:${line}: ${problem}`);
      }
    }
  }
  assert.deepEqual(found, []);
  assert.ok(seen > 500, `only ${seen} blocks were seen`);
});

/** The sources, by path from the root. */
function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (/\.(?:ts|js|html)$/.test(name)) yield path;
  }
}

/** Comments and quoted texts of a source, each as one line. */
function textsOf(code: string): { line: number; text: string }[] {
  const texts =
    /\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
  return [...code.matchAll(texts)].map(({ 0: found, index }) => ({
    line: code.slice(0, index).split("\n").length,
    text: found.replaceAll(/\n\s*\*/g, " ").replaceAll(/\s+/g, " "),
  }));
}

testReading(
  "sources use none of the words that docs/STYLE.md rules out",
  () => {
    const found: string[] = [];
    let seen = 0;
    for (const path of sources("src")) {
      for (const { line, text } of textsOf(read(new URL(path, ROOT)))) {
        seen++;
        const problems = [
          ...bannedIn(path, text),
          ...text.startsWith("/") ? bannedBy(IN_COMMENTS, text) : [],
        ];
        found.push(...problems.map((problem) => `${path}:${line}: ${problem}`));
      }
    }
    assert.deepEqual(found, []);
    assert.ok(seen > 5000, `only ${seen} texts were seen`);
  },
);

testReading(
  `no sentence has more than ${WORDS_MAX} words or two colons`,
  () => {
    const found: string[] = [];
    for (const path of pages()) {
      const page = Deno.readTextFileSync(new URL(path, ROOT));
      for (const { line, text } of blocksOf(page)) {
        for (const sentence of sentencesOf(text)) {
          const words = sentence.split(/\s+/).length;
          const colons = sentence.match(/:(?=\s)/g)?.length ?? 0;
          if (words > WORDS_MAX || colons > 1) {
            found.push(
              `${path}:${line}: ${words} words, ${colons} colons: ` +
                sentence.slice(0, 60),
            );
          }
        }
      }
    }
    assert.deepEqual(found, []);
  },
);

testReading("links between pages lead to files and headings that exist", () => {
  const broken: string[] = [];
  for (const path of [...pages(), ...EXEMPT]) {
    const page = new URL(path, ROOT);
    if (!exists(page)) continue;
    for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file, heading] = target.split("#");
      const url = file === "" ? page : new URL(file, page);
      if (!exists(url)) broken.push(`${path}: ${target}`);
      else if (heading && !headingsOf(read(url)).includes(heading)) {
        broken.push(`${path}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

testReading("the README has at most 200 lines", () => {
  const lines = Deno.readTextFileSync(new URL("README.md", ROOT)).split("\n");
  assert.ok(lines.length <= 201, `${lines.length} lines`);
});

Deno.test("the phrases that are ruled out in comments are found", () => {
  for (
    const text of [
      "/** So many rows wait. */",
      "/** How often is looked whether the stream is complete. */",
      "/** Sees to it that the folder goes on. */",
      "/** Gives back the rows. */",
      "/** What tells streams apart. */",
      "/** Ids that count up from the first. */",
    ]
  ) assert.equal(bannedBy(IN_COMMENTS, text).length, 1, text);
  assert.deepEqual(bannedBy(IN_COMMENTS, "/** Returns the count. */"), []);
});

Deno.test("the words that are ruled out are found, and others are not", () => {
  const wrong = (text: string) => bannedIn("a page", text).length > 0;
  for (
    const text of [
      "the row can be mended",
      "is told in the log",
      "Who looks has to know it",
      "prints an object a model",
      "1,000 payments a second",
      "a thread of its own",
      "these figures",
    ]
  ) assert.ok(wrong(text), text);
  for (
    const text of [
      "one object per model",
      "an analyst who looks at it",
      "a page a person reads",
      "1,000 payments per second",
    ]
  ) assert.ok(!wrong(text), text);
});
