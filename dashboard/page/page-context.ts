/** What every part of the page is drawn with: the room, the language, its figures. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { RoomView } from '../room/model.ts';
import type { Language } from '../words.ts';
import type { Figures } from './format.ts';
import type { Room } from './store.ts';
import type { PageWords } from './words.ts';

export interface Page {
  readonly room: Room;
  readonly view: RoomView;
  readonly isStale: boolean;
  readonly language: Language;
  readonly words: PageWords;
  readonly figures: Figures;
  /** the node that the controls are about; null: all of them */
  readonly selected: string | null;
  readonly select: (node: string | null) => void;
  /** Sends a command; what the lab says against it is shown. */
  readonly act: Room['send'];
}

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === null) throw new Error('used outside of the page');
  return page;
}
