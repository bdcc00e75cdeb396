/**
 * A ClusterView as a table for a terminal: the same view gives the same lines.
 *
 * Colours of roots are taken from the root itself, so that nodes that agree look alike at a glance and a stray one
 * stands out; without ANSI the first characters of the root say the same.
 */
import type { SyncMode } from '../node/protocol/events.ts';
import type { ClusterView, NodeView, StoryLine } from './view.ts';
import { rootsOf } from './view.ts';
import { VIEW_WORDS } from './words.ts';
import type { Language, ViewWords } from './words.ts';

export interface TableOptions {
  readonly language: Language;
  readonly ansi: boolean;
  /** characters per line; longer lines are cut */
  readonly columns: number;
  /** newest lines of the story shown under the table */
  readonly storyLines: number;
}

/** @returns lines without line ends, none wider than `columns` */
export function renderTable(view: ClusterView, options: TableOptions): readonly string[] {
  const words = VIEW_WORDS[options.language];
  const rows = view.nodes.map((node) => cellsOf(node, view.now, words));
  const headings = [words.node, words.mode, words.root, words.peers, words.size, words.writes, words.note];
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((cells) => cells[column]?.text.length ?? 0)),
  );
  const line = (cells: readonly Cell[]): string => joined(cells, widths, options);
  const story = options.storyLines > 0 ? view.story.slice(-options.storyLines) : [];
  return [
    joined([{ text: summaryOf(view, words), style: 'bold' }], [], options),
    line(headings.map((text) => ({ text, style: 'dim' }))),
    ...rows.map(line),
    ...story.map((told) => joined([storyCell(told, view.startedAt)], [], options)),
  ];
}

/** One line for outputs that are no terminal: modes and roots at a glance. */
export function renderLine(view: ClusterView, language: Language): string {
  const words = VIEW_WORDS[language];
  const nodes = view.nodes.map((node) => {
    if (node.reach === 'down') return `${node.name} ${words.down}`;
    if (node.said === null) return `${node.name} ${words.starting}`;
    return `${node.name} ${node.said.mode} ${shortRoot(node.said.root)}`;
  });
  return [summaryOf(view, words), ...nodes].join(' | ');
}

function shortRoot(root: string): string {
  return root.slice(0, 8);
}

/** `12.3`: ms as seconds. */
export function seconds(ms: number, decimals = 1): string {
  return (ms / 1000).toFixed(decimals);
}

type Style = 'plain' | 'bold' | 'dim' | 'good' | 'warn' | 'bad' | { readonly root: string };

interface Cell {
  readonly text: string;
  readonly style: Style;
}

function summaryOf(view: ClusterView, words: ViewWords): string {
  const parts = [`${seconds(view.now - view.startedAt)} s`];
  if (view.writes.acknowledged > 0) parts.push(words.acknowledged(view.writes.acknowledged));
  if (view.writes.failed > 0) parts.push(words.failed(view.writes.failed));
  const roots = rootsOf(view).length;
  if (roots > 0) parts.push(words.roots(roots));
  return parts.join(' · ');
}

function cellsOf(node: NodeView, now: number, words: ViewWords): readonly Cell[] {
  const { said } = node;
  const quiet = node.reach !== 'up' || said === null;
  return [
    { text: node.name, style: 'bold' },
    quiet ? { text: '-', style: 'dim' } : { text: said.mode, style: MODE_STYLES[said.mode] },
    said === null
      ? { text: '-', style: 'dim' }
      : { text: shortRoot(said.root), style: quiet ? 'dim' : { root: said.root } },
    quiet ? { text: '-', style: 'dim' } : { text: `${said.aliveP2p}/${said.aliveHttp}`, style: 'plain' },
    said === null ? { text: '-', style: 'dim' } : { text: String(said.size), style: quiet ? 'dim' : 'plain' },
    { text: String(node.writes.acknowledged), style: 'plain' },
    noteOf(node, now, words),
  ];
}

const MODE_STYLES: Readonly<Record<SyncMode, Style>> = { P2P: 'good', HTTP: 'warn', NONE: 'bad' };

/** How long a change of lung is worth a note. */
const SWITCH_NOTED_MS = 15_000;

function noteOf(node: NodeView, now: number, words: ViewWords): Cell {
  const parts: string[] = [];
  if (node.reach === 'down') parts.push(words.down);
  if (node.reach === 'unknown') parts.push(words.starting);
  parts.push(...node.faults);
  const forced = node.said?.forcedMode ?? null;
  if (node.reach === 'up' && forced !== null) parts.push(`${words.forced} ${forced}`);
  const change = node.lastSwitch;
  if (node.reach === 'up' && change !== null && now - change.at < SWITCH_NOTED_MS) {
    parts.push(`${change.from}→${change.to} ${words.ago(seconds(Math.max(0, now - change.at)))}`);
  }
  const isHurt = node.reach === 'down' || node.faults.length > 0;
  return { text: parts.join(', '), style: isHurt ? 'bad' : 'dim' };
}

function storyCell(line: StoryLine, startedAt: number): Cell {
  const styles = { step: 'bold', result: 'good', problem: 'bad' } as const;
  return { text: storyText(line, startedAt), style: styles[line.kind] };
}

/** `[ 12.3 s] ✓ text` */
export function storyText(line: StoryLine, startedAt: number): string {
  const marks = { step: '▶', result: '✓', problem: '✗' } as const;
  return `[${seconds(line.at - startedAt).padStart(5)} s] ${marks[line.kind]} ${line.text}`;
}

/** Pads, cuts at the terminal's edge, and only then colours, so that no escape sequence is ever cut. */
function joined(cells: readonly Cell[], widths: readonly number[], options: TableOptions): string {
  let left = options.columns;
  const parts: string[] = [];
  for (const [column, cell] of cells.entries()) {
    const last = column === cells.length - 1;
    const text = printable(cell.text).padEnd(last ? 0 : (widths[column] ?? 0) + 2);
    const shown = text.length <= left ? text : left > 1 ? `${text.slice(0, left - 1)}…` : '';
    left -= shown.length;
    parts.push(options.ansi ? styled(shown, cell.style) : shown);
    if (shown.length < text.length) break;
  }
  return options.ansi ? parts.join('') : parts.join('').trimEnd();
}

/** What a node says of itself must not be able to move our cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}

function styled(text: string, style: Style): string {
  if (style === 'plain' || text === '') return text;
  return `\u001b[${typeof style === 'string' ? STYLE_CODES[style] : rootCode(style.root)}m${text}\u001b[0m`;
}

const STYLE_CODES = { bold: '1', dim: '2', good: '32', warn: '33', bad: '31;1' } as const;

/** One of the 6×6×6 colours, never one too dark to read on black: each channel from a third of the root's first bytes. */
export function rootCode(root: string): string {
  const channels = [0, 2, 4].map((at) => 1 + ((Number.parseInt(root.slice(at, at + 2), 16) || 0) % 5));
  const [red = 1, green = 1, blue = 1] = channels;
  return `38;5;${16 + 36 * red + 6 * green + blue}`;
}
