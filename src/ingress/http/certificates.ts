/**
 * The TLS side of the public listener: certificate and key as uWebSockets.js or the relay takes
 * them, tried out by OpenSSL first, whose errors say what is wrong. TLS 1.2 is the least, by uWS
 * and here. Any thread.
 */
import { constants, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { TlsConfig } from "../../config/types.ts";
import type { UwsTls } from "./uws.ts";

/** Reads a file; throws if that is not possible. */
export type ReadFile = (path: string) => Uint8Array;

/** What a TLS server of Node is given. */
export interface RelayTls extends SecureContextOptions {
  /** Whether only clients whose certificate chains to `ca` are let in. */
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** What uWS is given. Throws an error that names the keys if files cannot be used together. */
export function uwsTls(tls: TlsConfig, readFile: ReadFile): UwsTls {
  const { certFile, keyFile } = filesOf(tls);
  readPair(certFile, keyFile, readFile);
  return { cert_file_name: certFile, key_file_name: keyFile };
}

/**
 * What the relay is given. Throws an error that names the keys if files cannot be used together.
 *
 * Where certificates are required no session is resumed: each connection shows one, and an
 * authority that is taken away counts no longer at once.
 */
export function relayTls(tls: TlsConfig, readFile: ReadFile): RelayTls {
  const { certFile, keyFile } = filesOf(tls);
  const pair = readPair(certFile, keyFile, readFile);
  const { caFile } = tls;
  const isRequired = caFile !== null;
  return {
    ...pair,
    ...(isRequired ? { ca: readAuthorities(caFile, readFile) } : {}),
    ...(isRequired ? { secureOptions: constants.SSL_OP_NO_TICKET } : {}),
    requestCert: isRequired,
    rejectUnauthorized: isRequired,
  };
}

function filesOf(tls: TlsConfig): { readonly certFile: string; readonly keyFile: string } {
  const { certFile, keyFile } = tls;
  if (certFile === null || keyFile === null) throw new Error("http.tls needs two files");
  return { certFile, keyFile };
}

function readPair(certFile: string, keyFile: string, readFile: ReadFile): SecureContextOptions {
  try {
    const cert = Buffer.from(readFile(certFile));
    const key = Buffer.from(readFile(keyFile));
    const pair = { cert, key, minVersion: "TLSv1.2" } as const;
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new Error(`http.tls: ${certFile} and ${keyFile}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The certificates of a file, each tried out: OpenSSL passes over what it cannot read. */
function readAuthorities(caFile: string, readFile: ReadFile): string[] {
  try {
    const text = Buffer.from(readFile(caFile)).toString();
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new Error("it has no certificate");
    return blocks.map((block) => new X509Certificate(block).toString());
  } catch (error) {
    throw new Error(`http.tls.ca_file: ${caFile}: ${(error as Error).message}`, { cause: error });
  }
}
