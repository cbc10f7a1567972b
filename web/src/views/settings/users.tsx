import type { PasswordLink, User } from '@clicktally/operations/owner/user-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { CopyBox } from '../../parts/copy-box.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { isOwner } from '../../state/session.ts'

/** People who may sign in. A new one gets a link to set a password, which the owner passes on. */
export function Users() {
  const version = useSignal(0)
  const link = useSignal<PasswordLink | undefined>(undefined)
  const polled = usePolled<{ users: User[] }>(`/v1/users#${version.value}`, 10_000)
  const invite = async (fields: FormData) => {
    const body = { email: String(fields.get('email')), role: String(fields.get('role')) }
    link.value = await request<PasswordLink>('/v1/users', { method: 'POST', body })
    version.value++
  }
  const newLink = async ({ id }: User) => {
    link.value = await request<PasswordLink>(`/v1/users/${id}/password-link`, { method: 'POST' })
  }
  const setDisabled = async ({ id }: User, disabled: boolean) => {
    await request(`/v1/users/${id}`, { method: 'PATCH', body: { disabled } })
    version.value++
  }
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Invite a user">
          <h2>Invite a user</h2>
          <RequestForm action="Make a link" submit={invite}>
            <label>
              Email address
              <input name="email" type="email" required />
            </label>
            <label>
              Role
              <select name="role">
                <option value="auditor">auditor: sees everything, changes nothing</option>
                <option value="owner">owner: may do everything</option>
              </select>
            </label>
          </RequestForm>
          {link.value !== undefined && (
            <div class="created" role="status">
              <p>
                <strong>Give {link.value.user.email} this link.</strong> It works once, until{' '}
                {formatMoment(new Date(link.value.expiresAt))}. No mail is sent.
              </p>
              <CopyBox text={`${location.origin}/password#${link.value.token}`} label="the link" />
            </div>
          )}
        </section>
      )}
      <Card title="Users" polled={polled}>
        <ListTable label="Users" columns={['User', 'Role', 'State']} hasActions>
          {polled.data?.users.map((user) => (
            <tr key={user.id}>
              <th scope="row">{user.email}</th>
              <td>{user.role}</td>
              <td>{user.status}</td>
              <td class="count">
                {isOwner() && (
                  <>
                    <button type="button" class="small" onClick={() => void newLink(user)}>
                      New password
                    </button>{' '}
                    {user.status === 'disabled' ? (
                      <button type="button" class="small" onClick={() => void setDisabled(user, false)}>
                        Enable
                      </button>
                    ) : (
                      <ConfirmButton
                        action="Disable"
                        confirm="Sign out and disable?"
                        run={() => setDisabled(user, true)}
                      />
                    )}
                  </>
                )}
              </td>
            </tr>
          ))}
        </ListTable>
      </Card>
    </>
  )
}
