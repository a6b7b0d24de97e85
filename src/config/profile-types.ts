/**
 * A link profile as the rest of the program sees it; the keys of table-profiles.ts in camelCase.
 *
 * Plain data: it may be cloned into worker threads.
 */

export type DefaultAlphabet = "gsm7" | "gsm7_packed" | "latin1" | "ascii";
export type Concatenation = "udh8" | "udh16" | "sar" | "sar16" | "payload";
export type LanguageName = "turkish" | "spanish" | "portuguese";
export type StatusVerdict = "retry" | "throttle" | "reject" | "unbind";

export interface AddressType {
  readonly ton: number;
  readonly npi: number;
}

export interface AddressRewrite extends AddressType {
  /** First digits that are taken off. */
  readonly strip: string;
  /** What is put in their place. */
  readonly add: string;
}

export interface SenderRules {
  /** Patterns; null: everything. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
  /** Source address of messages that have none. */
  readonly default: string | null;
}

/** One TLV; exactly one of hex, string and int is not null. */
export interface ProfileTlv {
  readonly tag: number;
  readonly hex: string | null;
  readonly string: string | null;
  readonly nul: boolean;
  readonly int: number | null;
  readonly bytes: number;
}

export interface SourceRules {
  readonly alphanumeric: AddressType;
  readonly shortCode: AddressType;
  readonly international: AddressRewrite;
  readonly national: AddressRewrite;
  readonly none: AddressType;
}

/** What decides over admission and segmentation: the same for all members of a pool. */
export interface SharedProfile {
  readonly defaultAlphabet: DefaultAlphabet;
  readonly concatenation: Concatenation;
  readonly referenceOverflow: "widen" | "refuse";
  readonly languages: readonly LanguageName[];
  readonly senders: SenderRules;
}

export interface ProfileConfig extends SharedProfile {
  readonly serviceType: string;
  readonly attemptsMax: number;
  readonly source: SourceRules;
  readonly destination: readonly AddressRewrite[];
  readonly tlvs: readonly ProfileTlv[];
  readonly commandStatus: readonly { readonly code: number; readonly class: StatusVerdict }[];
}
