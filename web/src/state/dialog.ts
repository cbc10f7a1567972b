import { signal } from '@preact/signals'

/** The dialog that is open. */
export const dialog = signal<'find' | 'share' | 'shortcuts' | undefined>(undefined)
