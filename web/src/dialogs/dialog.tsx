import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { dialog } from '../state/dialog.ts'

/** The browser's own modal dialog: it keeps the focus, closes with Escape or a click beside it, and gives the focus back. */
export function Dialog({ title, children }: { title: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null)
  const isPressedBeside = useRef(false)
  useEffect(() => element.current?.showModal(), [])
  const close = () => {
    dialog.value = undefined
  }
  // Also a click on the dialog's padding, or a drag from the text that is selected to the backdrop, has the dialog as its target.
  const isBeside = ({ target, clientX, clientY }: MouseEvent) => {
    if (element.current === null || target !== element.current) return false
    const { left, right, top, bottom } = element.current.getBoundingClientRect()
    return clientX < left || clientX > right || clientY < top || clientY > bottom
  }
  return (
    <dialog
      ref={element}
      aria-label={title}
      onClose={close}
      onPointerDown={(event) => {
        isPressedBeside.current = isBeside(event)
      }}
      onClick={(event) => isPressedBeside.current && isBeside(event) && close()}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="icon-button" onClick={close}>
          <span aria-hidden="true">×</span>
          <span class="hidden">Close</span>
        </button>
      </header>
      {children}
    </dialog>
  )
}
