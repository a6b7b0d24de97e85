/**
 * What the profiles of a pool's members agree in, as admission uses it.
 *
 * Made once per pool and plan; read-only. Any thread may have its own.
 */
import { CONCAT_METHOD, ENCODING, NATIONAL_LANGUAGE, type TextProfile } from "../../codec/index.ts";
import type { SharedProfile } from "../../config/profile-types.ts";
import { SenderFilter } from "../../config/sender-pattern.ts";

export class PoolProfile {
  readonly text: TextProfile;
  /** CONCAT_METHOD. */
  readonly method: number;
  /** Whether 16-bit references may stand in for 8-bit ones. */
  readonly mayWiden: boolean;
  readonly senders: SenderFilter;
  /** Source address of messages without one; null: none. */
  readonly senderDefault: string | null;

  constructor(profile: SharedProfile) {
    this.text = {
      defaultEncoding: ENCODING[profile.defaultAlphabet],
      languages: profile.languages.map((name) => NATIONAL_LANGUAGE[name]),
    };
    this.method = CONCAT_METHOD[profile.concatenation];
    this.mayWiden = profile.referenceOverflow === "widen";
    this.senders = new SenderFilter(profile.senders);
    this.senderDefault = profile.senders.default;
  }
}
