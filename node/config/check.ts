/** `config check`: what a node would start with here, and what is wrong or doubtful, without starting one or making anything. */
import { lineOf, type ConfigProblem, type Inspection } from '../config.ts';
import { foreseeLogFile } from './log-file.ts';
import { SECRETS } from './secrets.ts';

export interface Report {
  readonly text: string;
  readonly isFine: boolean;
}

export function checkConfig(inspection: Inspection, isJson: boolean): Report {
  const { settings, secrets, warnings } = inspection;
  const problems = [...inspection.problems, ...problemOfLog(inspection)];
  const isFine = problems.length === 0;
  if (isJson) {
    const told = {
      ok: isFine,
      settings: Object.fromEntries(settings.map(({ name, value, from }) => [name, { value, from }])),
      secrets: Object.fromEntries(SECRETS.map((name) => [name, secrets.get(name) ?? null])),
      problems,
      warnings,
    };
    return { text: JSON.stringify(told, null, 2), isFine };
  }
  const width = Math.max(...[...settings.map(({ name }) => name), ...SECRETS].map((name) => name.length)) + 2;
  const rows = settings.map(({ name, value, from }) => `${name.padEnd(width)}${wordOf(value)}  (${from})`);
  const hidden = SECRETS.map((name) => {
    const secret = secrets.get(name);
    const what = secret === undefined ? 'not set' : `set, ${secret.bytes} bytes  (${secret.source})`;
    return `${name.padEnd(width)}${what}`;
  });
  const lines = [
    ...rows,
    ...hidden,
    ...section('warnings', warnings),
    ...section('problems', problems),
    '',
    isFine ? 'a node can start with this' : 'no node starts with this',
  ];
  return { text: lines.join('\n'), isFine };
}

function section(title: string, list: readonly ConfigProblem[]): readonly string[] {
  return list.length === 0 ? [] : ['', `${title}:`, ...list.map((one) => `  ${lineOf(one)}`)];
}

function problemOfLog({ config }: Inspection): readonly ConfigProblem[] {
  const file = config?.log.file ?? null;
  const problem = file === null ? null : foreseeLogFile(file);
  return problem === null ? [] : [{ name: 'AETHEL_LOG_FILE', problem }];
}

function wordOf(value: Inspection['settings'][number]['value']): string {
  if (value === null || (typeof value === 'object' && value.length === 0)) return 'not set';
  return typeof value === 'object' ? value.join(' ') : String(value);
}
