import type { ClickReceipt } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../format.ts'
import { request } from '../http/request.ts'
import { RequestForm } from '../parts/request-form.tsx'
import { params } from '../state/place.ts'
import { Dialog } from './dialog.tsx'

const statuses = {
  counted: 'Counted, once',
  dead: 'Not counted: it is in the dead letters',
  not_seen: 'Not seen',
  unknown: 'Too old to be looked up',
} as const satisfies Record<ClickReceipt['status'], string>

/** Looks up the receipt of one click by its id. */
export function FindClick() {
  const receipt = useSignal<ClickReceipt | undefined>(undefined)
  const find = async (fields: FormData) => {
    receipt.value = undefined
    const project = params.value.get('project')
    const query = project === null ? '' : `?project=${project}`
    const id = String(fields.get('id')).trim()
    receipt.value = await request<ClickReceipt>(`/v1/events/${encodeURIComponent(id)}${query}`)
  }
  return (
    <Dialog title="Find a click">
      <RequestForm action="Look up" submit={find}>
        <label>
          The id that the 202 returned
          <input
            name="id"
            required
            spellcheck={false}
            autocomplete="off"
            placeholder="01a1fbf9-47c2-790c-9f4f-1b848ca0e748"
          />
        </label>
      </RequestForm>
      {receipt.value !== undefined && <Receipt receipt={receipt.value} />}
    </Dialog>
  )
}

function Receipt({ receipt }: { receipt: ClickReceipt }) {
  const { id, status, target, occurredAt, receivedAt, countedAt, diedAt, reason, meta } = receipt
  const rows = {
    Target: target,
    Clicked: moment(occurredAt),
    Received: moment(receivedAt),
    Counted: moment(countedAt),
    Refused: moment(diedAt),
    Reason: reason,
  }
  return (
    <div class={`receipt ${status}`} role="status">
      <p>
        <strong>{reason === 'id_before_horizon' ? 'In the dead letters' : statuses[status]}</strong>
        <br />
        <code>{id}</code>
      </p>
      {status === 'not_seen' && (
        <p class="muted">
          No click with this id was counted in this project. All clicks that were accepted before{' '}
          {meta.asOf === null ? 'now' : formatMoment(new Date(meta.asOf))} are known.
        </p>
      )}
      {(status === 'unknown' || reason === 'id_before_horizon') && (
        <p class="muted">
          Raw clicks of that time have been archived or removed. Whether this id was counted can no longer be looked up.
        </p>
      )}
      <dl class="terms">
        {Object.entries(rows).map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </div>
  )
}

const moment = (text: string | undefined) =>
  text === undefined
    ? undefined
    : new Date(text).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
