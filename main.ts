/** Starts the program; all that it does is in src/cli/program.ts. */
import { runProgram } from "./src/cli/program.ts";

// Everything printed has been written when runProgram() returns, so that
// nothing is lost by exiting.
if (import.meta.main) Deno.exit(await runProgram(Deno.args));
