/**
 * Which pools a caller may use: `apps` and `ip_allow` of a pool's links, which all its members
 * share. Judged at admission; one instance per ingress thread and plan.
 */
import type { DerivedPool } from "../../config/derive.ts";
import { AddressFilter } from "../http/address-filter.ts";

interface Access {
  readonly apps: ReadonlySet<number> | null;
  readonly filter: AddressFilter | null;
}

export class PoolAccess {
  /** By poolIndex; undefined: everybody. */
  readonly #restricted: (Access | undefined)[] = [];

  constructor(pools: readonly DerivedPool[]) {
    for (const { poolIndex, apps, ipAllow } of pools) {
      if (apps === null && ipAllow === null) continue;
      this.#restricted[poolIndex] = {
        apps: apps === null ? null : new Set(apps),
        filter: ipAllow === null ? null : new AddressFilter(ipAllow),
      };
    }
  }

  /** Whether app `appId` may use the pool from an address of 4 or 16 bytes; 0 bytes: unknown. */
  allows(poolIndex: number, appId: number, from: ArrayBuffer): boolean {
    const access = this.#restricted[poolIndex];
    if (access === undefined) return true;
    if (access.apps !== null && !access.apps.has(appId)) return false;
    return access.filter === null || access.filter.allows(from);
  }
}
