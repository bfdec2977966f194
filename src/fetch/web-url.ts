// The URL of a request, from its target and its Host field. Control plane.

// What needs no normalising: the URL parser would answer the same text. Segments of the path that
// begin with "." may be ones that it resolves, and a host that ends with a number is an address.
const PLAIN_HOST = /^[a-z0-9][a-z0-9.-]*(?::(?!80$)(?:[1-5]\d{4}|[1-9]\d{0,3}))?$/;
const ADDRESS_LIKE = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?(?::|$)|xn--/;
const LOOPBACK = /^127\.0\.0\.1(?::|$)/;
const PLAIN_TARGET = /^(?:\/(?!\.|%2e)[\w\-.~!$&()*+,;=:@%]*)+(?:\?[\w\-.~!$&()*+,;=:@/%?]*)?$/i;

// The name of the server for who gives none.
const HOST_DEFAULT = 'localhost';

/**
 * RFC 9112 section 3.3. A Host field that is not there, or is empty, means the default: without a
 * host, the parser of URLs would take the first segment of the path for it. @throws TypeError when
 * host and target make no URL.
 */
export function requestUrl(hostField: string | undefined, target: string): string {
  const host = hostField === undefined || hostField === '' ? HOST_DEFAULT : hostField;
  const isPlainHost = PLAIN_HOST.test(host) && (LOOPBACK.test(host) || !ADDRESS_LIKE.test(host));
  if (isPlainHost && PLAIN_TARGET.test(target)) return `http://${host}${target}`;
  // Absolute-form; or `*`, the server as a whole.
  if (/^https?:\/\//i.test(target)) return new URL(target).href;
  return new URL(`http://${host}${target.startsWith('/') ? target : '/'}`).href;
}
