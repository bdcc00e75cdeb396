/**
 * The environment as one frozen Config (DESIGN, "Contract: environment"). The `.env` file is read in here, at start-up,
 * and overrides what the process was given. Every problem is found and told at once, and no secret is ever repeated.
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import { normalized, readEnvFile, type EnvFileFinding } from './config/env-file.ts';
import { withoutInjected } from './config/injected.ts';
import { nearest } from './config/nearest.ts';
import { DEFAULT_TOPIC } from './config/scope.ts';
import { PROXY_VARIABLES, readProxies, withProxies, type Proxies } from './config/proxies.ts';
import {
  clusterKeyOf,
  isSecret,
  readSecret,
  SECRETS,
  type Secret,
  type SecretName,
} from './config/secrets.ts';
import {
  baseUrlOf,
  bootstrapAddressOf,
  choice,
  clip,
  codeOf,
  dnsNameOf,
  flag,
  hostOf,
  integer,
  list,
  listenAddressOf,
  parsed,
  text,
  type Complain,
  type Env,
} from './config/values.ts';

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
  /** a directory of slots; the node takes one of them as its state directory */
  readonly stateSlots: string | null;
  /** where the cluster's key was read; null: from the environment */
  readonly clusterKeyFile: string | null;
  /** memory that the records may take; null: what the machine leaves */
  readonly stateBytesMax: number | null;
  /** 32 bytes; the lungs' keys come from it, the topic and the name, see config/scope.ts */
  readonly clusterKey: Uint8Array;
  /** another key whose holders are members too, while the key is being changed; null: none */
  readonly acceptedKey: Uint8Array | null;
  readonly clusterName: string | null;
  readonly api: { readonly token: string | null; readonly insecure: boolean };
  readonly heartbeatIntervalMs: number;
  readonly suspicionMs: number;
  readonly httpPollIntervalMs: number;
  /** a member silent for longer does not count for `w=` */
  readonly memberAbsenceMs: number;
  /** on the way to HTTP peers */
  readonly proxies: Proxies;
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'pretty' | 'json';
    readonly file: string | null;
  };
  /** the file that was read, for the start-up log; null: none was there */
  readonly envFile: string | null;
  /** what was taken, and may not mean what it was meant to; for the start-up log */
  readonly warnings: readonly ConfigProblem[];
}

export interface ConfigProblem {
  /** a setting's, or that of the file */
  readonly name: string;
  readonly problem: string;
  /** where a file has it */
  readonly at?: { readonly file: string; readonly line: number };
}

/** All that there is to say of an environment. */
export interface Inspection {
  /** null: there are problems */
  readonly config: Config | null;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  /** which secrets there are, and how many bytes each has */
  readonly secrets: ReadonlyMap<SecretName, { readonly source: string; readonly bytes: number }>;
  /** every setting but the secrets; those that are wrong are left out */
  readonly settings: readonly Setting[];
}

interface Setting {
  readonly name: string;
  /** as the node understands it; null: not set */
  readonly value: string | number | boolean | null | readonly string[];
  /** `default`, `environment`, or where a file has it */
  readonly from: string;
}

/** Everything that is wrong with the environment. Exit code 2. */
export class ConfigError extends Error {
  readonly code = 'config';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const many = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(`the environment has ${many}:\n${problems.map((problem) => `  ${lineOf(problem)}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** For people: `AETHEL_HTTP_PORT (.env, line 3): must be …`. */
export function lineOf({ name, problem, at }: ConfigProblem): string {
  if (at === undefined) return `${name}: ${problem}`;
  return `${name === at.file ? '' : `${name} `}(${at.file}, line ${at.line}): ${problem}`;
}

const DEFAULT_ENV_FILE = '.env';
/** Names of the set-up scripts and the chaos lab, which share the prefix and may be in the same environment. */
const TOOLING =
  /^AETHEL_(LAB|DOCKERD|DEBIAN|NPM)_|^AETHEL_(BASE_IMAGE|FAULTS_IMAGE|IMAGE|CA_BUNDLE|PORTS|TAG)$/;

/** One field per variable. Secrets are not here: they may also come from a file. */
const Variables = z.object({
  AETHEL_NODE_NAME: text(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/,
    'must be 1–253 letters, digits, dots, dashes, as a host or a pod has it',
  ).optional(),
  /** the safe one; a container sets 0.0.0.0 */
  AETHEL_HTTP_HOST: parsed(hostOf, 'must be an IP address or a host name').default('127.0.0.1'),
  AETHEL_HTTP_PORT: integer(0, 65_535).default(8000),
  AETHEL_P2P_ENABLED: flag().default(true),
  AETHEL_P2P_LISTEN: list(listenAddressOf, 'must be multiaddrs like /ip4/0.0.0.0/tcp/9000').default([
    '/ip4/0.0.0.0/tcp/9000',
  ]),
  AETHEL_P2P_TOPIC: text(/^[\x21-\x7e]{1,128}$/, 'must be 1–128 visible ASCII characters').default(
    DEFAULT_TOPIC,
  ),
  /** keeps apart clusters that share a key and a topic */
  AETHEL_CLUSTER_NAME: text(/^[\x21-\x7e]{1,128}$/, 'must be 1–128 visible ASCII characters').optional(),
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
  /** replicas that share a volume share this directory */
  AETHEL_STATE_SLOTS: text(/^[^\0]{1,4096}$/, 'must be a path').optional(),
  /** as much as the memory of this machine, or of its container, leaves: see memory.ts */
  AETHEL_STATE_BYTES_MAX: integer(65_536, 10 ** 14).optional(),
  AETHEL_API_INSECURE: flag().default(false),
  /** measured: 250 ms with a limit of 1 s notices a black hole in 1.01–1.05 s, without false alarms */
  AETHEL_HEARTBEAT_INTERVAL_MS: integer(20, 60_000).default(250),
  AETHEL_SUSPICION_MS: integer(50, 600_000).default(1000),
  AETHEL_HTTP_POLL_INTERVAL_MS: integer(50, 3_600_000).default(10_000),
  /** as long as the longest cut that is to be survived; what is below ten seconds is a restart */
  AETHEL_MEMBER_ABSENCE_MS: integer(10_000, 999_999_999).default(604_800_000),
  AETHEL_LOG_LEVEL: choice(['error', 'warn', 'info', 'debug']).default('info'),
  AETHEL_LOG_FORMAT: choice(['pretty', 'json']).default('pretty'),
  AETHEL_LOG_FILE: text(/^[^\0]{1,4096}$/, 'must be a path').optional(),
});

const KNOWN = [
  ...Object.keys(Variables.shape),
  ...SECRETS,
  ...SECRETS.map((name) => `${name}_FILE`),
  'AETHEL_ENV_FILE',
];
const READ = new Set([...KNOWN, ...PROXY_VARIABLES, ...PROXY_VARIABLES.map((name) => name.toLowerCase())]);

/**
 * @param env the process's environment
 * @param readFile the bytes of a file; throws with `code` ENOENT where there is none
 * @throws ConfigError with every problem found
 */
export function loadConfig(env: Env, readFile: (path: string) => Uint8Array): Config {
  const { config, problems } = inspectConfig(env, readFile);
  if (config === null) throw new ConfigError(problems);
  return config;
}

/** As `loadConfig`, but never throws, and tells what was doubtful too. */
export function inspectConfig(env: Env, readFile: (path: string) => Uint8Array): Inspection {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  const file = readFileOf(env, readFile, (name, problem) => problems.push({ name, problem }));
  const tellOf =
    (heap: ConfigProblem[]): Complain =>
    (name, problem) => {
      const line = file.lines.get(name);
      const { path } = file;
      heap.push(
        line === undefined || path === null ? { name, problem } : { name, problem, at: { file: path, line } },
      );
    };
  const complain = tellOf(problems);
  const warn = tellOf(warnings);
  problems.push(...file.problems);
  warnings.push(...file.warnings);

  const { given: sifted, injected } = withoutInjected(env);
  if (injected.length > 0) warn(injected[0] ?? '', describeInjected(injected));
  const all = { ...withProxies(sifted), ...withProxies(file.variables) };
  const given = withoutEmpty(all);
  complainOfNames(given, complain);
  complainOfQuotes(given, complain);

  const variables = Variables.safeParse(given);
  for (const issue of variables.error?.issues ?? []) complain(String(issue.path[0]), issue.message);
  complainOfSlowHeartbeat(given, complain);
  complainOfTwoGrounds(given, complain);
  const peers = {
    latticeNodes: Variables.shape.AETHEL_LATTICE_NODES.safeParse(given['AETHEL_LATTICE_NODES']).data ?? [],
    isDiscovering: given['AETHEL_DISCOVERY_DNS'] !== undefined,
  };
  const proxies = readProxies(given, peers, complain, warn);

  const clusterKey = readSecret('AETHEL_CLUSTER_KEY', all, readFile, complain);
  const acceptedKey = readSecret('AETHEL_CLUSTER_KEY_ACCEPTED', all, readFile, complain);
  if (clusterKey !== null && acceptedKey !== null && isSameKey(clusterKey, acceptedKey))
    warn(acceptedKey.source, 'is the cluster key itself: it accepts nobody else');
  const token = readSecret('AETHEL_API_TOKEN', all, readFile, complain);
  if (clusterKey === null && !problems.some(({ name }) => /^AETHEL_CLUSTER_KEY(_FILE)?$/.test(name))) {
    complain(
      'AETHEL_CLUSTER_KEY',
      'is required (or AETHEL_CLUSTER_KEY_FILE): `openssl rand -hex 32` makes one',
    );
  }
  if (token !== null && !/^[\x21-\x7e]+$/.test(textOf(token))) {
    complain(token.source, 'must be visible ASCII without spaces, as it goes into a header');
  }

  const secrets = new Map<SecretName, { source: string; bytes: number }>();
  const found = {
    AETHEL_CLUSTER_KEY: clusterKey,
    AETHEL_CLUSTER_KEY_ACCEPTED: acceptedKey,
    AETHEL_API_TOKEN: token,
  };
  for (const name of SECRETS) {
    const secret = found[name];
    if (secret !== null) secrets.set(name, { source: secret.source, bytes: secret.bytes.length });
  }
  const originOf = (name: string): string => {
    const line = file.lines.get(name);
    if (line !== undefined) return `${file.path}, line ${line}`;
    return given[name] === undefined ? 'default' : 'environment';
  };
  const told = { problems, warnings, secrets, settings: settingsOf(given, proxies, originOf) };
  if (problems.length > 0 || !variables.success || clusterKey === null) return { config: null, ...told };
  const config = toConfig(variables.data, {
    proxies,
    clusterKey: clusterKeyOf(clusterKey),
    clusterKeyFile: given['AETHEL_CLUSTER_KEY_FILE'] ?? null,
    acceptedKey: acceptedKey === null ? null : clusterKeyOf(acceptedKey),
    token: token === null ? null : textOf(token),
    envFile: file.path,
    warnings,
  });
  return { config: frozen(config), ...told };
}

function settingsOf(given: Env, proxies: Proxies, originOf: (name: string) => string): readonly Setting[] {
  const own = Object.entries(Variables.shape).flatMap(([name, schema]): Setting[] => {
    const parse = schema.safeParse(given[name]);
    if (!parse.success) return [];
    const value = parse.data ?? (name === 'AETHEL_NODE_NAME' ? hostname() : null);
    return [{ name, value, from: originOf(name) }];
  });
  const { http, https, exempt } = proxies;
  const others = [
    { name: 'HTTP_PROXY', value: http === null ? null : clip(http) },
    { name: 'HTTPS_PROXY', value: https === null ? null : clip(https) },
    { name: 'NO_PROXY', value: exempt },
  ];
  return [...own, ...others.map((other) => ({ ...other, from: originOf(other.name) }))];
}

function isSameKey(a: Secret, b: Secret): boolean {
  return Buffer.compare(clusterKeyOf(a), clusterKeyOf(b)) === 0;
}

/** Of a secret that is text, or is about to be refused for not being it. */
function textOf({ bytes }: Secret): string {
  return Buffer.from(bytes).toString('utf8');
}

interface Besides extends Pick<
  Config,
  'proxies' | 'clusterKey' | 'clusterKeyFile' | 'acceptedKey' | 'envFile' | 'warnings'
> {
  readonly token: string | null;
}

function toConfig(variables: z.infer<typeof Variables>, { token, ...besides }: Besides): Config {
  return {
    ...besides,
    nodeName: variables.AETHEL_NODE_NAME ?? hostname(),
    http: { host: variables.AETHEL_HTTP_HOST, port: variables.AETHEL_HTTP_PORT },
    p2p: {
      enabled: variables.AETHEL_P2P_ENABLED,
      listen: variables.AETHEL_P2P_LISTEN,
      topic: variables.AETHEL_P2P_TOPIC,
      bootstrap: variables.AETHEL_P2P_BOOTSTRAP,
      startTimeoutMs: variables.AETHEL_P2P_START_TIMEOUT_MS,
    },
    clusterName: variables.AETHEL_CLUSTER_NAME ?? null,
    latticeNodes: variables.AETHEL_LATTICE_NODES,
    discoveryDns: variables.AETHEL_DISCOVERY_DNS ?? null,
    stateDir: variables.AETHEL_STATE_DIR,
    stateSlots: variables.AETHEL_STATE_SLOTS ?? null,
    stateBytesMax: variables.AETHEL_STATE_BYTES_MAX ?? null,
    api: { token, insecure: variables.AETHEL_API_INSECURE },
    heartbeatIntervalMs: variables.AETHEL_HEARTBEAT_INTERVAL_MS,
    suspicionMs: variables.AETHEL_SUSPICION_MS,
    httpPollIntervalMs: variables.AETHEL_HTTP_POLL_INTERVAL_MS,
    memberAbsenceMs: variables.AETHEL_MEMBER_ABSENCE_MS,
    log: {
      level: variables.AETHEL_LOG_LEVEL,
      format: variables.AETHEL_LOG_FORMAT,
      file: variables.AETHEL_LOG_FILE ?? null,
    },
  };
}

interface FileRead {
  readonly path: string | null;
  readonly variables: Env;
  readonly lines: ReadonlyMap<string, number>;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

const NO_FILE: FileRead = { path: null, variables: {}, lines: new Map(), problems: [], warnings: [] };

/** The default file may be missing; one that was named may not. */
function readFileOf(env: Env, readFile: (path: string) => Uint8Array, complain: Complain): FileRead {
  const named = env['AETHEL_ENV_FILE']?.trim() ?? '';
  const path = named === '' ? DEFAULT_ENV_FILE : named;
  let bytes: Uint8Array;
  try {
    bytes = readFile(path);
  } catch (error) {
    if (path === named || codeOf(error) !== 'ENOENT')
      complain('AETHEL_ENV_FILE', `${clip(path)} cannot be read (${codeOf(error)})`);
    return NO_FILE;
  }
  const { variables, lines, problems, warnings } = readEnvFile(bytes, { known: READ, isSecret });
  const file = clip(path);
  const toProblem = ({ line, name, text: problem }: EnvFileFinding): ConfigProblem => ({
    name: name === null ? file : shownName(name),
    problem,
    at: { file, line },
  });
  return { path, variables, lines, problems: problems.map(toProblem), warnings: warnings.map(toProblem) };
}

/** An empty variable counts as absent, as compose files pass it for `${NAME:-}`. */
function withoutEmpty(env: Env): Env {
  return Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
}

function complainOfNames(given: Env, complain: Complain): void {
  for (const name of Object.keys(given)) {
    if (KNOWN.includes(name) || TOOLING.test(name)) continue;
    const meant = normalized(name);
    if (name.startsWith('AETHEL_')) {
      const near = nearest(name, KNOWN);
      const hint = near === null ? '' : `; did you mean ${near}?`;
      complain(shownName(name), `is not a setting of the node${hint}`);
    } else if (KNOWN.includes(meant)) {
      complain(meant, `is written ${name}, which is no setting`);
    }
  }
}

/** Where a line lost its `=`, a secret may be part of the name. */
function shownName(name: string): string {
  const secret = KNOWN.includes(name) ? undefined : SECRETS.find((start) => name.startsWith(start));
  return secret === undefined ? clip(name) : `${secret}…`;
}

/** `docker run --env-file` knows no quotes. */
function complainOfQuotes(given: Env, complain: Complain): void {
  for (const name of KNOWN) {
    if (!/^\s*(['"`]).*\1\s*$/s.test(given[name] ?? '')) continue;
    complain(
      name,
      'has quotes around its value that belong to it (docker run --env-file keeps them); leave them out',
    );
  }
}

function describeInjected(names: readonly string[]): string {
  const others = names.length === 1 ? 'is' : `and ${names.length - 1} more like it are`;
  return `${others} what an engine tells of its services, and ignored; in Kubernetes enableServiceLinks: false keeps them out`;
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

/** The image sets the directory; naming the very same one for slots contradicts nothing. */
function complainOfTwoGrounds(given: Env, complain: Complain): void {
  const { AETHEL_STATE_DIR: dir, AETHEL_STATE_SLOTS: slots } = given;
  if (dir === undefined || slots === undefined || dir.trim() === slots.trim()) return;
  complain('AETHEL_STATE_SLOTS', 'is set, and AETHEL_STATE_DIR names another directory; choose one');
}

/** Frozen to the depth, but for bytes, which JavaScript cannot freeze. */
function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) frozen(inner as object);
  }
  return Object.freeze(value);
}
