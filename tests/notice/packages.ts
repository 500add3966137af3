/** The npm packages that the executable contains, by deno.json and deno.lock. */
import config from "../../deno.json" with { type: "json" };

/** Imported by tests, benchmarks or types only: not in the executable. */
const NOT_SHIPPED =
  /^(fast-check|axe-core|playwright-core|js-yaml|@babel\/parser|@types\/.*)@/;

/** A package as deno.lock has it. */
export interface Locked {
  readonly integrity: string;
  readonly dependencies?: readonly string[];
}

/** The packages of deno.lock by name@version, without the peers behind it ("_zod@4.6.7"). */
export function lockedPackages(): Readonly<Record<string, Locked>> {
  const lock = Deno.readTextFileSync(
    new URL("../../deno.lock", import.meta.url),
  );
  const { npm }: { npm: Record<string, Locked> } = JSON.parse(lock);
  return Object.fromEntries(
    Object.entries(npm).map(([key, locked]) => [
      /^@?[^@]+@[^_]+/.exec(key)?.[0] ?? key,
      locked,
    ]),
  );
}

/** The packages as name@version, those that they need too, in order. */
export function shippedPackages(): string[] {
  const packages = lockedPackages();
  const found = new Set<string>();
  const add = (name: string) => {
    const known = name in packages
      ? name
      : Object.keys(packages).find((key) => key.startsWith(`${name}@`));
    if (known === undefined) throw new Error(`deno.lock lacks ${name}`);
    if (NOT_SHIPPED.test(known) || found.has(known)) return;
    found.add(known);
    packages[known].dependencies?.forEach(add);
  };
  for (const target of Object.values(config.imports)) {
    add(target.replace(/^npm:\/?/, "").replace(/\/$/, ""));
  }
  return [...found].sort();
}
