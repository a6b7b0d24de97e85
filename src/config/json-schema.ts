/**
 * JSON Schema (2020-12) of the configuration file, generated from the table, for editors. Pure.
 *
 * It describes the whole contract, also what is not built yet; relations between keys and some
 * formats are beyond it, so a file that it accepts may still be refused by `smsgw check-config`.
 */
import { FORMATS } from "./formats.ts";
import type { Format } from "./formats.ts";
import { REQUIRED } from "./spec.ts";
import type { AnyBlock, AnyLeaf, Node } from "./spec.ts";
import { TABLE } from "./table.ts";
import { ID_MAX } from "./table-front.ts";

type Schema = Record<string, unknown>;

function elementSchema(leaf: AnyLeaf): Schema {
  if (leaf.type === "ints") return { type: "integer", minimum: 1, maximum: ID_MAX };
  if (leaf.values !== null) return { enum: leaf.values };
  return { type: "string", minLength: 1, ...patternOf(leaf) };
}

function patternOf(leaf: AnyLeaf): Schema {
  if (leaf.format === null) return {};
  const format: Format = FORMATS[leaf.format];
  return format.pattern === null ? {} : { pattern: format.pattern };
}

function valueSchema(leaf: AnyLeaf): Schema {
  switch (leaf.type) {
    case "int":
      return { type: "integer", minimum: leaf.min, maximum: leaf.max };
    case "int_or_auto":
      return {
        anyOf: [{ type: "integer", minimum: leaf.min, maximum: leaf.max }, { const: "auto" }],
      };
    case "bool":
      return { type: "boolean" };
    case "enum":
      return { enum: leaf.values };
    case "ints":
    case "strings": {
      const bounds = { minItems: leaf.min, maxItems: leaf.max, uniqueItems: true };
      return { type: "array", ...bounds, items: elementSchema(leaf) };
    }
    case "string":
      return { type: "string", minLength: leaf.min, maxLength: leaf.max, ...patternOf(leaf) };
    case "path":
    case "file":
    case "secret_file":
      return { type: "string", minLength: 1, maxLength: 4096 };
  }
}

function blockSchema(node: AnyBlock): Schema {
  const entries = Object.entries(node.keys);
  const required = entries.filter(([, child]) => isRequired(child)).map(([key]) => key);
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(entries.map(([key, child]) => [key, nodeSchema(child)])),
  };
}

function isRequired(node: Node): boolean {
  return node.node === "leaf" ? node.default === REQUIRED : node.node === "items" && node.required;
}

function nodeSchema(node: Node): Schema {
  const description = node.doc;
  switch (node.node) {
    case "leaf": {
      const schema = valueSchema(node);
      const full = node.nullable ? { anyOf: [schema, { type: "null" }] } : schema;
      const fallback = node.default === REQUIRED ? {} : { default: node.default };
      return { description, ...full, ...fallback };
    }
    case "block": {
      // A block that is left empty (`http:`) reads as null and means its defaults.
      return { description, anyOf: [blockSchema(node), { type: "null" }] };
    }
    case "items":
      return { description, type: "array", maxItems: node.countMax, items: blockSchema(node.item) };
    case "named":
      return {
        description,
        type: "object",
        maxProperties: node.countMax,
        propertyNames: { pattern: FORMATS.word.pattern },
        additionalProperties: nodeSchema(node.item),
      };
  }
}

/** docs/config.schema.json */
export function configJsonSchema(): string {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "smsgw configuration",
    ...blockSchema(TABLE),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
