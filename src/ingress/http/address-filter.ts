/**
 * Which addresses an app may call from: its `ip_allow` against the peer's address as uWS gives it.
 *
 *   4 bytes                    IPv4
 *   16 bytes                   IPv6; ::ffff:a.b.c.d counts as IPv4
 *
 * Verdicts are remembered, so that a busy client costs one look-up a call. One instance per app and
 * thread.
 */
import { BlockList, isIPv6 } from "node:net";

const REMEMBERED_MAX = 4096;

/** The address of a caller that is not known: no filter lets it through. */
export const UNKNOWN_ADDRESS = new ArrayBuffer(0);

export class AddressFilter {
  readonly #ranges = new BlockList();
  readonly #v4 = new Map<number, boolean>();
  readonly #v6 = new Map<string, boolean>();

  /** `cidrs` as the configuration checked them: address/length or a single address. */
  constructor(cidrs: readonly string[]) {
    for (const cidr of cidrs) {
      const [address, length] = cidr.split("/") as [string, string | undefined];
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      const bits = length === undefined ? (family === "ipv6" ? 128 : 32) : Number(length);
      this.#ranges.addSubnet(address, bits, family);
    }
  }

  /** Whether `address` (4 or 16 bytes) is in one of the ranges. Anything else is not. */
  allows(address: ArrayBuffer): boolean {
    const bytes = new Uint8Array(address);
    if (bytes.length === 4) return this.#allowsV4(bytes, 0);
    if (bytes.length !== 16) return false;
    if (isMapped(bytes)) return this.#allowsV4(bytes, 12);
    const key = Buffer.from(address).toString("hex");
    const known = this.#v6.get(key);
    if (known !== undefined) return known;
    const text = key.match(/.{4}/g)?.join(":") as string;
    return remember(this.#v6, key, this.#ranges.check(text, "ipv6"));
  }

  #allowsV4(bytes: Uint8Array, at: number): boolean {
    const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as number[];
    const key =
      ((a as number) << 24) | ((b as number) << 16) | ((c as number) << 8) | (d as number);
    const known = this.#v4.get(key);
    if (known !== undefined) return known;
    return remember(this.#v4, key, this.#ranges.check(`${a}.${b}.${c}.${d}`, "ipv4"));
  }
}

function remember<Key>(verdicts: Map<Key, boolean>, key: Key, verdict: boolean): boolean {
  if (verdicts.size >= REMEMBERED_MAX) verdicts.clear();
  verdicts.set(key, verdict);
  return verdict;
}

/** Whether 16 bytes are an IPv4 address in IPv6 clothes (RFC 4291 §2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}
