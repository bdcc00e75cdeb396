/**
 * What the node does on each signal. Loaded before anything else: until a listener is there, SIGUSR1 opens Node's debugger, and most of
 * the others end the process without a drain.
 *
 *   SIGTERM, SIGINT, SIGQUIT   stop; a second one ends the process at once
 *   SIGHUP                     reload; on Windows, where it means that the console was closed, stop
 *   SIGUSR1, SIGUSR2           nothing but a line in the log
 *   SIGXFSZ                    nothing: a write beyond `ulimit -f` fails with EFBIG, as on a full disk
 *
 * Node ignores SIGPIPE by itself. Signals that nobody sends by hand (SIGALRM, SIGSEGV, …) keep their meaning.
 */
import { endProcess } from './end-process.ts';

interface SignalHandlers {
  readonly stop: (signal: NodeJS.Signals) => void;
  readonly reload: () => void;
  readonly ignored: (signal: NodeJS.Signals) => void;
}

/** Until there is a node a stop just ends the process, and there is nothing to reload that is not being read just now. */
let handlers: SignalHandlers = {
  stop: () => endProcess(0),
  reload: () => undefined,
  ignored: () => undefined,
};

/** From now on these handle the signals. */
export function handleSignals(next: SignalHandlers): void {
  handlers = next;
}

const isWindows = process.platform === 'win32';

listen(['SIGTERM', 'SIGINT', 'SIGQUIT'], (signal) => handlers.stop(signal));
listen(['SIGHUP'], (signal) => (isWindows ? handlers.stop(signal) : handlers.reload()));
listen(['SIGUSR1', 'SIGUSR2'], (signal) => handlers.ignored(signal));
listen(['SIGXFSZ'], () => undefined);

function listen(signals: readonly NodeJS.Signals[], run: (signal: NodeJS.Signals) => void): void {
  for (const signal of signals) {
    try {
      process.on(signal, run);
    } catch (error) {
      // Windows knows few of them.
      if (!isWindows) throw error;
    }
  }
}
