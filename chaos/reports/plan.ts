/** What a run would do, without doing it. */
import type { Scenario } from '../scenarios/scenario.ts';

export interface PlanOf {
  readonly scenario: Scenario;
  readonly world: string;
  readonly nodes: number;
  readonly rounds: number;
  readonly durationMs: number | null;
  readonly seed: number;
}

export function renderPlan({ scenario, world, nodes, rounds, seed }: PlanOf): string {
  return [
    `${scenario.name}: ${scenario.says}`,
    `  ${nodes} ${world}, ${rounds} round${rounds === 1 ? '' : 's'}, seed ${seed}`,
    '',
  ].join('\n');
}
