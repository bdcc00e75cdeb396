/** The arrows of docs/ARCHITECTURE.md: who may import whom. Run by `npm run check:arrows`. */
const TESTS = '\\.(test|fixture)\\.ts$';
const room = (name) => `^node/${name}/`;
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'protocol-is-pure',
      comment: 'protocol imports itself and synchronous pure functions: a hash, a signature, a codec',
      severity: 'error',
      from: { path: room('protocol'), pathNot: TESTS },
      to: {
        pathNot: [
          room('protocol'),
          '^node:crypto$',
          '^crypto$',
          '^sodium-native$',
          '^multiformats/',
          'node_modules/(sodium-native|multiformats)/',
        ],
      },
    },
    {
      name: 'state-knows-no-other-room',
      severity: 'error',
      from: { path: room('protocol/state') },
      to: { path: room('protocol/(gossip|sync|monitor|mode)') },
    },
    {
      name: 'gossip-and-sync-are-strangers',
      severity: 'error',
      from: { path: room('protocol/(gossip|sync)'), pathNot: TESTS },
      to: { path: room('protocol/(gossip|sync|monitor|mode)'), pathNot: '^node/protocol/$1/' },
    },
    {
      name: 'monitor-knows-no-other-room',
      severity: 'error',
      from: { path: room('protocol/monitor') },
      to: { path: room('protocol/(gossip|sync|mode|state)') },
    },
    {
      name: 'mode-knows-only-monitor',
      severity: 'error',
      from: { path: room('protocol/mode') },
      to: { path: room('protocol/(gossip|sync|state)') },
    },
    {
      name: 'adapters-do-not-know-each-other',
      comment: 'runtime, lungs, storage, signing, http, observe import ports and protocol, never one another',
      severity: 'error',
      from: { path: '^node/(runtime|lungs|storage|signing|http|observe)/', pathNot: TESTS },
      to: { path: '^node/(runtime|lungs|storage|signing|http|observe)/', pathNot: '^node/$1/' },
    },
    {
      name: 'only-compose-composes',
      severity: 'error',
      from: { path: '^node/(runtime|lungs|storage|signing|http|observe|protocol)/' },
      to: { path: '^node/((main|compose|config)\\.ts$|config/)' },
    },
    {
      name: 'sim-imports-protocol',
      severity: 'error',
      from: { path: '^sim/' },
      to: { path: '^(node|chaos|dashboard|bench|scripts)/', pathNot: room('protocol') },
    },
    {
      name: 'chaos-sees-the-contract-only',
      severity: 'error',
      from: { path: '^chaos/' },
      to: { path: '^(node|bench|test)/', pathNot: ['^node/http/schemas', room('protocol')] },
    },
    {
      name: 'dashboard-imports-types-and-schemas',
      severity: 'error',
      from: { path: '^dashboard/' },
      to: { path: '^(node|chaos|sim|bench|scripts)/', pathNot: ['^node/http/schemas', room('protocol')] },
    },
    {
      name: 'nothing-imports-bench-or-test',
      severity: 'error',
      from: { path: '^(node|sim|chaos|dashboard|scripts)/', pathNot: TESTS },
      to: { path: '^(bench|test)/' },
    },
    {
      name: 'libp2p-lives-in-one-room',
      severity: 'error',
      from: { pathNot: ['^node/lungs/p2p/', '^test/', '^bench/'] },
      to: { path: 'node_modules/(@libp2p|libp2p|@chainsafe|@multiformats)/' },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
