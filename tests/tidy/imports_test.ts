import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** Which folders of src a folder may import from, itself aside. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  error: [],
  telemetry: [],
  transaction: ["error"],
  random: ["error"],
  sqlite: ["error"],
  simulator: ["error", "transaction", "random"],
  features: ["error", "transaction", "random"],
  learning: ["error", "transaction", "random"],
  files: ["error", "transaction", "features"],
  log: ["error", "transaction", "sqlite"],
  store: ["error", "transaction", "features", "sqlite", "log"],
  roles: [
    "error",
    "telemetry",
    "transaction",
    "random",
    "sqlite",
    "simulator",
    "features",
    "learning",
    "files",
    "log",
    "store",
  ],
  report: [
    "error",
    "transaction",
    "simulator",
    "features",
    "learning",
    "files",
  ],
  dashboard: [
    "error",
    "telemetry",
    "transaction",
    "features",
    "learning",
    "log",
    "store",
    "roles",
  ],
  cli: [
    "error",
    "telemetry",
    "transaction",
    "random",
    "sqlite",
    "simulator",
    "features",
    "learning",
    "files",
    "log",
    "store",
    "roles",
    "dashboard",
    "report",
  ],
};

interface Source {
  /** Path below the root: "src/log/log.ts". */
  path: string;
  /** Folder of src, "" for main.ts. */
  folder: string;
  text: string;
}

/** All sources: main.ts and what lies in src. */
function sources(): Source[] {
  const read = (path: string, folder: string): Source => ({
    path,
    folder,
    text: Deno.readTextFileSync(new URL(path, ROOT)),
  });
  const found = [read("main.ts", "")];
  for (const folder of Deno.readDirSync(new URL("src", ROOT))) {
    assert.ok(folder.isDirectory, `src/${folder.name} is not in a folder`);
    for (const file of Deno.readDirSync(new URL(`src/${folder.name}`, ROOT))) {
      const path = `src/${folder.name}/${file.name}`;
      // What runs in browsers is text to the program.
      if (path === "src/dashboard/page") continue;
      assert.ok(file.isFile && file.name.endsWith(".ts"), path);
      found.push(read(path, folder.name));
    }
  }
  return found;
}

/** The statements that import from somewhere: whether for types only, and from where. */
function importsOf({ text }: Source): { typeOnly: boolean; from: string }[] {
  const statement =
    /^(?:import|export)\b(\s+type\b)?[^;'"]*?(?:from\s+)?["']([^"']+)["']/gm;
  const dynamic = /\b(?:import|new URL)\(\s*["']([^"']+)["']/g;
  return [
    ...[...text.matchAll(statement)].map(([, type, from]) => ({
      typeOnly: type !== undefined,
      from,
    })),
    ...[...text.matchAll(dynamic)].map(([, from]) => ({
      typeOnly: false,
      from,
    })),
  ];
}

/** The folder of src that a relative import leads to. */
function folderOf(source: Source, from: string): string {
  const target = fileURLToPath(new URL(from, new URL(source.path, ROOT)));
  const below = target.slice(fileURLToPath(ROOT).length);
  const [src, folder, file, ...more] = below.split("/");
  assert.ok(
    src === "src" && folder && file && more.length === 0,
    `${source.path} imports ${from}, which is not in a folder of src`,
  );
  return folder;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

testReading(
  "every folder of src is in the table of imports, and none besides",
  () => {
    const folders = new Set(sources().map(({ folder }) => folder));
    folders.delete("");
    assert.deepEqual([...folders].sort(), Object.keys(MAY_IMPORT).sort());
  },
);

testReading("imports between the folders of src go one way", () => {
  let seen = 0;
  for (const source of sources()) {
    for (const { from } of importsOf(source)) {
      if (!from.startsWith(".") || from.startsWith("./page/")) continue;
      seen++;
      const to = folderOf(source, from);
      const allowed = source.folder === ""
        ? ["cli"]
        : [source.folder, ...MAY_IMPORT[source.folder]];
      assert.ok(
        allowed.includes(to),
        `${source.path} imports ${from}: ` +
          `${source.folder || "main.ts"} may not know ${to}`,
      );
    }
  }
  assert.ok(seen > 100, `only ${seen} imports were seen`);
});

testReading(
  "only src/sqlite uses node:sqlite; log and store know its types, the lock one connection",
  () => {
    const users = new Map<string, boolean>();
    for (const source of sources()) {
      for (const { typeOnly, from } of importsOf(source)) {
        if (from === "node:sqlite") users.set(source.path, typeOnly);
      }
    }
    assert.deepEqual(Object.fromEntries([...users].sort()), {
      "src/log/embedded.ts": true,
      "src/log/embedded_tables.ts": true,
      "src/roles/lock.ts": false,
      "src/sqlite/database_copy.ts": false,
      "src/sqlite/sqlite.ts": false,
      "src/store/embedded.ts": true,
      "src/store/embedded_positions.ts": true,
      "src/store/embedded_predictions.ts": true,
      "src/store/embedded_rows.ts": true,
    });
  },
);

testReading(
  "only one file knows each client of a server, and the ONNX runtime",
  () => {
    const users = (client: string) =>
      sources().filter((source) =>
        importsOf(source).some(({ from }) =>
          from.replace(/^npm:\/?/, "").startsWith(client)
        )
      ).map(({ path }) => path);
    assert.deepEqual(users("kafkajs"), ["src/log/kafka.ts"]);
    assert.deepEqual(users("cassandra-driver"), ["src/store/cassandra.ts"]);
    assert.deepEqual(users("onnxruntime-web"), [
      "src/learning/onnx_runtime.ts",
    ]);
  },
);

testReading("no file is named after nothing in particular", () => {
  const vague = /^(utils?|helpers?|common|types?|index|mod|misc|shared)\.ts$/;
  for (const { path } of sources()) {
    const name = path.split("/").at(-1) ?? "";
    assert.doesNotMatch(name, vague, path);
    assert.match(name, /^[a-z0-9_]+(\.d)?\.ts$/, path);
  }
});

testReading("only main.ts awaits at top level", () => {
  for (const { path, text } of sources()) {
    if (path === "main.ts") continue;
    for (const line of withoutComments(text).split("\n")) {
      // Formatted code is indented everywhere but at top level.
      const atTop = /^(?:(?:export\s+)?(?:const|let)\s.*=\s*)?await\b/;
      assert.doesNotMatch(line, atTop, path);
      assert.doesNotMatch(line, /^for await\b/, path);
    }
  }
});

testReading("every file begins with a comment that says what it is for", () => {
  for (const { path, text } of sources()) {
    const header = /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0];
    assert.ok(header, `${path} has no header comment`);
    const words = header.replace(/[/*\s]+/g, " ").trim();
    assert.ok(words.length >= 20, `${path}: ${words}`);
  }
});
