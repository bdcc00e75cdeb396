/**
 * The node's log: winston, one line per message, to standard output and, where wanted, to a file.
 *
 *   pretty   2026-11-23T00:49:04.123Z info  nodeA [STARTUP] P2P started successfully  port=9000
 *   json     {"at":"2026-…","level":"info","node":"nodeA","tag":"STARTUP","message":"P2P started…","port":9000}
 *
 * A line stays a line whatever a peer sends (control characters are escaped), and what is secret by its name is not
 * written. The field `event` is for machines: pretty leaves it out, because its message already says it.
 */
import { createWriteStream, mkdirSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import winston from 'winston';
import type { LogFields, Logger } from '../ports.ts';

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'pretty' | 'json';
  /** appended to; its directory is made; null: no file */
  readonly file: string | null;
  /** name of this node, on every line */
  readonly node: string;
  /** default process.stdout */
  readonly out?: Writable;
}

/** `close` resolves when every line is with the system. */
export type ClosableLogger = Logger & { close(): Promise<void> };

type Level = LoggerOptions['level'];
type Fields = Readonly<Record<string, unknown>>;

export function createLogger(options: LoggerOptions): ClosableLogger {
  const toText = options.format === 'json' ? jsonLine : prettyLine;
  const file = options.file === null ? null : openFile(options.file);
  const logger = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.printf((info) =>
      toText(new Date(), info.level, options.node, String(info.message), (info['fields'] ?? {}) as Fields),
    ),
    // winston's File and Console transports cost three times as much per line
    transports: [options.out ?? process.stdout, ...(file === null ? [] : [file])].map(
      (stream) => new winston.transports.Stream({ stream, eol: '\n' }),
    ),
  });
  const write =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      logger.log({ level, message, fields });
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    close: async () => {
      const finished = new Promise((resolve) => logger.once('finish', resolve));
      logger.end();
      await finished;
      if (file === null || file.destroyed) return;
      await new Promise<void>((resolve) => {
        file.once('close', resolve);
        file.end();
      });
    },
  };
}

/** A file that cannot be written any more (disk full, gone) is given up with one line on stderr; the node lives on. */
function openFile(path: string): WriteStream {
  mkdirSync(dirname(path), { recursive: true });
  const file = createWriteStream(path, { flags: 'a' });
  let isBroken = false;
  file.on('error', (error) => {
    if (!isBroken) process.stderr.write(`log file ${path}: ${error.message}\n`);
    isBroken = true;
  });
  return file;
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
