import { ClickSender } from '@clicktally/client'
import { createContext, useContext } from 'react'
import { createRoot } from 'react-dom/client'

// A write key may be seen by everyone: it only sends clicks, and only from the origins that it lists.
const clicks = new ClickSender({ url: import.meta.env.VITE_CLICKTALLY_URL, key: import.meta.env.VITE_CLICKTALLY_KEY })
const Clicks = createContext(clicks)

function SignUp({ plan }) {
  const { click } = useClicks()
  return (
    <button type="button" onClick={() => click('signup', { props: { plan } })}>
      Sign up
    </button>
  )
}

/** The sender with the page's address added to each click. */
function useClicks() {
  const sender = useContext(Clicks)
  return {
    click: (target, fields) => sender.click(target, { url: location.href, referrer: document.referrer, ...fields }),
  }
}

createRoot(document.getElementById('app')).render(<SignUp plan="pro" />)
