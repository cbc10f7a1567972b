/** In place of a part whose code could not be loaded: after an upgrade the server has only that of the new version. */
export function NotLoaded() {
  return (
    <div class="problem not-loaded" role="alert">
      <p>This part could not be loaded. There may be a new version.</p>
      <button type="button" class="small" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  )
}
