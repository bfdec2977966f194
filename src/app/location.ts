// Where a redirect leads, as its field says it. Control plane.

// RFC 3986 section 3: what stands between "//" and the path.
const AUTHORITY = /^(?:[A-Za-z][A-Za-z0-9+.-]*:)?\/\/[^/?#]*/;
// All but the reserved and the unreserved characters of RFC 3986 section 2, and what is encoded
// already. Brackets only enclose the address of an IP literal: section 3.2.2.
const UNSAFE = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]/gu;
const UNSAFE_IN_AUTHORITY = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=%[\]]/gu;

/** A URI reference of `location`: whatever a URI cannot have is percent-encoded as UTF-8. */
export function encodeLocation(location: string): string {
  const text = location.toWellFormed();
  const authority = AUTHORITY.exec(text)?.[0] ?? '';
  const rest = text.slice(authority.length);
  return (
    authority.replace(UNSAFE_IN_AUTHORITY, encodeURIComponent) +
    rest.replace(UNSAFE, encodeURIComponent)
  );
}
