/** A process that holds the write lock of a SQLite file until a line comes: deno run hold_lock.ts FILE */
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(Deno.args[0]);
database.exec("BEGIN IMMEDIATE");
database.exec("INSERT INTO t VALUES (1)");
await Deno.stdout.write(new TextEncoder().encode("holding\n"));
await Deno.stdin.read(new Uint8Array(1));
database.exec("COMMIT");
database.close();
