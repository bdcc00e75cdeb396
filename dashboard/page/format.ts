/** Figures as their reader's language writes them. */
import type { Language } from '../words.ts';

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', pt: 'pt-BR' };

export interface Figures {
  readonly count: (value: number) => string;
  /** with one decimal */
  readonly rate: (value: number) => string;
  /** cents as reais */
  readonly money: (cents: number) => string;
  /** `0.41 s`, `12.3 s`, `1:02 min`, `1:02:03 h` */
  readonly duration: (ms: number) => string;
  /** `00:12`, from the start of the session */
  readonly clock: (ms: number) => string;
}

export function figuresOf(language: Language): Figures {
  const locale = LOCALES[language];
  const whole = new Intl.NumberFormat(locale);
  const decimal = (digits: number): Intl.NumberFormat =>
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const [none, one, two] = [decimal(0), decimal(1), decimal(2)];
  const currency = new Intl.NumberFormat(locale, { style: 'currency', currency: 'BRL' });
  return {
    count: (value) => whole.format(value),
    rate: (value) => one.format(value),
    money: (cents) => currency.format(cents / 100),
    duration: (ms) => {
      if (ms < 1000) return `${none.format(ms)} ms`;
      if (ms < 10_000) return `${two.format(ms / 1000)} s`;
      if (ms < 60_000) return `${one.format(ms / 1000)} s`;
      const seconds = Math.floor(ms / 1000);
      const minutes = Math.floor(seconds / 60);
      if (minutes < 60) return `${minutes}:${pair(seconds % 60)} min`;
      return `${Math.floor(minutes / 60)}:${pair(minutes % 60)}:${pair(seconds % 60)} h`;
    },
    clock: (ms) => {
      const seconds = Math.max(0, Math.floor(ms / 1000));
      return `${pair(Math.floor(seconds / 60))}:${pair(seconds % 60)}`;
    },
  };
}

function pair(value: number): string {
  return String(value).padStart(2, '0');
}
