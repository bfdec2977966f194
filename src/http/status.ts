// The status codes and their reason phrases: RFC 9110 section 15, and from the IANA registry those
// of RFC 2518, 3229, 4918, 5842, 6585, 7725, 8297, 8470, 2295 and 2774; and that of RFC 2324, which
// RFC 9110 section 15.5.19 keeps from any other use.
//
// Any thread, control plane: the response writer turns them into bytes at start.

import { assert } from '../base/assert.ts';

/** RFC 9110 section 15: codes beyond are none. */
export const STATUS_MIN = 100;
export const STATUS_MAX = 599;

const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a Teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  510: 'Not Extended',
  511: 'Network Authentication Required',
};

/** All codes that have a phrase, in ascending order. */
export const STATUS_CODES: readonly number[] = Object.keys(REASONS).map(Number);

/**
 * True exactly when a final response, not an interim one, may have this status, be it registered or
 * not: RFC 9110 15.
 */
export function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= STATUS_MAX;
}

/** True exactly when it tells of an error, be it registered or not: RFC 9110 15.5, 15.6. */
export function isErrorStatus(status: number): boolean {
  return isFinalStatus(status) && status >= 400;
}

/** True exactly when a response with this status may have content: RFC 9110 6.4.1, 15.3.6. */
export function hasContent(status: number): boolean {
  return isContentLengthAllowed(status) && status !== 205 && status !== 304;
}

/** True exactly when a response with this status may have a Content-Length: RFC 9110 8.6. */
export function isContentLengthAllowed(status: number): boolean {
  return status >= 200 && status !== 204;
}

/** The reason phrase of a status code; empty, RFC 9112 4, for one that is not registered. */
export function reasonPhrase(status: number): string {
  assert(status >= STATUS_MIN && status <= STATUS_MAX, 'a status is within its range');
  return REASONS[status] ?? '';
}

/** What an error status means: its reason phrase, or the name of its class, RFC 9110 15.5, 15.6. */
export function errorPhrase(status: number): string {
  assert(status >= 400, 'an error response has an error status');
  return reasonPhrase(status) || (status < 500 ? 'Client Error' : 'Server Error');
}
