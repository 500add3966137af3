/**
 * Prints the software bill of materials of the executable: CycloneDX 1.6 as
 * JSON, from deno.json, deno.lock and NOTICE. The known tools do not read
 * deno.lock (anchore/syft#4417, cdxgen/cdxgen#1407).
 *
 *   deno run --allow-read tests/notice/make_sbom.ts > fraudstream.cdx.json
 */
import { Buffer } from "node:buffer";
import config from "../../deno.json" with { type: "json" };
import { lockedPackages, shippedPackages } from "./packages.ts";

const ROOT = new URL("../../", import.meta.url);
/** Prefix of every package's URL (purl-spec, type npm). */
const PURL = "pkg:npm/";

/** A library of the bill, as CycloneDX spells it. */
export interface Component {
  readonly type: "library";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
  readonly hashes: readonly {
    readonly alg: string;
    readonly content: string;
  }[];
}

/** The bill of materials, as CycloneDX spells it. */
export interface Bill {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: Readonly<Record<string, string>> };
  readonly components: readonly Component[];
  readonly dependencies: readonly {
    readonly ref: string;
    readonly dependsOn: readonly string[];
  }[];
}

/** The package URL of name@version. */
function purlOf(shipped: string): string {
  const at = shipped.lastIndexOf("@");
  const name = shipped.slice(0, at).replace(/^@/, "%40");
  return `${PURL}${name}@${shipped.slice(at + 1)}`;
}

/** The SPDX id of each package's licence, from NOTICE's first lines. */
function licences(): Map<string, string> {
  const text = Deno.readTextFileSync(new URL("NOTICE", ROOT));
  const lines = text.matchAll(/^(\S+@\d\S*) \((\S+)\)/gm);
  return new Map([...lines].map(([, shipped, id]) => [shipped, id]));
}

/** The bill of what the executable contains. Throws if a package has no licence in NOTICE. */
export function billOfMaterials(): Bill {
  const npm = lockedPackages();
  const shipped = shippedPackages();
  const known = licences();
  const components = shipped.map((one): Component => {
    const at = one.lastIndexOf("@");
    const id = known.get(one);
    if (id === undefined) throw new Error(`NOTICE lacks ${one}`);
    const [algorithm, hash] = npm[one].integrity.split("-");
    return {
      type: "library",
      "bom-ref": purlOf(one),
      name: one.slice(0, at),
      version: one.slice(at + 1),
      purl: purlOf(one),
      licenses: [{ license: { id } }],
      hashes: [{
        alg: algorithm.toUpperCase().replace("SHA", "SHA-"),
        content: Buffer.from(hash, "base64").toString("hex"),
      }],
    };
  });
  const refOf = (name: string) =>
    shipped.filter((one) => one === name || one.startsWith(`${name}@`))
      .slice(0, 1).map(purlOf);
  const version = "version" in config ? String(config.version) : "0.0.0";
  const self = `fraudstream@${version}`;
  const needs = Object.values(config.imports).flatMap((target) =>
    refOf(target.replace(/^npm:\/?/, "").replace(/\/$/, ""))
  );
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": self,
        name: "fraudstream",
        version,
      },
    },
    components,
    dependencies: [
      { ref: self, dependsOn: [...new Set(needs)].sort() },
      ...shipped.map((one) => ({
        ref: purlOf(one),
        dependsOn: (npm[one].dependencies ?? []).flatMap(refOf).sort(),
      })),
    ],
  };
}

if (import.meta.main) {
  const text = JSON.stringify(billOfMaterials(), undefined, 2);
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}
