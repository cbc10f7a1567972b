import { ClickSender } from '@clicktally/client'
import { createApp, h, withDirectives } from 'vue'

// A write key may be seen by everyone: it only sends clicks, and only from the origins that it lists.
const clicks = new ClickSender({ url: import.meta.env.VITE_CLICKTALLY_URL, key: import.meta.env.VITE_CLICKTALLY_KEY })

/** `v-count:signup="{ plan: 'pro' }"` counts clicks on an element. */
const count = {
  mounted(element, { arg, value }) {
    element.addEventListener('click', () =>
      clicks.click(arg, { url: location.href, referrer: document.referrer, props: value }),
    )
  },
}

// In a template: <button v-count:signup="{ plan: 'team' }">Sign up</button>
const SignUp = {
  render: () => withDirectives(h('button', { type: 'button' }, 'Sign up'), [[count, { plan: 'team' }, 'signup']]),
}

createApp(SignUp).directive('count', count).mount('#app')
