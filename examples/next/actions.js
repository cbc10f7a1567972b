'use server'

import { clicks } from './clicks.js'

/** A server action: `<form action={subscribe}>` */
export async function subscribe(form) {
  clicks.click('subscribe', { props: { list: form.get('list') } })
  // Where the platform freezes the process after the response, nothing may wait. In Next 15 or later, `after()` does this behind the response.
  await clicks.flush()
}
