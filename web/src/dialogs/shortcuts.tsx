import { shortcuts, shortcutsAreOn } from '../state/shortcuts.ts'
import { Dialog } from './dialog.tsx'

/** The list of keyboard shortcuts, and a switch for those who use single keys for something else. */
export function ShortcutSheet() {
  return (
    <Dialog title="Keyboard shortcuts">
      <dl class="terms shortcuts">
        {Object.entries(shortcuts).map(([key, { title }]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={shortcutsAreOn.value}
          onChange={(event) => {
            shortcutsAreOn.value = event.currentTarget.checked
          }}
        />
        Single keys are shortcuts
      </label>
    </Dialog>
  )
}
