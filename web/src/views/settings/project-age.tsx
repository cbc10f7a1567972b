import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { request } from '../../http/request.ts'
import { RequestForm } from '../../parts/request-form.tsx'
import { isOwner } from '../../state/session.ts'

interface ProjectAgeProps {
  readonly project: Project
  onChange(): void
}

/** For how long the raw clicks of a project are kept. Owners can change it. */
export function ProjectAge({ project: { name, keepRawDays }, onChange }: ProjectAgeProps) {
  if (!isOwner()) return <>{keepRawDays === null ? 'for ever' : `${keepRawDays} days`}</>
  const save = async (fields: FormData) => {
    const days = String(fields.get('days'))
    await request(`/v1/projects/${name}`, { method: 'PATCH', body: { keepRawDays: days === '' ? null : Number(days) } })
    onChange()
  }
  return (
    <RequestForm action="Save" class="inline-form" keepsFields submit={save}>
      <input
        name="days"
        class="days"
        type="number"
        min={8}
        max={36_500}
        aria-label={`Days for which raw clicks of ${name} are kept`}
        defaultValue={keepRawDays ?? ''}
        placeholder="all"
      />
    </RequestForm>
  )
}
