/**
 * Other configurations while a run lasts: rates, windows, sessions, members and weights change,
 * links and pools go and come back; at the end everything is as it was at the start.
 *
 * The file changes at once, a living process reloads it thread by thread, and a process that starts
 * later finds it. The judges allow the wider of two limits until the last thread has gone over.
 */
import type { GatewayConfig, LinkConfig } from "../../src/config/types.ts";
import { SESSION_COUNTS } from "./configuration.ts";
import type { SimulatedGateway } from "./gateway.ts";
import type { SeededRandom } from "./random.ts";
import { WORLD } from "./scheduler.ts";
import type { World } from "./world.ts";

/** A second, and what a thread may lag behind its own clock. */
const NARROW_AFTER_MS = 1200;
const RATES = [20, 60, 150, 400] as const;
const REMOVABLE_LINK = 102;
const REMOVABLE_POOL = 1001;
const MAIN_POOL = 1000;
const SECOND_LINK = 101;

export class Reconfiguration {
  /** Reloads that every thread of a process has taken over. */
  count = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #base: GatewayConfig;
  readonly #links = new Map<number, Partial<LinkConfig>>();
  #hasLink = true;
  #hasPool = true;
  #hasSecond = true;
  #weight = 5;
  #pending = 0;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#base = world.settings.config;
  }

  /** Changes something. */
  change(gateway: SimulatedGateway | null): void {
    const random = this.#random;
    for (let i = random.between(1, 3); i > 0; i--) this.#changeOne();
    this.#weight = random.between(1, 5);
    this.#take(this.#configOf(), gateway);
  }

  /** Everything as it was at the start of the run. */
  restore(gateway: SimulatedGateway | null): void {
    this.#take(this.#base, gateway);
  }

  #changeOne(): void {
    const random = this.#random;
    const { id } = random.pick(this.#base.links);
    const known = this.#links.get(id) ?? {};
    switch (random.below(6)) {
      case 0:
        this.#hasLink = !this.#hasLink;
        break;
      case 1:
        this.#hasPool = !this.#hasPool;
        break;
      case 2:
        this.#hasSecond = !this.#hasSecond;
        break;
      case 3:
        this.#links.set(id, { ...known, sessions: random.pick(SESSION_COUNTS) });
        break;
      case 4:
        this.#links.set(id, { ...known, windowMax: random.pick([1, 5, 20, 50]) });
        break;
      default:
        this.#links.set(id, { ...known, rateTps: random.pick(RATES) });
    }
  }

  #configOf(): GatewayConfig {
    const base = this.#base;
    const links = base.links
      .filter(({ id }) => this.#hasLink || id !== REMOVABLE_LINK)
      .map((link) => ({ ...link, ...this.#links.get(link.id) }));
    const ids = new Set(links.map(({ id }) => id));
    const pools = base.pools
      .filter(({ id }) => this.#hasPool || id !== REMOVABLE_POOL)
      .map((pool) => ({
        ...pool,
        members: pool.members
          .filter(({ link }) => ids.has(link))
          .filter(({ link }) => this.#hasSecond || pool.id !== MAIN_POOL || link !== SECOND_LINK)
          .map((member) => ({ ...member, weight: member.weight === 1 ? 1 : this.#weight })),
      }));
    const targets = new Set([...ids, ...pools.map(({ id }) => id)]);
    const routes = base.routes.map(({ prefix, to }) => ({
      prefix,
      to: targets.has(to) ? to : MAIN_POOL,
    }));
    return { ...base, links, pools, routes };
  }

  #take(config: GatewayConfig, gateway: SimulatedGateway | null): void {
    const world = this.#world;
    const before = world.settings.config;
    const change = ++this.#pending;
    world.settings.config = config;
    world.widenLimits(config);
    for (const id of leaversOf(before, config)) world.model.looseLinks.add(id);
    world.effects.note(`RELOAD ${config.links.length} links, ${config.pools.length} pools`);
    gateway?.reload(config, () => {
      this.count++;
      world.scheduler.after(NARROW_AFTER_MS, WORLD, () => {
        if (change === this.#pending) world.narrowLimits(config);
      });
    });
  }
}

/** Ids of links that are configured no more, or not in a pool that they were in. */
function leaversOf(before: GatewayConfig, after: GatewayConfig): number[] {
  const left = new Set(after.links.map(({ id }) => id));
  const gone = before.links.filter(({ id }) => !left.has(id)).map(({ id }) => id);
  for (const { id, members } of before.pools) {
    const stay = after.pools.find((pool) => pool.id === id)?.members.map(({ link }) => link) ?? [];
    gone.push(...members.map(({ link }) => link).filter((link) => !stay.includes(link)));
  }
  return gone;
}
