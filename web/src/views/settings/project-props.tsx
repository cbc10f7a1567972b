import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { request } from '../../http/request.ts'
import { RequestForm } from '../../parts/request-form.tsx'
import { isOwner } from '../../state/session.ts'

interface ProjectPropsProps {
  readonly project: Project
  onChange(): void
}

/** The props of a project that are dimensions. Owners can change them; clicks that were counted before are included. */
export function ProjectProps({ project: { name, dimensions }, onChange }: ProjectPropsProps) {
  const list = dimensions.join(', ')
  if (!isOwner()) return <>{list === '' ? 'none' : list}</>
  const save = async (fields: FormData) => {
    const named = String(fields.get('props')).split(',')
    const body = { dimensions: [...new Set(named.map((each) => each.trim()).filter((each) => each !== ''))] }
    await request(`/v1/projects/${name}`, { method: 'PATCH', body })
    onChange()
  }
  return (
    <RequestForm action="Save" class="inline-form" keepsFields submit={save}>
      <input name="props" aria-label={`Props of ${name}`} defaultValue={list} placeholder="plan, size" />
    </RequestForm>
  )
}
