/**
 * docker-compose.yml and the Dockerfile, as far as they can be checked without
 * Docker: nothing but the own machine reaches the servers, nothing has more
 * rights or memory than it needs, and the versions are those of the tests.
 */
// deno-lint-ignore-file camelcase -- the names are Docker's
import assert from "node:assert/strict";
import { load, YAML11_SCHEMA } from "js-yaml";
import { API_PORT } from "../../src/roles/api_settings.ts";
import lock from "../services/jars.json" with { type: "json" };
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);
const MIB = { m: 1, g: 1024 };
/** What a laptop with 8 GB has left for containers. */
const MEMORY_MIB_MAX = 7 * 1024;
const ROLES = [
  ...["producer", "processor", "writer", "scorer", "api", "dashboard"],
];
/** Those that start only where their profile is named: they need a file. */
const OPTIONAL = {
  scorer: "model.json",
  api: "api-tokens",
  dashboard: "token",
};
/** Those that publish a port of the host. */
const PUBLISHED = ["api", "dashboard"];

/** What is looked at of a service. */
interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly profiles?: readonly string[];
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment: Readonly<Record<string, string | number>>;
  readonly mem_limit: string;
  readonly restart: string;
  readonly read_only?: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function services(): Record<string, Service> {
  // Only the older schema knows merge keys, as docker compose does.
  const file = load(read("docker-compose.yml"), { schema: YAML11_SCHEMA });
  return (file as { services: Record<string, Service> }).services;
}

function memoryMib({ mem_limit: limit }: Service): number {
  const [, amount, unit] = /^(\d+)([mg])$/.exec(limit) ?? [];
  return Number(amount) * MIB[unit as keyof typeof MIB];
}

testReading("docker compose starts two servers and a service a role", () => {
  const all = services();
  assert.deepEqual(Object.keys(all), ["kafka", "cassandra", ...ROLES]);
  for (const role of ROLES) {
    const [run, flag, ...rest] = all[role].command ?? [];
    // A stream with an API has labels that arrive later.
    const roles = role === "api" ? "api,labels" : role;
    assert.deepEqual([run, flag], ["run", `--role=${roles}`]);
    const isOptional = role in OPTIONAL;
    assert.equal(rest.length > 0, isOptional, role);
    assert.equal(all[role].profiles !== undefined, isOptional, role);
  }
  for (const [role, file] of Object.entries(OPTIONAL)) {
    assert.deepEqual(all[role].secrets, [file]);
    const flags = all[role].command ?? [];
    assert.ok(flags.some((flag) => flag.endsWith(`=/run/secrets/${file}`)));
  }
});

testReading("the API's container is healthy once it can decide", () => {
  const { api } = services();
  const [, executable] = /COPY --from=build \S+ (\S+)/
    .exec(read("Dockerfile")) ?? [];
  assert.deepEqual(api.healthcheck?.test, ["CMD", executable, "ready"]);
  // The command asks the default port, which is published.
  assert.ok(api.command?.includes(`--api-port=${API_PORT}`));
  assert.deepEqual(api.ports, [`127.0.0.1:${API_PORT}:${API_PORT}`]);
});

testReading("containers publish ports on the own machine only", () => {
  for (const [name, { ports = [] }] of Object.entries(services())) {
    for (const port of ports) {
      assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
    }
  }
});

testReading("containers have no more rights than they need", () => {
  for (const [name, service] of Object.entries(services())) {
    const forbidden = ["privileged", "cap_add", "network_mode", "pid", "ipc"];
    for (const key of forbidden) assert.ok(!(key in service), `${name} ${key}`);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
    if (ROLES.includes(name)) assert.equal(service.read_only, true, name);
    for (const volume of service.volumes ?? []) {
      assert.match(volume, /^[a-z]+:\/var\/lib\//, `${name}: no host folder`);
    }
  }
});

testReading("each container has a memory limit, and all fit a laptop", () => {
  const all = services();
  for (const service of Object.values(all)) assert.ok(memoryMib(service) > 0);
  // A stream's payments come from the simulator or by the API.
  for (const source of ["producer", "api"]) {
    const sum = Object.entries(all)
      .filter(([name]) =>
        name === source || !["producer", "api"].includes(name)
      )
      .reduce((total, [, service]) => total + memoryMib(service), 0);
    assert.ok(sum <= MEMORY_MIB_MAX, `${sum} MiB with ${source}`);
  }
});

testReading("roles start once the servers are healthy", () => {
  const all = services();
  for (const name of ["kafka", "cassandra"]) {
    assert.ok(all[name].healthcheck, `${name} has no health check`);
    for (const role of ROLES) {
      assert.equal(all[role].depends_on?.[name].condition, "service_healthy");
    }
  }
});

testReading("roles can be scaled: no fixed name, no port of the host", () => {
  for (const role of ROLES.filter((role) => !PUBLISHED.includes(role))) {
    const service = services()[role];
    for (const key of ["container_name", "hostname", "ports"]) {
      assert.ok(!(key in service), `${role} has ${key}`);
    }
    assert.equal(service.restart, "on-failure", role);
  }
});

testReading("roles find the servers by their settings", () => {
  const all = services();
  for (const role of ROLES) {
    const { environment } = all[role];
    assert.equal(environment.FRAUDSTREAM_LOG, "kafka");
    assert.equal(environment.FRAUDSTREAM_STORE, "cassandra");
    const advertised = `INNER://${environment.FRAUDSTREAM_BROKERS}`;
    const { KAFKA_ADVERTISED_LISTENERS: listeners } = all.kafka.environment;
    assert.ok(String(listeners).split(",").includes(advertised), advertised);
    assert.ok(String(environment.FRAUDSTREAM_CONTACT_POINTS) in all);
  }
});

testReading("images have the versions that the tests run against", () => {
  const { kafka, cassandra } = services();
  assert.equal(kafka.image, `apache/kafka:${lock.kafka.version}`);
  assert.equal(cassandra.image, `cassandra:${lock.cassandra.version}`);
  const { deno } = JSON.parse(read("package.json")).peerDependencies;
  assert.match(read("Dockerfile"), RegExp(`^FROM .*:debian-${deno} AS`, "m"));
});

testReading("the image's build tells the commit", () => {
  // The same text but for the commit, so that nothing else differs.
  const [, line] = /^RUN echo "(.*)" > src\/cli\/commit\.ts$/m
    .exec(read("Dockerfile")) ?? [];
  const written = line?.replaceAll('\\"', '"')
    .replace("$FRAUDSTREAM_COMMIT", "");
  assert.ok(read("src/cli/commit.ts").endsWith(`${written}\n`), written);
});

testReading(
  "the image's executable may neither write nor start programs",
  () => {
    const [command] =
      /^RUN deno compile[^]*?[^\\]$/m.exec(read("Dockerfile")) ??
        [];
    assert.ok(command);
    const granted = [...command.matchAll(/--allow-[a-z]+(?:=[^\s']+)?/g)]
      .map(([flag]) => flag);
    assert.deepEqual(granted, [
      "--allow-net",
      "--allow-env=FRAUDSTREAM_*,KAFKAJS_*",
      "--allow-read=/run/secrets",
    ]);
    assert.doesNotMatch(command, /-A\b/);
  },
);
