/**
 * Posts the planned messages to whatever process runs, as clients of the HTTP API would, and keeps
 * the log of 202s.
 *
 *   send ──down──► again later        arrive ──429, 503──► again later, a few times
 *     └──────up──► arrive at ingress ─────┴──staged──► 202, or never an answer if the process dies
 *
 * With an idempotency key a call is repeated: when it got no answer, and now and then although it
 * has one, or has none yet. Whatever is answered, one key has one id. Without a key a call that got
 * no answer is given up, and its sender writes anew, to another number.
 */
import { UNKNOWN_ADDRESS } from "../../src/ingress/http/address-filter.ts";
import { Admit, ScopeBit } from "../../src/ingress/admission/admission.ts";
import type { Ingress } from "../../src/ingress/ingress.ts";
import type { CancelAnswer } from "../../src/ingress/calls/message-lookup.ts";
import type { Ticket } from "../../src/ingress/calls/pending-messages.ts";
import { formatMessageId, type MessageKey } from "../../src/records/message-key.ts";
import { APP_IDS } from "./configuration.ts";
import type { SimulatedGateway } from "./gateway.ts";
import { keyText } from "./log-model.ts";
import { WORLD } from "./scheduler.ts";
import type { PlannedMessage, Promised } from "./traffic.ts";
import type { World } from "./world.ts";

/** A message of a call, and what it was accepted as. */
interface Accepted {
  readonly message: PlannedMessage;
  readonly key: MessageKey;
}

const TRIES_MAX = 60;
const DOWN_RETRY_MS = 250;
/** Messages that are written anew go to numbers behind those of the others. */
const ANEW_FROM = 7_000_000;
const PREFIX_DIGITS = 5;

export class Senders {
  readonly promised: Promised[] = [];
  /** What was said of cancellations, by destination: the last answer. */
  readonly cancelAnswers = new Map<string, CancelAnswer>();
  readonly planned = new Map<string, PlannedMessage>();
  /** Refusals by code of Admit. */
  readonly refusals = new Map<number, number>();
  /** Messages given up after too many refusals, and messages whose answer a death swallowed. */
  gaveUp = 0;
  unanswered = 0;
  /** Repeated calls that were answered with the id of the first. */
  repeated = 0;
  readonly #world: World;
  readonly #repliesEarly: boolean;
  readonly #inFlight = new Set<PlannedMessage>();
  /** Calls that reached the gateway and wait for their answer. */
  readonly #staged = new Set<PlannedMessage>();
  /** Ids that were told, by destination. */
  readonly #ids = new Map<string, string>();
  #open = 0;
  #gateway: SimulatedGateway | null = null;

  constructor(world: World, messages: readonly PlannedMessage[], repliesEarly: boolean) {
    this.#world = world;
    this.#repliesEarly = repliesEarly;
    this.#open = messages.length;
    for (const message of messages) this.planned.set(message.to, message);
    for (const call of callsOf(messages)) {
      world.scheduler.at((call[0] as PlannedMessage).atMs, WORLD, () => this.#send(call));
    }
  }

  /** Whether every message has its answer, or will get none. */
  get isDone(): boolean {
    return this.#open === 0;
  }

  /** Calls that the gateway has taken and not answered. */
  get pendingCount(): number {
    return this.#staged.size;
  }

  /** The process that listens now, or null; calls to an earlier one get no answer any more. */
  setGateway(gateway: SimulatedGateway | null): void {
    const { scheduler } = this.#world;
    this.#gateway = gateway;
    for (const message of this.#inFlight) {
      const next = message.idempotencyKey === "" ? this.#anew(message) : message;
      scheduler.after(DOWN_RETRY_MS, WORLD, () => this.#send([next]));
    }
    this.#inFlight.clear();
    this.#staged.clear();
  }

  /** The same text in a call of its own to a number of its own. */
  #anew(message: PlannedMessage): PlannedMessage {
    const number = String(ANEW_FROM + this.unanswered++);
    const to = message.to.slice(0, PREFIX_DIGITS) + number;
    const body = { ...message.body, to };
    const next = { ...message, to, body, batch: -1, request: null, tries: 0 };
    this.planned.set(to, next);
    return next;
  }

  /** Repeats the call of every message that has a key and an id. */
  repeatAll(): void {
    for (const { message } of this.promised) {
      if (message.idempotencyKey !== "") this.#repeat(message);
    }
  }

  #send(call: readonly PlannedMessage[]): void {
    const gateway = this.#gateway;
    const { scheduler, random } = this.#world;
    if (gateway === null || !gateway.isReady) {
      const ms = DOWN_RETRY_MS * (0.5 + random.next());
      scheduler.after(ms, WORLD, () => this.#send(call));
      return;
    }
    for (const message of call) {
      this.#inFlight.add(message);
      if (message.repeatInMs === 0 || message.request !== null) continue;
      scheduler.after(message.repeatInMs, WORLD, () => this.#repeat(message));
    }
    const { thread, ingress } = this.#anyIngress(gateway);
    scheduler.after(0, thread, () => this.#arrive(call, ingress));
  }

  #anyIngress({ ingresses }: SimulatedGateway): { thread: number; ingress: Ingress } {
    const thread = this.#world.random.below(ingresses.length);
    return { thread, ingress: ingresses[thread] as Ingress };
  }

  /** The same call once more, on any thread, for whose answer nobody waits. */
  #repeat(message: PlannedMessage): void {
    const gateway = this.#gateway;
    if (gateway === null || !gateway.isReady) return;
    const { scheduler, judge } = this.#world;
    const { thread, ingress } = this.#anyIngress(gateway);
    const ticket = {
      accepted: ({ sequence, origin }: MessageKey): void =>
        this.#reply([{ message, key: { sequence, origin } }], ingress),
    };
    scheduler.after(0, thread, () => {
      const code = this.#admit(message, ingress, ticket, 0);
      if (code === Admit.STAGED || code === Admit.OVERLOADED || code === Admit.KEY_RUNNING) return;
      if (this.#ids.has(message.to)) judge.violate(`key of ${message.to} is forgotten: ${code}`);
    });
  }

  /** One call, of one message or a batch. */
  #arrive(call: readonly PlannedMessage[], ingress: Ingress): void {
    const accepted: Accepted[] = [];
    // One more until all are admitted.
    let missing = call.length + 1;
    const count = (): void => {
      if (--missing === 0 && accepted.length > 0) this.#reply(accepted, ingress);
    };
    const ticket = {
      accepted: ({ item, sequence, origin }: MessageKey & { readonly item: number }): void => {
        const message = call[item];
        if (message === undefined) {
          this.#world.judge.violate(`item ${item} of a call of ${call.length} is answered`);
        } else accepted.push({ message, key: { sequence, origin } });
        count();
      },
    };
    for (const [item, message] of call.entries()) {
      const code = this.#admit(message, ingress, ticket, item);
      if (code === Admit.STAGED) {
        this.#staged.add(message);
        if (this.#repliesEarly) this.#reply([{ message, key: { ...ingress.outcome } }], ingress);
      } else {
        this.#refused(message, code, ingress);
        count();
      }
    }
    count();
  }

  /** The message as a listener hands it on; with a key it stays the same over all calls. */
  #admit(message: PlannedMessage, ingress: Ingress, ticket: Ticket, item: number): number {
    const appIndex = APP_IDS.indexOf(message.appId as (typeof APP_IDS)[number]);
    const { idempotencyKey } = message;
    if (message.request === null || idempotencyKey === "") {
      const sendAt = new Date(this.#world.clock.wallMs() + message.sendInMs).toISOString();
      const isLater = message.sendInMs > 0;
      message.request = isLater ? { ...message.body, send_at: sendAt } : message.body;
    }
    const { request } = message;
    const from = UNKNOWN_ADDRESS;
    const { SEND } = ScopeBit;
    return ingress.accept(appIndex, request, SEND, ticket, from, item, idempotencyKey);
  }

  #refused(message: PlannedMessage, code: number, ingress: Ingress): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    // A repeated call may have been answered before this one.
    const isOpen = this.#inFlight.delete(message);
    if (code === Admit.INVALID && this.#isOver(message)) {
      if (!isOpen) return;
      this.#open--;
      this.gaveUp++;
      return;
    }
    if (!isTemporary(code)) {
      if (isOpen) this.#open--;
      const { problems, detail } = ingress.outcome;
      this.#world.judge.violate(
        `${message.to} was refused with ${code}: ${JSON.stringify(problems)} ${detail}`,
      );
      return;
    }
    if (!isOpen) return;
    if (++message.tries >= TRIES_MAX) {
      this.#open--;
      this.gaveUp++;
      return;
    }
    const ms = ingress.outcome.retryAfterS * 1000 * (0.7 + 0.6 * this.#world.random.next());
    this.#world.scheduler.after(ms, WORLD, () => this.#send([message]));
  }

  /** Whether its time went by while there was no room for it; with a key it stays the same. */
  #isOver({ request, sendInMs }: PlannedMessage): boolean {
    if (request === null || sendInMs === 0) return false;
    return Date.parse(String(request["send_at"])) < this.#world.clock.wallMs();
  }

  /** The one answer of a call. */
  #reply(accepted: readonly Accepted[], ingress: Ingress): void {
    const first = (accepted[0] as Accepted).message;
    this.#world.effects.run("reply.accepted", `${first.to} x${accepted.length}`, () => {
      for (const { message, key } of accepted) {
        this.#staged.delete(message);
        if (this.#inFlight.delete(message)) this.#open--;
        else if (message.idempotencyKey === "") continue;
        if (!this.#isFirst(message, key)) continue;
        this.notePromise(message, key);
        if (message.cancelInMs > 0) {
          const cancel = (): void => this.#cancel(message, key);
          this.#world.scheduler.after(message.cancelInMs, WORLD, cancel);
        }
        if (this.#world.random.chance(0.05)) this.#find(message, key, ingress);
      }
    });
  }

  /** Whether this is the first answer for a message; others must give the same id. */
  #isFirst(message: PlannedMessage, { sequence, origin }: MessageKey): boolean {
    const id = formatMessageId("sim-1", sequence, origin);
    const told = this.#ids.get(message.to);
    if (told === undefined) {
      this.#ids.set(message.to, id);
      return true;
    }
    const { judge } = this.#world;
    this.repeated++;
    judge.onAccepted(keyText(sequence, origin), message.to);
    if (told !== id) judge.violate(`key of ${message.to} has two ids`);
    return false;
  }

  /** A 202 for this message has arrived. */
  notePromise(message: PlannedMessage, { sequence, origin }: MessageKey): void {
    const id = formatMessageId("sim-1", sequence, origin);
    this.promised.push({ message, id, atMs: this.#world.nowMs() });
    this.#world.judge.onAccepted(keyText(sequence, origin), message.to);
  }

  #find(message: PlannedMessage, key: MessageKey, ingress: Ingress): void {
    ingress.lookup.find(key, message.appId, (answer) => {
      if (answer === null) this.#world.judge.violate(`${message.to} has a 202 and GET says 404`);
    });
  }

  /** A call to whatever process lives; one that is down, or dies, gives no answer. */
  #cancel(message: PlannedMessage, key: MessageKey): void {
    const { scheduler, effects, judge, random } = this.#world;
    const gateway = this.#gateway;
    if (gateway === null || !gateway.isReady) return;
    const thread = random.below(gateway.ingresses.length);
    const { lookup } = gateway.ingresses[thread] as Ingress;
    scheduler.after(0, thread, () =>
      lookup.cancel(key, message.appId, (answer) =>
        effects.run("reply.canceled", `${message.to} ${answer}`, () => {
          this.cancelAnswers.set(message.to, answer);
          judge.onCancelAnswer(keyText(key.sequence, key.origin), message.to, answer);
        }),
      ),
    );
  }
}

/** Messages of one batch go in one call, the others alone. */
function callsOf(messages: readonly PlannedMessage[]): PlannedMessage[][] {
  const calls: PlannedMessage[][] = [];
  const batches = new Map<number, PlannedMessage[]>();
  for (const message of messages) {
    const batch = batches.get(message.batch);
    if (batch !== undefined && message.batch >= 0) {
      batch.push(message);
      continue;
    }
    const call = [message];
    batches.set(message.batch, call);
    calls.push(call);
  }
  return calls;
}

function isTemporary(code: number): boolean {
  return code === Admit.RATE_LIMITED || code === Admit.OVERLOADED || code === Admit.KEY_RUNNING;
}
