/** Whether the log can be written where `AETHEL_LOG_FILE` wants it: a mistake there is told at the start, in one line. */
import { accessSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { clip, codeOf } from './values.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Makes the directory and the file. @returns what is wrong, or null */
export function prepareLogFile(path: string): string | null {
  const foreseen = foreseeLogFile(path);
  if (foreseen !== null) return foreseen;
  return tell(path, () => {
    if (isDevice(path)) return;
    mkdirSync(dirname(path), { recursive: true });
    try {
      closeSync(openSync(path, 'a'));
    } catch (error) {
      // a disk may have room again; the log goes on without the file until then
      if (!FULL.has(codeOf(error))) throw error;
    }
  });
}

/** As far as that can be said without making anything. */
export function foreseeLogFile(path: string): string | null {
  return tell(path, () => {
    if (isDevice(path)) return;
    let nearest = resolve(path);
    while (statSync(nearest, { throwIfNoEntry: false }) === undefined) nearest = dirname(nearest);
    const isThere = nearest === resolve(path);
    if (statSync(nearest).isDirectory() === isThere) throw codeError(isThere ? 'EISDIR' : 'ENOTDIR');
    accessSync(nearest, constants.W_OK);
  });
}

/** To open a pipe that nobody reads would wait for a reader. */
function isDevice(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && !stat.isFile() && !stat.isDirectory();
}

function tell(path: string, look: () => void): string | null {
  try {
    look();
    return null;
  } catch (error) {
    return `${clip(path)} cannot be written (${codeOf(error)})`;
  }
}

function codeError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
