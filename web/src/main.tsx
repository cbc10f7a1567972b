import { render } from 'preact'
import { App } from './app.tsx'
import { startSession } from './state/session.ts'
import { listenForShortcuts } from './state/shortcuts.ts'
import './style/theme.css'
import './style/base.css'
import './style/controls.css'
import './style/overview.css'
import './style/proof.css'
import './style/forms.css'
import './style/settings.css'

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no #app')
render(<App />, root)
void startSession()
listenForShortcuts()
