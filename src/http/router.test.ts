import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { prng } from '../../test/support/prng.ts';
import { ascii } from './characters.ts';
import { methodFromName } from './method.ts';
import { ROUTE_METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND, type Route, Router } from './router.ts';

const find = (router: Router, method: string, path: string): number =>
  router.find(ascii(`..${path}..`), 2, path.length, methodFromName(method));
const allow = (router: Router, path: string): string => router.allow(ascii(path), 0, path.length);
const get = (path: string): Route => ({ method: 'GET', path });

test('a route is found by its path and its method', () => {
  const router = new Router([get('/'), get('/a'), { method: 'POST', path: '/a' }, get('/a/b')]);
  equal(find(router, 'GET', '/'), 0);
  equal(find(router, 'GET', '/a'), 1);
  equal(find(router, 'POST', '/a'), 2);
  equal(find(router, 'GET', '/a/b'), 3);
});

test('paths are compared byte by byte: nothing is decoded or normalised', () => {
  const router = new Router([get('/a'), get('/a/b')]);
  for (const path of ['', '/', '/A', '/a/', '/b', '/%61', '/a/../a', '/a/b/', '//a', '*'])
    equal(find(router, 'GET', path), ROUTE_NOT_FOUND, path);
});

test('another method is not allowed, one without a code neither: RFC 9110 15.5.6', () => {
  const router = new Router([get('/a'), { method: 'PUT', path: '/b' }]);
  equal(find(router, 'POST', '/a'), ROUTE_METHOD_NOT_ALLOWED);
  equal(find(router, 'PROPFIND', '/a'), ROUTE_METHOD_NOT_ALLOWED);
  equal(find(router, 'HEAD', '/b'), ROUTE_METHOD_NOT_ALLOWED);
  equal(find(router, 'OPTIONS', '/b'), ROUTE_METHOD_NOT_ALLOWED);
});

test('HEAD is answered by GET unless it has a route: RFC 9110 9.3.2', () => {
  const router = new Router([get('/a'), get('/b'), { method: 'HEAD', path: '/b' }]);
  equal(find(router, 'HEAD', '/a'), 0);
  equal(find(router, 'HEAD', '/b'), 2);
  equal(find(router, 'GET', '/b'), 1);
});

test('allow lists the methods of a path: RFC 9110 10.2.1', () => {
  const router = new Router([
    { method: 'PUT', path: '/a' },
    get('/a'),
    { method: 'POST', path: '/b' },
  ]);
  equal(allow(router, '/a'), 'GET, HEAD, PUT');
  equal(allow(router, '/b'), 'POST');
  equal(allow(router, '/c'), '');
});

test('a thousand routes are all found, and their neighbours are not', () => {
  const paths = Array.from({ length: 1000 }, (_, index) => `/p/${index.toString(36)}`);
  const router = new Router(paths.map(get));
  for (const [index, path] of paths.entries()) {
    equal(find(router, 'GET', path), index);
    equal(find(router, 'GET', `${path}-`), ROUTE_NOT_FOUND);
  }
});

test('paths of one hash are told apart by their bytes', () => {
  // Found by a search: FNV-1a of 32 bits is 1283540098 for both.
  const [first, second] = ['/2pf8', '/jrj6'];
  equal(find(new Router([get(first)]), 'GET', second), ROUTE_NOT_FOUND);
  const router = new Router([get(first), get(second)]);
  equal(find(router, 'GET', first), 0);
  equal(find(router, 'GET', second), 1);
});

test('no routes at all is a table too', () => {
  equal(find(new Router([]), 'GET', '/'), ROUTE_NOT_FOUND);
  equal(find(new Router([]), 'GET', ''), ROUTE_NOT_FOUND);
});

test('a table that contradicts itself is refused at start', () => {
  throws(() => new Router([get('/a'), get('/a')]), /duplicate route: GET \/a/);
  throws(() => new Router([get('a')]), /no leading slash/);
  throws(() => new Router([get('')]), /no leading slash/);
  for (const path of ['/a b', '/a?b', '/a#b', '/é', '/\n', '/a\n'])
    throws(() => new Router([get(path)]), /no request path holds/, path);
  for (const [path, fault] of [
    ['/:', /no name of a parameter/],
    ['/a/:1', /no name of a parameter/],
    ['/a/:b-c', /no name of a parameter/],
    ['/*/a', /the last segment/],
    ['/*rest', /has no name/],
    ['/a/*/b', /the last segment/],
    ['/*/', /the last segment/],
    ['/files*', /"GET \/files\*": "files\*": a wildcard is a segment of its own/],
    ['/a/f*s/b', /"f\*s": a wildcard is a segment of its own/],
    ['/**', /"\*\*": a wildcard is a segment of its own/],
    ['/:a*', /no name of a parameter/],
    ['/:a/:a', /one name/],
    ['/:id/b/:id', /one name/],
    [`/${':p/'.repeat(17)}`, /one name/],
    [`/${Array.from({ length: 17 }, (_, index) => `:p${index}`).join('/')}`, /more than 16/],
  ] as const) {
    throws(() => new Router([get(path)]), fault, path);
  }
  throws(() => new Router([get('/:a'), get('/:b')]), /"GET \/:b" is the same as "GET \/:a"/);
  throws(() => new Router([{ method: 'get', path: '/' }]), /none of GET, HEAD/);
  throws(() => new Router([{ method: 'other', path: '/' }]), /none of GET, HEAD/);
});

test('there are at most 32767 routes', () => {
  const routes = Array.from({ length: 32_768 }, (_, index) => get(`/${index}`));
  throws(() => new Router(routes), /15 bits/);
  equal(find(new Router(routes.slice(1)), 'GET', '/32767'), 32_766);
});

function parameters(router: Router, method: string, path: string): string {
  const route = find(router, method, path);
  if (route < 0) return String(route);
  const names = router.parameterNames[route]!;
  const values = names.map((name, index) => {
    const start = router.parameterStart(index);
    return `${name}=${path.slice(start, start + router.parameterSize(index))}`;
  });
  return [route, ...values].join(' ');
}

test('a parameter is a segment that is not empty, a wildcard is the rest', () => {
  const router = new Router([
    get('/users/:id'),
    get('/users/:id/posts/:post'),
    get('/files/*'),
    get('/:a/x/:b/*'),
  ]);
  equal(parameters(router, 'GET', '/users/7'), '0 id=7');
  equal(parameters(router, 'HEAD', '/users/%2F'), '0 id=%2F');
  equal(parameters(router, 'GET', '/users/'), '-1');
  equal(parameters(router, 'GET', '/users/7/'), '-1');
  equal(parameters(router, 'GET', '/users'), '-1');
  equal(parameters(router, 'GET', '/users/7/posts/8'), '1 id=7 post=8');
  equal(parameters(router, 'GET', '/users/7/posts'), '-1');
  equal(parameters(router, 'GET', '/files/a/b.txt'), '2 *=a/b.txt');
  equal(parameters(router, 'GET', '/files/'), '2 *=');
  equal(parameters(router, 'GET', '/files'), '-1');
  equal(parameters(router, 'GET', '/1/x/2/3//4'), '3 a=1 b=2 *=3//4');
  equal(parameters(router, 'GET', '*'), '-1');
});

test('exact text comes before a parameter, and that before a wildcard, in each segment', () => {
  const router = new Router([
    get('/*'),
    get('/users/:id'),
    get('/users/me'),
    get('/users/:id/a'),
    get('/users/me/b'),
    get('/users/*'),
  ]);
  equal(parameters(router, 'GET', '/users/me'), '2');
  equal(parameters(router, 'GET', '/users/you'), '1 id=you');
  equal(parameters(router, 'GET', '/users/me/a'), '3 id=me');
  equal(parameters(router, 'GET', '/users/me/b'), '4');
  equal(parameters(router, 'GET', '/users/me/c'), '5 *=me/c');
  equal(parameters(router, 'GET', '/other/me'), '0 *=other/me');
  equal(parameters(router, 'GET', '/'), '0 *=');
});

test('a method that the best path lacks is looked for in the next, and Allow lists all', () => {
  const router = new Router([
    get('/users/me'),
    { method: 'DELETE', path: '/users/:id' },
    { method: 'POST', path: '/users/*' },
  ]);
  equal(parameters(router, 'DELETE', '/users/me'), '1 id=me');
  equal(parameters(router, 'POST', '/users/me'), '2 *=me');
  equal(parameters(router, 'PUT', '/users/me'), String(ROUTE_METHOD_NOT_ALLOWED));
  equal(parameters(router, 'PUT', '/users/you'), String(ROUTE_METHOD_NOT_ALLOWED));
  equal(parameters(router, 'PUT', '/others'), String(ROUTE_NOT_FOUND));
  equal(allow(router, '/users/me'), 'GET, HEAD, POST, DELETE');
  equal(allow(router, '/users/you'), 'POST, DELETE');
  equal(allow(router, '/users/you'), 'POST, DELETE');
});

test('random paths lead where a search through all patterns leads', () => {
  const random = prng(3);
  const word = (): string => ['a', 'b', 'c', 'ab'][random(4)]!;
  for (let round = 0; round < 300; round++) {
    const paths = new Set<string>();
    for (let count = 1 + random(8); count > 0; count--) {
      const segments = Array.from({ length: 1 + random(3) }, (_, index) =>
        random(3) === 0 ? `:p${index}` : word(),
      );
      if (random(4) === 0) segments.push('*');
      paths.add(`/${segments.join('/')}`);
    }
    const list = [...paths];
    const router = new Router(list.map(get));
    for (let ask = 0; ask < 40; ask++) {
      const path = `/${Array.from({ length: 1 + random(4) }, word).join('/')}`;
      equal(find(router, 'GET', path), best(list, path), `${path} in ${list}`);
    }
  }
});

// The pattern that is the most exact, from the left.
function best(patterns: readonly string[], path: string): number {
  let found = ROUTE_NOT_FOUND;
  let rank = '';
  for (const [index, pattern] of patterns.entries()) {
    const source = pattern.replace(/:p\d/g, '[^/]+').replace(/\*$/, '.*');
    if (!new RegExp(`^${source}$`).test(path)) continue;
    const kinds = pattern.split('/').slice(1);
    const own = kinds.map((kind) => (kind === '*' ? 2 : kind.startsWith(':') ? 1 : 0)).join('');
    if (found === ROUTE_NOT_FOUND || own < rank) {
      found = index;
      rank = own;
    }
  }
  return found;
}
