/** The log on a scripted Kafka: what every log keeps to. */
import { VirtualClock } from "../../virtual_clock.ts";
import { logContract } from "../log_contract.ts";
import { ScriptedKafka } from "./scripted/scripted_kafka.ts";
import { openScripted } from "./scripted/scripted_log.ts";

logContract("the Kafka log, scripted", () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  const log = openScripted(kafka, clock);
  return Promise.resolve({
    log,
    connect: () => Promise.resolve(openScripted(kafka, clock)),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  });
});
