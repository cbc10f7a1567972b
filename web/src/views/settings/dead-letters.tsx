import type { DeadLetter } from '@clicktally/operations/dead-letter-operations.ts'
import { useSignal } from '@preact/signals'
import { formatCount, formatMoment } from '../../format.ts'
import { usePages } from '../../http/pages.ts'
import { Card } from '../../parts/card.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { OlderButton } from '../../parts/older-button.tsx'

/** Messages whose clicks could not be counted, with the reason. Only the command line shows or changes their content. */
export function DeadLetters() {
  const showsAll = useSignal(false)
  const pages = usePages<DeadLetter>('/v1/dead-letters', { all: String(showsAll.value) }, 'letters', 5_000)
  const letters = pages.data?.items ?? []
  return (
    <Card
      title="Dead letters"
      polled={pages}
      actions={
        <div class="actions">
          <button
            type="button"
            aria-pressed={showsAll.value}
            onClick={() => {
              showsAll.value = !showsAll.value
            }}
          >
            Resolved ones too
          </button>
        </div>
      }
    >
      {pages.data !== undefined && letters.length === 0 && (
        <p class="nothing">None: every click that was accepted could be stored.</p>
      )}
      {letters.length > 0 && (
        <>
          <ListTable
            label="Dead letters"
            columns={['Letter', 'Since', 'Reason', 'Clicks', 'Ids', 'State']}
            numbers={['Clicks']}
          >
            {letters.map(({ id, diedAt, reason, clicks, clickIds, resolution }) => (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td class="nowrap">{formatMoment(new Date(diedAt))}</td>
                <td>
                  <code>{reason}</code>
                </td>
                <td class="count">{formatCount(clicks)}</td>
                <td>
                  <code>{clickIds.slice(0, 3).join(' ')}</code>
                  {clickIds.length > 3 && ' …'}
                </td>
                <td>{resolution ?? 'waits'}</td>
              </tr>
            ))}
          </ListTable>
          <OlderButton pages={pages} what="letters" />
          <p class="muted">
            The command line shows what was sent, and replays or discards it: <code>clicktally dead show 7</code>,{' '}
            <code>dead replay 7</code>, <code>dead discard 7</code>.
          </p>
        </>
      )}
    </Card>
  )
}
