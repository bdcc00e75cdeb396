/** What the twin is told: its command line, and what it must know of the two nodes' own `.env` files. Pure. */
import { parseArgs } from 'node:util';
import dotenv from 'dotenv';

export type TwinArgs =
  | { readonly kind: 'run'; readonly once: boolean; readonly fileA: string; readonly fileB: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string };

export const TWIN_HELP = [
  'Two nodes on this machine, the second bootstrapped with the peer id of the first.',
  '',
  '  npm run twin                 node A from .env.nodeA, node B from .env.nodeB, until Ctrl-C',
  '  npm run twin -- --once       ends when both are P2P and have equal roots after a write (exit 0), or do not (exit 1)',
  '  npm run twin -- --env-a FILE --env-b FILE',
  '',
  'Exit code: 0 stopped as asked with --once, 1 a node ended or the twin never met, 3 it could not be started, 130 Ctrl-C.',
].join('\n');

export function parseTwinArgs(argv: readonly string[]): TwinArgs {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: OPTIONS,
      strict: true,
      allowPositionals: false,
    });
    if (values.help) return { kind: 'help' };
    return { kind: 'run', once: values.once, fileA: values['env-a'], fileB: values['env-b'] };
  } catch (error) {
    return { kind: 'mistake', message: error instanceof Error ? error.message : String(error) };
  }
}

const OPTIONS = {
  once: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  'env-a': { type: 'string', default: '.env.nodeA' },
  'env-b': { type: 'string', default: '.env.nodeB' },
} as const;

/** A `.env` file that the twin can't work with; the message names the file and the setting. */
export class SettingsError extends Error {
  readonly code = 'twin_settings';
}

export interface TwinSettings {
  readonly a: NodeSettings;
  readonly b: NodeSettings;
  /** null where the files carry the key itself */
  readonly keyFile: string | null;
}

export interface NodeSettings {
  readonly name: string;
  readonly file: string;
  readonly httpPort: number;
  readonly ports: readonly PortSetting[];
  readonly logFile: string | null;
}

interface PortSetting {
  readonly variable: string;
  readonly host: string;
  readonly port: number;
}

interface EnvFile {
  readonly file: string;
  readonly text: string;
}

/** The nodes check their settings themselves; this looks only at what two of them on one machine must agree on. */
export function readTwinSettings(fileA: EnvFile, fileB: EnvFile): TwinSettings {
  const envA = dotenv.parse(fileA.text);
  const envB = dotenv.parse(fileB.text);
  if (envB['AETHEL_P2P_BOOTSTRAP'] !== undefined) {
    throw new SettingsError(
      `${fileB.file} must not set AETHEL_P2P_BOOTSTRAP: node A's peer id is learned at the start`,
    );
  }
  const keyFile = envA['AETHEL_CLUSTER_KEY_FILE'] ?? null;
  if (keyFile !== (envB['AETHEL_CLUSTER_KEY_FILE'] ?? null)) {
    throw new SettingsError(`${fileA.file} and ${fileB.file} must name the same AETHEL_CLUSTER_KEY_FILE`);
  }
  const a = nodeSettings(fileA.file, 'nodeA', envA);
  const b = nodeSettings(fileB.file, 'nodeB', envB);
  for (const { variable, port } of b.ports) {
    const clash = a.ports.find((other) => other.port === port);
    if (clash !== undefined) {
      throw new SettingsError(
        `port ${port} is both ${clash.variable} of ${a.file} and ${variable} of ${b.file}`,
      );
    }
  }
  return { a, b, keyFile };
}

function nodeSettings(file: string, nameDefault: string, env: NodeJS.Dict<string>): NodeSettings {
  const host = env['AETHEL_HTTP_HOST'] ?? '127.0.0.1';
  const httpPort = portOf(file, 'AETHEL_HTTP_PORT', env['AETHEL_HTTP_PORT'] ?? '');
  const ports: PortSetting[] = [{ variable: 'AETHEL_HTTP_PORT', host, port: httpPort }];
  const listen = /^\/ip4\/([^/]+)\/tcp\/([0-9]+)/.exec(env['AETHEL_P2P_LISTEN'] ?? '');
  if (listen !== null) {
    const [, p2pHost = '', p2pPort = ''] = listen;
    ports.push({
      variable: 'AETHEL_P2P_LISTEN',
      host: p2pHost,
      port: portOf(file, 'AETHEL_P2P_LISTEN', p2pPort),
    });
  }
  const { AETHEL_NODE_NAME: name = nameDefault, AETHEL_LOG_FILE: logFile = null } = env;
  return { name, file, httpPort, ports, logFile };
}

function portOf(file: string, variable: string, text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    throw new SettingsError(`${file}: ${variable} must name a port, has "${text}"`);
  return port;
}

/**
 * Where node B dials node A: on this machine, with the peer id, so that nobody else can answer for it.
 *
 * @returns null where node A listens nowhere that node B can reach
 */
export function bootstrapAddress(peerId: string, listenAddrs: readonly string[]): string | null {
  const plain = listenAddrs.map((address) => address.replace(/\/p2p\/[^/]+$/, ''));
  const local =
    plain.find((address) => address.startsWith('/ip4/127.')) ??
    plain.find((address) => address.startsWith('/ip4/'));
  return local === undefined ? null : `${local}/p2p/${peerId}`;
}

export function urlOf(node: NodeSettings): string {
  return `http://127.0.0.1:${node.httpPort}`;
}
