/** A certificate for localhost and 127.0.0.1 that signs itself, for tests of TLS. */
import { generateKeyPairSync, sign } from "node:crypto";

/** A certificate and its key, PEM. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/** Makes one that is valid from yesterday for a month. */
export function selfSigned(): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const day = 86_400_000;
  const name = sequence(set(sequence(
    objectId(0x55, 4, 3),
    der(0x0c, new TextEncoder().encode("localhost")),
  )));
  const algorithm = sequence(
    objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
  );
  const body = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, Uint8Array.of(1)),
    algorithm,
    name,
    sequence(time(Date.now() - day), time(Date.now() + 30 * day)),
    name,
    spki,
    // subjectAltName
    der(
      0xa3,
      sequence(sequence(
        objectId(0x55, 0x1d, 0x11),
        der(
          0x04,
          sequence(
            der(0x82, new TextEncoder().encode("localhost")),
            der(0x87, Uint8Array.of(127, 0, 0, 1)),
          ),
        ),
      )),
    ),
  );
  const signature = sign("sha256", body, privateKey);
  const cert = sequence(
    body,
    algorithm,
    der(0x03, Uint8Array.of(0), signature),
  );
  const base64 = btoa(String.fromCharCode(...cert)).match(/.{1,64}/g) ?? [];
  return {
    cert: "-----BEGIN CERTIFICATE-----\n" + base64.join("\n") +
      "\n-----END CERTIFICATE-----\n",
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = parts.flatMap((part) => [...part]);
  const { length } = content;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return Uint8Array.from([tag, ...size, ...content]);
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...parts);
}

function set(part: Uint8Array): Uint8Array {
  return der(0x31, part);
}

function objectId(...bytes: readonly number[]): Uint8Array {
  return der(0x06, Uint8Array.from(bytes));
}

function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/\D/g, "").slice(2, 14);
  return der(0x17, new TextEncoder().encode(`${text}Z`));
}
