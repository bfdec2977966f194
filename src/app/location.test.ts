import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { RESPONSE_SINK } from '../../test/support/unit-response-sink.ts';
import { BoundResponse } from './bound-response.ts';

/** The field that a redirect to `location` has. */
function locationOf(location: string): string {
  const response = new BoundResponse(RESPONSE_SINK);
  response.bind();
  response.redirect(location);
  equal(response.fields[0], 'Location');
  return response.fields[1]!;
}

test('a URI stays what it is, with the address of an IP literal', () => {
  for (const uri of [
    'http://[::1]/',
    'http://[2001:db8::7]:8080/a?b=c#d',
    '//[::1]:80/a',
    'https://user:secret@example.org:8443/a;b/c,d?e=f&g=h+i%20j#k',
    'HTTP://EXAMPLE.ORG',
    'mailto:a@example.org',
    "/a/b.c-d_e~f!$&'()*+,;=:@",
    '/%C3%BC%25%5B%0D',
    '../a?b#c',
    '?a=b',
    '#c',
    '',
  ]) {
    equal(locationOf(uri), uri);
  }
});

test('what a URI cannot have is encoded, once', () => {
  equal(locationOf('/ü 1?a=%20'), '/%C3%BC%201?a=%20');
  equal(locationOf('/a[1]?b[]=2'), '/a%5B1%5D?b%5B%5D=2');
  equal(locationOf('http://[::1]/[2]'), 'http://[::1]/%5B2%5D');
  equal(locationOf('http://bücher.example/ü'), 'http://b%C3%BCcher.example/%C3%BC');
  equal(locationOf('/100%'), '/100%25');
  equal(locationOf('/%zz%4'), '/%25zz%254');
  equal(locationOf('/\\example.org'), '/%5Cexample.org');
  equal(locationOf('http://a\\@b/'), 'http://a%5C@b/');
  equal(locationOf('/\u{1f600}'), '/%F0%9F%98%80');
  equal(locationOf('/\ud83d!'), '/%EF%BF%BD!');
  // The long s and the sign of Kelvin are letters when case is ignored.
  equal(locationOf('/\u017f\u212a'), '/%C5%BF%E2%84%AA');
});

test('no character ends the field', () => {
  for (let code = 0; code < 0x300; code++) {
    const character = String.fromCharCode(code);
    for (const location of [`/a${character}b`, `http://a${character}b/`, character]) {
      match(locationOf(location), /^[!-~]*$/);
    }
  }
});
