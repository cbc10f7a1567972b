import { follow, hrefWith, params } from '../../state/place.ts'
import { AuditLog } from './audit-log.tsx'
import { DeadLetters } from './dead-letters.tsx'
import { Keys } from './keys.tsx'
import { Links } from './links.tsx'
import { Projects } from './projects.tsx'
import { Sessions } from './sessions.tsx'
import { Users } from './users.tsx'
import { Webhooks } from './webhooks.tsx'

const sections = {
  keys: { title: 'Keys', view: Keys },
  projects: { title: 'Projects', view: Projects },
  links: { title: 'Links', view: Links },
  webhooks: { title: 'Webhooks', view: Webhooks },
  users: { title: 'Users', view: Users },
  session: { title: 'Your session', view: Sessions },
  letters: { title: 'Dead letters', view: DeadLetters },
  audit: { title: 'Audit log', view: AuditLog },
} as const
type Section = keyof typeof sections

/** Keys, projects, links, webhooks, users, sessions, dead letters and the audit log. Auditors see all of it, and change nothing. */
export function Settings() {
  const named = params.value.get('section') as Section
  const chosen: Section = named in sections ? named : 'keys'
  const { view: View } = sections[chosen]
  return (
    <main class="page settings" id="content">
      <h1>Settings</h1>
      <nav class="segments" aria-label="Settings">
        {(Object.keys(sections) as Section[]).map((name) => (
          <a
            key={name}
            href={hrefWith({ section: name })}
            onClick={follow}
            aria-current={name === chosen ? 'page' : undefined}
          >
            {sections[name].title}
          </a>
        ))}
      </nav>
      <View />
    </main>
  )
}
