import { useSignal } from '@preact/signals'
import { formatMoment, labelOf } from '../format.ts'
import { conditions, hrefWithCondition } from '../state/filters.ts'
import { follow, go, hrefWith, params } from '../state/place.ts'
import { customParams, type PresetName, presetName, presetParams, presets } from '../state/range.ts'

/** Chooses the range of time, and shows the filters. */
export function RangeBar() {
  const { value } = params
  const target = value.get('target')
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
      {presetName.value === undefined && (
        <Chip
          label={`${formatMoment(new Date(value.get('from') ?? ''))} – ${formatMoment(new Date(value.get('to') ?? ''))}`}
          clear="Back to the last 24 hours"
          href={hrefWith(presetParams('24h'))}
        />
      )}
      {conditions.value.map(({ dimension, isNot, values }) => (
        <Chip
          key={dimension}
          label={`${dimension} ${isNot ? 'is not' : 'is'} ${values.map((value) => labelOf(dimension, value)).join(' or ')}`}
          clear={`Remove the filter on ${dimension}`}
          href={hrefWithCondition(dimension, undefined)}
        />
      ))}
      {target !== null && (
        <Chip label={`target: ${target}`} clear="Remove the filter" href={hrefWith({ target: undefined })} />
      )}
    </nav>
  )
}

function Chip({ label, clear, href }: { label: string; clear: string; href: string }) {
  return (
    <span class="chip">
      <span class="cut">{label}</span>
      <button type="button" title={clear} onClick={() => go(href)}>
        <span aria-hidden="true">×</span>
        <span class="hidden">{clear}</span>
      </button>
    </span>
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
