import { effect, signal } from '@preact/signals'

const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const key = 'clicktally-theme'

export const theme = signal<Theme>(read())
/** Whether the page is dark now, by choice or by the system's setting. */
export const isDark = signal(false)

const systemIsDark = matchMedia('(prefers-color-scheme: dark)')
const apply = () => {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && systemIsDark.matches)
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
}
systemIsDark.addEventListener('change', apply)
effect(apply)

/** Changes to the next theme, and remembers it in this browser. */
export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'system'
  try {
    localStorage.setItem(key, theme.value)
  } catch {
    // Storage is blocked: the choice lasts until the page is closed.
  }
}

function read(): Theme {
  try {
    const stored = localStorage.getItem(key)
    return themes.find((each) => each === stored) ?? 'system'
  } catch {
    return 'system'
  }
}
