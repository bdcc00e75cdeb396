/** The page: a header, the stage with its three views, the traffic and the recovery below it, controls and log beside it. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { BankView } from './bank.tsx';
import { Controls } from './controls.tsx';
import { figuresOf } from './format.ts';
import { Graph } from './graph.tsx';
import { Header } from './header.tsx';
import { Legend } from './legend.tsx';
import { Announcer, Log } from './log.tsx';
import { PageContext } from './page-context.ts';
import { useSettings } from './settings.ts';
import { useShown } from './store.ts';
import type { Room } from './store.ts';
import { Stopwatch } from './stopwatch.tsx';
import { TableView } from './table-view.tsx';
import { Toast } from './toast.tsx';
import { TourStrip } from './tour.tsx';
import { Traffic } from './traffic.tsx';
import { PAGE_WORDS } from './words.ts';

const VIEWS = ['lattice', 'bank', 'table'] as const;

export function App({ room }: { readonly room: Room }) {
  const { view, isStale } = useShown(room);
  const settings = useSettings();
  const [tab, setTab] = useState<(typeof VIEWS)[number]>('lattice');
  const [selected, select] = useState<string | null>(null);
  const [isDrawing, setDrawing] = useState(false);
  const [complaint, setComplaint] = useState<string | null>(null);
  const words = PAGE_WORDS[settings.language];
  const figures = useMemo(() => figuresOf(settings.language), [settings.language]);
  const endDrawing = useCallback(() => setDrawing(false), []);
  const act = useCallback<Room['send']>(
    async (command) => {
      const reason = await room.send(command);
      setComplaint(reason);
      return reason;
    },
    [room],
  );
  useEffect(() => {
    document.title = `Aethel Lattice · ${words.room}`;
  }, [words]);

  if (view === null) return <p class="connecting">{words.connecting}</p>;
  const page = { room, view, isStale, language: settings.language, words, figures, selected, select, act };
  return (
    <PageContext.Provider value={page}>
      <div class={`room${isStale ? ' is-stale' : ''}`}>
        <Header settings={settings} />
        <main>
          <section class="panel stage" aria-label={words.views}>
            <div class="stage-head">
              <div class="tabs" role="group" aria-label={words.views}>
                {VIEWS.map((name) => (
                  <button key={name} type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
                    {words[name]}
                  </button>
                ))}
              </div>
              {tab === 'lattice' && <Legend />}
            </div>
            <TourStrip />
            {tab === 'lattice' && <Graph isDrawing={isDrawing} endDrawing={endDrawing} />}
            {tab === 'bank' && <BankView />}
            {tab === 'table' && <TableView />}
            {isDrawing && <p class="drawing-hint">{words.drawHint}</p>}
          </section>
          <Traffic />
          <Stopwatch />
          <Controls
            draw={() => {
              setTab('lattice');
              setDrawing(true);
            }}
          />
          <Log />
        </main>
        <Announcer />
        <Toast text={complaint} close={() => setComplaint(null)} />
      </div>
    </PageContext.Provider>
  );
}
