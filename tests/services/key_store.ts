/**
 * Keys for servers that speak TLS: a certificate authority of its own and a
 * certificate for localhost and 127.0.0.1, made by Java's keytool. For tests
 * and development only: the password stands in this file.
 */
import { join } from "node:path";
import { runTool } from "./java.ts";

/** What a server and its clients need for TLS. */
export interface KeyStore {
  /** PKCS12 file with the server's key and certificates. */
  readonly storeFile: string;
  /** Opens it. */
  readonly storePassword: string;
  /** PEM file with the certificate of the authority, for clients. */
  readonly caFile: string;
}

const PASSWORD = "fraudstream";

/** Makes an authority, a key and its certificate in a folder. */
export async function makeKeyStore(folder: string): Promise<KeyStore> {
  const caStore = join(folder, "ca.p12");
  const storeFile = join(folder, "server.p12");
  const caFile = join(folder, "ca.pem");
  const request = join(folder, "server.csr");
  const certificate = join(folder, "server.pem");
  const common = ["-storetype", "PKCS12", "-storepass", PASSWORD, "-noprompt"];
  const ca = ["-keystore", caStore, "-alias", "ca", ...common];
  const server = ["-keystore", storeFile, ...common];
  const key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30"];
  await keytool("-genkeypair", [
    ...ca,
    ...key,
    "-dname",
    "CN=fraudstream test authority",
    "-ext",
    "bc:critical=ca:true",
    "-ext",
    "ku:critical=keyCertSign,cRLSign",
  ]);
  await keytool("-exportcert", [...ca, "-rfc", "-file", caFile]);
  const named = [...server, "-alias", "server"];
  await keytool("-genkeypair", [...named, ...key, "-dname", "CN=localhost"]);
  await keytool("-certreq", [...named, "-file", request]);
  await keytool("-gencert", [
    ...ca,
    ...["-validity", "30", "-rfc", "-infile", request, "-outfile", certificate],
    "-ext",
    "san=dns:localhost,ip:127.0.0.1",
  ]);
  await keytool("-importcert", [...server, "-alias", "ca", "-file", caFile]);
  await keytool("-importcert", [...named, "-file", certificate]);
  return { storeFile, storePassword: PASSWORD, caFile };
}

async function keytool(
  command: string,
  args: readonly string[],
): Promise<void> {
  const { success, output } = await runTool("keytool", [command, ...args]);
  if (!success) throw new Error(`keytool ${command} failed: ${output}`);
}
