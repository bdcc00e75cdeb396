/** The core as it is unless somebody says otherwise: the knobs of every room in one place. Their docstrings say where each number is from. */
import type { CoreOptions } from './core.ts';
import { POLICY_DEFAULTS } from './mode/policy.ts';
import { SKETCH_DEFAULTS } from './state/sketch/sketch.ts';

export const CORE_DEFAULTS: CoreOptions = {
  policy: POLICY_DEFAULTS,
  detector: {
    suspicionMs: 1_000,
    suspectMs: 600,
    restingSuspectMs: 700,
    httpFreshMs: 3_000,
    httpWarmMs: 25_000,
    attentiveStepMs: 400,
  },
  mode: { returnAfterMs: 300, returnMaxMs: 5_000, steadyMs: 5_000 },
  aheadMaxMs: 60_000,
  sketch: SKETCH_DEFAULTS,
};
