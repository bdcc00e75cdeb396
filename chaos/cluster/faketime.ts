/** Where Debian's package libfaketime puts its library for programs with threads. */
import { existsSync } from 'node:fs';

const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** @returns null where it is not installed */
export function libraryOf(): string | null {
  const library = `/usr/lib/${MULTIARCH[process.arch] ?? process.arch}/faketime/libfaketimeMT.so.1`;
  return existsSync(library) ? library : null;
}

/** @returns null where processes of this machine can have clocks of their own, else why not */
export function clocksHere(): string | null {
  return libraryOf() === null ? 'libfaketime is not installed on this machine' : null;
}
