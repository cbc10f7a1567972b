import type { Key, NewKey } from '@clicktally/operations/owner/key-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { CopyBox } from '../../parts/copy-box.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { createKey, isValid, projectName, readOrigins, revokeKey } from '../../state/keys.ts'
import { isOwner } from '../../state/session.ts'

const roles = {
  write: 'write: sends clicks from web pages',
  secret: 'secret: sends clicks from servers, old ones too',
  read: 'read: reads the counts of the project',
  auditor: 'auditor: reads everything',
  owner: 'owner: may do everything',
} as const satisfies Record<Key['role'], string>

/** The keys of the project. The text of a key is shown once, when it is created. */
export function Keys() {
  const version = useSignal(0)
  const created = useSignal<NewKey | undefined>(undefined)
  const project = projectName()
  // The version changes nothing at the server: it makes the list read again at once.
  const polled = usePolled<{ keys: Key[] }>(`/v1/keys?project=${project}#${version.value}`, 10_000)
  const role = useSignal<Key['role']>('write')
  const create = async (fields: FormData) => {
    const origins = readOrigins(String(fields.get('origins') ?? ''))
    created.value = await createKey({
      role: role.value,
      label: String(fields.get('label')),
      ...(origins.length > 0 && { origins }),
    })
    version.value++
  }
  const keys = (polled.data?.keys ?? []).toSorted((a, b) => Number(isValid(b)) - Number(isValid(a)))
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Create a key">
          <h2>Create a key for the project “{project}”</h2>
          <RequestForm action="Create the key" submit={create}>
            <label>
              Role
              <select value={role.value} onChange={(event) => (role.value = event.currentTarget.value as Key['role'])}>
                {Object.entries(roles).map(([name, text]) => (
                  <option key={name} value={name}>
                    {text}
                  </option>
                ))}
              </select>
            </label>
            <label>
              What it is for
              <input name="label" maxLength={128} placeholder="shop front end" />
            </label>
            {(role.value === 'write' || role.value === 'read') && (
              <label>
                Origins of the pages that use it
                <input name="origins" required={role.value === 'write'} placeholder="https://shop.example" />
              </label>
            )}
          </RequestForm>
          {created.value !== undefined && (
            <div class="created" role="status">
              <p>
                <strong>The key “{created.value.key.label || created.value.key.id}” is shown only now.</strong> Only its
                hash is stored: a lost key is replaced, not recovered.
              </p>
              <CopyBox text={created.value.text} label="the key" />
            </div>
          )}
        </section>
      )}
      <Card title="Keys" polled={polled}>
        <ListTable label="Keys" columns={['Key', 'Role', 'Origins', 'Created', 'State']} hasActions>
          {keys.map((key) => (
            <tr key={key.id} class={isValid(key) ? '' : 'muted'}>
              <th scope="row">
                {key.label || 'without a label'}
                <br />
                <code class="muted">{key.id}</code>
              </th>
              <td>{key.role}</td>
              <td>{key.origins.join(', ') || '—'}</td>
              <td>{formatMoment(new Date(key.createdAt))}</td>
              <td>{stateOf(key)}</td>
              <td class="count">
                {isOwner() && isValid(key) && !key.isOperator && (
                  <ConfirmButton
                    action="Revoke"
                    confirm="Revoke for ever?"
                    run={() => revokeKey(key.id).then(() => version.value++)}
                  />
                )}
              </td>
            </tr>
          ))}
        </ListTable>
      </Card>
    </>
  )
}

function stateOf(key: Key): string {
  if (key.isOperator) return 'the operator’s'
  if (key.revokedAt !== null) return `revoked ${formatMoment(new Date(key.revokedAt))}`
  if (key.expiresAt === null) return 'valid'
  return `${isValid(key) ? 'expires' : 'expired'} ${formatMoment(new Date(key.expiresAt))}`
}
