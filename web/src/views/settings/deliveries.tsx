import type { Delivery } from '@clicktally/operations/owner/webhook-operations.ts'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { isOwner } from '../../state/session.ts'

/** The events of a webhook, the newest first, and what became of each. */
export function Deliveries({ webhook }: { readonly webhook: string }) {
  const polled = usePolled<{ deliveries: Delivery[] }>(`/v1/webhooks/${webhook}/deliveries?limit=50`, 2_000)
  const deliveries = polled.data?.deliveries ?? []
  const repeat = (event: string) => request(`/v1/webhooks/${webhook}/redeliver`, { method: 'POST', body: { event } })
  return (
    <Card title="Deliveries" polled={polled}>
      {polled.data !== undefined && deliveries.length === 0 && <p class="nothing">Nothing was sent in 30 days.</p>}
      {deliveries.length > 0 && (
        <ListTable label="Deliveries" columns={['Event', 'Created', 'State']} hasActions>
          {deliveries.map((delivery) => (
            <tr key={delivery.event}>
              <th scope="row">
                {delivery.type}
                <br />
                <code class="muted">{delivery.event}</code>
              </th>
              <td class="nowrap">{formatMoment(new Date(delivery.createdAt))}</td>
              <td>{stateOf(delivery)}</td>
              <td class="count">
                {isOwner() && delivery.attempts > 0 && (
                  <ConfirmButton action="Send again" confirm="Send it now?" run={() => repeat(delivery.event)} />
                )}
              </td>
            </tr>
          ))}
        </ListTable>
      )}
    </Card>
  )
}

function stateOf({ state, attempts, lastStatus, lastError, nextAttemptAt }: Delivery): string {
  if (state === 'delivered') return `delivered: ${lastStatus}`
  const times = attempts === 0 ? '' : ` after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${lastError}`
  if (state === 'given_up') return `given up${times}`
  const next = nextAttemptAt === null || attempts === 0 ? '' : `; next ${formatMoment(new Date(nextAttemptAt))}`
  return `waiting${times}${next}`
}
