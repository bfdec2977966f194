import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
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
  for (const path of ['/:id', '/a/*']) throws(() => new Router([get(path)]), /parameters/);
  throws(() => new Router([{ method: 'get', path: '/' }]), /none of GET, HEAD/);
  throws(() => new Router([{ method: 'other', path: '/' }]), /none of GET, HEAD/);
});

test('there are at most 32767 routes', () => {
  const routes = Array.from({ length: 32_768 }, (_, index) => get(`/${index}`));
  throws(() => new Router(routes), /15 bits/);
  equal(find(new Router(routes.slice(1)), 'GET', '/32767'), 32_766);
});
