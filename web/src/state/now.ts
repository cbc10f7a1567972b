import { signal } from '@preact/signals'

/** The current time, to the second. */
export const now = signal(new Date())
setInterval(() => {
  if (!document.hidden) now.value = new Date()
}, 1_000)
document.addEventListener('visibilitychange', () => {
  now.value = new Date()
})
