/** More than any cluster of ours has; a longer list is a mistake. */
const maxHosts = 16

/** Scheme and credentials, hosts, and the rest. As in WHATWG URLs, the last `@` ends the credentials. */
const form = /^([a-z][a-z\d+.-]*:\/\/(?:[^/?#]*@)?)([^/?#@]*)([/?#].*)?$/i

/**
 * Splits a URL with several hosts, as libpq and MongoDB have them, into one URL for each: `amqp://user@a:5672,b:5672/vhost` becomes
 * `amqp://user@a:5672/vhost` and `amqp://user@b:5672/vhost`. A URL with one host is returned alone and unchanged.
 *
 * @throws {TypeError} if it is no URL, or a host is empty, invalid or there twice. The message never quotes it, because of the password.
 */
export function hostUrls(url: string): readonly string[] {
  const [, before = '', list = '', after = ''] = form.exec(url) ?? []
  const urls = list.split(',').map((host) => `${before}${host}${after}`)
  const isValid = urls.every((each) => (URL.parse(each)?.hostname ?? '') !== '')
  if (!isValid || urls.length > maxHosts || new Set(urls).size < urls.length) {
    throw new TypeError(`a URL has an invalid host, more than ${maxHosts}, or one of them twice`)
  }
  return urls
}

/** Host and port of a URL, for logs: without the password. */
export function hostOf(url: string): string {
  return new URL(url).host
}
