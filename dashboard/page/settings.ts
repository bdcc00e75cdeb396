/**
 * Language and theme: what the address asks for (`?lang=pt&theme=light`, for a projector or a screenshot), else what was
 * chosen here before, else what the browser and the system say.
 */
import { useEffect, useState } from 'preact/hooks';
import { languageOf } from '../words.ts';
import type { Language } from '../words.ts';

type Theme = 'dark' | 'light';

export interface Settings {
  readonly language: Language;
  readonly theme: Theme;
  readonly setLanguage: (language: Language) => void;
  readonly setTheme: (theme: Theme) => void;
}

export function useSettings(): Settings {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [theme, setTheme] = useState<Theme>(firstTheme);
  useEffect(() => {
    document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';
    document.documentElement.dataset['theme'] = theme;
  }, [language, theme]);
  return {
    language,
    theme,
    setLanguage: (next) => {
      keep('language', next);
      setLanguage(next);
    },
    setTheme: (next) => {
      keep('theme', next);
      setTheme(next);
    },
  };
}

function firstLanguage(): Language {
  const asked = askedFor('lang') ?? kept('language');
  return asked === 'pt' || asked === 'en' ? asked : languageOf(navigator.language);
}

function firstTheme(): Theme {
  const asked = askedFor('theme') ?? kept('theme');
  if (asked === 'dark' || asked === 'light') return asked;
  return window.matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

function askedFor(name: string): string | null {
  return new URLSearchParams(window.location.search).get(name);
}

/** A browser may keep nothing for a page. */
function kept(name: string): string | null {
  try {
    return localStorage.getItem(`aethel-${name}`);
  } catch {
    return null;
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`aethel-${name}`, value);
  } catch {
    // Then it lasts as long as the page.
  }
}
