/**
 * JSON that means the same after reading as before, or is refused. JSON.parse rounds what a double cannot hold
 * (12345678901234567890 becomes …8000), takes broken UTF-8 for U+FFFD and the last of two members of one name;
 * JSON.stringify loses the sign of -0. A store must do none of that silently.
 *
 * JSON.parse stays the one that says what JSON is. One pass over the text finds what it may have changed, and counts
 * members: where the value has fewer, two had one name. Only then is the body read again, carefully.
 */
import { readCarefully } from './json-careful.ts';
import { survey } from './json-scan.ts';
import { HttpProblem } from './problems.ts';

/** Nesting of a whole body. JSON.stringify recurses; this keeps every reader of a value far from its stack's end. */
const JSON_DEPTH_MAX = 128;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface ExactJson {
  readonly value: unknown;
  /** Compact JSON text of the value, or of a part of it. */
  readonly textOf: (part: unknown) => string;
}

/** @throws HttpProblem for what is no JSON, and for what cannot be kept as it came */
export function parseJsonExactly(bytes: Uint8Array): ExactJson {
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    throw new HttpProblem('malformed-json', 'The body is not UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HttpProblem(
      'malformed-json',
      `The body is not JSON: ${error instanceof Error ? error.message : ''}`,
    );
  }
  const { depth, members, needsCare } = survey(text);
  if (depth > JSON_DEPTH_MAX)
    throw new HttpProblem('bad-request', `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`);
  if (!needsCare && members === membersOf(value)) return { value, textOf: JSON.stringify };
  return { value: readCarefully(text), textOf: signedText };
}

/** Of all objects in it. */
function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const isList = Array.isArray(value);
  const parts: readonly unknown[] = isList ? value : Object.values(value);
  let members = isList ? 0 : parts.length;
  for (const part of parts) members += membersOf(part);
  return members;
}

/** As JSON.stringify does it, with the sign of -0. */
function signedText(value: unknown): string {
  if (Object.is(value, -0)) return '-0';
  if (Array.isArray(value)) return `[${value.map(signedText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}:${signedText(part)}`);
  return `{${members.join(',')}}`;
}
