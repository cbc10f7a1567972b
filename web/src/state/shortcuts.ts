import { signal } from '@preact/signals'
import { dialog } from './dialog.ts'
import { go, hrefWith, params } from './place.ts'
import { type PresetName, presetParams, presets } from './range.ts'
import { isOwner, session } from './session.ts'
import { nextTheme } from './theme.ts'

interface Shortcut {
  readonly title: string
  run(): void
}

const open = (name: typeof dialog.value) => {
  dialog.value = name
}

/** What each key does. */
export const shortcuts: Readonly<Record<string, Shortcut>> = {
  ...Object.fromEntries(
    (Object.keys(presets) as PresetName[]).map((name, index) => [
      String(index + 1),
      { title: presets[name].title, run: () => go(hrefWith(presetParams(name))) },
    ]),
  ),
  c: {
    title: 'Compare with the range before',
    run: () => go(hrefWith({ compare: params.value.get('compare') === 'no' ? undefined : 'no' })),
  },
  x: { title: 'Remove all filters', run: () => go(hrefWith({ target: undefined, filter: undefined })) },
  f: { title: 'Find a click by its id', run: () => open('find') },
  s: { title: 'Share this view (owners)', run: () => isOwner() && open('share') },
  o: { title: 'Overview', run: () => go(hrefWith({ section: undefined }, '/')) },
  g: { title: 'Settings', run: () => session.value.kind === 'user' && go(hrefWith({}, '/settings')) },
  d: { title: 'Theme: system, light, dark', run: nextTheme },
  '?': { title: 'This list', run: () => open('shortcuts') },
}

export const shortcutsAreOn = signal(true)

/** Listens for shortcuts, except while something is typed or a dialog is open. */
export function listenForShortcuts(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (dialog.value !== undefined || !['user', 'link', 'open'].includes(session.value.kind)) return
    if ((event.target as Element).closest('input, select, textarea, [contenteditable]') !== null) return
    if (!shortcutsAreOn.value && event.key !== '?') return
    const shortcut = shortcuts[event.key]
    if (shortcut === undefined) return
    event.preventDefault()
    shortcut.run()
  })
}
