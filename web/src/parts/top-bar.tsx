import { dialog } from '../state/dialog.ts'
import { follow, hrefWith } from '../state/place.ts'
import { isOwner, session, signOut } from '../state/session.ts'
import { nextTheme, theme } from '../state/theme.ts'
import { Logo } from './logo.tsx'
import { ProjectChoice } from './project-choice.tsx'

const themeLabels = { system: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' } as const
const themeIcons = {
  system: 'M12 3a9 9 0 0 0 0 18zM12 3a9 9 0 0 1 0 18',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400',
  dark: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z',
} as const

export function TopBar() {
  const { kind } = session.value
  return (
    <header class="top-bar">
      <button type="button" class="skip" onClick={skip}>
        Skip to the counts
      </button>
      <a class="home" href={hrefWith({ section: undefined }, '/')} onClick={follow} aria-label="Clicktally, overview">
        <Logo />
      </a>
      {kind === 'user' && <ProjectChoice />}
      <span class="spacer" />
      <button
        type="button"
        class="find"
        onClick={() => {
          dialog.value = 'find'
        }}
      >
        Find
        <span class="wide-only">
          {' '}
          a click <kbd>F</kbd>
        </span>
      </button>
      {isOwner() && (
        <button
          type="button"
          class="find wide-only"
          onClick={() => {
            dialog.value = 'share'
          }}
        >
          Share
        </button>
      )}
      {kind === 'link' && <span class="tag">Shared, read only</span>}
      {kind === 'open' && <span class="tag">Open: no key needed</span>}
      <button type="button" class="icon-button" onClick={nextTheme} title={themeLabels[theme.value]}>
        <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" class="icon">
          <path d={themeIcons[theme.value]} />
        </svg>
        <span class="hidden">{themeLabels[theme.value]}</span>
      </button>
      {session.value.kind === 'user' && <UserMenu email={session.value.user.email} role={session.value.user.role} />}
    </header>
  )
}

/** Moves the focus past the top bar. A link would replace the fragment of the address, which may be the key of a shared view. */
function skip(): void {
  const content = document.getElementById('content')
  if (content === null) return
  content.tabIndex = -1
  content.focus()
}

function UserMenu({ email, role }: { email: string; role: string }) {
  return (
    <>
      <button type="button" class="avatar" popovertarget="user-menu" title={email}>
        {email.slice(0, 1).toUpperCase()}
        <span class="hidden">Menu of {email}</span>
      </button>
      <div id="user-menu" class="menu" popover="auto">
        <p>
          <strong>{email}</strong>
          <br />
          <span class="muted">{role}</span>
        </p>
        <a href={hrefWith({}, '/settings')} onClick={follow}>
          Settings
        </a>
        {isOwner() && (
          <button
            type="button"
            onClick={() => {
              dialog.value = 'share'
            }}
          >
            Share this view
          </button>
        )}
        <button
          type="button"
          onClick={() => {
            dialog.value = 'shortcuts'
          }}
        >
          Keyboard shortcuts <kbd>?</kbd>
        </button>
        <a href="/docs">API reference</a>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </>
  )
}
