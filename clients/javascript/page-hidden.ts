/** The parts of a browser's page that are used here. Servers and workers have none of them. */
interface Page {
  readonly document?: {
    readonly visibilityState: string
    addEventListener(type: string, listener: () => void): void
    removeEventListener(type: string, listener: () => void): void
  }
}

/** Calls back whenever the page is hidden: it may be closed without another event. Returns a function that ends this. */
export function onPageHidden(callback: () => void): () => void {
  const { document } = globalThis as Page
  const listener = () => {
    if (document?.visibilityState === 'hidden') callback()
  }
  document?.addEventListener('visibilitychange', listener)
  return () => document?.removeEventListener('visibilitychange', listener)
}
