/**
 * One value against one row of the table: type, bounds, words, format. Pure.
 */
import { FORMATS } from "./formats.ts";
import { showValue } from "./problems.ts";
import { ID_MAX } from "./table-front.ts";
import type { AnyLeaf } from "./spec.ts";

/** What the row allows, as a phrase that completes "allowed: …". */
export function leafAllowed(leaf: AnyLeaf): string {
  const unit = leaf.unit === null ? "" : ` ${leaf.unit}`;
  const orNull = leaf.nullable ? ", or null" : "";
  switch (leaf.type) {
    case "int":
      return `a whole number from ${leaf.min} to ${leaf.max}${unit}${orNull}`;
    case "int_or_auto":
      return `a whole number from ${leaf.min} to ${leaf.max}, or auto`;
    case "bool":
      return "true or false";
    case "enum":
      return (leaf.values ?? []).join(" | ");
    case "ints":
      return `a list of ${leaf.min} to ${leaf.max} ids${orNull}`;
    case "strings":
      return `a list of ${leaf.min} to ${leaf.max}: ${elementAllowed(leaf)}${orNull}`;
    case "string": {
      const size = leaf.min === 0 ? `at most ${leaf.max}` : `${leaf.min} to ${leaf.max}`;
      const says = leaf.format === null ? "" : `: ${FORMATS[leaf.format].says}`;
      return `text of ${size} characters${says}${orNull}`;
    }
    case "path":
      return "a path";
    case "file":
      return `the path of a file${orNull}`;
    case "secret_file":
      return `the path of a file with a secret of ${leaf.min} to ${leaf.max} bytes${orNull}`;
  }
}

function elementAllowed(leaf: AnyLeaf): string {
  if (leaf.values !== null) return leaf.values.join(" | ");
  if (leaf.format === null) return "texts";
  return leaf.format === "word" ? `names ${FORMATS.word.says}` : FORMATS[leaf.format].says;
}

/** What is wrong with the value, as a phrase that completes "found …"; null if it is right. */
export function checkLeaf(leaf: AnyLeaf, value: unknown): string | null {
  if (value === null) return leaf.nullable ? null : "null";
  switch (leaf.type) {
    case "int":
      return checkInt(leaf, value);
    case "int_or_auto":
      return value === "auto" ? null : checkInt(leaf, value);
    case "bool":
      return typeof value === "boolean" ? null : showValue(value);
    case "enum":
      return typeof value === "string" && leaf.values?.includes(value) === true
        ? null
        : showValue(value);
    case "ints":
    case "strings":
      return checkList(leaf, value);
    case "string":
      return checkText(leaf, value);
    case "path":
    case "file":
    case "secret_file":
      return checkPath(value);
  }
}

function checkInt(leaf: AnyLeaf, value: unknown): string | null {
  if (typeof value === "string" && /^\d/u.test(value)) {
    return `${showValue(value)}, which is text${leaf.unit === null ? "" : " (the unit is fixed)"}`;
  }
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return showValue(value);
  return value >= leaf.min && value <= leaf.max ? null : showValue(value);
}

function checkText(leaf: AnyLeaf, value: unknown): string | null {
  if (typeof value === "number" || typeof value === "boolean") {
    return `${showValue(value)}, which is not text (quote it)`;
  }
  if (typeof value !== "string") return showValue(value);
  const length = value.length;
  if (length < leaf.min || length > leaf.max) return `${showValue(value)} of ${length} characters`;
  return leaf.format === null || FORMATS[leaf.format].test(value) ? null : showValue(value);
}

function checkPath(value: unknown): string | null {
  if (typeof value !== "string" || value === "" || value.length > 4096) return showValue(value);
  return value.includes("\0") ? "a path with a NUL" : null;
}

function checkList(leaf: AnyLeaf, value: unknown): string | null {
  if (!Array.isArray(value)) return showValue(value);
  const list: readonly unknown[] = value;
  if (list.length < leaf.min || list.length > leaf.max) return `${list.length} elements`;
  const seen = new Set<unknown>();
  for (const element of list) {
    if (!isElement(leaf, element)) return `the element ${showValue(element)}`;
    if (seen.has(element)) return `the element ${showValue(element)} twice`;
    seen.add(element);
  }
  return null;
}

function isElement(leaf: AnyLeaf, element: unknown): boolean {
  if (leaf.type === "ints") {
    return Number.isSafeInteger(element) && Number(element) >= 1 && Number(element) <= ID_MAX;
  }
  if (typeof element !== "string" || element === "" || element.length > 2048) return false;
  if (leaf.values !== null) return leaf.values.includes(element);
  return leaf.format === null || FORMATS[leaf.format].test(element);
}
