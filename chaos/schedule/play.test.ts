import { Bench } from '../checkers/checker.ts';
import { limits } from '../checkers/limits.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import { startSimulatedCluster } from '../cluster/simulated.ts';
import type { SimulatedCluster } from '../cluster/simulated.ts';
import { NodeStartError } from '../cluster/port.ts';
import type { LabCluster } from '../cluster/port.ts';
import type { Evidence, Fault } from '../faults/fault.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { History } from '../history/history.ts';
import type { HistoryLine } from '../history/line.ts';
import { LimitExceededError, ScenarioUnsupportedError } from '../scenarios/scenario.ts';
import type { Stage } from '../scenarios/scenario.ts';
import { Observer } from '../workloads/observer.ts';
import { Recorder } from '../workloads/recorder.ts';
import { playSchedule } from './play.ts';
import type { Step } from './schedule.ts';
import { seeded } from './seeded.ts';
import { NODES, scheduleOf } from './testing/small.ts';

function kill(id: number, at: number, holdMs: number): Step {
  return { id, at, holdMs, do: 'fault', spec: { kind: 'kill', nodes: ['node1'] } };
}

interface Played {
  readonly lines: readonly HistoryLine[];
  readonly proofs: readonly { readonly what: string; readonly evidence: Evidence }[];
}

async function played(
  steps: readonly Step[],
  faultOf: (real: SimulatedCluster, spec: FaultSpec) => Fault = (real, spec) => real.fault(spec),
): Promise<Played> {
  const real = startSimulatedCluster({ nodes: 3, runId: 'test', seed: 4 });
  const cluster: LabCluster = {
    world: real.world,
    runId: real.runId,
    nodes: real.nodes,
    apiToken: null,
    supports: (spec) => real.supports(spec),
    fault: (spec) => faultOf(real, spec),
    close: () => real.close(),
  };
  const { time } = real;
  const history = new History(null);
  history.goBy(time);
  const lines: HistoryLine[] = [];
  const proofs: Played['proofs'][number][] = [];
  history.listen((line) => lines.push(line));
  const members = real.nodes.map((node) => ({ node, client: real.clientOf(node) }));
  const observer = new Observer(members, history, { everyMs: 40, time });
  observer.start();
  const stage: Stage = {
    cluster,
    members,
    history,
    recorder: new Recorder(history),
    observer,
    time,
    rounds: 1,
    seed: 7,
    durationMs: null,
    schedule: null,
    random: seeded(7),
    signal: new AbortController().signal,
    progress: () => {},
    measured: () => {},
    proof: (what, evidence) => proofs.push({ what, evidence }),
  };
  try {
    await playSchedule(stage, scheduleOf(steps));
  } finally {
    await observer.stop();
    await real.close();
  }
  return { lines, proofs };
}

/** What faults did, in the order in which they did it. */
function phases(lines: readonly HistoryLine[]): readonly string[] {
  return lines.flatMap((line) => (line.type === 'fault' ? [`#${line.id} ${line.phase}`] : []));
}

describe('a schedule is played', () => {
  it('step by step, each with its proof, up to a final read of every node', async () => {
    const { lines, proofs } = await played([kill(0, 500, 1_000), kill(1, 1_500, 1_000)]);
    expect(phases(lines)).toEqual(
      [0, 1].flatMap((id) =>
        ['begun', 'complete', 'lifting', 'lifted', 'gone'].map((phase) => `#${id} ${phase}`),
      ),
    );
    expect(proofs.map(({ what, evidence }) => `${what}: ${evidence.ok}`)).toEqual([
      '#0 kill bites: true',
      '#0 kill is gone: true',
      '#1 kill bites: true',
      '#1 kill is gone: true',
    ]);
    const bench = new Bench([lostWrites, limits], NODES);
    for (const line of lines) bench.take(line);
    expect(bench.verdicts().map(({ verdict }) => verdict)).toEqual(['pass', 'pass']);
  });

  it('to its end also where a fault fails: that one is unproven, the others are not', async () => {
    let injections = 0;
    const failsOnce = (real: SimulatedCluster, spec: FaultSpec): Fault => {
      const fault = asPlain(real.fault(spec));
      return {
        ...fault,
        inject: async () => {
          injections += 1;
          if (injections === 1) throw new Error('no such rule');
          return fault.inject();
        },
      };
    };
    const { lines, proofs } = await played([kill(0, 500, 1_000), kill(1, 2_500, 1_000)], failsOnce);
    expect(phases(lines).slice(0, 4)).toEqual(['#0 begun', '#0 unproven', '#0 lifted', '#0 gone']);
    expect(phases(lines)).toContain('#1 complete');
    expect(proofs[0]).toMatchObject({
      what: '#0 kill bites',
      evidence: { ok: false, checks: [{ claim: 'no such rule', holds: false }] },
    });
    expect(lines.filter(({ type }) => type === 'final')).toHaveLength(NODES.length);
  });

  it('until a node does not start again, which is its failure', async () => {
    const neverStarts = (real: SimulatedCluster, spec: FaultSpec): Fault => ({
      ...asPlain(real.fault(spec)),
      lift: () => Promise.reject(new NodeStartError('node1', 'it ended', '')),
    });
    await expect(played([kill(0, 500, 1_000)], neverStarts)).rejects.toThrow(LimitExceededError);
  });

  it('not at all where the world cannot do one of its faults', async () => {
    const dns: Step = { id: 0, at: 0, holdMs: 1, do: 'fault', spec: { kind: 'dns', nodes: ['node1'] } };
    await expect(played([dns])).rejects.toThrow(ScenarioUnsupportedError);
  });
});

/** A fault whose methods can be replaced one by one. */
function asPlain(fault: Fault): Fault {
  return {
    name: fault.name,
    means: fault.means,
    plan: () => fault.plan(),
    inject: () => fault.inject(),
    evidence: () => fault.evidence(),
    lift: () => fault.lift(),
    heal: () => fault.heal(),
  };
}
