import { ClickSender } from '@clicktally/client'

/** One sender for the process. A module is loaded once. */
export const clicks = new ClickSender({ url: process.env.CLICKTALLY_URL, key: process.env.CLICKTALLY_KEY })
