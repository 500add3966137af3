import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** The rooms of src: each may import from those before it, and from itself. */
const ROOMS = [
  "base",
  "payment",
  "definition",
  "simulator",
  "features",
  "learning",
  "log",
  "store",
  "files",
  "stream",
  "scoring",
  "roles",
  "api",
  "dashboard",
  "report",
  "cli",
];

interface Source {
  /** Path below the root: "src/log/log.ts". */
  path: string;
  /** Room of src, "" for main.ts. */
  room: string;
  text: string;
}

/** All sources: main.ts and what lies in src, in folders of folders. */
function sources(): Source[] {
  const read = (path: string, room: string): Source => ({
    path,
    room,
    text: Deno.readTextFileSync(new URL(path, ROOT)),
  });
  const found = [read("main.ts", "")];
  const walk = (folder: string, room: string) => {
    for (
      const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))
    ) {
      const path = `${folder}/${name}`;
      // What runs in browsers is text to the program.
      if (path === "src/dashboard/page") continue;
      // A model is data.
      if (path === "src/scoring/built_in_model.json") continue;
      if (isDirectory) walk(path, room || name);
      else {
        assert.ok(room !== "", `${path} is in no room`);
        assert.ok(name.endsWith(".ts"), path);
        found.push(read(path, room));
      }
    }
  };
  walk("src", "");
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

/** The room of src that a relative import leads to. */
function roomOf(source: Source, from: string): string {
  const target = fileURLToPath(new URL(from, new URL(source.path, ROOT)));
  const below = target.slice(fileURLToPath(ROOT).length);
  const [src, room, ...path] = below.split("/");
  assert.ok(
    src === "src" && room && path.length > 0,
    `${source.path} imports ${from}, which is not in a room of src`,
  );
  return room;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

testReading("every room of src is in the list, and none besides", () => {
  const rooms = new Set(sources().map(({ room }) => room));
  rooms.delete("");
  assert.deepEqual([...rooms].sort(), ROOMS.toSorted());
});

testReading("a room imports from the rooms before it", () => {
  let seen = 0;
  for (const source of sources()) {
    for (const { from } of importsOf(source)) {
      if (!from.startsWith(".") || from.includes("/page/")) continue;
      // The version stands there, for Deno too.
      if (source.path === "src/cli/version.ts" && from.endsWith("/deno.json")) {
        continue;
      }
      seen++;
      const to = roomOf(source, from);
      assert.ok(
        source.room === ""
          ? to === "cli"
          : ROOMS.indexOf(to) <= ROOMS.indexOf(source.room),
        `${source.path} imports ${from}: ` +
          `${source.room || "main.ts"} may not know ${to}`,
      );
    }
  }
  assert.ok(seen > 100, `only ${seen} imports were seen`);
});

/** Folders that hold one of several backends: no other backend may be seen from there. */
const BACKENDS = [
  "src/log/embedded",
  "src/log/kafka",
  "src/store/embedded",
  "src/store/cassandra",
];

testReading("a backend imports nothing from another", () => {
  for (const source of sources()) {
    const own = BACKENDS.find((folder) => source.path.startsWith(`${folder}/`));
    if (!own) continue;
    for (const { from } of importsOf(source)) {
      if (!from.startsWith(".")) continue;
      const path = new URL(from, new URL(source.path, ROOT)).pathname;
      const seen = BACKENDS.find((folder) => path.includes(`/${folder}/`));
      assert.ok(
        seen === undefined || seen === own,
        `${source.path} imports ${from}`,
      );
    }
  }
});

testReading(
  "only src/base/sqlite uses node:sqlite; log and store know its types, the lock one connection",
  () => {
    const users = new Map<string, boolean>();
    for (const source of sources()) {
      for (const { typeOnly, from } of importsOf(source)) {
        if (from === "node:sqlite") users.set(source.path, typeOnly);
      }
    }
    assert.deepEqual(Object.fromEntries([...users].sort()), {
      "src/log/embedded/embedded_log.ts": true,
      "src/log/embedded/embedded_tables.ts": true,
      "src/base/lock.ts": false,
      "src/base/sqlite/database_copy.ts": false,
      "src/base/sqlite/sqlite.ts": false,
      "src/store/embedded/embedded_schema.ts": true,
      "src/store/embedded/embedded_table.ts": true,
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
    assert.deepEqual(users("kafkajs"), ["src/log/kafka/kafka_client.ts"]);
    assert.deepEqual(users("cassandra-driver"), [
      "src/store/cassandra/cassandra_connection.ts",
      "src/store/cassandra/cassandra_session.ts",
    ]);
    assert.deepEqual(users("onnxruntime-web"), [
      "src/learning/onnx/onnx_runtime.ts",
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
