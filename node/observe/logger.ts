/**
 * The node's log: winston, one line per message, to standard output and, where wanted, to a file.
 *
 *   pretty   2026-11-23T00:49:04.123Z info  nodeA [STARTUP] P2P started successfully  port=9000
 *   json     {"at":"2026-…","level":"info","node":"nodeA","tag":"STARTUP","message":"P2P started…","port":9000}
 *
 * A line stays a line whatever a peer sends (control characters are escaped), and what is secret by its name is not
 * written. The field `event` is for machines: pretty leaves it out, because its message already says it.
 */
import { Writable } from 'node:stream';
import winston from 'winston';
import type { Clock, LogFields, Logger } from '../ports.ts';
import { DROP_REASONS, LineSink, noneDropped } from './line-sink.ts';
import type { Dropped, DropReason } from './line-sink.ts';
import { logFile, standardOutput } from './line-targets.ts';
import type { LineTarget } from './line-targets.ts';

/** What may change while the node runs. */
export interface LogSettings {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'pretty' | 'json';
  /** appended to; its directory is made; null: no file */
  readonly file: string | null;
}

export interface LoggerOptions extends LogSettings {
  /** name of this node, on every line */
  readonly node: string;
  /** default: standard output */
  readonly out?: LineTarget;
}

export interface NodeLogger extends Logger {
  /** Takes over the settings, and opens the file anew even where they are the same: it may have been moved away. */
  reload(settings: LogSettings): void;
  /** Lines that no reader will see, since the start. */
  dropped(): readonly DroppedLines[];
  /** Hands over in place what can be; for a process that ends now. */
  flush(): void;
  /** Resolves when every line is with the system, or after half a second. */
  close(): Promise<void>;
}

export interface DroppedLines {
  readonly sink: LineTarget['name'];
  readonly reason: DropReason;
  readonly lines: number;
}

const SINKS: readonly LineTarget['name'][] = ['stdout', 'file'];

type Level = LogSettings['level'];
type Fields = Readonly<Record<string, unknown>>;

/** A reader that is merely slow gets this long to read the last lines; the whole stop has five seconds. */
const CLOSE_MS = 500;

export function createLogger(options: LoggerOptions): NodeLogger {
  let settings: LogSettings = options;
  const dropped = { stdout: noneDropped(), file: noneDropped() };
  const textOf = (level: string, message: string, fields: Fields): string => {
    const toText = settings.format === 'json' ? jsonLine : prettyLine;
    return toText(new Date(), level, options.node, message, fields);
  };
  const open = (target: LineTarget): LineSink => newSink(target, dropped[target.name], textOf, others);
  const others = (target: LineTarget): readonly LineSink[] =>
    sinks.filter(({ name }) => name !== target.name);
  let sinks: LineSink[] = [];
  sinks = [options.out ?? standardOutput(), ...fileOf(settings)].map(open);

  const logger = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.printf((info) =>
      textOf(info.level, String(info.message), (info['fields'] ?? {}) as Fields),
    ),
    transports: [new winston.transports.Stream({ stream: toEach(() => sinks), eol: '\n' })],
  });
  const write =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      // Signals and connections may have something to say to the very end; winston would take it for an error.
      if (!isClosed) logger.log({ level, message, fields });
    };
  let isClosed = false;
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    reload: (next) => {
      const isMoved = next.file !== settings.file;
      settings = next;
      logger.level = next.level;
      if (!isMoved) {
        for (const sink of sinks) sink.reopen();
        return;
      }
      for (const old of sinks.filter(({ name }) => name === 'file')) void old.close(CLOSE_MS);
      sinks = [...sinks.filter(({ name }) => name !== 'file'), ...fileOf(next).map(open)];
    },
    dropped: () =>
      SINKS.flatMap((sink) => DROP_REASONS.map((reason) => ({ sink, reason, lines: dropped[sink][reason] }))),
    flush: () => {
      for (const sink of sinks) sink.flush();
    },
    close: async () => {
      isClosed = true;
      const finished = new Promise((resolve) => logger.once('finish', resolve));
      logger.end();
      await finished;
      // The sinks' own timers do not keep the process.
      const awake = setTimeout(() => undefined, 2 * CLOSE_MS);
      await Promise.all(sinks.map((sink) => sink.close(CLOSE_MS)));
      clearTimeout(awake);
    },
  };
}

/** Its timers keep no process alive. */
const idleClock: Pick<Clock, 'monotonicMs' | 'after'> = {
  monotonicMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** winston's own transports keep every line that a slow reader has not taken, without end, and give up a file that failed once. */
function toEach(sinks: () => readonly LineSink[]): Writable {
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      for (const sink of sinks()) sink.add(line);
      done();
    },
  });
}

function fileOf({ file }: LogSettings): readonly LineTarget[] {
  return file === null ? [] : [logFile(file)];
}

function newSink(
  target: LineTarget,
  dropped: Dropped,
  textOf: (level: string, message: string, fields: Fields) => string,
  others: (target: LineTarget) => readonly LineSink[],
): LineSink {
  const about = { tag: 'LOG', sink: target.name };
  return new LineSink({
    target,
    clock: idleClock,
    dropped,
    missing: (lines) => `${textOf('warn', `${lines} log lines were dropped`, { ...about, lines })}\n`,
    trouble: (reason, code) => {
      const line = `${textOf('warn', 'log lines cannot be written', { ...about, reason, code })}\n`;
      for (const sink of others(target)) sink.add(line);
    },
  });
}

function prettyLine(at: Date, level: string, node: string, message: string, fields: Fields): string {
  const { tag, event: _, ...facts } = fields;
  const label = typeof tag === 'string' ? `[${tag}] ` : '';
  const words = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${wordOf(plain(name, value, 0))}`);
  const tail = words.length === 0 ? '' : `  ${words.join(' ')}`;
  return `${at.toISOString()} ${level.padEnd(5)} ${node} ${label}${oneLine(message)}${tail}`;
}

function jsonLine(at: Date, level: string, node: string, message: string, fields: Fields): string {
  const { tag, ...facts } = fields;
  const line: Record<string, unknown> = { at: at.toISOString(), level, node };
  if (tag !== undefined) line['tag'] = tag;
  line['message'] = message;
  for (const [name, value] of Object.entries(facts)) {
    line[Object.hasOwn(line, name) ? `${name}_` : name] = plain(name, value, 0);
  }
  return JSON.stringify(line);
}

/** Names whose values are never written: clusterKey, apiToken, seed, … but not publicKey, nor record_key, which names a record. */
const SECRET = /keys?$|token|secret|seed|password|passphrase|authorization/i;
const DEPTH_MAX = 5;
const ITEMS_MAX = 50;

/** A bounded copy that JSON can write, without secrets. */
function plain(name: string, value: unknown, depth: number): unknown {
  if (isSecretName(name)) return '[redacted]';
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function')
    return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '…';
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof Error) {
    const code = 'code' in value ? { code: plain('code', value.code, depth + 1) } : {};
    const cause = value.cause === undefined ? {} : { cause: plain('cause', value.cause, depth + 1) };
    return { name: value.name, message: value.message, ...code, stack: value.stack, ...cause };
  }
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => plain('', item, depth + 1));
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(entries.map(([inner, item]) => [inner, plain(inner, item, depth + 1)]));
}

function isSecretName(name: string): boolean {
  return SECRET.test(name) && !/(public|record)[-_]?keys?$/i.test(name);
}

function wordOf(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@→+-]+$/.test(value)) return value;
  return oneLine(JSON.stringify(value) ?? String(value));
}

/** Control characters (line breaks, terminal escapes, direction overrides) become visible escapes. */
function oneLine(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
