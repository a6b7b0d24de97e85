/**
 * Certificates for tests, made by openssl: an authority, and what it signs.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority in `folder`. */
export class TestAuthority {
  readonly caFile: string;
  readonly #folder: string;
  readonly #key: string;

  constructor(folder: string, name = "ca") {
    this.#folder = folder;
    this.caFile = join(folder, `${name}.pem`);
    this.#key = join(folder, `${name}.key`);
    openssl(
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ["-days", "2", "-subj", `/CN=test ${name}`, "-keyout", this.#key, "-out", this.caFile],
    );
  }

  /** A certificate for `names`, like `DNS:smsc.test,IP:127.0.0.1`. */
  issue(file: string, names: string, isExpired = false): CertificateFiles {
    const path = (suffix: string): string => join(this.#folder, `${file}.${suffix}`);
    const [cert, key, request, extensions] = ["pem", "key", "csr", "ext"].map(path) as [
      string,
      string,
      string,
      string,
    ];
    openssl(
      ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ["-subj", `/CN=${file}`, "-keyout", key, "-out", request],
    );
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl(
      ["x509", "-req", "-in", request, "-CA", this.caFile, "-CAkey", this.#key],
      ["-set_serial", `${Date.now()}`, "-extfile", extensions, "-out", cert],
      ["-days", isExpired ? "-1" : "1"],
    );
    return { cert, key };
  }
}

export function readPem(path: string): string {
  return readFileSync(path, "utf8");
}

function openssl(...args: readonly (readonly string[])[]): void {
  execFileSync("openssl", args.flat(), { stdio: ["ignore", "ignore", "pipe"] });
}
