import { type DescField, type DescMessage, isMessage, ScalarType } from "@bufbuild/protobuf";

import { type FieldViolation, InvalidRequestError } from "./errors.js";

/**
 * Throws InvalidRequestError naming every key the message does not have, with the nearest one it has, and every scalar of
 * another type: what plain JavaScript would otherwise send without it, and a policy must never lose a field silently.
 */
export function refuseUnsendable(schema: DescMessage, value: object): void {
  const violations = isMessage(value) ? [] : ofMessage(schema, value, "");
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

function ofMessage(schema: DescMessage, value: unknown, place: string): FieldViolation[] {
  // Structs and timestamps have a form of their own.
  if (schema.typeName.startsWith("google.protobuf.")) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ field: place, description: "must be an object" }];
  }
  const fields = new Map(schema.fields.map((field) => [field.localName, field]));
  return Object.entries(value).flatMap(([key, item]) => {
    const at = place ? `${place}.${key}` : key;
    const field = fields.get(key);
    if (field !== undefined) return item === undefined ? [] : ofField(field, item, at);
    return key.startsWith("$") ? [] : [{ field: at, description: unknownKey(key, [...fields.keys()]) }];
  });
}

function ofField(field: DescField, value: unknown, place: string): FieldViolation[] {
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return [{ field: place, description: "must be a list" }];
    const { message, scalar } = field;
    return value.flatMap((item, index) => (message ? ofMessage(message, item, `${place}[${index}]`) : ofScalar(scalar, item, place)));
  }
  if (field.fieldKind === "message") return ofMessage(field.message, value, place);
  return field.fieldKind === "scalar" ? ofScalar(field.scalar, value, place) : [];
}

function ofScalar(type: ScalarType | undefined, value: unknown, place: string): FieldViolation[] {
  const wrong = (description: string, right: boolean) => (right ? [] : [{ field: place, description }]);
  switch (type) {
    case ScalarType.STRING:
      return wrong("must be a string", typeof value === "string");
    case ScalarType.BOOL:
      return wrong("must be true or false", typeof value === "boolean");
    case ScalarType.INT32:
      return wrong("must be a whole number below 2147483648", typeof value === "number" && value === (value | 0));
    case ScalarType.DOUBLE:
      return wrong("must be a number", typeof value === "number");
    default:
      return [];
  }
}

function unknownKey(key: string, known: string[]): string {
  const [nearest] = known.map((name) => ({ name, far: distance(key, name) })).sort((a, b) => a.far - b.far);
  if (nearest !== undefined && nearest.far <= key.length / 2) return `unknown key; did you mean '${nearest.name}'?`;
  return `unknown key; known are ${known.join(", ")}`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced);
    }
  }
  return row[b.length] ?? 0;
}
