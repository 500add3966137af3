/** Numbers as people read them, in messages of any room. */

/** A whole number with commas: 1,754,155. */
export function thousands(count: number): string {
  return count.toLocaleString("en-US");
}

/** A number of things: '1 file', '183 files'. */
export function counted(count: number, noun: string): string {
  return `${thousands(count)} ${noun}${count === 1 ? "" : "s"}`;
}
