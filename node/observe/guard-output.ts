/**
 * Whatever a library prints, and Node's own warnings, take the way of the log: a write to a terminal that is stopped, or to a pipe
 * that nobody reads, would keep the node from working or kill it.
 */
import { format } from 'node:util';
import type { Logger } from '../ports.ts';

export function guardOutput(logger: Logger): void {
  const warn = (...words: readonly unknown[]): void => logger.warn(format(...words), { tag: 'CONSOLE' });
  const inform = (...words: readonly unknown[]): void => logger.info(format(...words), { tag: 'CONSOLE' });
  Object.assign(console, { log: inform, info: inform, debug: inform, warn, error: warn, trace: warn });
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn(message, { tag: 'CONSOLE', warning: name }));
}
