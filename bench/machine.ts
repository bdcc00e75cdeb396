/** Where numbers come from: they mean little without the machine and the versions. */
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly platform: string;
  readonly node: string;
  /** of what ran beside ours */
  readonly packages: Readonly<Record<string, string>>;
}

export function describeMachine(packages: readonly string[]): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.arch()} ${os.release()}`,
    node: process.version,
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name) ?? 'missing'])),
  };
}

/** The packages that are not installed beside this file. */
export function missing(packages: readonly string[]): readonly string[] {
  return packages.filter((name) => versionOf(name) === null);
}

function versionOf(name: string): string | null {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  if (!existsSync(file)) return null;
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version?: unknown };
  return typeof version === 'string' ? version : null;
}
