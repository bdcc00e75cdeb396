/**
 * `npm run twin`: two nodes on this machine. Node A is started first; its peer id, taken from its API, is passed to node
 * B as the place to dial. Prints how both tell their start, then a short line now and then; Ctrl-C stops both.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LatticeClient } from '../chaos/cluster/client.ts';
import { poll } from '../chaos/cluster/poll.ts';
import { listenForInterrupts } from '../chaos/demo/interrupt.ts';
import { renderLine } from '../dashboard/table.ts';
import { emptyView, reduce } from '../dashboard/view.ts';
import { IdentityResponse } from '../node/http/schemas.ts';
import { NodeChild, NodeEndedError } from './twin/child.ts';
import { meet } from './twin/meeting.ts';
import {
  bootstrapAddress,
  parseTwinArgs,
  readTwinSettings,
  SettingsError,
  TWIN_HELP,
  urlOf,
} from './twin/settings.ts';
import type { NodeSettings, TwinArgs, TwinSettings } from './twin/settings.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXIT_FAILED = 1;
const EXIT_NOT_STARTED = 3;
const START_BUDGET_MS = 30_000;
const LINE_EVERY_MS = 3000;

async function main(args: TwinArgs): Promise<number> {
  switch (args.kind) {
    case 'help':
      console.log(TWIN_HELP);
      return 0;
    case 'mistake':
      console.error(`${args.message}\n\n${TWIN_HELP}`);
      return EXIT_NOT_STARTED;
    case 'run':
      return run(args);
  }
}

async function run(args: Extract<TwinArgs, { kind: 'run' }>): Promise<number> {
  const interrupt = listenForInterrupts();
  const children: NodeChild[] = [];
  try {
    const settings = readTwinSettings(envFile(args.fileA), envFile(args.fileB));
    await refuseTakenPorts([settings.a, settings.b]);
    if (settings.keyFile !== null) await makeClusterKey(settings.keyFile);
    await startBoth(settings, children, interrupt.signal);
    if (!args.once) return await stay(settings, children, interrupt.signal);
    const meeting = await meet(settings, children, interrupt.signal);
    console.log(
      meeting.ok
        ? `met: both P2P, equal roots after a write (${meeting.root.slice(0, 8)})`
        : `not met: ${meeting.reason}`,
    );
    return meeting.ok ? 0 : EXIT_FAILED;
  } catch (error) {
    if (interrupt.signal.aborted) return interrupt.exitCode();
    console.error(error instanceof Error ? error.message : String(error));
    return error instanceof NodeEndedError ? EXIT_FAILED : EXIT_NOT_STARTED;
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    if (children.length > 0) console.log('twin stopped');
  }
}

function envFile(name: string): { readonly file: string; readonly text: string } {
  const file = path.resolve(ROOT, name);
  try {
    return { file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new SettingsError(`${file} can't be read`, { cause: error });
  }
}

/** At the first run only: a key that is there stays. */
async function makeClusterKey(keyFile: string): Promise<void> {
  mkdirSync(path.dirname(path.resolve(ROOT, keyFile)), { recursive: true, mode: 0o700 });
  await NodeChild.run(ROOT, ['keygen', '--out', keyFile]);
}

/** Before anything is started: with a port taken, a node would end or, worse, somebody else would answer for it. */
async function refuseTakenPorts(nodes: readonly NodeSettings[]): Promise<void> {
  for (const { file, ports } of nodes) {
    for (const { variable, host, port } of ports) {
      const server = net.createServer();
      try {
        server.listen(port, host);
        await once(server, 'listening');
      } catch (error) {
        throw new SettingsError(
          `port ${port} on ${host} (${variable} in ${path.basename(file)}) is taken or not allowed; stop what uses it, or name another port there`,
          { cause: error },
        );
      }
      server.close();
      await once(server, 'close');
    }
  }
}

async function startBoth(settings: TwinSettings, children: NodeChild[], signal: AbortSignal): Promise<void> {
  const { a, b } = settings;
  await startNode(a, {}, children, signal);
  const bootstrap = await addressOf(a, signal);
  console.log(
    `${b.name} dials ${a.name} at ${bootstrap ?? `nothing: the P2P lung of ${a.name} does not run`}`,
  );
  await startNode(b, bootstrap === null ? {} : { AETHEL_P2P_BOOTSTRAP: bootstrap }, children, signal);
}

/** HTTP serves first; what the P2P lung listens on is known a moment later, or never, when it can't start. */
async function addressOf(node: NodeSettings, signal: AbortSignal): Promise<string | null> {
  const client = new LatticeClient(() => urlOf(node), null, { timeoutMs: 1000 });
  const ask = async (): Promise<{ readonly address: string | null } | null> => {
    const answer = await fetch(`${urlOf(node)}/api/lattice/p2p/identity`, { signal });
    const identity = IdentityResponse.parse(await answer.json());
    const address = bootstrapAddress(identity.peer_id, identity.listen_addrs);
    if (address !== null) return { address };
    const { enabled, error } = await client.status();
    return enabled && error === null ? null : { address: null };
  };
  try {
    return (await poll(ask, { everyMs: 50, budgetMs: START_BUDGET_MS, signal }))?.address ?? null;
  } finally {
    client.close();
  }
}

/** Resolves when the node answers HTTP. */
async function startNode(
  node: NodeSettings,
  env: Readonly<Record<string, string>>,
  children: NodeChild[],
  signal: AbortSignal,
): Promise<void> {
  const lastLines: string[] = [];
  const child = new NodeChild({
    root: ROOT,
    envFile: node.file,
    env,
    onLine: (line) => {
      if (line.includes('[STARTUP]')) console.log(`${node.name} | ${line}`);
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
    },
  });
  children.push(child);
  console.log(`${node.name} starts: process ${child.pid}, ${urlOf(node)}, log ${node.logFile ?? 'not kept'}`);
  const client = new LatticeClient(() => urlOf(node), null, { timeoutMs: 1000 });
  const answers = await poll(async () => (child.isGone || (await client.isServing()) ? true : null), {
    everyMs: 50,
    budgetMs: START_BUDGET_MS,
    signal,
  });
  client.close();
  if (child.isGone)
    throw new NodeEndedError(`${node.name} ended with ${await child.ended}:\n${lastLines.join('\n')}`);
  if (answers === null) throw new NodeEndedError(`${node.name} does not answer after ${START_BUDGET_MS} ms`);
}

async function stay(
  settings: TwinSettings,
  children: readonly NodeChild[],
  signal: AbortSignal,
): Promise<never> {
  const nodes = [settings.a, settings.b];
  const clients = nodes.map((node) => new LatticeClient(() => urlOf(node), null, { timeoutMs: 1000 }));
  let view = emptyView(Date.now());
  for (const node of nodes)
    view = reduce(view, { type: 'node', at: Date.now(), node: node.name, url: urlOf(node) });
  for (;;) {
    signal.throwIfAborted();
    for (const [index, node] of nodes.entries()) {
      if (children[index]?.isGone === true)
        throw new NodeEndedError(
          `${node.name} ended with ${await children[index].ended}; see ${node.logFile ?? 'its log'}`,
        );
      const status = await clients[index]?.status().catch(() => null);
      const about = { at: Date.now(), node: node.name };
      view = reduce(
        view,
        status ? { type: 'status', ...about, status } : { type: 'reach', ...about, reach: 'down' },
      );
    }
    console.log(renderLine(view, 'en'));
    await sleep(LINE_EVERY_MS, undefined, { signal });
  }
}

process.exitCode = await main(parseTwinArgs(process.argv.slice(2)));
