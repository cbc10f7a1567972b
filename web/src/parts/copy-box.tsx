import { useSignal } from '@preact/signals'
import { ScrollBox } from './scroll-box.tsx'

/** Text to copy: a command, a snippet, a key. */
export function CopyBox({ text, label }: { text: string; label: string }) {
  const isCopied = useSignal(false)
  const copy = async () => {
    // Without HTTPS, except on localhost, browsers have no clipboard: the text can still be selected.
    await navigator.clipboard?.writeText(text)
    isCopied.value = true
    setTimeout(() => {
      isCopied.value = false
    }, 2_000)
  }
  return (
    <div class="copy-box">
      <ScrollBox label={label} scrolls="wide">
        <pre>
          <code>{text}</code>
        </pre>
      </ScrollBox>
      <button type="button" onClick={() => void copy()} aria-label={`Copy ${label}`}>
        {isCopied.value ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}
