/** The example of a log in docs/EXTENDING.md keeps what every log must keep. */
import { logContract } from "../log/log_contract.ts";
import { MemoryLog } from "../../docs/examples/memory_log.ts";

logContract("a log in memory", () => {
  const log = new MemoryLog();
  return Promise.resolve({
    log,
    connect: () => Promise.resolve(new MemoryLog(log)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
