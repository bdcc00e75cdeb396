/** The suites that `npm run bench -- <suite>` knows. */
import { merkle } from './merkle.ts';
import { startup } from './startup.ts';
import type { Suite } from './suite.ts';
import { write } from './write.ts';

export const SUITES: readonly Suite[] = [merkle, startup, write];
