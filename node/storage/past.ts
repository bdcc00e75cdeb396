/**
 * What a state directory says of its own past, beside identity and store. `store.made` is left there once the store is, before its
 * first record: from then on a missing key, or a store that is missing or empty, is a loss and not a first start. Nothing but the
 * operator's own hand makes a loss good where no member can: a file `accept-loss`, which is taken away once what is lost is named in a
 * file that stays.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ACCEPT_LOSS_FILE } from '../ports.ts';
import { flushDirectory } from './lmdb-environment.ts';
import { FILE_NAME } from './lmdb-salvage.ts';

/** In the state directory. */
export const STORE_DIR = 'store';
const MARK_FILE = 'store.made';
const MARK_TEXT =
  'A store was made in this directory. As long as this file is here, identity.key and store/data.mdb must be here too:\n' +
  'where one of them is missing or empty, it was lost, and the node says so instead of starting with nothing.\n' +
  `To start without what is lost, stop the node and make an empty file named ${ACCEPT_LOSS_FILE} beside this one.\n`;

export interface Past {
  /** a store was made here once; programs before this one left no mark */
  readonly hadStore: boolean;
  /** a key was here, for it is made before the store is */
  readonly hadIdentity: boolean;
  /** the operator goes on without what is lost */
  readonly acceptsLoss: boolean;
}

export function readPast(stateDir: string): Past {
  const isThere = (...path: readonly string[]): boolean => existsSync(join(stateDir, ...path));
  const hadStore = isThere(MARK_FILE);
  const hadIdentity = hadStore || isThere(STORE_DIR, FILE_NAME);
  return { hadStore, hadIdentity, acceptsLoss: isThere(ACCEPT_LOSS_FILE) };
}

/** Durable when it returns; does nothing where the mark is there. @throws the system's error */
export function markStore(stateDir: string): void {
  const file = join(stateDir, MARK_FILE);
  if (!existsSync(file)) writeWhole(stateDir, MARK_FILE, MARK_TEXT);
}

/** The operator's word was taken: what was lost is on record, and the word counts once. @returns the file that names it */
export function recordAcceptedLoss(stateDir: string, lost: readonly string[], at: Date): string {
  const name = `loss-accepted-${at.toISOString().replaceAll(':', '-')}.json`;
  writeWhole(stateDir, name, `${JSON.stringify({ at: at.toISOString(), lost }, null, 2)}\n`);
  return join(stateDir, name);
}

export function takeAwayAcceptance(stateDir: string): void {
  rmSync(join(stateDir, ACCEPT_LOSS_FILE), { force: true });
}

/** A crash leaves either no file or a whole one. */
function writeWhole(dir: string, name: string, text: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const draft = join(dir, `${name}.draft`);
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length;) from += writeSync(descriptor, bytes, from);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, join(dir, name));
  flushDirectory(dir);
}
