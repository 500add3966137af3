/** What `deno task start` may do: use this folder and the temporary one, and say in one line how to use others. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../temporary_folder.ts";
import { canMount, mountMemory, remount } from "./memory_disk.ts";
import { type Outcome, testRunning } from "./program_runner.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ONNX = "tests/data/onnx/xgboost.onnx";
const SET = ["--customers=200", "--terminals=200", "--radius=10", "--days=28"];

/** Runs the task `start`, whose temporary folder is `temporary`. */
async function start(temporary: string, ...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "start", ...args],
    cwd: ROOT,
    env: { TMPDIR: temporary, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

testRunning(
  "the start task uses its own folder and the temporary one",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    for (
      const args of [
        ["generate", `--out=${path}/data`, "--preset=seed", "--days=3"],
        ["features", `--in=${path}/data`, `--out=${path}/features.parquet`],
        ["report", `--in=${path}/data`, "--format=png", `--out=${path}/png`],
        ["evaluate", `--model=${ONNX}`, ...SET],
        [
          "run",
          `--data=${path}/run`,
          "--rate=max",
          `--model=${ONNX}`,
          "--port=0",
        ]
          .concat("--preset=seed", "--days=3"),
      ]
    ) {
      const { code, stderr } = await start(path, ...args);
      assert.equal(code, 0, `${args}: ${stderr}`);
    }
  },
);

testRunning(
  "what the start task may not use is one line that says how to",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const temporary = `${path}/temporary`;
    const elsewhere = `${path}/elsewhere`;
    Deno.mkdirSync(temporary);
    Deno.mkdirSync(elsewhere);
    for (
      const args of [
        ["features", `--in=${elsewhere}`, `--out=${temporary}/features.csv`],
        ["generate", `--out=${elsewhere}/data`, "--preset=seed", "--days=1"],
        ["run", `--data=${elsewhere}/run`, "--rate=max", "--port=0"],
        ["status", `--data=${elsewhere}`],
        ["evaluate", `--model=${elsewhere}/model.onnx`],
        ["train", "--model=decision-tree", `--out=${elsewhere}/m.json`, ...SET],
      ]
    ) {
      const { code, stderr } = await start(temporary, ...args);
      assert.equal(code, 1, `${args}: ${stderr}`);
      assert.match(
        stderr,
        /^fraudstream: [^\n]*\/elsewhere[^\n]* Deno was not given the permission; add --allow-(read|write)=\/[^\n]*, or start the program by '\.\/fraudstream --anywhere'\n$/,
      );
    }
    assert.deepEqual([...Deno.readDirSync(elsewhere)], []);
  },
);

Deno.test({
  name: "a read-only folder is one line for every command that writes",
  ignore: !canMount,
  fn: async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    using _disk = mountMemory(path, "64k");
    remount(path, "ro");
    const data = "tests/data/A/transactions.csv";
    for (
      const args of [
        ["run", `--data=${path}`, "--rate=max", "--port=0"],
        ["run", `--data=${path}/new`, "--rate=max", "--port=0"],
        ["features", `--in=${data}`, `--out=${path}/features.csv`],
        ["train", "--model=decision-tree", `--out=${path}/m.json`, ...SET],
        ["generate", `--out=${path}/data`, "--preset=seed", "--days=1"],
        ["status", `--data=${path}`],
      ]
    ) {
      const { code, stderr } = await start("/tmp", ...args);
      assert.equal(code, 1, `${args}: ${stderr}`);
      const last = stderr.split("\n").filter((line) => !line.startsWith("{"));
      assert.equal(last.length, 2, stderr);
      assert.match(
        last[0],
        /^fraudstream: .*(read-only|may be written|there is no)/,
      );
    }
  },
});

testRunning(
  "./fraudstream without Deno says in one line what to install",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const bin = `${path}/bin`;
    Deno.mkdirSync(bin);
    Deno.copyFileSync(`${ROOT}fraudstream`, `${path}/fraudstream`);
    const write = (name: string, lines: string) =>
      Deno.writeTextFileSync(`${bin}/${name}`, `#!/bin/sh\n${lines}\n`, {
        mode: 0o755,
      });
    write("dirname", 'echo "${2%/*}"');
    write("sed", 'read -r line; echo "$line"');
    const run = async () => {
      const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
        args: [`${path}/fraudstream`, "--version"],
        clearEnv: true,
        env: { PATH: bin },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return [code, text(stdout) + text(stderr)];
    };
    const get = "get Deno from https://deno.com, or npx with Node from " +
      "https://nodejs.org";
    assert.deepEqual(await run(), [
      1,
      `fraudstream: neither deno nor npx is installed; ${get}\n`,
    ]);
    // npx that may not download: without a word, as nobody is asked.
    write("npm", "echo false");
    write("npx", 'test "$1" != --no-install && echo "npx $*"');
    assert.deepEqual(await run(), [
      1,
      `fraudstream: Deno is not installed; run 'npm install' in ${path} once\n`,
    ]);
    const started = [
      0,
      "npx --package=deno -c exec deno task --quiet start '--version'\n",
    ];
    write("npm", "echo null");
    assert.deepEqual(await run(), started);
    write("npm", "echo false");
    Deno.mkdirSync(`${path}/node_modules/.bin`, { recursive: true });
    Deno.writeTextFileSync(`${path}/node_modules/.bin/deno`, "");
    assert.deepEqual(await run(), started);
  },
);

testRunning(
  "./fraudstream by npx hands on its words and signals",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    Deno.mkdirSync(`${path}/bin`);
    Deno.mkdirSync(`${path}/package`);
    Deno.copyFileSync(`${ROOT}fraudstream`, `${path}/fraudstream`);
    const write = (name: string, lines: string) =>
      Deno.writeTextFileSync(`${path}/${name}`, `#!/bin/sh\n${lines}\n`, {
        mode: 0o755,
      });
    write("bin/npm", "echo null");
    // It hands signals on to the shell that it starts, as npx does.
    write(
      "bin/npx",
      `PATH=${path}/package:$PATH sh -c "$3" & child=$!\n` +
        "trap 'kill $child' TERM\nwait $child; wait $child",
    );
    write(
      "package/deno",
      "trap 'kill $!; echo stopped; exit 3' TERM\n" +
        "sleep 20 >/dev/null & printf '<%s>' \"$@\"; echo; wait",
    );
    const words = ["run", "--role=a  b", "it's 'so'", '"$HOME"', "", "\\"];
    const child = new Deno.Command(`${path}/fraudstream`, {
      args: words,
      clearEnv: true,
      env: { PATH: `${path}/bin:/usr/bin:/bin` },
      stdout: "piped",
    }).spawn();
    let shown = "";
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      if (shown === "") child.kill("SIGTERM");
      shown += text;
    }
    const given = ["task", "--quiet", "start", ...words];
    const line = given.map((word) => `<${word}>`).join("");
    assert.equal(shown, `${line}\nstopped\n`);
    assert.equal((await child.status).code, 3);
  },
);

testRunning(
  "./fraudstream shows commands as they were typed",
  async () => {
    await using folder = temporaryFolder();
    const none = `--data=${folder.path}/none`;
    for (const words of [[], ["--anywhere"]]) {
      const { stderr } = await new Deno.Command(`${ROOT}fraudstream`, {
        args: [...words, "status", none],
        env: { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}` },
      }).output();
      const command = [`${ROOT}fraudstream`, ...words, "run", none].join(" ");
      const text = new TextDecoder().decode(stderr);
      assert.ok(text.includes(`start '${command}' first`), text);
    }
  },
);

testRunning(
  "./fraudstream gives the network to what names a cluster",
  async () => {
    await using folder = temporaryFolder();
    const deno = `${folder.path}/deno`;
    // In place of Deno: says which task is started.
    await Deno.writeTextFile(deno, "#!/bin/sh\necho $3\n", { mode: 0o755 });
    const cases: [string, string[]][] = [
      ["start", ["diff", "a.csv", "b.csv"]],
      ["start:anywhere", ["--anywhere", "diff", "a.csv", "b.csv"]],
      ["start:cluster", ["run", "--log=kafka", "--brokers=a:1"]],
      ["start:cluster", ["run", "--store", "cassandra"]],
      ["start:cluster", ["diff", "a.", "b.", "--brokers=a:1"]],
      ["start:cluster", ["--anywhere", "diff", "a.", "b.", "--brokers", "a:1"]],
    ];
    for (const [task, args] of cases) {
      const { stdout } = await new Deno.Command(`${ROOT}fraudstream`, {
        args,
        env: { PATH: `${folder.path}:/usr/bin:/bin` },
      }).output();
      assert.equal(new TextDecoder().decode(stdout).trim(), task, args.join());
    }
  },
);
