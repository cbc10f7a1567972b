import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { RequestProblem } from '../http/request.ts'

interface RequestFormProps {
  /** The text of the button. */
  readonly action: string
  readonly class?: string
  /** Whether the fields keep what was sent, as those of a setting do. Otherwise they are cleared. */
  readonly keepsFields?: boolean
  /** Sends the request. Its problem is shown in the form. */
  submit(fields: FormData): Promise<void>
  readonly children?: ComponentChildren
}

/** A form that sends a request: busy while it is in progress, reset when it is done unless somebody went on typing. */
export function RequestForm({
  action,
  class: name = 'row-form',
  keepsFields = false,
  submit,
  children,
}: RequestFormProps) {
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    isBusy.value = true
    problem.value = undefined
    try {
      const sent = new FormData(form)
      await submit(sent)
      if (String([...sent]) !== String([...new FormData(form)])) return
      if (keepsFields) for (const input of form.querySelectorAll('input')) input.defaultValue = input.value
      form.reset()
    } catch (error) {
      problem.value = describe(error)
    } finally {
      isBusy.value = false
    }
  }
  return (
    <form class={name} onSubmit={onSubmit}>
      {children}
      <button type="submit" class="primary" disabled={isBusy.value}>
        {action}
      </button>
      {problem.value !== undefined && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </form>
  )
}

/** For people: the message of a problem, or of a defect of this page. */
export function describe(error: unknown): string {
  return error instanceof RequestProblem ? error.message : `This page has a defect: ${error}`
}
