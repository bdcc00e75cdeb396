/**
 * The environment as one frozen Config (DESIGN, "Contract: environment"). The `.env` file is read in here, at start-up,
 * and overrides what the process was given. Every problem is found and told at once, and no secret is ever repeated.
 */
import { hash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { isNodeId } from './protocol/ids.ts';

export interface Config {
  readonly nodeName: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly p2p: {
    readonly enabled: boolean;
    readonly listen: readonly string[];
    readonly topic: string;
    readonly bootstrap: readonly string[];
    readonly startTimeoutMs: number;
  };
  /** base URLs of HTTP peers, without trailing slash */
  readonly latticeNodes: readonly string[];
  readonly discoveryDns: string | null;
  readonly stateDir: string;
  /** 32 bytes: what 64 hex digits say, or the hash of any other text */
  readonly clusterKey: Uint8Array;
  readonly api: { readonly token: string | null; readonly insecure: boolean };
  readonly heartbeatIntervalMs: number;
  readonly suspicionMs: number;
  readonly httpPollIntervalMs: number;
  /** on the way to HTTP peers; URLs with their scheme, or null, and what is not asked through them */
  readonly proxies: {
    readonly http: string | null;
    readonly https: string | null;
    readonly exempt: readonly string[];
  };
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'pretty' | 'json';
    readonly file: string | null;
  };
  /** the file that was read, for the start-up log; null: none was there */
  readonly envFile: string | null;
}

export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** Everything that is wrong with the environment. Exit code 2. */
export class ConfigError extends Error {
  readonly code = 'config';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(
      `the environment has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map(({ name, problem }) => `  ${name}: ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Env = Readonly<Record<string, string | undefined>>;

const LIST_MAX = 256;
const SECRET_BYTES_MIN = 16;
const SECRET_BYTES_MAX = 1024;
const DEFAULT_ENV_FILE = '.env';
/** Names of the set-up scripts and the chaos lab, which share the prefix and may be in the same environment. */
const TOOLING = /^AETHEL_(LAB|DOCKERD|DEBIAN|NPM)_|^AETHEL_(BASE_IMAGE|FAULTS_IMAGE|IMAGE|CA_BUNDLE|TAG)$/;

/** One field per variable. Secrets are not here: they may also come from a file. */
const Variables = z.object({
  AETHEL_NODE_NAME: text(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be 1–63 letters, digits, dots, dashes',
  ).optional(),
  /** the safe one; a container sets 0.0.0.0 */
  AETHEL_HTTP_HOST: parsed(hostOf, 'must be an IP address or a host name').default('127.0.0.1'),
  AETHEL_HTTP_PORT: integer(0, 65_535).default(8000),
  AETHEL_P2P_ENABLED: flag().default(true),
  AETHEL_P2P_LISTEN: list(listenAddressOf, 'must be multiaddrs like /ip4/0.0.0.0/tcp/9000').default([
    '/ip4/0.0.0.0/tcp/9000',
  ]),
  AETHEL_P2P_TOPIC: text(/^[\x21-\x7e]{1,128}$/, 'must be 1–128 visible ASCII characters').default(
    'aethel/lattice/v1',
  ),
  AETHEL_P2P_BOOTSTRAP: list(
    bootstrapAddressOf,
    'must be multiaddrs like /ip4/192.0.2.1/tcp/9000/p2p/12D3KooW… or /dns4/node/tcp/9000',
  ).default([]),
  /** unbundled libp2p starts in 0.7–1.3 s on the reference machine; a loaded one needs more */
  AETHEL_P2P_START_TIMEOUT_MS: integer(100, 120_000).default(5000),
  AETHEL_LATTICE_NODES: list(baseUrlOf, 'must be URLs like http://192.0.2.1:8000, without a path').default(
    [],
  ),
  AETHEL_DISCOVERY_DNS: parsed(dnsNameOf, 'must be a host name').optional(),
  AETHEL_STATE_DIR: text(/^[^\0]{1,4096}$/, 'must be a path').default('./.aethel/state'),
  AETHEL_API_INSECURE: flag().default(false),
  /** measured: 250 ms with a limit of 1 s notices a black hole in 1.01–1.05 s, without false alarms */
  AETHEL_HEARTBEAT_INTERVAL_MS: integer(20, 60_000).default(250),
  AETHEL_SUSPICION_MS: integer(50, 600_000).default(1000),
  AETHEL_HTTP_POLL_INTERVAL_MS: integer(50, 3_600_000).default(10_000),
  AETHEL_LOG_LEVEL: choice(['error', 'warn', 'info', 'debug']).default('info'),
  AETHEL_LOG_FORMAT: choice(['pretty', 'json']).default('pretty'),
  AETHEL_LOG_FILE: text(/^[^\0]{1,4096}$/, 'must be a path').optional(),
  // not ours, but everybody's; a proxy's URL may hold a password, so what is wrong is told without it
  HTTP_PROXY: parsed(proxyUrlOf, 'must be the URL of a proxy, http:// or https://', false).optional(),
  HTTPS_PROXY: parsed(proxyUrlOf, 'must be the URL of a proxy, http:// or https://', false).optional(),
  NO_PROXY: list(exemptOf, 'must be hosts, .domains, addresses, CIDR blocks or *').default([]),
});

/** Also known in small letters, which go first, as with other programs. */
const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'] as const;

const SECRETS = ['AETHEL_CLUSTER_KEY', 'AETHEL_API_TOKEN'] as const;
type SecretName = (typeof SECRETS)[number];

const KNOWN = [
  ...Object.keys(Variables.shape),
  ...SECRETS,
  ...SECRETS.map((name) => `${name}_FILE`),
  'AETHEL_ENV_FILE',
];

/**
 * @param env the process's environment
 * @param readFile UTF-8 text of a file; throws with `code` ENOENT where there is none
 * @throws ConfigError with every problem found
 */
export function loadConfig(env: Env, readFile: (path: string) => string): Config {
  const problems: ConfigProblem[] = [];
  const complain = (name: string, problem: string): void => void problems.push({ name, problem });

  const file = readEnvFile(env, readFile, complain);
  const given = withoutEmpty({ ...withProxies(env), ...withProxies(file.variables) });
  complainOfUnknown(given, complain);

  const variables = Variables.safeParse(given);
  for (const issue of variables.error?.issues ?? []) complain(String(issue.path[0]), issue.message);
  complainOfSlowHeartbeat(given, complain);

  const clusterKey = readSecret('AETHEL_CLUSTER_KEY', given, readFile, complain);
  const apiToken = readSecret('AETHEL_API_TOKEN', given, readFile, complain);
  if (clusterKey === null && !problems.some(({ name }) => name.startsWith('AETHEL_CLUSTER_KEY'))) {
    complain(
      'AETHEL_CLUSTER_KEY',
      'is required (or AETHEL_CLUSTER_KEY_FILE): `openssl rand -hex 32` makes one',
    );
  }
  if (apiToken !== null && !/^[\x21-\x7e]+$/.test(apiToken)) {
    complain('AETHEL_API_TOKEN', 'must be visible ASCII without spaces, as it goes into a header');
  }

  if (problems.length > 0 || !variables.success || clusterKey === null) throw new ConfigError(problems);
  return frozen(toConfig(variables.data, clusterKeyOf(clusterKey), apiToken, file.path));
}

function toConfig(
  variables: z.infer<typeof Variables>,
  clusterKey: Uint8Array,
  token: string | null,
  envFile: string | null,
): Config {
  return {
    nodeName: variables.AETHEL_NODE_NAME ?? hostname(),
    http: { host: variables.AETHEL_HTTP_HOST, port: variables.AETHEL_HTTP_PORT },
    p2p: {
      enabled: variables.AETHEL_P2P_ENABLED,
      listen: variables.AETHEL_P2P_LISTEN,
      topic: variables.AETHEL_P2P_TOPIC,
      bootstrap: variables.AETHEL_P2P_BOOTSTRAP,
      startTimeoutMs: variables.AETHEL_P2P_START_TIMEOUT_MS,
    },
    latticeNodes: variables.AETHEL_LATTICE_NODES,
    discoveryDns: variables.AETHEL_DISCOVERY_DNS ?? null,
    stateDir: variables.AETHEL_STATE_DIR,
    clusterKey,
    api: { token, insecure: variables.AETHEL_API_INSECURE },
    heartbeatIntervalMs: variables.AETHEL_HEARTBEAT_INTERVAL_MS,
    suspicionMs: variables.AETHEL_SUSPICION_MS,
    httpPollIntervalMs: variables.AETHEL_HTTP_POLL_INTERVAL_MS,
    proxies: {
      http: variables.HTTP_PROXY ?? null,
      https: variables.HTTPS_PROXY ?? null,
      exempt: variables.NO_PROXY,
    },
    log: {
      level: variables.AETHEL_LOG_LEVEL,
      format: variables.AETHEL_LOG_FORMAT,
      file: variables.AETHEL_LOG_FILE ?? null,
    },
    envFile,
  };
}

type Complain = (name: string, problem: string) => void;

/** The default file may be missing; one that was named may not. */
function readEnvFile(
  env: Env,
  readFile: (path: string) => string,
  complain: Complain,
): { readonly path: string | null; readonly variables: Env } {
  const named = env['AETHEL_ENV_FILE'];
  const path = named === undefined || named === '' ? DEFAULT_ENV_FILE : named;
  try {
    return { path, variables: parseEnv(readFile(path)) };
  } catch (error) {
    if (path !== named && codeOf(error) === 'ENOENT') return { path: null, variables: {} };
    complain('AETHEL_ENV_FILE', `${clip(path)} cannot be read (${codeOf(error)})`);
    return { path: null, variables: {} };
  }
}

/** Whatever a proxy's variable is called here, from now on it has its name in capitals. */
function withProxies(env: Env): Env {
  const known = PROXY_VARIABLES.map((name): [string, string | undefined] => [
    name,
    env[name.toLowerCase()] ?? env[name],
  ]);
  return { ...env, ...Object.fromEntries(known.filter(([, value]) => value !== undefined)) };
}

/** An empty variable counts as absent, as compose files pass it for `${NAME:-}`. */
function withoutEmpty(env: Env): Env {
  return Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
}

function complainOfUnknown(given: Env, complain: Complain): void {
  for (const name of Object.keys(given)) {
    if (!name.startsWith('AETHEL_') || KNOWN.includes(name) || TOOLING.test(name)) continue;
    const meant = nearest(name, KNOWN);
    complain(
      clip(name),
      meant === null
        ? 'is not a setting of the node'
        : `is not a setting of the node; did you mean ${meant}?`,
    );
  }
}

/** Told even where other variables are wrong; both must be right by themselves. */
function complainOfSlowHeartbeat(given: Env, complain: Complain): void {
  const { AETHEL_HEARTBEAT_INTERVAL_MS, AETHEL_SUSPICION_MS } = Variables.shape;
  const heartbeat = AETHEL_HEARTBEAT_INTERVAL_MS.safeParse(given['AETHEL_HEARTBEAT_INTERVAL_MS']);
  const suspicion = AETHEL_SUSPICION_MS.safeParse(given['AETHEL_SUSPICION_MS']);
  if (!heartbeat.success || !suspicion.success || heartbeat.data < suspicion.data / 2) return;
  complain(
    'AETHEL_HEARTBEAT_INTERVAL_MS',
    `must be below half of AETHEL_SUSPICION_MS (${heartbeat.data} against ${suspicion.data}), or one lost heartbeat accuses a peer`,
  );
}

/** The secret itself, or null; what is wrong with it is told without repeating it. */
function readSecret(
  name: SecretName,
  given: Env,
  readFile: (path: string) => string,
  complain: Complain,
): string | null {
  const path = given[`${name}_FILE`];
  const direct = given[name];
  if (path !== undefined && direct !== undefined) {
    complain(name, `is set, and so is ${name}_FILE; choose one`);
    return null;
  }
  if (path === undefined && direct === undefined) return null;
  const source = path === undefined ? name : `${name}_FILE`;
  let secret: string;
  try {
    secret = (path === undefined ? String(direct) : readFile(path)).trim();
  } catch (error) {
    complain(source, `${clip(String(path))} cannot be read (${codeOf(error)})`);
    return null;
  }
  const bytes = Buffer.byteLength(secret);
  if (bytes >= SECRET_BYTES_MIN && bytes <= SECRET_BYTES_MAX) return secret;
  complain(
    source,
    `must be ${SECRET_BYTES_MIN}–${SECRET_BYTES_MAX} bytes (is ${bytes}); \`openssl rand -hex 32\` makes a good one`,
  );
  return null;
}

/** Both lungs want 32 bytes, whatever the operator's key looks like. */
function clusterKeyOf(secret: string): Uint8Array {
  if (/^[0-9a-fA-F]{64}$/.test(secret)) return Buffer.from(secret, 'hex');
  return hash('sha256', `aethel/cluster-key/v1\n${secret}`, 'buffer');
}

// ---- what a variable may be ------------------------------------------------------------------------------------------

function text(pattern: RegExp, problem: string) {
  return parsed((value) => (pattern.test(value) ? value : null), problem);
}

function integer(min: number, max: number) {
  return parsed((value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : null;
  }, `must be a whole number from ${min} to ${max}`);
}

function flag() {
  return parsed((value) => {
    const word = value.toLowerCase();
    if (['true', '1', 'yes', 'on'].includes(word)) return true;
    return ['false', '0', 'no', 'off'].includes(word) ? false : null;
  }, 'must be true or false');
}

function choice<const T extends string>(options: readonly T[]) {
  return parsed(
    (value) => options.find((option) => option === value.toLowerCase()) ?? null,
    `must be one of ${options.join(', ')}`,
  );
}

/** Values separated by commas or white space; duplicates count once. */
function list(parse: (item: string) => string | null, problem: string) {
  return z.string().transform((value, context) => {
    const items = value.split(/[\s,]+/).filter((item) => item !== '');
    if (items.length > LIST_MAX) {
      context.issues.push({
        code: 'custom',
        message: `has ${items.length} entries, at most ${LIST_MAX}`,
        input: value,
      });
      return z.NEVER;
    }
    const good = items.map(parse);
    const bad = items.filter((_, i) => good[i] === null);
    if (bad.length > 0) {
      const shown = bad.slice(0, 3).map((item) => JSON.stringify(clip(item)));
      context.issues.push({ code: 'custom', message: `${problem} (not ${shown.join(', ')})`, input: value });
      return z.NEVER;
    }
    return [...new Set(good.filter((item) => item !== null))];
  });
}

/** @param isShown whether the value may be repeated to who is told of it */
function parsed<T>(parse: (value: string) => T | null, problem: string, isShown = true) {
  return z.string().transform((value, context): T => {
    const result = parse(value.trim());
    if (result !== null) return result;
    context.issues.push({
      code: 'custom',
      message: isShown ? `${problem} (is ${JSON.stringify(clip(value))})` : problem,
      input: value,
    });
    return z.NEVER;
  });
}

function hostOf(value: string): string | null {
  return isIPv4(value) || isIPv6(value) ? value : dnsNameOf(value);
}

/** Labels of letters, digits, dashes and underscores (compose makes names with those); not only digits and dots. */
function dnsNameOf(value: string): string | null {
  const isName =
    value.length <= 253 &&
    value.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  return isName && !/^[\d.]+$/.test(value) ? value : null;
}

/** `/ip4|ip6/<address>/tcp/<port>`; port 0 is any free one. */
function listenAddressOf(value: string): string | null {
  const parts = splitMultiaddr(value);
  return parts !== null && /^ip[46]$/.test(parts.family) && parts.peer === null ? value : null;
}

/** `/ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>[/p2p/<peer id>]`, with a port that can be dialled. */
function bootstrapAddressOf(value: string): string | null {
  const parts = splitMultiaddr(value);
  return parts !== null && parts.port > 0 && (parts.peer === null || isNodeId(parts.peer)) ? value : null;
}

interface MultiaddrParts {
  readonly family: string;
  readonly port: number;
  readonly peer: string | null;
}

function splitMultiaddr(value: string): MultiaddrParts | null {
  const [empty, family = '', host = '', tcp, portText = '', p2p, peer, ...rest] = value.split('/');
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  const isHost =
    (family === 'ip4' && isIPv4(host)) ||
    (family === 'ip6' && isIPv6(host) && !host.includes('%')) ||
    (/^dns[46]?$/.test(family) && dnsNameOf(host) !== null);
  if (empty !== '' || !isHost || tcp !== 'tcp' || !(port <= 65_535) || rest.length > 0) return null;
  if (p2p === undefined) return { family, port, peer: null };
  return p2p === 'p2p' && peer !== undefined ? { family, port, peer } : null;
}

/** http or https, without path, query, fragment or user; a lone trailing slash is dropped. */
function baseUrlOf(value: string): string | null {
  const url = URL.parse(value);
  if (url === null || !/^https?:\/\//i.test(value) || url.hostname === '') return null;
  const isBare = url.username === '' && url.password === '' && url.pathname === '/' && !/[?#@]/.test(value);
  return isBare && (url.protocol === 'http:' || url.protocol === 'https:') ? url.origin : null;
}

/** As curl has it, a proxy without a scheme is one that is asked in plain HTTP. */
function proxyUrlOf(value: string): string | null {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') return null;
  return url.pathname === '/' && url.search === '' && url.hash === '' ? url.href : null;
}

function exemptOf(value: string): string | null {
  return /^[\w.:*/[\]-]{1,300}$/.test(value) ? value : null;
}

// ---- helpers ---------------------------------------------------------------------------------------------------------

/** The known name within three edits, or null. */
function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = 4;
  for (const candidate of known) {
    const distance = editDistance(name.slice(0, 64), candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'error';
}

function clip(value: string): string {
  return value.length <= 80 ? value : `${value.slice(0, 80)}…`;
}

/** Frozen to the depth, but for bytes, which JavaScript cannot freeze. */
function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) frozen(inner as object);
  }
  return Object.freeze(value);
}
