/**
 * Decides what becomes of one submit_sm: its command_status, whether it is answered, and how the
 * message ends.
 *
 * The order: contract window, contract rate, magic destination, drawn refusal. With `magic`, the
 * last four digits of the destination choose:
 *
 *   …0000  accepted, never answered              …0058  ESME_RTHROTTLED the first time, then
 *   accepted
 *   …0011  ESME_RINVDSTADR, always               …0008  ESME_RSYSERR the first time, then accepted
 *   …0100  accepted, no receipt                  …010S  accepted, receipt with message_state S
 *                                                       (2 delivered 3 expired 4 deleted 5
 *                                                       undeliverable
 *                                                        7 unknown 8 rejected)
 *
 * "The first time" counts per destination number and is forgotten beyond 65,536 numbers. One
 * thread.
 */
import { COMMAND_STATUS, readLatin1, type SmView } from "../codec/index.ts";
import { STATE_NONE, type SmscOptions } from "./options.ts";
import { DRAW_RANGE } from "./random.ts";

const MAGIC_NUMBERS_MAX = 65_536;
const MAGIC_DIGITS = 4;

/** What was decided; one object, used again for every submit. */
export class Verdict {
  status = 0;
  isAnswered = true;
  /** MESSAGE_STATE of the receipt, or STATE_NONE. */
  state: number = STATE_NONE;
}

/** Gives integers in [0, DRAW_RANGE) from a session's own seeded state. */
export interface DrawSource {
  draw(): number;
}

export class Judge {
  /** The latest decision. */
  readonly verdict = new Verdict();
  readonly #magic: boolean;
  readonly #dropDraws: number;
  /** Draw below limits[i] → codes[i]; the last limit of outcomes is DRAW_RANGE. */
  readonly #refusalLimits: readonly number[];
  readonly #refusalCodes: readonly number[];
  readonly #outcomeLimits: readonly number[];
  readonly #outcomeStates: readonly number[];
  readonly #met = new Set<string>();

  constructor(options: SmscOptions) {
    this.#magic = options.magic;
    this.#dropDraws = options.dropAnswers * DRAW_RANGE;
    let share = 0;
    this.#refusalLimits = options.refusals.map((refusal) => (share += refusal.share) * DRAW_RANGE);
    this.#refusalCodes = options.refusals.map((refusal) => refusal.status);
    const total = options.outcomes.reduce((sum, outcome) => sum + outcome.weight, 0);
    let weight = 0;
    this.#outcomeLimits = options.outcomes.map(
      (outcome) => ((weight += outcome.weight) / total) * DRAW_RANGE,
    );
    this.#outcomeStates = options.outcomes.map((outcome) => outcome.state);
  }

  /** Decides with `draws`; how many are drawn depends on the options alone. */
  decide(view: SmView, draws: DrawSource): void {
    const { verdict } = this;
    verdict.status = COMMAND_STATUS.ESME_ROK;
    verdict.isAnswered = true;
    verdict.state = this.#drawState(draws);
    if (this.#refusalLimits.length > 0) verdict.status = this.#drawRefusal(draws);
    if (this.#dropDraws > 0 && draws.draw() < this.#dropDraws && verdict.status === 0) {
      verdict.isAnswered = false;
    }
    if (this.#magic) this.#applyMagic(view);
  }

  #drawState(draws: DrawSource): number {
    const states = this.#outcomeStates;
    if (states.length === 1) return states[0]!;
    const draw = draws.draw();
    for (let i = 0; i < states.length; i++) if (draw < this.#outcomeLimits[i]!) return states[i]!;
    return states[states.length - 1]!;
  }

  #drawRefusal(draws: DrawSource): number {
    const draw = draws.draw();
    for (let i = 0; i < this.#refusalLimits.length; i++) {
      if (draw < this.#refusalLimits[i]!) return this.#refusalCodes[i]!;
    }
    return COMMAND_STATUS.ESME_ROK;
  }

  #applyMagic(view: SmView): void {
    const { bytes, destinationAddrStart: start, destinationAddrEnd: end } = view;
    if (end - start < MAGIC_DIGITS || bytes[end - 4] !== 0x30) return;
    const suffix =
      (bytes[end - 3]! - 0x30) * 100 + (bytes[end - 2]! - 0x30) * 10 + bytes[end - 1]! - 0x30;
    if (suffix === 0) this.#conclude(COMMAND_STATUS.ESME_ROK, false);
    else if (suffix === 11) this.#conclude(COMMAND_STATUS.ESME_RINVDSTADR, true);
    else if (suffix === 58) this.#refuseOnce(view, COMMAND_STATUS.ESME_RTHROTTLED);
    else if (suffix === 8) this.#refuseOnce(view, COMMAND_STATUS.ESME_RSYSERR);
    else if (suffix === 100) this.#end(STATE_NONE);
    else if (suffix >= 102 && suffix <= 108 && suffix !== 106) this.#end(suffix - 100);
  }

  #conclude(status: number, isAnswered: boolean): void {
    this.verdict.status = status;
    this.verdict.isAnswered = isAnswered;
  }

  #end(state: number): void {
    this.#conclude(COMMAND_STATUS.ESME_ROK, true);
    this.verdict.state = state;
  }

  #refuseOnce(view: SmView, status: number): void {
    this.#conclude(this.#firstTime(view) ? status : COMMAND_STATUS.ESME_ROK, true);
  }

  #firstTime(view: SmView): boolean {
    const number = readLatin1(view.bytes, view.destinationAddrStart, view.destinationAddrEnd);
    if (this.#met.has(number)) return false;
    if (this.#met.size >= MAGIC_NUMBERS_MAX) this.#met.clear();
    this.#met.add(number);
    return true;
  }
}
