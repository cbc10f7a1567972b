import { useEffect, useRef, useState } from 'preact/hooks'
import { formatCount } from '../format.ts'

const durationMs = 600
const prefersStillness = matchMedia('(prefers-reduced-motion: reduce)')

/** A count that runs up to a new value instead of jumping, unless the user prefers less motion. */
export function RollingCount({ value }: { value: number }) {
  const [shown, setShown] = useState(value)
  const latest = useRef(value)
  useEffect(() => {
    const from = latest.current
    if (from === value || prefersStillness.matches || document.hidden) {
      latest.current = value
      setShown(value)
      return
    }
    const startMs = performance.now()
    let frame = requestAnimationFrame(function step(nowMs) {
      const progress = Math.min(Math.max((nowMs - startMs) / durationMs, 0), 1)
      latest.current = Math.round(from + (value - from) * (1 - (1 - progress) ** 3))
      setShown(latest.current)
      if (progress < 1) frame = requestAnimationFrame(step)
    })
    return () => cancelAnimationFrame(frame)
  }, [value])
  return <>{formatCount(shown)}</>
}
