import type { Breakdown } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { labelOf, nameOf } from '../breakdowns/dimension-names.ts'
import { usePolled } from '../http/polling.ts'
import { valuesUrl } from '../state/counts-query.ts'
import { go } from '../state/place.ts'
import { hrefChoosing, isInCondition } from './filters.ts'

const suggestions = 100
/** Values rarely change while one is looked for. */
const pauseMs = 60_000

/** Adds a filter on any value, also one that no card shows. */
export function FilterForm({ dimensions }: { readonly dimensions: readonly string[] }) {
  const isOpen = useSignal(false)
  const dimension = useSignal('country')
  const { data } = usePolled<Breakdown>(isOpen.value ? valuesUrl(dimension.value, suggestions) : undefined, pauseMs)
  const values = data?.dimension === dimension.value ? data.values : []
  const apply = (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const input = form.elements.namedItem('value') as HTMLInputElement
    const isNot = new FormData(form).get('verb') === 'not'
    const value = codeOf(input.value.trim())
    input.value = ''
    form.hidePopover()
    if (!isInCondition(dimension.value, value, isNot)) go(hrefChoosing(dimension.value, value, isNot))
  }
  /** What was typed may be the label of a value: Germany for DE. */
  const codeOf = (text: string) =>
    values.find(({ value }) => value !== '' && labelOf(dimension.value, value) === text)?.value ?? text
  return (
    <>
      <button type="button" class="find" popovertarget="filter">
        Filter
      </button>
      <form
        id="filter"
        class="dates"
        popover="auto"
        aria-label="Filter"
        onSubmit={apply}
        onToggle={(event) => {
          isOpen.value = event.newState === 'open'
        }}
      >
        <label>
          What
          <select
            name="dimension"
            value={dimension.value}
            onChange={(event) => {
              dimension.value = event.currentTarget.value
            }}
          >
            {dimensions.map((each) => (
              <option key={each} value={each}>
                {nameOf(each)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Condition
          <select name="verb">
            <option value="is">is</option>
            <option value="not">is not</option>
          </select>
        </label>
        <label>
          Value
          <input
            name="value"
            list="filter-values"
            autocomplete="off"
            maxLength={256}
            placeholder={labelOf(dimension.value, '')}
          />
        </label>
        <datalist id="filter-values">
          {values
            .filter(({ value }) => value !== '')
            .map(({ value }) => (
              <option key={value} value={labelOf(dimension.value, value)} />
            ))}
        </datalist>
        <p class="muted">Empty: clicks without one. A filter on the same gets one more value.</p>
        <button type="submit" class="primary">
          Count
        </button>
      </form>
    </>
  )
}
