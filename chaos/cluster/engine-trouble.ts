/**
 * Why no Docker engine answers, and the way out of exactly that: an address that is none, a socket that is missing or forbidden, a host where nobody
 * listens. testcontainers tries one way after the other and keeps the reasons to itself; worse, where `DOCKER_HOST` names a
 * socket that is missing it takes the machine's own engine, while the docker command line does not.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import type { RequestOptions } from 'node:http';
import { homedir } from 'node:os';
import path from 'node:path';

export interface EngineTrouble {
  readonly what: string;
  readonly wayOut: string;
}

type Env = Readonly<Record<string, string | undefined>>;

const EXAMPLES = 'like unix:///var/run/docker.sock or tcp://192.0.2.1:2375';
const UNSET = 'correct DOCKER_HOST, or unset it to use the engine of this machine';
const PROCESSES = 'or use --cluster processes';
const ANSWER_MS = 5_000;

/** @returns null: where `DOCKER_HOST` is set, an engine answers there; where it is not, nothing was tried */
export async function troubleWithDockerHost(env: Env): Promise<EngineTrouble | null> {
  const address = env['DOCKER_HOST'];
  if (address === undefined || address.trim() === '') return null;
  const place = placeOf(address);
  if ('what' in place) return place;
  const trouble = await troubleAt(place.options, place.shown, env);
  if (trouble === null) return null;
  return { what: `DOCKER_HOST is ${place.shown}: ${trouble.what}`, wayOut: trouble.wayOut ?? UNSET };
}

/** For when no engine was found without `DOCKER_HOST`. */
export async function troubleHere(env: Env): Promise<EngineTrouble> {
  const sockets = socketsOf(env);
  const socketPath = sockets.find((socket) => existsSync(socket));
  if (socketPath === undefined) {
    const what = `no Docker engine: there is no socket at ${sockets[0] ?? 'the usual places'}`;
    return { what, wayOut: `${installation()}, ${PROCESSES}` };
  }
  const trouble = await troubleAt({ socketPath }, socketPath, env);
  return {
    what: `no Docker engine: ${trouble?.what ?? `the one at ${socketPath} answers, but testcontainers cannot use it (DEBUG=testcontainers* says why)`}`,
    wayOut: `${trouble?.wayOut ?? 'start it (systemctl start docker)'}, ${PROCESSES}`,
  };
}

type Place = Pick<RequestOptions, 'socketPath' | 'host' | 'port'>;

/** Where an address leads, or what is wrong with it; a password in it is not repeated. */
function placeOf(address: string): { readonly options: Place; readonly shown: string } | EngineTrouble {
  const url = URL.parse(address);
  const shown = address.includes('@') ? 'an address with a user' : JSON.stringify(address.slice(0, 200));
  if (url === null || !/^\w+:\/\//.test(address))
    return { what: `DOCKER_HOST is ${shown}, which is not an address ${EXAMPLES}`, wayOut: UNSET };
  switch (url.protocol) {
    case 'unix:':
    case 'npipe:':
      if (url.pathname.length < 2)
        return { what: `DOCKER_HOST is ${shown}, which names no socket`, wayOut: UNSET };
      return { options: { socketPath: url.pathname }, shown };
    case 'tcp:':
    case 'http:':
    case 'https:':
      if (url.hostname === '') return { what: `DOCKER_HOST is ${shown}, which names no host`, wayOut: UNSET };
      return { options: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || 2375 }, shown };
    default:
      return {
        what: `DOCKER_HOST is ${shown}, and the lab cannot reach an engine by ${url.protocol}//`,
        wayOut: `use an address ${EXAMPLES}`,
      };
  }
}

/** @returns null when an engine answers there */
async function troubleAt(
  place: Place,
  shown: string,
  env: Env,
): Promise<{ readonly what: string; readonly wayOut?: string } | null> {
  const answer = await ping(place);
  if (answer === 'OK') return null;
  const { socketPath, host, port } = place;
  switch (answer) {
    case 'ENOENT':
      return { what: 'that socket is not there' };
    case 'EACCES':
    case 'EPERM':
      return {
        what: `user ${process.getuid?.() ?? ''} may not use ${socketPath ?? shown}`,
        wayOut: `join the group that owns it (sudo usermod -aG ${groupOf(socketPath)} $USER, then log in anew)`,
      };
    case 'ECONNREFUSED':
      if (socketPath === undefined) return { what: `nobody listens at ${host}:${port}` };
      if (!isSocket(socketPath)) return { what: `${socketPath} is not a socket` };
      return { what: `nobody listens at ${socketPath}`, wayOut: 'start the engine (systemctl start docker)' };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { what: `the name ${host} does not resolve` };
    case 'timeout':
      return { what: `no answer within ${ANSWER_MS / 1000} s` };
    default:
      // testcontainers asks it properly, with its certificates.
      if (env['DOCKER_TLS_VERIFY'] === '1' || shown.startsWith('"https:')) return null;
      if (answer === '400')
        return {
          what: 'whoever answers there wants TLS',
          wayOut: 'set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH',
        };
      return { what: `whoever answers there is no Docker engine (${answer})` };
  }
}

/** @returns 'OK', the status as text, 'timeout', or the system's error code */
function ping(place: Place): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const asked = request({ ...place, path: '/_ping', agent: false });
  const late = setTimeout(() => {
    resolve('timeout');
    asked.destroy();
  }, ANSWER_MS);
  asked.once('response', (response) => {
    response.resume();
    const isEngine = response.statusCode === 200 && response.headers['api-version'] !== undefined;
    resolve(isEngine ? 'OK' : String(response.statusCode));
  });
  asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  asked.end();
  return promise.finally(() => {
    clearTimeout(late);
    asked.destroy();
  });
}

/** Where testcontainers looks without `DOCKER_HOST`. */
function socketsOf(env: Env): readonly string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    '/var/run/docker.sock',
    ...(runtime === undefined ? [] : [path.join(runtime, 'docker.sock')]),
    path.join(homedir(), '.docker', 'run', 'docker.sock'),
    path.join(homedir(), '.docker', 'desktop', 'docker.sock'),
    `/run/user/${process.getuid?.() ?? 0}/docker.sock`,
  ];
}

function installation(): string {
  return existsSync('/etc/debian_version') ? 'run scripts/docker-engine.sh (needs root)' : 'start Docker';
}

function isSocket(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function groupOf(socketPath: string | undefined): string {
  const gid = statSync(socketPath ?? '', { throwIfNoEntry: false })?.gid;
  const groups = existsSync('/etc/group') ? readFileSync('/etc/group', 'utf8').split('\n') : [];
  return groups.map((line) => line.split(':')).find(([, , id]) => id === String(gid))?.[0] ?? 'docker';
}
