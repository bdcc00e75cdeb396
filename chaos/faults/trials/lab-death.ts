/**
 * What becomes of a run whose lab is killed in the middle of its faults: the guardian lets everything go on, the kernel
 * lifts the rules where even the guardian is dead, and `chaos heal` leaves nothing.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectEngine, executeIn, listLabelled } from '../../cluster/engine.ts';
import { poll } from '../../cluster/poll.ts';
import type { World } from '../../cluster/port.ts';
import { DIRECTORY_PREFIX, isNodeOf, readRunFile } from '../../cluster/run-file.ts';
import { heal } from '../../heal.ts';
import type { Check } from '../fault.ts';
import { TABLE_PREFIX } from '../nft.ts';
import type { Outcome, Phase } from './bench.ts';

const DOOMED = fileURLToPath(new URL('./doomed-lab.ts', import.meta.url));
const STOP_BUDGET_MS = 5_000;
const OPEN_BUDGET_MS = 120_000;
/** The guardian is there within two seconds; a lease lasts 45. */
const LIFT_BUDGET_MS = { guardian: 20_000, lease: 70_000 } as const;

/** What there is of the run now that should end with the lab. */
interface Standing {
  readonly stopped: readonly string[];
  readonly ruled: readonly string[];
  readonly left: readonly string[];
}

/** @param saviour lease: the guardian is killed as well, and its freeze stays for `heal`; @param main what runs as a node, in processes */
export async function tryLabDeath(
  world: World,
  saviour: 'guardian' | 'lease',
  main?: string,
): Promise<Outcome> {
  const runId = `doomed-${process.pid}-${randomInt(0x1_0000).toString(16)}`;
  const lab = spawn(process.execPath, [DOOMED, world, runId, ...(main === undefined ? [] : [main])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const look = world === 'containers' ? () => lookAtContainers(runId) : async () => lookAtProcesses(runId);
  const reason = saviour === 'guardian' ? 'SIGKILL to the lab' : 'SIGKILL to the lab and to its guardian';
  try {
    await struck(lab.stdout);
    // A signal is taken when the process is next scheduled, which may be a while on a busy machine.
    const before =
      (await poll(async () => stoppedOrNull(await look()), { everyMs: 50, budgetMs: STOP_BUDGET_MS })) ??
      (await look());
    const bites = phase(performance.now(), [
      { claim: `stands still: ${before.stopped.join(', ')}`, holds: before.stopped.length > 0 },
      {
        claim: `holds rules: ${before.ruled.join(', ')}`,
        holds: world === 'processes' || before.ruled.length === 3,
      },
    ]);
    const startedAt = performance.now();
    if (saviour === 'lease') for (const pid of guardiansOf(runId)) process.kill(pid, 'SIGKILL');
    lab.kill('SIGKILL');
    await once(lab, 'exit');
    const lifted = await poll(
      async () => {
        const { stopped, ruled } = await look();
        return ruled.length === 0 && (saviour === 'lease' || stopped.length === 0) ? true : null;
      },
      { everyMs: 250, budgetMs: LIFT_BUDGET_MS[saviour] },
    );
    const liftedMs = Math.round(performance.now() - startedAt);
    const lines: string[] = [];
    const healed = await heal({ force: false }, (line) => lines.push(line));
    const after = await look();
    const heals = phase(startedAt, [
      { claim: `everything was lifted ${liftedMs} ms after the lab’s death`, holds: lifted === true },
      { claim: `heal says: ${lines.at(-1)}`, holds: healed === 0 },
      { claim: `nothing is left of the run (${after.left.join(', ')})`, holds: after.left.length === 0 },
      { claim: 'its guardian has gone', holds: guardiansOf(runId).length === 0 },
    ]);
    return { state: bites.ok && heals.ok ? 'proven' : 'failed', reason, bites, heals };
  } finally {
    lab.kill('SIGKILL');
  }
}

function stoppedOrNull(standing: Standing): Standing | null {
  return standing.stopped.length > 0 ? standing : null;
}

async function struck(output: NodeJS.ReadableStream): Promise<void> {
  const signal = AbortSignal.timeout(OPEN_BUDGET_MS);
  for (let text = ''; !text.includes('struck');) {
    const [chunk] = (await once(output, 'data', { signal })) as [Buffer];
    text += chunk.toString();
  }
}

async function lookAtContainers(runId: string): Promise<Standing> {
  const engine = await connectEngine();
  const found = await listLabelled(engine, runId);
  const stopped: string[] = [];
  const ruled: string[] = [];
  for (const { kind, id, name } of found) {
    if (kind !== 'container') continue;
    const container = engine.container.getById(id);
    if ((await container.inspect()).State.Paused) stopped.push(name);
    else if (name.endsWith('-faults') && (await holdsRules(container))) ruled.push(name);
  }
  return { stopped, ruled, left: found.map(({ kind, name }) => `${kind} ${name}`) };
}

/** Rules bite while their lease does; a table whose lease has run out lets everything pass. */
async function holdsRules(container: Parameters<typeof executeIn>[0]): Promise<boolean> {
  const said = await executeIn(container, ['sh', '-c', 'nft list ruleset']);
  return said.includes(`table inet ${TABLE_PREFIX}_`) && said.includes('expires');
}

function lookAtProcesses(runId: string): Standing {
  const directory = path.join(os.tmpdir(), DIRECTORY_PREFIX + runId);
  const nodes = (readRunFile(directory)?.nodes ?? []).filter((pid) => isNodeOf(pid, directory));
  return {
    stopped: nodes.filter((pid) => stateOf(pid) === 'T').map((pid) => `process ${pid}`),
    ruled: [],
    left: [...nodes.map((pid) => `process ${pid}`), ...(existsSync(directory) ? [directory] : [])],
  };
}

/** One letter: R and S go on, T is stopped. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}

function guardiansOf(runId: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const command = commandOf(pid);
      return command.includes('last-will.ts') && command.includes(runId);
    });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function phase(startedAt: number, checks: readonly Check[]): Phase {
  return {
    ok: checks.every(({ holds }) => holds),
    tookMs: performance.now() - startedAt,
    checks,
  };
}
