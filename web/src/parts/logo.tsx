/** Four strokes and one across: the fifth click. */
export function Logo() {
  return (
    <span class="logo">
      <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" fill="none">
        <path class="logo-strokes" d="M9 7v18M14 7v18M19 7v18M24 7v18" />
        <path class="logo-across" d="M4.500 22 28 10" />
      </svg>
      <span>Clicktally</span>
    </span>
  )
}
