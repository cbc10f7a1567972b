import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { usePolled } from '../http/polling.ts'
import { firstProject, projectName } from '../state/keys.ts'
import { go, hrefWith } from '../state/place.ts'

/** Chooses the project whose clicks are shown, if there are several. */
export function ProjectChoice() {
  const { data } = usePolled<{ projects: Project[] }>('/v1/projects', 60_000)
  const names = data?.projects.map(({ name }) => name) ?? []
  if (names.length < 2) return null
  const choose = (name: string) =>
    go(hrefWith({ project: name === firstProject ? undefined : name, target: undefined, filter: undefined }))
  return (
    <label class="select">
      <span class="hidden">Project</span>
      <select value={projectName()} onChange={(event) => choose(event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  )
}
