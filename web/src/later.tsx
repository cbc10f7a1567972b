import { signal } from '@preact/signals'
import { type ComponentChildren, type ComponentType, Fragment } from 'preact'
import { useEffect } from 'preact/hooks'
import { NotLoaded } from './parts/not-loaded.tsx'

/**
 * A component whose code is loaded when it is first shown. Until then nothing is shown. If that fails it is said, and tried again
 * when the component is shown the next time. Some browsers remember the failure until the page is loaded again.
 *
 * @param Frame what is around the component, for the case that it is not loaded
 */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Frame: ComponentType<{ children: ComponentChildren }> = Fragment,
): ComponentType<Props> {
  const loaded = signal<ComponentType<Props> | undefined>(undefined)
  const hasFailed = signal(false)
  let isLoading = false
  const start = async () => {
    if (isLoading || loaded.value !== undefined) return
    isLoading = true
    try {
      loaded.value = await load()
    } catch {
      hasFailed.value = true
    } finally {
      isLoading = false
    }
  }
  return function Later(props: Props) {
    useEffect(() => {
      void start()
      return () => {
        hasFailed.value = false
      }
    }, [])
    const Loaded = loaded.value
    if (Loaded !== undefined) return <Loaded {...props} />
    if (!hasFailed.value) return null
    return (
      <Frame>
        <NotLoaded />
      </Frame>
    )
  }
}
