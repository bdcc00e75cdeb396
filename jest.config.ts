import type { Config } from 'jest';

/**
 * ESM TypeScript through swc; the pinned Node reads this file without a loader.
 * Container scenarios are not unit tests: they run by `npm run chaos`.
 */
const config: Config = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
      },
    ],
  },
  testMatch: ['<rootDir>/{node,sim,chaos,dashboard,bench,scripts,test}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 2,
  testTimeout: 30_000,
};

export default config;
