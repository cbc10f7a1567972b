import type { Threshold } from '@clicktally/operations/owner/threshold-operations.ts'
import { useSignal } from '@preact/signals'
import { formatCount, formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { projectName } from '../../state/keys.ts'
import { isOwner } from '../../state/session.ts'

/** What the webhooks of the project are told. */
export function Thresholds() {
  const version = useSignal(0)
  const type = useSignal<Threshold['type']>('reached')
  const project = projectName()
  const polled = usePolled<{ thresholds: Threshold[] }>(`/v1/thresholds?project=${project}#${version.value}`, 10_000)
  const create = async (fields: FormData) => {
    const target = String(fields.get('target') ?? '')
    const body = {
      ...{ project, type: type.value, windowMinutes: Number(fields.get('windowMinutes')) },
      ...(target !== '' && { target }),
      ...(type.value === 'reached' && { clicks: Number(fields.get('clicks')) }),
    }
    await request('/v1/thresholds', { method: 'POST', body })
    version.value++
  }
  const remove = async (id: string) => {
    await request(`/v1/thresholds/${id}`, { method: 'DELETE' })
    version.value++
  }
  const thresholds = polled.data?.thresholds ?? []
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Create a threshold">
          <h2>Tell the webhooks of “{project}”</h2>
          <RequestForm action="Create the threshold" submit={create}>
            <label>
              When there are
              <select
                value={type.value}
                onChange={(event) => (type.value = event.currentTarget.value as Threshold['type'])}
              >
                <option value="reached">many clicks</option>
                <option value="silent">no clicks</option>
              </select>
            </label>
            {type.value === 'reached' && (
              <label>
                At least
                <input name="clicks" type="number" required min={1} max={2_147_483_647} placeholder="100" />
              </label>
            )}
            <label>
              Within minutes
              <input name="windowMinutes" type="number" required min={1} max={1_440} placeholder="60" />
            </label>
            <label>
              Target
              <input name="target" maxLength={256} placeholder="all together" />
            </label>
          </RequestForm>
        </section>
      )}
      <Card title="Thresholds" polled={polled}>
        {polled.data !== undefined && thresholds.length === 0 && <p class="nothing">None.</p>}
        {thresholds.length > 0 && (
          <ListTable label="Thresholds" columns={['Target', 'Told when there are', 'Now', 'Judged through']} hasActions>
            {thresholds.map(({ id, target, clicks, windowMinutes, isMet, judgedThrough }) => (
              <tr key={id}>
                <th scope="row">{target ?? 'all together'}</th>
                <td>
                  {clicks === null ? 'no clicks' : `${formatCount(clicks)} clicks or more`} in {windowMinutes} min
                </td>
                <td>{isMet ? 'told' : 'not met'}</td>
                <td class="nowrap">{formatMoment(new Date(judgedThrough))}</td>
                <td class="count">
                  {isOwner() && <ConfirmButton action="Delete" confirm="Delete it?" run={() => remove(id)} />}
                </td>
              </tr>
            ))}
          </ListTable>
        )}
      </Card>
    </>
  )
}
