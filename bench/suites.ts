/** The suites that `npm run bench -- <suite>` knows. */
import { failover } from './failover.ts';
import { merkle } from './merkle.ts';
import { startup } from './startup.ts';
import type { Suite } from './suite.ts';
import { sync } from './sync.ts';
import { write } from './write.ts';

export const SUITES: readonly Suite[] = [failover, merkle, startup, sync, write];
