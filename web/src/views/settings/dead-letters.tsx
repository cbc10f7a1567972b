import type { DeadLetter } from '@clicktally/operations/dead-letter-operations.ts'
import { useSignal } from '@preact/signals'
import { formatCount, formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { Card } from '../../parts/card.tsx'
import { ListTable } from '../../parts/list-table.tsx'

/** Messages whose clicks could not be counted, with the reason. Only the command line shows or changes their content. */
export function DeadLetters() {
  const showsAll = useSignal(false)
  const polled = usePolled<{ letters: DeadLetter[] }>(`/v1/dead-letters?all=${showsAll.value}`, 5_000)
  const letters = polled.data?.letters ?? []
  return (
    <Card
      title="Dead letters"
      polled={polled}
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
      {polled.data !== undefined && letters.length === 0 && (
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
          <p class="muted">
            The command line shows what was sent, and replays or discards it: <code>clicktally dead show 7</code>,{' '}
            <code>dead replay 7</code>, <code>dead discard 7</code>.
          </p>
        </>
      )}
    </Card>
  )
}
