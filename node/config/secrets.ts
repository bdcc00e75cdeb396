/**
 * Secrets, as bytes: from a variable, or from the file that its `_FILE` names. What is wrong with one is told without
 * repeating it.
 *
 * A file of UTF-8 is text: blanks and line ends around it do not count, so that `echo` and `printf` write the same key.
 * Any other file is binary, and every byte of it counts, the last one too.
 */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { isUtf16 } from './env-file.ts';
import { clip, codeOf, type Complain, type Env } from './values.ts';

export const SECRETS = ['AETHEL_CLUSTER_KEY', 'AETHEL_CLUSTER_KEY_ACCEPTED', 'AETHEL_API_TOKEN'] as const;
export type SecretName = (typeof SECRETS)[number];

export interface Secret {
  readonly bytes: Uint8Array;
  /** the variable that it came by */
  readonly source: string;
}

const SECRET_BYTES_MIN = 16;
const SECRET_BYTES_MAX = 1024;
const MAKE_ONE = '`openssl rand -hex 32` makes a good one';

export function isSecret(name: string): boolean {
  return SECRETS.some((secret) => secret === name);
}

/**
 * @param given empty variables included: a secret that is set to nothing is a mistake, not an absent secret
 * @returns null where there is none, or none that will do
 */
export function readSecret(
  name: SecretName,
  given: Env,
  readFile: (path: string) => Uint8Array,
  complain: Complain,
): Secret | null {
  const fileName = `${name}_FILE`;
  const path = given[fileName];
  const direct = given[name];
  for (const [source, value] of [
    [name, direct],
    [fileName, path],
  ] as const) {
    if (value === undefined || value.trim() !== '') continue;
    complain(source, 'is set, and blank: unset it, or give it a value');
    return null;
  }
  if (path !== undefined && direct !== undefined) {
    complain(name, `is set, and so is ${fileName}; choose one`);
    return null;
  }
  if (direct !== undefined) return judge(name, ofText(direct), complain);
  return path === undefined ? null : fromFile(fileName, path, readFile, complain);
}

function fromFile(
  source: string,
  path: string,
  readFile: (path: string) => Uint8Array,
  complain: Complain,
): Secret | null {
  let bytes: Uint8Array;
  try {
    bytes = readFile(path);
  } catch (error) {
    complain(source, `${clip(path)} cannot be read (${codeOf(error)})`);
    return null;
  }
  if (isUtf16(bytes)) {
    complain(source, `${clip(path)} is UTF-16; save it as UTF-8`);
    return null;
  }
  return judge(source, isUtf8(bytes) ? ofText(new TextDecoder().decode(bytes)) : bytes, complain);
}

function judge(source: string, bytes: Uint8Array, complain: Complain): Secret | null {
  if (!source.endsWith('_FILE') && Buffer.from(bytes).includes(REPLACEMENT)) {
    complain(source, 'has bytes that are not UTF-8, which a variable cannot carry; put it into a file');
    return null;
  }
  if (bytes.length >= SECRET_BYTES_MIN && bytes.length <= SECRET_BYTES_MAX) return { bytes, source };
  complain(source, `must be ${SECRET_BYTES_MIN}–${SECRET_BYTES_MAX} bytes (is ${bytes.length}); ${MAKE_ONE}`);
  return null;
}

/** What Node puts in the place of bytes that are not UTF-8: two unlike secrets would be one. */
const REPLACEMENT = '\ufffd';

function ofText(text: string): Uint8Array {
  return new TextEncoder().encode(text.trim());
}

/** Both lungs want 32 bytes, whatever the operator's key looks like: what 64 hex digits say, or the hash of anything else. */
export function clusterKeyOf({ bytes }: Pick<Secret, 'bytes'>): Uint8Array {
  const digits = bytes.length === 64 ? Buffer.from(bytes).toString('latin1') : '';
  if (/^[0-9a-fA-F]{64}$/.test(digits)) return Buffer.from(digits, 'hex');
  return hash('sha256', Buffer.concat([Buffer.from('aethel/cluster-key/v1\n'), bytes]), 'buffer');
}
