/**
 * The TLS side of the public listener: certificate and key as uWebSockets.js takes them, tried out
 * by OpenSSL first, whose errors say what is wrong. TLS 1.2 is the least, by uWS. Any thread.
 */
import { createSecureContext } from "node:tls";
import type { TlsConfig } from "../config/types.ts";
import type { UwsTls } from "./uws.ts";

/** Reads a file; throws if that is not possible. */
export type ReadFile = (path: string) => Uint8Array;

/** What uWS is given. Throws an error that names the keys if files cannot be used together. */
export function uwsTls(tls: TlsConfig, readFile: ReadFile): UwsTls {
  const { certFile, keyFile } = tls;
  if (certFile === null || keyFile === null) throw new Error("http.tls needs two files");
  try {
    const cert = Buffer.from(readFile(certFile));
    const key = Buffer.from(readFile(keyFile));
    createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  } catch (error) {
    throw new Error(`http.tls: ${certFile} and ${keyFile}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { cert_file_name: certFile, key_file_name: keyFile };
}
