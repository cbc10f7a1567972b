import type { ComponentChildren } from 'preact'
import { Dialog } from './dialogs/dialog.tsx'
import { later } from './later.tsx'
import { ProofBar } from './parts/proof-bar.tsx'
import { TopBar } from './parts/top-bar.tsx'
import { dialog } from './state/dialog.ts'
import { path } from './state/place.ts'
import { session } from './state/session.ts'
import { LinkEnded } from './views/link-ended.tsx'
import { Overview } from './views/overview.tsx'
import { SetPassword } from './views/set-password.tsx'
import { SignIn } from './views/sign-in.tsx'
import { Unreachable } from './views/unreachable.tsx'

// What is seldom needed is loaded when it is.
const Settings = later(() => import('./views/settings/settings.tsx').then((module) => module.Settings), Page)
const dialogs = {
  find: later(() => import('./dialogs/find-click.tsx').then((module) => module.FindClick), Untitled),
  share: later(() => import('./dialogs/share-view.tsx').then((module) => module.ShareView), Untitled),
  shortcuts: later(() => import('./dialogs/shortcuts.tsx').then((module) => module.ShortcutSheet), Untitled),
} as const

/** Chooses the view by the session and the path. */
export function App() {
  if (path.value === '/password') return <SetPassword />
  switch (session.value.kind) {
    case 'starting':
      return null
    case 'unreachable':
      return <Unreachable problem={session.value.problem} />
    case 'signed-out':
      return <SignIn />
    case 'link-ended':
      return <LinkEnded />
    default:
      return <SignedIn />
  }
}

function SignedIn() {
  const Opened = dialog.value === undefined ? undefined : dialogs[dialog.value]
  return (
    <>
      <TopBar />
      {path.value === '/settings' && session.value.kind !== 'link' ? <Settings /> : <Overview />}
      <ProofBar />
      {Opened !== undefined && <Opened />}
    </>
  )
}

function Page({ children }: { children: ComponentChildren }) {
  return (
    <main class="page" id="content">
      {children}
    </main>
  )
}

function Untitled({ children }: { children: ComponentChildren }) {
  return <Dialog title="Not loaded">{children}</Dialog>
}
