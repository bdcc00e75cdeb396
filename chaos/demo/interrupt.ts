/**
 * How a program that owns processes is asked to end: by a signal, or by the reader of its output going away (`| head`).
 * The first one aborts; later ones find it already ending, within its own bounds.
 */
import { constants } from 'node:os';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** by the shell's convention: 130 after Ctrl-C */
  readonly exitCode: () => number;
}

export function listenForInterrupts(): Interrupt {
  const controller = new AbortController();
  let number: number = constants.signals.SIGINT;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) return;
      number = constants.signals[name];
      controller.abort();
    });
  }
  process.stdout.on('error', () => controller.abort());
  return { signal: controller.signal, exitCode: () => 128 + number };
}
