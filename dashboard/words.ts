/** The words of the views, in the two languages their readers speak. */

export type Language = 'en' | 'pt';

export interface ViewWords {
  readonly node: string;
  readonly mode: string;
  readonly root: string;
  readonly peers: string;
  readonly size: string;
  readonly writes: string;
  readonly note: string;
  readonly down: string;
  readonly starting: string;
  readonly forced: string;
  readonly ago: (seconds: string) => string;
  readonly roots: (count: number) => string;
  readonly acknowledged: (count: number) => string;
  readonly failed: (count: number) => string;
}

export const VIEW_WORDS: Readonly<Record<Language, ViewWords>> = {
  en: {
    node: 'node',
    mode: 'mode',
    root: 'root',
    peers: 'peers p2p/http',
    size: 'keys',
    writes: 'writes',
    note: 'note',
    down: 'down',
    starting: 'starting',
    forced: 'forced',
    ago: (seconds) => `${seconds} s ago`,
    roots: (count) => (count === 1 ? 'one root' : `${count} roots`),
    acknowledged: (count) => `${count} ${count === 1 ? 'write' : 'writes'} acknowledged`,
    failed: (count) => `${count} refused or unanswered`,
  },
  pt: {
    node: 'nó',
    mode: 'modo',
    root: 'raiz',
    peers: 'pares p2p/http',
    size: 'chaves',
    writes: 'escritas',
    note: 'nota',
    down: 'fora do ar',
    starting: 'iniciando',
    forced: 'forçado',
    ago: (seconds) => `há ${seconds} s`,
    roots: (count) => (count === 1 ? 'uma raiz' : `${count} raízes`),
    acknowledged: (count) => `${count} ${count === 1 ? 'escrita confirmada' : 'escritas confirmadas'}`,
    failed: (count) => `${count} ${count === 1 ? 'recusada ou sem resposta' : 'recusadas ou sem resposta'}`,
  },
};

/** The language of a POSIX locale name (`pt_BR.UTF-8`), English where it is none of ours. */
export function languageOf(locale: string | undefined): Language {
  return /^pt([_.@-]|$)/i.test(locale ?? '') ? 'pt' : 'en';
}
