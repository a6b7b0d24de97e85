/**
 * The vocabulary in which the table of configuration keys is written.
 *
 *   block   a mapping with fixed keys      items   a list of blocks, named by one of their keys
 *   named   a mapping name → block         leaf    one value
 *
 * `built` says whether what a key switches on exists in this version: true; false (only the default
 * is accepted, everything else is refused as not built); or the list of values that exist so far.
 * Turning a feature on is that one word. Pure data and types.
 */
import type { FormatName } from "./formats.ts";

/** Marks a key without default. */
export const REQUIRED = Symbol("required");

export type Reload = "live" | "restart";

export type LeafType =
  | "int"
  | "int_or_auto"
  | "bool"
  | "string"
  | "enum"
  | "ints"
  | "strings"
  /** A path, made absolute against the file's folder; it need not exist. */
  | "path"
  /** A file that must exist. */
  | "file"
  /** A file whose content is a secret. */
  | "secret_file";

export interface Leaf<T> {
  readonly node: "leaf";
  readonly type: LeafType;
  readonly doc: string;
  readonly default: T | typeof REQUIRED;
  readonly nullable: boolean;
  readonly built: boolean | readonly T[];
  /** null: as the block it stands in. */
  readonly reload: Reload | null;
  /** Of a secret: its user reads the file anew by itself, another content changes nothing here. */
  readonly isReread: boolean;
  readonly unit: string | null;
  /** Least and greatest value; of a list its length; of a secret its bytes. */
  readonly min: number;
  readonly max: number;
  /** Words an enum, or each element of a list, may be. */
  readonly values: readonly string[] | null;
  /** What a string, or each element of a list, must look like. */
  readonly format: FormatName | null;
}

export interface SecretLeaf extends Leaf<string | null> {
  readonly type: "secret_file";
}

export interface Block<K extends Keys, Nullable extends boolean> {
  readonly node: "block";
  readonly keys: K;
  readonly doc: string;
  /** A nullable block is off (null) by default; another is filled from its keys' defaults. */
  readonly nullable: Nullable;
  readonly built: boolean;
  readonly reload: Reload | null;
}

export interface Items<B extends Block<Keys, false>> {
  readonly node: "items";
  readonly item: B;
  /** Key that names an item in messages and in environment variables; null: by position only. */
  readonly idKey: string | null;
  readonly doc: string;
  readonly required: boolean;
  readonly built: boolean;
  readonly reload: Reload | null;
  readonly countMax: number;
}

export interface Named<B extends Block<Keys, false>> {
  readonly node: "named";
  readonly item: B;
  readonly doc: string;
  /** Names that exist even when the file does not mention them. */
  readonly always: readonly string[];
  readonly built: boolean;
  readonly reload: Reload | null;
  readonly countMax: number;
}

export type AnyLeaf = Leaf<unknown>;
export type AnyBlock = Block<Keys, boolean>;
export type Node = AnyLeaf | AnyBlock | Items<Block<Keys, false>> | Named<Block<Keys, false>>;
export interface Keys {
  readonly [key: string]: Node;
}

/** `rate_tps` → `rateTps`. */
export type Camel<S extends string> = S extends `${infer Head}_${infer Rest}`
  ? `${Head}${Capitalize<Camel<Rest>>}`
  : S;

type SecretKey<K extends Keys> = {
  [P in keyof K]: K[P] extends SecretLeaf ? P : never;
}[keyof K];
type WithoutFile<P> = P extends `${infer Stem}_file` ? Camel<Stem> : never;

/** The checked value of a block, a list, a map or a leaf, as parse.ts makes it. */
export type ValueOf<N> =
  N extends Block<infer K, infer Nullable>
    ? BlockValue<K> | (Nullable extends true ? null : never)
    : N extends Items<infer B>
      ? readonly ValueOf<B>[]
      : N extends Named<infer B>
        ? Readonly<Record<string, ValueOf<B>>>
        : N extends Leaf<infer T>
          ? T
          : never;
export type BlockValue<K extends Keys> = {
  readonly [P in keyof K & string as Camel<P>]: ValueOf<K[P]>;
} & { readonly [P in SecretKey<K> as WithoutFile<P>]: string | null };

interface Given<T> {
  readonly doc: string;
  readonly default?: T;
  readonly built?: boolean | readonly T[];
  readonly reload?: Reload;
}
interface GivenNumber {
  readonly unit?: string;
  readonly min: number;
  readonly max: number;
}
interface GivenText {
  readonly format?: FormatName;
}

function leaf<T>(type: LeafType, given: Given<T>, more: Partial<Leaf<T>>): Leaf<T> {
  return {
    node: "leaf",
    type,
    doc: given.doc,
    default: given.default === undefined ? REQUIRED : given.default,
    nullable: false,
    built: given.built ?? true,
    reload: given.reload ?? null,
    isReread: false,
    unit: null,
    min: 0,
    max: 0,
    values: null,
    format: null,
    ...more,
  };
}

/** A whole number; `min` and `max` are inclusive. */
export function int(given: Given<number> & GivenNumber): Leaf<number> {
  return leaf("int", given, { unit: given.unit ?? null, min: given.min, max: given.max });
}

/** A whole number or null, null by default. */
export function intOrNull(
  given: Omit<Given<number | null>, "default"> & GivenNumber,
): Leaf<number | null> {
  const more = { unit: given.unit ?? null, min: given.min, max: given.max, nullable: true };
  return leaf("int", { ...given, default: null }, more);
}

/** A whole number, or `auto`. */
export function intOrAuto(given: Given<number | "auto"> & GivenNumber): Leaf<number | "auto"> {
  return leaf("int_or_auto", given, { min: given.min, max: given.max });
}

export function bool(given: Given<boolean>): Leaf<boolean> {
  return leaf("bool", given, {});
}

/** Text of `min` (1) to `max` characters. */
export function string(
  given: Given<string> & GivenText & { min?: number; max: number },
): Leaf<string> {
  const more = { min: given.min ?? 1, max: given.max, format: given.format ?? null };
  return leaf("string", given, more);
}

/** Text of `min` (1) to `max` characters, or null (the default). */
export function stringOrNull(
  given: Omit<Given<string | null>, "default"> & GivenText & { min?: number; max: number },
): Leaf<string | null> {
  const more = {
    min: given.min ?? 1,
    max: given.max,
    format: given.format ?? null,
    nullable: true,
  };
  return leaf("string", { ...given, default: null }, more);
}

/** One of some words. */
export function oneOf<const V extends string>(
  values: readonly V[],
  given: Given<NoInfer<V>>,
): Leaf<V> {
  return leaf<V>("enum", given, { values });
}

/** A list of `min` (0) to `max` texts. */
export function strings(
  given: Given<readonly string[]> & GivenText & { min?: number; max: number },
): Leaf<readonly string[]> {
  const more = { min: given.min ?? 0, max: given.max, format: given.format ?? null };
  return leaf("strings", given, more);
}

/** A list of texts, or null. */
export function stringsOrNull(
  given: Given<readonly string[] | null> & GivenText & { max: number },
): Leaf<readonly string[] | null> {
  const more = { max: given.max, format: given.format ?? null, nullable: true };
  return leaf("strings", given, more);
}

/** A list of some words. */
export function someOf<const V extends string>(
  values: readonly V[],
  given: Given<readonly NoInfer<V>[]>,
): Leaf<readonly V[]> {
  return leaf<readonly V[]>("strings", given, { values, max: values.length });
}

/** A list of ids, or null (the default). */
export function idsOrNull(
  given: Omit<Given<readonly number[] | null>, "default"> & { max: number },
): Leaf<readonly number[] | null> {
  const more = { max: given.max, nullable: true };
  return leaf<readonly number[] | null>("ints", { ...given, default: null }, more);
}

/** A path that need not exist. */
export function path(given: Given<string>): Leaf<string> {
  return leaf("path", given, { min: 1, max: 4096 });
}

/** A file that must exist, or null (the default). */
export function fileOrNull(given: Omit<Given<string | null>, "default">): Leaf<string | null> {
  const more = { min: 1, max: 4096, nullable: true };
  return leaf<string | null>("file", { ...given, default: null }, more);
}

/** A file with a secret of `min` to `max` bytes, or null (the default). Its key ends in `_file`. */
export function secretFileOrNull(
  given: Omit<Given<string | null>, "default"> & { min: number; max: number; isReread?: boolean },
): SecretLeaf {
  const { min, max, isReread = false } = given;
  const more = { min, max, isReread, unit: "bytes", nullable: true };
  const made = leaf<string | null>("secret_file", { ...given, default: null }, more);
  return { ...made, type: "secret_file" };
}

interface GivenBlock {
  readonly doc: string;
  readonly built?: boolean;
  readonly reload?: Reload;
}

/** A mapping that is always there. */
export function block<const K extends Keys>(given: GivenBlock, keys: K): Block<K, false> {
  const { doc, built = true, reload = null } = given;
  return { node: "block", keys, doc, nullable: false, built, reload };
}

/** A mapping that is off (null) unless written. */
export function blockOrNull<const K extends Keys>(given: GivenBlock, keys: K): Block<K, true> {
  const { doc, built = true, reload = null } = given;
  return { node: "block", keys, doc, nullable: true, built, reload };
}

/** A list of mappings. */
export function items<B extends Block<Keys, false>>(
  given: GivenBlock & { idKey: string | null; required: boolean; countMax: number },
  item: B,
): Items<B> {
  const { doc, built = true, reload = null, idKey, required, countMax } = given;
  return { node: "items", item, idKey, doc, required, built, reload, countMax };
}

/** A mapping from names of the user's choice. */
export function named<B extends Block<Keys, false>>(
  given: GivenBlock & { always: readonly string[]; countMax: number },
  item: B,
): Named<B> {
  const { doc, built = true, reload = null, always, countMax } = given;
  return { node: "named", item, doc, always, built, reload, countMax };
}

/** Name of the value that comes out of a secret file: `password_file` → `password`. */
export function secretName(key: string): string {
  return key.endsWith("_file") ? key.slice(0, -"_file".length) : key;
}

/** `rate_tps` → `rateTps`. */
export function camel(key: string): string {
  return key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
