import { useSignal } from '@preact/signals'
import { FilterChips } from '../filters/filter-chips.tsx'
import { FilterForm } from '../filters/filter-form.tsx'
import { formatMoment } from '../format.ts'
import { follow, go, hrefWith, params } from '../state/place.ts'
import { customParams, type PresetName, presetName, presetParams, presets } from '../state/range.ts'
import { Chip } from './chip.tsx'

/** Chooses the range of time and the filters. */
export function RangeBar({ dimensions }: { readonly dimensions: readonly string[] }) {
  const { value } = params
  return (
    <nav class="range-bar" aria-label="Range and filters">
      <div class="segments">
        {(Object.keys(presets) as PresetName[]).map((name) => (
          <a
            key={name}
            href={hrefWith(presetParams(name))}
            onClick={follow}
            title={presets[name].title}
            aria-current={presetName.value === name ? 'true' : undefined}
          >
            {presets[name].label}
          </a>
        ))}
      </div>
      <button type="button" class="find" popovertarget="dates">
        Dates
      </button>
      <Dates />
      <FilterForm dimensions={dimensions} />
      {presetName.value === undefined && (
        <Chip clear="Back to the last 24 hours" href={hrefWith(presetParams('24h'))}>
          <span class="cut">
            {`${formatMoment(new Date(value.get('from') ?? ''))} – ${formatMoment(new Date(value.get('to') ?? ''))}`}
          </span>
        </Chip>
      )}
      <FilterChips />
    </nav>
  )
}

/** A range of whole days to choose, in the browser's time zone. */
function Dates() {
  const problem = useSignal<string | undefined>(undefined)
  const apply = (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const fields = new FormData(form)
    const [from, to] = ['from', 'to'].map((name) => new Date(`${fields.get(name)}T00:00`)) as [Date, Date]
    // The last day is included.
    to.setDate(to.getDate() + 1)
    if (to <= from) {
      problem.value = 'The last day is before the first.'
      return
    }
    problem.value = undefined
    form.hidePopover()
    go(hrefWith(customParams(from, to)))
  }
  return (
    <form id="dates" class="dates" popover="auto" onSubmit={apply} aria-label="Dates">
      <label>
        First day
        <input type="date" name="from" required />
      </label>
      <label>
        Last day
        <input type="date" name="to" required />
      </label>
      <button type="submit" class="primary">
        Show
      </button>
      {problem.value !== undefined && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </form>
  )
}
