/**
 * What a run would do, without doing it: the steps in their order, and for each the rules as they would be loaded. Nodes get
 * their addresses when they start; here addresses of documentation (RFC 5737) stand for them.
 */
import { NetworkRules } from '../faults/network-rules.ts';
import { isNftSpec, NftFault } from '../faults/nft-fault.ts';
import type { Sidecar } from '../faults/sidecar.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { Schedule, Step } from '../schedule/schedule.ts';
import type { Scenario } from '../scenarios/scenario.ts';

export interface PlanOf {
  readonly scenario: Scenario;
  readonly world: string;
  readonly nodes: number;
  readonly rounds: number;
  readonly durationMs: number | null;
  readonly seed: number;
  /** played instead of what the seed would make */
  readonly schedule: Schedule | null;
}

export function renderPlan({
  scenario,
  world,
  nodes,
  rounds,
  durationMs,
  seed,
  schedule: given,
}: PlanOf): string {
  const names = Array.from({ length: nodes }, (_, i) => `node${i + 1}`);
  const schedule =
    given ?? scenario.schedule?.({ nodes: names, seed, durationMs, supports: () => null }) ?? null;
  return [
    `${scenario.name}: ${scenario.says}`,
    `  ${nodes} ${world}, seed ${seed}${world === 'containers' ? '; 192.0.2.N stands for the address of nodeN' : ''}`,
    ...(schedule === null
      ? [
          `  ${rounds} round${rounds === 1 ? '' : 's'}, played by hand: steady state, the fault as said above, its heal, liveness`,
        ]
      : [
          `  clients: ${JSON.stringify(schedule.workloads)}`,
          ...schedule.steps.flatMap((step) => linesOf(step, world, names)),
        ]),
    '  claims:',
    ...scenario.checkers.map(({ name, claim }) => `    ${name.padEnd(16)} ${claim}`),
    '',
  ].join('\n');
}

function linesOf(step: Step, world: string, names: readonly string[]): readonly string[] {
  const { id, at, holdMs } = step;
  const when = `  #${id} at ${(at / 1000).toFixed(1)} s for ${(holdMs / 1000).toFixed(1)} s:`;
  if (step.do === 'force') return [`${when} force ${step.mode} on ${step.node}`];
  return [
    `${when} ${JSON.stringify(step.spec)}`,
    ...(world === 'containers' ? rulesOf(step.spec, names) : []),
  ];
}

function rulesOf(spec: FaultSpec, names: readonly string[]): readonly string[] {
  if (!isNftSpec(spec)) return [];
  const nodes = names.map((name, i) => ({
    name,
    state: 'running',
    address: `192.0.2.${i + 1}`,
    inside: asksNobody,
    get sidecar(): Sidecar {
      return asksNobody();
    },
  }));
  return new NftFault(spec, new NetworkRules(() => nodes)).plan().map((line) => `      ${line}`);
}

function asksNobody(): never {
  throw new Error('a plan asks nobody');
}
