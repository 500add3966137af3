/** The example of a store in docs/EXTENDING.md keeps what every store must keep. */
import { testLabels } from "../store/label_contract.ts";
import { testPredictions } from "../store/prediction_contract.ts";
import { testStore } from "../store/store_contract.ts";
import { UNLABELLED_SHAPE } from "../../src/payment/payment_shape.ts";
import { TRANSACTION_ID_MAX } from "../../src/payment/payment.ts";
import { MemoryStore } from "../../docs/examples/memory_store.ts";

const options = {
  name: "a store in memory",
  test: Deno.test,
  open: (features) => Promise.resolve(new MemoryStore(features)),
  idMax: TRANSACTION_ID_MAX,
  runs: 20,
} satisfies Parameters<typeof testStore>[0];

testStore(options);
testPredictions(options);
testLabels({ ...options, shapes: [UNLABELLED_SHAPE] });
