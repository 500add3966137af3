/** The environment, if Deno grants it: without --allow-env it is empty. */

/** The variables of the environment. */
export type Environment = (variable: string) => string | undefined;

/** The process's environment, without variables that are empty or may not be read. */
export function processEnvironment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  if (state !== "granted") return undefined;
  return Deno.env.get(variable) || undefined;
}
