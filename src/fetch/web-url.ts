// The URL of a request, from its target and its Host field. Control plane.

// What needs no normalising: the URL parser would answer the same text. Segments of the path that
// begin with "." may be ones that it resolves, and a host that ends with a number is an address.
const PLAIN_HOST = /^[a-z0-9][a-z0-9.-]*(?::(?!80$)(?:[1-5]\d{4}|[1-9]\d{0,3}))?$/;
const ADDRESS_LIKE = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?(?::|$)|xn--/;
const LOOPBACK = /^127\.0\.0\.1(?::|$)/;
const PLAIN_TARGET = /^(?:\/(?!\.|%2e)[\w\-.~!$&()*+,;=:@%]*)+(?:\?[\w\-.~!$&()*+,;=:@/%?]*)?$/i;

/** RFC 9112 section 3.3. @throws TypeError when host and target make no URL. */
export function requestUrl(host: string, target: string): string {
  const isPlainHost = PLAIN_HOST.test(host) && (LOOPBACK.test(host) || !ADDRESS_LIKE.test(host));
  if (isPlainHost && PLAIN_TARGET.test(target)) return `http://${host}${target}`;
  // Absolute-form; or `*`, the server as a whole.
  if (/^https?:\/\//i.test(target)) return new URL(target).href;
  return new URL(`http://${host}${target.startsWith('/') ? target : '/'}`).href;
}
