/**
 * `npm run build`: the node bundled, dist/aethel-node.mjs and beside it what it loads piece by piece (node/load.ts), the programs of
 * its threads, and dist/node_modules with the packages that hold native code and therefore cannot be
 * bundled, each with all it needs, in the versions of the lock file. dist/ runs anywhere with the pinned Node: copy it,
 * start it. Some dozens of files start three times quicker than a thousand small ones.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = path.join(ROOT, 'dist');
const NATIVE = ['fs-native-extensions', 'lmdb', 'sodium-native'];
/** The address of this very platform's prebuilt binaries, as prebuildify names them. */
const PREBUILT = `${process.platform}-${process.arch}`;

/**
 * An ES module that imports node:http reads every name that it exports, and with the name WebSocket Node loads undici, which
 * takes 40 ms of a start. `require` does not.
 */
const required: Plugin = {
  name: 'required',
  setup(bundling) {
    bundling.onResolve({ filter: /^(node:)?https?$/ }, ({ path: name, kind }) =>
      kind === 'import-statement' ? { path: name, namespace: 'required' } : null,
    );
    bundling.onLoad({ filter: /.*/, namespace: 'required' }, ({ path: name }) => ({
      contents: `module.exports = require('${name}');`,
    }));
  },
};

rmSync(DIST, { recursive: true, force: true });
await bundle('aethel-node', 'node/main.ts');
// A thread starts from a file of its own, beside what starts it.
await bundle('verifying-worker', 'node/signing/verifying-worker.ts');
await bundle('writing-worker', 'node/storage/writing-worker.ts');
const copied = new Set<string>();
for (const name of NATIVE) copyPackage(name, ROOT);
const files = readdirSync(DIST).filter((name) => name.endsWith('.mjs'));
const bytes = files.reduce((sum, name) => sum + statSync(path.join(DIST, name)).size, 0);
console.log(
  `dist/aethel-node.mjs: ${Math.round(bytes / 1024)} KiB in ${files.length} files, and ${copied.size} packages beside them`,
);

async function bundle(name: string, source: string): Promise<void> {
  await build({
    entryPoints: [{ in: path.join(ROOT, source), out: name }],
    outdir: DIST,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // A module that is imported later is read later: what answers first is small.
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: NATIVE,
    plugins: [required],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
    // CommonJS packages inside the bundle call require(), which an ES module does not have.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
  });
}

/** Copies an installed package and, transitively, what it needs, keeping the nesting that npm chose. */
function copyPackage(name: string, importer: string): void {
  const source = locate(name, importer);
  // Not there: an optional dependency for another platform.
  if (source === null || copied.has(source)) return;
  copied.add(source);
  const target = path.join(DIST, path.relative(ROOT, source));
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(source, target, { recursive: true, filter: (file) => isWanted(path.relative(source, file)) });
  const manifest = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  for (const needed of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    copyPackage(needed, source);
  }
}

/** As Node resolves: the nearest node_modules upwards. */
function locate(name: string, importer: string): string | null {
  for (let directory = importer; ; directory = path.dirname(directory)) {
    const candidate = path.join(directory, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
    if (directory === ROOT || directory === path.dirname(directory)) return null;
  }
}

/** Nested packages are copied on their own; other platforms' binaries and C sources are never loaded. */
function isWanted(file: string): boolean {
  const [top, second] = file.split(path.sep);
  if (top === 'node_modules' || top === 'deps' || top === 'dependencies' || top === 'src') return false;
  if (top === 'prebuilds' && second !== undefined) return second === PREBUILT;
  return !file.endsWith('.map') && !file.endsWith('.md') && !file.endsWith('.c');
}
