/**
 * Reads parsed JSON of a stranger without trust and without a schema library: every field is named, every list and
 * text bounded, nothing unknown passes. Whatever is wrong is a `CodecError` that says where.
 */
import { CodecError } from '../codec.ts';

const HEX_32 = /^[0-9a-f]{64}$/;

/** An object with exactly these fields. */
export function fieldsOf<Name extends string>(
  value: unknown,
  what: string,
  names: readonly Name[],
): Readonly<Record<Name, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CodecError(`${what} is no object`);
  const have = Object.keys(value);
  const missing = names.find((name) => !have.includes(name));
  if (missing !== undefined) throw new CodecError(`${what} has no ${missing}`);
  const unknown = have.find((name) => !names.some((known) => known === name));
  if (unknown !== undefined) throw new CodecError(`${what} has an unknown field ${quoted(unknown)}`);
  return value as Record<Name, unknown>;
}

export function listOf(value: unknown, what: string, min: number, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new CodecError(`${what} is no list`);
  if (value.length < min || value.length > max) {
    throw new CodecError(`${what} has ${value.length} items, not ${min === max ? max : `${min} to ${max}`}`);
  }
  return value;
}

/** @param max UTF-16 units */
export function textOf(value: unknown, what: string, max: number): string {
  if (typeof value !== 'string') throw new CodecError(`${what} is no text`);
  if (value.length > max) throw new CodecError(`${what} is longer than ${max} characters`);
  return value;
}

/** 64 lower-case hex digits. */
export function hex32Of(value: unknown, what: string): string {
  if (typeof value !== 'string' || !HEX_32.test(value))
    throw new CodecError(`${what} is not 64 lower-case hex digits`);
  return value;
}

/** Base64 with padding in its one canonical form, so that bytes have one text. */
export function base64Of(value: unknown, what: string, bytesMax: number): Uint8Array {
  const text = textOf(value, what, Math.ceil(bytesMax / 3) * 4);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new CodecError(`${what} is not canonical base64`);
  if (bytes.length > bytesMax) throw new CodecError(`${what} is longer than ${bytesMax} bytes`);
  return bytes;
}

/** A text of a stranger, bounded and escaped for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
