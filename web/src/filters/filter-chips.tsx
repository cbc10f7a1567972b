import { labelOf, nameOf } from '../breakdowns/dimension-names.ts'
import { Chip } from '../parts/chip.tsx'
import { go, hrefWith } from '../state/place.ts'
import type { Condition } from './condition.ts'
import { conditions, hrefReplacing } from './filters.ts'

/** The conditions, each with what inverts it and what removes it. */
export function FilterChips() {
  return (
    <>
      {conditions.value.map((condition) => (
        <Chip
          key={condition.dimension}
          clear={`Remove the filter on ${nameOf(condition.dimension)}`}
          href={hrefReplacing(condition)}
        >
          <Label condition={condition} />
        </Chip>
      ))}
      {conditions.value.length > 1 && (
        <button type="button" class="find" onClick={() => go(hrefWith({ target: undefined, filter: undefined }))}>
          Remove all
        </button>
      )}
    </>
  )
}

function Label({ condition }: { condition: Condition }) {
  const { dimension, isNot, values } = condition
  const inverted = { ...condition, isNot: !isNot }
  return (
    <>
      {nameOf(dimension)}
      <button
        type="button"
        class="verb"
        title={isNot ? 'Count only these instead' : 'Count all but these instead'}
        onClick={() => go(hrefReplacing(condition, inverted))}
      >
        {isNot ? 'is not' : 'is'}
      </button>
      <span class="cut">{values.map((value) => labelOf(dimension, value)).join(' or ')}</span>
    </>
  )
}
