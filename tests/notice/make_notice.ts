/**
 * Writes NOTICE: the licences of what the executable contains, from the
 * packages in Deno's cache.
 *
 *   deno run --allow-read --allow-write=NOTICE --allow-run=deno tests/notice/make_notice.ts
 */
import { shippedPackages } from "./packages.ts";

const ROOT = new URL("../../", import.meta.url);
const RULE = "-".repeat(79);

/** What is looked at of a package.json. */
interface Manifest {
  readonly license?: string;
  readonly author?: string | { readonly name?: string };
  readonly repository?: string | { readonly url?: string };
}

/** What there is to say where a package has no file with its licence. */
const TEXTS: Readonly<Record<string, (owner: string) => string>> = {
  "MIT": (owner) =>
    `${owner}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
  "ISC": (owner) =>
    `${owner}

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM
LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR
OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.`,
  "MPL-2.0": (owner) =>
    `${owner}

This Source Code Form is subject to the terms of the Mozilla Public License,
v. 2.0: https://mozilla.org/MPL/2.0/. Its source is where it says above.`,
};

function ownerOf({ author }: Manifest, name: string): string {
  const text = typeof author === "string" ? author : author?.name;
  return `Copyright (c) ${text ?? `the authors of ${name}`}`;
}

/** The texts of a package's own files, or the text that its licence has. */
async function licenceText(
  folder: URL,
  manifest: Manifest,
  name: string,
): Promise<string> {
  const files: string[] = [];
  for await (const { name: file } of Deno.readDir(folder)) {
    if (/^(licen[cs]e|notice|copying)(\.(txt|md))?$/i.test(file)) {
      files.push(file);
    }
  }
  const texts = await Promise.all(
    files.sort().map((file) => Deno.readTextFile(new URL(file, folder))),
  );
  if (texts.length > 0) {
    return texts.map((text) => text.replaceAll("\r\n", "\n").trim()).join(
      "\n\n",
    );
  }
  const text = TEXTS[manifest.license ?? ""]?.(ownerOf(manifest, name));
  if (text === undefined) {
    throw new Error(
      `${name}: no licence file, and none of ${manifest.license}`,
    );
  }
  return text;
}

async function main(): Promise<void> {
  const { stdout } = await new Deno.Command("deno", {
    args: ["info", "--json"],
  }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  const cache = new URL(`file://${npmCache}/registry.npmjs.org/`);
  const heads: string[] = [];
  const byText = new Map<string, string[]>();
  for (const shipped of shippedPackages()) {
    const at = shipped.lastIndexOf("@");
    const name = shipped.slice(0, at);
    const folder = new URL(`${name}/${shipped.slice(at + 1)}/`, cache);
    const manifest: Manifest = JSON.parse(
      await Deno.readTextFile(new URL("package.json", folder)),
    );
    const { repository } = manifest;
    const source = typeof repository === "string"
      ? repository
      : repository?.url;
    heads.push(`${shipped} (${manifest.license}) ${source ?? ""}`.trim());
    const text = await licenceText(folder, manifest, name);
    byText.set(text, [...byText.get(text) ?? [], shipped]);
  }
  const sections = [...byText].map(([text, packages]) => {
    return `${RULE}\n${packages.join("\n")}\n\n${text}\n`;
  });
  await Deno.writeTextFile(
    new URL("NOTICE", ROOT),
    `fraudstream, as the executable of deno task compile, contains these packages:

${heads.join("\n")}

and the runtime of Deno (MIT, Copyright 2018-2026 the Deno authors), whose own
parts are listed at https://github.com/denoland/deno. The texts follow.

${sections.join("\n")}`,
  );
}

if (import.meta.main) await main();
