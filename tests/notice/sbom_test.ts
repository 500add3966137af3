import assert from "node:assert/strict";
import { testReading } from "../permission.ts";
import { billOfMaterials } from "./make_sbom.ts";
import { shippedPackages } from "./packages.ts";

testReading("the bill of materials has every package in the executable", () => {
  const { components, dependencies } = billOfMaterials();
  assert.deepEqual(
    components.map(({ name, version }) => `${name}@${version}`),
    shippedPackages(),
  );
  const refs = new Set(dependencies.map(({ ref }) => ref));
  for (const { purl, hashes: [{ alg, content }] } of components) {
    assert.match(purl, /^pkg:npm\/(?:%40[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+$/);
    assert.equal(alg, "SHA-512");
    assert.match(content, /^[0-9a-f]{128}$/);
    assert.ok(refs.has(purl), purl);
  }
  for (const { dependsOn } of dependencies) {
    for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
  }
});

testReading("the bill of materials knows what needs what", () => {
  const { dependencies } = billOfMaterials();
  const driver = dependencies.find(({ ref }) =>
    ref.startsWith("pkg:npm/cassandra-driver@")
  );
  assert.ok(driver?.dependsOn.some((ref) => ref.startsWith("pkg:npm/long@")));
});
