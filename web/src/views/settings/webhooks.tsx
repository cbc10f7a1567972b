import type { NewWebhook, Webhook } from '@clicktally/operations/owner/webhook-operations.ts'
import { useSignal } from '@preact/signals'
import { formatCount, formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { CopyBox } from '../../parts/copy-box.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { projectName } from '../../state/keys.ts'
import { isOwner } from '../../state/session.ts'
import { Deliveries } from './deliveries.tsx'
import { Thresholds } from './thresholds.tsx'

/** The webhooks of the project, what became of their events, and what they are told. */
export function Webhooks() {
  const version = useSignal(0)
  const created = useSignal<NewWebhook | undefined>(undefined)
  const chosen = useSignal<string | undefined>(undefined)
  const project = projectName()
  const polled = usePolled<{ webhooks: Webhook[] }>(`/v1/webhooks?project=${project}#${version.value}`, 5_000)
  const create = async (fields: FormData) => {
    const body = { project, url: String(fields.get('url')) }
    created.value = await request<NewWebhook>('/v1/webhooks', { method: 'POST', body })
    version.value++
  }
  const rotate = async (id: string) => {
    created.value = await request<NewWebhook>(`/v1/webhooks/${id}/rotate`, { method: 'POST', body: {} })
  }
  const act = async (method: 'POST' | 'PATCH' | 'DELETE', id: string, path = '', body?: object) => {
    await request(`/v1/webhooks/${id}${path}`, { method, ...(body && { body }) })
    version.value++
  }
  const webhooks = polled.data?.webhooks ?? []
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Create a webhook">
          <h2>Create a webhook for the project “{project}”</h2>
          <RequestForm action="Create the webhook" submit={create}>
            <label>
              Where events are sent
              <input name="url" type="url" required maxLength={2048} placeholder="https://hooks.example/clicktally" />
            </label>
          </RequestForm>
          {created.value !== undefined && (
            <div class="created" role="status">
              <p>
                <strong>The secret is shown only now.</strong> With it the receiver verifies signatures, as
                standardwebhooks.com describes.
              </p>
              <CopyBox text={created.value.secret} label="the secret" />
            </div>
          )}
        </section>
      )}
      <Card title="Webhooks" polled={polled}>
        {polled.data !== undefined && webhooks.length === 0 && <p class="nothing">None.</p>}
        {webhooks.length > 0 && (
          <ListTable label="Webhooks" columns={['URL', 'State', 'Undelivered']} numbers={['Undelivered']} hasActions>
            {webhooks.map((webhook) => (
              <tr key={webhook.id} class={webhook.state === 'disabled' ? 'muted' : ''}>
                <th scope="row">
                  {webhook.url}
                  <br />
                  <code class="muted">{webhook.id}</code>
                </th>
                <td>{stateOf(webhook)}</td>
                <td class="count">{formatCount(webhook.undelivered)}</td>
                <td class="count">
                  <button
                    type="button"
                    class="small"
                    aria-pressed={chosen.value === webhook.id}
                    onClick={() => {
                      chosen.value = chosen.value === webhook.id ? undefined : webhook.id
                    }}
                  >
                    Deliveries
                  </button>{' '}
                  {isOwner() && <Actions webhook={webhook} act={act} rotate={rotate} />}
                </td>
              </tr>
            ))}
          </ListTable>
        )}
      </Card>
      {chosen.value !== undefined && webhooks.some(({ id }) => id === chosen.value) && (
        <Deliveries key={chosen.value} webhook={chosen.value} />
      )}
      <Thresholds />
    </>
  )
}

interface ActionsProps {
  readonly webhook: Webhook
  act(method: 'POST' | 'PATCH' | 'DELETE', id: string, path?: string, body?: object): Promise<void>
  rotate(id: string): Promise<void>
}

/** What an owner can do with a webhook. */
function Actions({ webhook: { id, state, undelivered }, act, rotate }: ActionsProps) {
  const isDisabled = state === 'disabled'
  return (
    <>
      {!isDisabled && <ConfirmButton action="Test" confirm="Send a test event?" run={() => act('POST', id, '/test')} />}{' '}
      {!isDisabled && undelivered > 0 && (
        <ConfirmButton
          action="Send again"
          confirm="Send what is undelivered?"
          run={() => act('POST', id, '/redeliver', {})}
        />
      )}{' '}
      <ConfirmButton action="New secret" confirm="Replace the secret within 24 hours?" run={() => rotate(id)} />{' '}
      <ConfirmButton
        action={isDisabled ? 'Enable' : 'Disable'}
        confirm={isDisabled ? 'Send what is undelivered?' : 'Send nothing?'}
        run={() => act('PATCH', id, '', { enabled: isDisabled })}
      />{' '}
      <ConfirmButton action="Delete" confirm="Delete for ever?" run={() => act('DELETE', id)} />
    </>
  )
}

function stateOf({ state, disabledBecause, lastError, nextAttemptAt }: Webhook): string {
  if (disabledBecause === 'gone') return 'disabled: the receiver says that it is gone'
  if (disabledBecause === 'failing') return `disabled after a day of failures: ${lastError}`
  if (state !== 'failing') return state
  const next = nextAttemptAt === null ? 'given up' : `next attempt ${formatMoment(new Date(nextAttemptAt))}`
  return `failing: ${lastError}; ${next}`
}
