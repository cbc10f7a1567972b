import { useSignal } from '@preact/signals'
import { describe } from './request-form.tsx'

interface ConfirmButtonProps {
  readonly action: string
  /** What happens, for the second click. */
  readonly confirm: string
  run(): Promise<unknown>
}

/** A button for what cannot be undone: the first click asks, the second within 5 seconds acts. */
export function ConfirmButton({ action, confirm, run }: ConfirmButtonProps) {
  const isAsking = useSignal(false)
  const problem = useSignal<string | undefined>(undefined)
  const click = async () => {
    if (!isAsking.value) {
      isAsking.value = true
      setTimeout(() => {
        isAsking.value = false
      }, 5_000)
      return
    }
    isAsking.value = false
    try {
      await run()
    } catch (error) {
      problem.value = describe(error)
    }
  }
  return (
    <>
      <button type="button" class={isAsking.value ? 'small danger' : 'small'} onClick={() => void click()}>
        {isAsking.value ? confirm : action}
      </button>
      {problem.value !== undefined && (
        <span class="problem-text" role="alert">
          {problem.value}
        </span>
      )}
    </>
  )
}
