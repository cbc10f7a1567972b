import { signal } from '@preact/signals'
import type { ComponentType } from 'preact'

/** A component whose code is loaded when it is first shown. Until then nothing is shown. */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const loaded = signal<ComponentType<Props> | undefined>(undefined)
  let isLoading = false
  return function Later(props: Props) {
    const Loaded = loaded.value
    if (Loaded !== undefined) return <Loaded {...props} />
    if (!isLoading) {
      isLoading = true
      void load().then((component) => {
        loaded.value = component
      })
    }
    return null
  }
}
