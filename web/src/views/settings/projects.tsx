import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { RequestForm } from '../../parts/request-form.tsx'
import { firstProject } from '../../state/keys.ts'
import { follow, hrefWith } from '../../state/place.ts'
import { isOwner } from '../../state/session.ts'
import { ProjectAge } from './project-age.tsx'
import { ProjectProps } from './project-props.tsx'

export function Projects() {
  const version = useSignal(0)
  const polled = usePolled<{ projects: Project[] }>(`/v1/projects#${version.value}`, 10_000)
  const create = async (fields: FormData) => {
    await request('/v1/projects', { method: 'POST', body: { name: String(fields.get('name')) } })
    version.value++
  }
  const change = async ({ name, derivesVisitors }: Project) => {
    const body = { derivesVisitors: !derivesVisitors }
    await request(`/v1/projects/${name}`, { method: 'PATCH', body })
    version.value++
  }
  return (
    <>
      {isOwner() && (
        <section class="card" aria-label="Create a project">
          <h2>Create a project</h2>
          <RequestForm action="Create the project" submit={create}>
            <label>
              Name
              <input name="name" required pattern="[a-z0-9][a-z0-9\-]{0,62}" placeholder="shop" />
            </label>
            <p class="muted">Lower-case letters, digits and hyphens. Each project has its own keys and counts.</p>
          </RequestForm>
        </section>
      )}
      <Card title="Projects" polled={polled}>
        <ListTable
          label="Projects"
          columns={[
            'Project',
            'Created',
            'Visitors without an id',
            'Props by which clicks are counted',
            'Days of raw clicks',
          ]}
        >
          {polled.data?.projects.map((project) => (
            <tr key={project.name}>
              <th scope="row">
                <a
                  href={hrefWith(
                    { project: project.name === firstProject ? undefined : project.name, section: undefined },
                    '/',
                  )}
                  onClick={follow}
                >
                  {project.name}
                </a>
              </th>
              <td>{formatMoment(new Date(project.createdAt))}</td>
              <td>
                {project.derivesVisitors ? 'derived for a day, without cookies' : 'not counted'}{' '}
                {isOwner() && (
                  <button type="button" class="small" onClick={() => void change(project)}>
                    {project.derivesVisitors ? 'Do not count' : 'Derive'}
                  </button>
                )}
              </td>
              <td>
                <ProjectProps project={project} onChange={() => version.value++} />
              </td>
              <td>
                <ProjectAge project={project} onChange={() => version.value++} />
              </td>
            </tr>
          ))}
        </ListTable>
        <p class="table-note muted">
          Raw clicks that are older are archived and then removed; without an archive they stay. Counts are kept for
          ever. Older clicks are refused.
        </p>
      </Card>
    </>
  )
}
