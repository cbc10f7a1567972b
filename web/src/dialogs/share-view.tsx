import type { Key } from '@clicktally/operations/owner/key-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../format.ts'
import { usePolled } from '../http/polling.ts'
import { ConfirmButton } from '../parts/confirm-button.tsx'
import { CopyBox } from '../parts/copy-box.tsx'
import { RequestForm } from '../parts/request-form.tsx'
import { createKey, isValid, projectName, revokeKey, sharedLabel } from '../state/keys.ts'
import { hrefWith } from '../state/place.ts'
import { Dialog } from './dialog.tsx'

const dayMs = 86_400_000

/** Makes links to this view that need no account. Each has a read key of its own, and ends when the key is revoked. */
export function ShareView() {
  const version = useSignal(0)
  const link = useSignal<string | undefined>(undefined)
  const polled = usePolled<{ keys: Key[] }>(`/v1/keys?project=${projectName()}#${version.value}`, 10_000)
  const shared = polled.data?.keys.filter((key) => key.label.startsWith(sharedLabel) && isValid(key)) ?? []
  const create = async (fields: FormData) => {
    const days = Number(fields.get('days'))
    const name = String(fields.get('name')).trim()
    const { text } = await createKey({
      role: 'read',
      label: name === '' ? sharedLabel : `${sharedLabel}: ${name}`,
      ...(days > 0 && { expiresAt: new Date(Date.now() + days * dayMs).toISOString() }),
    })
    // The key knows its project.
    const url = new URL(hrefWith({ project: undefined }), location.origin)
    // Browsers send no fragment to servers. It is the key alone, whatever the address of this page ends with.
    url.hash = `key=${text}`
    link.value = url.href
    version.value++
  }
  return (
    <Dialog title="Share this view">
      <p class="muted">
        Whoever has the link sees the counts of this project with the chosen range and filters, and can change neither
        keys nor settings.
      </p>
      <RequestForm action="Make a link" submit={create}>
        <label>
          For whom
          <input name="name" maxLength={80} placeholder="the marketing team" />
        </label>
        <label>
          Ends
          <select name="days">
            <option value="30">in 30 days</option>
            <option value="365">in a year</option>
            <option value="0">when it is revoked</option>
          </select>
        </label>
      </RequestForm>
      {link.value !== undefined && (
        <div class="created" role="status">
          <p>
            <strong>The link is shown only now.</strong>
          </p>
          <CopyBox text={link.value} label="the link" />
        </div>
      )}
      {shared.length > 0 && (
        <ul class="plain-list">
          {shared.map((key) => (
            <li key={key.id}>
              <span>
                {key.label}
                <br />
                <span class="muted">
                  made {formatMoment(new Date(key.createdAt))}
                  {key.expiresAt !== null && `, ends ${formatMoment(new Date(key.expiresAt))}`}
                </span>
              </span>
              <ConfirmButton
                action="Revoke"
                confirm="End the link?"
                run={() => revokeKey(key.id).then(() => version.value++)}
              />
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  )
}
