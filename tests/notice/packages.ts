/** The npm packages that the executable contains, by deno.json and deno.lock. */
import config from "../../deno.json" with { type: "json" };

/** Imported by tests, benchmarks or types only: not in the executable. */
const NOT_SHIPPED =
  /^(fast-check|axe-core|playwright-core|js-yaml|@babel\/parser|@types\/.*)@/;

type Locked = Readonly<Record<string, { dependencies?: readonly string[] }>>;

/** The packages as name@version, those that they need too, in order. */
export function shippedPackages(): string[] {
  const lock = Deno.readTextFileSync(
    new URL("../../deno.lock", import.meta.url),
  );
  const { npm: packages }: { npm: Locked } = JSON.parse(lock);
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
