/**
 * `npm run demo`: the whole product on one machine without Docker. Starts real nodes on loopback, writes to them, and opens
 * the control room on a page; with `--terminal` or `--once` it instead takes one lung from one node and the life of another
 * by itself, and says what came of it.
 *
 * However it ends (verdict, error, Ctrl-C), it closes its cluster first; the nodes end by themselves should it be killed.
 */
import { randomBytes } from 'node:crypto';
import { seconds } from '../../dashboard/table.ts';
import { buildPage } from '../../dashboard/build.ts';
import type { PageFiles } from '../../dashboard/build.ts';
import { NodeStartError } from '../cluster/port.ts';
import type { Cluster } from '../cluster/port.ts';
import { startProcessCluster } from '../cluster/processes.ts';
import { endProcess } from '../end-process.ts';
import { parseDemoArgs } from './args.ts';
import type { DemoArgs } from './args.ts';
import { Clients } from './clients.ts';
import { listenForInterrupts } from './interrupt.ts';
import { pause } from './patience.ts';
import { openRoom } from './room/open.ts';
import { Show } from './show.ts';
import { Screen, screenOptions } from './screen.ts';
import { claimText, playStory, verdictOf } from './story.ts';
import type { Claim, Verdict } from './story.ts';
import { watchCluster } from './watch.ts';
import { DEMO_WORDS } from './words.ts';
import type { DemoWords } from './words.ts';
import { Ledger, writeContinuously } from './writers.ts';

const EXIT: Readonly<Record<Verdict, number>> = { pass: 0, fail: 1, inconclusive: 2 };
const EXIT_BROKEN = 3;

endProcess(await main(parseDemoArgs(process.argv.slice(2), process.env)));

async function main(args: DemoArgs): Promise<number> {
  const words = DEMO_WORDS[args.language];
  switch (args.kind) {
    case 'help':
      process.stdout.write(`${words.help}\n`);
      return 0;
    case 'mistake':
      process.stderr.write(`${words.mistake(args.message)}\n`);
      return EXIT_BROKEN;
    case 'run':
      return run(args, words);
  }
}

type Run = Extract<DemoArgs, { kind: 'run' }>;

async function run(args: Run, words: DemoWords): Promise<number> {
  const interrupt = listenForInterrupts();
  const screen = new Screen(process.stdout, screenOptions(process.stdout, process.env, args.language));
  const show = new Show(screen, words);
  let cluster: Cluster | null = null;
  let exitCode = EXIT_BROKEN;
  try {
    show.announce(args.cluster === 'compose' ? words.adopting : words.starting[args.cluster](args.nodes));
    // While the nodes start, the page is built.
    const page = args.show === 'page' ? buildPage() : Promise.resolve(null);
    page.catch(() => undefined);
    cluster = await start(args, (line) => show.tell(line));
    interrupt.signal.throwIfAborted();
    show.result(words.started(seconds(Date.now() - show.startedAt)));
    exitCode =
      args.show === 'page'
        ? await stayOpen(cluster, show, await page, args, interrupt.signal)
        : await play(cluster, show, args.show === 'once', interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) show.problem(words.broken(reasonOf(error)));
  }
  if (interrupt.signal.aborted) exitCode = interrupt.exitCode();
  const leftovers = await close(cluster, show);
  return leftovers === 0 ? exitCode : Math.max(exitCode, EXIT_BROKEN);
}

async function start(args: Run, progress: (line: string) => void): Promise<Cluster> {
  const runId = `demo-${randomBytes(4).toString('hex')}`;
  switch (args.cluster) {
    case 'processes':
      return startProcessCluster({ nodes: args.nodes, runId, progress });
    case 'containers': {
      // Loaded only here: without Docker nobody waits for what talks to it.
      const { startContainerCluster } = await import('../cluster/containers.ts');
      return startContainerCluster({ nodes: args.nodes, runId, progress });
    }
    case 'compose': {
      const { adoptComposeCluster } = await import('../cluster/compose.ts');
      const { COMPOSE_PROJECT_NAME: project = '', AETHEL_API_TOKEN: apiToken = '' } = process.env;
      return adoptComposeCluster({
        project: project === '' ? null : project,
        runId,
        apiToken: apiToken === '' ? null : apiToken,
      });
    }
  }
}

/** The room judges nothing by itself: leaving it is a success. */
async function stayOpen(
  cluster: Cluster,
  show: Show,
  page: PageFiles | null,
  args: Run,
  interrupt: AbortSignal,
): Promise<number> {
  if (page === null) throw new Error('the control room has no page');
  // Beside compose's nodes it runs in a container itself, and its port is published on the host's 127.0.0.1.
  const host = args.cluster === 'compose' ? '0.0.0.0' : '127.0.0.1';
  const tell = (line: string): void => show.tell(line);
  await openRoom({ cluster, page, port: args.port, host, words: show.words, tell }, interrupt);
  return EXIT.pass;
}

/** @returns the exit code of the verdict, at once or after the cluster was left to the user */
async function play(cluster: Cluster, show: Show, once: boolean, interrupt: AbortSignal): Promise<number> {
  const clients = new Clients(cluster);
  const ledger = new Ledger(clients, show.apply);
  const ended = new AbortController();
  const watching = AbortSignal.any([ended.signal, interrupt]);
  const background = [
    watchCluster({ cluster, clients, apply: show.apply }, watching),
    show.drawContinuously(watching),
  ];
  const writersEnded = new AbortController();
  const writing = writeContinuously(cluster, ledger, AbortSignal.any([writersEnded.signal, interrupt]));
  const claims: Claim[] = [];
  try {
    await playStory({
      cluster,
      clients,
      ledger,
      words: show.words,
      signal: interrupt,
      view: () => show.view,
      announce: (step) => show.announce(step),
      report: (claim) => {
        claims.push(claim);
        const text = claimText(claim, show.words);
        if (claim.outcome === 'holds') show.result(text);
        else show.problem(text);
      },
      fault: (node, fault, state) =>
        show.apply({ type: 'fault', at: Date.now(), node: node.name, fault, state }),
      endWriters: async () => {
        writersEnded.abort();
        await writing;
      },
    });
    const verdict = verdictOf(claims);
    show.verdict(verdict, claims);
    if (!once) await stay(cluster, show, interrupt);
    return EXIT[verdict];
  } finally {
    writersEnded.abort();
    ended.abort();
    await Promise.all([writing, ...background]);
    clients.close();
    show.release();
  }
}

async function stay(cluster: Cluster, show: Show, interrupt: AbortSignal): Promise<void> {
  for (const line of invitation(cluster, show.words)) show.tell(line);
  while (!interrupt.aborted) await pause(60_000, interrupt);
}

function invitation(cluster: Cluster, words: DemoWords): readonly string[] {
  const [first, second] = cluster.nodes;
  const at = first?.url ?? '';
  const token = cluster.apiToken === null ? '' : ` -H 'Authorization: Bearer ${cluster.apiToken}'`;
  return [
    '',
    words.stays,
    ...cluster.nodes.map((node) => `  ${node.name}  ${node.url}`),
    words.tryThis,
    `  curl ${at}/api/lattice/p2p/status`,
    `  curl -X PUT ${at}/api/lattice/state/greeting${token} -H 'Content-Type: application/json' -d '{"value":"hello"}'`,
    `  curl ${second?.url ?? at}/api/lattice/state/greeting`,
    `  curl -N ${at}/api/lattice/events`,
    '',
  ];
}

function reasonOf(error: unknown): string {
  if (error instanceof NodeStartError) return `${error.message}\n${error.detail}`;
  return error instanceof Error ? error.message : String(error);
}

/** @returns how many things are still there that should not be */
async function close(cluster: Cluster | null, show: Show): Promise<number> {
  if (cluster === null) return 0;
  show.tell(show.words.stopping);
  const { leftovers } = await cluster.close();
  for (const leftover of leftovers) show.tell(show.words.leftover(leftover));
  if (leftovers.length === 0) show.tell(show.words.stopped);
  return leftovers.length;
}
