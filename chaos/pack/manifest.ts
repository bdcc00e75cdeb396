/**
 * manifest.json of an evidence pack: what is in it, by SHA-256, and what it is evidence of. It is signed on its own too
 * (manifest.sig, signer.pem), so that somebody with tar, sha256sum and openssl needs nothing of ours.
 */
import { z } from 'zod';
import { Verdict } from '../reports/results.ts';

export const MANIFEST = { text: 'manifest.json', signature: 'manifest.sig', signer: 'signer.pem' } as const;

const FORMAT = 'aethel-evidence-pack';
export const FILES_MAX = 2_000;
const FILE_BYTES_MAX = 2 ** 30;
export const PACK_BYTES_MAX = 2 ** 32;
export const MANIFEST_BYTES_MAX = 2 ** 20;

/** A file of a run, or of one run of a gate: no other directories, nothing that any file system could take for something else. */
const PATH = /^(?:[A-Za-z0-9][A-Za-z0-9_-]{0,99}\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function isPackable(name: string): boolean {
  return PATH.test(name) && !name.includes('..') && !Object.values<string>(MANIFEST).includes(name);
}

const PackedFile = z.strictObject({
  path: z.string().refine(isPackable, 'is no path that a pack may have'),
  bytes: z.int().min(0).max(FILE_BYTES_MAX),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type PackedFile = z.infer<typeof PackedFile>;

export const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  /** of the run, or of the gate */
  run: z.string().max(120),
  verdict: Verdict,
  /** ISO 8601 */
  packedAt: z.string().max(40),
  commit: z.string().max(64).nullable(),
  dirty: z.boolean(),
  /** of the key that has signed */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  files: z
    .array(PackedFile)
    .min(1)
    .max(FILES_MAX)
    .readonly()
    .refine(
      (files) => new Set(files.map((file) => file.path.toLowerCase())).size === files.length,
      'names a file twice',
    )
    .refine((files) => files.reduce((all, file) => all + file.bytes, 0) <= PACK_BYTES_MAX, 'is too large'),
});
export type Manifest = z.infer<typeof Manifest>;

export function renderManifest(manifest: Omit<Manifest, 'format' | 'version'>): Buffer {
  const whole: Manifest = { format: FORMAT, version: 1, ...manifest };
  return Buffer.from(`${JSON.stringify(whole, null, 2)}\n`);
}
