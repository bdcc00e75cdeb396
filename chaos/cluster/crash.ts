/** A process that is asked to stop may end well, late, or by a fault of its own: the last is a crash, whoever asked. */
import os from 'node:os';

const FAULTS = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS'] as const;
/** How a container's exit code tells of a signal. */
const SIGNAL_CODES = 128;

/** @param exitCode null where a signal is told instead */
export function isCrash(exitCode: number | null, signal: NodeJS.Signals | null): boolean {
  return FAULTS.some(
    (fault) => fault === signal || exitCode === SIGNAL_CODES + (os.constants.signals[fault] ?? Number.NaN),
  );
}
