/** What the demo says, in two languages. */
import type { Language } from '../../dashboard/words.ts';

/** What the demo claims of the cluster, each with its own evidence. */
export type ClaimName =
  | 'steady'
  | 'cutBites'
  | 'failover'
  | 'carriedOut'
  | 'carriedIn'
  | 'healed'
  | 'failback'
  | 'freshAfterHeal'
  | 'survivors'
  | 'caughtUp'
  | 'equalRoots'
  | 'nothingLost';

export interface DemoWords {
  readonly help: string;
  readonly mistake: (message: string) => string;
  readonly starting: Readonly<Record<'processes' | 'containers', (nodes: number) => string>>;
  readonly adopting: string;
  readonly started: (seconds: string) => string;
  readonly portTaken: (wanted: number, port: number) => string;
  readonly open: (url: string) => string;
  readonly expectSteady: (others: number) => string;
  readonly cut: (node: string, means: string) => string;
  readonly heal: (node: string) => string;
  readonly kill: (node: string) => string;
  readonly restart: (node: string) => string;
  readonly finish: string;
  readonly claims: Readonly<Record<ClaimName, string>>;
  readonly held: (claim: string, seconds: string) => string;
  readonly failed: (claim: string) => string;
  readonly unproven: (claim: string) => string;
  readonly swallowed: (chunks: number) => string;
  readonly read: (keys: number, nodes: number) => string;
  readonly missing: (node: string, key: string) => string;
  readonly verdict: Readonly<Record<'pass' | 'fail' | 'inconclusive', string>>;
  readonly stays: string;
  readonly tryThis: string;
  readonly stopping: string;
  readonly stopped: string;
  readonly leftover: (what: string) => string;
  readonly broken: (reason: string) => string;
}

export const DEMO_WORDS: Readonly<Record<Language, DemoWords>> = {
  en: {
    help: [
      'Five nodes on this machine, without Docker, and a page on which you see the lattice breathe, and break it.',
      '',
      '  npm run demo                   the control room, on http://127.0.0.1:7000 until Ctrl-C',
      '  npm run demo -- --port 7100    on another port (default: 7000, or the next one that is free)',
      '  npm run demo -- --cluster containers    nodes in containers (needs Docker) instead of processes',
      '  npm run demo -- --terminal     a story in the terminal: cuts a lung, kills a node, judges; then stays up',
      '  npm run demo -- --once         the same, and ends after the verdict',
      '  npm run demo -- --nodes 3      3 to 10 nodes (default 5)',
      '  npm run demo -- --lang pt      en | pt (default: the locale)',
      '',
      'Exit code: 0 pass, 1 fail, 2 inconclusive (a fault could not be proven), 3 the demo itself failed, 130 Ctrl-C.',
    ].join('\n'),
    mistake: (message) => `${message}\nnpm run demo -- --help shows what is possible.`,
    starting: {
      processes: (nodes) => `Starting ${nodes} nodes on loopback`,
      containers: (nodes) => `Starting ${nodes} nodes in containers`,
    },
    adopting: 'Looking for the nodes of docker compose',
    started: (seconds) => `every node answers after ${seconds} s`,
    portTaken: (wanted, port) => `Port ${wanted} is taken: using ${port}.`,
    open: (url) => `The control room is open:  ${url}   (Ctrl-C ends it)`,
    expectSteady: (others) => `Steady state. Expected: each node hears ${others} others by P2P, one root`,
    cut: (node, means) =>
      `Cutting the P2P lung of ${node} (${means}). Expected: ${node} goes HTTP, writes still arrive everywhere`,
    heal: (node) => `Lifting the cut. Expected: ${node} dials anew by itself and returns to P2P`,
    kill: (node) => `SIGKILL to ${node}. Expected: the others go on taking writes`,
    restart: (node) => `Starting ${node} again. Expected: it still has what it acknowledged, and catches up`,
    finish: 'Ending the writers. Expected: equal roots with a fresh write, and no acknowledged write lost',
    claims: {
      steady: 'all P2P, one root',
      cutBites: 'the cut bites',
      failover: 'the cut node breathes HTTP',
      carriedOut: 'a write made on the cut node right after the cut is on all nodes',
      carriedIn: 'a write made elsewhere right after the cut is on the cut node',
      healed: 'the cut is lifted',
      failback: 'the node is back to P2P',
      freshAfterHeal: 'a write made after the heal is on all nodes, one root',
      survivors: 'a write made after the kill is on all that live',
      caughtUp: 'from its start, the killed node has what it missed and breathes P2P',
      equalRoots: 'a fresh write is on all nodes, one root',
      nothingLost: 'no acknowledged write is lost',
    },
    held: (claim, seconds) => `${claim}: ${seconds} s`,
    failed: (claim) => `NOT SO: ${claim}`,
    unproven: (claim) => `not proven: ${claim}`,
    swallowed: (chunks) => `${chunks} chunks kept back`,
    read: (keys, nodes) => `${keys} keys read on ${nodes} nodes`,
    missing: (node, key) => `${node} lacks ${key}`,
    verdict: { pass: 'PASS', fail: 'FAIL', inconclusive: 'INCONCLUSIVE' },
    stays: 'The cluster stays up until Ctrl-C:',
    tryThis: 'Try:',
    stopping: 'Stopping',
    stopped: 'Stopped; nothing left behind.',
    leftover: (what) => `left behind: ${what}`,
    broken: (reason) => `The demo itself failed: ${reason}`,
  },
  pt: {
    help: [
      'Cinco nós nesta máquina, sem Docker, e uma página em que se vê a malha respirar, e se pode quebrá-la.',
      '',
      '  npm run demo                   a sala de controle, em http://127.0.0.1:7000 até Ctrl-C',
      '  npm run demo -- --port 7100    em outra porta (padrão: 7000, ou a próxima livre)',
      '  npm run demo -- --cluster containers    nós em contêineres (requer Docker) em vez de processos',
      '  npm run demo -- --terminal     uma história no terminal: corta um pulmão, mata um nó, julga; depois fica de pé',
      '  npm run demo -- --once         a mesma, e termina após o veredito',
      '  npm run demo -- --nodes 3      de 3 a 10 nós (padrão: 5)',
      '  npm run demo -- --lang pt      en | pt (padrão: o idioma do sistema)',
      '',
      'Código de saída: 0 passou, 1 falhou, 2 inconclusivo (falta sem prova), 3 a própria demo falhou, 130 Ctrl-C.',
    ].join('\n'),
    mistake: (message) => `${message}\nnpm run demo -- --help mostra o que é possível.`,
    starting: {
      processes: (nodes) => `Iniciando ${nodes} nós em loopback`,
      containers: (nodes) => `Iniciando ${nodes} nós em contêineres`,
    },
    adopting: 'Procurando os nós do docker compose',
    started: (seconds) => `todos os nós respondem após ${seconds} s`,
    portTaken: (wanted, port) => `A porta ${wanted} está ocupada: usando ${port}.`,
    open: (url) => `A sala de controle está aberta:  ${url}   (Ctrl-C encerra)`,
    expectSteady: (others) => `Estado estável. Esperado: cada nó ouve ${others} outros por P2P, uma só raiz`,
    cut: (node, means) =>
      `Cortando o pulmão P2P de ${node} (${means}). Esperado: ${node} passa a HTTP e as escritas ainda chegam a todos`,
    heal: (node) => `Removendo o corte. Esperado: ${node} reconecta sozinho e volta a P2P`,
    kill: (node) => `SIGKILL em ${node}. Esperado: os outros continuam aceitando escritas`,
    restart: (node) =>
      `Iniciando ${node} de novo. Esperado: ele ainda tem o que confirmou e recupera o que perdeu`,
    finish:
      'Encerrando os escritores. Esperado: raízes iguais com uma escrita nova, nenhuma escrita confirmada perdida',
    claims: {
      steady: 'todos em P2P, uma só raiz',
      cutBites: 'o corte tem efeito',
      failover: 'o nó cortado respira HTTP',
      carriedOut: 'uma escrita feita no nó cortado, logo após o corte, está em todos os nós',
      carriedIn: 'uma escrita feita em outro nó, logo após o corte, está no nó cortado',
      healed: 'o corte foi removido',
      failback: 'o nó voltou a P2P',
      freshAfterHeal: 'uma escrita feita após o restabelecimento está em todos os nós, uma só raiz',
      survivors: 'uma escrita feita após a morte está em todos os nós vivos',
      caughtUp: 'desde o início, o nó morto tem o que perdeu e respira P2P',
      equalRoots: 'uma escrita nova está em todos os nós, uma só raiz',
      nothingLost: 'nenhuma escrita confirmada foi perdida',
    },
    held: (claim, seconds) => `${claim}: ${seconds.replace('.', ',')} s`,
    failed: (claim) => `NÃO É ASSIM: ${claim}`,
    unproven: (claim) => `sem prova: ${claim}`,
    swallowed: (chunks) => `${chunks} pedaços retidos`,
    read: (keys, nodes) => `${keys} chaves lidas em ${nodes} nós`,
    missing: (node, key) => `falta em ${node}: ${key}`,
    verdict: { pass: 'PASSOU', fail: 'FALHOU', inconclusive: 'INCONCLUSIVO' },
    stays: 'O cluster fica de pé até Ctrl-C:',
    tryThis: 'Experimente:',
    stopping: 'Parando',
    stopped: 'Parado; nada ficou para trás.',
    leftover: (what) => `ficou para trás: ${what}`,
    broken: (reason) => `A própria demo falhou: ${reason}`,
  },
};
