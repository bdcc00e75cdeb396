/**
 * The same black hole with libp2p and gossipsub as they come: five processes, each connected to every other through the
 * lab's forwarders, one of them cut off. How long until they notice, and until a message arrives again after the heal?
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { poll } from '../chaos/cluster/poll.ts';
import { freePorts } from '../chaos/cluster/ports.ts';
import { Forwarder } from '../chaos/faults/forwarder.ts';

export interface DefaultsTimes {
  /** cut → both ends of each of the victim's links have told of a disconnection */
  readonly noticedMs: number;
  /** heal → a message of a neighbour arrives at the victim again */
  readonly carriesMs: number;
}

const PROGRAM = fileURLToPath(new URL('peers/libp2p-defaults.mjs', import.meta.url));
const REDIRECT = new URL('../chaos/faults/redirect.ts', import.meta.url).href;
const SILENCE = { silence: 'both' } as const;
const NODES = 5;
const START_LIMIT_MS = 30_000;
/** What takes longer counts as this long. */
const DEFAULTS_LIMIT_MS = 30_000;
const PUBLISH_EVERY_MS = 250;

export async function blackHoleOfDefaults(
  options: { readonly keepAlive: boolean },
  signal: AbortSignal,
): Promise<DefaultsTimes> {
  const ports = await freePorts(NODES);
  const links = await Promise.all(
    ports.flatMap((from) => ports.filter((to) => to !== from).map((to) => openLink(from, to))),
  );
  const peers = ports.map((port) => {
    const redirect = links.filter(({ from }) => from === port).map((link) => [link.to, link.port]);
    return new Peer(port, options.keepAlive, Object.fromEntries(redirect));
  });
  const giveUp = (): void => {
    for (const peer of peers) peer.kill();
  };
  signal.addEventListener('abort', giveUp);
  try {
    signal.throwIfAborted();
    return await cutAndHeal(peers, links, signal);
  } finally {
    signal.removeEventListener('abort', giveUp);
    await Promise.all([
      ...peers.map((peer) => peer.end()),
      ...links.map(({ forwarder }) => forwarder.close()),
    ]);
  }
}

async function cutAndHeal(
  peers: readonly Peer[],
  links: readonly Link[],
  signal: AbortSignal,
): Promise<DefaultsTimes> {
  const [victim, neighbour] = peers;
  if (victim === undefined || neighbour === undefined) throw new RangeError('five peers');
  const within = async (limitMs: number, claim: () => boolean): Promise<boolean> =>
    (await poll(async () => (claim() ? true : null), { everyMs: 10, budgetMs: limitMs, signal })) !== null;
  if (!(await within(START_LIMIT_MS, () => peers.every(({ heard }) => heard.ready.length === 1))))
    throw new Error('libp2p did not start');
  // Each pair once: what dials both ways at once makes two connections.
  for (const [i, peer] of peers.entries())
    for (const other of peers.slice(i + 1)) peer.tell({ what: 'dial', port: other.port });
  let count = 0;
  const rhythm = setInterval(
    () => neighbour.tell({ what: 'publish', text: String((count += 1)) }),
    PUBLISH_EVERY_MS,
  );
  try {
    const others = peers.filter((peer) => peer !== neighbour);
    if (!(await within(START_LIMIT_MS, () => others.every(({ heard }) => heard.message.length > 2))))
      throw new Error('gossipsub does not carry');

    const own = links.filter(({ from, to }) => from === victim.port || to === victim.port);
    const cutAt = Date.now();
    for (const { forwarder } of own) forwarder.impose(SILENCE);
    const gone = (): number => victim.heard.disconnect.length;
    const goneToOthers = (): number =>
      peers.filter((peer) => peer !== victim && peer.heard.disconnect.length > 0).length;
    await within(DEFAULTS_LIMIT_MS, () => gone() >= NODES - 1 && goneToOthers() >= NODES - 1);
    const ends = peers.flatMap(({ heard }) => heard.disconnect);
    const noticedMs = ends.length < 2 * (NODES - 1) ? DEFAULTS_LIMIT_MS : Math.max(...ends) - cutAt;

    const healedAt = Date.now();
    const before = victim.heard.message.length;
    for (const { forwarder } of own) forwarder.lift(SILENCE);
    await within(DEFAULTS_LIMIT_MS, () => victim.heard.message.length > before);
    const arrivedAt = victim.heard.message[before];
    return { noticedMs, carriesMs: arrivedAt === undefined ? DEFAULTS_LIMIT_MS : arrivedAt - healedAt };
  } finally {
    clearInterval(rhythm);
  }
}

interface Link {
  readonly from: number;
  readonly to: number;
  readonly port: number;
  readonly forwarder: Forwarder;
}

async function openLink(from: number, to: number): Promise<Link> {
  const forwarder = new Forwarder(() => ({ host: '127.0.0.1', port: to }));
  return { from, to, port: await forwarder.listen(), forwarder };
}

type Told = 'ready' | 'disconnect' | 'message';

type Order =
  | { readonly what: 'dial'; readonly port: number }
  | { readonly what: 'publish'; readonly text: string };

class Peer {
  readonly port: number;
  /** when it told what, ms since the epoch */
  readonly heard: Readonly<Record<Told, number[]>> = { ready: [], disconnect: [], message: [] };
  readonly #child: ChildProcess;

  constructor(port: number, keepAlive: boolean, redirect: Readonly<Record<string, number>>) {
    this.port = port;
    const flags = ['--no-warnings', '--experimental-import-meta-resolve', '--import', REDIRECT];
    this.#child = spawn(
      process.execPath,
      [...flags, PROGRAM, String(port), keepAlive ? 'keep-alive' : 'plain'],
      {
        env: { PATH: process.env['PATH'] ?? '', AETHEL_LAB_REDIRECT: JSON.stringify(redirect) },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    this.#child.on('message', (message: { readonly what: Told; readonly at: number }) =>
      this.heard[message.what].push(message.at),
    );
  }

  tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.kill();
    await ended;
  }
}
