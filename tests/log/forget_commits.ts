/** Removes a group's commits from an embedded log, as Kafka does when they expire; the log's own sums stay right. */
import { crc32c } from "../../src/base/crc32c.ts";
import { inDatabase } from "../base/sqlite/in_database.ts";

export function forgetCommits(path: string, group: string): void {
  inDatabase(path, (db) => {
    const gone = db.prepare(
      "SELECT checksum FROM group_offset WHERE consumer_group = ?",
    ).all(group);
    db.prepare("DELETE FROM group_offset WHERE consumer_group = ?").run(group);
    const total = db.prepare("SELECT * FROM total").get();
    const count = Number(total?.row_count) - gone.length;
    const checks = gone.reduce(
      (sum, { checksum }) => (sum - Number(checksum)) >>> 0,
      Number(total?.row_checks),
    );
    const text = JSON.stringify(["total", count, checks]);
    db.prepare("UPDATE total SET row_count = ?, row_checks = ?, checksum = ?")
      .run(count, checks, crc32c(new TextEncoder().encode(text)));
  });
}
