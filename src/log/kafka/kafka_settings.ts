/**
 * How a Kafka cluster is reached: plain values, which the command line creates
 * and every role's thread gets. Secrets in it are never logged.
 */

/** How a Kafka cluster is reached and used. */
export interface KafkaSettings {
  /** Which kind of log it is. */
  readonly kind: "kafka";
  /** Some of its brokers, each "host:port". */
  readonly brokers: readonly string[];
  /** Put before the name of every topic, group and transactional id, so that several streams can share a cluster. */
  readonly prefix: string;
  /** Replicas of topics that are created; undefined for the broker's default. */
  readonly replication: number | undefined;
  /** TLS, where the brokers want it: certificate authorities as PEM text, undefined for the system's. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** The user, where the brokers require a login. */
  readonly sasl: {
    /** The SASL mechanism. */
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    /** User name. */
    readonly username: string;
    /** Password. */
    readonly password: string;
  } | undefined;
  /** Silence after which a consumer loses its partitions to others, in milliseconds. */
  readonly sessionTimeoutMs: number;
}
