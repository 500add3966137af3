/** The environment: only where Deno grants it, without --allow-env there is none. */

/** What the environment gives, by variable. */
export type Environment = (variable: string) => string | undefined;

/** The process's environment; what may not be read or is empty is not there. */
export function processEnvironment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  if (state !== "granted") return undefined;
  return Deno.env.get(variable) || undefined;
}
