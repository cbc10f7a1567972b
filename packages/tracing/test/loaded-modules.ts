// For --import: prints the URL of each module that is loaded.

import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'

registerHooks({
  load(url, context, next) {
    writeSync(1, `${url}\n`)
    return next(url, context)
  },
})
