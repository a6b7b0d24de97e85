/**
 * The people who look after a gateway: now and then they send dead letters anew and decide about
 * held messages, as the calls of src/ingress/calls/dead-letter-calls.ts and read-calls.ts do for
 * them.
 *
 *   list ─► claim on the ledger's thread ─► replay at an ingress, to a number of its own ─► 202
 *   list ─► resolve on the ledger's thread ─► answered when RESOLVED is safe
 *
 * A replay goes to another number than its dead letter, so that judges know one from the other. Of
 * all replays of one dead letter the log may have one; a second has to be turned away.
 */
import type { Ingress } from "../../src/ingress/ingress.ts";
import { UNKNOWN_ADDRESS } from "../../src/ingress/http/address-filter.ts";
import { Admit } from "../../src/ingress/admission/admission.ts";
import { requestOf } from "../../src/ingress/admission/replayed-message.ts";
import type { ReplayClaim } from "../../src/ledger/flow/dead-letters.ts";
import { type MessageKey, parseMessageId } from "../../src/records/message-key.ts";
import { Decision } from "../../src/records/resolved.ts";
import type { SimulatedGateway } from "./gateway.ts";
import { keyText } from "./log-model.ts";
import type { SeededRandom } from "./random.ts";
import { WORLD } from "./scheduler.ts";
import type { Senders } from "./senders.ts";
import type { World } from "./world.ts";

const LOOK_MS = [300, 4000] as const;
const PAGE = 8;
const ANY = { app: null, messageClass: null, reason: null, since: null, until: null } as const;
/** Replays of all seeds go to numbers behind those of the senders. */
const REPLAYS_FROM = 5_000_000;
const PREFIX_DIGITS = 5;

export class OperatorDesk {
  /** Replays and decisions that were answered. */
  replayed = 0;
  decided = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #senders: Senders;
  readonly #untilMs: number;
  /** Numbers that replays of a dead letter went to, by its id. */
  readonly #replaysOf = new Map<string, string[]>();
  #gateway: SimulatedGateway | null = null;
  #replays = 0;

  /** Works until the simulated instant `untilMs`. */
  constructor(world: World, random: SeededRandom, senders: Senders, untilMs: number) {
    this.#world = world;
    this.#random = random;
    this.#senders = senders;
    this.#untilMs = untilMs;
    this.#lookLater();
  }

  setGateway(gateway: SimulatedGateway | null): void {
    this.#gateway = gateway;
  }

  /** At the end: what the log has of every dead letter that was sent anew. */
  judge(): void {
    const { model, judge } = this.#world;
    for (const [id, numbers] of this.#replaysOf) {
      const accepted = numbers.filter((to) => model.byDestination.has(to));
      if (accepted.length > 1)
        judge.violate(`dead letter ${id} was replayed to ${accepted.join()}`);
    }
  }

  #lookLater(): void {
    const atMs = this.#world.nowMs() + this.#random.float(...LOOK_MS);
    if (atMs > this.#untilMs) return;
    this.#world.scheduler.at(atMs, WORLD, () => {
      const gateway = this.#gateway;
      if (gateway?.isReady === true) {
        this.#world.scheduler.after(0, gateway.ingresses.length, () => this.#look(gateway));
      }
      this.#lookLater();
    });
  }

  /** On the ledger's thread. */
  #look(gateway: SimulatedGateway): void {
    const { ledger } = gateway;
    const letters = ledger.deadLetters(ANY, null, PAGE)?.data ?? [];
    const ids = letters.map(({ id }) => id).filter(() => this.#random.chance(0.5));
    // Now and then one that was sent anew before is asked for again.
    const known = [...this.#replaysOf.keys()];
    if (known.length > 0 && this.#random.chance(0.3)) ids.push(this.#random.pick(known));
    if (ids.length > 0) this.#replay(gateway, ids);
    for (const { id } of ledger.held(null, PAGE)?.data ?? []) {
      if (this.#random.chance(0.4)) this.#decide(gateway, id);
    }
  }

  #replay(gateway: SimulatedGateway, ids: readonly string[]): void {
    const keys = ids.map((id) => (parseMessageId(id) as { key: MessageKey }).key);
    const claims = gateway.ledger.claimDeadLetters(keys);
    const thread = this.#random.below(gateway.ingresses.length);
    const ingress = gateway.ingresses[thread] as Ingress;
    this.#world.scheduler.after(this.#random.float(0.01, 20), thread, () => {
      const refused = keys.filter(
        (key, i) => !this.#admit(ingress, ids[i] as string, key, claims[i] as ReplayClaim),
      );
      const release = (): void => gateway.ledger.releaseDeadLetters(refused);
      this.#world.scheduler.after(1, gateway.ingresses.length, release);
    });
  }

  /** On an ingress thread. False: a claimed dead letter was refused. */
  #admit(ingress: Ingress, id: string, key: MessageKey, claim: ReplayClaim): boolean {
    if (claim.outcome !== "claimed") return true;
    const body = requestOf(claim.record);
    const original = this.#senders.planned.get(String(body["to"]).slice(1));
    if (original === undefined) {
      this.#world.judge.violate(`dead letter ${id} goes where nobody sent anything`);
      return true;
    }
    const number = String(REPLAYS_FROM + this.#replays++);
    const to = original.to.slice(0, PREFIX_DIGITS) + number;
    const message = { ...original, to, cancelInMs: 0, idempotencyKey: "" };
    this.#senders.planned.set(to, message);
    this.#replaysOf.set(id, [...(this.#replaysOf.get(id) ?? []), to]);
    const ticket = {
      accepted: ({ sequence }: { readonly sequence: number }): void => {
        this.#world.effects.run("reply.accepted", `replay ${to}`, () => {
          this.replayed++;
          this.#senders.notePromise(message, { sequence, origin: ingress.origin });
        });
      },
    };
    const appIndex = ingress.appIndexOf(claim.app);
    const request = { ...body, to: `+${to}` };
    return ingress.replay(appIndex, request, key, ticket, UNKNOWN_ADDRESS, 0) === Admit.STAGED;
  }

  #decide(gateway: SimulatedGateway, id: string): void {
    const { key } = parseMessageId(id) as { key: MessageKey };
    const decision = this.#random.pick([Decision.RESEND, Decision.RESEND, Decision.FAIL]);
    gateway.ledger.resolveHeld(key, decision, (resolution) => {
      if (resolution !== "resolved") return;
      this.decided++;
      const message = this.#world.model.messages.get(keyText(key.sequence, key.origin));
      if (message?.decisions.includes(decision) !== true) {
        this.#world.judge.violate(`a decision about ${message?.to} is told before it is safe`);
      }
    });
  }
}
