import type { Link } from '@clicktally/operations/owner/link-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { CopyBox } from '../../parts/copy-box.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { projectName } from '../../state/keys.ts'
import { isOwner } from '../../state/session.ts'

/** The links of the project that count and redirect. */
export function Links() {
  const version = useSignal(0)
  const created = useSignal<Link | undefined>(undefined)
  const project = projectName()
  const polled = usePolled<{ links: Link[] }>(`/v1/links?project=${project}#${version.value}`, 10_000)
  const create = async (fields: FormData) => {
    const text = (name: string) => String(fields.get(name) ?? '')
    const body = {
      ...{ project, url: text('url') },
      ...(text('slug') !== '' && { slug: text('slug') }),
      ...(text('target') !== '' && { target: text('target') }),
    }
    created.value = await request<Link>('/v1/links', { method: 'POST', body })
    version.value++
  }
  const remove = async (slug: string) => {
    await request(`/v1/links/${slug}`, { method: 'DELETE' })
    version.value++
  }
  const links = polled.data?.links ?? []
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Create a link">
          <h2>Create a link that counts for the project “{project}”</h2>
          <RequestForm action="Create the link" submit={create}>
            <label>
              Leads to
              <input name="url" type="url" required maxLength={2048} placeholder="https://shop.example/spring" />
            </label>
            <label>
              Name
              <input name="slug" pattern="[a-z0-9][a-z0-9\-]{2,62}" placeholder="random" />
            </label>
            <label>
              Counts as
              <input name="target" maxLength={256} placeholder="link: and the name" />
            </label>
          </RequestForm>
          {created.value !== undefined && (
            <div class="created" role="status">
              <CopyBox text={addressOf(created.value)} label="the link" />
            </div>
          )}
        </section>
      )}
      <Card title="Links" polled={polled}>
        {polled.data !== undefined && links.length === 0 && <p class="nothing">None.</p>}
        {links.length > 0 && (
          <ListTable label="Links" columns={['Link', 'Leads to', 'Counts as', 'Created']} hasActions>
            {links.map((link) => (
              <tr key={link.slug}>
                <th scope="row">{addressOf(link)}</th>
                <td>{link.url}</td>
                <td>{link.target}</td>
                <td class="nowrap">{formatMoment(new Date(link.createdAt))}</td>
                <td class="count">
                  {isOwner() && <ConfirmButton action="Delete" confirm="Delete it?" run={() => remove(link.slug)} />}
                </td>
              </tr>
            ))}
          </ListTable>
        )}
      </Card>
    </>
  )
}

function addressOf({ slug }: Link): string {
  return new URL(`/l/${slug}`, location.href).href
}
